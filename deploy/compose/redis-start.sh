#!/bin/sh
# Fills the services' passwords into the access list and starts Redis with it.
set -eu
umask 077
. /etc/martlet/secrets.sh
users="gateway ingest persister rules api signaling admin"
for user in $users; do need "redis_$user"; done
acl=/tmp/users.acl
grep -v '^#' /etc/martlet/users.acl.template >"$acl.template"
cp "$acl.template" "$acl"
for user in $users; do
  name=$(printf '%s' "REDIS_${user}_PASSWORD" | tr '[:lower:]' '[:upper:]')
  # Nothing in a secret means something to sed.
  { printf 's/${%s}/' "$name"; tr -d '\n' <"/run/secrets/redis_$user"; printf '/\n'; } >"$acl.sed"
  sed -f "$acl.sed" "$acl" >"$acl.next"
  mv "$acl.next" "$acl"
done
rm -f "$acl.template" "$acl.sed"
exec redis-server /etc/martlet/redis.conf --bind 0.0.0.0 --dir /data --aclfile "$acl" --maxmemory "${REDIS_MEMORY:-1gb}"
