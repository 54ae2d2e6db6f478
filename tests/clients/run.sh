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

mkdir -p "$cache/node" "$cache/python" || exit 2
cache=$(cd "$cache" && pwd)

# Packages are installed again only when their lock file changed. Install scripts are not run: none is needed.
install_node() {
  cmp -s "$here/node/package-lock.json" "$cache/node/.installed" && return
  cp "$here/node/package.json" "$here/node/package-lock.json" "$cache/node/" &&
    (cd "$cache/node" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) &&
    cp "$here/node/package-lock.json" "$cache/node/.installed"
}

install_python() {
  cmp -s "$here/python/requirements.txt" "$cache/python/.installed" && return
  python3 -m venv --clear "$cache/python/venv" &&
    "$cache/python/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps \
      -r "$here/python/requirements.txt" &&
    cp "$here/python/requirements.txt" "$cache/python/.installed"
}

install_node || { echo "cannot install the JavaScript clients" >&2; exit 2; }
install_python || { echo "cannot install the Python client" >&2; exit 2; }

# The inspector needs Node 22.19; one of that version comes with the packages, so that the machine's does not matter.
node=$(ls "$cache"/node/node_modules/node-linux-*/bin/node 2>/dev/null | head -n 1)
[ -x "$node" ] || { echo "no Node for this machine among the packages" >&2; exit 2; }

# Scripts find their packages beside themselves.
cp "$here"/*.mjs "$cache/node/"
log=$cache/run.log
: >"$log"
for suite in ts-v1 ts-v2 inspector; do
  timeout 600 "$node" "$cache/node/$suite.mjs" 2>&1 | tee -a "$log"
done
timeout 600 "$cache/python/venv/bin/python" "$here/python/journey.py" 2>&1 | tee -a "$log"

passed=$(grep -c '^PASS ' "$log")
failed=$(grep -c '^FAIL ' "$log")
# A case that never reported is a failure too.
if [ $((passed + failed)) -lt "$expected" ]; then failed=$((expected - passed)); fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
