-- Who exists, what there is, and who may see it.

-- PostgreSQL before 15 lets everybody create tables here.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

CREATE TABLE users (
  -- The `sub` of the user's tokens.
  id text COLLATE "C" PRIMARY KEY CHECK (octet_length(id) BETWEEN 1 AND 255),
  name text NOT NULL,
  role text NOT NULL DEFAULT 'viewer' CHECK (role IN ('viewer', 'operator', 'admin')),
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE appliances (
  id text COLLATE "C" PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9._-]{1,64}$'),
  owner_id text COLLATE "C" NOT NULL REFERENCES users,
  dialect text NOT NULL CHECK (dialect IN ('epicura', 'webmacs', 'signaling', 'reefnet', 'oht50', 'generic')),
  name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX appliances_by_owner ON appliances (owner_id);

CREATE TABLE appliance_shares (
  appliance_id text COLLATE "C" NOT NULL REFERENCES appliances ON DELETE CASCADE,
  user_id text COLLATE "C" NOT NULL REFERENCES users ON DELETE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (appliance_id, user_id)
);
CREATE INDEX appliance_shares_by_user ON appliance_shares (user_id);
