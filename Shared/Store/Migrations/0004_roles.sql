-- One role per service, with the rights that it needs and no more. They cannot log in until the deployment gives them a
-- password: ALTER ROLE martlet_gateway LOGIN PASSWORD '…'.

DO $$
DECLARE
  service text;
BEGIN
  FOREACH service IN ARRAY ARRAY['martlet_gateway', 'martlet_ingest', 'martlet_persister'] LOOP
    -- Roles belong to the whole server: another database of ours may have made them.
    CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = service);
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', service);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;
    END;
  END LOOP;
END
$$;

GRANT USAGE ON SCHEMA public TO martlet_gateway, martlet_ingest, martlet_persister;
GRANT SELECT ON schema_migrations TO martlet_gateway, martlet_ingest, martlet_persister;

GRANT SELECT ON users, appliances, appliance_shares TO martlet_gateway;

GRANT SELECT, INSERT ON events, readings, dead_letters TO martlet_persister;
GRANT SELECT, INSERT, UPDATE ON log_cursors TO martlet_persister;
GRANT EXECUTE ON FUNCTION make_event_partitions TO martlet_persister;
