# One image per program: docker build --target broker|ingest|agent .
# No BuildKit is needed, so that an old Docker builds it too.

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
# The programs carry no debug information here: an image is pulled more often than a core dump is read.
ENV CARGO_PROFILE_RELEASE_DEBUG=false CARGO_PROFILE_RELEASE_STRIP=symbols
RUN cargo build --release --locked -p fogline-broker -p fogline-agent -p fogline-ingest

FROM debian:bookworm-slim AS runtime
# A user of its own, with a fixed number so that volumes keep their owner over rebuilds. An empty named volume takes over
# the owner of the folder that it is mounted on.
RUN groupadd --system --gid 10001 fogline \
    && useradd --system --uid 10001 --gid fogline --home-dir /data --no-create-home --shell /usr/sbin/nologin fogline \
    && install -d -o fogline -g fogline /data
USER fogline
WORKDIR /data

FROM runtime AS broker
COPY --from=build /src/target/release/fogline-broker /usr/local/bin/
# That it takes connections. That messages pass is what the broker's own watchdog checks: it ends the process.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/1883"]
CMD ["fogline-broker"]

FROM runtime AS ingest
COPY --from=build /src/target/release/fogline-ingest /usr/local/bin/
HEALTHCHECK --interval=5s --timeout=5s --start-period=20s --retries=3 \
    CMD ["fogline-ingest", "healthcheck"]
CMD ["fogline-ingest", "--data-dir", "/data"]

FROM runtime AS agent
COPY --from=build /src/target/release/fogline-agent /usr/local/bin/
# That its queue can be read. An agent without a broker is healthy: it queues.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["fogline-agent", "status", "--data-dir", "/data"]
CMD ["fogline-agent", "run", "--data-dir", "/data"]
