# Builds the programs for this machine's processor, statically linked, and copies them to the folder that is given, if one is.
set -eu
target=$(uname -m)-unknown-linux-musl
cargo build --release --locked --target "$target" \
  -p fogline-broker -p fogline-ingest -p fogline-agent -p fogline
if [ $# -gt 0 ]; then
  mkdir -p "$1"
  for program in fogline-broker fogline-ingest fogline-agent fogline; do
    cp "target/$target/release/$program" "$1/"
  done
fi
