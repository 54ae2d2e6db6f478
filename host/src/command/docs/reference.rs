//! `docs/commands.md`, made from the command line itself.

use std::fmt::Write as _;
use std::path::Path;

use clap::CommandFactory as _;

use crate::command::Cli;

const HEAD: &str = "\
# Commands

<!-- Made from the program's own help by `make bless`; change it there. -->

Every command of `aegis-mcp`, with what its `--help` says. Commands read the same settings as the server, from the environment and from \
`--env-file FILE`; where both have one, the environment wins ([configuration.md](configuration.md)). Those for a running server reach \
it through its socket ([operators.md](operators.md)).

| Exit code | Means |
|---|---|
| 0 | done |
| 1 | failed, or refused; standard error says why |
| 2 | wrong usage; for commands that read the audit log, something could not be read |
| 64 | wrong settings, or a wrong policy |
| 69 | no server answers |
| 75 | somebody else holds the audit log, or another swap is under way |

`audit verify` and `audit report` have 3 and 4 besides, which their sections tell.
";

/// The page.
fn page() -> String {
    let mut text = HEAD.to_owned();
    let mut root = Cli::command();
    root.build();
    for command in root.get_subcommands() {
        one(&mut text, command, "aegis-mcp");
    }
    text
}

fn one(text: &mut String, command: &clap::Command, before: &str) {
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    let name = format!("{before} {}", command.get_name());
    let mut usage = command.clone();
    let usage = usage.render_usage().to_string();
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let usage = usage.trim_start_matches("Usage: ").trim();
    // The parser takes the stop away from a single sentence.
    let about = if about.contains('\n') { about } else { cell(&about) };
    let _ = write!(text, "\n## {name}\n\n{}\n\n```text\n{usage}\n```\n", prose(&about));
    let shown: Vec<&clap::Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str()))
        .collect();
    if !shown.is_empty() {
        text.push_str("\n| Argument | |\n|---|---|\n");
    }
    for arg in shown {
        let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
        let values = values(arg);
        let _ = writeln!(text, "| `{}` | {}{values} |", spelled(arg), cell(&help));
    }
    for inner in command.get_subcommands() {
        one(text, inner, &name);
    }
}

/// The argument as somebody types it.
fn spelled(arg: &clap::Arg) -> String {
    let short = arg.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
    let value = arg
        .get_value_names()
        .unwrap_or_default()
        .iter()
        .map(|name| format!("<{name}>"))
        .collect::<Vec<_>>()
        .join(" ");
    let takes = arg.get_action().takes_values();
    match arg.get_long() {
        Some(long) if takes => format!("{short}--{long} {value}"),
        Some(long) => format!("{short}--{long}"),
        None => value,
    }
}

/// The values that there are, where they are few.
fn values(arg: &clap::Arg) -> String {
    if !arg.get_action().takes_values() {
        return String::new();
    }
    let values: Vec<String> =
        arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    if values.is_empty() { String::new() } else { format!(" One of {}.", values.join(", ")) }
}

/// Help as a cell of a table.
fn cell(help: &str) -> String {
    let ends = help.trim_end().ends_with(['.', '?', '!']);
    let text = help.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    if ends || text.is_empty() { text } else { format!("{text}.") }
}

/// Help as paragraphs: lines that stand in by two are examples to type.
fn prose(about: &str) -> String {
    let mut text = String::new();
    let mut typed = false;
    for line in about.lines() {
        if line.starts_with("  ") != typed {
            typed = !typed;
            text.push_str(if typed { "\n```text\n" } else { "```\n" });
        }
        let _ = writeln!(text, "{}", if typed { line.trim_start() } else { line });
    }
    if typed {
        text.push_str("```\n");
    }
    text.truncate(text.trim_end().len());
    text
}

#[test]
fn the_page_about_commands_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/commands.md");
    if std::env::var("BLESS").is_ok_and(|value| value == "1") {
        std::fs::write(&path, page()).expect("written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page(), "docs/commands.md is out of date: run `make bless`");
}

#[test]
fn every_command_and_every_argument_says_what_it_does() {
    fn check(command: &clap::Command, at: &str) {
        for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
            let name = format!("{at} {}", inner.get_name());
            assert!(inner.get_about().is_some(), "{name}");
            for arg in inner.get_arguments() {
                assert!(arg.get_help().is_some() || arg.get_long_help().is_some(), "{name} {}", arg.get_id());
            }
            check(inner, &name);
        }
    }
    check(&Cli::command(), "aegis-mcp");
}
