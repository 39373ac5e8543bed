-- What happened, one partition per day of receipt (UTC).
--
-- There is no DEFAULT partition: it would take rows of a missing day without a word, and that day could then only be made
-- under a lock that stops all reading and writing while the default is searched. Instead days are made ahead, and a
-- writer makes the day that it misses before it writes.

CREATE TABLE events (
  -- The milliseconds of the event's id in the log, exactly: `<milliseconds>-<log_seq>`.
  received_at timestamptz NOT NULL,
  log_seq bigint NOT NULL,
  shard smallint NOT NULL,
  -- No foreign key: what a device said is kept, whether or not it is registered.
  appliance_id text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  -- The device's own time where it sent one.
  timestamp timestamptz NOT NULL,
  -- A newer event of this type had been stored before.
  late boolean NOT NULL,
  -- The device's own text (`json`, not `jsonb`): numbers stay as they were written.
  data json NOT NULL,
  -- Members of the envelope that nobody here knows.
  extras json
) PARTITION BY RANGE (received_at);
CREATE INDEX events_by_appliance ON events (appliance_id, received_at, log_seq);

-- The numbers inside events, for charts: read by the device's time, which a late event lies behind.
CREATE TABLE readings (
  received_at timestamptz NOT NULL,
  appliance_id text COLLATE "C" NOT NULL,
  metric text COLLATE "C" NOT NULL,
  timestamp timestamptz NOT NULL,
  value double precision NOT NULL
) PARTITION BY RANGE (received_at);
CREATE INDEX readings_by_metric ON readings (appliance_id, metric, timestamp);

-- What could not be understood or stored, with its reason.
CREATE TABLE dead_letters (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  received_at timestamptz NOT NULL,
  topic text NOT NULL,
  payload bytea NOT NULL,
  reason text NOT NULL,
  -- Its place in the log: log_ms-log_seq in this shard.
  shard smallint NOT NULL,
  log_ms bigint NOT NULL,
  log_seq bigint NOT NULL
);
CREATE INDEX dead_letters_by_time ON dead_letters (received_at);
CREATE INDEX dead_letters_by_place ON dead_letters (shard, log_ms, log_seq);

-- Makes the partitions of these days where they are missing; returns how many were made.
--
-- The owner's rights, so that who writes events needs none to create tables. A partition is made beside the table and then
-- attached, which lets readers and writers go on.
CREATE FUNCTION make_event_partitions(first_day date, last_day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  parent text;
  partition text;
  day date;
  made integer := 0;
BEGIN
  IF first_day < date '1970-01-01' OR last_day >= date '2200-01-01' OR last_day - first_day > 366 THEN
    RAISE EXCEPTION 'no partitions for % to %', first_day, last_day USING ERRCODE = 'datetime_field_overflow';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('martlet.make_event_partitions', 0));
  FOREACH parent IN ARRAY ARRAY['events', 'readings'] LOOP
    FOR day IN SELECT generate_series(first_day, last_day, interval '1 day')::date LOOP
      partition := parent || to_char(day, '_YYYYMMDD');
      CONTINUE WHEN to_regclass(partition) IS NOT NULL;
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition, parent);
      EXECUTE format(
        'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, partition,
        day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
      made := made + 1;
    END LOOP;
  END LOOP;
  RETURN made;
END
$$;
REVOKE EXECUTE ON FUNCTION make_event_partitions FROM PUBLIC;
