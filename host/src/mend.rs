//! What a person has to type where a file of ours cannot be written: told from the directory, who owns it and how it is
//! mounted. It looks, says one sentence, and changes nothing.
//!
//! In a container the command must run on the machine outside, where neither the path nor, with user namespaces, the
//! number of the user is the same: both are translated by what the kernel says of this process.

use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, statvfs};

/// Below this a volume counts as full, in bytes.
const FULL: u64 = 64 << 10;

/// How to make `file`, and the directory that it is in, writable for this process.
#[must_use]
pub(crate) fn writable(file: &Path) -> String {
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let shown = directory.display();
    if directory.exists() && !directory.is_dir() {
        return format!("{shown} is not a directory: name another place");
    }
    let present = directory.ancestors().find(|above| above.exists()).unwrap_or(Path::new("."));
    let stat = statvfs(present).ok();
    if stat.as_ref().is_some_and(|stat| stat.f_flag.contains(StatVfsMountFlags::RDONLY)) {
        return format!(
            "{shown} is on a read-only file system: mount a writable volume there, or name another place"
        );
    }
    if stat.is_some_and(|stat| stat.f_bavail.saturating_mul(stat.f_frsize) < FULL) {
        return format!("{shown} has no room left: make some, or give it a larger volume");
    }
    let us = Us::of_this_process();
    if present != directory {
        let command = us.command(&["install", "-d", "-m", "700"], &["-o", "-g"], directory);
        return format!("{shown} is not there: run {command}");
    }
    let strange = [directory, file].into_iter().filter_map(|path| std::fs::symlink_metadata(path).ok());
    let strange = strange.map(|found| found.uid()).find(|owner| *owner != us.uid);
    match strange {
        Some(owner) => {
            let outside = source(&read("/proc/self/mountinfo"), directory);
            let command = us.command(&["chown", "-R"], &[], outside.as_deref().unwrap_or(directory));
            let whose = format!("{shown} belongs to uid {owner}, and this server runs as uid {}", us.uid);
            match outside {
                Some(_) => format!("{whose}: run, on the machine outside the container, {command}"),
                None => format!("{whose}: run {command}"),
            }
        }
        None => format!("check the permissions of {shown}: ls -ldn {}", quoted(directory)),
    }
}

/// Who this process is, and who that is outside its user namespace.
struct Us {
    uid: u32,
    outside: (u32, u32),
}

impl Us {
    fn of_this_process() -> Self {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let outside = (mapped(&read("/proc/self/uid_map"), uid), mapped(&read("/proc/self/gid_map"), gid));
        Self { uid, outside }
    }

    /// A command on a directory, with owner and group in one word, or behind these two options.
    fn command(&self, words: &[&str], options: &[&str], directory: &Path) -> String {
        let (uid, gid) = self.outside;
        let owner = match options {
            [user, group] => format!("{user} {uid} {group} {gid}"),
            _ => format!("{uid}:{gid}"),
        };
        format!("sudo {} {owner} {}", words.join(" "), quoted(directory))
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The number outside for a number inside, by `/proc/self/uid_map` (user_namespaces(7)); itself where that says nothing.
fn mapped(map: &str, inside: u32) -> u32 {
    let row = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        let (first, outside, count) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
        let distance = inside.checked_sub(first).filter(|distance| *distance < count)?;
        outside.checked_add(distance)
    };
    map.lines().find_map(row).unwrap_or(inside)
}

/// Which directory of its disk is mounted at `directory`, by `/proc/self/mountinfo` (proc(5)); none where it is no mount
/// of a part of a disk. Where the disk itself is not mounted at `/` outside, what is found begins at the disk's top.
fn source(mountinfo: &str, directory: &Path) -> Option<PathBuf> {
    let row = |line: &str| {
        let mut words = line.split(' ').skip(3);
        let (root, point) = (unescaped(words.next()?), unescaped(words.next()?));
        (point == directory && root != Path::new("/")).then_some(root)
    };
    // A later mount covers an earlier one.
    mountinfo.lines().filter_map(row).next_back()
}

/// mountinfo writes a blank, a tab, a line feed and a backslash as a backslash and three octal digits.
fn unescaped(word: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.first_chunk::<3>().filter(|_| *first == b'\\');
        let code = code.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    std::ffi::OsString::from_vec(bytes).into()
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{mapped, quoted, source, writable};

    #[test]
    fn numbers_are_translated_by_the_map() {
        assert_eq!(mapped("         0          0 4294967295\n", 65532), 65532);
        assert_eq!(mapped("0 1000 1\n1 100000 65536\n", 0), 1000);
        assert_eq!(mapped("0 1000 1\n1 100000 65536\n", 65532), 165_531);
        assert_eq!(mapped("0 1000 1\n", 65532), 65532);
        assert_eq!(mapped("", 7), 7);
    }

    #[test]
    fn the_directory_behind_a_mount_is_found() {
        let info = "21 1 8:1 / / ro - ext4 /dev/sda rw\n\
                    22 21 8:1 /srv/aegis\\040logs /var/log/aegis-mcp rw - ext4 /dev/sda rw\n\
                    23 21 0:9 / /var/lib/aegis-mcp rw - tmpfs tmpfs rw\n";
        let found = |path: &str| source(info, Path::new(path));
        assert_eq!(found("/var/log/aegis-mcp").as_deref(), Some(Path::new("/srv/aegis logs")));
        assert_eq!(found("/var/lib/aegis-mcp"), None, "a whole file system has no directory outside");
        assert_eq!(found("/var/log"), None);
    }

    #[test]
    fn a_path_is_one_word() {
        assert_eq!(quoted(Path::new("/srv/aegis-mcp")), "/srv/aegis-mcp");
        assert_eq!(quoted(Path::new("/srv/it's here")), r"'/srv/it'\''s here'");
    }

    #[test]
    fn a_directory_that_is_missing_is_told_with_the_command_that_makes_it() {
        let folder = tempfile::tempdir().unwrap();
        let said = writable(&folder.path().join("none").join("audit.log"));
        assert!(said.contains("is not there: run sudo install -d -m 700 -o "), "{said}");
        assert!(said.ends_with("/none"), "{said}");
    }
}
