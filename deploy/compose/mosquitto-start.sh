#!/bin/sh
# Makes the password file, hashed, and starts Mosquitto.
set -eu
umask 077
passwords=/tmp/passwords
for user in ingest simulator; do printf '%s:%s\n' "$user" "$(cat "/run/secrets/mqtt_$user")"; done >"$passwords"
mosquitto_passwd -U "$passwords"
cat >/tmp/mosquitto.conf <<'CONF'
listener 1883
password_file /tmp/passwords
acl_file /etc/martlet/acl
persistence_location /mosquitto/data/
log_dest stderr
include_dir /etc/martlet/conf.d
CONF
# What the health check logs in with: options of mosquitto_sub, so that no password stands among arguments.
printf -- '-u ingest\n-P %s\n' "$(cat /run/secrets/mqtt_ingest)" >/tmp/mosquitto_sub
exec mosquitto -c /tmp/mosquitto.conf
