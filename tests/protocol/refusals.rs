//! Every refusal by name has a black-box case here: names are read out of the product's source and compared, both
//! ways, with the table below; each case must be a test that quotes the name.

use std::collections::BTreeSet;

/// Finds the names in a source.
type Names = fn(&str) -> BTreeSet<String>;

/// Where refusals are named, and how to find the names there.
const SOURCES: &[(&str, Names)] = &[
    (include_str!("../../guest/core/src/gateway/refusal.rs"), after_kind),
    (include_str!("../../guest/core/src/automation/refused.rs"), after_kind),
    (include_str!("../../host/src/serve/refusal.rs"), after_status),
    (include_str!("../../host/src/serve/front.rs"), counted),
    (include_str!("../../guest/core/src/mcp/error.rs"), of_reason),
    (include_str!("../../guest/core/src/access/refused.rs"), of_reason),
    (include_str!("../../guest/core/src/selection.rs"), of_reason),
    (include_str!("../../guest/core/src/oauth/refused.rs"), after_kind),
    (include_str!("../../guest/core/src/oauth/pages.rs"), of_a_page),
    (include_str!("../../guest/core/src/oauth/callback.rs"), after_kind),
    (include_str!("../../host/src/sign_in/flow.rs"), of_reason),
    (include_str!("../../host/src/sign_in/session.rs"), of_not_signed_in),
    (include_str!("../../host/src/sign_in/tokens.rs"), of_tokens),
    (include_str!("../../host/custody/src/provider/error.rs"), of_name),
];

const TESTS: &[(&str, &str)] = &[
    ("asked", include_str!("asked.rs")),
    ("automation", include_str!("automation.rs")),
    ("automation_runs", include_str!("automation_runs.rs")),
    ("automation_webhook", include_str!("automation_webhook.rs")),
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
    ("open_streams", include_str!("open_streams.rs")),
    ("places", include_str!("places.rs")),
    ("selection", include_str!("selection.rs")),
    ("login/authorize", include_str!("../login/refusals/authorize.rs")),
    ("login/callback", include_str!("../login/refusals/callback.rs")),
    ("login/endpoints", include_str!("../login/endpoints.rs")),
    ("login/remembered", include_str!("../login/remembered.rs")),
    ("login/causes", include_str!("../login/refusals/causes.rs")),
    ("login/clients", include_str!("../login/refusals/clients.rs")),
    ("login/consent", include_str!("../login/refusals/consent.rs")),
    ("login/held", include_str!("../login/refusals/held.rs")),
    ("login/old", include_str!("../login/refusals/old.rs")),
    ("login/tokens", include_str!("../login/tokens.rs")),
];

/// Name, file, test.
const CASES: &[(&str, &str, &str)] = &[
    ("answer_too_large", "instance", "a_guest_that_takes_too_much_is_stopped"),
    (
        "authorize_malformed",
        "login/authorize",
        "before_the_client_is_proved_the_person_reads_why_and_nobody_is_redirected",
    ),
    (
        "authorize_repeated_parameter",
        "login/authorize",
        "before_the_client_is_proved_the_person_reads_why_and_nobody_is_redirected",
    ),
    ("automation_busy", "automation_runs", "as_many_jobs_as_may_be_are_under_way_and_no_more"),
    ("automation_disabled", "automation", "automation_that_is_off_says_so_at_both_doors"),
    ("automation_not_permitted", "automation", "nobody_in_particular_starts_no_job"),
    ("job_changes_nothing", "automation", "a_job_that_only_reports_cannot_be_told_to_act"),
    ("job_running", "automation_runs", "a_job_runs_once_at_a_time_in_a_repository_whoever_starts_it"),
    ("job_not_enabled", "automation", "who_starts_what_is_not_to_be_started_is_told_why"),
    ("unknown_job", "automation", "who_starts_what_is_not_to_be_started_is_told_why"),
    ("webhook_forged", "automation_webhook", "a_delivery_that_gitea_did_not_sign_is_refused_unread"),
    ("webhook_malformed", "automation_webhook", "a_delivery_is_json_about_a_repository"),
    ("webhook_replayed", "automation_webhook", "a_delivery_is_taken_once_by_its_bytes_and_by_its_name"),
    ("webhook_unsigned", "automation_webhook", "a_delivery_that_gitea_did_not_sign_is_refused_unread"),
    ("bad_framing", "framing", "codings_before_the_chunks_are_never_undone"),
    ("bad_host", "places", "a_host_that_is_missing_double_or_unreadable_is_bad"),
    ("body_broken", "bodies", "a_body_that_breaks_its_framing_is_broken"),
    ("body_too_large", "bodies", "a_body_over_the_limit_is_refused_by_its_length_or_by_its_bytes"),
    ("body_too_slow", "bodies", "a_body_that_never_comes_is_given_up"),
    ("busy", "limits", "a_full_house_says_so_while_probes_still_answer"),
    ("callback_malformed", "login/callback", "what_is_no_way_back_is_malformed"),
    (
        "client_document_unusable",
        "login/authorize",
        "before_the_client_is_proved_the_person_reads_why_and_nobody_is_redirected",
    ),
    (
        "client_host_not_allowed",
        "login/authorize",
        "before_the_client_is_proved_the_person_reads_why_and_nobody_is_redirected",
    ),
    (
        "client_id_missing",
        "login/authorize",
        "before_the_client_is_proved_the_person_reads_why_and_nobody_is_redirected",
    ),
    ("client_not_named", "login/clients", "a_client_that_does_not_prove_itself_gets_nothing"),
    (
        "client_unknown",
        "login/authorize",
        "before_the_client_is_proved_the_person_reads_why_and_nobody_is_redirected",
    ),
    (
        "code_challenge_invalid",
        "login/authorize",
        "a_client_that_is_proved_is_told_what_is_wrong_with_its_request",
    ),
    (
        "code_challenge_method_unsupported",
        "login/authorize",
        "a_client_that_is_proved_is_told_what_is_wrong_with_its_request",
    ),
    ("code_unknown", "login/clients", "a_code_that_is_not_good_is_an_invalid_grant"),
    ("consent_denied", "login/consent", "a_person_who_says_no_sends_the_client_away_and_gitea_hears_nothing"),
    ("consent_foreign", "login/consent", "an_approval_from_another_page_approves_nothing"),
    ("consent_forged", "login/consent", "an_approval_that_is_no_form_of_ours_is_refused"),
    ("consent_malformed", "login/consent", "an_approval_that_is_no_form_of_ours_is_refused"),
    ("consent_writes_off", "login/consent", "an_approval_that_is_no_form_of_ours_is_refused"),
    ("cpu_limit", "instance", "a_guest_that_takes_too_much_is_stopped"),
    ("duplicate_key", "json", "what_is_not_strict_json_is_a_parse_error_everywhere"),
    ("events_not_accepted", "open_streams", "who_cannot_have_a_stream_is_told_why"),
    (
        "no_such_question",
        "legacy",
        "notifications_are_accepted_without_a_body_and_replies_to_nothing_are_not",
    ),
    ("no_such_stream", "open_streams", "a_stream_of_somebody_else_or_of_nobody_takes_nothing"),
    ("too_many_streams", "open_streams", "who_cannot_have_a_stream_is_told_why"),
    ("encoded_body", "bodies", "a_coded_body_is_never_inflated"),
    ("expired_credential", "login/held", "what_was_good_once_has_expired_and_what_never_was_is_unknown"),
    ("foreign_origin", "places", "a_page_of_another_origin_is_turned_away_even_with_a_good_key"),
    ("gitea_answer_too_large", "login/causes", "a_gitea_that_is_set_up_in_another_way_signs_nobody_in"),
    ("gitea_answer_unreadable", "login/causes", "a_gitea_that_is_set_up_in_another_way_signs_nobody_in"),
    ("gitea_application_refused", "login/causes", "a_gitea_that_is_set_up_in_another_way_signs_nobody_in"),
    ("gitea_client_rejected", "login/causes", "a_gitea_that_is_set_up_in_another_way_signs_nobody_in"),
    ("gitea_code_refused", "login/causes", "a_code_that_gitea_refuses_signs_nobody_in"),
    ("gitea_denied", "login/callback", "a_person_who_says_no_in_gitea_sends_the_client_away"),
    ("gitea_error", "login/callback", "another_error_of_gitea_is_a_page_with_its_name_on_record_alone"),
    ("gitea_failed", "login/causes", "a_gitea_that_fails_signs_nobody_in"),
    ("gitea_identity_disagrees", "login/causes", "who_is_not_proved_is_not_signed_in"),
    ("gitea_redirected", "login/causes", "a_gitea_that_is_set_up_in_another_way_signs_nobody_in"),
    ("gitea_refused_code", "login/causes", "a_code_that_gitea_refuses_signs_nobody_in"),
    ("gitea_token_inactive", "login/causes", "who_is_not_proved_is_not_signed_in"),
    ("gitea_token_other_application", "login/causes", "who_is_not_proved_is_not_signed_in"),
    ("gitea_too_old", "login/old", "a_gitea_that_comes_late_and_is_too_old_is_refused_until_it_is_updated"),
    ("gitea_unavailable", "login/causes", "a_gitea_that_fails_signs_nobody_in"),
    ("gitea_unreachable", "login/causes", "a_gitea_that_fails_signs_nobody_in"),
    ("grant_revoked", "login/tokens", "what_gitea_has_ended_is_ended_here"),
    ("grant_too_narrow", "login/callback", "a_grant_that_is_not_what_was_asked_for_signs_nobody_in"),
    ("grant_too_wide", "login/callback", "a_grant_that_is_not_what_was_asked_for_signs_nobody_in"),
    ("header_mismatch", "modern_faults", "headers_repeat_the_body_or_the_request_is_refused"),
    ("identity_invalid", "login/causes", "who_is_not_proved_is_not_signed_in"),
    (
        "identity_unavailable",
        "login/held",
        "a_token_of_gitea_is_taken_where_the_operator_wants_it_and_only_with_scopes_that_were_named",
    ),
    ("insufficient_scope", "login/held", "a_reader_that_wants_to_write_is_told_which_scope_to_ask_for"),
    ("internal_error", "instance", "a_guest_that_ends_without_an_answer_is_an_internal_error"),
    ("invalid_client", "login/clients", "a_client_that_does_not_prove_itself_gets_nothing"),
    ("invalid_client_metadata", "login/clients", "a_registration_that_cannot_be_honoured_is_refused"),
    ("invalid_credential", "credentials", "everything_but_one_known_key_as_bearer_is_refused"),
    ("invalid_grant", "login/clients", "a_code_that_is_not_good_is_an_invalid_grant"),
    ("invalid_json", "json", "what_is_not_strict_json_is_a_parse_error_everywhere"),
    ("invalid_params", "modern_faults", "every_request_carries_its_meta"),
    ("invalid_redirect_uri", "login/clients", "a_registration_that_cannot_be_honoured_is_refused"),
    ("invalid_request", "json", "what_is_not_one_message_is_an_invalid_request"),
    ("invalid_scope", "login/tokens", "a_refresh_narrows_and_never_widens"),
    ("invalid_target", "login/tokens", "a_refresh_narrows_and_never_widens"),
    ("malformed_body", "direct", "a_body_that_is_no_call_is_malformed"),
    ("malformed_credential", "credentials", "everything_but_one_known_key_as_bearer_is_refused"),
    ("malformed_form", "login/clients", "a_request_for_tokens_with_a_mistake_is_refused_and_burns_nothing"),
    (
        "malformed_tool_selection",
        "selection",
        "a_header_that_cannot_be_understood_is_refused_on_every_way_to_a_tool",
    ),
    (
        "malformed_parameter",
        "login/clients",
        "a_request_for_tokens_with_a_mistake_is_refused_and_burns_nothing",
    ),
    ("memory_limit", "instance", "a_guest_that_takes_too_much_is_stopped"),
    ("method_not_allowed", "endpoints", "the_host_answers_its_own_paths_to_get_alone"),
    ("missing_credential", "credentials", "a_credential_anywhere_but_in_the_header_does_not_count"),
    (
        "missing_parameter",
        "login/clients",
        "a_request_for_tokens_with_a_mistake_is_refused_and_burns_nothing",
    ),
    ("nested_too_deep", "json", "what_is_not_strict_json_is_a_parse_error_everywhere"),
    ("too_many_values", "json", "what_is_not_strict_json_is_a_parse_error_everywhere"),
    ("no_memory", "instance", "a_guest_that_finds_the_memory_of_all_used_up_is_told_to_come_again"),
    (
        "no_such_resource",
        "modern_faults",
        "prompts_and_resources_are_named_in_a_header_before_they_are_found_missing",
    ),
    ("no_such_path", "endpoints", "every_path_and_method_has_its_one_status_with_and_without_a_key"),
    ("not_acceptable", "bodies", "a_client_that_takes_no_json_gets_none"),
    ("not_allowed", "login/callback", "a_person_who_may_not_sign_in_here_gets_no_code"),
    ("not_found", "endpoints", "metrics_that_are_switched_off_are_not_found"),
    ("oauth_body_too_large", "login/clients", "a_registration_that_cannot_be_honoured_is_refused"),
    (
        "oauth_token_lacks_api_scope",
        "login/held",
        "a_token_of_gitea_is_taken_where_the_operator_wants_it_and_only_with_scopes_that_were_named",
    ),
    ("outcome_not_recorded", "instance", "an_answer_whose_outcome_is_not_recorded_is_withheld"),
    ("policy_denied", "gates", "what_the_policy_denies_is_refused_for_reads_and_writes"),
    ("prompt_none", "login/authorize", "a_client_that_is_proved_is_told_what_is_wrong_with_its_request"),
    ("rate_limited", "limits", "an_address_has_its_minute_and_a_good_key_does_not_draw_on_it"),
    (
        "redirect_uri_missing",
        "login/authorize",
        "before_the_client_is_proved_the_person_reads_why_and_nobody_is_redirected",
    ),
    (
        "redirect_uri_not_registered",
        "login/authorize",
        "before_the_client_is_proved_the_person_reads_why_and_nobody_is_redirected",
    ),
    (
        "redirect_uri_refused",
        "login/authorize",
        "before_the_client_is_proved_the_person_reads_why_and_nobody_is_redirected",
    ),
    (
        "refresh_token_reused",
        "login/tokens",
        "a_refresh_that_is_sent_twice_gives_the_same_successor_and_an_older_one_ends_everything",
    ),
    ("refresh_token_unknown", "login/tokens", "a_refresh_token_is_good_for_its_client_alone"),
    ("registration_closed", "login/clients", "where_registration_is_closed_it_is_neither_offered_nor_done"),
    (
        "repeated_parameter",
        "login/clients",
        "a_request_for_tokens_with_a_mistake_is_refused_and_burns_nothing",
    ),
    ("repository_not_writable", "gates", "a_write_to_a_repository_that_is_not_listed_is_refused"),
    (
        "request_object_unsupported",
        "login/authorize",
        "a_client_that_is_proved_is_told_what_is_wrong_with_its_request",
    ),
    (
        "request_uri_unsupported",
        "login/authorize",
        "a_client_that_is_proved_is_told_what_is_wrong_with_its_request",
    ),
    ("resource_invalid", "login/authorize", "a_client_that_is_proved_is_told_what_is_wrong_with_its_request"),
    (
        "response_mode_unsupported",
        "login/authorize",
        "a_client_that_is_proved_is_told_what_is_wrong_with_its_request",
    ),
    (
        "response_type_unsupported",
        "login/authorize",
        "a_client_that_is_proved_is_told_what_is_wrong_with_its_request",
    ),
    ("scope_invalid", "login/authorize", "a_client_that_is_proved_is_told_what_is_wrong_with_its_request"),
    ("sign_in_other_person", "login/remembered", "a_remembered_approval_is_for_the_person_who_gave_it"),
    ("sign_in_overtaken", "login/causes", "a_sign_in_that_another_one_overtook_says_so_and_raises_no_alarm"),
    ("other_person", "login/remembered", "a_remembered_approval_is_for_the_person_who_gave_it"),
    ("sign_in_not_allowed", "login/callback", "a_person_who_may_not_sign_in_here_gets_no_code"),
    ("state_invalid", "login/callback", "a_state_opens_once_and_in_the_browser_that_approved_alone"),
    ("state_malformed", "login/authorize", "a_client_that_is_proved_is_told_what_is_wrong_with_its_request"),
    (
        "state_of_another_browser",
        "login/callback",
        "a_state_opens_once_and_in_the_browser_that_approved_alone",
    ),
    ("state_other_browser", "login/callback", "a_state_opens_once_and_in_the_browser_that_approved_alone"),
    ("state_used", "login/callback", "a_state_that_was_used_is_used_even_with_its_cookie"),
    ("timed_out", "instance", "a_guest_that_never_ends_its_answer_runs_out_of_time"),
    ("token_in_query", "credentials", "a_credential_in_the_url_is_refused_even_beside_a_good_header"),
    (
        "tokens_unavailable",
        "login/clients",
        "while_gitea_cannot_be_asked_a_refresh_is_put_off_and_nothing_is_lost",
    ),
    (
        "tool_not_selected",
        "selection",
        "a_tool_that_settings_or_headers_leave_out_cannot_be_called_by_any_way",
    ),
    ("too_many_auth_failures", "limits", "refused_credentials_are_counted_and_lock_out_nobody_else"),
    ("too_many_concurrent", "limits", "a_principal_with_eight_requests_in_flight_waits_and_others_do_not"),
    ("too_many_connections", "limits", "one_connection_too_many_is_closed_and_counted"),
    ("two_client_proofs", "login/clients", "a_client_that_does_not_prove_itself_gets_nothing"),
    ("two_credentials", "credentials", "two_credentials_are_none"),
    ("unknown_client_method", "login/clients", "a_client_that_does_not_prove_itself_gets_nothing"),
    ("unknown_host", "places", "a_host_that_is_not_ours_is_misdirected"),
    ("unknown_method", "modern_faults", "methods_that_were_removed_or_never_were_are_not_found"),
    ("unreadable_client_proof", "login/clients", "a_client_that_does_not_prove_itself_gets_nothing"),
    (
        "unsupported_grant_type",
        "login/clients",
        "a_request_for_tokens_with_a_mistake_is_refused_and_burns_nothing",
    ),
    ("unsupported_media_type", "bodies", "a_body_is_declared_as_json_once"),
    ("unsupported_version", "modern_faults", "a_revision_that_is_not_served_is_answered_with_those_that_are"),
    ("write_mode_disabled", "gates", "writes_are_off_unless_the_operator_turns_them_on"),
    (
        "write_not_granted",
        "login/callback",
        "an_older_grant_without_writes_is_told_before_the_client_gets_its_code",
    ),
    ("write_outcome_unknown", "instance", "a_change_that_was_sent_is_told_even_when_there_is_no_answer"),
];

/// Names that no request can bring about with this host, and why. Each has a test beside its code.
const OUT_OF_REACH: &[(&str, &str)] = &[
    ("webhook_memory_full", "it takes as many signed deliveries as are remembered in a day"),
    ("client_revoked", "only the operator revokes a client"),
    (
        "code_not_issued",
        "the registry has to be full, or the client revoked, between two steps of one request",
    ),
    ("consent_expired", "it takes ten minutes, and the server's clock cannot be moved"),
    ("flow_used", "only a guest that trades one sign-in twice gets it, and ours does so once"),
    ("gitea_busy", "the wait for a turn has to pass, and no test waits one out"),
    ("gitea_endpoint_elsewhere", "discovery is read at the start, which it stops"),
    ("gitea_issuer_differs", "discovery is read at the start, which it stops"),
    ("gitea_lacks_feature", "discovery is read at the start, which it stops"),
    ("gitea_login_unusable", "Gitea lets nobody have such a name"),
    ("gitea_oauth_disabled", "it is noticed at the start, which it stops"),
    ("gitea_redirect_uri_rejected", "it is noticed at the start, which it stops"),
    ("gitea_subject_unusable", "Gitea's ids are numbers"),
    ("gitea_timed_out", "the time-out has to pass, and no test waits one out"),
    ("gitea_user_blocked", "a blocked person does not get past Gitea's own pages"),
    ("grant_not_kept", "the registry has to be full of people"),
    ("key_gone", "a root key has to be taken away within a minute of a refresh"),
    ("policy_unreadable", "a policy that cannot be prepared stops the start"),
    ("settings_invalid", "a setting that cannot be read stops the start"),
    ("sign_in_unavailable", "what a request may hold at most can always be sealed"),
    ("sign_in_used", "only a guest that trades one sign-in twice gets it, and ours does so once"),
    ("state_client_gone", "only the operator revokes a client"),
    ("state_expired", "it takes ten minutes, and the server's clock cannot be moved"),
    ("state_too_many", "a thousand sign-ins of one network within ten minutes"),
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
    arms(text, " fn reason(")
}

/// The arms of `fn name`.
fn of_name(text: &str) -> BTreeSet<String> {
    arms(text, " fn name(")
}

fn arms(text: &str, function: &str) -> BTreeSet<String> {
    let body = text.split(function).nth(1).and_then(|rest| rest.split("\n    }\n").next());
    quoted_after(body.unwrap_or_else(|| panic!("no function `{function}`")), "=>").collect()
}

/// `page(AccessDenied, "name", ..)`, `at(status, AccessDenied, "name", ..)` and `client("name", "error", ..)`.
fn of_a_page(text: &str) -> BTreeSet<String> {
    after_kind(text).into_iter().chain(quoted_after(text, " client(")).collect()
}

/// `not(Reason::NotAllowed, "name", ..)`.
fn of_not_signed_in(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| quoted_after(rest.trim_start_matches(char::is_alphanumeric), ",").next();
    text.split("not(").skip(1).filter_map(|rest| name(rest.trim_start().strip_prefix("Reason::")?)).collect()
}

/// `InvalidGrant("name")`, and the arms of `fn reason`.
fn of_tokens(text: &str) -> BTreeSet<String> {
    of_reason(text).into_iter().chain(quoted_after(text, "InvalidGrant(")).collect()
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
