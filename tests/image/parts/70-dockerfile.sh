# docker/Dockerfile from its first line to its last, over a builder made of this machine's own programs, since no base can be
# downloaded; only cargo is played (stub/cargo): it hands out what was compiled outside.
builder=$PWD/target/image/builder
rm -rf "$builder"
mkdir -p "$builder"/{usr,etc/ssl,etc/alternatives,tmp,stub,proc,dev}
for link in bin sbin lib lib64; do ln -s "usr/$link" "$builder/$link"; done
cp "$here"/stub/* "$dist/aegis-mcp" "$dist/gateway.wasm" "$dist/forge" "$builder/stub/"
printf 'FROM scratch\nCOPY . /\nENV PATH=/stub:/usr/local/bin:/usr/bin:/bin\n' >"$work/Builder"
build_image --tag localhost/builder:test --file "$work/Builder" "$builder" >/dev/null
over_builder() {
    build_image --build-arg BUILDER=localhost/builder:test --volume /usr:/usr:ro --volume /etc/ssl:/etc/ssl:ro \
        --volume /etc/alternatives:/etc/alternatives:ro "$@" .
}
check "the Dockerfile builds" over_builder --tag localhost/aegis-mcp:dockerfile --file docker/Dockerfile
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

# The dev profile's pair, with the settings that docker/compose.yaml gives it.
check "the sample's Dockerfile builds" over_builder --tag localhost/aegis-sample:test --file docker/Dockerfile.sample
dev=$(awk '/^  aegis-mcp-dev:/ { on = 1 } on && /^ +(GITEA_URL|GITEA_TOKEN|MCP_API_KEYS|LOG_LEVEL): / { print "-e " $1 $2 } /^    volumes:/ { if (on) exit }' docker/compose.yaml | sed 's/: */=/')
alone=("${hardened[@]/ns:*/none}")
pod run -d --name "$net-sample" "${alone[@]}" localhost/aegis-sample:test >/dev/null 2>"$work/podman"
pod rm -f -t 1 "$net" >/dev/null 2>&1 || true
# shellcheck disable=SC2086
pod run -d --name "$net" "${hardened[@]/ns:*/container:$net-sample}" -v "$net-logs:/var/log/aegis-mcp" $dev localhost/aegis-mcp:dockerfile \
    >/dev/null 2>"$work/podman" || cat "$work/podman"
for _ in $(seq 200); do pod healthcheck run "$net" >/dev/null 2>&1 && break; sleep 0.1; done
beside() { nsenter -t "$(pod inspect -f '{{.State.Pid}}' "$net")" -n curl -s --max-time 20 "$@"; }
check "the dev pair answers with the key of docker/compose.yaml" has "$(beside "$url/mcp/tool/call" -H 'Content-Type: application/json' \
    -H "Authorization: Bearer ${dev##*dev=}" -d '{"tool":"get_repository_info","arguments":{"owner":"alice","repo":"demo"}}')" '"full_name":"alice/demo"'
check "the sample ends by SIGINT" pod stop -t 10 "$net-sample"
check "in good order" is "$(pod inspect -f '{{.State.ExitCode}}' "$net-sample")" 0
