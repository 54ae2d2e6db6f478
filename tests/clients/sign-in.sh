#!/usr/bin/env bash
# Let real clients sign in by themselves, from nothing, through a sample Gitea, and work: each finds the server's
# documents, registers or names a document of its own, sends a browser off, redeems the code, calls tools, renews its
# token and steps up to writes.
#
#   tests/clients/sign-in.sh [CACHE_DIR]
#
# Starts the built program (AEGIS_DIST, default target/dist) and the sample Gitea itself. CACHE_DIR keeps the clients, at
# the versions of the lock files here (default target/clients). SIGN_IN_ONLY names the clients to run, by default all.
# Ends with `N passed, N failed` and fails unless every case of every client passed.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.." || exit 2
cache=${1:-target/clients}
clients=${SIGN_IN_ONLY:-ts-v1 ts-v2 mcp-remote python fastmcp rmcp}
declare -A cases=([ts-v1]=11 [ts-v2]=22 [mcp-remote]=6 [python]=14 [fastmcp]=5 [rmcp]=12)

source "$here/install.sh"
source "$here/rust.sh"
source scripts/sample
work=$(mktemp -d)
trap 'kill "${documents:-}" 2>/dev/null; sample_stop; rm -rf "$work"' EXIT

# A client that names itself by a document needs an https server that the program trusts.
certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
    -keyout "$work/key.pem" -out "$work/certificate.pem" 2>"$work/openssl.txt" || { cat "$work/openssl.txt" >&2; return 1; }
}
certificate || { echo "cannot make a certificate; openssl 3 is needed" >&2; exit 2; }
"$node" "$cache/node/documents.mjs" "$work/key.pem" "$work/certificate.pem" >"$work/documents.txt" 2>&1 &
documents=$!
sample_wait "$work/documents.txt" '^https:' "$documents" || exit 2
AEGIS_DOCUMENT=$(cat "$work/documents.txt")
authority=${AEGIS_DOCUMENT#https://}
sample_settings=(CIMD_ALLOWED_HOSTS="${authority%%/*}" CIMD_ALLOW_PRIVATE_ADDRESSES=true
  SSL_CERT_FILE="$work/certificate.pem")

browser_of "$work"
export AEGIS_DOCUMENT

SAMPLE_SIGN_IN=yes SAMPLE_RATE=100000 SAMPLE_FAILURES=100000 sample_start 0 0 || exit 2

log=$cache/sign-in.log
: >"$log"
expected=0
for client in $clients; do
  expected=$((expected + cases[$client]))
  case $client in
  ts-v1 | ts-v2 | mcp-remote) timeout 600 "$node" "$cache/node/sign-in-$client.mjs" ;;
  python | fastmcp) timeout 600 "$cache/python/venv/bin/python" "$here/python/sign_in_$client.py" ;;
  rmcp) rust_client ;;
  esac 2>&1 | tee -a "$log"
done

# What must hold when everybody has gone: Gitea was asked nothing that it must not be asked, and no credential of any
# kind is in the log or the audit trail.
after() {
  local violations leaks
  violations=$(sample_violations)
  if [ -z "$violations" ]; then echo "PASS afterwards: Gitea holds nothing against the server"; else
    printf 'FAIL afterwards: Gitea holds something against the server\n%s\n' "$violations"
  fi
  leaks=$(grep -rhoE 'aegis_(at|rt|code|cs|key)_.{8}|gt[ao]_.{8}|eyJ[A-Za-z0-9_-]{8}'"|$AEGIS_PASSWORD" \
    "$SAMPLE_DIR/server.log" "$SAMPLE_DIR"/audit.log* | sort -u)
  if [ -s "$SAMPLE_DIR/audit.log" ] && [ -z "$leaks" ]; then echo "PASS afterwards: no credential in log or audit trail"; else
    printf 'FAIL afterwards: no audit trail, or credentials in it or in the log\n%s\n' "$leaks"
  fi
}
after 2>&1 | tee -a "$log"
expected=$((expected + 2))

if ! told "$log" "$expected"; then
  printf '%s\n' "what the server said last:" >&2
  tail -n 20 "$SAMPLE_DIR/server.log" >&2
  printf '%s\n' "what the browser said last:" >&2
  tail -n 5 "$work/browser.txt" >&2
  exit 1
fi
