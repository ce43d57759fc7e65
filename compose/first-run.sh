#!/bin/sh
# Writes .env, the settings and secrets of docker-compose.yml, beside it: for its owner only, with random secrets of 256 bits. Run again
# it changes nothing that is there; it adds what a newer .env.example has and .env has not.
#
#   sh compose/first-run.sh && docker compose up -d --build
#
# FOGLINE_ENV_FILE names another file than .env.
set -eu
cd "$(dirname "$0")/.."
file=${FOGLINE_ENV_FILE:-.env}
umask 077

secret() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

# A line of .env.example, with a secret where it has none. The tokens of Fogline begin with a word that secret scanners know.
filled() {
  case $1 in
    FOGLINE_OPERATOR_TOKEN=) echo "$1fogline_$(secret)" ;;
    [A-Z]*=) echo "$1$(secret)" ;;
    *) echo "$1" ;;
  esac
}

if [ ! -e "$file" ]; then
  new=$(mktemp "$file.XXXXXX")
  trap 'rm -f "$new"' EXIT
  while IFS= read -r line; do filled "$line"; done <.env.example >"$new"
  # Does not replace a file that somebody else has made meanwhile.
  ln "$new" "$file"
  echo "wrote $file: the control room's token and Grafana's password are in it" >&2
else
  chmod 600 "$file"
  while IFS= read -r line; do
    name=${line%%=*}
    case $line in
      [A-Z]*=*) grep -q "^$name=" "$file" || { filled "$line" >>"$file" && echo "added $name to $file" >&2; } ;;
    esac
  done <.env.example
fi
