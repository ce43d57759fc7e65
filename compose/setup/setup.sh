# The first-run step of the stack, in a container that has the volumes of all services below /site, and ends: a CA, a certificate for each
# client, the broker's users, tokens for HTTP. Each service finds what it needs, and nothing else, in the folder `login` of its own volume;
# the CA's key stays in the volume `ca`. Run again it adds what is missing and changes nothing else. compose.md says how it is called.
set -eu
umask 077
site=${FOGLINE_SITE:-/site}
ca=$site/ca
. "${0%/*}/certificates.sh"
. "${0%/*}/tokens.sh"

usage="usage: setup [load COUNT | renew | add-agent NAME REGION | revoke NAME]"

# Agents of the stack, with their regions. Nodes of the city are agents too, in one volume; its sensors are one client.
agents="road:a7 weather:coast power:elm-street parking:centre"
nodes="node-1 node-2 node-3 node-4 node-5"

# first_run: everything but the load.
first_run() {
  make_ca
  hosts broker broker-2 nats-1 nats-2 nats-3 "${FOGLINE_HOST:-localhost}"
  certificates operator operators operator
  certificates ingester ingesters ingest-1 ingest-2
  user operator operator -
  for name in ingest-1 ingest-2; do user "$name" ingest '*'; done
  for pair in $agents; do
    certificates agent agents "${pair%:*}"
    user "${pair%:*}" agent "${pair#*:}"
  done
  # shellcheck disable=SC2086  # a list of names
  certificates agent agents $nodes sensors
  for name in $nodes sensors; do user "$name" agent city; done

  token prometheus viewer
  token health viewer
  token city operator
  given_token operator operator "${FOGLINE_OPERATOR_TOKEN:?run compose/first-run.sh first: it writes .env}"
  hand_out
}

# hand_out: puts into each volume what its service is to have.
hand_out() {
  for file in ca.pem server.pem server-key.pem crl.pem; do
    put "$ca/$file" "$site/broker/$file"
    for other in mosquitto nats-1 nats-2 nats-3; do put "$ca/$file" "$site/$other/tls/$file"; done
  done
  put "$ca/tokens" "$site/broker/tokens"
  users_to_brokers
  for name in ingest-1 ingest-2; do
    login ingesters "$name" "$site/$name/login"
    put "$ca/tokens" "$site/$name/login/tokens"
    put "$ca/token-of/health" "$site/$name/login/health.token"
  done
  for pair in $agents; do
    login agents "${pair%:*}" "$site/${pair%:*}/login"
    grep '^prometheus ' "$ca/tokens" >"$ca/monitor-only"
    put "$ca/monitor-only" "$site/${pair%:*}/login/tokens"
  done
  for name in $nodes; do city_login "$name" "$site/nodes/login"; done
  city_login sensors "$site/sensors/login"
  login operators operator "$site/operator/login"
  put "$ca/token-of/prometheus" "$site/prometheus/login/token"
  mkdir -p "$site/prometheus/tsdb"
}

# users_to_brokers: who may come in, for our broker and for those that may take its place. Mosquitto goes by certificates alone, and
# wants a file of passwords all the same.
users_to_brokers() {
  put "$ca/users" "$site/broker/users"
  mkdir -p "$ca/others"
  for other in mosquitto nats; do
    fogline broker user export "$other" --users "$ca/users" --tokens "$ca/logins" --to "$ca/others" 2>/dev/null
  done
  put "$ca/others/acl" "$site/mosquitto/acl"
  : >>"$site/mosquitto/passwords"
  for node in nats-1 nats-2 nats-3; do put "$ca/others/users.conf" "$site/$node/users.conf"; done
}

# city_login NAME TARGET: what a client of the city needs at the broker and at the API; several may share a folder.
city_login() {
  put "$ca/ca.pem" "$2/ca.pem"
  put "$ca/agents/$1.pem" "$2/$1.pem"
  put "$ca/agents/$1.key.pem" "$2/$1.key.pem"
  put "$ca/logins/$1.token" "$2/$1.token"
  put "$ca/token-of/city" "$2/api.token"
}

# load COUNT: certificates and users of load-1 to load-COUNT.
load() {
  names=$(seq 1 "$1" | sed 's/^/load-/')
  # shellcheck disable=SC2086  # a list of names
  certificates agent agents $names
  for name in $names; do
    user "$name" agent load
    login agents "$name" "$site/load/login/$name"
  done
  users_to_brokers
}

# add_agent NAME REGION: a device of yours. Its files go to standard output, as a tar archive.
add_agent() {
  certificates agent agents "$1"
  user "$1" agent "$2"
  users_to_brokers
  folder=$(mktemp -d)
  login agents "$1" "$folder/$1"
  tar -C "$folder" -c "$1"
  rm -r "$folder"
}

# revoke NAME: neither its certificate nor its user lets it in any more; its connections end within seconds.
revoke() {
  fogline tls revoke "$ca" "$1"
  fogline broker user remove "$1" --users "$ca/users"
  rm -f "$ca/logins/$1.token"
  hand_out
}

case ${1:-first-run} in
  first-run) first_run ;;
  load) load "${2:?$usage}" ;;
  renew) renew && hand_out ;;
  add-agent) add_agent "${2:?$usage}" "${3:?$usage}" ;;
  revoke) revoke "${2:?$usage}" ;;
  *) echo "$usage" >&2 && exit 2 ;;
esac
