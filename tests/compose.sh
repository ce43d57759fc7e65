#!/usr/bin/env bash
# Runs the container stack of docker-compose.yml and checks what compose.md says of it. Needs root, Debian's packages docker.io,
# docker-compose and debootstrap, and Debian's mirror; without them it says so and ends with 0, or with 1 if FOGLINE_REQUIRE_SERVICES=1
# and FOGLINE_LONG_TESTS=1.
#
#   tests/compose.sh                 with programs that are compiled on this machine first (a release, statically linked)
#   FOGLINE_LONG_TESTS=1 tests/compose.sh      builds the images as a user does, from the Dockerfile alone; and every profile
#
# Where no Docker engine is reachable it starts one of its own, with its own data, and ends it. FOGLINE_COMPOSE_CACHE names a folder that
# keeps the engine's data for the next run. Images that cannot be pulled are made of Debian's packages: compose/test/standins.Dockerfile.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
long=${FOGLINE_LONG_TESTS:-0}
source compose/test/engine.sh
source compose/test/images.sh
source compose/test/stack.sh
source compose/test/checks.sh

cleanup() {
  status=$?
  [ "$status" = 0 ] || say_what_happened || true
  stack_away || true
  engine_away || true
  rm -rf "$work"
}
trap cleanup EXIT

engine_or_skip
images
first_run
check images_are_labelled
check up_and_healthy_within_a_minute
check only_three_ports_are_published
check nobody_is_root_and_roots_are_read_only
check readings_arrive
check control_room_wants_its_token
check broker_wants_a_certificate
check revoked_device_stays_out
check metrics_are_scraped
check killed_broker_comes_back_and_nothing_is_lost
check second_up_keeps_everything
check down_and_up_keeps_the_data
check renewed_certificates_are_taken_over
check backup_and_restore
check profile_sites
check profile_load
check profile_mosquitto
check profile_nats
printf '\ncompose: %s checks passed\n' "$checks"
