# The Docker engine that the tests use: one that is reachable, or one of their own.
engine_folder=

# skip WHY: this machine cannot run containers.
skip() {
  echo "compose: skipped, $1" >&2
  [ "${FOGLINE_REQUIRE_SERVICES:-0}${FOGLINE_LONG_TESTS:-0}" != 11 ] || exit 1
  exit 0
}

engine_or_skip() {
  for program in docker docker-compose debootstrap; do
    command -v "$program" >/dev/null || skip "$program is not installed"
  done
  if docker info >/dev/null 2>&1; then return; fi
  [ "$(id -u)" = 0 ] || skip "no Docker engine is reachable, and only root can start one"
  command -v dockerd >/dev/null || skip "dockerd is not installed"
  engine_start || skip "dockerd does not start here: $(tail -n 1 "$engine_folder/log" 2>/dev/null)"
}

engine_start() {
  engine_folder=${FOGLINE_COMPOSE_CACHE:-$work/engine}
  mkdir -p "$engine_folder"
  export DOCKER_HOST=unix://$work/docker.sock
  dockerd --data-root "$engine_folder/data" --exec-root "$work/exec" --pidfile "$work/dockerd.pid" --host "$DOCKER_HOST" \
    >"$engine_folder/log" 2>&1 &
  engine=$!
  for _ in $(seq 1 60); do
    docker info >/dev/null 2>&1 && return
    kill -0 "$engine" 2>/dev/null || return 1
    sleep 0.5
  done
  return 1
}

# Ends the engine only if it is ours.
engine_away() {
  [ -n "$engine_folder" ] || return 0
  kill "$engine" 2>/dev/null || return 0
  wait "$engine" || true
}
