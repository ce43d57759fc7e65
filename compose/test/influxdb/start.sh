#!/bin/sh
# InfluxDB 1.6 with the database `fogline`, behind a translator of addresses. When one of them ends the container does.
influxd run -config /etc/standin/influxdb.conf &
database=$!
until wget -q -O /dev/null --post-data 'q=CREATE DATABASE fogline' http://127.0.0.1:8087/query; do
  kill -0 "$database" || exit 1
  sleep 0.3
done
nginx -c /etc/standin/nginx.conf &
proxy=$!
trap 'kill $proxy $database; wait; exit 0' TERM INT
while kill -0 "$database" && kill -0 "$proxy"; do
  sleep 1 &
  wait $!
done
exit 1
