#!/usr/bin/env bash
# `make image-test`: the image as it is run for real, by podman and runc, in a network of its own. Every promise of
# docs/deployment.md about the container is one line of PASS or FAIL; one FAIL fails it all. Needs root.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ "$(id -u)" -eq 0 ] || { echo "make image-test makes networks and mounts: run it as root." >&2; exit 64; }
source scripts/containers
here=tests/image dist=${AEGIS_DIST:-target/dist} image=localhost/aegis-mcp:test
work=$(mktemp -d)
net=aegis-image-$$
url=http://127.0.0.1:8080
key=aegis_key_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8
failures=0 passes=0 forge=

leave() {
    pod rm -f -t 1 "$net" >/dev/null 2>&1 || true
    pod rm -f -t 1 "$net-caddy" >/dev/null 2>&1 || true
    pod rm -f -t 1 "$net-sample" >/dev/null 2>&1 || true
    pod volume rm -f "$net-logs" "$net-data" "$net-other" >/dev/null 2>&1 || true
    [ -z "$forge" ] || kill "$forge" 2>/dev/null || true
    for name in "$net" "$net-front"; do ip netns delete "$name" 2>/dev/null || true; done
    rm -rf "$work"
}
trap leave EXIT

inside() { ip netns exec "$net" "$@"; }
ask() { inside curl -s --max-time 20 "$@"; }
status() { ask -o "$work/answer" -w '%{http_code}' "$@"; }
said() { pod logs "$net" 2>&1; }

pass() { passes=$((passes + 1)); echo "PASS $1"; }
fail() { failures=$((failures + 1)); echo "FAIL $1"; }
# check WHAT COMMAND...: it succeeds.
check() {
    local what=$1
    shift
    if "$@" >"$work/check" 2>&1; then pass "$what"; else fail "$what"; tail -n 5 "$work/check"; fi
}
is() { [ "$1" = "$2" ] || { echo "$1 is not $2"; return 1; }; }
has() { grep -qF -- "$2" <<<"$1" || { echo "$2 is not in: $1"; return 1; }; }

# run ARGUMENTS...: the server, hardened as docker/compose.yaml hardens it; volumes and settings are arguments.
run() {
    pod rm -f -t 1 "$net" >/dev/null 2>&1 || true
    # podman complains that no systemd runs its health checks; the tests run them.
    pod run -d --name "$net" "${hardened[@]}" "$@" >/dev/null 2>"$work/podman" || { cat "$work/podman" >&2; return 1; }
}
hardened=(--health-interval disable --network "ns:/run/netns/$net" --read-only --read-only-tmpfs=false --user 65532:65532
    --cap-drop all --security-opt no-new-privileges --security-opt "seccomp=$PWD/docker/seccomp.json"
    --memory 512m --pids-limit 256 --ulimit nofile=4096:4096 --ulimit nproc=4096:4096)
volumes=(-v "$net-logs:/var/log/aegis-mcp" -v "$net-data:/var/lib/aegis-mcp")
by_key=(-e GITEA_URL=http://127.0.0.1:3000 -e GITEA_TOKEN=5bc05bc05bc05bc05bc05bc05bc05bc05bc05bc0 -e "MCP_API_KEYS=test=$key")

# Wait until the server answers, or has ended.
up() {
    for _ in $(seq 1000); do
        inside curl -s -o /dev/null "$url/health" && return
        [ "$(pod inspect -f '{{.State.Running}}' "$net")" = true ] || break
        sleep 0.02
    done
    said >&2
    return 1
}
call() {
    status "$url/mcp/tool/call" -H "Authorization: Bearer $key" -H 'Content-Type: application/json' \
        -d '{"tool":"get_repository_info","arguments":{"owner":"alice","repo":"demo"}}'
}
# A call becomes possible without a restart.
heals() {
    for _ in $(seq 200); do
        [ "$(status "$url/ready")" != 200 ] || { is "$(call)" 200; return; }
        sleep 0.05
    done
    return 1
}
# Whatever is wrong with the audit log: alive, not ready, and nothing is done.
refuses_calls() {
    check "$1: it is alive" is "$(status "$url/health")" 200
    check "$1: it is not ready" is "$(status "$url/ready")" 503
    check "$1: a tool call gets 503" is "$(call)" 503
    check "$1: and is told why" has "$(cat "$work/answer")" audit_unavailable
}

ip netns add "$net"
inside ip link set lo up
# One application for sign-in at the server itself, one for sign-in through Caddy.
# Not by `inside`: its shell would stand between us and the forge, and stay.
ip netns exec "$net" "$dist/forge" --port 3000 --app http://127.0.0.1:8080/oauth/callback \
    --write-app https://mcp.localhost/oauth/callback >"$work/gitea" 2>&1 &
forge=$!
for _ in $(seq 200); do grep -q ' alice/demo' "$work/gitea" && break; sleep 0.05; done
# signing_in APPLICATION: settings for sign-in, in the array of that name.
signing_in() {
    read -r id secret < <(awk -v name="$1" '$1 == "application" && $2 == name { print $3, $4 }' "$work/gitea")
    signing_in=(-e GITEA_URL=http://127.0.0.1:3000 -e OAUTH_MODE=true -e "GITEA_OAUTH_CLIENT_ID=$id" -e "GITEA_OAUTH_CLIENT_SECRET=$secret"
        -e OAUTH_STATE_SECRET=0123456789abcdef0123456789abcdef0123456789abcdef)
}
musl-gcc -static -Wall -Werror -o "$work/probe" "$here/probe.c"

# One part alone: tests/image/run.sh 50. It must not need what an earlier one leaves.
for part in "$here"/parts/"${1:-}"*.sh; do
    echo "-- $(basename "$part" .sh | cut -d- -f2-)"
    source "$part"
done
echo "$passes passed, $failures failed"
[ "$failures" -eq 0 ]
