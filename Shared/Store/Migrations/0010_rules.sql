-- Rules, what they remember, what came of them, and what is still to be told: to apps, to appliances, to webhooks.

CREATE TABLE rules (
  id text COLLATE "C" PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9._-]{1,64}$'),
  -- The rule's own text, read by one grammar wherever it is read.
  definition json NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- How often something that services keep in memory has changed, whoever changed it. What was worked out by an older revision is not committed.
CREATE TABLE revisions (
  name text PRIMARY KEY,
  number bigint NOT NULL DEFAULT 1
);
INSERT INTO revisions (name) VALUES ('rules'), ('appliances');

-- The owner's rights: who changes a table need not be trusted with the count.
CREATE FUNCTION count_revision() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE revisions SET number = number + 1 WHERE name = TG_ARGV[0];
  RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION count_revision FROM PUBLIC;

CREATE TRIGGER rules_revision AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON rules
FOR EACH STATEMENT EXECUTE FUNCTION count_revision('rules');
-- Which rules concern an appliance depends on its dialect.
CREATE TRIGGER appliances_revision AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF id, dialect ON appliances
FOR EACH STATEMENT EXECUTE FUNCTION count_revision('appliances');

-- What the evaluator remembers of an appliance, in its own bytes; changed in the transaction that moves the cursor of `rules`.
CREATE TABLE rule_states (
  appliance_id text COLLATE "C" PRIMARY KEY,
  shard smallint NOT NULL,
  state bytea NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX rule_states_by_shard ON rule_states (shard);

-- Each time that a rule fired. No foreign key: what happened stays when the rule goes.
CREATE TABLE rule_firings (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  rule_id text COLLATE "C" NOT NULL,
  appliance_id text COLLATE "C" NOT NULL,
  -- Empty where the rule is about no metric.
  metric text COLLATE "C" NOT NULL,
  value double precision,
  severity text NOT NULL,
  -- By the log's time.
  fired_at timestamptz NOT NULL
);
CREATE INDEX rule_firings_by_time ON rule_firings (appliance_id, fired_at);

CREATE TABLE alarms (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  appliance_id text COLLATE "C" NOT NULL,
  -- Who says so: `rule:<id>`, or `code:<the device's code>`.
  source text COLLATE "C" NOT NULL CHECK (source ~ '^(rule|code):.'),
  name text NOT NULL,
  severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
  metric text NOT NULL,
  value double precision,
  -- How often it was raised since it is open.
  raised_count bigint NOT NULL DEFAULT 1,
  raised_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  acknowledged_at timestamptz,
  acknowledged_by text COLLATE "C",
  cleared_at timestamptz,
  clear_reason text,
  CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL)),
  CHECK ((cleared_at IS NULL) = (clear_reason IS NULL))
);
CREATE UNIQUE INDEX alarms_open ON alarms (appliance_id, source) WHERE cleared_at IS NULL;
CREATE INDEX alarms_by_time ON alarms (appliance_id, raised_at);

-- What is to go into the event log: events to apps, and commands. Who owns the shard puts it there and then takes it out here.
CREATE TABLE rule_outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  shard smallint NOT NULL,
  -- By which the log knows a second attempt; for a command, its id.
  key uuid NOT NULL DEFAULT gen_random_uuid(),
  appliance_id text COLLATE "C" NOT NULL,
  kind text NOT NULL CHECK (kind IN ('event', 'command')),
  type text COLLATE "C" NOT NULL,
  data json NOT NULL,
  -- For a command: on whose behalf.
  sender text COLLATE "C",
  made_at timestamptz NOT NULL
);
CREATE INDEX rule_outbox_by_shard ON rule_outbox (shard, id);

DO $$
BEGIN
  -- Roles belong to the whole server: another database of ours may have made it.
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'martlet_rules') THEN
    CREATE ROLE martlet_rules NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL;
END
$$;

GRANT USAGE ON SCHEMA public TO martlet_rules;
GRANT SELECT ON schema_migrations, rules, revisions, appliances TO martlet_rules;
GRANT SELECT, INSERT, UPDATE ON log_cursors, rule_states, alarms TO martlet_rules;
GRANT DELETE ON rule_states TO martlet_rules;
GRANT INSERT ON rule_firings TO martlet_rules;
GRANT SELECT, INSERT, DELETE ON rule_outbox TO martlet_rules;

GRANT SELECT, INSERT, UPDATE, DELETE ON rules TO martlet_api;
GRANT SELECT ON rule_firings TO martlet_api;
GRANT SELECT, UPDATE (acknowledged_at, acknowledged_by, updated_at) ON alarms TO martlet_api;
GRANT INSERT ON rule_outbox TO martlet_api;
