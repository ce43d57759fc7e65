#!/usr/bin/env bash
# What several ingesters on one machine give, and what each part costs for an agent and for a reading: the figures of
# docs/scaling.md. Everything runs on free ports of loopback and in a temporary folder, and is gone at the end.
#
#   tests/scaling.sh                                    1, 2 and 4 ingesters, each with its part of 8 regions by name
#   tests/scaling.sh --by share                         the same by --share: every ingester hears all agents
#   tests/scaling.sh --ingesters "1 4" --store null     without a database
#   tests/scaling.sh --idle "0 200 400"                 what agents cost that have nothing to send
#
# Settings: --program FILE (default: fogline on the PATH), --regions N, --rate READINGS_A_SECOND of each region's agent,
# --seconds N, --backlog READINGS of each region's agent (0: no drain), --store sqlite|null. Needs bash, awk, curl, and Linux.
set -euo pipefail

program=fogline counts="1 2 4" by=region regions=8 rate=500 seconds=15 backlog=100000 store=sqlite idle=""
while [ $# -gt 0 ]; do
    case $1 in
        --program) program=$2 ;; --ingesters) counts=$2 ;; --by) by=$2 ;; --regions) regions=$2 ;; --rate) rate=$2 ;;
        --seconds) seconds=$2 ;; --backlog) backlog=$2 ;; --store) store=$2 ;; --idle) idle=$2 ;;
        *) sed -n '2,13p' "$0" >&2; exit 2 ;;
    esac
    shift 2
done
case $by in region | share) ;; *) echo "error: --by: give region or share" >&2; exit 2 ;; esac
program=$(command -v "$program") || { echo "error: --program: there is no such program" >&2; exit 2; }

top=$(mktemp -d)
pids=() folder=$top
stop() {
    if [ ${#pids[@]} -gt 0 ]; then
        kill -TERM "${pids[@]}" 2>/dev/null || true
        for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    fi
    pids=()
}
trap 'stop; rm -rf "$top"' EXIT
trap 'exit 130' INT TERM

# start NAME WORDS: its output goes to NAME.out; sets pid.
start() {
    "$program" "${@:2}" >"$folder/$1.out" 2>"$folder/$1.err" &
    pid=$!
    pids+=("$pid")
}
# until NAME PATTERN: the rest of the first line of its output that matches.
until_said() {
    for _ in $(seq 600); do
        if line=$(grep -m1 -o "$2.*" "$folder/$1.out"); then echo "${line#"$2"}"; return; fi
        sleep 0.1
    done
    echo "error: $1 did not start:" >&2
    cat "$folder/$1.err" >&2
    exit 1
}
cpu_ms() { local sum=0 one; for one in "$@"; do one=$(awk '{ sub(/.*\) /, ""); print ($12 + $13) * 10 }' "/proc/$one/stat" 2>/dev/null || echo 0); sum=$((sum + one)); done; echo $sum; }
memory_kb() { local most=0 one; for one in "$@"; do one=$(awk '/^VmHWM/ { print $2 }' "/proc/$one/status" 2>/dev/null || echo 0); most=$((one > most ? one : most)); done; echo $most; }
resident_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
written() { local sum=0 one; for one in "$@"; do one=$(awk '/^write_bytes/ { print $2 }' "/proc/$one/io" 2>/dev/null || echo 0); sum=$((sum + one)); done; echo $sum; }
# Messages and bytes, both ways, that the loopback has carried.
wire() { awk '/^ *lo:/ { print $2 }' /proc/net/dev; }
metric() { curl -sf "http://$1/metrics" | awk -v name="$2" '$1 == name { print $2 }'; }
sum_of() { local sum=0 address value; for address in "${https[@]}"; do value=$(metric "$address" "$1"); sum=$((sum + ${value:-0})); done; echo $sum; }
per() { awk -v a="$1" -v b="$2" -v f="${3:-%.1f}" 'BEGIN { printf f, b ? a / b : 0 }'; }
now_ms() { date +%s%3N; }

start_broker() {
    start broker broker --listen 127.0.0.1:0
    broker_pid=$pid
    broker=$(until_said broker "ready on ")
    broker=${broker%% *} broker=${broker%,}
}

# The words that give ingester $1 of $2 its part.
part() {
    if [ "$2" = 1 ]; then return; fi
    if [ "$by" = share ]; then echo "--share $1/$2"; return; fi
    for region in $(seq "$regions"); do
        if [ $((region % $2)) = $(($1 % $2)) ]; then echo "--region r$region"; fi
    done
}

start_ingesters() {
    ingesters=() https=()
    for number in $(seq "$1"); do
        # Words, on purpose.
        # shellcheck disable=SC2046
        start "ingest-$number" ingest --name "ingest-$number" --broker "$broker" --data-dir "$folder/ingest-$number" \
            --http 127.0.0.1:0 --store "$store" $(part "$number" "$1")
        ingesters+=("$pid")
    done
    for number in $(seq "$1"); do https+=("$(until_said "ingest-$number" "ready, http://")"); done
    for address in "${https[@]}"; do
        for _ in $(seq 300); do
            if curl -sf "http://$address/readyz" >/dev/null; then break; fi
            sleep 0.1
        done
    done
}

start_agents() {
    agents=()
    for region in $(seq "$regions"); do
        start "agent-$region" agent run --region "r$region" --name "agent-$region" --broker "$broker" \
            --data-dir "$folder/agent-$region" "$@"
        agents+=("$pid")
    done
}

steady() {
    start_agents --source simulate --kind road --rate "$rate"
    sleep 3
    local began readings broker_ms ingest_ms agent_ms bytes wrote others
    began=$(now_ms) readings=$(sum_of fogline_ingest_stored_total) broker_ms=$(cpu_ms "$broker_pid") ingest_ms=$(cpu_ms "${ingesters[@]}")
    agent_ms=$(cpu_ms "${agents[@]}") bytes=$(wire) wrote=$(written "${ingesters[@]}") others=$(sum_of fogline_ingest_messages_of_others_total)
    sleep "$seconds"
    local took=$(($(now_ms) - began))
    readings=$(($(sum_of fogline_ingest_stored_total) - readings))
    broker_ms=$(($(cpu_ms "$broker_pid") - broker_ms)) ingest_ms=$(($(cpu_ms "${ingesters[@]}") - ingest_ms))
    agent_ms=$(($(cpu_ms "${agents[@]}") - agent_ms)) bytes=$(($(wire) - bytes)) wrote=$(($(written "${ingesters[@]}") - wrote))
    others=$(($(sum_of fogline_ingest_messages_of_others_total) - others))
    printf '%-7s %9d %12d %11s %10s %9s %10d %11d %9s %9s %8d\n' steady "$1" $((readings * 1000 / took)) \
        "$(per $((ingest_ms * 1000)) "$readings")" "$(per $((broker_ms * 1000)) "$readings")" "$(per $((agent_ms * 1000)) "$readings")" \
        "$(memory_kb "${ingesters[@]}")" "$(memory_kb "$broker_pid")" "$(per "$bytes" "$readings" %.0f)" "$(per "$wrote" "$readings" %.0f)" "$others"
}

drain() {
    broker=127.0.0.1:1
    start_agents --source simulate --kind road --rate 0 --count "$backlog" --until queued --queue-readings 100000000 --quiet
    for pid in "${agents[@]}"; do wait "$pid"; done
    pids=()
    start_broker
    start_ingesters "$1"
    local began total=$((backlog * regions)) stored=0
    began=$(now_ms)
    start_agents --source none --until acknowledged
    while [ "$stored" -lt "$total" ]; do
        if [ $(($(now_ms) - began)) -gt 600000 ]; then echo "error: $stored of $total after 10 minutes" >&2; exit 1; fi
        sleep 0.05
        stored=$(sum_of fogline_ingest_stored_total)
    done
    local took=$(($(now_ms) - began))
    printf '%-7s %9d %12d %11s %10s %9s %10d %11d\n' drain "$1" $((total * 1000 / took)) "$(per $(($(cpu_ms "${ingesters[@]}") * 1000)) "$total")" \
        "$(per $(($(cpu_ms "$broker_pid") * 1000)) "$total")" "" "$(memory_kb "${ingesters[@]}")" "$(memory_kb "$broker_pid")"
}

# Agents that send nothing: what they cost by being there.
idle() {
    start_broker
    start_ingesters 1
    regions=$1
    start_agents --source none
    for _ in $(seq 600); do
        if [ "$(sum_of fogline_ingest_agents)" -ge "$1" ]; then break; fi
        sleep 0.1
    done
    sleep 3
    for pid in "${agents[@]}"; do kill -0 "$pid" || { echo "an agent ended:" >&2; cat "$folder"/agent-*.err | head -5 >&2; exit 1; }; done
    local began broker_ms ingest_ms agent_ms=0 bytes
    began=$(now_ms) broker_ms=$(cpu_ms "$broker_pid") ingest_ms=$(cpu_ms "${ingesters[@]}") bytes=$(wire)
    if [ "$1" -gt 0 ]; then agent_ms=$(cpu_ms "${agents[@]}"); fi
    sleep "$seconds"
    local took=$(($(now_ms) - began))
    broker_ms=$(($(cpu_ms "$broker_pid") - broker_ms)) ingest_ms=$(($(cpu_ms "${ingesters[@]}") - ingest_ms)) bytes=$(($(wire) - bytes))
    if [ "$1" -gt 0 ]; then agent_ms=$(($(cpu_ms "${agents[@]}") - agent_ms)); fi
    printf '%9d %14s %14s %14s %12d %12d %12s %10s\n' "$1" "$(per $((broker_ms * 1000)) "$took")" "$(per $((ingest_ms * 1000)) "$took")" \
        "$(per $((agent_ms * 1000)) "$took")" "$(resident_kb "$broker_pid")" "$(resident_kb "${ingesters[0]}")" "$(per $((bytes * 1000)) "$took" %.0f)" \
        "$(ls "/proc/$broker_pid/fd" | wc -l)"
}

if [ -n "$idle" ]; then
    echo "idle agents, $seconds s each: processor time in ms for each second, memory now, bytes a second over loopback"
    printf '%9s %14s %14s %14s %12s %12s %12s %10s\n' agents broker_ms/s ingester_ms/s agents_ms/s broker_KiB ingester_KiB wire_B/s broker_fds
    for count in $idle; do
        folder=$top/idle-$count
        mkdir "$folder"
        idle "$count"
        stop
    done
    exit 0
fi

echo "$regions regions with an agent each, by $by, store $store; steady at $rate readings/s each; drain of $backlog readings each"
echo "processor time in microseconds for each reading, all of a kind together; memory: the most that one process held"
printf '%-7s %9s %12s %11s %10s %9s %10s %11s %9s %9s %8s\n' load ingesters readings/s ingester_us broker_us agent_us ingest_KiB broker_KiB wire_B disk_B others
for count in $counts; do
    folder=$top/steady-$count
    mkdir "$folder"
    start_broker
    start_ingesters "$count"
    steady "$count"
    stop
    if [ "$backlog" -gt 0 ]; then
        folder=$top/drain-$count
        mkdir "$folder"
        drain "$count"
        stop
    fi
    rm -rf "$folder"
done
