#!/bin/sh
# Saves the volumes of the stack as tar archives, or puts them back. Stop the stack first, so that no file changes meanwhile:
#
#   docker compose stop   && sh compose/volumes.sh backup  /somewhere/safe   && docker compose start
#   docker compose down   && sh compose/volumes.sh restore /somewhere/safe   && docker compose up -d
#
# .env is saved too: without its token the database in the archives lets nobody in. The archives hold keys: keep them as you keep those.
# COMPOSE_PROJECT_NAME names another project than that of .env.
set -eu
usage="usage: sh compose/volumes.sh backup|restore FOLDER [VOLUME...]"
[ $# -ge 2 ] || { echo "$usage" >&2; exit 2; }
what=$1 folder=$(mkdir -p "$2" && cd "$2" && pwd)
shift 2
cd "$(dirname "$0")/.."
env_file=${FOGLINE_ENV_FILE:-.env}
project=${COMPOSE_PROJECT_NAME:-$(sed -n 's/^COMPOSE_PROJECT_NAME=//p' "$env_file" 2>/dev/null || true)}
project=${project:-fogline}
image=$(sed -n 's/^FROM \(busybox:[^ ]*\) .*/\1/p' Dockerfile)
umask 077

# in_volume VOLUME COMMAND...: as root, so that every file keeps its owner; without a network.
in_volume() {
  volume=$1
  shift
  docker run --rm --network none -v "${project}_$volume:/volume" -v "$folder:/archives" "$image" "$@"
}

case $what in
  backup)
    [ $# -gt 0 ] || set -- $(docker volume ls -q --filter "label=com.docker.compose.project=$project" | sed "s/^${project}_//")
    for name in "$@"; do
      in_volume "$name" tar -C /volume -cf "/archives/$name.tar" .
      echo "saved $name"
    done
    cp "$env_file" "$folder/env"
    ;;
  restore)
    [ $# -gt 0 ] || set -- $(cd "$folder" && ls -- *.tar | sed 's/\.tar$//')
    for name in "$@"; do
      docker volume create --label "com.docker.compose.project=$project" --label "com.docker.compose.volume=$name" "${project}_$name" >/dev/null
      in_volume "$name" sh -c "find /volume -mindepth 1 -maxdepth 1 -exec rm -rf {} + && tar -C /volume -xf /archives/$name.tar"
      echo "restored $name"
    done
    [ -e "$env_file" ] || cp "$folder/env" "$env_file"
    ;;
  *) echo "$usage" >&2 && exit 2 ;;
esac
