# What takes the place of images that cannot be pulled, from Debian's packages, for tests/compose.sh: InfluxDB 1.6 behind a
# translator of addresses for InfluxDB 2.7, Debian's Prometheus, Mosquitto and NATS. They answer to the same health checks and hold their data in the same
# folders with the same owners, so that docker-compose.yml runs unchanged. Grafana has no stand-in.
FROM debian:bookworm-slim AS packages
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        influxdb nginx-light prometheus mosquitto mosquitto-clients nats-server busybox-static >/dev/null \
    && rm -rf /var/lib/apt/lists/* \
    && ln -s /bin/busybox /usr/local/bin/wget && ln -s /bin/busybox /usr/local/bin/nc

FROM packages AS influxdb
COPY influxdb/ /etc/standin/
RUN printf '#!/bin/sh\nexec wget -q -O /dev/null http://127.0.0.1:8086/ping\n' > /usr/local/bin/influx && chmod +x /usr/local/bin/influx \
    && install -d -o 1000 -g 1000 /var/lib/influxdb2 /etc/influxdb2
ENTRYPOINT ["/bin/sh", "/etc/standin/start.sh"]

FROM packages AS prometheus
ENTRYPOINT ["prometheus"]

FROM packages AS mosquitto
ENTRYPOINT ["mosquitto"]

FROM packages AS nats
ENTRYPOINT ["nats-server"]
