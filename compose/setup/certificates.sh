# Certificates and users: what `fogline tls` and `fogline broker user` make, once for each name. A client has a certificate and a token: our
# broker and Mosquitto take the certificate alone, NATS wants the token too.

# make_ca: a CA, if there is none.
make_ca() {
  [ -e "$ca/ca.pem" ] || fogline tls init "$ca" --agent road --ingester ingest-1 --operator operator >/dev/null
}

# hosts NAME...: the names under which the broker is reached are in its certificate.
hosts() {
  for host in "$@"; do
    grep -qxF "$host" "$ca/hosts" 2>/dev/null && continue
    fogline tls issue "$ca" --server --host "$host" --force >/dev/null
    echo "$host" >>"$ca/hosts"
  done
}

# certificates ROLE FOLDER NAME...: for those that have none.
certificates() {
  role=$1 folder=$2
  shift 2
  missing=
  for name in "$@"; do
    [ -e "$ca/$folder/$name.pem" ] || missing="$missing --$role $name"
  done
  # shellcheck disable=SC2086  # a list of flags and names
  [ -z "$missing" ] || fogline tls issue "$ca" $missing >/dev/null
}

# user NAME ROLE REGION: lets a client in that shows the certificate of its name, or its token.
user() {
  ! grep -q "^$1 " "$ca/users" 2>/dev/null || return 0
  mkdir -p "$ca/logins"
  rm -f "$ca/logins/$1.token"
  region=
  [ "$3" = - ] || region="--region $3"
  set -f
  # shellcheck disable=SC2086  # a flag and its value, or nothing; set -f keeps a * what it is
  fogline broker user add "$1" --role "$2" $region --token-file "$ca/logins/$1.token" --users "$ca/users" 2>/dev/null
  set +f
}

# renew: new certificates for all that have one, and for the broker. The old ones stay valid until their end.
renew() {
  fogline tls issue "$ca" --server --force
  for pair in agents:agent ingesters:ingester operators:operator; do
    for file in "$ca/${pair%:*}"/*.key.pem; do
      name=${file##*/}
      fogline tls issue "$ca" "--${pair#*:}" "${name%.key.pem}" --force
    done
  done
}

# login FOLDER NAME TARGET: what a client needs to come in.
login() {
  put "$ca/ca.pem" "$3/ca.pem"
  put "$ca/$1/$2.pem" "$3/client.pem"
  put "$ca/$1/$2.key.pem" "$3/client.key.pem"
  put "$ca/logins/$2.token" "$3/client.token"
}

# put FILE TARGET: copies what is new, in one step, so that nobody reads half of it.
put() {
  cmp -s "$1" "$2" && return
  mkdir -p "${2%/*}"
  cp "$1" "$2.new"
  mv "$2.new" "$2"
}
