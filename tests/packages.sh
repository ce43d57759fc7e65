#!/usr/bin/env bash
# Builds the Debian packages, installs them in a Debian that has nothing else but systemd, and checks what docs/packages.md says of them.
# Needs root, Debian's packages debootstrap, systemd-container and lintian, and Debian's mirror; to build, Debian's musl-tools, and for
# aarch64 gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user-static. Rust's part (targets, cargo-deb) it installs. Where something is missing it says so
# and ends with 0, or with 1 if FOGLINE_REQUIRE_SERVICES=1 and FOGLINE_LONG_TESTS=1; without a compiler for aarch64 it leaves that out.
#
#   tests/packages.sh          builds all packages first, and the agent's for aarch64
#   tests/packages.sh FOLDER   takes the packages in this folder
#
# FOGLINE_PACKAGES_CACHE names a folder that keeps the small Debian for the next run.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
out=${1:-packaging/out}
programs=(fogline fogline-agent fogline-broker fogline-ingest)
source packaging/test/system.sh
source packaging/test/checks.sh
source packaging/test/life.sh

packages_built() {
  command -v musl-gcc >/dev/null || skip "musl-tools is not installed"
  command -v cargo-deb >/dev/null || cargo install --quiet --locked --no-default-features cargo-deb
  rustup --quiet target add x86_64-unknown-linux-musl
  packaging/build.sh
  if command -v aarch64-linux-gnu-gcc >/dev/null; then
    rustup --quiet target add aarch64-unknown-linux-musl
    packaging/build.sh aarch64-unknown-linux-musl fogline-agent
  fi
}

cleanup() {
  status=$?
  [ "$status" = 0 ] || say_what_happened || true
  system_away || true
  rm -rf "$work"
}
trap cleanup EXIT

system_or_skip
[ $# -gt 0 ] || packages_built
system_made
check agents_package_is_small
check lintian_finds_nothing
system_booted
check they_install
check programs_pages_and_completions_are_there
check settings_are_good
check broker_and_ingester_run_and_the_agent_waits
check readings_arrive
check readings_of_an_agent_for_arm64_arrive
check services_have_no_rights
check reload_refuses_mistakes
check users_that_root_makes_are_the_brokers
check another_agent_is_let_in_once_it_is_a_user
check reload_takes_over_with_tokens_too
check watchdog_starts_what_hangs_again
check upgrade_keeps_settings_and_queue
check nothing_is_lost
check removal_keeps_settings_queue_and_database
check purge_leaves_nothing
printf '\npackages: %s checks passed in %s s\n' "$checks" "$SECONDS"
