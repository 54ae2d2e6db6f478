#!/usr/bin/env bash
# `make dist-test`: an archive of what was built (or the one that is named, of `make dist`), installed by its install.sh in a
# Debian that has nothing else, and again over itself; a changed file installs nothing; what is installed serves; systemd accepts
# the unit, rates and runs it, also with what `setup` wrote. Where `make dist` has left an arm64 archive, that is tried too.
# Needs root.
set -euo pipefail
given=$(realpath "${1:-.}")
cd "$(dirname "$0")/../.."
[ "$(id -u)" -eq 0 ] || { echo "make dist-test makes a root directory: run it as root." >&2; exit 64; }
if ! command -v debootstrap >/dev/null || ! command -v systemd-nspawn >/dev/null; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends debootstrap systemd-container >/dev/null
fi
dist=${AEGIS_DIST:-target/dist}
bare=$PWD/target/image/debian
work=$(mktemp -d)
failures=0 passes=0 server=
exec 3>&1
# What a run leaves in the Debian, also one that was cut short.
clean() {
    umount "$bare/proc" 2>/dev/null || true
    rm -rf "$bare/root/"{aegis,elsewhere,forge,booted.sh,{booted,setup,refused,team}.txt} "$bare/etc/aegis-mcp" "$bare/usr/local/bin/"* \
        "$bare/etc/systemd/system/"{aegis-mcp.service,booted.service,multi-user.target.wants} \
        "$bare/var/"{log,lib,cache}/{private/,}aegis-mcp "$bare/var/log/journal/"*
}
leave() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    clean
    rm -rf "$work"
}
trap leave EXIT
check() {
    local what=$1
    shift
    if "$@" >"$work/check" 2>&1; then passes=$((passes + 1)); echo "PASS $what"; else
        failures=$((failures + 1)); echo "FAIL $what"; tail -n 8 "$work/check"
    fi
}
has() { grep -qF -- "$2" <<<"$1" || { echo "$2 is not in: $1"; return 1; }; }
in_debian() { chroot "$bare" env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"; }

if [ ! -e "$bare/usr/bin/curl" ]; then
    rm -rf "$bare"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,curl bookworm "$bare" >"$work/debootstrap" || { tail "$work/debootstrap" >&2; exit 1; }
fi
clean
mount -t proc proc "$bare/proc"

case $(uname -m) in aarch64) arch=arm64 other=x86_64 ;; *) arch=amd64 other=aarch64 ;; esac
pack() { mkdir -p "$work/$1" && AEGIS_ARCHIVES=$work/$1 AEGIS_GUESTS=$dist scripts/archive "$dist/aegis-mcp" "$arch"; }
archive=$(pack first)
check "the same inputs make the same archive" cmp "$archive" "$(pack second)"
[ ! -f "$given" ] || archive=$given
echo "     from $(basename "$archive")"
mkdir -p "$bare/root/aegis"
tar -xzf "$archive" -C "$bare/root/aegis" --strip-components=1
install="/root/aegis/install.sh"
check "it has the licences of what it contains" test -s "$bare/root/aegis/THIRD_PARTY.md"

cp "$bare/root/aegis/gateway.wasm" "$work/gateway.wasm"
printf 'x' >>"$bare/root/aegis/gateway.wasm"
check "a changed file is refused" eval '! in_debian $install'
check "and named" has "$(cat "$work/check"; in_debian $install 2>&1 || true)" "gateway.wasm: FAILED"
check "and nothing is installed" test ! -e "$bare/usr/local/bin/aegis-mcp"
cp "$work/gateway.wasm" "$bare/root/aegis/gateway.wasm"
mv "$bare/root/aegis/SHA256SUMS" "$work/"
check "without SHA256SUMS nothing is installed" eval '! in_debian $install'
cp "$work/SHA256SUMS" "$bare/root/aegis/"
check "only root installs" eval '! chroot --userspec=1000:1000 "$bare" /bin/sh $install'

mkdir -p "$bare/root/elsewhere"
printf '#!/bin/sh\necho %s\n' "$other" >"$bare/root/elsewhere/uname"
chmod +x "$bare/root/elsewhere/uname"
elsewhere() { in_debian env "PATH=/root/elsewhere:/usr/sbin:/usr/bin:/sbin:/bin" $install; }
check "a machine that it is not for is refused" eval '! elsewhere'
check "with the archive's name" has "$(elsewhere 2>&1 || true)" "this archive ($arch) is for $(uname -m) and this machine is $other"
check "and still nothing is installed" test ! -e "$bare/usr/local/bin/aegis-mcp"

check "it installs" in_debian $install
check "it says what to type next" has "$(cat "$work/check")" "sudo systemctl enable --now aegis-mcp"
check "the program runs there" in_debian aegis-mcp --version
check "the settings are for root alone" test "$(stat -c '%a %u' "$bare/etc/aegis-mcp/aegis-mcp.env")" = "600 0"
check "systemd accepts the unit" in_debian systemd-analyze verify /etc/systemd/system/aegis-mcp.service
remarks=$(in_debian systemd-analyze verify /etc/systemd/system/aegis-mcp.service 2>&1 || true)
check "without a remark" test -z "$remarks"
rating=$(in_debian systemd-analyze security --offline=true --no-pager /etc/systemd/system/aegis-mcp.service | tail -n 1)
echo "     $rating"
check "systemd rates its exposure below 2 of 10" awk -v level="$(grep -oE '[0-9]+\.[0-9]+' <<<"$rating" | tail -n 1)" 'BEGIN { exit !(level > 0 && level < 2) }'

cat >"$bare/etc/aegis-mcp/aegis-mcp.env" <<'TEXT'
GITEA_URL=http://127.0.0.1:1
GITEA_TOKEN=0123456789012345678901234567890123456789
MCP_API_KEYS=test=aegis_key_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8
MCP_PORT=0
AUDIT_LOG_PATH=/root/aegis/log/audit.log
TEXT
check "installing again succeeds" in_debian $install
check "and leaves the settings alone" grep -q MCP_PORT=0 "$bare/etc/aegis-mcp/aegis-mcp.env"
# Not by in_debian: its shell would stand between us and the server.
chroot "$bare" env -i /usr/local/bin/aegis-mcp serve --env-file /etc/aegis-mcp/aegis-mcp.env 2>"$work/log" &
server=$!
for _ in $(seq 400); do grep -q '"event":"listening"' "$work/log" && break; sleep 0.05; done
address=$(sed -n 's/.*"event":"listening","address":"\([^"]*\)".*/\1/p' "$work/log")
check "what is installed serves" curl -sf "http://$address/health"
kill "$server"
check "and ends in good order" wait "$server"
server=

# The same, booted: what systemd makes of the unit.
cat >"$bare/etc/aegis-mcp/aegis-mcp.env" <<'TEXT'
GITEA_URL=http://127.0.0.1:3000
GITEA_TOKEN=5bc05bc05bc05bc05bc05bc05bc05bc05bc05bc0
MCP_API_KEYS=test=aegis_key_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8
MCP_PORT=18080
TEXT
install -m 755 "$dist/forge" "$bare/root/forge"
umount "$bare/proc"
install -m 755 tests/image/booted.sh "$bare/root/booted.sh"
printf '[Service]\nType=oneshot\nTimeoutStartSec=180\nExecStart=/root/booted.sh\n[Install]\nWantedBy=multi-user.target\n' \
    >"$bare/etc/systemd/system/booted.service"
# The service is started by the script, which first starts a sample Gitea for it.
in_debian systemctl enable -q booted
timeout -k 5 240 systemd-nspawn -q -D "$bare" -b --register=no --keep-unit --private-network </dev/null >"$work/boot" 2>&1 || tail -n 5 "$work/boot"
found() { check "booted: $2" grep -qx "$1" "$bare/root/booted.txt"; }
found ready=yes "the service is ready"
found 'uid=6[1-5][0-9][0-9][0-9]' "as a user made for it"
found CapEff=0000000000000000 "without a capability"
found CapBnd=0000000000000000 "or a way to one"
found NoNewPrivs=1 "it can gain no privilege"
found Seccomp=2 "under a filter of system calls"
found cached=1 "the compiled guest is kept"
found log_mode=700 "the log's directory is closed to others"
found warnings=0 "it warns of nothing"
found ready_again=yes "it is ready again after a restart"
found cached_again=1 "with the guest that was kept"
found stopped=success "it stops in good order"
found verified=0 "its audit log verifies"
found new=0 "installed anew, as on the first day"
found setup=0 "setup solo --writes makes its settings"
found enabled=0 "the line that it prints starts the service"
found ready_with_writes=yes "with a policy of root's that the service can read"
found wrote=200 "a tool writes"
found swapped=0 "another guest is compiled and put in force"
found ready_swapped=yes "and serves"
found rolled_back=0 "and is taken down again"
found doctor=0 "doctor finds nothing that fails"
found 'setup_team_refused=64 named=1' "setup team says that certificates are missing, before it makes anything"
found setup_team=0 "without clients' documents it changes the settings to sign-in"
found restarted=0 "the line that it prints starts the service again"
found ready_with_sign_in=yes "which is ready"
found metadata=200 "and people can sign in"
found settings_mode=600 "the settings are still for root alone"
found 'wrong=64 restarts=0' "wrong settings end it once and for all"
[ "$failures" -eq 0 ] || cat "$bare/root/booted.txt" "$bare/root/setup.txt" || true

version=$("$dist/aegis-mcp" --version)
arm64=target/archives/aegis-mcp-${version##* }-linux-arm64.tar.gz
if [ -e "$arm64" ]; then
    check "the arm64 archive of $(date -r "$arm64" +%F) works" eval 'tests/image/arm64.sh "$arm64" >&3'
else
    echo "     no arm64 archive: \`make dist\` makes one, which is then tried here"
fi
echo "$passes passed, $failures failed"
[ "$failures" -eq 0 ]
