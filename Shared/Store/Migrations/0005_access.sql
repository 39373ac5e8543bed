-- Who may do what, beyond seeing, and the proofs of being somebody: passwords, refresh tokens, revocations, devices' secrets.

-- NULL: as much as the user's own role allows.
ALTER TABLE appliance_shares ADD COLUMN role text CHECK (role IN ('viewer', 'operator'));

-- Tokens that were issued before are revoked.
ALTER TABLE users ADD COLUMN tokens_valid_from timestamptz;

-- A table of its own, so that who reads users does not read this.
CREATE TABLE user_passwords (
  user_id text COLLATE "C" PRIMARY KEY REFERENCES users ON DELETE CASCADE,
  -- `$scrypt$ln=15,r=8,p=1$<salt>$<hash>`
  scrypt text NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT now()
);

-- No foreign key: what is revoked stays so when its user goes.
CREATE TABLE revoked_tokens (
  -- The `jti`.
  token_id text COLLATE "C" PRIMARY KEY CHECK (octet_length(token_id) BETWEEN 1 AND 255),
  user_id text COLLATE "C" NOT NULL,
  -- The token's own end, after which the row is of no use.
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at);

-- A login, and all the refresh tokens that come of it. One row to lock, so that no token is added to a family while it is revoked.
CREATE TABLE refresh_families (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id text COLLATE "C" NOT NULL REFERENCES users ON DELETE CASCADE,
  begun_at timestamptz NOT NULL,
  -- The end of its newest token, after which the family is of no use.
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz
);
CREATE INDEX refresh_families_by_user ON refresh_families (user_id);
CREATE INDEX refresh_families_by_expiry ON refresh_families (expires_at);

CREATE TABLE refresh_tokens (
  -- SHA-256 of the token.
  hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
  family_id uuid NOT NULL REFERENCES refresh_families ON DELETE CASCADE,
  issued_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  -- A token is good for one use; another one is a thief's, or the robbed one's.
  used_at timestamptz
);
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family_id);

CREATE TABLE device_credentials (
  appliance_id text COLLATE "C" PRIMARY KEY REFERENCES appliances ON DELETE CASCADE,
  secret_sha256 bytea NOT NULL CHECK (octet_length(secret_sha256) = 32),
  created_at timestamptz NOT NULL DEFAULT now()
);

DO $$
BEGIN
  -- Roles belong to the whole server: another database of ours may have made it.
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'martlet_api') THEN
    CREATE ROLE martlet_api NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL;
END
$$;

GRANT USAGE ON SCHEMA public TO martlet_api;
GRANT SELECT ON schema_migrations, events, readings TO martlet_api;
GRANT SELECT, INSERT, UPDATE, DELETE
  ON users, appliances, appliance_shares, user_passwords, revoked_tokens, refresh_families, refresh_tokens, device_credentials TO martlet_api;

GRANT SELECT ON revoked_tokens TO martlet_gateway;
