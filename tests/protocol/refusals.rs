//! Every refusal by name has a black-box case here: names are read out of the product's source and compared, both
//! ways, with the table below; each case must be a test that quotes the name.

use std::collections::BTreeSet;

/// Finds the names in a source.
type Names = fn(&str) -> BTreeSet<String>;

/// Where refusals are named, and how to find the names there.
const SOURCES: &[(&str, Names)] = &[
    (include_str!("../../guest/core/src/gateway/refusal.rs"), after_kind),
    (include_str!("../../host/src/serve/refusal.rs"), after_status),
    (include_str!("../../host/src/serve/front.rs"), counted),
    (include_str!("../../guest/core/src/mcp/error.rs"), of_reason),
    (include_str!("../../guest/core/src/access/refused.rs"), of_reason),
];

const TESTS: &[(&str, &str)] = &[
    ("bodies", include_str!("bodies.rs")),
    ("credentials", include_str!("credentials.rs")),
    ("direct", include_str!("direct.rs")),
    ("endpoints", include_str!("endpoints.rs")),
    ("framing", include_str!("framing.rs")),
    ("gates", include_str!("gates.rs")),
    ("instance", include_str!("instance.rs")),
    ("json", include_str!("json.rs")),
    ("legacy", include_str!("legacy.rs")),
    ("limits", include_str!("limits.rs")),
    ("modern_faults", include_str!("modern_faults.rs")),
    ("places", include_str!("places.rs")),
];

/// Name, file, test.
const CASES: &[(&str, &str, &str)] = &[
    ("answer_too_large", "instance", "a_guest_that_takes_too_much_is_stopped"),
    ("bad_framing", "framing", "codings_before_the_chunks_are_never_undone"),
    ("bad_host", "places", "a_host_that_is_missing_double_or_unreadable_is_bad"),
    ("body_broken", "bodies", "a_body_that_breaks_its_framing_is_broken"),
    ("body_too_large", "bodies", "a_body_over_the_limit_is_refused_by_its_length_or_by_its_bytes"),
    ("body_too_slow", "bodies", "a_body_that_never_comes_is_given_up"),
    ("busy", "limits", "a_full_house_says_so_while_probes_still_answer"),
    ("cpu_limit", "instance", "a_guest_that_takes_too_much_is_stopped"),
    ("duplicate_key", "json", "what_is_not_strict_json_is_a_parse_error_everywhere"),
    ("encoded_body", "bodies", "a_coded_body_is_never_inflated"),
    ("foreign_origin", "places", "a_page_of_another_origin_is_turned_away_even_with_a_good_key"),
    ("header_mismatch", "modern_faults", "headers_repeat_the_body_or_the_request_is_refused"),
    ("internal_error", "instance", "a_guest_that_ends_without_an_answer_is_an_internal_error"),
    ("invalid_credential", "credentials", "everything_but_one_known_key_as_bearer_is_refused"),
    ("invalid_json", "json", "what_is_not_strict_json_is_a_parse_error_everywhere"),
    ("invalid_params", "modern_faults", "every_request_carries_its_meta"),
    ("invalid_request", "json", "what_is_not_one_message_is_an_invalid_request"),
    ("malformed_body", "direct", "a_body_that_is_no_call_is_malformed"),
    ("malformed_credential", "credentials", "everything_but_one_known_key_as_bearer_is_refused"),
    ("memory_limit", "instance", "a_guest_that_takes_too_much_is_stopped"),
    ("method_not_allowed", "endpoints", "the_host_answers_its_own_paths_to_get_alone"),
    ("missing_credential", "credentials", "a_credential_anywhere_but_in_the_header_does_not_count"),
    ("nested_too_deep", "json", "what_is_not_strict_json_is_a_parse_error_everywhere"),
    ("no_memory", "instance", "a_guest_that_finds_the_memory_of_all_used_up_is_told_to_come_again"),
    ("no_such_path", "endpoints", "every_path_and_method_has_its_one_status_with_and_without_a_key"),
    ("not_acceptable", "bodies", "a_client_that_takes_no_json_gets_none"),
    ("not_found", "endpoints", "metrics_that_are_switched_off_are_not_found"),
    ("outcome_not_recorded", "instance", "an_answer_whose_outcome_is_not_recorded_is_withheld"),
    ("policy_denied", "gates", "what_the_policy_denies_is_refused_for_reads_and_writes"),
    ("rate_limited", "limits", "an_address_has_its_minute_and_a_good_key_does_not_draw_on_it"),
    ("repository_not_writable", "gates", "a_write_to_a_repository_that_is_not_listed_is_refused"),
    ("timed_out", "instance", "a_guest_that_never_ends_its_answer_runs_out_of_time"),
    ("token_in_query", "credentials", "a_credential_in_the_url_is_refused_even_beside_a_good_header"),
    ("too_many_auth_failures", "limits", "refused_credentials_are_counted_and_lock_out_nobody_else"),
    ("too_many_concurrent", "limits", "a_principal_with_eight_requests_in_flight_waits_and_others_do_not"),
    ("too_many_connections", "limits", "one_connection_too_many_is_closed_and_counted"),
    ("two_credentials", "credentials", "two_credentials_are_none"),
    ("unknown_host", "places", "a_host_that_is_not_ours_is_misdirected"),
    ("unknown_method", "modern_faults", "methods_that_were_removed_or_never_were_are_not_found"),
    ("unsupported_media_type", "bodies", "a_body_is_declared_as_json_once"),
    ("unsupported_version", "modern_faults", "a_revision_that_is_not_served_is_answered_with_those_that_are"),
    ("write_outcome_unknown", "instance", "a_change_that_was_sent_is_told_even_when_there_is_no_answer"),
    ("write_mode_disabled", "gates", "writes_are_off_unless_the_operator_turns_them_on"),
];

/// Names that no request can bring about with this host, and why. Each has a test beside its code.
const OUT_OF_REACH: &[(&str, &str)] = &[
    ("expired_credential", "keys do not expire"),
    ("identity_unavailable", "keys are checked in memory, which is always there"),
    ("insufficient_scope", "a key carries both scopes"),
    ("policy_unreadable", "a policy that cannot be prepared stops the start"),
    ("settings_invalid", "a setting that cannot be read stops the start"),
];

fn quoted_after<'a>(text: &'a str, marker: &'a str) -> impl Iterator<Item = String> + 'a {
    text.split(marker).skip(1).filter_map(|rest| {
        let name = rest.trim_start().strip_prefix('"')?.split('"').next()?;
        let is_name = name.contains(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        is_name.then(|| name.to_owned())
    })
}

/// `line(AccessDenied, "name", ..)`.
fn after_kind(text: &str) -> BTreeSet<String> {
    quoted_after(text, "AccessDenied,").chain(quoted_after(text, "SecurityEvent,")).collect()
}

/// `(StatusCode::X, "name", "sentence")`, on one line or several.
fn after_status(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| {
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_uppercase() || c == '_');
        if rest.starts_with(',') { quoted_after(rest, ",").next() } else { None }
    };
    text.split("StatusCode::").skip(1).filter_map(name).collect()
}

/// `refused("name")`.
fn counted(text: &str) -> BTreeSet<String> {
    quoted_after(text, ".refused(").collect()
}

/// The arms of `fn reason`.
fn of_reason(text: &str) -> BTreeSet<String> {
    let body = text.split("pub fn reason(").nth(1).and_then(|rest| rest.split("\n    }\n").next());
    quoted_after(body.expect("a function `reason`"), "=>").collect()
}

#[test]
fn every_refusal_of_the_source_is_in_the_table_and_the_other_way_round() {
    let mut named = BTreeSet::new();
    for (text, names) in SOURCES {
        let found = names(text);
        assert!(!found.is_empty(), "no name was found in a source that must have some: {}", &text[..80]);
        named.extend(found);
    }
    let listed: BTreeSet<String> = CASES
        .iter()
        .map(|(name, ..)| *name)
        .chain(OUT_OF_REACH.iter().map(|(name, _)| *name))
        .map(str::to_owned)
        .collect();
    let missing: Vec<_> = named.difference(&listed).collect();
    let stale: Vec<_> = listed.difference(&named).collect();
    assert!(missing.is_empty(), "refusals without a black-box case; write one and list it: {missing:?}");
    assert!(stale.is_empty(), "cases for refusals that do not exist any more: {stale:?}");
    assert_eq!(listed.len(), CASES.len() + OUT_OF_REACH.len(), "a name is listed once");
}

#[test]
fn every_case_is_a_test_that_names_its_refusal() {
    for (name, file, test) in CASES {
        let text = TESTS.iter().find(|(known, _)| known == file).map(|(_, text)| *text);
        let text = text.unwrap_or_else(|| panic!("{name}: {file}.rs is not among TESTS"));
        let start = format!("#[tokio::test]\nasync fn {test}() {{\n");
        let body = text.split(&start).nth(1).and_then(|rest| rest.split("\n}\n").next());
        let body = body.unwrap_or_else(|| panic!("{name}: {file}.rs has no test {test}"));
        assert!(body.contains(name), "{file}::{test} does not name {name}");
    }
}
