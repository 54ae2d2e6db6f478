# Volumes that are missing, read-only, or somebody else's.
run "${by_key[@]}" "$image"
up
refuses_calls "no volumes"
check "no volumes: one line says what to mount" has "$(said)" "/var/log/aegis-mcp is on a read-only file system: mount a writable volume there"

run -v "$net-logs:/var/log/aegis-mcp:ro" -v "$net-data:/var/lib/aegis-mcp:ro" "${by_key[@]}" "$image"
up
refuses_calls "read-only volumes"

signing_in reading
run "${signing_in[@]}" -e PUBLIC_BASE_URL=$url "$image"
up
check "no volumes: sign-in says what it is" is "$(status "$url/.well-known/oauth-authorization-server")" 200
check "no volumes: a client registers" is "$(status "$url/register" -H 'Content-Type: application/json' \
    -d '{"redirect_uris":["http://127.0.0.1:9/callback"],"client_name":"test"}')" 201
client=$(sed -n 's/.*"client_id": *"\([^"]*\)".*/\1/p' "$work/answer")
check "no volumes: the approval page is shown" is "$(status -G "$url/authorize" --data-urlencode "client_id=$client" \
    --data-urlencode redirect_uri=http://127.0.0.1:9/callback -d response_type=code -d code_challenge_method=S256 \
    -d code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM --data-urlencode "resource=$url/mcp" -d state=s)" 200
check "no volumes: a call without a token is sent to the sign-in" is "$(status -X POST "$url/mcp")" 401

install -d -o root -g root -m 755 "$work/logs"
run -v "$work/logs:/var/log/aegis-mcp" -v "$net-other:/var/lib/aegis-mcp" "${by_key[@]}" "$image"
up
refuses_calls "a directory of root's"
lines=$(said | grep -c 'chown' || true)
check "a directory of root's: one line has the command" is "$lines" 1
command=$(said | sed -n 's/.*\(sudo chown -R [0-9:]* [^" ]*\).*/\1/p')
check "a directory of root's: the command names the directory outside" has "$command" "chown -R 65532:65532 "
eval "${command#sudo }"
check "a directory of root's: with that command typed it serves, without a restart" heals
