# Sourced: the clients of tests/clients, at the versions of the lock files there, in $cache. `here` and `cache` are set by
# the script that sources this; $node is then a Node that is new enough for all of them.

mkdir -p "$cache/node" "$cache/python" || exit 2
cache=$(cd "$cache" && pwd)

# Packages are installed again only when their lock file changed. Install scripts are not run: none is needed.
install_node() {
  cmp -s "$here/node/package-lock.json" "$cache/node/.installed" && return
  cp "$here/node/package.json" "$here/node/package-lock.json" "$cache/node/" &&
    (cd "$cache/node" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) &&
    cp "$here/node/package-lock.json" "$cache/node/.installed"
}

install_python() {
  cmp -s "$here/python/requirements.txt" "$cache/python/.installed" && return
  python3 -m venv --clear "$cache/python/venv" &&
    "$cache/python/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps \
      -r "$here/python/requirements.txt" &&
    cp "$here/python/requirements.txt" "$cache/python/.installed"
}

install_node || { echo "cannot install the JavaScript clients" >&2; exit 2; }
install_python || { echo "cannot install the Python clients" >&2; exit 2; }

# Some clients need Node 22.19; one of that version comes with the packages, so that the machine's does not matter.
node=$(ls "$cache"/node/node_modules/node-linux-*/bin/node 2>/dev/null | head -n 1)
[ -x "$node" ] || { echo "no Node for this machine among the packages" >&2; exit 2; }

# Scripts find their packages beside themselves.
cp "$here"/*.mjs "$cache/node/"

# Count the cases of a log, of which there must be at least so many: a case that never reported is a failure too.
told() {
  local log=$1 expected=$2 passed failed
  passed=$(grep -c '^PASS ' "$log")
  failed=$(grep -c '^FAIL ' "$log")
  if [ $((passed + failed)) -lt "$expected" ]; then failed=$((expected - passed)); fi
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
}
