# One image per program:  docker build --target broker|ingest|agent|fogline|setup|load .
#
# The programs are linked statically, and the images of broker, ingest, agent and fogline hold nothing but the program: no shell, no
# package manager, no C library. No BuildKit is needed, so that an old Docker builds it too. compose.md says how to list what is in them
# (SBOM), and docker-compose.yml how they are started.

# Compiles the dependencies, which change rarely, in a layer of their own: it knows the manifests, and stubs in place of our sources.
FROM rust:1-bookworm AS dependencies
RUN apt-get update \
    && apt-get install --yes --no-install-recommends musl-tools \
    && rm -rf /var/lib/apt/lists/* \
    && rustup target add "$(uname -m)-unknown-linux-musl"
WORKDIR /src
# The programs carry no debug information here: an image is pulled more often than a core dump is read.
ENV CARGO_PROFILE_RELEASE_DEBUG=false CARGO_PROFILE_RELEASE_STRIP=symbols CARGO_INCREMENTAL=0
COPY Cargo.toml Cargo.lock ./
COPY protocol/Cargo.toml protocol/
COPY runtime/Cargo.toml runtime/
COPY service/Cargo.toml service/
COPY door/Cargo.toml door/
COPY broker/Cargo.toml broker/
COPY edge-agent/Cargo.toml edge-agent/
COPY cloud-ingest/Cargo.toml cloud-ingest/
COPY lab/Cargo.toml lab/
COPY fogline/Cargo.toml fogline/
COPY tests/Cargo.toml tests/
COPY compose/build/ /build/
RUN sh /build/stubs.sh && sh /build/programs.sh

# Our own sources. Their times are those of the checkout, older than what the stubs became: touched, or Cargo would take them for built. Not
# so what dependencies have generated below target/: Cargo would compile those again.
FROM dependencies AS build
COPY protocol/ protocol/
COPY runtime/ runtime/
COPY service/ service/
COPY door/ door/
COPY broker/ broker/
COPY edge-agent/ edge-agent/
COPY cloud-ingest/ cloud-ingest/
COPY lab/ lab/
COPY fogline/ fogline/
# What the lab tells Mosquitto is compiled into it.
COPY mosquitto-compat/mosquitto.conf mosquitto-compat/
RUN find . -path ./target -prune -o -name '*.rs' -exec touch {} + && sh /build/programs.sh /out

# What a program without a distribution needs beside itself: a name for its user, the roots of the web's certificates, folders.
FROM rust:1-bookworm AS files
RUN mkdir -p /root-of/etc/ssl/certs /owned/data \
    && install -d -m 1777 /root-of/tmp \
    && cp /etc/ssl/certs/ca-certificates.crt /root-of/etc/ssl/certs/ \
    && echo 'fogline:x:10001:10001::/data:/nonexistent' > /root-of/etc/passwd \
    && echo 'fogline:x:10001:' > /root-of/etc/group
# Where `setup` finds the volumes of all services. An empty named volume takes over the owner of the folder that it is first mounted on.
RUN cd /owned && mkdir -p site/ca site/broker site/mosquitto site/nats-1 site/nats-2 site/nats-3 site/ingest-1 site/ingest-2 \
    site/road site/weather site/power site/parking site/nodes site/sensors site/load \
    site/operator site/prometheus

FROM scratch AS runtime
COPY --from=files /root-of/ /
COPY --from=files --chown=10001:10001 /owned/data /data
# A fixed number, so that volumes keep their owner over rebuilds.
USER 10001:10001
WORKDIR /data
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.vendor="Fogline" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

FROM runtime AS broker
COPY --from=build /out/fogline-broker /usr/local/bin/
LABEL org.opencontainers.image.title="fogline-broker" \
      org.opencontainers.image.description="The MQTT broker of a Fogline site: users, rules, TLS; keeps nothing"
# Asks /healthz, so --http must be given. That messages pass is what the broker's own watchdog checks: it ends the process.
HEALTHCHECK --interval=3s --timeout=5s --start-period=10s --retries=3 CMD ["fogline-broker", "healthcheck"]
ENTRYPOINT ["fogline-broker"]

FROM runtime AS ingest
COPY --from=build /out/fogline-ingest /usr/local/bin/
LABEL org.opencontainers.image.title="fogline-ingest" \
      org.opencontainers.image.description="The ingester of a Fogline site: stores readings, averages, decides"
HEALTHCHECK --interval=3s --timeout=5s --start-period=20s --retries=3 CMD ["fogline-ingest", "healthcheck"]
ENV FOGLINE_INGEST_DATA_DIR=/data
ENTRYPOINT ["fogline-ingest"]

FROM runtime AS agent
COPY --from=build /out/fogline-agent /usr/local/bin/
LABEL org.opencontainers.image.title="fogline-agent" \
      org.opencontainers.image.description="An edge agent of Fogline: sensors in, a queue on disk, decisions applied"
# That its loop turns and its queue can be read. An agent without a broker is healthy: it queues.
HEALTHCHECK --interval=5s --timeout=5s --start-period=10s --retries=3 CMD ["fogline-agent", "status", "--data-dir", "/data"]
ENV FOGLINE_AGENT_DATA_DIR=/data
ENTRYPOINT ["fogline-agent"]
CMD ["run"]

FROM runtime AS fogline
COPY --from=build /out/fogline /usr/local/bin/
LABEL org.opencontainers.image.title="fogline" \
      org.opencontainers.image.description="Fogline's all-in-one command: certificates, tokens, audit, the city, and all programs"
ENTRYPOINT ["fogline"]

# The first-run step, and the many agents of the profile `load`, are shell scripts: they have BusyBox beside the program.
FROM busybox:1.37.0-musl AS shell
COPY --from=files /root-of/ /
COPY --from=files --chown=10001:10001 /owned/ /
USER 10001:10001
WORKDIR /data

FROM shell AS setup
COPY --from=build /out/fogline /usr/local/bin/
COPY compose/setup/ /usr/local/lib/fogline/
LABEL org.opencontainers.image.title="fogline-setup" \
      org.opencontainers.image.description="Makes certificates, users and tokens of a Fogline stack, once"
ENTRYPOINT ["/bin/sh", "/usr/local/lib/fogline/setup.sh"]

FROM shell AS load
COPY --from=build /out/fogline-agent /usr/local/bin/
COPY compose/load/ /usr/local/lib/fogline/
LABEL org.opencontainers.image.title="fogline-load" \
      org.opencontainers.image.description="Many agents of Fogline in one container, for load"
HEALTHCHECK --interval=10s --timeout=10s --start-period=30s --retries=3 CMD ["/bin/sh", "/usr/local/lib/fogline/healthy.sh"]
ENTRYPOINT ["/bin/sh", "/usr/local/lib/fogline/load.sh"]
