-- What webhooks are told of the log: who wants to know, and what has been told already.

INSERT INTO revisions (name) VALUES ('webhooks');

-- Whatever decides who wants to know what. Row by row where most changes are of no matter.
CREATE TRIGGER webhooks_revision AFTER INSERT OR DELETE OR TRUNCATE ON webhooks
FOR EACH STATEMENT EXECUTE FUNCTION count_revision('webhooks');
CREATE TRIGGER webhooks_change_revision AFTER UPDATE ON webhooks
FOR EACH ROW WHEN ((old.event_types, old.appliance_ids, old.disabled_at) IS DISTINCT FROM (new.event_types, new.appliance_ids, new.disabled_at))
EXECUTE FUNCTION count_revision('webhooks');
CREATE TRIGGER users_webhook_revision AFTER UPDATE ON users
FOR EACH ROW WHEN (old.role IS DISTINCT FROM new.role) EXECUTE FUNCTION count_revision('webhooks');
CREATE TRIGGER appliances_webhook_revision AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF id, owner_id ON appliances
FOR EACH STATEMENT EXECUTE FUNCTION count_revision('webhooks');
CREATE TRIGGER shares_webhook_revision AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF appliance_id, user_id ON appliance_shares
FOR EACH STATEMENT EXECUTE FUNCTION count_revision('webhooks');

-- When webhooks were last told of a sensor, by the log's time; changed in the transaction that moves the cursor of `rules`.
CREATE TABLE webhook_readings (
  appliance_id text COLLATE "C" NOT NULL,
  metric text COLLATE "C" NOT NULL,
  shard smallint NOT NULL,
  told_at timestamptz NOT NULL,
  PRIMARY KEY (appliance_id, metric)
) WITH (fillfactor = 50);
CREATE INDEX webhook_readings_by_shard ON webhook_readings (shard);

-- Whether an appliance was online when it last said so.
CREATE TABLE webhook_presence (
  appliance_id text COLLATE "C" PRIMARY KEY,
  shard smallint NOT NULL,
  is_online boolean NOT NULL
);
CREATE INDEX webhook_presence_by_shard ON webhook_presence (shard);

GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_readings, webhook_presence TO martlet_rules;
