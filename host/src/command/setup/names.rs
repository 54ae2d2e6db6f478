//! Names that people see elsewhere: the program as it was called, this machine, what stands in a shell line, and the lines
//! that are to be typed next.

use std::path::Path;

use super::draft::Draft;
use crate::settings::principal_name;

/// Where compose's files are, from the directory of the settings.
const COMPOSE: &str = "docker/compose.yaml";
const CADDY: &str = "docker/compose.caddy.yaml";
/// Where `install.sh` puts the settings of the unit.
const OF_UNIT: &str = "/etc/aegis-mcp/aegis-mcp.env";

/// The program as it was called, so that the next line can be typed.
pub(in crate::command) fn program() -> String {
    let called = std::env::args_os().next().map(|name| name.to_string_lossy().into_owned());
    called.filter(|name| !name.is_empty()).map_or_else(|| "aegis-mcp".to_owned(), |name| quoted(&name))
}

/// A word as a shell takes it.
pub(in crate::command) fn quoted(word: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@,+%".contains(&byte);
    if !word.is_empty() && word.bytes().all(bare) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// This machine's name as far as it can name a client; `laptop` where it cannot.
pub(super) fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim().split('.').next().unwrap_or_default().to_owned();
    if principal_name(&name).is_ok() { name } else { "laptop".to_owned() }
}

/// The line that starts the server: by systemd where the settings are those of its unit, and for the machine outside where
/// this runs in a container for compose.
pub(super) fn starts(draft: &Draft) -> String {
    if draft.path == Path::new(OF_UNIT) {
        // Also after a change, and both may be said again.
        return "sudo systemctl enable aegis-mcp && sudo systemctl restart aegis-mcp".to_owned();
    }
    if !is_for_compose(draft) {
        return command(draft, "serve");
    }
    if draft.get("MCP_DOMAIN").is_some() {
        return format!("docker compose -f {COMPOSE} -f {CADDY} --project-directory . --profile prod up -d");
    }
    "docker compose --profile prod up -d".to_owned()
}

/// The line that prints what a client takes.
pub(super) fn connects(draft: &Draft, client: &str) -> String {
    command(draft, &format!("connect {client}"))
}

/// A command of this program, for the settings that were written.
pub(super) fn command(draft: &Draft, words: &str) -> String {
    if is_for_compose(draft) {
        // The settings are in its environment there.
        return format!("docker compose exec aegis-mcp {} {words}", program());
    }
    let by = if draft.path == Path::new(OF_UNIT) { "sudo " } else { "" };
    format!("{by}{} {words} --env-file {}", program(), quoted(&draft.path.display().to_string()))
}

/// Whether this runs in a container, and the settings lie where compose starts another one with them.
pub(super) fn is_for_compose(draft: &Draft) -> bool {
    is_container() && draft.directory().join(COMPOSE).is_file()
}

/// Whether the compose file that puts Caddy in front is beside the settings.
pub(super) fn has_caddy(draft: &Draft) -> bool {
    draft.directory().join(CADDY).is_file()
}

/// Whether this runs in a container, as the common engines mark it.
pub(super) fn is_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| Path::new(mark).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_every_word_as_it_is() {
        assert_eq!(quoted("/usr/bin/aegis-mcp"), "/usr/bin/aegis-mcp");
        assert_eq!(quoted("my folder/it's"), r"'my folder/it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn this_machine_can_name_a_client() {
        assert!(principal_name(&machine()).is_ok());
    }
}
