#!/usr/bin/env bash
# Let real clients use the whole protocol: tools, resources, prompts, completion, progress, messages, cancellation,
# questions before writes, and announcements of changed lists; once with an API key and once signed in.
#
#   tests/clients/whole.sh [CACHE_DIR]
#
# Starts the built program (AEGIS_DIST, default target/dist) and the sample Gitea itself, twice, with writes that are
# confirmed first. CACHE_DIR keeps the clients, at the versions of the lock files here (default target/clients).
# WHOLE_ONLY names the clients to run and WHOLE_BY the ways (key, sign-in), by default all.
# Ends with `N passed, N failed` and fails unless every case of every client passed.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.." || exit 2
cache=${1:-target/clients}
clients=${WHOLE_ONLY:-ts-v1 ts-v2 mcp-remote inspector python fastmcp rmcp}
ways=${WHOLE_BY:-key sign-in}
# Fewer cases than these mean that a client did not run to its end.
declare -A cases=([ts-v1]=23 [ts-v2]=22 [mcp-remote]=11 [inspector]=10 [python]=32 [fastmcp]=20 [rmcp]=21)

source "$here/install.sh"
source "$here/rust.sh"
source scripts/sample
work=$(mktemp -d)
trap 'sample_stop; rm -rf "$work"' EXIT
browser_of "$work"

# A search of this repository waits for an archive that never comes.
SAMPLE_HANG=/alice/new-name/archive/
log=$cache/whole.log
: >"$log"
expected=0
for way in $ways; do
  sample_settings=(WRITE_CONFIRMATION=elicit)
  case $way in
  key) SAMPLE_SIGN_IN=no ;;
  sign-in) SAMPLE_SIGN_IN=yes ;;
  esac
  SAMPLE_RATE=100000 SAMPLE_FAILURES=100000 sample_start 0 0 || exit 2
  # Where people sign in nobody has a key.
  [ "$way" = key ] || unset AEGIS_KEY
  export AEGIS_POLICY=$SAMPLE_DIR/policy.yaml AEGIS_AUDIT=$SAMPLE_DIR/audit.log AEGIS_SERVER=${sample_pids[1]}
  for client in $clients; do
    expected=$((expected + cases[$client]))
    case $client in
    ts-v1 | ts-v2 | mcp-remote | inspector) timeout 300 "$node" "$cache/node/whole-$client.mjs" ;;
    python | fastmcp) timeout 300 "$cache/python/venv/bin/python" "$here/python/whole_$client.py" ;;
    rmcp) rust_client whole ;;
    esac 2>&1 | tee -a "$log"
  done
  violations=$(sample_violations)
  expected=$((expected + 1))
  if [ -z "$violations" ]; then echo "PASS afterwards: Gitea holds nothing against the server"; else
    printf 'FAIL afterwards: Gitea holds something against the server\n%s\n' "$violations"
  fi 2>&1 | tee -a "$log"
  cp "$SAMPLE_DIR/server.log" "$work/server-$way.log"
  sample_stop
done

if ! told "$log" "$expected"; then
  for way in $ways; do
    printf 'what the server said last (%s):\n' "$way" >&2
    tail -n 20 "$work/server-$way.log" >&2
  done
  exit 1
fi
