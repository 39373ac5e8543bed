-- What is asked for most, kept ready: what became of each command, how each cooking session went, and the numbers minute by
-- minute. All of it follows from the log and is written with the events, in their transaction.

CREATE TABLE commands (
  appliance_id text COLLATE "C" NOT NULL,
  command_id text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  -- This, data and expires_at come with the request: NULL if the log lost it.
  user_id text COLLATE "C",
  data json,
  state text NOT NULL CHECK (state IN ('requested', 'sent', 'acknowledged', 'failed')),
  -- Why it failed, for programs; for people, or the device's own word.
  code text,
  message text,
  issued_at timestamptz NOT NULL,
  expires_at timestamptz,
  sent_at timestamptz,
  -- When it was acknowledged or failed; after that nothing changes any more.
  settled_at timestamptz,
  PRIMARY KEY (appliance_id, command_id),
  CHECK ((settled_at IS NOT NULL) = (state IN ('acknowledged', 'failed')))
);
CREATE INDEX commands_by_time ON commands (appliance_id, issued_at, command_id);

CREATE TABLE cooking_sessions (
  appliance_id text COLLATE "C" NOT NULL,
  -- The device's own name for it.
  session_id text COLLATE "C" NOT NULL,
  recipe_id text,
  recipe_name text,
  total_stages integer,
  -- As far as it got.
  current_stage integer,
  current_stage_name text,
  -- The earliest that the device has told of it, by the device's time like all times here but updated_at.
  started_at timestamptz NOT NULL,
  ended_at timestamptz,
  -- NULL while nothing is known of its end: also when the device has vanished.
  outcome text CHECK (outcome IN ('complete', 'error', 'stopped', 'abandoned')),
  -- {"code","severity","message","action_taken","timestamp"} of the newest error, also one that the session survived.
  last_error json,
  last_error_at timestamptz,
  -- The data of cooking:complete, as the device sent it.
  summary json,
  -- When the log took in the newest event about it.
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (appliance_id, session_id),
  CHECK ((outcome IS NULL) = (ended_at IS NULL))
-- A row changes with every report of progress: the room left in each page keeps those updates out of the indexes.
) WITH (fillfactor = 50);
CREATE INDEX cooking_sessions_by_time ON cooking_sessions (appliance_id, started_at, session_id);
CREATE INDEX cooking_sessions_open ON cooking_sessions (appliance_id) WHERE outcome IS NULL;

-- A session's stages, from its stage changes.
CREATE TABLE cooking_stages (
  appliance_id text COLLATE "C" NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  -- The device's number of it.
  stage integer NOT NULL,
  name text,
  duration_s double precision,
  result text,
  transition text,
  started_at timestamptz,
  -- NULL for the stage in which the session is, or in which it ended.
  ended_at timestamptz,
  PRIMARY KEY (appliance_id, session_id, stage),
  FOREIGN KEY (appliance_id, session_id) REFERENCES cooking_sessions ON DELETE CASCADE
);

-- Readings, one row a minute (by the device's time), for charts of any width. A row changes only while its minute lasts.
CREATE TABLE readings_by_minute (
  appliance_id text COLLATE "C" NOT NULL,
  metric text COLLATE "C" NOT NULL,
  minute timestamptz NOT NULL,
  count bigint NOT NULL,
  -- Kept within 1e290 on either side, so that no sum of sums overflows.
  sum double precision NOT NULL,
  min double precision NOT NULL,
  max double precision NOT NULL,
  last double precision NOT NULL,
  last_at timestamptz NOT NULL,
  PRIMARY KEY (appliance_id, metric, minute)
) WITH (fillfactor = 70);

INSERT INTO readings_by_minute (appliance_id, metric, minute, count, sum, min, max, last, last_at)
SELECT appliance_id, metric, date_bin('1 minute', timestamp, timestamptz 'epoch'), count(*),
  sum(greatest(-1e280, least(1e280, value))), min(value), max(value),
  (array_agg(value ORDER BY timestamp DESC, received_at DESC))[1], max(timestamp)
FROM readings GROUP BY 1, 2, 3;

-- Events that are not telemetry are few, and looked for among many. Whoever asks by such a type repeats this condition.
CREATE INDEX events_discrete ON events (appliance_id, received_at, log_seq)
WHERE type <> 'cooking:progress' AND type NOT LIKE 'telemetry%';

GRANT SELECT, INSERT, UPDATE ON commands, cooking_sessions, cooking_stages, readings_by_minute TO martlet_persister;
GRANT SELECT ON commands, cooking_sessions, cooking_stages, readings_by_minute TO martlet_api;
