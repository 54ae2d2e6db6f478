#!/bin/sh
# Runs in the Debian that tests/image/install.sh boots, as a unit of its own, and ends the machine: prints what the service is
# like, one NAME=VALUE a line.
ready() {
    for _ in $(seq 600); do
        curl -sf -o /dev/null http://127.0.0.1:18080/ready && { echo yes; return; }
        sleep 0.1
    done
    echo no
}
show() { systemctl show -p "$1" --value aegis-mcp; }
/root/forge --port 3000 >/dev/null 2>&1 &
{
    systemctl start aegis-mcp
    echo "ready=$(ready)"
    pid=$(show MainPID)
    echo "uid=$(awk '/^Uid/ { print $2 }' "/proc/$pid/status")"
    for name in CapEff CapBnd NoNewPrivs Seccomp; do echo "$name=$(awk -v n="$name:" '$1 == n { print $2 }' "/proc/$pid/status")"; done
    echo "cached=$(ls /var/cache/private/aegis-mcp/*.cwasm | wc -l)"
    echo "log_mode=$(stat -L -c %a /var/log/aegis-mcp)"
    echo "warnings=$(journalctl -u aegis-mcp --no-pager | grep -c -E '"level":"(WARN|ERROR)"')"
    systemctl restart aegis-mcp
    echo "ready_again=$(ready)"
    echo "cached_again=$(ls /var/cache/private/aegis-mcp/*.cwasm | wc -l)"
    systemctl stop aegis-mcp
    echo "stopped=$(show Result)"
    echo "verified=$(aegis-mcp audit verify /var/log/aegis-mcp >/dev/null; echo $?)"

    # From the archive to a tool that writes, as docs/deployment.md has it, and from there to sign-in.
    rm -rf /etc/aegis-mcp
    echo "new=$(/root/aegis/install.sh >/dev/null; echo $?)"
    settings=/etc/aegis-mcp/aegis-mcp.env
    echo "setup=$(aegis-mcp setup solo --env-file $settings --gitea-url http://127.0.0.1:3000 --port 18080 --token-stdin \
        --writes=alice/demo >/root/setup.txt 2>&1 <<TEXT
5bc05bc05bc05bc05bc05bc05bc05bc05bc05bc0
TEXT
    echo $?)"
    echo "enabled=$(sh -c "$(grep -A1 'Start the server:' /root/setup.txt | tail -n 1 | sed 's/sudo //g')" >/dev/null 2>&1; echo $?)"
    echo "ready_with_writes=$(ready)"
    key=$(sed -n 's/^MCP_API_KEYS=[^=]*=//p' $settings)
    echo "wrote=$(curl -s -o /root/setup.txt -w '%{http_code}' http://127.0.0.1:18080/mcp/tool/call -H "Authorization: Bearer $key" \
        -H 'Content-Type: application/json' -d '{"tool":"create_issue","arguments":{"owner":"alice","repo":"demo","title":"Booted"}}')"
    # Another guest, compiled under the unit's filter and limits: the same with a section that says nothing.
    { cat /usr/local/bin/gateway.wasm; printf '\000\007\006booted'; } >/root/other.wasm
    at() { env AUDIT_LOG_PATH=/var/log/aegis-mcp/audit.log DCR_STORAGE_PATH=/var/lib/aegis-mcp/dcr_clients.json "$@" >>/root/setup.txt 2>&1; echo $?; }
    echo "swapped=$(at aegis-mcp guest swap /root/other.wasm)"
    echo "ready_swapped=$(ready)"
    echo "rolled_back=$(at aegis-mcp guest rollback)"
    echo "doctor=$(aegis-mcp doctor --env-file $settings >>/root/setup.txt 2>&1; echo $?)"
    token=$(curl -s -u alice:alice-has-a-password http://127.0.0.1:3000/api/v1/users/alice/tokens \
        -H 'Content-Type: application/json' -d '{"name":"one-time","scopes":["write:user"]}' | sed -n 's/.*"sha1": *"\([^"]*\)".*/\1/p')
    team() {
        echo "$token" | aegis-mcp setup team --env-file $settings --public-url http://127.0.0.1:18080 --admin-token-stdin
    }
    # There are no certificates in this Debian, which fetching clients' documents needs.
    echo "setup_team_refused=$(team >/root/refused.txt 2>&1; echo $?) named=$(grep -c ca-certificates /root/refused.txt)"
    echo CIMD_ALLOWED_HOSTS=none >>$settings
    echo "setup_team=$(team >/root/team.txt 2>&1; echo $?)"
    # What it says to type, without sudo, which root needs not.
    echo "restarted=$(sh -c "$(grep -A1 'Start the server:' /root/team.txt | tail -n 1 | sed 's/sudo //g')" >/dev/null 2>&1; echo $?)"
    cat /root/refused.txt /root/team.txt >>/root/setup.txt
    echo "ready_with_sign_in=$(ready)"
    echo "metadata=$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:18080/.well-known/oauth-authorization-server)"
    echo "settings_mode=$(stat -c %a $settings)"

    echo MCP_PORT=banana >>/etc/aegis-mcp/aegis-mcp.env
    systemctl restart aegis-mcp
    for _ in $(seq 100); do [ "$(show ActiveState)" = failed ] && break; sleep 0.1; done
    echo "wrong=$(show ExecMainStatus) restarts=$(show NRestarts)"
    journalctl -u aegis-mcp --no-pager
} >/root/booted.txt 2>&1
systemctl poweroff
