//! Which paths can be judged. Gitea cleans a path before it looks it up, so only a path that is already clean
//! means the same here and there; anything else is refused, never repaired.

/// Longest path, in bytes, as on Linux.
const PATH_LENGTH: usize = 4096;

/// Whether `path` is a clean path inside a repository.
///
/// # Errors
///
/// What is wrong with it, as the end of a sentence that begins with the path.
pub(crate) fn check(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("is empty; name a file or directory below the top of the repository");
    }
    if path.len() > PATH_LENGTH {
        return Err("is longer than 4096 bytes");
    }
    if path.starts_with('/') {
        return Err("begins with `/`; paths start at the top of the repository, without a slash");
    }
    if path.contains('\\') {
        return Err("holds a backslash; separate directories with `/`");
    }
    if path.contains(char::is_control) {
        return Err("holds a control character");
    }
    path.split('/').try_for_each(segment)
}

fn segment(segment: &str) -> Result<(), &'static str> {
    match segment {
        "" => Err("has an empty segment (`//` or a slash at its end); write each directory once"),
        "." | ".." => Err("has a `.` or `..` segment; write the path that it leads to"),
        _ if segment.eq_ignore_ascii_case(".git") => Err("reaches into `.git`, which no tool may touch"),
        _ => Ok(()),
    }
}
