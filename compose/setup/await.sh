# await.sh HOST PORT: ends when somebody takes connections there, or after two minutes with status 1.
for _ in $(seq 1 240); do
  nc -w 2 "$1" "$2" </dev/null >/dev/null 2>&1 && exit 0
  sleep 0.5
done
echo "nobody listens on $1:$2; is one of the profiles fogline, mosquitto and nats on (COMPOSE_PROFILES in .env)?" >&2
exit 1
