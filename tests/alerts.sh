#!/usr/bin/env bash
# Alerts and metrics by the word of promtool: tests/alerts.sh PROMTOOL URL. The rules are right and do what their tests say, and
# what a server serves at URL/metrics, calls made, is what Prometheus reads and advises.
set -euo pipefail
cd "$(dirname "$0")/.."
promtool=$1 url=$2

(cd packaging/prometheus && "$promtool" check rules alerts.yml && "$promtool" test rules alerts_test.yml)

call() {
    curl -sS -o /dev/null --fail "$url/mcp/tool/call" -H "Authorization: Bearer $AEGIS_KEY" -H "Content-Type: application/json" -d "$1"
}
call '{"tool":"get_repository_info","arguments":{"owner":"alice","repo":"demo"}}'
call '{"tool":"create_issue","arguments":{"owner":"alice","repo":"demo","title":"For promtool"}}'
metrics=$(curl -sS --fail "$url/metrics")
for family in aegis_tool_duration_seconds_bucket aegis_gitea_request_duration_seconds_bucket aegis_audit_sync_duration_seconds_bucket; do
    grep -q "^$family" <<<"$metrics" || { echo "$family is not in /metrics" >&2; exit 1; }
done
said=$("$promtool" check metrics <<<"$metrics" 2>&1) || { echo "$said" >&2; exit 1; }
[ -z "$said" ] || { echo "$said" >&2; exit 1; }
echo "promtool reads /metrics: $(grep -vc '^#' <<<"$metrics") samples of $(grep -c '^# TYPE' <<<"$metrics") families, no remarks"
