#!/usr/bin/env bash
# Run the composed component under stock runtimes, in front of a sample Gitea: all tools by key, signing in, the audit
# log; under wasmtime also two processes at once and surroundings that fail.
#
#   tests/clients/edge.sh [CACHE_DIR]
#
# Uses the built program, components and sample Gitea (AEGIS_DIST, default target/dist). EDGE_ON names the runtimes
# (default `jco jco-worker wasmtime`, of which the second is jco with an instance for each request). They are installed
# at the versions written here: jco into CACHE_DIR (default target/clients), wasmtime, which is built from source, into
# target/tools. EDGE_WASMTIME names a wasmtime that is there already.
# Ends with `N passed, N failed` and fails unless every case of every runtime passed.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.." || exit 2
dist=$(cd "${AEGIS_DIST:-target/dist}" && pwd) || exit 2
runtimes=${EDGE_ON:-jco jco-worker wasmtime}
cache=${1:-target/clients}
mkdir -p "$cache/jco" || exit 2
cache=$(cd "$cache/jco" && pwd)
component=$dist/gateway-edge.wasm
work=$(mktemp -d)
gitea= runtime=
trap 'stop; rm -rf "$work"' EXIT

# `npm install` keeps to the lock file; `npm ci` would also ask for the optional builds of every other platform.
if ! cmp -s "$here/jco/package-lock.json" "$cache/.installed"; then
  cp "$here/jco/package.json" "$here/jco/package-lock.json" "$cache/" &&
    (cd "$cache" && npm install --ignore-scripts --no-audit --no-fund --loglevel=error) &&
    cp "$here/jco/package-lock.json" "$cache/.installed" || { echo "cannot install jco" >&2; exit 2; }
fi
# Modules find their packages beside themselves.
cp "$here"/{browser,journey,sign-in,edge,edge-sign-in,edge-hostile,edge-setup}.mjs "$cache/"

case " $runtimes " in *" wasmtime "*)
  EDGE_WASMTIME=${EDGE_WASMTIME:-$(scripts/setup-wasmtime)} || exit 2
  # Compiled once: each start would compile it anew.
  compiled=$work/gateway-edge.cwasm
  "$EDGE_WASMTIME" compile -o "$compiled" "$component" || exit 2
  ;;
esac

free_port() {
  node -e 'const s = require("net").createServer(); s.listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}

# Stop what runs. jco starts a second process, so a session of its own lets both be stopped together.
stop() {
  [ -z "$runtime" ] || { kill -- "-$runtime" 2>/dev/null; wait "$runtime" 2>/dev/null; runtime=; }
  [ -z "$gitea" ] || { kill -INT "$gitea" 2>/dev/null; wait "$gitea" 2>/dev/null; gitea=; }
}

# gitea_start PORT OPTION...: a sample Gitea with applications for the server at this port.
gitea_start() {
  local callback=http://127.0.0.1:$1/oauth/callback name id secret
  "$dist/forge" --port 0 "${@:2}" --app "$callback" --write-app "$callback" >"$work/gitea.txt" 2>&1 &
  gitea=$!
  for _ in $(seq 600); do grep -q ' alice/demo' "$work/gitea.txt" && break; sleep 0.1; done
  GITEA_URL=$(sed -n 's/^Sample Gitea .* at //p' "$work/gitea.txt")
  GITEA_TOKEN=$(awk '$1 == "svc" { print $2 }' "$work/gitea.txt")
  read -r AEGIS_LOGIN AEGIS_PASSWORD < <(awk '/sign in as alice / { print $4, $6 }' "$work/gitea.txt")
  export GITEA_URL GITEA_TOKEN AEGIS_LOGIN AEGIS_PASSWORD
  by_sign_in=(OAUTH_MODE=true)
  while read -r _ name id secret; do
    case $name in
    reading) by_sign_in+=(GITEA_OAUTH_CLIENT_ID="$id" GITEA_OAUTH_CLIENT_SECRET="$secret") ;;
    writing) by_sign_in+=(GITEA_OAUTH_WRITE_CLIENT_ID="$id" GITEA_OAUTH_WRITE_CLIENT_SECRET="$secret") ;;
    esac
  done < <(grep '^ *application ' "$work/gitea.txt")
}

policy='defaults: {read: allow, write: allow}
repositories:
  alice/private-notes:
    tools: {deny: ["*"]}
'

# runtime_start RUNTIME PORT SETTING...: the component on an empty state directory.
runtime_start() {
  local name=$1 port=$2 all=() given=()
  shift 2
  rm -rf "$work/state" && install -d -m 700 "$work/state"
  all=(GITEA_URL="$GITEA_URL" STATE_DIR=/state PUBLIC_BASE_URL="http://127.0.0.1:$port" POLICY_DOCUMENT="$policy"
    WRITE_MODE=true WRITE_REPOSITORY_WHITELIST=alice/demo RATE_LIMIT_PER_MINUTE=100000
    TOKEN_RATE_LIMIT_PER_MINUTE=100000 MAX_AUTH_FAILURES=1000 LOGIN_RATE_LIMIT_PER_MINUTE=100000
    REGISTER_RATE_LIMIT_PER_MINUTE=100000 TOKEN_ENDPOINT_RATE_LIMIT_PER_MINUTE=100000 "$@")
  local isolated=()
  case $name in
  jco | jco-worker)
    # By default jco keeps one instance for all requests; workers are an instance for each.
    [ "$name" = jco ] || isolated=(--isolate-requests worker)
    # The whole environment of jco is open to the component, so it gets what it needs and no more.
    setsid env -i PATH="$PATH" HOME="$work" AEGIS_STATE_DIR="$work/state" "${all[@]}" \
      node "$cache/node_modules/@bytecodealliance/jco/dist/jco.js" serve "$component" \
      --host 127.0.0.1 --port "$port" --jco-dir "$work/jco" --jco-import "$cache/edge-setup.mjs" "${isolated[@]}" \
      >"$work/runtime.log" 2>&1 &
    ;;
  wasmtime)
    for setting in "${all[@]}"; do given+=(--env "$setting"); done
    setsid "$EDGE_WASMTIME" serve -Scli --allow-precompiled --addr "127.0.0.1:$port" --dir "$work/state::/state" \
      "${given[@]}" "$compiled" >"$work/runtime.log" 2>&1 &
    ;;
  *) echo "no such runtime: $name" >&2; exit 2 ;;
  esac
  runtime=$!
  # The runtime listens once the component is translated; ask until it answers or ends.
  for _ in $(seq 240); do
    curl -s -o "$work/health" --max-time 10 "http://127.0.0.1:$port/healthz" && return
    kill -0 "$runtime" 2>/dev/null || break
    sleep 0.5
  done
  echo "$name does not serve" >&2
}

# What must hold when everybody has gone.
after() {
  local verdict violations leaks
  verdict=$("$dist/aegis-mcp" audit verify "$work/state/audit.log" | head -n 1)
  case $verdict in
  verdict*valid*) echo "PASS $1: the program's own check takes the audit log" ;;
  *) echo "FAIL $1: the program's own check does not take the audit log: $verdict" ;;
  esac
  # Longer than what sealed bytes look like by chance.
  leaks=$(grep -rhoaE 'aegis_(at|rt|code|cs|key)_.{8}|gt[ao]_[a-z0-9]{16}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16}'"|$AEGIS_PASSWORD" \
    "$work/runtime.log" "$work/state" | sort -u)
  if [ -z "$leaks" ]; then echo "PASS $1: no credential in log or state"; else
    printf 'FAIL %s: credentials in the log or the state\n%s\n' "$1" "$leaks"
  fi
  stop
  violations=$(grep '^forge: ' "$work/gitea.txt")
  if [ -z "$violations" ]; then echo "PASS $1: Gitea holds nothing against the server"; else
    printf 'FAIL %s: Gitea holds something against the server\n%s\n' "$1" "$violations"
  fi
}

log=$work/run.log
expected=0
for name in $runtimes; do
  export EDGE_RUNTIME=$name
  port=$(free_port)
  # It fails every request whose intent is not in the audit log.
  gitea_start "$port" --audit "$work/state/audit.log"
  export AEGIS_URL=http://127.0.0.1:$port/mcp AEGIS_STATE_DIR=$work/state
  AEGIS_KEY=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
  export AEGIS_KEY
  runtime_start "$name" "$port" GITEA_TOKEN="$GITEA_TOKEN" MCP_API_KEYS="journey=$AEGIS_KEY"
  timeout 600 node "$cache/edge.mjs" 2>&1 | tee -a "$log"
  after "$name, by key" 2>&1 | tee -a "$log"
  gitea= runtime=
  unset AEGIS_KEY

  port=$(free_port)
  gitea_start "$port" --audit "$work/state/audit.log"
  export AEGIS_URL=http://127.0.0.1:$port/mcp
  runtime_start "$name" "$port" "${by_sign_in[@]}"
  timeout 600 node "$cache/edge-sign-in.mjs" 2>&1 | tee -a "$log"
  after "$name, signed in" 2>&1 | tee -a "$log"
  gitea= runtime=
  expected=$((expected + 5 + 20 + 6))
  cp "$work/runtime.log" "$work/runtime-$name.log"

  if [ "$name" = wasmtime ]; then
    port=$(free_port)
    gitea_start "$port" --access-token-seconds 60 --invalidate-refresh-tokens
    EDGE_SIGN_IN=$(printf '%s\n' "${by_sign_in[@]}") EDGE_SIGN_IN_PORT=$port EDGE_COMPONENT=$compiled \
      EDGE_PROGRAM=$dist/aegis-mcp EDGE_WASMTIME=$EDGE_WASMTIME \
      timeout 900 node "$cache/edge-hostile.mjs" 2>&1 | tee -a "$log"
    stop
    expected=$((expected + 9))
  fi
done

passed=$(grep -c '^PASS ' "$log")
failed=$(grep -c '^FAIL ' "$log")
if [ $((passed + failed)) -lt "$expected" ]; then failed=$((expected - passed)); fi
if [ "$failed" -ne 0 ]; then
  for name in $runtimes; do
    echo "--- what $name said last"
    tail -n 20 "$work/runtime-$name.log" | cut -c1-2000
  done
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
