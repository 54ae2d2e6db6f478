# Sourced: the Rust client, and the browser that clients start. `here` and `cache` are set by the script that sources this.

# Run the Rust client, which has a lock file of its own, apart from the product's workspace, and is built for this machine.
rust_client() {
  local machine target
  machine=$(rustc -vV | sed -n 's/^host: //p')
  target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
  (cd "$here/rmcp" && CARGO_TARGET_DIR=$target cargo build --quiet --locked --target "$machine") || return
  RUST_BACKTRACE=0 timeout 600 "$target/$machine/debug/aegis-client-rmcp" "$@"
}

# What clients start as "the browser", in a folder: it signs in and comes back to them.
browser_of() {
  cat >"$1/browser" <<TEXT
#!/bin/sh
echo "\$1" >>"$1/visited"
exec "$node" "$cache/node/browser.mjs" "\$1" --arrive >>"$1/browser.txt" 2>&1
TEXT
  chmod +x "$1/browser"
  : >"$1/browser.txt"
  export AEGIS_BROWSER=$1/browser AEGIS_VISITED=$1/visited AEGIS_NODE=$node AEGIS_SIGN_IN=$cache/node/browser.mjs
}
