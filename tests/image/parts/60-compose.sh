# The compose files as they are, by podman-compose, but for the network: there is no bridge here.
source "$here/compose.sh"

check "the root file includes the other" has "$(config --profile prod)" "aegis-mcp-data:/var/lib/aegis-mcp"
check "the dev profile has the sample Gitea" has "$(config --profile dev)" "network_mode: service:sample-gitea"
check "with Caddy, one variable gives the address" has \
    "$(MCP_DOMAIN=mcp.localhost config -f docker/compose.yaml -f docker/compose.caddy.yaml --profile prod)" "PUBLIC_BASE_URL: https://mcp.localhost"
check "without it nothing starts" eval '! config -f docker/compose.yaml -f docker/compose.caddy.yaml --profile prod'

pod rm -f -t 1 "$net" >/dev/null 2>&1 || true
cat >"$work/here.yaml" <<TEXT
services:
  aegis-mcp:
    image: $image
    container_name: $net
    network_mode: ns:/run/netns/$net
    ports: !reset []
    extra_hosts: !reset []
    healthcheck: {disable: true}
    ulimits: {nofile: 4096, nproc: 4096}
    environment:
      GITEA_URL: http://127.0.0.1:3000
      GITEA_TOKEN: 5bc05bc05bc05bc05bc05bc05bc05bc05bc05bc0
      MCP_API_KEYS: test=$key
volumes:
  aegis-mcp-logs: {name: $net-logs}
  aegis-mcp-data: {name: $net-data}
TEXT
check "docker/compose.yaml comes up" by_compose -f docker/compose.yaml -f "$work/here.yaml" --profile prod up -d --no-build
up
check "and a tool call is answered" is "$(call)" 200
pid=$(pod inspect -f '{{.State.Pid}}' "$net")
check "as user 65532, with no capability, filtered" is \
    "$(awk '/^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):/ { printf "%s ", $2 }' "/proc/$pid/status")" "65532 0000000000000000 0000000000000000 1 2 "
check "with a read-only root" grep -qE ' / ro[, ]' <(cut -d' ' -f5- "/proc/$pid/mountinfo" | sed 's/^/ /')
check "and its two volumes, and the place of a policy" is "$(pod inspect -f '{{range .Mounts}}{{.Name}} {{.Destination}} {{end}}' "$net" | tr ' ' '\n' | grep . | sort | tr '\n' ' ')" \
    "/etc/aegis-mcp/policy.yaml /var/lib/aegis-mcp /var/log/aegis-mcp $net-data $net-logs "
by_compose -f docker/compose.yaml -f "$work/here.yaml" --profile prod down >/dev/null 2>&1 || true
