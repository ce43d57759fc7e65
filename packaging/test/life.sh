# What is checked of the life of the services, as docs/packages.md tells it: users, reload, watchdog, upgrade, removal, purge.
users=/var/lib/fogline-broker/users

user() { inside fogline-broker user "$@" --users "$users"; }

# credential SERVICE NAME FILE: the drop-in that hands a token over.
credential() {
  mkdir -p "$system/etc/systemd/system/$1.service.d"
  printf '[Service]\nLoadCredential=password:%s\nEnvironment=%s_PASSWORD_FILE=%%d/password\n' "$3" "$2" \
    >"$system/etc/systemd/system/$1.service.d/password.conf"
}

users_that_root_makes_are_the_brokers() {
  user add agent-1 --role agent --region local --token-file /etc/fogline/agent-token
  user add ingest-1 --role ingest --region '*' --token-file /etc/fogline/ingest-token
  credential fogline-agent FOGLINE_AGENT /etc/fogline/agent-token
  credential fogline-ingest FOGLINE_INGEST /etc/fogline/ingest-token
  echo "users = \"$users\"" >>"$system$broker"
  inside systemctl daemon-reload
  inside systemctl restart fogline-broker fogline-ingest fogline-agent || fail "they do not start with users"
  [ "$(stat -c %a "$system/etc/fogline/agent-token")" = 600 ] || fail "others can read a token"
  more_is_stored 100
}

# While the broker runs, and refuses it before.
another_agent_is_let_in_once_it_is_a_user() {
  sed 's/^data_dir = .*/data_dir = "\/var\/lib\/fogline-agent-roof"\nname = "roof"/' "$system$agent" >"$system/etc/fogline/agent-roof.toml"
  head -c 32 /dev/urandom | base64 >"$system/etc/fogline/roof-token"
  credential fogline-agent@roof FOGLINE_AGENT /etc/fogline/roof-token
  inside systemctl daemon-reload
  inside systemctl enable --quiet --now fogline-agent@roof || fail "fogline-agent@roof does not start"
  wait_for 60 "a refusal" said fogline-agent@roof 'refused the connection' || fail "a stranger is not refused"
  rm "$system/etc/fogline/roof-token"
  before=$(pid_of fogline-broker)
  user add roof --role agent --region local --token-file /etc/fogline/roof-token
  inside systemctl restart fogline-agent@roof
  connected() { property fogline-agent@roof StatusText | grep -q ', connected'; }
  wait_for 60 "the agent's connection" connected || fail "it says: $(property fogline-agent@roof StatusText)"
  [ "$(pid_of fogline-broker)" = "$before" ] || fail "the broker was started again"
}

reloads() { inside systemctl reload "$1" 2>/dev/null; }

# said SERVICE TEXT: in its log.
said() { inside journalctl --no-pager --unit "$1" | grep -q "$2"; }

# The broker, and an agent before systemd hands a token over: the check sees everything. Mistakes are refused before the program hears.
reload_refuses_mistakes() {
  for service in fogline-broker fogline-agent; do
    settings=$system/etc/fogline/${service#fogline-}.toml
    reloads "$service" || fail "$service: good settings are refused"
    echo 'lgo = "debug"' >>"$settings"
    ! reloads "$service" || fail "$service: settings with a mistake are taken"
    sed -i '$d' "$settings"
    ! said "$service" 'settings cannot be used' || fail "$service: the program heard of them"
  done
}

# Afterwards systemd 252 hides the token from the check: the program sees to it.
reload_takes_over_with_tokens_too() {
  before=$(pid_of fogline-agent)
  echo 'default_limit = 100.0' >>"$system$agent"
  reloads fogline-agent || fail "good settings are refused"
  wait_for 30 "the new settings" said fogline-agent 'taken over: default_limit' || fail "they are not taken over"
  reloads fogline-ingest || fail "the ingester's settings are refused"
  [ "$(pid_of fogline-agent)" = "$before" ] || fail "the agent was started again"
}

# With a shorter deadline than that of the units.
watchdog_starts_what_hangs_again() {
  for service in fogline-broker fogline-ingest fogline-agent; do
    inside sh -c "mkdir /run/systemd/system/$service.service.d && printf '[Service]\nWatchdogSec=10\nTimeoutAbortSec=1\n' >/run/systemd/system/$service.service.d/watchdog.conf"
  done
  inside systemctl daemon-reload
  for service in fogline-broker fogline-ingest fogline-agent; do
    inside systemctl restart "$service"
    before=$(pid_of $service)
    inside sh -c "kill -STOP $before"
    again() { [ "$(property $service NRestarts)" -ge 1 ] && active $service; }
    wait_for 120 "$service" again || fail "it hangs on"
  done
  more_is_stored 100
}

# A later version of the agent's package, with another settings file in it; ours was changed by hand.
upgrade_keeps_settings_and_queue() {
  dpkg-deb --raw-extract "$out"/fogline-agent_*_amd64.deb "$work/later"
  sed -i 's/^Version: .*/Version: 99.0.0-1/' "$work/later/DEBIAN/control"
  echo '# Later.' >>"$work/later$agent"
  dpkg-deb --root-owner-group --build "$work/later" "$system/packages/later.deb" >/dev/null
  pids="$(pid_of fogline-agent) $(pid_of fogline-agent@roof)"
  inside dpkg --force-confold -i /packages/later.deb >"$work/dpkg.log" 2>&1 || fail "$(cat "$work/dpkg.log")"
  grep -q '^default_limit = 100.0' "$system$agent" || fail "the settings are gone"
  wait_for 60 "both agents" active fogline-agent fogline-agent@roof || fail "they do not run"
  for pid in $(pid_of fogline-agent) $(pid_of fogline-agent@roof); do
    ! grep -qw "$pid" <<<"$pids" || fail "process $pid is still the earlier program"
  done
  more_is_stored 100
}

nothing_is_lost() {
  inside systemctl stop fogline-agent fogline-agent@roof
  inside fogline audit --data-dir /var/lib/fogline-ingest --queue /var/lib/fogline-agent --queue /var/lib/fogline-agent-roof
}

removal_keeps_settings_queue_and_database() {
  inside systemctl start fogline-agent fogline-agent@roof
  inside dpkg -r "${programs[@]}" >"$work/dpkg.log" 2>&1 || fail "$(cat "$work/dpkg.log")"
  ! active 'fogline-*' || fail "services run on"
  for file in "$agent" "$broker" /var/lib/fogline-agent/ /var/lib/fogline-agent-roof/ "$users" /var/lib/fogline-ingest/; do
    inside test -e "$file" || fail "$file is gone"
  done
}

# But what was made by hand.
purge_leaves_nothing() {
  inside dpkg -P "${programs[@]}" >"$work/dpkg.log" 2>&1 || fail "$(cat "$work/dpkg.log")"
  rm -r "$system"/etc/fogline "$system"/etc/systemd/system/fogline-*.service.d
  files >"$work/after"
  left=$(comm -13 "$work/before" "$work/after" | grep -v '^var/lib/systemd/\|^var/lib/private$\|^var/lib/dpkg\|^var/cache/' || true)
  [ -z "$left" ] || fail "left behind: $left"
}
