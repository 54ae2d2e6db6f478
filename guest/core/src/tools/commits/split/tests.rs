//! Diffs as Git writes them, and as nobody should.

use super::{FileDiff, Splitter, Status};

/// All files of a diff, however it is cut into pieces.
fn files(diff: &[u8], whole: bool) -> Vec<FileDiff> {
    let cut_every = |bytes: usize| {
        let (mut splitter, mut files) = (Splitter::new(10_000), Vec::new());
        diff.chunks(bytes).for_each(|piece| splitter.push(piece, |file| files.push(file)));
        splitter.finish(whole, |file| files.push(file));
        files
    };
    let all = cut_every(usize::MAX);
    for bytes in [1, 2, 7, 64] {
        assert_eq!(cut_every(bytes), all, "in pieces of {bytes}");
    }
    all
}

fn of(diff: &str) -> Vec<FileDiff> {
    files(diff.as_bytes(), true)
}

fn one(diff: &str) -> FileDiff {
    let mut all = of(diff);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

type Told<'a> = (Option<(&'a str, Option<&'a str>)>, Status, u64, u64);

fn told(file: &FileDiff) -> Told<'_> {
    (file.names(), file.status, file.additions, file.deletions)
}

#[test]
fn what_happened_to_a_file_is_read_from_its_header() {
    let rename = "similarity index 90%\nrename from old name.txt\nrename to new name.txt\n";
    let cases: &[(&str, Told<'_>)] = &[
        (
            "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-a\n+b\n+c\n",
            (Some(("x", None)), Status::Changed, 2, 1),
        ),
        (
            "diff --git a/x b/x\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+a\n",
            (Some(("x", None)), Status::Added, 1, 0),
        ),
        (
            "diff --git a/x b/x\ndeleted file mode 100644\nindex 1..0\n--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n",
            (Some(("x", None)), Status::Deleted, 0, 1),
        ),
        ("diff --git a/e b/e\nnew file mode 100644\nindex 0..e\n", (Some(("e", None)), Status::Added, 0, 0)),
        ("diff --git a/e b/e\ndeleted file mode 100644\n", (Some(("e", None)), Status::Deleted, 0, 0)),
        (
            &format!("diff --git a/old name.txt b/new name.txt\n{rename}"),
            (Some(("new name.txt", Some("old name.txt"))), Status::Renamed, 0, 0),
        ),
        (
            &format!(
                "diff --git a/old name.txt b/new name.txt\n{rename}index 1..2 100644\n--- a/old name.txt\t\n\
                 +++ b/new name.txt\t\n@@ -1 +1 @@\n-a\n+b\n"
            ),
            (Some(("new name.txt", Some("old name.txt"))), Status::Renamed, 1, 1),
        ),
        (
            "diff --git a/x b/y\nsimilarity index 100%\ncopy from x\ncopy to y\n",
            (Some(("y", Some("x"))), Status::Copied, 0, 0),
        ),
        (
            "diff --git \"a/\\303\\244.txt\" b/plain\nsimilarity index 100%\nrename from \"\\303\\244.txt\"\n\
             rename to plain\n",
            (Some(("plain", Some("ä.txt"))), Status::Renamed, 0, 0),
        ),
        (
            "diff --git \"a/\\344\\275\\240.txt\" \"b/\\344\\275\\240.txt\"\nindex 1..2 100644\n\
             --- \"a/\\344\\275\\240.txt\"\n+++ \"b/\\344\\275\\240.txt\"\n@@ -1 +1 @@\n-a\n+b\n",
            (Some(("你.txt", None)), Status::Changed, 1, 1),
        ),
        // A blank before what looks like the second half.
        (
            "diff --git a/x b/x b/x b/x\nindex 1..2 100644\n--- a/x b/x\t\n+++ b/x b/x\t\n@@ -1 +1 @@\n-a\n+b\n",
            (Some(("x b/x", None)), Status::Changed, 1, 1),
        ),
        (
            "diff --git a/sub b/sub\nindex 1..2 160000\n--- a/sub\n+++ b/sub\n@@ -1 +1 @@\n-Subproject commit 1\n\
             +Subproject commit 2\n",
            (Some(("sub", None)), Status::Changed, 1, 1),
        ),
    ];
    for (diff, expected) in cases {
        assert_eq!(told(&one(diff)), *expected, "{diff}");
    }
}

#[test]
fn modes_and_binary_files_are_told_without_lines() {
    let modes = one("diff --git a/run b/run\nold mode 100644\nnew mode 100755\n");
    assert_eq!(modes.modes, Some(("100644".to_owned(), "100755".to_owned())));
    assert_eq!(modes.names(), Some(("run", None)));
    for body in [
        "Binary files a/p.png and b/p.png differ\n",
        "GIT binary patch\nliteral 12\nTcmZQzWMXDvWn=&Y0{{R3\n\nliteral 0\nHcmV?d00001\n\n",
    ] {
        let file = one(&format!("diff --git a/p.png b/p.png\nindex 1..2 100644\n{body}"));
        assert!(file.binary && file.patch.is_empty() && !file.cut, "{file:?}");
        assert_eq!(file.names(), Some(("p.png", None)));
    }
}

#[test]
fn a_patch_holds_every_hunk_and_nothing_of_the_header() {
    let hunks = "@@ -1,3 +1,3 @@ fn main() {\n a\n-b\n+c\n d\n@@ -9 +9 @@\n-x\n\\ No newline at end of file\n+y\n\
                 \\ No newline at end of file\n";
    let file = one(&format!("diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n{hunks}"));
    assert_eq!(file.patch, hunks);
    assert_eq!((file.additions, file.deletions, file.cut), (2, 2, false));

    let crlf = "@@ -1,2 +1,2 @@\n same\r\n-old\r\n+new\r\n";
    assert_eq!(one(&format!("diff --git a/x b/x\n--- a/x\n+++ b/x\n{crlf}")).patch, crlf);
    // Without the blank before empty lines, as `diff.suppressBlankEmpty` writes it.
    let bare = "@@ -1,3 +1,3 @@\n a\n\n-b\n+c\n";
    let file = one(&format!("diff --git a/x b/x\n--- a/x\n+++ b/x\n{bare}"));
    assert_eq!((file.patch.as_str(), file.cut), (bare, false));
    // The last line has no line end of its own.
    let file = one("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b");
    assert_eq!((file.patch.as_str(), file.cut), ("@@ -1 +1 @@\n-a\n+b\n", false));
}

#[test]
fn no_content_passes_for_the_header_of_another_file() {
    let hunk = "@@ -1,3 +1,4 @@\n-diff --git a/x b/x\n--- a/secret\n+++ b/public\n+diff --git a/secret b/public\n \
                rename from secret\n+@@ -1 +1 @@\n";
    let all = of(&format!(
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n{hunk}diff --git a/y b/y\n--- a/y\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n"
    ));
    let names: Vec<_> = all.iter().map(|file| file.names().map(|(name, _)| name)).collect();
    assert_eq!(names, [Some("x"), Some("y")]);
    assert_eq!(all[0].patch, hunk);
    assert_eq!((all[0].additions, all[0].deletions), (3, 2));
}

#[test]
fn what_comes_before_the_first_file_is_no_file() {
    let root = "commit 1234\nAuthor: A <a@example.test>\nDate:   Sun Nov 22 00:25:46 2026 +0000\n\n    first\n    \n    \
                diff --git a/fake b/fake\n    --- a/fake\n\n";
    let diff = "diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+a\n";
    let all = of(&format!("{root}{diff}"));
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(told(&all[0]), (Some(("x", None)), Status::Added, 1, 0));
    assert!(of("").is_empty() && of("commit 1234\n\n    empty\n").is_empty());
}

#[test]
fn a_file_that_cannot_be_named_for_sure_has_no_name() {
    for header in [
        "diff --git a/old b/new\nindex 1..2 100644\n",
        "diff --git a/old b/new\nsimilarity index 100%\nrename from old\n",
        "diff --git a/x b/x\n--- x\n+++ x\n",
        "diff --git a/x b/x\nindex 1..2\n--- \"a/x\n+++ b/x\n",
        "diff --git \"a/\\377\" \"b/\\377\"\nnew file mode 100644\n",
        "diff --cc x\nindex 1,2..3\n--- a/x\n+++ b/x\n",
        "diff -u x x\n--- a/x\n+++ b/x\n",
    ] {
        let file = one(&format!("{header}@@ -1 +1 @@\n-a\n+b\n"));
        assert_eq!(file.names(), None, "{header}");
    }
    let long = "é".repeat(40_000);
    assert_eq!(one(&format!("diff --git a/{long} b/{long}\nnew file mode 100644\n")).names(), None);
}

#[test]
fn a_diff_that_ends_too_early_loses_half_a_line_and_half_a_header() {
    let diff = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n-b\n+c\ndiff --git a/o b/n\nsimilarity \
                index 100%\nrename from o\nrename to n\n";
    for end in 0..diff.len() {
        let all = files(&diff.as_bytes()[..end], false);
        let named: Vec<_> = all.iter().filter_map(FileDiff::names).collect();
        assert!(named.is_empty() || named == [("x", None)], "{end}: {named:?}");
        assert!(all.iter().all(|file| file.patch.is_empty() || file.patch.ends_with('\n')), "{end}: {all:?}");
    }
    let half = files(b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n-b", false);
    assert_eq!((half[0].patch.as_str(), half[0].cut), ("@@ -1,2 +1,2 @@\n a\n", true));
    // Its own end, but fewer lines than it announced.
    assert!(one("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n a\n-b\n").cut);
    let lost = of(
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n a\ndiff --git a/y b/y\nold mode 1\nnew mode 2\n",
    );
    assert!(lost[0].cut && !lost[1].cut, "{lost:?}");
}

#[test]
fn a_long_patch_ends_at_a_line_and_is_still_counted() {
    let body: String = (0..3000).map(|n| format!("+line {n}\n")).collect();
    let file = one(&format!(
        "diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1,3000 @@\n{body}"
    ));
    assert_eq!((file.additions, file.cut), (3000, true));
    assert!(file.patch.len() <= 10_000 && file.patch.len() > 9_900 && file.patch.ends_with('\n'));

    // A line of many megabytes is neither kept nor shown in part, and what follows it is found.
    let long = "x".repeat(3_000_000);
    let all = files(
        format!(
            "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-a\n+{long}\n+b\ndiff --git a/y b/y\nold mode 1\n\
             new mode 2\n"
        )
        .as_bytes(),
        true,
    );
    assert_eq!((all[0].patch.as_str(), all[0].additions, all[0].cut), ("@@ -1 +1,2 @@\n-a\n", 2, true));
    assert_eq!(all[1].names(), Some(("y", None)));
}

#[test]
fn bytes_that_are_no_text_are_replaced_and_harm_nothing() {
    let mut diff = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-\xff\xfe\n+ok\n".to_vec();
    diff.extend_from_slice(b"\xff\xff\ndiff --git a/y b/y\nold mode 1\nnew mode 2\n");
    let all = files(&diff, true);
    assert_eq!(all[0].patch, "@@ -1 +1 @@\n-\u{fffd}\u{fffd}\n+ok\n");
    assert_eq!(all[1].names(), Some(("y", None)));
}

#[test]
fn what_git_itself_wrote_is_understood() {
    use Status::{Added, Changed, Deleted, Renamed};
    let all = files(include_bytes!("git-2.39.diff"), true);
    let found: Vec<Told<'_>> = all.iter().map(told).collect();
    let expected: &[Told<'_>] = &[
        (Some(("back\\slash.txt", None)), Changed, 1, 1),
        (Some(("bin.dat", None)), Changed, 0, 0),
        (Some(("crlf.txt", None)), Changed, 1, 1),
        (Some(("empty-new", Some("empty-gone"))), Renamed, 0, 0),
        (Some(("gone.txt", None)), Deleted, 0, 1),
        (Some(("noend.txt", None)), Changed, 1, 1),
        (Some(("nëw name.txt", Some("old name.txt"))), Renamed, 1, 1),
        (Some(("plain.txt", None)), Changed, 1, 1),
        (Some(("quo\"te.txt", None)), Changed, 1, 1),
        (Some(("run.sh", None)), Changed, 0, 0),
        (Some(("tab\there.txt", None)), Changed, 1, 1),
        (Some(("tail space ", None)), Changed, 1, 1),
        (Some(("tricky", None)), Changed, 1, 1),
        // A file that turned into a link comes as one that went and one that came.
        (Some(("turn", None)), Deleted, 0, 1),
        (Some(("turn", None)), Added, 1, 0),
        (Some(("x b/x", None)), Changed, 1, 1),
        (Some(("ünï.txt", None)), Changed, 1, 1),
    ];
    assert_eq!(found, expected);
    assert!(all.iter().all(|file| !file.cut));
    let links: Vec<_> = all.iter().filter(|file| file.link).map(|file| (file.names(), file.status)).collect();
    assert_eq!(links, [(Some(("turn", None)), Added)]);
}

#[test]
fn a_link_is_known_by_its_mode_wherever_that_stands() {
    for header in [
        "new file mode 120000\nindex 0..1\n",
        "deleted file mode 120000\nindex 1..0\n",
        "index 1..2 120000\n",
        "old mode 100644\nnew mode 120000\n",
        "old mode 120000\nnew mode 100644\n",
    ] {
        assert!(one(&format!("diff --git a/x b/x\n{header}")).link, "{header}");
    }
    assert!(!one("diff --git a/x b/x\nindex 1200001..2 100644\n").link);
}
