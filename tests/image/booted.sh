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
    echo MCP_PORT=banana >>/etc/aegis-mcp/aegis-mcp.env
    systemctl start aegis-mcp
    for _ in $(seq 100); do [ "$(show ActiveState)" = failed ] && break; sleep 0.1; done
    echo "wrong=$(show ExecMainStatus) restarts=$(show NRestarts)"
    journalctl -u aegis-mcp --no-pager
} >/root/booted.txt 2>&1
systemctl poweroff
