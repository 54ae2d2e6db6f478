#!/bin/sh
# Installs AegisGitea-MCP from the directory that this script is in, or brings it up to date: checks every file against
# SHA256SUMS, then puts program and guest into PREFIX/bin and a unit for systemd in place. It starts nothing, downloads
# nothing, leaves settings that are there alone, and refuses a machine that the archive is not for. Run it as root: ./install.sh
set -eu
prefix=${PREFIX:-/usr/local}
root=${DESTDIR:-}
cd "$(dirname "$0")"

refuse() {
    echo "install.sh: $1" >&2
    exit 1
}

[ -f SHA256SUMS ] || refuse "there is no SHA256SUMS beside this script: unpack the whole archive and run it from there"
sha256sum --check --strict --quiet SHA256SUMS >&2 ||
    refuse "a file is not what SHA256SUMS says: nothing was installed; download the archive again"
# A file that nobody vouches for is not installed, but it should not be here either.
for file in aegis-mcp gateway.wasm aegis-mcp.service env.example; do
    grep -q "[ *]$file\$" SHA256SUMS || refuse "SHA256SUMS does not name $file: nothing was installed"
done
[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || refuse "run it as root: sudo ./install.sh"
# What the program is for stands in its ELF header; an emulator may run it elsewhere, but nobody wants that to last.
case $(od -An -tu2 -j18 -N2 aegis-mcp | tr -d ' ') in
62) machine=x86_64 archive=amd64 ;;
183) machine=aarch64 archive=arm64 ;;
*) refuse "aegis-mcp is no program for x86_64 or aarch64" ;;
esac
[ "$(uname -m)" = "$machine" ] ||
    refuse "this archive ($archive) is for $machine and this machine is $(uname -m): nothing was installed; take the archive for it"
version=$(./aegis-mcp --version) || refuse "this program does not run on this machine ($(uname -m)): nothing was installed"

# place MODE FILE TARGET: under another name first, so that a running server never sees half a file.
place() {
    install -D -m "$1" "$2" "$root$3.new"
    mv -f "$root$3.new" "$root$3"
}
place 755 aegis-mcp "$prefix/bin/aegis-mcp"
place 644 gateway.wasm "$prefix/bin/gateway.wasm"
sed "s|/usr/local/bin/|$prefix/bin/|" aegis-mcp.service >"${TMPDIR:-/tmp}/aegis-mcp.service.$$"
place 644 "${TMPDIR:-/tmp}/aegis-mcp.service.$$" /etc/systemd/system/aegis-mcp.service
rm -f "${TMPDIR:-/tmp}/aegis-mcp.service.$$"
settings=/etc/aegis-mcp/aegis-mcp.env
if [ -e "$root$settings" ]; then
    kept="Your settings in $settings were left as they are."
else
    # The settings are root's alone; a policy beside them is read by the server's user.
    install -d -m 755 "$root/etc/aegis-mcp"
    place 600 env.example "$settings"
    # Where the unit keeps things, so that commands on this file look there too.
    sed -i -e 's|^#*\(AUDIT_LOG_PATH\)=.*|\1=/var/log/aegis-mcp/audit.log|' \
        -e 's|^#*\(DCR_STORAGE_PATH\)=.*|\1=/var/lib/aegis-mcp/dcr_clients.json|' "$root$settings"
    kept="Settings are in $settings. Make them yours: sudo aegis-mcp setup team --env-file $settings   (or setup solo)"
fi
if [ -z "$root" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi

cat <<TEXT
$version is installed in $prefix/bin.
$kept
Then:    sudo systemctl enable --now aegis-mcp      (after an update: sudo systemctl restart aegis-mcp)
Logs:    journalctl -u aegis-mcp
Check:   sudo aegis-mcp doctor --env-file $settings
TEXT
