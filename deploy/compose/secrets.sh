# shellcheck shell=sh
# Read by the start scripts of the servers.

# need NAME...: ends the container where a secret is missing, empty, too short to be random, or has what would mean something else in a configuration file.
need() {
  for name; do
    file=/run/secrets/$name
    if ! grep -q . "$file" 2>/dev/null; then
      echo "the secret '$name' is missing or empty: deploy/compose/make-secrets makes one" >&2
      exit 1
    fi
    if grep -Evqx '[[:alnum:]_.~-]{16,}' "$file"; then
      echo "the secret '$name' has to be 16 or more letters, digits, or signs of '_.~-': delete its file, and deploy/compose/make-secrets makes one" >&2
      exit 1
    fi
  done
}
