# What is checked of the packages. Each check is a function; one that fails ends the script. They build on each other.
checks=0
agent=/etc/fogline/agent.toml
broker=/etc/fogline/broker.toml
# Of MB as people count them: 1000 * 1000 bytes.
agent_package_max=5000000

check() {
  printf '\n== %s\n' "${1//_/ }"
  "$@"
  checks=$((checks + 1))
}

fail() { echo "   failed: $*" >&2; exit 1; }

files() { (cd "$system" && find etc usr var -path var/lib/dpkg -prune -o -path var/log -prune -o -print | sort); }
active() { inside systemctl is-active --quiet "$@"; }
property() { inside systemctl show --property "$2" --value "$1"; }
pid_of() { property "$1" MainPID; }

agents_package_is_small() {
  size=$(stat -c %s "$out"/fogline-agent_*_amd64.deb)
  echo "   $size bytes"
  [ "$size" -lt "$agent_package_max" ] || fail "it has $agent_package_max bytes or more"
}

lintian_finds_nothing() {
  lintian --allow-root --fail-on error,warning --suppress-tags-from-file packaging/debian/lintian-not-for-us "$out"/*.deb
}

they_install() {
  files >"$work/before"
  mkdir "$system/packages"
  cp "$out"/*_amd64.deb "$system/packages"
  inside sh -c 'dpkg -i /packages/*.deb' >"$work/dpkg.log" 2>&1 || fail "$(cat "$work/dpkg.log")"
}

programs_pages_and_completions_are_there() {
  for program in "${programs[@]}"; do
    inside "$program" --version
    for file in "man/man1/$program.1.gz" "bash-completion/completions/$program" "zsh/vendor-completions/_$program" \
      "fish/vendor_completions.d/$program.fish" "doc/$program/copyright" "doc/$program/changelog.Debian.gz"; do
      [ -s "$system/usr/share/$file" ] || fail "$program: /usr/share/$file is missing"
    done
    ! readelf --program-headers "$system/usr/bin/$program" | grep -q INTERP || fail "$program is not static"
    inside bash -n "/usr/share/bash-completion/completions/$program" || fail "bash does not understand the completion of $program"
  done
  zcat "$system/usr/share/man/man1/fogline-agent-run.1.gz" | grep -q 'commit.*every' || fail "the man page of run does not know --commit-every"
}

settings_are_good() {
  inside fogline-broker --config "$broker" --check-config
  inside fogline-ingest --config /etc/fogline/ingest.toml --check-config
  inside fogline-agent run --config "$agent" --check-config
}

broker_and_ingester_run_and_the_agent_waits() {
  inside systemctl is-enabled --quiet fogline-broker fogline-ingest || fail "they would not start with the machine"
  wait_for 60 "broker and ingester" active fogline-broker fogline-ingest || fail "they do not run"
  ! active fogline-agent || fail "the agent runs before it knows its source"
}

readings_arrive() {
  sed -i 's/^source = "none"/source = "simulate"\nrate = 50.0/' "$system$agent"
  inside systemctl enable --quiet --now fogline-agent || fail "the agent does not start"
  more_is_stored 100
  echo "   agent: $(property fogline-agent StatusText)"
  echo "   ingester: $(property fogline-ingest StatusText)"
}

stored() {
  inside fogline audit --data-dir /var/lib/fogline-ingest --json 2>/dev/null | sed -n 's/.*"total":{[^}]*"stored":\([0-9]*\).*/\1/p'
}

# more_is_stored N: so many readings as there are now, and N.
more_is_stored() {
  local from=$(($(stored) + $1))
  more() { [ "$(stored)" -ge "$from" ]; }
  wait_for 60 "$1 more readings in the database" more || fail "nothing arrives"
}

# The program for aarch64, by an emulator, through the same broker into the same database.
readings_of_an_agent_for_arm64_arrive() {
  package=$(find "$out" -name 'fogline-agent_*_arm64.deb')
  if [ -z "$package" ] || ! command -v qemu-aarch64-static >/dev/null; then
    echo "   skipped: no package for arm64, or no qemu-user-static"
    return
  fi
  dpkg-deb --extract "$package" "$system/arm64"
  cp "$(command -v qemu-aarch64-static)" "$system/arm64/"
  arm64() { inside timeout 120 /arm64/qemu-aarch64-static /arm64/usr/bin/fogline-agent "$@"; }
  arm64 --version
  arm64 run --name arm64 --data-dir /arm64/data --source simulate --rate 0 --count 1000 --until acknowledged || fail "it does not deliver"
  inside fogline audit --data-dir /var/lib/fogline-ingest --queue /arm64/data
  rm -r "$system/arm64"
}

# Not root, no capabilities, no way to more rights, filtered system calls: of the running programs, not of what the unit says.
services_have_no_rights() {
  for service in fogline-broker fogline-ingest fogline-agent; do
    state=$(inside cat "/proc/$(pid_of $service)/status")
    for line in CapEff:.0000000000000000 CapBnd:.0000000000000000 NoNewPrivs:.1 Seccomp:.2; do
      grep -q "^$line" <<<"$state" || fail "$service: $(grep "^${line%%:*}" <<<"$state"), not $line"
    done
    ! grep -q '^Uid:.0' <<<"$state" || fail "$service runs as root"
  done
}
