#!/usr/bin/env bash
# Schemathesis (on PyPI) against the API of a running demo: it reads /openapi.json, asks for everything in every wrong and right way,
# and finds nothing.
#
#   tests/schemathesis.sh [FOGLINE [SECONDS]]      the program (default: target/debug/fogline), and how long (default: 60)
#
# Needs python3 with venv. What it does not ask, and what it is told, because no schema can say it:
#   /api/v1/events         never ends; its own tests are in cloud-ingest/src/http/tests/events.rs
#   after                  is what a page before said: one of those is given
#   POST /api/nodes        takes 8 ports at most, and no node called global or stats; POST /api/measurements wants from_us before to_us,
#                          ts_us the same as to_us, and nothing from the future: valid to the schema, and refused
#   PUT …/limit, …/config  want a limit that the ingester has, an end within a day, and a window that is not shorter than the sampling
#                          interval: valid to the schema, and refused
#   region, kind, field    of /api/v1/readings are what the demo has, and from_us is before to_us
set -euo pipefail
cd "$(dirname "$0")/.."
fogline=${1:-${CARGO_TARGET_DIR:-target}/debug/fogline} seconds=${2:-60}

folder=$(mktemp -d) demo=""
stop() {
  if [ -n "$demo" ]; then
    kill "$demo" 2>/dev/null || true
    wait "$demo" 2>/dev/null || true
  fi
  rm -rf "$folder"
}
trap stop EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check schemathesis

"$fogline" demo --json --data-dir "$folder/data" >"$folder/demo.json" &
demo=$!
ask() {
  "$folder/venv/bin/python" - "$@" <<'PYTHON'
# Waits until the demo serves and has readings, then adds dead letters: the demo's database refuses nothing by itself.
import json, sqlite3, sys, time, urllib.request

lines, database = sys.argv[1:]
end = time.monotonic() + 60
while time.monotonic() < end:
    try:
        url = json.loads(open(lines).readline())["http"]
        health = json.load(urllib.request.urlopen(url + "/api/v1/health", timeout=5))
        if health["role"] == "leading" and health["stored_total"] > 100:
            break
    except (ValueError, OSError):
        pass
    time.sleep(0.2)
else:
    sys.exit("the demo has stored nothing within a minute: see " + lines)
with sqlite3.connect(database, timeout=30) as db:
    for seq in range(1, 31):
        reading = {"ts_us": 1700000000000000 + seq, "sensor": "lane-1", "kind": "road", "fields": {"speed_kmh": 90}}
        db.execute(
            "INSERT INTO dead_letter (at_us, stream, seq, clock, reason, detail, reading)"
            " VALUES (?, (SELECT min(id) FROM stream), ?, 0, 'refused', 'made for a test', ?)",
            (1700000000000000, seq, json.dumps(reading)),
        )
    db.execute("INSERT INTO dead_count (reason, n) VALUES ('refused', 30) ON CONFLICT DO UPDATE SET n = n + 30")
print(url)
PYTHON
}
url=$(ask "$folder/demo.json" "$folder/data/ingest/fogline.db")

cd "$folder"
cat >schemathesis.toml <<TOML
[[operations]]
include-path = "/api/v1/regions"
parameters = { "query.after" = "WyJhIl0" }

[[operations]]
include-path = "/api/v1/dead-letters"
parameters = { "query.after" = "WyIxIl0" }

[[operations]]
include-path = "/api/v1/limits"
parameters = { "query.after" = "WyJhIiwiYiIsImMiXQ" }

[[operations]]
include-path = "/api/v1/readings/latest"
parameters = { "query.after" = "WyJhIiwiYiIsImMiLCJkIl0" }

[[operations]]
include-path-regex = "^/api/v1/(households|garages)$"
parameters = { "query.after" = "WyJhIiwiYiIsImMiXQ" }

[[operations]]
include-path = "/api/v1/invoices"
parameters = { "query.after" = "WyIxIiwiMSJd" }

[[operations]]
include-path = "/api/v1/directives"
parameters = { "query.after" = "WyIxIl0" }

[[operations]]
include-path = "/api/v1/directives/{id}/agents"
parameters = { "query.after" = "WyJhIl0" }

[[operations]]
include-path = "/api/v1/clarifications"
parameters = { "query.after" = "WyIxIl0" }

[[operations]]
include-path = "/api/v1/readings"
parameters = { region = "north", kind = "road", field = "speed_kmh", agent = "lane-1", from_us = $(($(date +%s) - 3600))000000, to_us = $(date +%s)000000 }
TOML
run() {
  "$folder/venv/bin/schemathesis" run "$url/openapi.json" --checks all --request-timeout 10 --workers 2 --no-color \
    --continue-on-failure "$@"
}
apart=("POST /api/nodes" "POST /api/measurements")
for of in regions/{region} agents/{region}/{agent}; do
  apart+=("PUT /api/v1/$of/limit" "PUT /api/v1/$of/config")
done
run --exclude-path /api/v1/events "${apart[@]/#/--exclude-name=}" --max-time "$seconds"
# What these demand of their parts together no schema can say.
run "${apart[@]/#/--include-name=}" --max-time 15 --exclude-checks positive_data_acceptance
