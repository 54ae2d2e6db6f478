//! Resources and prompts as clients are shown them, and the page about them.

#![expect(
    clippy::disallowed_methods,
    reason = "a test that reads files of its own crate and fails where it cannot"
)]

use std::fmt::Write as _;
use std::path::Path;

use aegis_core::offer::PRODUCT;
use aegis_core::ports::Class;
use aegis_core::resources::Address;

fn page() -> String {
    let mut page = String::from(
        "# Resources and prompts\n\nWritten by `make bless`. What a client can open and begin with, besides the tools of \
         [tools.md](tools.md).\n\n## Resources\n\nA resource is a view of what tools answer: every reading is one or more \
         tool calls by the same person, with the same policy, record, bounds and masking. Nothing is listed one by one; \
         clients fill in the variables, with suggestions for most of them. A slash within a variable is written `%2F`. \
         A resource is listed where all of its tools are.\n\n| Address | What it is | Suggestions for | Tools |\n|---|---|---|---|\n",
    );
    for resource in PRODUCT.resources {
        let (Address::One(address) | Address::Many(address)) = resource.address();
        let completes: Vec<&str> = resource.completes().iter().map(|(name, _)| *name).collect();
        let _ = writeln!(
            page,
            "| `{address}` | **{}**: {} | {} | {} |",
            resource.title(),
            resource.description(),
            completes.join(", "),
            code(resource.tools())
        );
    }
    page.push_str(
        "\n## Prompts\n\nA prompt is words that tell an assistant which tools to use and what to hand back. It reads nothing \
         and changes nothing by itself. It is listed where the tools are that it cannot do without; what else it names, such as a \
         change at the end, is left to what the person and this server allow.\n\n\
         | Prompt | What it is for | Fill in | Needs |\n|---|---|---|---|\n",
    );
    for prompt in PRODUCT.prompts {
        let blanks = prompt.blanks().iter().map(|blank| {
            let optional = if blank.required { "" } else { " (optional)" };
            format!("`{}`{optional}", blank.name)
        });
        let blanks: Vec<String> = blanks.collect();
        let _ = writeln!(
            page,
            "| `{}` | **{}**: {} | {} | {} |",
            prompt.name(),
            prompt.title(),
            prompt.description(),
            blanks.join(", "),
            code(prompt.tools())
        );
    }
    page
}

fn code(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[test]
fn resources_and_prompts_need_tools_that_exist_and_that_read() {
    let resources = PRODUCT.resources.iter().map(|resource| (resource.name(), resource.tools()));
    let prompts = PRODUCT.prompts.iter().map(|prompt| (prompt.name(), prompt.tools()));
    for (name, tools) in resources.chain(prompts) {
        assert!(!tools.is_empty(), "{name}");
        for tool in tools {
            let found = PRODUCT.tools.find(tool);
            assert_eq!(found.map(|tool| tool.class()), Some(Class::Read), "{name}: {tool}");
        }
    }
}

#[test]
fn the_page_about_resources_and_prompts_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/resources.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, page()).expect("written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, page(), "run `make bless`");
}

#[test]
fn names_are_told_apart_and_short_enough_for_every_client() {
    let names: Vec<&str> = PRODUCT
        .resources
        .iter()
        .map(|resource| resource.name())
        .chain(PRODUCT.prompts.iter().map(|prompt| prompt.name()))
        .collect();
    for name in &names {
        assert!(name.len() <= 64 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        assert_eq!(names.iter().filter(|other| other == &name).count(), 1, "{name}");
    }
}

#[test]
fn every_variable_that_is_suggested_stands_in_the_address() {
    for resource in PRODUCT.resources {
        let (Address::One(address) | Address::Many(address)) = resource.address();
        for (name, _) in resource.completes() {
            assert!(address.contains(&format!("{{{name}}}")), "{address}: {name}");
        }
    }
}
