# shellcheck shell=sh
# Read by the start scripts of the servers.

# need NAME...: ends the container where a secret is missing, empty, too short to be random, or has what would mean something else in a configuration file.
need() {
  for name; do
    file=/run/secrets/$name
    if ! grep -q . "$file" 2>/dev/null; then
      refuse "$name" "is missing or empty: deploy/compose/make-secrets makes one"
    elif grep -Evqx '[[:alnum:]_.~-]{16,}' "$file"; then
      refuse "$name" "has to be 16 or more letters, digits, or signs of '_.~-': delete its file, and deploy/compose/make-secrets makes one"
    fi
  done
}

# refuse NAME SENTENCE: says what is wrong with a secret, and ends the container.
refuse() {
  echo "the secret '$1' $2" >&2
  case $1 in
    postgres*) echo "A database that is not new keeps the password from before until its role is given this one: 'A password of PostgreSQL' in deploy/OPERATING.md" >&2 ;;
  esac
  exit 1
}
