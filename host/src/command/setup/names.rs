//! Names that people see elsewhere: the program as it was called, this machine, what stands in a shell line.

use std::path::Path;

use crate::settings::principal_name;

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
