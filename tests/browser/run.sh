#!/usr/bin/env bash
# The sign-in in headless Chromium, over TLS: one line a check, then the count. Screenshots are left in the folder that
# is named (default target/browser); the packages of the lock file are kept below it.
#
#   tests/browser/run.sh [FOLDER]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
shots=${1:-$here/../../target/browser}
mkdir -p "$shots/packages"
shots=$(cd "$shots" && pwd)
export AEGIS_DIST=${AEGIS_DIST:-$here/../../target/dist} AEGIS_SHOTS=$shots
CHROMIUM=${CHROMIUM:-$(command -v chromium)} && export CHROMIUM

# Installed again only when the lock file changed. Install scripts are not run: none is needed.
if ! cmp -s "$here/package-lock.json" "$shots/packages/.installed"; then
    cp "$here/package.json" "$here/package-lock.json" "$shots/packages/"
    (cd "$shots/packages" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    cp "$here/package-lock.json" "$shots/packages/.installed"
fi

# puppeteer-core asks for Node 22; one comes with the packages, so that the machine's does not matter.
node=$(ls "$shots"/packages/node_modules/node-linux-*/bin/node 2>/dev/null | head -n 1)
[ -x "$node" ] || { echo "no Node for this machine among the packages" >&2; exit 2; }

rm -f "$shots"/*.png
# Scripts find their packages beside themselves.
cp "$here"/*.mjs "$shots/packages/"
exec timeout --kill-after=20 600 "$node" "$shots/packages/main.mjs"
