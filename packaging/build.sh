#!/usr/bin/env bash
# Builds static programs and their Debian packages: packaging/build.sh [TARGET [PROGRAM...]]
#   TARGET   x86_64-unknown-linux-musl (default) or aarch64-unknown-linux-musl
#   PROGRAM  fogline-agent, fogline-broker, fogline-ingest, fogline; all of them by default
# Needs: rustup target add TARGET; musl-tools, for aarch64 gcc-aarch64-linux-gnu and libc6-dev-arm64-cross instead; cargo install cargo-deb.
# The packages are put into packaging/out/, in place of earlier ones, and a table of their sizes is printed.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${1:-x86_64-unknown-linux-musl}
shift || true
programs=("$@")
[ "${#programs[@]}" -gt 0 ] || programs=(fogline-agent fogline-broker fogline-ingest fogline)
built=${CARGO_TARGET_DIR:-target}
out=packaging/out

case $target in
  x86_64-unknown-linux-musl) architecture=amd64 ;;
  aarch64-unknown-linux-musl)
    architecture=arm64
    # Rust brings musl for this target. C code (SQLite, ring) is compiled by Debian's cross compiler, with glibc's headers.
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=${CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER:-aarch64-linux-gnu-gcc}
    export CC_aarch64_unknown_linux_musl=${CC_aarch64_unknown_linux_musl:-aarch64-linux-gnu-gcc}
    # What these make of fortified functions and of 64-bit file offsets (open64 and the like) musl does not have, nor need.
    export CFLAGS_aarch64_unknown_linux_musl=${CFLAGS_aarch64_unknown_linux_musl:--U_FORTIFY_SOURCE -DSQLITE_DISABLE_LFS}
    ;;
  *)
    echo "$0: $target: give x86_64-unknown-linux-musl or aarch64-unknown-linux-musl" >&2
    exit 2
    ;;
esac

# Each by itself: built together, all would have what one of them needs of a library.
for program in "${programs[@]}"; do
  cargo build --locked --profile packaged --target "$target" --package "$program"
done

# Man pages, completions and settings files come from the programs themselves; those of this machine, which can be run whatever is built.
cargo build --locked --package fogline
fogline=$built/debug/fogline
rm -rf "$out/man" "$out/completions"
mkdir -p "$out/etc"
"$fogline" package-files "$out"
"$fogline" agent run --source none --data-dir /var/lib/fogline-agent --print-config >"$out/etc/agent.toml"
"$fogline" broker --print-config >"$out/etc/broker.toml"
"$fogline" ingest --data-dir /var/lib/fogline-ingest --print-config >"$out/etc/ingest.toml"

for program in "${programs[@]}"; do
  rm -f "$out/$program"_*_"$architecture".deb
  cargo deb --quiet --locked --no-build --no-strip --profile packaged --target "$target" --package "$program" --output "$out/"
done

printf '%-16s %-8s %12s %12s\n' program for "program, kB" "package, kB"
for program in "${programs[@]}"; do
  size=$(stat -c %s "$built/$target/packaged/$program")
  package=$(stat -c %s "$out/$program"_*_"$architecture".deb)
  printf '%-16s %-8s %12d %12d\n' "$program" "$architecture" $((size / 1000)) $((package / 1000))
done
