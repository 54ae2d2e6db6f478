# How it ends and begins again, on the same volumes.
verify() { pod run --rm "${hardened[@]}" "${volumes[@]}" "$image" audit verify /var/log/aegis-mcp; }
pod kill -s KILL "$net" >/dev/null
pod wait "$net" >/dev/null 2>&1 || true
check "after SIGKILL the audit log verifies" verify
pod start "$net" >/dev/null
up
check "and the same volumes serve again" is "$(call)" 200
check "SIGTERM reaches PID 1" pod stop -t 15 "$net"
check "which ends in good order" is "$(pod inspect -f '{{.State.ExitCode}}' "$net")" 0
check "its log says so in its last line" has "$(tail -n 1 "$(pod volume inspect -f '{{.Mountpoint}}' "$net-logs")/audit.log")" log_close
check "the audit log verifies" verify
check "health says no where nothing runs" eval '! pod run --rm "${hardened[@]}" "${by_key[@]}" "$image" health'
