-- Who did what, when and from where. No service can change or delete what stands here.

CREATE TABLE audit_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- By which a second attempt to store it is known.
  entry uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  service text COLLATE "C" NOT NULL,
  action text COLLATE "C" NOT NULL,
  result text COLLATE "C" NOT NULL CHECK (result IN ('done', 'refused', 'failed')),
  user_id text COLLATE "C",
  -- The appliance that it is about, or that it is.
  appliance_id text COLLATE "C",
  command_id text COLLATE "C",
  address text COLLATE "C",
  detail text NOT NULL CHECK (octet_length(detail) <= 2048),
  -- How many like ones this stands for.
  count integer NOT NULL DEFAULT 1 CHECK (count > 0)
);
CREATE INDEX audit_log_newest ON audit_log (at, id);
CREATE INDEX audit_log_by_user ON audit_log (user_id, at, id) WHERE user_id IS NOT NULL;
CREATE INDEX audit_log_by_appliance ON audit_log (appliance_id, at, id) WHERE appliance_id IS NOT NULL;
CREATE INDEX audit_log_by_action ON audit_log (action, at, id);

GRANT INSERT ON audit_log TO martlet_persister;
GRANT SELECT ON audit_log TO martlet_api;

-- Notes a change of a row in the change's own transaction, with the owner's rights. Names of columns are told, and not what is in them, but for those that are said to be harmless.
--
-- Arguments: the action, the columns that name the row, those whose change is no news, and those whose value is told; lists with commas.
CREATE FUNCTION note_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  old_row jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) ELSE '{}' END;
  new_row jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) ELSE '{}' END;
  this_row jsonb := CASE WHEN TG_OP = 'DELETE' THEN old_row ELSE new_row END;
  -- Set for the transaction by who changes it on somebody's behalf.
  caller jsonb := coalesce(nullif(current_setting('martlet.caller', true), ''), '{}')::jsonb;
  told text[] := string_to_array(TG_ARGV[3], ',');
  name text;
  changes text;
BEGIN
  SELECT string_agg(left(this_row ->> key, 255), ' ' ORDER BY place) INTO name
  FROM unnest(string_to_array(TG_ARGV[1], ',')) WITH ORDINALITY AS key_columns (key, place);
  SELECT string_agg(CASE WHEN key = ANY (told) THEN format('%s = %s', key, left(this_row ->> key, 255)) ELSE key END, ', ' ORDER BY key) INTO changes
  FROM jsonb_object_keys(this_row) AS columns (key)
  WHERE key <> ALL (string_to_array(TG_ARGV[2], ',')) AND (key = ANY (told) OR TG_OP = 'UPDATE')
    AND (TG_OP <> 'UPDATE' OR new_row -> key IS DISTINCT FROM old_row -> key);
  IF TG_OP = 'UPDATE' AND changes IS NULL THEN
    RETURN NULL;
  END IF;
  INSERT INTO audit_log (service, action, result, user_id, appliance_id, address, detail) VALUES (
    coalesce(caller ->> 'service', 'database'), TG_ARGV[0], 'done', caller ->> 'user_id',
    CASE WHEN TG_TABLE_NAME = 'appliances' THEN this_row ->> 'id' ELSE this_row ->> 'appliance_id' END, caller ->> 'address',
    left(format('%s %s: %s%s%s', TG_TABLE_NAME, CASE TG_OP WHEN 'INSERT' THEN 'added' WHEN 'UPDATE' THEN 'changed' ELSE 'removed' END, name,
      coalesce(' (' || changes || ')', ''),
      CASE WHEN caller ? 'service' THEN '' ELSE format(', by the database role %s with %s', session_user, coalesce(nullif(current_setting('application_name', true), ''), 'no name')) END),
      500));
  RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION note_change FROM PUBLIC;

DO $$
DECLARE
  watched record;
BEGIN
  FOR watched IN SELECT * FROM (VALUES
    ('users', 'INSERT OR UPDATE OR DELETE', 'id', 'created_at', 'role'),
    ('user_passwords', 'INSERT OR UPDATE OR DELETE', 'user_id', 'created_at', ''),
    ('revoked_tokens', 'INSERT', 'user_id,token_id', '', ''),
    ('appliances', 'INSERT OR UPDATE OR DELETE', 'id', 'created_at', 'owner_id,dialect,accepts_unproven'),
    ('appliance_shares', 'INSERT OR UPDATE OR DELETE', 'appliance_id,user_id', 'created_at', 'role'),
    ('device_credentials', 'INSERT OR UPDATE OR DELETE', 'appliance_id', '', ''),
    ('webhooks', 'INSERT OR UPDATE OR DELETE', 'id,name', 'created_at,failing_since,held_until', 'owner_id,disabled_because'),
    ('webhook_secrets', 'INSERT', 'webhook_id', '', ''),
    ('rules', 'INSERT OR UPDATE OR DELETE', 'id', 'updated_at', ''),
    ('sensors', 'INSERT OR UPDATE OR DELETE', 'public_id', 'created_at', ''),
    ('plugins', 'INSERT OR UPDATE OR DELETE', 'public_id', 'created_at', 'enabled'),
    ('plugin_sensors', 'INSERT OR DELETE', 'plugin_id,sensor_id', '', ''),
    ('experiments', 'INSERT OR UPDATE OR DELETE', 'public_id', 'created_at', '')
  ) AS tables (name, operations, keys, ignored, told) LOOP
    EXECUTE format('CREATE TRIGGER audit AFTER %s ON %I FOR EACH ROW EXECUTE FUNCTION note_change(%L, %L, %L, %L)',
      watched.operations, watched.name, 'configuration.changed', watched.keys, watched.ignored, watched.told);
  END LOOP;
END
$$;
CREATE TRIGGER audit AFTER UPDATE ON alarms FOR EACH ROW WHEN (OLD.acknowledged_by IS NULL AND NEW.acknowledged_by IS NOT NULL)
  EXECUTE FUNCTION note_change('alarm.acknowledged', 'id,source', 'acknowledged_at,updated_at', 'acknowledged_by');

-- Forgets what is older than so many days, 10,000 at a time; returns how many went. The owner's rights, and never what is younger than 30 days: a service that was broken into cannot wipe its
-- traces.
CREATE FUNCTION forget_audit_log(days integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  gone bigint;
BEGIN
  IF days < 30 THEN
    RAISE EXCEPTION 'the audit log is kept for at least 30 days' USING ERRCODE = 'insufficient_privilege';
  END IF;
  DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE at < now() - make_interval(days => days) ORDER BY at LIMIT 10000);
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END
$$;
REVOKE EXECUTE ON FUNCTION forget_audit_log FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_audit_log TO martlet_persister;
