# What the image holds and says of itself.
size=$(pod image inspect --format '{{.Size}}' "$image")
# The program of the test build is some megabytes larger than the one that is shipped, whose image stays below 50 MB.
check "the image has $((size / 1000000)) MB, less than 55" test "$size" -lt 55000000
config=$(pod image inspect "$image")
has_line() { check "the image says: $1" has "$config" "$1"; }
has_line '"65532:65532"'
has_line '"/usr/local/bin/aegis-mcp"'
has_line '"StopSignal": "SIGTERM"'
has_line 'NODE_ENV=production'
has_line 'ENVIRONMENT=production'
has_line '"8080/tcp"'
mounted=$(pod image mount "$image")
check "it holds these files and no others" is "$(cd "$mounted" && find . -type f ! -name '*.cwasm' | sort | tr '\n' ' ')" \
    "./etc/ssl/certs/ca-certificates.crt ./usr/local/bin/aegis-mcp ./usr/local/bin/gateway.wasm ./usr/local/share/doc/aegis-mcp/LICENSE ./usr/local/share/doc/aegis-mcp/THIRD_PARTY.md "
check "the directories of both volumes belong to 65532" is \
    "$(stat -c %u:%g "$mounted/var/log/aegis-mcp" "$mounted/var/lib/aegis-mcp" | tr '\n' ' ')" "65532:65532 65532:65532 "
pod image unmount "$image" >/dev/null
