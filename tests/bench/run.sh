#!/usr/bin/env bash
# Build the bench as the program itself was built, and measure what is in target/dist: everything, or the part that is
# named (`times`, `dear`, `secrets`, `audit`). See README.md beside this.
set -euo pipefail
cd "$(dirname "$0")/../.."
dist=${AEGIS_DIST:-target/dist}
test -x "$dist/aegis-mcp" || { echo "There is no $dist/aegis-mcp yet: run 'make build' first." >&2; exit 1; }
export CARGO_PROFILE_DEV_OPT_LEVEL=2
cargo build --locked --quiet -p aegis-twin
mkdir -p target
bench=${CARGO_TARGET_DIR:-target}/${CARGO_BUILD_TARGET:-x86_64-unknown-linux-musl}/debug/aegis-bench
part=${1:-run}
if [ "$part" = run ] || [ "$part" = audit ]; then
  # Compared with what two programs make of the same machine in the same run.
  if ! command -v fio > /dev/null; then
    if [ "$(id -u)" = 0 ]; then apt-get install --yes --quiet fio > /dev/null; else sudo -n apt-get install --yes --quiet fio > /dev/null; fi || true
  fi
  if command -v fio > /dev/null && command -v openssl > /dev/null; then
    tests/bench/audit.py "$dist/aegis-mcp" target target/bench-audit.json
  else
    echo "The audit log is not measured: that needs fio and openssl." >&2
  fi
fi
if [ "$part" = run ] || [ "$part" = times ] || [ "$part" = dear ]; then "$bench" "$part" "$dist" target/bench.json; fi
if [ "$part" = run ] || [ "$part" = secrets ]; then
  # A scanner to compare with, at one version; without it redaction is measured and not compared.
  tools=target/tools/kingfisher
  cmp --silent tests/bench/kingfisher.txt "$tools/installed.txt" || {
    python3 -m venv --clear "$tools" &&
      "$tools/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
        --requirement tests/bench/kingfisher.txt && cp tests/bench/kingfisher.txt "$tools/installed.txt"
  } || echo "Kingfisher cannot be installed here." >&2
  "$bench" secrets target/bench-secrets.json $(find "$tools"/lib*/python3*/site-packages/kingfisher/bin -name kingfisher -type f -print -quit 2>/dev/null)
fi
