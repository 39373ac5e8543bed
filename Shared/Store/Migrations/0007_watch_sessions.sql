-- Who watched which camera, when, and how it ended: the signaling broker's sessions, and the audit of them.

-- No foreign keys: what was watched stays known when the camera or the user goes.
CREATE TABLE watch_sessions (
  id uuid PRIMARY KEY,
  appliance_id text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  started_at timestamptz NOT NULL,
  -- When the device first answered: from then on there may have been a picture.
  answered_at timestamptz,
  ended_at timestamptz,
  reason text CHECK (reason IN ('viewer_disconnected', 'device_disconnected', 'user_ended', 'timeout', 'error')),
  -- Somebody who is no part of it wants it to end; the broker ends it.
  end_requested_at timestamptz,
  end_requested_by text COLLATE "C",
  CHECK ((ended_at IS NULL) = (reason IS NULL)),
  CHECK ((end_requested_at IS NULL) = (end_requested_by IS NULL))
);
CREATE INDEX watch_sessions_by_appliance ON watch_sessions (appliance_id, started_at DESC, id DESC);
CREATE INDEX watch_sessions_by_time ON watch_sessions (started_at DESC, id DESC);
CREATE INDEX watch_sessions_open ON watch_sessions (started_at) WHERE ended_at IS NULL;

DO $$
BEGIN
  -- Roles belong to the whole server: another database of ours may have made it.
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'martlet_signaling') THEN
    CREATE ROLE martlet_signaling NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL;
END
$$;

GRANT USAGE ON SCHEMA public TO martlet_signaling;
GRANT SELECT ON schema_migrations, users, appliances, appliance_shares, revoked_tokens, device_credentials TO martlet_signaling;
GRANT SELECT, INSERT, UPDATE ON watch_sessions TO martlet_signaling;
GRANT SELECT, UPDATE (end_requested_at, end_requested_by) ON watch_sessions TO martlet_api;
