# What is checked of the running stack. Each check is a function; one that fails ends the script.
checks=0

check() {
  printf '\n== %s\n' "${1//_/ }"
  "$@"
  checks=$((checks + 1))
}

fail() { echo "   failed: $*" >&2; exit 1; }

images_are_labelled() {
  for image in broker ingest agent setup load; do
    [ "$(docker image inspect -f '{{index .Config.Labels "org.opencontainers.image.title"}}' "fogline-$image:local")" = "fogline-$image" ] ||
      fail "fogline-$image has no title"
  done
}

# From nothing, with the images there: volumes, networks, logins, database, all programs.
up_and_healthy_within_a_minute() {
  began=$(date +%s)
  up
  all_healthy 120 || fail "not all are healthy"
  took=$(($(date +%s) - began))
  echo "   all healthy after $took s"
  # A machine that compiles something else beside is slower than what is promised: FOGLINE_COMPOSE_SECONDS says how much.
  [ "$took" -le "${FOGLINE_COMPOSE_SECONDS:-60}" ] || fail "that is more than ${FOGLINE_COMPOSE_SECONDS:-60} s"
}

only_three_ports_are_published() {
  ports=$(running | xargs docker inspect -f '{{range $port, $to := .NetworkSettings.Ports}}{{range $to}}{{.HostIp}}:{{.HostPort}}{{"\n"}}{{end}}{{end}}' | sed '/^$/d' | sort -u)
  wanted=$(for port in BROKER CONTROL_ROOM GRAFANA; do
    [ "$port" = GRAFANA ] && [ -n "${without[*]}" ] || echo "127.0.0.1:$(get_env "FOGLINE_${port}_PORT")"
  done | sort -u)
  [ "$ports" = "$wanted" ] || fail "published: $ports; wanted: $wanted"
}

nobody_is_root_and_roots_are_read_only() {
  for one in $(running); do
    name=$(docker inspect -f '{{index .Config.Labels "com.docker.compose.service"}}' "$one")
    ! docker top "$one" -eo uid,pid | tail -n +2 | grep -qE '^ *0 ' || fail "$name runs as root"
    [ "$(docker inspect -f '{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{gt .HostConfig.Memory 0}}' "$one")" = "true [ALL] true" ] ||
      fail "$name: root, capabilities or memory are open"
  done
  [ "$(stat -c %a "$env_file")" = 600 ] || fail "others can read .env"
}

# Each of the five kinds, in the ingester's own count of what the database has taken.
readings_arrive() {
  until_true 60 five_kinds || fail "not all agents have stored something: $(cat "$work/stored")"
}
five_kinds() {
  stored >"$work/stored" || return 1
  for kind in road weather power parking node-; do
    grep -qE "^$kind[0-9]* [1-9]" "$work/stored" || return 1
  done
}
# The agents with the highest number that is stored of each, a line each.
stored() {
  api '/api/v1/agents?limit=1000' | python3 -c 'import json, sys
for agent in json.load(sys.stdin)["agents"]:
    print(agent["agent"], max((stream["through"] for stream in agent["streams"]), default=0))'
}

control_room_wants_its_token() {
  url=http://127.0.0.1:$(get_env FOGLINE_CONTROL_ROOM_PORT)
  curl -sf "$url/" | grep -q '<title>' || fail "no page"
  [ "$(curl -s -o /dev/null -w '%{http_code}' "$url/api/v1/agents")" = 401 ] || fail "lets in without a token"
  api /api/v1/health >/dev/null || fail "does not take the token of .env"
}

broker_wants_a_certificate() {
  compose run --rm --no-deps -T --entrypoint cat setup /site/ca/ca.pem >"$work/ca.pem" 2>/dev/null
  address=127.0.0.1:$(get_env FOGLINE_BROKER_PORT)
  answer=$(openssl s_client -connect "$address" -servername localhost -verify_hostname localhost -CAfile "$work/ca.pem" -verify_return_error \
    </dev/null 2>&1 || true)
  grep -q 'Verify return code: 0' <<<"$answer" || fail "the broker's certificate is not good: $answer"
  if command -v mosquitto_sub >/dev/null; then
    ! timeout 10 mosquitto_sub -h localhost -p "${address#*:}" --cafile "$work/ca.pem" -t '#' -C 1 -W 3 >/dev/null 2>&1 || fail "lets in without a certificate"
    compose run --rm --no-deps -T setup add-agent stack-test-guest a7 2>/dev/null | tar -C "$work" -x
    guest=$work/stack-test-guest
    # The broker takes over new users within seconds.
    until_true 15 guest_hears_itself || fail "does not let a new device in"
  fi
}
guest_hears_itself() {
  timeout 10 mosquitto_pub -h localhost -p "$(get_env FOGLINE_BROKER_PORT)" --cafile "$guest/ca.pem" --cert "$guest/client.pem" --key "$guest/client.key.pem" \
    -i stack-test-guest -u stack-test-guest -q 1 -t fogline/v1/a7/stack-test-guest/up/test -m hello >/dev/null 2>&1
}

# The device of the check before.
revoked_device_stays_out() {
  command -v mosquitto_pub >/dev/null || { echo "   left out: mosquitto_pub is not installed"; return; }
  compose run --rm --no-deps -T setup revoke stack-test-guest >/dev/null 2>&1 || fail "revoke does not work"
  until_true 15 guest_is_out || fail "lets a revoked device in"
  then=
  until_true 60 more_is_stored || fail "others are out too"
}
guest_is_out() { ! guest_hears_itself; }

# Programs that run take the new ones over by themselves.
renewed_certificates_are_taken_over() {
  certificate_before=$(broker_certificate)
  compose run --rm --no-deps -T setup renew >"$work/renew" 2>&1 || { cat "$work/renew" >&2; fail "renew does not work"; }
  until_true 60 broker_has_another_certificate || fail "the broker shows its old certificate"
  then=
  until_true 60 more_is_stored || fail "nothing is stored any more"
  compose restart -t 10 broker >/dev/null 2>&1
  all_healthy 90 || fail "not all are healthy with the new certificates"
  then=
  until_true 60 more_is_stored || fail "agents do not come in with their new certificates"
}
# That we show none ends the connection: sometimes before s_client has ended by itself, and then it says so.
broker_certificate() {
  { openssl s_client -connect "127.0.0.1:$(get_env FOGLINE_BROKER_PORT)" -servername localhost </dev/null 2>/dev/null || true; } |
    openssl x509 -noout -serial
}
broker_has_another_certificate() {
  certificate_now=$(broker_certificate) && [ "$certificate_now" != "$certificate_before" ]
}

metrics_are_scraped() {
  until_true 60 targets_are_up || fail "not all targets are up: $(targets)"
}
targets() { docker exec "$(container prometheus)" wget -q -O - 'http://127.0.0.1:9090/api/v1/query?query=up'; }
targets_are_up() {
  targets | python3 -c 'import json, sys
up = [(one["metric"]["job"], one["value"][1]) for one in json.load(sys.stdin)["data"]["result"]]
wanted = {"fogline-broker", "fogline-ingest", "fogline-agent"}
sys.exit(not wanted <= {job for job, _ in up} or any(value != "1" for job, value in up if job in wanted))'
}

audit_words() {
  compose config | python3 -c 'import sys
lines = sys.stdin.read().split("\n  audit:\n")[1].split("\n    command:\n")[1].splitlines()
for line in lines:
    if not line.startswith("    - "): break
    print(line[6:])'
}

# Each accepted reading is stored, and none twice.
nothing_is_lost() {
  # What the service is told, and more; the shell of this script splits it.
  # shellcheck disable=SC2046
  compose run --rm --no-deps -T audit $(audit_words) "$@" >"$work/audit.txt" 2>&1 || { cat "$work/audit.txt" >&2; fail "something is lost, or there twice"; }
  tail -n 12 "$work/audit.txt" | sed 's/^/   /'
}

killed_broker_comes_back_and_nothing_is_lost() {
  one=$(container broker)
  before=$(docker inspect -f '{{.RestartCount}}' "$one")
  kill -9 "$(docker inspect -f '{{.State.Pid}}' "$one")"
  until_true 60 restarted || fail "the broker was not started again"
  all_healthy 90 || fail "not all are healthy after the kill"
  then=
  until_true 60 more_is_stored || fail "nothing is stored after the kill"
  nothing_is_lost
}
restarted() { [ "$(docker inspect -f '{{.RestartCount}}' "$one")" -gt "$before" ]; }
stored_of_road() { stored | sed -n 's/^road //p'; }
more_is_stored() {
  now=$(stored_of_road) && [ -n "${then:-}" ] && [ "$now" -gt "$then" ] && { then=; return 0; }
  then=${then:-$now}
  return 1
}

second_up_keeps_everything() {
  containers_before=$(running | sort)
  settings_before=$(sha256sum <"$env_file")
  logins_before=$(logins)
  FOGLINE_ENV_FILE=$env_file sh compose/first-run.sh
  up
  [ "$(running | sort)" = "$containers_before" ] || fail "containers were made anew"
  [ "$(sha256sum <"$env_file")" = "$settings_before" ] || fail ".env has changed"
  [ "$(logins)" = "$logins_before" ] || fail "logins have changed"
}
logins() { compose run --rm --no-deps -T --entrypoint sh setup -c 'cd /site && find . -path "*login*" -type f -o -path "./ca/*" -type f | sort | xargs sha256sum' 2>/dev/null; }

down_and_up_keeps_the_data() {
  before=$(stored_of_road)
  compose down -t 10 >/dev/null 2>&1
  up
  all_healthy 120 || fail "not all are healthy"
  [ "$(stored_of_road)" -ge "$before" ] || fail "the ingester has forgotten what it stored"
  nothing_is_lost
}

# As compose.md says it: all volumes are gone, and come back.
backup_and_restore() {
  compose stop -t 10 >/dev/null 2>&1
  volumes backup
  # Without it the volumes' own .env is the one that counts.
  cp "$env_file" "$work/kept.env"
  compose down --volumes -t 10 >/dev/null 2>&1
  [ -z "$(docker volume ls -q --filter "label=com.docker.compose.project=$project")" ] || fail "volumes were left"
  rm "$env_file"
  volumes restore
  cmp -s "$env_file" "$work/kept.env" || fail ".env is another one"
  up
  all_healthy 120 || fail "not all are healthy"
  nothing_is_lost
}
volumes() {
  COMPOSE_PROJECT_NAME=$project FOGLINE_ENV_FILE=$env_file sh compose/volumes.sh "$1" "$work/backup" >"$work/volumes" 2>&1 ||
    { cat "$work/volumes" >&2; fail "volumes.sh $1 does not work"; }
  echo "   $1: $(wc -l <"$work/volumes") volumes, $(du -sh "$work/backup" | cut -f1)"
}

# with_profiles PROFILES BROKERS: goes over to them, in the same volumes.
with_profiles() {
  set_env COMPOSE_PROFILES "$1"
  set_env FOGLINE_BROKERS "$2"
  compose down -t 10 --remove-orphans >/dev/null 2>&1
  up
  all_healthy 180 || fail "not all are healthy"
  then=
  until_true 90 more_is_stored || fail "nothing is stored"
}

profile_sites() {
  with_profiles fogline,sites mqtts://broker,mqtts://broker-2
  docker kill -s KILL "$(container broker)" "$(container ingester)" >/dev/null
  # Killed by hand they stay down: agents and the other site go on.
  until_true 90 second_site_leads || fail "the second site does not take over"
  docker start "$(container broker)" "$(container ingester)" >/dev/null
  all_healthy 120 || fail "the first site does not come back"
  nothing_is_lost --data-dir=/ingest-2
}
# One that stands by is ready too, as long as it hears a leader; here there is no other.
second_site_leads() {
  docker exec "$(container ingester-2)" fogline-ingest healthcheck >/dev/null 2>&1 &&
    docker exec "$(container road)" fogline-agent status --data-dir /data >"$work/road" &&
    grep -q '^connection .*broker-2' "$work/road" && grep -q '^ingester  *ok' "$work/road"
}

profile_load() {
  with_profiles fogline,load mqtts://broker
  until_true 120 hundred_store || fail "not all agents of the load have stored something"
}
hundred_store() { [ "$(stored | grep -cE '^load-[0-9]+ [1-9]')" = "$(get_env FOGLINE_LOAD_AGENTS)" ]; }

profile_mosquitto() {
  with_profiles mosquitto mqtts://broker
  nothing_is_lost
}

profile_nats() {
  [ -e nats/nats.conf ] || { echo "   left out: nats/nats.conf is not there"; return; }
  with_profiles nats mqtts://broker
  one=$(container nats-2)
  before=$(docker inspect -f '{{.RestartCount}}' "$one")
  kill -9 "$(docker inspect -f '{{.State.Pid}}' "$one")"
  until_true 60 restarted || fail "nats-2 was not started again"
  until_true 90 more_is_stored || fail "nothing is stored after the kill"
  nothing_is_lost
}
