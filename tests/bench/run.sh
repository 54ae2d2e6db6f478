#!/usr/bin/env bash
# Build the bench as the program itself was built, and measure what is in target/dist: everything, or the part that is
# named (`times`). See README.md beside this.
set -euo pipefail
cd "$(dirname "$0")/../.."
dist=${AEGIS_DIST:-target/dist}
test -x "$dist/aegis-mcp" || { echo "There is no $dist/aegis-mcp yet: run 'make build' first." >&2; exit 1; }
export CARGO_PROFILE_DEV_OPT_LEVEL=2
cargo build --locked --quiet -p aegis-twin
mkdir -p target
exec "${CARGO_TARGET_DIR:-target}/${CARGO_BUILD_TARGET:-x86_64-unknown-linux-musl}/debug/aegis-bench" "${1:-run}" "$dist" target/bench.json
