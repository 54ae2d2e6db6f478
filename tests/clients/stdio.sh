#!/usr/bin/env bash
# Have the official MCP clients start `aegis-mcp stdio` themselves: list the tools, read a file, open an issue, read it
# back, in every protocol era each client speaks.
#
#   SAMPLE_WATCH=no scripts/with-sample tests/clients/stdio.sh [CACHE_DIR]
#
# Ends with `N passed, N failed` and fails unless every case of every client passed.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${1:-$here/../../target/clients}
: "${GITEA_URL:?set by scripts/with-sample}" "${GITEA_TOKEN:?set by scripts/with-sample}" "${SAMPLE_DIR:?set by scripts/with-sample}"
expected=7

AEGIS_PROGRAM=$(realpath "${AEGIS_DIST:-$here/../../target/dist}/aegis-mcp")
AEGIS_ENV_FILE=$SAMPLE_DIR/stdio.env
cat >"$AEGIS_ENV_FILE" <<SETTINGS
GITEA_URL=$GITEA_URL
GITEA_TOKEN=$GITEA_TOKEN
WRITE_MODE=true
WRITE_REPOSITORY_WHITELIST=alice/demo
POLICY_FILE_PATH=$SAMPLE_DIR/policy.yaml
AUDIT_LOG_PATH=$SAMPLE_DIR/pipes/audit.log
GUEST_CACHE_DIR=$SAMPLE_DIR/guests
SETTINGS
export AEGIS_PROGRAM AEGIS_ENV_FILE

source "$here/install.sh"
log=$cache/stdio.log
: >"$log"
timeout 600 "$node" "$cache/node/stdio.mjs" 2>&1 | tee -a "$log"
timeout 600 "$cache/python/venv/bin/python" "$here/python/pipes.py" 2>&1 | tee -a "$log"

told "$log" "$expected" || exit 1
for trail in "$SAMPLE_DIR"/pipes/stdio-*; do
  "$AEGIS_PROGRAM" audit verify "$trail" >/dev/null || { echo "the audit log in $trail does not verify"; exit 1; }
done
