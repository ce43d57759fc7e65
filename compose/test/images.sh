# Images: the bases, pulled or made; ours; and what takes the place of others'.
programs="fogline-broker fogline-ingest fogline-agent fogline"

have() { docker image inspect "$1" >/dev/null 2>&1; }

# An engine that cannot pull answers after a while; it is asked once.
can_pull() {
  if [ -z "${pulls:-}" ]; then
    timeout 60 docker pull -q busybox:1.37.0-musl >/dev/null 2>&1 && pulls=yes || pulls=no
  fi
  [ "$pulls" = yes ]
}

# A Debian as debootstrap makes it, and what this machine trusts: behind a proxy that is more than Debian's.
debian() {
  root=$work/debian
  [ -d "$root" ] || debootstrap --variant=minbase --include=ca-certificates,gcc,libc6-dev,musl-tools,busybox-static \
    bookworm "$root" http://deb.debian.org/debian >"$work/debootstrap.log"
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
}

make_debian() { debian && tar -C "$root" -c . | docker import - "$1" >/dev/null; }

# The toolchain of this machine, without its documentation.
make_rust() {
  debian
  toolchain=$(rustc --print sysroot)
  mkdir -p "$root/usr/local/rust"
  tar -C "$toolchain" --exclude ./share --exclude './lib/rustlib/aarch64*' -c . | tar -C "$root/usr/local/rust" -x
  # The image of the Rust project has rustup; here all targets are there already.
  printf '#!/bin/sh\n' >"$root/usr/local/rust/bin/rustup" && chmod +x "$root/usr/local/rust/bin/rustup"
  tar -C "$root" -c . | docker import -c 'ENV PATH=/usr/local/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    - "$1" >/dev/null
}

make_busybox() {
  debian
  small=$work/busybox
  mkdir -p "$small/bin" "$small/etc" "$small/usr/bin" "$small/tmp"
  cp "$root/bin/busybox" "$small/bin/"
  "$small/bin/busybox" --list | grep -vx busybox | while read -r applet; do ln -s busybox "$small/bin/$applet"; done
  tar -C "$small" -c . | docker import -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' -c 'CMD ["sh"]' - "$1" >/dev/null
}

# base IMAGE MAKER: pulled, or made under the same name.
base() {
  have "$1" && return
  if can_pull; then docker pull -q "$1"; else echo "   made: $1" && "$2" "$1"; fi
}

# Runs the image as it is published, or, where that cannot be had, its stand-in.
third_party() {
  image=$1 stage=$2
  have "$image" && return
  if can_pull; then docker pull -q "$image"; return; fi
  base debian:bookworm-slim make_debian
  echo "   stand-in: $image"
  docker build -q --target "$stage" -t "$image" -f compose/test/standins.Dockerfile compose/test >/dev/null
}

# Ours, from the Dockerfile; the short way leaves out the stages that compile, and takes what is compiled here in their place.
# FOGLINE_COMPOSE_IMAGES=keep takes the images that are there.
ours() {
  if [ "${FOGLINE_COMPOSE_IMAGES:-}" = keep ]; then return; fi
  if [ "$long" = 1 ]; then
    for target in broker ingest agent fogline setup load; do image_of "$target" Dockerfile . ; done
    return
  fi
  release=$work/release
  mkdir -p "$release/out" "$release/compose"
  if [ -n "${FOGLINE_COMPOSE_PROGRAMS:-}" ]; then
    for program in $programs; do cp "$FOGLINE_COMPOSE_PROGRAMS/$program" "$release/out/"; done
  else
    target=$(uname -m)-unknown-linux-musl
    cargo build --release --locked --target "$target" -p fogline-broker -p fogline-ingest -p fogline-agent -p fogline
    for program in $programs; do cp "${CARGO_TARGET_DIR:-target}/$target/release/$program" "$release/out/"; done
  fi
  cp -r compose/setup compose/load "$release/compose/"
  { echo "FROM scratch AS build"; echo "COPY out/ /out/"; sed -n '/ AS files$/,$p' Dockerfile; } >"$release/Dockerfile"
  for target in broker ingest agent fogline setup load; do image_of "$target" "$release/Dockerfile" "$release"; done
}

image_of() {
  name=fogline-$1
  [ "$1" != fogline ] || name=fogline
  docker build -q --target "$1" -t "$name:local" -f "$2" "$3" >/dev/null
  printf '   %-16s %s\n' "$name" "$(docker image inspect -f '{{.Size}}' "$name:local" | awk '{printf "%.1f MB", $1/1e6}')"
}

images() {
  printf '\n== images\n'
  base rust:1-bookworm make_rust
  base busybox:1.37.0-musl make_busybox
  third_party influxdb:2.7.12 influxdb
  third_party "$(image_in_compose prom/prometheus)" prometheus
  third_party "$(image_in_compose eclipse-mosquitto)" mosquitto
  third_party "$(image_in_compose nats)" nats
  started=$(date +%s)
  ours
  echo "   built in $(($(date +%s) - started)) s"
}

image_in_compose() { sed -n "s#^ *image: \($1:.*\)#\1#p" docker-compose.yml | head -n 1; }
