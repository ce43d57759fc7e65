# Stands in for our sources while the dependencies are compiled: each crate gets an empty library, a program and, where its manifest
# needs one, a build script. Run in the folder of the workspace.
set -eu
for manifest in */Cargo.toml; do
  crate=${manifest%/Cargo.toml}
  mkdir -p "$crate/src"
  : >"$crate/src/lib.rs"
  echo 'fn main() {}' >"$crate/src/main.rs"
  if grep -q '^\[build-dependencies\]' "$manifest"; then
    echo 'fn main() {}' >"$crate/build.rs"
  fi
done
