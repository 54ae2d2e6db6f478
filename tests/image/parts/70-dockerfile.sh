# docker/Dockerfile from its first line to its last, over a builder made of this machine's own programs, since no base can be
# downloaded; only cargo is played (stub/cargo): it hands out what was compiled outside.
builder=$PWD/target/image/builder
rm -rf "$builder"
mkdir -p "$builder"/{usr,etc/ssl,etc/alternatives,tmp,stub,proc,dev}
for link in bin sbin lib lib64; do ln -s "usr/$link" "$builder/$link"; done
cp "$here"/stub/* "$dist/aegis-mcp" "$dist/gateway.wasm" "$builder/stub/"
printf 'FROM scratch\nCOPY . /\nENV PATH=/stub:/usr/local/bin:/usr/bin:/bin\n' >"$work/Builder"
build_image --tag localhost/builder:test --file "$work/Builder" "$builder" >/dev/null
check "the Dockerfile builds" build_image --build-arg BUILDER=localhost/builder:test --volume /usr:/usr:ro --volume /etc/ssl:/etc/ssl:ro \
    --volume /etc/alternatives:/etc/alternatives:ro --tag localhost/aegis-mcp:dockerfile --file docker/Dockerfile .
held() {
    local at
    at=$(pod image mount "$1")
    (cd "$at" && find . \( -type f -o -type d \) -printf '%p %U:%G %m ' \( -type f -exec sh -c 'sha256sum <"$1"' - {} \; -o -printf '\n' \) | sort)
    pod image unmount "$1" >/dev/null
}
held "$image" >"$work/local"
held localhost/aegis-mcp:dockerfile >"$work/dockerfile"
check "and makes an image" grep -q '^./usr/local/bin/aegis-mcp ' "$work/dockerfile"
check "and makes the very image that was tested, file by file" diff "$work/local" "$work/dockerfile"
config_of() { pod image inspect --format '{{json .Config}} {{.User}} {{json .HealthCheck}}' "$1"; }
check "with the same settings" is "$(config_of localhost/aegis-mcp:dockerfile)" "$(config_of "$image")"
