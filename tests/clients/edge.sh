#!/usr/bin/env bash
# Compose gateway and adapter and run the result under a stock runtime, `jco serve`, against a Gitea.
#
#   GITEA_URL=http://127.0.0.1:3000 GITEA_TOKEN=... tests/clients/edge.sh GATEWAY.wasm EDGE.wasm [CACHE_DIR]
#
# Gitea must hold alice/demo (or AEGIS_OWNER/AEGIS_REPO). AEGIS_COMPOSE names the compose tool (default: from the
# path or target/dist), EDGE_PORT the port (default 18990), COMPOSED keeps the composed component at that path. The
# runtime is stopped at the end by its process group. Ends with `N passed, N failed`.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
gateway=${1:?usage: edge.sh GATEWAY.wasm EDGE.wasm [CACHE_DIR]}
edge=${2:?usage: edge.sh GATEWAY.wasm EDGE.wasm [CACHE_DIR]}
cache=${3:-$here/../../target/clients}
: "${GITEA_URL:?set GITEA_URL}" "${GITEA_TOKEN:?set GITEA_TOKEN}"
port=${EDGE_PORT:-18990}
expected=4

mkdir -p "$cache/jco" || exit 2
cache=$(cd "$cache/jco" && pwd)
compose=${AEGIS_COMPOSE:-$(command -v aegis-compose || echo "$here/../../target/dist/aegis-compose")}
composed=${COMPOSED:-$cache/gateway-edge.wasm}
"$compose" "$gateway" "$edge" "$composed" || exit 1

# `npm install` keeps to the lock file; `npm ci` would also ask for the optional builds of every other platform.
if ! cmp -s "$here/jco/package-lock.json" "$cache/.installed"; then
  cp "$here/jco/package.json" "$here/jco/package-lock.json" "$cache/" &&
    (cd "$cache" && npm install --ignore-scripts --no-audit --no-fund --loglevel=error) &&
    cp "$here/jco/package-lock.json" "$cache/.installed" || { echo "cannot install jco" >&2; exit 2; }
fi
# Modules find their packages beside themselves.
cp "$here/journey.mjs" "$here/edge.mjs" "$here/edge-setup.mjs" "$cache/"

work=$(mktemp -d)
mkdir "$work/state"
key=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
# The whole environment of the runtime is open to the component, so it gets what it needs and no more. jco starts a
# second process; a session of its own lets both be stopped together.
setsid env -i PATH="$PATH" HOME="$work" \
  AEGIS_STATE_DIR="$work/state" STATE_DIR=/state \
  GITEA_URL="$GITEA_URL" GITEA_TOKEN="$GITEA_TOKEN" MCP_API_KEYS="journey=$key" \
  PUBLIC_BASE_URL="http://127.0.0.1:$port" \
  node "$cache/node_modules/@bytecodealliance/jco/dist/jco.js" serve "$composed" \
  --host 127.0.0.1 --port "$port" --jco-dir "$work/jco" --jco-import "$cache/edge-setup.mjs" \
  >"$work/runtime.log" 2>&1 &
runtime=$!
trap 'kill -- "-$runtime" 2>/dev/null; wait "$runtime" 2>/dev/null; rm -rf "$work"' EXIT

# The runtime listens once the component is translated; ask until it answers or ends.
for _ in $(seq 120); do
  curl -s -o "$work/root" --max-time 10 "http://127.0.0.1:$port/" && break
  kill -0 "$runtime" 2>/dev/null || break
  sleep 1
done

export AEGIS_URL="http://127.0.0.1:$port/mcp" AEGIS_KEY="$key" AEGIS_STATE_DIR="$work/state"
timeout 300 node "$cache/edge.mjs" 2>&1 | tee "$work/run.log"
passed=$(grep -c '^PASS ' "$work/run.log")
failed=$(grep -c '^FAIL ' "$work/run.log")
if [ $((passed + failed)) -lt "$expected" ]; then failed=$((expected - passed)); fi
if [ "$failed" -ne 0 ]; then
  echo "--- runtime"
  tail -n 40 "$work/runtime.log" | cut -c1-2000
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
