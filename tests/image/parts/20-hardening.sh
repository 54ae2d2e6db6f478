# Served as docker/compose.yaml serves it: looked at from outside, and tried from inside.
before=$(date +%s%N)
run "${volumes[@]}" "${by_key[@]}" "$image"
created=$(date +%s%N)
up
health=$(date +%s%N)
check "a tool call is answered" is "$(call)" 200
answered=$(date +%s%N)
echo "     container created after $(((created - before) / 1000000)) ms, /health after $(((health - before) / 1000000)) ms, the first tool call after $(((answered - before) / 1000000)) ms"
check "the guest that came with the image was used" test -z "$(said | grep guest_cache || true)"

pid=$(pod inspect -f '{{.State.Pid}}' "$net")
line() { awk -v name="$1:" '$1 == name { $1 = ""; print substr($0, 2) }' "/proc/$pid/status"; }
check "it is PID 1 of its container" is "$(line NSpid | awk '{ print $NF }')" 1
check "all its user ids are 65532" is "$(line Uid)" "65532 65532 65532 65532"
for set in CapInh CapPrm CapEff CapBnd CapAmb; do check "$set is empty" is "$(line $set)" 0000000000000000; done
check "it can gain no privilege" is "$(line NoNewPrivs)" 1
check "a seccomp filter is on" is "$(line Seccomp)" 2
check "its root is mounted read-only" grep -qE ' / / ro[, ]| / ro[, ]' <(cut -d' ' -f4- "/proc/$pid/mountinfo")
check "no core is ever written" grep -qE 'Max core file size +0 +0' "/proc/$pid/limits"
check "podman's health check finds it healthy" pod healthcheck run "$net"
check "there is no shell to execute" eval '! pod exec "$net" /bin/sh -c true'

# Another guest, compiled by a child under the same filter and limits: the same with a section that says nothing.
data=$(pod volume inspect -f '{{.Mountpoint}}' "$net-data")
{ cat "$dist/gateway.wasm"; printf '\000\007\006inside'; } >"$data/other.wasm"
check "another guest is compiled inside and put in force" pod exec "$net" /usr/local/bin/aegis-mcp guest swap /var/lib/aegis-mcp/other.wasm
check "and answers a tool call" is "$(call)" 200
check "history knows it" has "$(pod exec "$net" /usr/local/bin/aegis-mcp guest history)" "$(sha256sum "$data/other.wasm" | cut -c1-64)"
check "and it is taken down again" pod exec "$net" /usr/local/bin/aegis-mcp guest rollback
check "which answers too" is "$(call)" 200
rm "$data/other.wasm"

pod run --rm --name "$net-probe" "${hardened[@]}" "${volumes[@]}" -v "$work/probe:/probe:ro" --entrypoint /probe "$image" \
    >"$work/inside" 2>"$work/podman" || true
cat "$work/inside"
passes=$((passes + $(grep -c '^PASS' "$work/inside" || true)))
failures=$((failures + $(grep -c '^FAIL' "$work/inside" || true)))
check "the probe came to its end" grep -q 'everything was tried' "$work/inside"
