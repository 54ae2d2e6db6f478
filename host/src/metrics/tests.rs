//! The text as a scraper reads it.

use std::sync::Arc;

use super::*;
use crate::push::Told;
use crate::trace::Outcome;

fn gauges<'a>(took: &'a Timed<2>, syncs: &Arc<Timed<0>>) -> Gauges<'a> {
    let used = |now| Used { now, limit: 10 * now };
    Gauges {
        instances: used(1),
        memory: used(2),
        connections: used(3),
        bodies: used(4),
        sign_in_places: used(5),
        long_work: used(6),
        questions: used(7),
        rate_windows: used(8),
        streams: used(9),
        streams_ended: vec![("stopping", 4)],
        audit: Kept {
            writable: true,
            lines: 12,
            queue: used(11),
            lost: 1,
            free: Some(9),
            signed: Some(7),
            anchored: None,
            syncs: syncs.clone(),
        },
        pushed: vec![Told { name: "syslog", taken: 5, lost: 1, waiting: 6, warning: None }],
        gitea: GiteaGauges { left_alone: true, kept_back: 3, repeated: 2, in_flight: 13, took },
        caches: vec![
            Cached { name: "guest", entries: used(14), bytes: Some(used(15)), hits: 16, misses: 17 },
            Cached { name: "permission", entries: used(18), bytes: None, hits: 19, misses: 20 },
        ],
        registry: Some(Registry {
            families: 21,
            grants: 22,
            rows: vec![("users", 23, Some(230)), ("grants", 24, None)],
            bytes: 25,
            durable: true,
        }),
        traces: Outcome { sent: 26, dropped: 27, refused: 28, waiting: 29 },
        policy: "0a1b",
        guest: ("2c3d", 4),
        writes: true,
    }
}

fn text(metrics: &Metrics) -> String {
    let (took, syncs) = (Timed::new(REQUESTS), Arc::new(Timed::new(SYNCS)));
    took.observe(["GET", "2xx"], Duration::from_millis(30));
    syncs.observe([], Duration::from_millis(3));
    metrics.render(&gauges(&took, &syncs))
}

#[test]
fn every_number_stands_under_its_name() {
    let metrics = Metrics::default();
    metrics.http_request(&http::Method::POST, "/mcp", 200, Duration::from_millis(20));
    metrics.tool_call("get_issue", "success", Duration::from_millis(1_500));
    metrics.refused("busy");
    metrics.policy_reload("done");
    metrics.job_run("stale_issue_detection", "missed", 3);
    metrics.own_secrets("masked", 2);
    metrics.guest_swap("done");
    let text = text(&metrics);
    for line in [
        "aegis_http_requests_total{method=\"POST\",path=\"/mcp\",status=\"200\"} 1",
        "aegis_http_request_duration_seconds_bucket{path=\"/mcp\",le=\"0.01\"} 0",
        "aegis_http_request_duration_seconds_bucket{path=\"/mcp\",le=\"0.025\"} 1",
        "aegis_http_request_duration_seconds_bucket{path=\"/mcp\",le=\"+Inf\"} 1",
        "aegis_tool_calls_total{tool=\"get_issue\",status=\"success\"} 1",
        "aegis_tool_duration_seconds_bucket{tool=\"get_issue\",le=\"2.5\"} 1",
        "aegis_tool_duration_seconds_sum{tool=\"get_issue\"} 1.500000",
        "aegis_tool_duration_seconds_count{tool=\"get_issue\"} 1",
        "aegis_host_refusals_total{reason=\"busy\"} 1",
        "aegis_policy_reloads_total{outcome=\"done\"} 1",
        "aegis_job_runs_total{job=\"stale_issue_detection\",outcome=\"missed\"} 3",
        "aegis_own_secrets_total{outcome=\"masked\"} 2",
        "aegis_guest_swaps_total{outcome=\"done\"} 1",
        "aegis_instances 1",
        "aegis_instances_limit 10",
        "aegis_instance_memory_bytes 2",
        "aegis_instance_memory_limit_bytes 20",
        "aegis_connections 3",
        "aegis_connections_limit 30",
        "aegis_request_body_bytes 4",
        "aegis_request_body_limit_bytes 40",
        "aegis_sign_in_requests 5",
        "aegis_sign_in_requests_limit 50",
        "aegis_long_work 6",
        "aegis_long_work_limit 60",
        "aegis_questions 7",
        "aegis_questions_limit 70",
        "aegis_rate_windows 8",
        "aegis_rate_windows_limit 80",
        "aegis_streams 9",
        "aegis_streams_limit 90",
        "aegis_streams_ended_total{reason=\"stopping\"} 4",
        "aegis_audit_writable 1",
        "aegis_audit_lines_total 12",
        "aegis_audit_queue_entries 11",
        "aegis_audit_queue_limit 110",
        "aegis_audit_lost_entries_total 1",
        "aegis_audit_free_bytes 9",
        "aegis_audit_signed_lines 7",
        "aegis_audit_sync_duration_seconds_bucket{le=\"0.0025\"} 0",
        "aegis_audit_sync_duration_seconds_bucket{le=\"0.005\"} 1",
        "aegis_audit_sync_duration_seconds_count 1",
        "aegis_audit_pushed_lines_total{receiver=\"syslog\"} 5",
        "aegis_audit_push_lost_lines_total{receiver=\"syslog\"} 1",
        "aegis_audit_push_waiting_lines{receiver=\"syslog\"} 6",
        "aegis_gitea_left_alone 1",
        "aegis_gitea_kept_back_total 3",
        "aegis_gitea_repeated_total 2",
        "aegis_gitea_requests_in_flight 13",
        "aegis_gitea_request_duration_seconds_bucket{method=\"GET\",status=\"2xx\",le=\"0.05\"} 1",
        "aegis_cache_entries{cache=\"guest\"} 14",
        "aegis_cache_entries_limit{cache=\"permission\"} 180",
        "aegis_cache_bytes{cache=\"guest\"} 15",
        "aegis_cache_limit_bytes{cache=\"guest\"} 150",
        "aegis_cache_hits_total{cache=\"permission\"} 19",
        "aegis_cache_misses_total{cache=\"guest\"} 17",
        "aegis_token_families 21",
        "aegis_grants 22",
        "aegis_registry_rows{kind=\"users\"} 23",
        "aegis_registry_rows{kind=\"grants\"} 24",
        "aegis_registry_rows_limit{kind=\"users\"} 230",
        "aegis_registry_bytes 25",
        "aegis_registry_durable 1",
        "aegis_trace_spans_total{outcome=\"sent\"} 26",
        "aegis_trace_spans_total{outcome=\"dropped\"} 27",
        "aegis_trace_spans_total{outcome=\"refused\"} 28",
        "aegis_trace_queue_spans 29",
        "aegis_writes_on 1",
        "aegis_policy_info{digest=\"0a1b\"} 1",
        "aegis_guest_info{digest=\"2c3d\"} 1",
        "aegis_guest_generation 4",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} not in\n{text}");
    }
    assert!(!text.contains("aegis_cache_bytes{cache=\"permission\"}"), "{text}");
    assert!(!text.contains("aegis_registry_rows_limit{kind=\"grants\"}"), "{text}");
}

#[test]
fn a_family_is_announced_once_with_and_without_samples() {
    let text = text(&Metrics::default());
    let mut heads: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE ")).collect();
    let count = heads.len();
    heads.sort_unstable();
    heads.dedup();
    assert_eq!(heads.len(), count);
    assert!(heads.contains(&"# TYPE aegis_audit_anchored_lines gauge"), "{heads:?}");
    assert!(!text.lines().any(|line| line.starts_with("aegis_audit_anchored_lines")));
}

#[test]
fn a_flood_of_names_does_not_grow_the_table() {
    let metrics = Metrics::default();
    for i in 0..counts::MOST * 2 {
        metrics.tool_call(&format!("tool{i}"), "success", Duration::ZERO);
    }
    assert_eq!(metrics.counted().calls.iter().count(), counts::MOST + 1);
    assert!(text(&metrics).contains("tool=\"other\",status=\"other\""));
}

#[test]
fn a_label_cannot_end_its_line() {
    let metrics = Metrics::default();
    metrics.tool_call("a\"b\\c\nd", "success", Duration::ZERO);
    assert!(text(&metrics).contains("{tool=\"a\\\"b\\\\c\\nd\",status=\"success\"} 1\n"));
}
