-- Webhooks: where messages go, the messages, what became of each at each webhook, and every attempt.

CREATE TABLE webhooks (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  owner_id text COLLATE "C" NOT NULL REFERENCES users ON DELETE CASCADE,
  name text COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 255),
  url text COLLATE "C" NOT NULL CHECK (octet_length(url) <= 2048),
  -- Empty: every type.
  event_types text[] COLLATE "C" NOT NULL,
  -- Empty: every appliance that the owner may see.
  appliance_ids text[] COLLATE "C" NOT NULL,
  -- How many attempts at a time; with 1, messages keep their order.
  in_flight_max smallint NOT NULL CHECK (in_flight_max BETWEEN 1 AND 64),
  disabled_at timestamptz,
  disabled_because text CHECK (disabled_because IN ('user', 'gone', 'failing')),
  -- The first failure after the last success.
  failing_since timestamptz,
  -- Nothing is tried before: the receiver asked for it, or the order wants it.
  held_until timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (owner_id, name),
  CHECK ((disabled_at IS NULL) = (disabled_because IS NULL))
);

-- A table of its own, so that who reads webhooks does not read this.
CREATE TABLE webhook_secrets (
  webhook_id uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
  -- Messages are signed with each that has not run out.
  secret bytea NOT NULL CHECK (octet_length(secret) BETWEEN 24 AND 64),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- NULL for the newest.
  expires_at timestamptz,
  PRIMARY KEY (webhook_id, secret)
);

-- No foreign key to appliances: what happened is told, also when the appliance has gone.
CREATE TABLE webhook_messages (
  -- `webhook-id`, made from what caused the message, so that the same cause makes no second one.
  id uuid PRIMARY KEY,
  type text COLLATE "C" NOT NULL,
  appliance_id text COLLATE "C",
  -- What is sent, byte for byte.
  body json NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX webhook_messages_by_age ON webhook_messages (stored_at);

CREATE TABLE webhook_deliveries (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  webhook_id uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
  message_id uuid NOT NULL REFERENCES webhook_messages ON DELETE CASCADE,
  -- 0 goes before 1, which holds telemetry.
  lane smallint NOT NULL CHECK (lane IN (0, 1)),
  state text COLLATE "C" NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
  -- All there ever were; the number of the newest.
  attempt_count integer NOT NULL DEFAULT 0,
  -- Since it was made, or was last retried by hand.
  failure_count smallint NOT NULL DEFAULT 0,
  due_at timestamptz NOT NULL DEFAULT now(),
  -- The attempt that is being made, and when it is taken for lost.
  lease bigint,
  leased_until timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  settled_at timestamptz,
  UNIQUE (message_id, webhook_id),
  CHECK ((lease IS NULL) = (leased_until IS NULL)),
  CHECK ((settled_at IS NULL) = (state = 'pending'))
-- A row changes with each attempt and lease: room for the new versions beside the old.
) WITH (fillfactor = 70);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, lane, due_at, id) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_dead ON webhook_deliveries (webhook_id, id) WHERE state = 'dead';

CREATE TABLE webhook_attempts (
  delivery_id bigint NOT NULL REFERENCES webhook_deliveries ON DELETE CASCADE,
  number integer NOT NULL,
  started_at timestamptz NOT NULL,
  duration_ms integer NOT NULL,
  -- The answer's; NULL where none came.
  status smallint,
  -- NULL for a success.
  failure text,
  -- A sentence for people: why it failed, or how the answer began.
  detail text,
  PRIMARY KEY (delivery_id, number)
);

GRANT SELECT ON users, appliances, appliance_shares, webhooks, webhook_secrets, webhook_messages, webhook_deliveries TO martlet_rules;
GRANT UPDATE (disabled_at, disabled_because, failing_since, held_until) ON webhooks TO martlet_rules;
GRANT DELETE ON webhook_secrets, webhook_messages TO martlet_rules;
GRANT INSERT ON webhook_messages, webhook_deliveries TO martlet_rules;
GRANT UPDATE (state, attempt_count, failure_count, due_at, lease, leased_until, settled_at) ON webhook_deliveries TO martlet_rules;
GRANT SELECT, INSERT, UPDATE ON webhook_attempts TO martlet_rules;

GRANT SELECT, INSERT, UPDATE, DELETE ON webhooks TO martlet_api;
-- The API makes secrets and ends them; it cannot read one.
GRANT INSERT, UPDATE (expires_at), SELECT (webhook_id, created_at, expires_at) ON webhook_secrets TO martlet_api;
GRANT SELECT, INSERT ON webhook_messages, webhook_deliveries TO martlet_api;
GRANT UPDATE (state, failure_count, due_at, settled_at) ON webhook_deliveries TO martlet_api;
GRANT SELECT ON webhook_attempts TO martlet_api;
