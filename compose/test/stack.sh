# The stack under test: a project of its own, on free ports, with an .env of its own.
project=fogline-test-$$
env_file=$work/stack.env

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# set_env NAME VALUE
set_env() { sed -i "s#^$1=.*#$1=$2#" "$env_file"; }
get_env() { sed -n "s#^$1=##p" "$env_file"; }

first_run() {
  FOGLINE_ENV_FILE=$env_file sh compose/first-run.sh
  set_env COMPOSE_PROJECT_NAME "$project"
  for port in BROKER CONTROL_ROOM GRAFANA; do set_env "FOGLINE_${port}_PORT" "$(free_port)"; done
  # Without Grafana's image all but Grafana.
  grafana=$(image_in_compose grafana/grafana)
  have "$grafana" || { can_pull && docker pull -q "$grafana"; } || { echo "   left out: $grafana cannot be had"; without=(-f compose/test/without-grafana.yml); }
}

without=()
compose() { docker-compose -f docker-compose.yml "${without[@]}" --env-file "$env_file" "$@"; }
up() { compose up -d --no-build 2>"$work/up.log" || { cat "$work/up.log" >&2; return 1; }; }
containers() { docker ps -aq --filter "label=com.docker.compose.project=$project" --filter label=com.docker.compose.oneoff=False; }
container() { docker ps -aq --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.service=$1" --filter label=com.docker.compose.oneoff=False; }
running() { docker ps -q --filter "label=com.docker.compose.project=$project"; }
api() { curl -sf -H "Authorization: Bearer $(get_env FOGLINE_OPERATOR_TOKEN)" "http://127.0.0.1:$(get_env FOGLINE_CONTROL_ROOM_PORT)$1"; }

# The state of each container: healthy, done (a step that ended well), or something else.
states() {
  containers | xargs -r docker inspect -f \
    '{{index .Config.Labels "com.docker.compose.service"}} {{if .State.Health}}{{.State.Health.Status}}{{else if and (eq .State.Status "exited") (eq .State.ExitCode 0)}}done{{else}}{{.State.Status}}{{end}}' | sort
}

# all_healthy SECONDS: waits for it.
all_healthy() {
  until_true "$1" sh_all_healthy || { states >&2; return 1; }
}
sh_all_healthy() { ! states | grep -vqE ' (healthy|done)$'; }

# until_true SECONDS COMMAND...: tries until it succeeds.
until_true() {
  deadline=$(($(date +%s) + $1))
  shift
  until "$@"; do
    [ "$(date +%s)" -lt "$deadline" ] || return 1
    sleep 0.5
  done
}

say_what_happened() {
  states >&2
  for one in $(containers); do
    case $(docker inspect -f '{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.ExitCode}}{{end}}' "$one") in
      healthy | 0) ;;
      *) docker inspect -f '-- {{.Name}}{{if .State.Health}}{{range .State.Health.Log}} {{.Output}}{{end}}{{end}}' "$one" >&2; docker logs --tail 15 "$one" >&2 ;;
    esac
  done
}

stack_away() {
  [ -e "$env_file" ] || return 0
  COMPOSE_PROFILES=fogline,mosquitto,nats,sites,load,tools compose down --volumes --remove-orphans -t 5 >/dev/null 2>&1
}
