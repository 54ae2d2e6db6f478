//! Notices that a file has changed, by looking at what its name leads to.
//!
//! Looking works where events do not: on network volumes, through bind mounts, and where a symbolic link on the way is
//! put somewhere else (Kubernetes moves `..data`). It costs one `stat` a second. A file counts once it has come to rest,
//! so one that is being written is left alone; a copy that pauses for longer than that is read, and read again after it.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a file must stay as it is to count, and how often it is looked at.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

/// A file that is watched.
pub(crate) struct Watch {
    path: PathBuf,
    /// As it was when it counted last.
    taken: Option<Seen>,
    /// As it was at the last look.
    last: Option<Seen>,
}

/// What a name led to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    /// Device, number, length, and the times of content and status to the nanosecond: a change in place shows in them,
    /// another file under the name in the number.
    File([i64; 4], [u64; 3]),
}

impl Seen {
    fn at(path: &Path) -> Self {
        std::fs::metadata(path).map_or(Self::Nothing, |found| {
            let times = [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()];
            Self::File(times, [found.dev(), found.ino(), found.len()])
        })
    }
}

impl Watch {
    /// Watch what this name leads to. Nothing has counted yet, so the file as it is counts first: it may have changed
    /// since somebody read it.
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), taken: None, last: None }
    }

    /// Whether it is another file than the one that counted last, and as it was at the look before.
    pub(crate) fn look(&mut self) -> bool {
        let seen = Seen::at(&self.path);
        let rests = self.last == Some(seen);
        self.last = Some(seen);
        let counts = rests && self.taken != Some(seen);
        if counts {
            self.taken = Some(seen);
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("aegis-watch-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// The next looks, until one counts; at most three.
    fn counts(watch: &mut Watch) -> bool {
        (0..3).any(|_| watch.look())
    }

    #[test]
    fn a_file_counts_once_when_it_rests_and_again_when_it_is_another() {
        let folder = Folder::new("rest");
        let path = folder.0.join("policy.yaml");
        fs::write(&path, "one").unwrap();
        let mut watch = Watch::new(&path);
        assert!(!watch.look(), "it may still be written");
        assert!(watch.look());
        assert!(!counts(&mut watch), "nothing has changed");
        // Grown between two looks: only what rests counts.
        fs::write(&path, "one and").unwrap();
        assert!(!watch.look());
        fs::write(&path, "one and two").unwrap();
        assert!(!watch.look());
        assert!(watch.look());
        // An editor writes beside it and renames.
        fs::write(folder.0.join("new"), "one and two").unwrap();
        fs::rename(folder.0.join("new"), &path).unwrap();
        assert!(counts(&mut watch));
        fs::remove_file(&path).unwrap();
        assert!(counts(&mut watch), "a file that is gone has changed");
        assert!(!counts(&mut watch));
    }

    #[test]
    fn a_link_that_is_put_somewhere_else_on_the_way_is_a_change() {
        let folder = Folder::new("link");
        for (version, text) in [("v1", "same"), ("v2", "same")] {
            fs::create_dir(folder.0.join(version)).unwrap();
            fs::write(folder.0.join(version).join("policy.yaml"), text).unwrap();
        }
        symlink("v1", folder.0.join("..data")).unwrap();
        symlink("..data/policy.yaml", folder.0.join("policy.yaml")).unwrap();
        let mut watch = Watch::new(&folder.0.join("policy.yaml"));
        assert!(counts(&mut watch));
        symlink("v2", folder.0.join("..data_tmp")).unwrap();
        fs::rename(folder.0.join("..data_tmp"), folder.0.join("..data")).unwrap();
        assert!(counts(&mut watch));
    }
}
