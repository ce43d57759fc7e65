# A Debian of its own with systemd, booted by systemd-nspawn: with its own processes, users, files and loopback, and no other network.
system=$work/system
container=

# skip WHY: this machine cannot boot it.
skip() {
  echo "packages: skipped, $1" >&2
  [ "${FOGLINE_REQUIRE_SERVICES:-0}${FOGLINE_LONG_TESTS:-0}" != 11 ] || exit 1
  exit 0
}

system_or_skip() {
  [ "$(id -u)" = 0 ] || skip "it needs root"
  for program in debootstrap systemd-nspawn lintian; do
    command -v "$program" >/dev/null || skip "$program is not installed: apt-get install debootstrap systemd-container lintian"
  done
}

# Debian's smallest, and systemd. Made once if there is a folder to keep it in.
system_made() {
  local kept=${FOGLINE_PACKAGES_CACHE:-$work}/bookworm.tar
  if [ ! -e "$kept" ]; then
    mkdir -p "$(dirname "$kept")"
    debootstrap --variant=minbase --include=systemd,systemd-sysv bookworm "$work/made" http://deb.debian.org/debian >"$work/debootstrap.log" ||
      { tail -n 5 "$work/debootstrap.log" >&2; skip "debootstrap does not work here"; }
    tar -C "$work/made" --exclude='./var/cache/apt/archives/*' -cf "$kept.new" .
    mv "$kept.new" "$kept"
    rm -rf "$work/made"
  fi
  mkdir "$system"
  tar -C "$system" -xf "$kept"
}

system_booted() {
  # No host's service manager is asked for anything.
  systemd-nspawn --quiet --register=no --keep-unit --private-network --directory "$system" --boot </dev/null >"$work/boot.log" 2>&1 &
  container=$!
  wait_for 60 "systemd's first process" first_process || skip "systemd-nspawn does not boot here: $(tail -n 1 "$work/boot.log")"
  first=$(first_process)
  wait_for 120 "the end of the boot" inside systemctl is-active multi-user.target || skip "systemd does not boot here"
}

first_process() { pgrep -P "$container"; }

# A command in the booted system.
inside() {
  nsenter --target "$first" --mount --uts --ipc --net --pid --root --wd \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$end" ]; then
      echo "   waited in vain for $what" >&2
      return 1
    fi
    sleep 0.2
  done
}

system_away() {
  [ -n "$container" ] || return 0
  kill "$container" 2>/dev/null || return 0
  wait "$container" || true
}

say_what_happened() {
  [ -n "${first:-}" ] || return 0
  inside journalctl --no-pager --lines 30 --unit 'fogline-*' >&2
}
