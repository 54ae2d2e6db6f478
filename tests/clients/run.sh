#!/usr/bin/env bash
# Drive a running server with the official MCP clients: list the tools, read a file, open an issue, read it back, in
# every protocol era each client speaks.
#
#   AEGIS_URL=http://127.0.0.1:8080/mcp AEGIS_KEY=... tests/clients/run.sh [CACHE_DIR]
#
# The server must offer alice/demo (or AEGIS_OWNER/AEGIS_REPO) with writes on. CACHE_DIR keeps the clients, at the
# versions of the lock files here (default target/clients). Ends with `N passed, N failed` and fails unless every case
# of every client passed.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${1:-$here/../../target/clients}
: "${AEGIS_URL:?set AEGIS_URL to the /mcp endpoint}" "${AEGIS_KEY:?set AEGIS_KEY to an API key}"
# Fewer cases than this means that a client did not run to its end.
expected=20

source "$here/install.sh"
log=$cache/run.log
: >"$log"
for suite in ts-v1 ts-v2 inspector; do
  timeout 600 "$node" "$cache/node/$suite.mjs" 2>&1 | tee -a "$log"
done
timeout 600 "$cache/python/venv/bin/python" "$here/python/journey.py" 2>&1 | tee -a "$log"

told "$log" "$expected"
