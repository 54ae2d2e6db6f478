//! Base64 with the standard alphabet and padding (RFC 4648 section 4), for header values only.
//!
//! Strict: one spelling for each value, so that two readers cannot disagree about a name.

/// Decodes canonical, padded base64; none for anything else.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut groups = text.as_bytes().chunks_exact(4).peekable();
    while let Some(group) = groups.next() {
        let &[a, b, c, d] = group else { return None };
        let last = groups.peek().is_none();
        let (a, b) = (sextet(a)?, sextet(b)?);
        out.push(a << 2 | b >> 4);
        match (c, d) {
            // Left-over bits must be zero (section 3.5): another spelling of the same bytes is refused.
            (b'=', b'=') if last && b & 0x0F == 0 => {}
            (c, b'=') if last => {
                let c = sextet(c).filter(|c| c & 0x03 == 0)?;
                out.push(b << 4 | c >> 2);
            }
            (c, d) => {
                let (c, d) = (sextet(c)?, sextet(d)?);
                out.push(b << 4 | c >> 2);
                out.push(c << 6 | d);
            }
        }
    }
    groups_complete(text).then_some(out)
}

fn groups_complete(text: &str) -> bool {
    text.len().is_multiple_of(4)
}

fn sextet(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn decodes_the_vectors_of_rfc_4648_section_10() {
        let vectors: &[(&str, &str)] = &[
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmFy", "foobar"),
        ];
        for (coded, plain) in vectors {
            assert_eq!(decode(coded).as_deref(), Some(plain.as_bytes()), "{coded}");
        }
        assert_eq!(decode("+/+/").as_deref(), Some([0xFB, 0xFF, 0xBF].as_slice()));
    }

    #[test]
    fn refuses_every_other_spelling() {
        for (why, coded) in [
            ("no padding", "Zg"),
            ("half padding", "Zg="),
            ("padding inside", "Zg==Zm9v"),
            ("padding first", "===="),
            ("left-over bits, section 3.5", "Zh=="),
            ("left-over bits, section 3.5", "Zm9="),
            ("URL alphabet, section 5", "-_-_"),
            ("white space, section 3.3", "Zm 9"),
            ("line break, section 3.1", "Zm9v\n"),
        ] {
            assert_eq!(decode(coded), None, "{why}: {coded}");
        }
    }
}
