# Runs FOGLINE_LOAD_AGENTS agents in this container, each a process with a name, a login and a queue of its own: load-1, load-2, ...
# When one ends the others are stopped too, and the restart policy starts all of them again.
set -u
pids=
stop() {
  # shellcheck disable=SC2086  # a list of process ids
  kill $pids 2>/dev/null
  wait
}
trap 'stop; exit 0' TERM INT

for number in $(seq 1 "${FOGLINE_LOAD_AGENTS:-100}"); do
  name=load-$number
  fogline-agent run --name "$name" --data-dir "/data/$name" --region load --source simulate --kind road --rate "${FOGLINE_LOAD_RATE:-1}" \
    --broker-ca "/data/login/$name/ca.pem" --broker-cert "/data/login/$name/client.pem" --broker-key "/data/login/$name/client.key.pem" \
    --password-file "/data/login/$name/client.token" &
  pids="$pids $!"
done

while :; do
  for pid in $pids; do
    kill -0 "$pid" 2>/dev/null || { echo "an agent has ended: stopping all" >&2; stop; exit 1; }
  done
  # In the background, so that a signal does not have to wait for it.
  sleep 5 &
  wait $!
done
