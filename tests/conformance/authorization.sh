#!/usr/bin/env bash
# Hold the built program, as an authorization server, against the official conformance suite.
#
#   tests/conformance/authorization.sh [CACHE_DIR]
#
# Starts the program (AEGIS_DIST, default target/dist) and the sample Gitea itself. CACHE_DIR keeps the suite, at the
# version of the lock file in tests/clients/node (default target/clients). There are no expected failures.
set -uo pipefail
conformance=$(cd "$(dirname "$0")" && pwd)
here=$conformance/../clients
cd "$conformance/../.." || exit 2
cache=${1:-target/clients}
expected=7

source "$here/install.sh"
source scripts/sample
work=$(mktemp -d)
trap 'sample_stop; rm -rf "$work"' EXIT
cp "$conformance"/*.mjs "$cache/node/"
"$node" "$cache/node/preregistered.mjs" "$work/clients.json" "$work/known.json" || exit 2

AEGIS_PUBLIC=http://127.0.0.1:$(sample_port) || exit 2
export AEGIS_PUBLIC
sample_settings=(OAUTH_CLIENTS_FILE="$work/clients.json")
SAMPLE_SIGN_IN=yes SAMPLE_PUBLIC=$AEGIS_PUBLIC SAMPLE_RATE=100000 SAMPLE_FAILURES=100000 sample_start 0 0 || exit 2

log=$cache/conformance-authorization.log
suite=$cache/node/node_modules/@modelcontextprotocol/conformance/dist/index.js
timeout 900 "$node" "$cache/node/authorization.mjs" "$suite" "$work/known.json" 2>&1 | tee "$log"
if ! told "$log" "$expected"; then
  tail -n 20 "$SAMPLE_DIR/server.log" >&2
  exit 1
fi
