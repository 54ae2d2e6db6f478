//! Every failed call, in both eras and on the direct path.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Fault, Said, challenge, on_mcp, retry_after, status};
use crate::mcp::call::CallError;
use crate::mcp::era::Era;
use crate::mcp::json::Invalid;
use crate::ports::Class;

/// (error, direct status, legacy status, modern status, JSON-RPC code or 0 for a result).
fn table() -> Vec<(CallError, u16, u16, u16, i64)> {
    let message = || "why".to_owned();
    let id = || "ticket-1".to_owned();
    vec![
        (CallError::UnknownTool { name: "x".to_owned() }, 404, 200, 400, -32602),
        (CallError::InvalidArguments { message: message() }, 400, 200, 200, 0),
        (CallError::InsufficientScope { needed: "write:repository" }, 403, 403, 403, -32600),
        (CallError::Denied { reason: "policy_denied", message: message() }, 403, 200, 200, 0),
        (CallError::Denied { reason: "write_mode_disabled", message: message() }, 403, 200, 200, 0),
        (CallError::Denied { reason: "repository_permission_denied", message: message() }, 403, 200, 200, 0),
        (CallError::NotFound { message: message() }, 404, 200, 200, 0),
        (CallError::Renamed { message: message() }, 404, 200, 200, 0),
        (CallError::Conflict { reason: "conflict", message: message() }, 409, 200, 200, 0),
        (CallError::Unprocessable { reason: "unknown_label", message: message() }, 422, 200, 200, 0),
        (CallError::UpstreamUnauthorized { message: message() }, 502, 200, 200, 0),
        (CallError::Upstream { reason: "gitea_unreachable", message: message() }, 502, 200, 200, 0),
        (CallError::Busy { reason: "gitea_busy", message: message(), seconds: Some(7) }, 429, 200, 200, 0),
        (CallError::UpstreamTimeout { message: message() }, 504, 200, 200, 0),
        (CallError::WriteOutcomeUnknown { message: message() }, 504, 200, 200, 0),
        (CallError::AuditUnavailable, 503, 503, 503, -32603),
        (CallError::AuditSpaceLow, 503, 503, 503, -32603),
        (CallError::OutcomeNotRecorded { class: Class::Read, correlation_id: id() }, 503, 503, 503, -32603),
        (CallError::OutcomeNotRecorded { class: Class::Write, correlation_id: id() }, 503, 503, 503, -32603),
    ]
}

#[test]
fn gives_every_failed_call_its_place_on_the_wire() {
    for (error, direct, legacy, modern, code) in table() {
        assert_eq!(status(&error).as_u16(), direct, "{error:?}");
        for (era, expected) in [(Era::Legacy, legacy), (Era::Modern, modern)] {
            let wire = on_mcp(&error, era, "ticket-1");
            assert_eq!(wire.status.as_u16(), expected, "{error:?}");
            match wire.said {
                Said::Error(said) => {
                    assert_eq!(said["code"], code, "{error:?}");
                    assert_eq!(
                        said["data"],
                        json!({ "reason": error.reason(), "correlation_id": "ticket-1" })
                    );
                }
                Said::Result(result) => {
                    assert_eq!(code, 0, "{error:?}");
                    assert_eq!(result["isError"], true);
                    let text = result["content"][0]["text"].as_str().unwrap();
                    assert!(text.starts_with(error.reason()) && text.ends_with(&error.message()), "{text}");
                    assert_eq!(result["_meta"]["correlation_id"], "ticket-1");
                    assert_eq!(result["_meta"]["io.aegisgitea/correlation_id"], "ticket-1");
                    assert_eq!(result["_meta"]["io.aegisgitea/reason"], error.reason());
                }
            }
        }
    }
}

#[test]
fn invites_to_try_again_only_where_that_cannot_write_twice() {
    for (error, ..) in table() {
        let safe = matches!(
            error,
            CallError::AuditUnavailable
                // Nothing was changed.
                | CallError::AuditSpaceLow
                | CallError::OutcomeNotRecorded { class: Class::Read, .. }
                // A write that Gitea had no room for did not happen.
                | CallError::Busy { .. }
        );
        assert_eq!(retry_after(&error).is_some(), safe, "{error:?}");
    }
}

#[test]
fn challenges_where_signing_in_again_can_mend_it_and_nowhere_else() {
    let mut all: Vec<CallError> = table().into_iter().map(|(error, ..)| error).collect();
    all.push(CallError::SignedOut { message: "why".to_owned() });
    for error in all {
        let expected = if matches!(error, CallError::InsufficientScope { .. }) {
            Some("Bearer error=\"insufficient_scope\", scope=\"write:repository\"")
        } else if matches!(error, CallError::SignedOut { .. }) {
            Some("Bearer error=\"invalid_token\"")
        } else {
            None
        };
        assert_eq!(challenge(&error).as_deref(), expected, "{error:?}");
    }
}

#[test]
fn gives_every_protocol_error_its_code_status_and_line() {
    let text = || "tools/nope\u{7}".to_owned();
    for (fault, code, legacy, modern, reason) in [
        (Fault::Parse(Invalid::Syntax), -32700, 400, 400, "invalid_json"),
        (Fault::Parse(Invalid::DuplicateKey), -32700, 400, 400, "duplicate_key"),
        (Fault::Parse(Invalid::TooDeep), -32700, 400, 400, "nested_too_deep"),
        (Fault::Parse(Invalid::TooMany), -32700, 400, 400, "too_many_values"),
        (Fault::InvalidRequest("why"), -32600, 400, 400, "invalid_request"),
        (Fault::InvalidParams(text()), -32602, 200, 400, "invalid_params"),
        (Fault::HeaderMismatch("mcp-name", "is missing"), -32020, 400, 400, "header_mismatch"),
        (Fault::UnsupportedVersion(text()), -32022, 400, 400, "unsupported_version"),
        (Fault::UnknownMethod(text()), -32601, 200, 404, "unknown_method"),
        (Fault::NoSuchResource(text()), -32602, 200, 400, "no_such_resource"),
    ] {
        assert_eq!(fault.error(Era::Modern)["code"], code);
        assert_eq!(fault.status(Era::Legacy), StatusCode::from_u16(legacy).unwrap());
        assert_eq!(fault.status(Era::Modern), StatusCode::from_u16(modern).unwrap());
        let remark = fault.remark();
        assert_eq!(remark.reason, reason);
        assert!(
            remark.detail.iter().all(|(_, value)| !value.contains('\u{7}')),
            "records hold printable text"
        );
    }
}

#[test]
fn an_address_without_anything_has_a_code_of_its_own_for_legacy_clients() {
    assert_eq!(Fault::NoSuchResource("gitea://x".to_owned()).error(Era::Legacy)["code"], -32002);
}

#[test]
fn bounds_what_it_repeats_of_a_made_up_method() {
    let Value::String(said) = Fault::UnknownMethod("é".repeat(5_000)).error(Era::Legacy)["message"].take()
    else {
        panic!("a message")
    };
    assert_eq!(said, format!("There is no method {}.", "?".repeat(64)));
}
