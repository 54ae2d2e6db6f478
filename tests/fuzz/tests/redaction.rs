//! What leaves: no secret, nothing hostile, and cleaning is done once for all.

use aegis_fuzz::campaign;
use aegis_redaction::{Mode, Redactor};

const WORDS: &[&str] = &[
    "-----BEGIN RSA PRIVATE KEY-----\n",
    "-----END RSA PRIVATE KEY-----",
    "password = \"",
    "Authorization: Bearer ",
    "https://user:secret@",
    "\u{202e}",
    "\u{200b}",
    "\u{1b}]0;",
    "\u{7}",
    "token: ",
    "\u{e0041}",
    "[redacted:",
    "\\\n",
    "\" +\n\"",
    "%20",
    "\\u0041",
    "\\/",
    "cGFzc3dvcmQ6IGh1bnRlcjI=",
    "machine h login me password ",
    "user=app password=",
    "\"auth\":\"",
    "Private-Lines: 1\n",
];

#[test]
fn redaction() {
    // Put together here, so that no scanner takes this file for a leak.
    let token = ["aegis", "_key_", "Zm9vYmFyYmF6cXV4cXV1eGNvcmdl"].concat();
    campaign("redaction", WORDS, |input| {
        let (first, rest) = input.split_first().unwrap_or((&0, &[]));
        let text = String::from_utf8_lossy(rest).into_owned();
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let place = places[usize::from(*first) * places.len() / 256];
        let planted = format!("{} {token} {}", &text[..place], &text[place..]);
        let mut behaviour = String::new();
        for mode in [Mode::Off, Mode::Mask, Mode::Block] {
            let redactor = Redactor::new(mode);
            let cleaned = redactor.clean(&planted);
            assert!(!cleaned.text.contains(&token), "{mode:?}");
            let again = redactor.clean(&cleaned.text);
            assert_eq!(again.text, cleaned.text, "{mode:?}: cleaned twice");
            let once = redactor.clean(&text);
            assert!(!once.text.contains(['\u{202e}', '\u{200b}', '\u{1b}', '\0']), "{mode:?}");
            behaviour.push_str(&format!("{} {} ", once.secrets.min(9), once.hostile.min(9)));
        }
        behaviour
    });
}
