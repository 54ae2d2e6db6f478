# https in front, with docker/Caddyfile and the settings of docker/compose.caddy.yaml: Caddy of Debian in a network of its
# own at .2, the server at .3, a client at .4. Caddy's own authority signs, since the name ends in .localhost.
subnet=172.31.255 name=mcp.localhost
front() { ip netns exec "$net-front" "$@"; }
if [ ! -x target/image/caddy/usr/bin/caddy ]; then
    mkdir -p target/image/caddy
    (cd target/image && apt-get -o APT::Sandbox::User=root download -qq caddy libc6 libzstd1 >/dev/null && for deb in ./*.deb; do dpkg -x "$deb" caddy; done && rm -f ./*.deb)
fi
cp docker/Caddyfile target/image/caddy/Caddyfile
cat >target/image/caddy/Dockerfile <<'TEXT'
FROM scratch
COPY lib /lib
COPY lib64 /lib64
COPY usr/lib /usr/lib
COPY usr/bin/caddy /usr/bin/caddy
TEXT
build_image --tag localhost/caddy:test --file target/image/caddy/Dockerfile target/image/caddy >/dev/null

ip netns add "$net-front"
inside ip link add aegis type veth peer name front netns "$net-front"
inside ip addr add $subnet.3/29 dev aegis
inside ip link set aegis up
front ip link set lo up
front ip addr add $subnet.2/29 dev front
front ip addr add $subnet.4/29 dev front
front ip link set front up

signing_in writing
run "${volumes[@]}" "${signing_in[@]}" -e PUBLIC_BASE_URL=https://$name -e TRUSTED_PROXIES=$subnet.2 "$image"
up
mkdir -p "$work/caddy"
chmod 777 "$work/caddy"
pod run -d --name "$net-caddy" --network "ns:/run/netns/$net-front" --read-only --read-only-tmpfs=false \
    --ulimit nofile=4096:4096 --ulimit nproc=4096:4096 --cap-drop all --cap-add NET_BIND_SERVICE \
    --security-opt no-new-privileges -v "$PWD/docker/Caddyfile:/etc/caddy/Caddyfile:ro" -v "$work/caddy:/data" \
    -e MCP_DOMAIN=$name -e AEGIS_UPSTREAM=$subnet.3:8080 -e XDG_DATA_HOME=/data -e XDG_CONFIG_HOME=/data -e HOME=/data \
    localhost/caddy:test caddy run --config /etc/caddy/Caddyfile --adapter caddyfile >/dev/null 2>"$work/podman"
authority=$work/caddy/caddy/pki/authorities/local/root.crt
by_https() { front curl -s --max-time 20 --cacert "$authority" --resolve "$name:443:$subnet.2" --interface $subnet.4 "$@"; }
for _ in $(seq 200); do
    [ "$(by_https -o /dev/null -w '%{http_code}' https://$name/health)" != 200 ] || break
    sleep 0.1
done
[ -s "$authority" ] || pod logs "$net-caddy" >&2
check "over https it is alive" is "$(by_https -o "$work/answer" -w '%{http_code}' https://$name/health)" 200
check "it calls itself by the https address" has "$(by_https https://$name/.well-known/oauth-protected-resource/mcp)" "\"https://$name/mcp\""
check "a client is sent to sign in there" has "$(by_https -i -X POST https://$name/mcp)" "resource_metadata=\"https://$name/"
check "metrics are not for the world" is "$(by_https -o /dev/null -w '%{http_code}' https://$name/metrics)" 404
check "nor is readiness" is "$(by_https -o /dev/null -w '%{http_code}' https://$name/ready)" 404
check "plain http is sent to https" has "$(front curl -si --resolve "$name:80:$subnet.2" http://$name/mcp)" "ocation: https://$name/mcp"
log=$(pod volume inspect -f '{{.Mountpoint}}' "$net-logs")/audit.log
by_https -o /dev/null -X POST https://$name/mcp -H 'X-Forwarded-For: 198.51.100.7' -H 'User-Agent: forger' || true
pod stop -t 15 "$net" >/dev/null
newest=$(grep access_denied "$log" | tail -n 1)
check "the record has the client's address, not Caddy's" has "$newest" "\"$subnet.4\""
check "an address that a client makes up is nowhere in the record" eval '! grep -q 198.51.100.7 "$log"'
check "Caddy ends" pod stop -t 15 "$net-caddy"
pod rm -f "$net-caddy" >/dev/null

refused() { pod run --rm "${hardened[@]}" "${signing_in[@]}" "$@" "$image" >"$work/answer" 2>&1 && return 1; return 0; }
check "sign-in at a plain http address is refused" refused -e PUBLIC_BASE_URL=http://mcp.example.com
check "and says why" has "$(cat "$work/answer")" "must begin with https:// with OAUTH_MODE=true"
