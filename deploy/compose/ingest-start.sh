#!/bin/sh
# Gives a replica of ingest the name by which the broker knows it, and starts it. The name has to be the same after a restart, and another than
# that of the replica beside it: so it is the container's, with its number, as Docker's DNS has it (/etc/hosts has only the container's id).
set -eu
address=$(hostname -I | cut -d ' ' -f 1)
name=$(getent -s dns hosts "$address" | awk '{ print $2 }' | cut -d . -f 1)
[ -n "$name" ] || { echo "Docker's DNS has no name for $address: set MARTLET_MQTT_CLIENT_ID" >&2; exit 1; }
export MARTLET_MQTT_CLIENT_ID="${MARTLET_MQTT_CLIENT_ID:-$name}"
exec ingest "$@"
