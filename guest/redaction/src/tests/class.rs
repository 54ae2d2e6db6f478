//! Each class written out: what belongs to it, byte by byte.

use crate::class::Class;

const DIGITS: &str = "0123456789";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const SIGNS: &str = "!@#$%^*";

#[test]
fn every_class_holds_exactly_its_characters() {
    let letters = format!("{UPPER}{LOWER}");
    let word = format!("{letters}{DIGITS}");
    for (name, class, members) in [
        ("DIGITS", Class::DIGITS, DIGITS.to_owned()),
        ("UPPER", Class::UPPER, UPPER.to_owned()),
        ("LOWER", Class::LOWER, LOWER.to_owned()),
        ("LETTER", Class::LETTER, letters),
        ("HEX", Class::HEX, format!("{DIGITS}ABCDEFabcdef")),
        ("BASE32", Class::BASE32, format!("{LOWER}234567")),
        ("BASE32_UPPER", Class::BASE32_UPPER, format!("{UPPER}234567")),
        ("ALNUM", Class::ALNUM, word.clone()),
        ("ALNUM_LOWER", Class::ALNUM_LOWER, format!("{LOWER}{DIGITS}")),
        ("ALNUM_UPPER", Class::ALNUM_UPPER, format!("{UPPER}{DIGITS}")),
        ("ALNUM_DASH", Class::ALNUM_DASH, format!("{word}-")),
        ("WORD", Class::WORD, format!("{word}_")),
        ("BASE64URL", Class::BASE64URL, format!("{word}-_")),
        ("BASE64", Class::BASE64, format!("{word}+/")),
        ("BASE64_ANY", Class::BASE64_ANY, format!("{word}+/-_")),
        ("DOTTED", Class::DOTTED, format!("{word}-_.")),
        ("TILDE", Class::TILDE, format!("{word}-_.~")),
        ("PATH", Class::PATH, format!("{word}-_/")),
        ("CRYPT", Class::CRYPT, format!("{word}./")),
        ("TOKEN68", Class::TOKEN68, format!("{word}+/-_.~")),
        ("VALUE", Class::VALUE, format!("{word}-_.~+/{SIGNS}")),
        ("DJANGO", Class::DJANGO, format!("{word}-_+{SIGNS}&()=")),
    ] {
        for byte in 0..=u8::MAX {
            let belongs = byte.is_ascii() && members.contains(char::from(byte));
            assert_eq!(class.has(byte), belongs, "{name}: {:?}", char::from(byte));
        }
    }
}

#[test]
fn padding_follows_base64_and_dots_end_sentences() {
    for (class, padded, dot) in [
        (Class::BASE64, true, false),
        (Class::BASE64_ANY, true, false),
        (Class::TOKEN68, true, true),
        (Class::VALUE, true, true),
        (Class::DJANGO, false, false),
        (Class::ALNUM, false, false),
        (Class::BASE64URL, false, false),
        (Class::DOTTED, false, true),
        (Class::CRYPT, false, true),
        (Class::PATH, false, false),
    ] {
        assert_eq!((class.padded(), class.has_dot()), (padded, dot), "{class:?}");
    }
}
