#!/bin/sh
# Writes what only this machine knows behind the settings that all share, and starts coturn with both.
set -eu
umask 077
. /etc/martlet/secrets.sh
need turn
[ -n "${MARTLET_TURN_ADDRESS:-}" ] || { echo "set MARTLET_TURN_ADDRESS to the public address of this machine" >&2; exit 1; }
{
  cat /etc/martlet/turnserver.conf
  printf 'external-ip=%s\n' "$MARTLET_TURN_ADDRESS"
  # Two ends that both relay through this server reach each other by its own address.
  printf 'allowed-peer-ip=%s\n' "$MARTLET_TURN_ADDRESS"
  # A line each: credentials by any of them are taken, and the signaling broker signs by the first.
  { cat /run/secrets/turn; echo; } | sed -n 's/^..*$/static-auth-secret=&/p'
} >/tmp/turnserver.conf
exec turnserver -c /tmp/turnserver.conf --pidfile /tmp/turnserver.pid
