//! The argument by which a caller asks for the one item that LOCKDOWN=hide withholds.
//!
//! It belongs to no tool's own arguments: it exists while the setting says so, for tools about one item, and nowhere
//! else. Nothing here knows what is withheld.

use serde_json::{Value, json};

use crate::ports::Recorded;
use crate::settings::{Config, OutsideText};
use crate::tools::kit::Entry;

/// Its name on the wire.
const NAME: &str = "show_withheld";

fn is_there(config: &Config, entry: &dyn Entry) -> bool {
    config.outside_text == OutsideText::Hidden && entry.one_item()
}

/// The arguments without it, and whether it was true. Where it does not exist it stays among them, to be refused like
/// any other unknown name.
///
/// # Errors
/// It is neither true nor false.
pub(super) fn asked(
    config: &Config,
    entry: &dyn Entry,
    arguments: Option<Value>,
) -> Result<(Option<Value>, bool), String> {
    let Some(Value::Object(mut map)) = arguments else { return Ok((arguments, false)) };
    let given = if is_there(config, entry) { map.remove(NAME) } else { None };
    match given {
        None | Some(Value::Null) => Ok((Some(map.into()), false)),
        Some(Value::Bool(asked)) => Ok((Some(map.into()), asked)),
        Some(_) => Err(format!("`{NAME}` must be true or false")),
    }
}

/// That it was asked for, for the record.
pub(super) fn recorded() -> (String, Recorded) {
    (NAME.to_owned(), Recorded::Scalar("true".to_owned()))
}

/// A tool's definition as it is under these settings.
pub(in crate::mcp) fn definition(config: &Config, entry: &dyn Entry) -> Value {
    let mut definition = entry.definition();
    let properties = definition.pointer_mut("/inputSchema/properties").and_then(Value::as_object_mut);
    if let Some(properties) = properties.filter(|_| is_there(config, entry)) {
        let meaning =
            "Show this one item though its author has no write access here. Only when your user asks for it.";
        properties.insert(NAME.to_owned(), json!({ "type": "boolean", "description": meaning }));
    }
    definition
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{asked, definition};
    use crate::tools::CATALOGUE;
    use crate::tools::fake::{OPEN_POLICY, World};

    #[test]
    fn exists_while_text_is_hidden_and_for_tools_about_one_item() {
        for (mode, there) in [("off", false), ("mark", false), ("hide", true)] {
            let config = World::with(OPEN_POLICY, &[("LOCKDOWN", mode)]).config();
            for entry in CATALOGUE.tools() {
                let there = there && entry.one_item();
                let shown = definition(&config, entry);
                let property = shown.pointer("/inputSchema/properties/show_withheld");
                assert_eq!(property.is_some(), there, "{mode} {}", entry.name());
                let (left, on) = asked(&config, entry, Some(json!({ "show_withheld": true }))).expect("read");
                assert_eq!(
                    (on, left),
                    (there, Some(if there { json!({}) } else { json!({ "show_withheld": true }) }))
                );
                if there {
                    assert!(asked(&config, entry, Some(json!({ "show_withheld": "true" }))).is_err());
                    assert_eq!(
                        asked(&config, entry, Some(json!({ "show_withheld": null }))),
                        Ok((Some(json!({})), false))
                    );
                    assert_eq!(
                        asked(&config, entry, Some(json!({ "show_withheld": false }))),
                        Ok((Some(json!({})), false))
                    );
                }
            }
        }
        let one: Vec<&str> =
            CATALOGUE.tools().filter(|tool| tool.one_item()).map(|tool| tool.name()).collect();
        let expected = [
            "get_file_contents",
            "get_commit_diff",
            "compare_refs",
            "get_issue",
            "list_issue_comments",
            "get_pull_request",
        ];
        assert_eq!(one, expected);
    }
}
