#!/bin/sh
# Starts PostgreSQL when every password is there: those of the services' roles are used only once, when the data folder is new.
set -eu
. /etc/martlet/secrets.sh
need postgres postgres_gateway postgres_persister postgres_rules postgres_api postgres_signaling
# Given to this one process, and to no other's environment.
POSTGRES_PASSWORD=$(cat /run/secrets/postgres) exec docker-entrypoint.sh postgres
