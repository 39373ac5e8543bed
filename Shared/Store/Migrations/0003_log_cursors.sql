-- How far each consumer of the log has come. A consumer writes its rows and its cursor in one transaction, so that each event
-- takes effect once. The log is trimmed below the slowest consumer: delete the rows of one that is no more.

CREATE TABLE log_cursors (
  consumer text COLLATE "C" NOT NULL,
  shard smallint NOT NULL CHECK (shard >= 0),
  -- The life of the log that the position belongs to; empty before the first read.
  epoch text COLLATE "C" NOT NULL DEFAULT '',
  -- The last entry that took effect: log_ms-log_seq.
  log_ms bigint NOT NULL DEFAULT 0,
  log_seq bigint NOT NULL DEFAULT 0,
  -- Entries up to this one may have taken effect before: the log was lost or rolled back, and is read anew.
  known_ms bigint NOT NULL DEFAULT 0,
  known_seq bigint NOT NULL DEFAULT 0,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (consumer, shard)
);
