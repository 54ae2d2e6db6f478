//! What may leave, and in which shape.

use serde_json::{Value, json};

use super::*;

fn screen(mode: aegis_redaction::Mode, items: usize, characters: usize) -> Screen {
    Screen { redactor: Redactor::new(mode), items, characters }
}

fn masking() -> Screen {
    screen(aegis_redaction::Mode::Mask, 200, 20_000)
}

/// Made from parts, so that no scanner takes this file for a leak.
fn own_token() -> String {
    ["aegis", "_at_", "Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0"].concat()
}

fn field<'v>(finished: &'v Finished, pointer: &str) -> &'v Value {
    finished.structured.pointer(pointer).unwrap_or(&Value::Null)
}

#[test]
fn masks_secrets_in_values_and_keys_wherever_they_stand() {
    let token = own_token();
    let reply = Reply::new().with("a", json!([{ "b": { token.clone(): format!("x {token}") } }]));
    let finished = masking().finish(reply);
    assert!(!finished.text.contains(&token), "{}", finished.text);
    assert_eq!(finished.removed.secrets, 2);
}

#[test]
fn masks_our_own_tokens_even_when_detection_is_off() {
    let token = own_token();
    let off = screen(aegis_redaction::Mode::Off, 200, 20_000);
    let finished = off.finish(Reply::new().with("a", token.clone()));
    assert!(!finished.text.contains(&token), "{}", finished.text);
    assert!(!off.message(&token).contains(&token));
}

#[test]
fn removes_and_counts_hostile_characters_in_every_mode() {
    for mode in [aegis_redaction::Mode::Off, aegis_redaction::Mode::Mask, aegis_redaction::Mode::Block] {
        let finished =
            screen(mode, 200, 20_000).finish(Reply::new().with("a", "safe\u{202e}txt\u{200b}\u{e0041}"));
        assert_eq!(field(&finished, "/a"), "safetxt", "{mode:?}");
        assert_eq!(finished.removed.characters, 3, "{mode:?}");
    }
}

#[test]
fn what_was_taken_out_is_told_in_the_notice_and_counts_what_is_shown_alone() {
    let (token, hidden) = (own_token(), "a\u{202e}b\u{e0041}c");
    let item = |text: &str| json!({ "text": text });
    let reply = Reply::new()
        .with("list", json!([item(&token), item(hidden), item(&token)]))
        .removing(Removed { secrets: 2, characters: 1 })
        .block(Block::Text(format!("{token}{hidden}")));
    let finished = screen(aegis_redaction::Mode::Mask, 2, 20_000).finish(reply);
    assert_eq!(finished.removed, Removed { secrets: 4, characters: 5 });
    let notice = field(&finished, "/notice").as_str().unwrap_or_default();
    assert!(notice.ends_with("in it. Secrets masked: 4. Hidden characters removed: 5."), "{notice}");
    assert_eq!(finished.removed.told(), Some(json!({ "secrets": 4, "characters": 5 })));
    assert_eq!(Removed::default().told(), None);
    let only = |secrets, characters| Removed { secrets, characters }.notice();
    assert!(only(1, 0).ends_with("in it. Secrets masked: 1."));
    assert!(only(0, 1).ends_with("in it. Hidden characters removed: 1."));
}

#[test]
fn recognises_a_secret_across_the_place_where_the_text_is_cut() {
    let token = own_token();
    let text = format!("{}{token}", "x ".repeat(45));
    let finished = screen(aegis_redaction::Mode::Mask, 200, 100).finish(Reply::new().with("a", text));
    assert_eq!(finished.removed.secrets, 1);
    assert!(!finished.text.contains("aegis_at_"), "{}", finished.text);
}

#[test]
fn says_what_was_cut_from_a_long_text() {
    let finished = screen(aegis_redaction::Mode::Mask, 200, 10)
        .finish(Reply::new().with("issue", json!({ "body": "ä".repeat(11) })));
    assert_eq!(field(&finished, "/issue/body"), &Value::from("ä".repeat(10)));
    assert_eq!(field(&finished, "/truncated"), true);
    let how = field(&finished, "/truncated_how").as_str().unwrap_or_default();
    assert!(how.contains("issue/body holds 10 of 11 characters"), "{how}");
}

#[test]
fn a_long_text_is_read_part_by_part_without_gap_or_overlap() {
    let whole: String = ('a'..='k').collect::<String>().replace('e', "é");
    let part = |first: u64| {
        let reply = Reply::new().with("issue", json!({ "body": whole, "title": "t" }));
        screen(aegis_redaction::Mode::Mask, 200, 4).finish(reply.part("body", first, "mind it"))
    };
    let (mut read, mut next) = (String::new(), 1);
    while next <= 11 {
        let finished = part(next);
        let body = field(&finished, "/issue/body").as_str().unwrap_or_default().to_owned();
        assert!(!body.is_empty(), "{finished:?}");
        read.push_str(&body);
        let how = field(&finished, "/truncated_how").as_str().unwrap_or_default().to_owned();
        let end = read.chars().count();
        assert!(how.starts_with(&format!("issue/body holds characters {next} to {end} of 11")), "{how}");
        assert!(how.ends_with("; mind it"), "{how}");
        next = u64::try_from(end).expect("small") + 1;
        assert_eq!(how.contains(&format!("start_character={next} to go on")), next <= 11, "{how}");
    }
    assert_eq!(read, whole);
    let beyond = part(12);
    let how = "issue/body has 11 characters, none at start_character=12; mind it";
    assert_eq!((field(&beyond, "/issue/body"), field(&beyond, "/truncated_how")), (&"".into(), &how.into()));
    let short = masking().finish(Reply::new().with("body", "abc").part("body", 1, "mind it"));
    assert!(field(&short, "/body") == "abc" && short.structured.get("truncated").is_none());
}

#[test]
fn a_secret_across_the_begin_of_a_part_is_masked() {
    let token = own_token();
    let reply = Reply::new().with("body", format!("key {token} end")).part("body", 10, "");
    let finished = masking().finish(reply);
    assert!(token.get(8..).is_some_and(|end| !finished.text.contains(end)), "{}", finished.text);
    assert_eq!(finished.removed.secrets, 1);
}

#[test]
fn bounds_the_number_of_entries_of_every_list() {
    let reply = Reply::new().with("a", json!([1, 2, 3])).with("b", json!({ "c": [1, 2, 3, 4] }));
    let finished = screen(aegis_redaction::Mode::Mask, 2, 100).finish(reply);
    assert_eq!(field(&finished, "/a"), &json!([1, 2]));
    assert_eq!(field(&finished, "/b/c"), &json!([1, 2]));
    let how = field(&finished, "/truncated_how").as_str().unwrap_or_default();
    assert!(how.contains("a holds 2 of 3 entries") && how.contains("b/c holds 2 of 4"), "{how}");
}

#[test]
fn leaves_out_whole_entries_when_the_answer_grows_too_large() {
    let entry = json!({ "title": "t".repeat(4000), "labels": ["one", "two"] });
    let reply = Reply::new().with("issues", vec![entry.clone(); 50]).with("page", 1);
    let finished = screen(aegis_redaction::Mode::Mask, 200, 5000).finish(reply);
    let issues = field(&finished, "/issues").as_array().cloned().unwrap_or_default();
    assert!((1..50).contains(&issues.len()));
    assert!(issues.iter().all(|issue| *issue == entry), "an entry is whole or absent");
    assert_eq!(field(&finished, "/page"), 1);
    let how = field(&finished, "/truncated_how").as_str().unwrap_or_default();
    assert!(how.contains(&format!("limit={}", issues.len())), "{how}");
    assert!(finished.text.chars().count() < 30_000);
}

#[test]
fn the_text_is_the_structured_result() {
    let finished = masking().finish(Reply::new().with("a", 1).with_some("none", None::<u64>));
    assert_eq!(serde_json::from_str::<Value>(&finished.text).ok(), Some(finished.structured.clone()));
    assert!(finished.structured.get("none").is_none());
    assert_eq!(field(&finished, "/notice"), &json!(Removed::default().notice()));
    assert!(finished.structured.get("truncated").is_none());
}

#[test]
fn everything_that_is_added_is_declared() {
    let finished = screen(aegis_redaction::Mode::Mask, 1, 5).finish(Reply::new().with("a", "much too long"));
    let object = finished.structured.as_object().cloned().unwrap_or_default();
    for key in object.keys().filter(|key| *key != "a") {
        assert!(ADDED.iter().any(|(name, _, _)| name == key), "{key}");
    }
}

#[test]
fn pages_through_a_text_by_lines_without_gap_or_overlap() {
    let whole: String = (1..=100).map(|line| format!("line number {line}\n")).collect();
    let small = screen(aegis_redaction::Mode::Mask, 200, 150);
    let (mut start, mut read, mut rounds) = (None, String::new(), 0);
    loop {
        rounds += 1;
        let finished = small.finish(Reply::new().lines_of(whole.clone(), Lines { start, end: None }));
        read.push_str(field(&finished, "/content").as_str().unwrap_or_default());
        assert_eq!(field(&finished, "/total_lines"), 100);
        start = field(&finished, "/next_start_line").as_u64();
        if start.is_none() || rounds > 100 {
            break;
        }
        assert_eq!(field(&finished, "/truncated"), true);
    }
    assert_eq!(read, whole);
    assert!(rounds > 5);
}

#[test]
fn a_line_range_is_told_as_what_it_is() {
    let finished = masking()
        .finish(Reply::new().lines_of("a\nb\nc\nd".to_owned(), Lines { start: Some(2), end: Some(3) }));
    assert_eq!(field(&finished, "/content"), "b\nc\n");
    assert_eq!(field(&finished, "/start_line"), 2);
    assert_eq!(field(&finished, "/end_line"), 3);
    assert!(finished.structured.get("truncated").is_none());

    let beyond =
        masking().finish(Reply::new().lines_of("a\nb".to_owned(), Lines { start: Some(9), end: None }));
    assert_eq!(field(&beyond, "/content"), "");
    assert_eq!(field(&beyond, "/total_lines"), 2);
    assert!(beyond.structured.get("start_line").is_none());
    let how = "start_line=9 is beyond the last line, 2";
    assert_eq!((field(&beyond, "/truncated_how"), field(&beyond, "/truncated")), (&how.into(), &true.into()));
}

#[test]
fn a_line_that_is_too_long_is_kept_in_part_and_the_next_is_reachable() {
    let tight = screen(aegis_redaction::Mode::Mask, 200, 5);
    let finished = tight.finish(Reply::new().lines_of("abcdefgh\nij\n".to_owned(), Lines::default()));
    assert_eq!(field(&finished, "/content"), "abcde");
    assert_eq!(field(&finished, "/next_start_line"), 2);
}

#[test]
fn a_key_block_is_masked_even_when_only_its_middle_is_asked_for() {
    let middle = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC";
    let whole =
        ["one\n-----BEGIN ", "PRIVATE KEY-----\n", middle, "\n-----END ", "PRIVATE KEY-----\n"].concat();
    let finished = masking().finish(Reply::new().lines_of(whole, Lines { start: Some(2), end: Some(4) }));
    assert!(!finished.text.contains(middle), "{}", finished.text);
    assert_eq!(finished.removed.secrets, 1);
}

#[test]
fn a_message_is_bounded_and_cleaned() {
    let message = masking().message(&format!("\u{1b}[31mred {} {}", own_token(), "x".repeat(5000)));
    assert!(message.chars().count() <= MESSAGE_CHARACTERS + 1);
    assert!(!message.contains('\u{1b}') && !message.contains(&own_token()), "{message}");
}

#[test]
fn shows_previews_of_one_field_and_says_how_to_read_on() {
    let row = |body: String| json!({ "body": body, "other": "y".repeat(20) });
    let rows = json!([row("x".repeat(10)), row("x".repeat(11)), row(own_token())]);
    let finished = masking().finish(Reply::new().with("rows", rows).preview("body", 10, "ask for one"));
    assert_eq!(field(&finished, "/rows/0"), &row("x".repeat(10)), "what fits is whole");
    assert_eq!(field(&finished, "/rows/1/body"), &json!("x".repeat(10)));
    assert_eq!(field(&finished, "/rows/1/body_truncated"), &json!(true));
    assert_eq!(field(&finished, "/rows/1/other"), &json!("y".repeat(20)), "other fields are whole");
    assert!(!finished.text.contains("aegis_at_") && finished.removed.secrets == 1, "{}", finished.text);
    assert_eq!(field(&finished, "/truncated"), true);
    let how = "2 body texts hold their first 10 characters; ask for one";
    assert_eq!(field(&finished, "/truncated_how"), how);
}

#[test]
fn previews_of_entries_that_are_left_out_are_not_counted() {
    let rows: Vec<Value> = (0..3).map(|_| json!({ "body": "x".repeat(20) })).collect();
    let screen = screen(aegis_redaction::Mode::Mask, 1, 20_000);
    let finished = screen.finish(Reply::new().with("rows", rows).preview("body", 10, "ask for one"));
    let how = field(&finished, "/truncated_how").as_str().unwrap_or_default();
    assert!(how.starts_with("1 body text") && how.contains("1 of 3 entries"), "{how}");
}
