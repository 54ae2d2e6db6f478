//! The keyring file: what it may hold, and a new root in front of the others.

use proptest::prelude::any;

use super::super::keyring_file::{FileError, MAX_BYTES, MAX_LINES, parse, with_new_root};
use super::super::keys::{Keyring, MAX_ROOTS, Root};
use super::{Counting, cut, known, past, ring, runner};

fn line(number: u8) -> String {
    super::super::text::encode(&[number; 32])
}

fn root(number: u8) -> Root {
    Root::new(vec![number; 32])
}

fn bytes(roots: &[Root]) -> Vec<&[u8]> {
    roots.iter().map(Root::bytes).collect()
}

#[test]
fn roots_are_read_newest_first_between_comments_and_empty_lines() {
    let file = format!("# ours\n\n  {}  \r\n#{}\n\t\n{}", line(2), line(9), line(1));
    assert_eq!(bytes(&parse(&file).unwrap()), bytes(&[root(2), root(1)]));
    assert!(parse("").unwrap().is_empty());
    assert!(parse("# nothing yet\n").unwrap().is_empty());
}

#[test]
fn each_fault_is_named_with_its_line_and_without_its_content() {
    let good = line(1);
    for bad in [
        "x",
        past(&good, 1),
        &format!("{good}="),
        &format!("{good} # newest"),
        &format!("A{good}"),
        &format!("{}B", cut(&good, 42)),
        &good.replace('A', "+"),
        "\u{feff}# comment",
        "0101010101010101010101010101010101010101010101010101010101010101",
    ] {
        let error = parse(&format!("# one\n{}\n{bad}\n", line(5))).unwrap_err();
        assert_eq!(error, FileError::NotARoot { line: 3 }, "{bad}");
        assert!(!format!("{error} {error:?}").contains(bad) || bad == "x");
    }
    let twice = format!("{good}\n{}\n#\n{good}", line(2));
    assert_eq!(parse(&twice).unwrap_err(), FileError::Repeated { line: 4, first: 1 });
    assert_eq!(parse(&"#".repeat(MAX_BYTES + 1)).unwrap_err(), FileError::TooLong);
}

#[test]
fn the_file_and_the_root_of_the_settings_together_fill_a_keyring_and_no_more() {
    let most: Vec<String> = (1..MAX_ROOTS).map(|number| line(u8::try_from(number).unwrap())).collect();
    let mut roots = parse(&most.join("\n")).unwrap();
    assert_eq!(roots.len(), MAX_LINES);
    roots.push(known());
    assert!(Keyring::new(&roots).is_ok());
    let more = format!("{}\n# old\n{}", most.join("\n"), line(99));
    assert_eq!(parse(&more).unwrap_err(), FileError::TooMany { line: 9 });
}

#[test]
fn a_new_root_goes_before_the_others_and_comments_stay() {
    let file = format!("# ours\n\n# since June\n{}\n# since May\n{}\n", line(2), line(1));
    let rotated = with_new_root(&file, &Counting::default()).unwrap();
    let new: Vec<u8> = (0..32).collect();
    let text = super::super::text::encode(&new);
    let expected = format!("# ours\n\n# since June\n{text}\n{}\n# since May\n{}\n", line(2), line(1));
    assert_eq!(rotated.expose(), expected);
    assert_eq!(bytes(&parse(rotated.expose()).unwrap()), bytes(&[Root::new(new), root(2), root(1)]));
}

#[test]
fn rotation_begins_with_no_file_and_ends_when_it_is_full() {
    let random = Counting::default();
    let mut file = String::new();
    for count in 1..=MAX_LINES {
        let before = parse(&file).unwrap();
        file = with_new_root(&file, &random).unwrap().expose().to_owned();
        let roots = parse(&file).unwrap();
        assert_eq!(roots.len(), count);
        assert_eq!(bytes(&roots)[1..], bytes(&before));
        assert_eq!(ring(&roots).newest_kid(), ring(&roots[..1]).newest_kid());
    }
    assert_eq!(with_new_root(&file, &random).map(|_| ()), Err(FileError::Full));
}

#[test]
fn a_file_that_is_wrong_is_not_rotated() {
    assert_eq!(with_new_root("x\n", &Counting::default()).map(|_| ()), Err(FileError::NotARoot { line: 1 }));
}

#[test]
fn a_last_line_without_its_end_is_not_joined_with_the_new_root() {
    for file in ["# only a comment", &line(1), &format!("# c\n{}", line(1))] {
        let rotated = with_new_root(file, &Counting::default()).unwrap();
        assert_eq!(parse(rotated.expose()).unwrap().len(), parse(file).unwrap().len() + 1, "{file}");
    }
}

#[test]
fn arbitrary_text_never_panics() {
    runner()
        .run(&any::<String>(), |text| {
            let _ = parse(&text);
            let _ = with_new_root(&text, &Counting::default());
            Ok(())
        })
        .unwrap();
}
