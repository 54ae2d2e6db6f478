//! Characters and terminal sequences that deceive a reader or a terminal. It removes and counts them, and
//! leaves everything that draws something: secrets are not its business.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::Chars;

use crate::invisible::{hidden, ideograph, picture};

/// `text` without hostile characters, and how many (an escape sequence counts once) there were.
pub(crate) fn strip(text: &str) -> (Cow<'_, str>, u32) {
    if !text.bytes().any(suspicious) {
        return (Cow::Borrowed(text), 0);
    }
    let mut out = String::with_capacity(text.len());
    let mut count = 0_u32;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if let Some(introducer) = introducer(c, &mut chars) {
            sequence(introducer, &mut chars);
        } else if !hidden(c) || serves(c, &out, &mut chars) {
            out.push(c);
            continue;
        }
        count = count.saturating_add(1);
    }
    if count == 0 {
        return (Cow::Borrowed(text), 0);
    }
    (Cow::Owned(out), count)
}

/// Bytes without which a text holds no hostile character: controls, and the lead bytes of the others.
pub(crate) const fn suspicious(byte: u8) -> bool {
    match byte {
        b'\n' | b'\r' | b'\t' => false,
        0..=0x1f | 0x7f => true,
        0xc2 | 0xcd | 0xd8 | 0xe1 | 0xe2 | 0xe3 | 0xef | 0xf0 | 0xf3 => true,
        _ => false,
    }
}

/// Whether a character that draws nothing makes what stands beside it what it is: a joiner between the parts of
/// an emoji, one selector behind what has variants (UTS #51, StandardizedVariants.txt). Rows of selectors carry
/// hidden bytes, and behind anything else one selects nothing.
fn serves(c: char, before: &str, after: &mut Peekable<Chars<'_>>) -> bool {
    let Some(base) = before.chars().next_back() else {
        return false;
    };
    match c {
        '\u{200d}' => {
            let whole = picture(base) || matches!(base, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}');
            whole && after.peek().is_some_and(|next| picture(*next))
        }
        '\u{fe0f}' if matches!(base, '0'..='9' | '#' | '*') => after.peek() == Some(&'\u{20e3}'),
        '\u{fe0e}' | '\u{fe0f}' => picture(base),
        '\u{fe00}'..='\u{fe02}' => ideograph(base),
        _ => false,
    }
}

/// The kinds of sequence of ECMA-48 that carry more than one character.
#[derive(Clone, Copy)]
enum Introducer {
    /// CSI: parameters, intermediates, a final character.
    Control,
    /// OSC, DCS, SOS, PM, APC: a string up to BEL or ST.
    Text,
    /// ESC, intermediates, a final character.
    Escape,
}

/// What begins with `c`, with the second character of a two-character introducer taken from `rest`.
fn introducer(c: char, rest: &mut Peekable<Chars<'_>>) -> Option<Introducer> {
    match c {
        '\u{9b}' => Some(Introducer::Control),
        '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => Some(Introducer::Text),
        '\u{1b}' => match rest.peek() {
            Some('[') => {
                rest.next();
                Some(Introducer::Control)
            }
            Some('P' | 'X' | ']' | '^' | '_') => {
                rest.next();
                Some(Introducer::Text)
            }
            _ => Some(Introducer::Escape),
        },
        _ => None,
    }
}

/// Take the rest of a sequence. What does not belong to it stays in `rest`.
fn sequence(introducer: Introducer, rest: &mut Peekable<Chars<'_>>) {
    match introducer {
        Introducer::Control => {
            while rest.next_if(|c| matches!(c, '\u{20}'..='\u{3f}')).is_some() {}
            rest.next_if(|c| matches!(c, '\u{40}'..='\u{7e}'));
        }
        Introducer::Escape => {
            while rest.next_if(|c| matches!(c, '\u{20}'..='\u{2f}')).is_some() {}
            rest.next_if(|c| matches!(c, '\u{30}'..='\u{7e}'));
        }
        Introducer::Text => terminated(rest),
    }
}

/// Take a control string with its terminator. Where the line ends first it was never a string, only bait to
/// hide text with: then only the introducer goes.
fn terminated(rest: &mut Peekable<Chars<'_>>) {
    let mut ahead = rest.clone();
    while let Some(c) = ahead.next() {
        match c {
            '\u{7}' | '\u{9c}' => {
                *rest = ahead;
                return;
            }
            '\u{1b}' if ahead.peek() == Some(&'\\') => {
                ahead.next();
                *rest = ahead;
                return;
            }
            // Another introducer ends the search too, so that each character is searched once.
            '\n' | '\r' | '\u{1b}' | '\u{90}' | '\u{98}' | '\u{9b}' | '\u{9d}'..='\u{9f}' => return,
            _ => {}
        }
    }
}
