# Settings that `setup` makes out of the image, and the lines of docs/deployment.md that serve with them, as they stand there: only
# `docker` is podman here, in the network of these tests and without the published port, and the person is user 1000.
source "$here/compose.sh"
mkdir -p "$work/bin"
printf '#!/bin/sh\necho 1000\n' >"$work/bin/id"
cat >"$work/bin/docker" <<TEXT
#!/bin/bash
given=()
while [ \$# -gt 0 ]; do
    case \$1 in
    -p) shift ;;
    *) given+=("\$1") ;;
    esac
    shift
done
exec "$work/podman-here" "\${given[0]}" --network "ns:/run/netns/$net" --health-interval disable --pull never \\
    --ulimit nofile=4096:4096 --ulimit nproc=4096:4096 "\${given[@]:1}"
TEXT
chmod +x "$work/bin/"*
pod tag "$image" localhost/aegis-mcp:latest
# The line of the documentation that begins so, whole.
documented() { awk -v begin="$1" 'index($0, begin) == 1 { on = 1 } on { cut = sub(/\\$/, ""); printf "%s", $0; if (!cut) exit }' docs/deployment.md; }
setup_line=$(documented 'docker run --rm -it')
serve_line=$(documented 'docker run -d')
# A new folder with the project's compose files, which the person owns.
project() {
    rm -rf "$work/project"
    install -d "$work/project"
    cp -r docker docker-compose.yml "$work/project/"
    chown -R 1000:1000 "$work/project"
}
typed() { (cd "$work/project" && PATH="$work/bin:$PATH" bash -c "$1"); }
cat >"$work/there.yaml" <<TEXT
services:
  aegis-mcp:
    image: $image
    container_name: $net
    network_mode: ns:/run/netns/$net
    ports: !reset []
    extra_hosts: !reset []
    healthcheck: {disable: true}
    ulimits: {nofile: 4096, nproc: 4096}
volumes:
  aegis-mcp-logs: {name: $net-logs}
  aegis-mcp-data: {name: $net-data}
TEXT
compose_up() { (cd "$work/project" && by_compose -f docker-compose.yml -f "$work/there.yaml" --profile prod up -d --no-build); }
compose_down() { (cd "$work/project" && by_compose -f docker-compose.yml -f "$work/there.yaml" --profile prod down >/dev/null 2>&1) || true; }
own() { sed -n "s/^$1=//p" "$work/project/.env"; }
mode() { stat -c '%a %u' "$work/project/$1"; }
writes() {
    status "$url/mcp/tool/call" -H "Authorization: Bearer $(own MCP_API_KEYS | cut -d= -f2-)" -H 'Content-Type: application/json' \
        -d '{"tool":"create_issue","arguments":{"owner":"alice","repo":"demo","title":"Out of the image"}}'
}

# A team, answered at a terminal.
project
one_time=$(inside curl -s -u alice:alice-has-a-password http://127.0.0.1:3000/api/v1/users/alice/tokens \
    -H 'Content-Type: application/json' -d "{\"name\":\"one-time $$\",\"scopes\":[\"write:user\"]}" | sed -n 's/.*"sha1": *"\([^"]*\)".*/\1/p')
printf '%s\n' http://127.0.0.1:3000 https://mcp.localhost y alice/demo "$one_time" >"$work/answers"
check "the documented line asks, and makes a team's settings" typed "script -qec '$setup_line' /dev/null <'$work/answers'"
tail -n 30 "$work/check" >"$work/screen"
check "they belong to who typed it, and to nobody else" is "$(mode .env)" "600 1000"
check "the policy beside them can be read by the server" is "$(mode aegis-policy.yaml)" "644 1000"
check "the next line is one of compose, with Caddy" has "$(cat "$work/screen")" \
    "docker compose -f docker/compose.yaml -f docker/compose.caddy.yaml --project-directory . --profile prod up -d"
check "which finds its variable there" is "$(own MCP_DOMAIN)" mcp.localhost
check "compose serves a .env that names a policy" compose_up
up
check "a team's: it is ready" is "$(status "$url/ready")" 200
check "a team's: people can sign in" has "$(ask "$url/.well-known/oauth-authorization-server")" '"issuer":"https://mcp.localhost"'
check "a team's: doctor inside knows the policy" has "$(pod exec "$net" /usr/local/bin/aegis-mcp doctor || true)" "$work/project/aegis-policy.yaml is good"
compose_down

# One person, by flags.
project
line=${setup_line/ -it / -i }
check "the same line makes one person's settings from flags" typed "${line/ setup team/ setup solo} --gitea-url http://127.0.0.1:3000 \
    --token-stdin --key-name laptop --writes=alice/demo <<<5bc05bc05bc05bc05bc05bc05bc05bc05bc05bc0"
check "the next line is one of compose" has "$(cp "$work/check" "$work/screen"; cat "$work/screen")" "docker compose --profile prod up -d"
check "compose serves them" compose_up
up
connect=$(sed -n 's/^ *docker compose exec aegis-mcp //p' "$work/screen")
# shellcheck disable=SC2086
check "and the line after it prints what a client takes" has "$(pod exec "$net" $connect 2>/dev/null)" "claude mcp add --transport http aegis-gitea $url/mcp"
check "a tool writes, by the policy that was mounted" is "$(writes)" 200
compose_down

serve_line=${serve_line/--name aegis-mcp /--name $net }
pod rm -f -t 1 "$net" >/dev/null 2>&1 || true
check "without compose, and without its policy" typed "$serve_line"
pod wait "$net" >/dev/null 2>&1 || true
check "it ends" is "$(pod inspect -f '{{.State.ExitCode}}' "$net")" 64
check "and names the file" has "$(said)" "$work/project/aegis-policy.yaml"
pod rm -f "$net" >/dev/null 2>&1
policy=$work/project/aegis-policy.yaml
check "with the documented mount it starts" typed "${serve_line/ aegis-mcp:latest/ -v $policy:$policy:ro aegis-mcp:latest}"
up
check "and a tool writes" is "$(writes)" 200
pod rm -f -t 15 "$net" >/dev/null 2>&1
pod volume rm -f aegis-mcp-logs aegis-mcp-data >/dev/null
