#!/usr/bin/env bash
# Hold the built program, as a server of MCP, against the official conformance suite.
#
#   tests/conformance/server.sh [CACHE_DIR]
#
# Starts the program (AEGIS_DIST, default target/dist) with fixtures.wasm in place of the product's guest, and the sample
# Gitea. CACHE_DIR keeps the suite, at the version of the lock file in tests/clients/node (default target/clients).
set -uo pipefail
conformance=$(cd "$(dirname "$0")" && pwd)
here=$conformance/../clients
cd "$conformance/../.." || exit 2
cache=${1:-target/clients}

source "$here/install.sh"
source scripts/sample
trap sample_stop EXIT
cp "$conformance"/*.mjs "$cache/node/"

sample_settings=(GUEST_PATH="$dist/fixtures.wasm")
SAMPLE_RATE=100000 SAMPLE_FAILURES=100000 sample_start 0 0 || exit 2
export AEGIS_PID=${sample_pids[1]} AEGIS_POLICY=$SAMPLE_DIR/policy.yaml

log=$cache/conformance-server.log
suite=$cache/node/node_modules/@modelcontextprotocol/conformance/dist/index.js
if ! timeout 900 "$node" "$cache/node/server.mjs" "$suite" 2>&1 | tee "$log"; then
  tail -n 20 "$SAMPLE_DIR/server.log" >&2
  exit 1
fi
# The suite asks Gitea for nothing, so whatever Gitea holds against the server is a mistake of the server's.
violations=$(sample_violations)
[ -z "$violations" ] || { echo "$violations" >&2; exit 1; }
