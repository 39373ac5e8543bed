#!/bin/sh
# Makes the password file, hashed, and starts Mosquitto. With `reload`, run in the container, it takes new passwords, devices and certificates, and ends
# only the connections of users whose password is another one, or gone.
set -eu
umask 077
. /etc/martlet/secrets.sh
need mqtt_ingest mqtt_simulator
passwords=/tmp/passwords
{
  for user in ingest simulator; do printf '%s:%s\n' "$user" "$(cat "/run/secrets/mqtt_$user")"; done
  # Devices: a line `id:password` each.
  grep -Ev '^(#|$)' /run/secrets/mqtt_devices || true
} >"$passwords.next"
mosquitto_passwd -U "$passwords.next"
mv "$passwords.next" "$passwords"
# What the health check logs in with: options of mosquitto_sub, so that no password stands among arguments.
printf -- '-u ingest\n-P %s\n' "$(cat /run/secrets/mqtt_ingest)" >/tmp/mosquitto_sub
if [ "${1:-}" = reload ]; then
  kill -HUP 1
  exit
fi
cat >/tmp/mosquitto.conf <<'CONF'
listener 1883
listener 8883
certfile /run/secrets/tls_certificate
keyfile /run/secrets/tls_key
tls_version tlsv1.2
password_file /tmp/passwords
acl_file /etc/martlet/acl
persistence_location /mosquitto/data/
log_dest stderr
include_dir /etc/martlet/conf.d
CONF
exec mosquitto -c /tmp/mosquitto.conf
