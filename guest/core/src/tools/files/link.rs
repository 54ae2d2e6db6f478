//! Where a symlink points within its repository.

/// The path that `target` means when the link stands at `path`; nothing if it leads out of the repository or
/// to its root, which no policy rule can be about.
pub(in crate::tools) fn inside(path: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut segments: Vec<&str> = path.split('/').collect();
    segments.pop();
    for segment in target.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop()?;
            }
            name => segments.push(name),
        }
    }
    if segments.is_empty() { None } else { Some(segments.join("/")) }
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn resolves_targets_as_git_checkouts_do() {
        for (path, target, expected) in [
            ("link", "src/secrets/key.pem", Some("src/secrets/key.pem")),
            ("a/b/link", "../c", Some("a/c")),
            ("a/b/link", "./../../c/./d/", Some("c/d")),
            ("link", "..", None),
            ("link", "../../etc/passwd", None),
            ("link", "/etc/passwd", None),
            ("a/link", "..", None),
        ] {
            assert_eq!(inside(path, target).as_deref(), expected, "{path} -> {target}");
        }
    }
}
