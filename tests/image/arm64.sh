#!/usr/bin/env bash
# tests/image/arm64.sh ARCHIVE: the program of an arm64 archive, run by qemu where the machine is another one: what it says of
# itself, its sandbox, tool calls in front of a sample Gitea, how it ends, what it leaves in its log. `make dist-test` runs it
# where `make dist` has left such an archive.
set -euo pipefail
cd "$(dirname "$0")/../.."
archive=$(realpath "$1")
dist=${AEGIS_DIST:-target/dist}
run=()
if [ "$(uname -m)" != aarch64 ]; then
    command -v qemu-aarch64-static >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends qemu-user-static >/dev/null; }
    run=("$(command -v qemu-aarch64-static)")
fi
work=$(mktemp -d)
failures=0 passes=0 pids=()
leave() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap leave EXIT
check() {
    local what=$1
    shift
    if "$@" >"$work/check" 2>&1; then passes=$((passes + 1)); echo "PASS arm64: $what"; else
        failures=$((failures + 1)); echo "FAIL arm64: $what"; tail -n 8 "$work/check"
    fi
}
has() { grep -qF -- "$2" <<<"$1" || { echo "$2 is not in: $1"; return 1; }; }

tar -xzf "$archive" -C "$work" --strip-components=1
check "the archive is whole" eval '(cd "$work" && sha256sum --check --strict --quiet SHA256SUMS)'
# ELF: 64 bits, for machine 183 (AArch64), without an interpreter to load it.
check "the program is for arm64" test "$(od -An -tu2 -j18 -N2 "$work/aegis-mcp" | tr -d ' ')" = 183
check "it needs no loader and no library" eval '! readelf -lW "$work/aegis-mcp" | grep -q INTERP'
check "it runs" "${run[@]}" "$work/aegis-mcp" --version
check "it would run its guest" "${run[@]}" "$work/aegis-mcp" guest inspect "$work/gateway.wasm"
check "and says so" has "$(cat "$work/check")" "verdict this host runs it"
check "it compiles its guest" "${run[@]}" "$work/aegis-mcp" guest compile "$work/gateway.wasm" --into "$work/guests"

"$dist/forge" --port 0 --audit "$work/log/audit.log" >"$work/gitea" 2>&1 &
pids+=($!)
for _ in $(seq 400); do grep -q ' alice/demo' "$work/gitea" 2>/dev/null && break; sleep 0.05; done
gitea=$(sed -n 's/^Sample Gitea .* at //p' "$work/gitea")
printf 'defaults: {read: allow, write: allow}\n' >"$work/policy.yaml"
key=$("${run[@]}" "$work/aegis-mcp" generate-key 2>/dev/null)
cat >"$work/env" <<TEXT
GITEA_URL=$gitea
GITEA_TOKEN=5bc05bc05bc05bc05bc05bc05bc05bc05bc05bc0
MCP_API_KEYS=test=$key
MCP_PORT=0
WRITE_MODE=true
WRITE_REPOSITORY_WHITELIST=alice/demo
POLICY_FILE_PATH=$work/policy.yaml
AUDIT_LOG_PATH=$work/log/audit.log
GUEST_CACHE_DIR=$work/guests
TEXT
chmod 600 "$work/env"
env -i "${run[@]}" "$work/aegis-mcp" serve --env-file "$work/env" 2>"$work/server" &
server=$!
pids+=("$server")
for _ in $(seq 1200); do
    grep -q '"event":"listening"' "$work/server" 2>/dev/null && break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
address=$(sed -n 's/.*"event":"listening","address":"\([^"]*\)".*/\1/p' "$work/server")
[ -n "$address" ] || cat "$work/server" >&2
ask() { curl -s --max-time 60 "http://$address$1" -H "Authorization: Bearer $key" -H 'Content-Type: application/json' "${@:2}"; }
check "it serves" ask /health -f
check "the guest that was compiled is used" eval '! grep -qE "guest_(compiling|cache)" "$work/server"'
check "a tool reads" has "$(ask /mcp/tool/call -d '{"tool":"get_repository_info","arguments":{"owner":"alice","repo":"demo"}}')" '"full_name":"alice/demo"'
check "a tool searches an archive" has "$(ask /mcp/tool/call -d '{"tool":"search_code","arguments":{"owner":"alice","repo":"demo","query":"fn main"}}')" '"success":true'
check "a tool writes" has "$(ask /mcp/tool/call -d '{"tool":"create_issue","arguments":{"owner":"alice","repo":"demo","title":"From arm64"}}')" '"success":true'
check "a stranger is refused" test "$(curl -s -o /dev/null -w '%{http_code}' --max-time 60 -X POST "http://$address/mcp")" = 401
check "health says yes" env -i MCP_PORT="${address##*:}" "${run[@]}" "$work/aegis-mcp" health --env-file "$work/env"
kill "$server"
check "it ends in good order" wait "$server"
check "its audit log verifies" "${run[@]}" "$work/aegis-mcp" audit verify "$work/log"
kill -INT "${pids[0]}"
wait "${pids[0]}" || true
check "Gitea has seen nothing that it should not" eval '! grep "^forge: " "$work/gitea"'
echo "arm64: $passes passed, $failures failed"
[ "$failures" -eq 0 ]
