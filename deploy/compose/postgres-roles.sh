# shellcheck shell=sh
# Run by PostgreSQL's container once, when its data folder is new: the services' roles, with their passwords. The migrations give them their rights.
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
\set gateway `cat /run/secrets/postgres_gateway`
\set persister `cat /run/secrets/postgres_persister`
\set rules `cat /run/secrets/postgres_rules`
\set api `cat /run/secrets/postgres_api`
\set signaling `cat /run/secrets/postgres_signaling`
CREATE ROLE martlet_gateway LOGIN PASSWORD :'gateway';
CREATE ROLE martlet_persister LOGIN PASSWORD :'persister';
CREATE ROLE martlet_rules LOGIN PASSWORD :'rules';
CREATE ROLE martlet_api LOGIN PASSWORD :'api';
CREATE ROLE martlet_signaling LOGIN PASSWORD :'signaling';
-- Nobody comes by this one, but a backup that is restored gives it its rights.
CREATE ROLE martlet_ingest;
SQL
