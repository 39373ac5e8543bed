#!/bin/sh
# Writes how the replicas are found, and starts nginx.
#
# Docker's DNS has an address for each replica. From 1.27.3 on nginx follows a name while it runs, and gives a new connection to the replica that has the fewest.
# An older one is only able to ask anew now and then and go round.
set -eu
version=$(nginx -v 2>&1 | sed 's/.*nginx\/\([0-9.]*\).*/\1/')
if [ "$(printf '1.27.3\n%s\n' "$version" | sort -V | head -n 1)" = 1.27.3 ]; then
  for replica in gateway:8080 signaling:8080 api:8090; do
    name=${replica%:*}
    printf 'upstream %s_replicas { zone %s 128k; least_conn; server %s resolve max_fails=1 fail_timeout=2s; }\n' "$name" "$name" "$replica"
    printf 'map "" $martlet_%s { default %s_replicas; }\n' "$name" "$name"
  done
else
  echo "nginx $version is older than 1.27.3: it deals new connections out in turn, not to the replica that has the fewest" >&2
  for replica in gateway:8080 signaling:8080 api:8090; do
    printf 'map "" $martlet_%s { default %s; }\n' "${replica%:*}" "$replica"
  done
fi >/tmp/replicas.conf
# Where plain HTTP is sent to: the port that the host publishes.
printf 'map "" $martlet_https_port { default %s; }\n' "${MARTLET_HTTPS_PORT:-8443}" >>/tmp/replicas.conf
exec nginx -c /etc/martlet/nginx.conf -g 'daemon off;'
