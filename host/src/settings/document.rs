//! The texts made from the table: `.env.example` and `docs/configuration.md`. Only tests build them.

use super::{COMPOSE, EXAMPLES, Setting, TABLE};
use std::fmt::Write as _;

/// `.env.example`: first what has to be filled in, then everything else as comments.
pub(super) fn env_example() -> String {
    let mut text = String::from(
        "# AegisGitea-MCP: copy to .env and fill in the first lines. Everything else has a safe default.\n\
         # One NAME=value per line; nothing is expanded. A variable of the environment wins over this file, and an\n\
         # empty value counts as unset. Secrets may instead come from a file: GITEA_TOKEN_FILE=/run/secrets/token.\n\n",
    );
    for (name, value) in EXAMPLES {
        for setting in TABLE.iter().filter(|setting| setting.name == *name) {
            text += &comment(setting);
            writeln!(text, "{name}={value}\n").unwrap();
        }
    }
    let mut section = "";
    for setting in TABLE.iter().filter(|setting| EXAMPLES.iter().all(|(name, _)| setting.name != *name)) {
        if setting.section != section {
            section = setting.section;
            writeln!(text, "# --- {section} ---\n").unwrap();
        }
        text += &comment(setting);
        writeln!(text, "#{}={}\n", setting.name, setting.default).unwrap();
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

/// Doc and allowed values as comment lines of at most 110 characters.
fn comment(setting: &Setting) -> String {
    let required = match setting.required {
        "never" => String::new(),
        "always" => " Required.".to_owned(),
        when => format!(" Required {when}."),
    };
    let prose = format!("{} ({}.){required}", setting.doc.replace('`', ""), setting.allowed);
    let (mut text, mut line) = (String::new(), String::from("#"));
    for word in prose.split_whitespace() {
        if line.len() + word.len() >= 110 {
            writeln!(text, "{line}").unwrap();
            "#".clone_into(&mut line);
        }
        write!(line, " {word}").unwrap();
    }
    text + &line + "\n"
}

/// `docs/configuration.md`: a table for each section.
pub(super) fn reference() -> String {
    let mut text = String::from(
        "# Configuration\n\n\
         <!-- Made from settings.toml by `make bless`; change it there. -->\n\n\
         Every setting is a variable of the environment, or a line of an env file (`.env`). Copy `.env.example` to\n\
         `.env`, fill in its first lines, and the rest has safe defaults. `aegis-mcp settings` shows what is in force\n\
         and where each value came from, with secrets masked.\n\n\
         - The environment wins over the env file. An empty value counts as unset.\n\
         - The env file holds `NAME=value` lines and `#` comments. Quotes may stand around a value: what is in single\n  \
           quotes is taken as it is, double quotes know `\\n`, `\\\"`, `\\\\` and `\\$`. Nothing is expanded. A name that is\n  \
           not a setting, or is set twice, is refused: it would be a mistake that nobody notices.\n\
         - A secret may come from a file instead: `GITEA_TOKEN_FILE=/run/secrets/gitea_token`. Setting both is refused.\n\
         - Lists are separated by commas. `true` and `false` may also be written `1`/`0`, `yes`/`no` and `on`/`off`.\n\
         - The program names every mistake at once and stops with exit code 64 before it opens a port.\n\n\
         The column *Read by* says who can learn the value: the *host* is the native program, the *guest* the sandboxed\n\
         component with the product logic. No guest can read a secret.\n",
    );
    let mut section = "";
    for setting in TABLE {
        if setting.section != section {
            section = setting.section;
            write!(
                text,
                "\n## {section}\n\n| Setting | Required | Default | Values | Read by | What it does |\n"
            )
            .unwrap();
            text += "|---|---|---|---|---|---|\n";
        }
        let default =
            if setting.default.is_empty() { "-".to_owned() } else { format!("`{}`", setting.default) };
        let file = if setting.secret { format!(", or `{}_FILE`", setting.name) } else { String::new() };
        let reader = setting.reader;
        let Setting { name, required, allowed, doc, .. } = setting;
        writeln!(text, "| `{name}`{file} | {required} | {default} | {allowed} | {reader} | {doc} |").unwrap();
    }
    text += "\n## Names of the compose files\n\n\
             `docker/compose.yaml` and the files beside it read these from the same `.env`\n\
             ([deployment.md](deployment.md)). They may stand there; the program itself does nothing with them:\n\n";
    for name in COMPOSE {
        writeln!(text, "- `{name}`").unwrap();
    }
    text
}
