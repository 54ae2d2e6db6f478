//! Finding what to mask: a pass over the text as it stands, one over what its Base64 words stand for, one over
//! what its escaped lines mean. It changes nothing, and it does not look for hostile
//! characters: they are gone before.

use crate::class::Class;
use crate::matching::Text;
use crate::table::{self, Anchor, Look, RULES};
use crate::{encoded, escaped};

/// A range of the text to mask, and the rule that asks for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Hit {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Index into `RULES`.
    pub(crate) rule: u16,
}

/// What one pass found: hits in order, without overlaps; and the bytes it looked at.
pub(crate) struct Found {
    pub(crate) hits: Vec<Hit>,
    pub(crate) work: u64,
}

/// What a look decides.
pub(crate) enum Seen {
    Nothing,
    /// Mask from the first to the second place.
    Secret(usize, usize),
    /// An earlier mask, up to here: nothing inside it counts.
    Mask(usize),
}

impl From<Option<(usize, usize)>> for Seen {
    fn from(found: Option<(usize, usize)>) -> Self {
        found.map_or(Self::Nothing, |(start, end)| Self::Secret(start, end))
    }
}

pub(crate) struct Scan<'t> {
    pub(crate) text: Text<'t>,
    hits: Vec<Hit>,
    /// The last range decided on: anchors inside it are not looked at again.
    decided: (usize, usize),
    /// Set when a search found no end of a key block before the end of the text, so that none is repeated.
    pub(crate) endless: bool,
}

/// Find every secret in `text`, as it stands and below one encoding; only those of rules marked `always` if
/// `only_always`.
pub(crate) fn scan(text: &str, only_always: bool) -> Found {
    let mut found = plain(text, only_always);
    for more in [encoded::words(text, only_always), escaped::lines(text, only_always)] {
        found.hits.extend(more.hits);
        found.work = found.work.saturating_add(more.work);
    }
    Found { hits: merged(found.hits), work: found.work }
}

/// Find the secrets that stand in `text` as they are.
pub(crate) fn plain(text: &str, only_always: bool) -> Found {
    let mut scan =
        Scan { text: Text::new(text.as_bytes()), hits: Vec::new(), decided: (0, 0), endless: false };
    let mut key = 0_u32;
    for (last, byte) in text.bytes().enumerate() {
        key = (key << 8 | u32::from(byte | 0x20)) & 0x00FF_FFFF;
        if last >= 2 && table::filter(key) {
            scan.place(last.saturating_sub(2), key, only_always);
        }
    }
    Found { hits: merged(scan.hits), work: scan.text.work.saturating_add(text.len() as u64) }
}

impl Scan<'_> {
    /// Look at every anchor that may stand at `at`.
    fn place(&mut self, at: usize, key: u32, only_always: bool) {
        for anchor in table::anchors(key) {
            let inside = self.decided.0 <= at && at < self.decided.1;
            let barred = only_always && !rule_always(anchor) && !matches!(anchor.look, Look::Placeholder);
            // A key block is looked for inside other finds too: a token beside it must not hide it.
            if barred || inside && !matches!(anchor.look, Look::Pem) {
                continue;
            }
            if !self.text.starts(at, anchor.literal, anchor.fold) {
                continue;
            }
            match self.look(at, anchor) {
                Seen::Nothing => {}
                Seen::Mask(end) => self.decide(at, end),
                Seen::Secret(start, end) => {
                    let hit = self.by_its_own_name(Hit { start, end, rule: anchor.rule });
                    self.hits.push(hit);
                    self.decide(hit.start, hit.end);
                }
            }
        }
    }

    fn decide(&mut self, start: usize, end: usize) {
        self.decided = (start, end);
        self.text.fresh = end;
    }

    fn look(&mut self, at: usize, anchor: &Anchor) -> Seen {
        let after = at.saturating_add(anchor.literal.len());
        match anchor.look {
            Look::Token(token) => self.text.token(at, anchor.literal.len(), token).into(),
            Look::Near(near) => self.near(after, near).into(),
            // A block inside a block that is decided on already.
            Look::Pem if at < self.decided.1 && self.is_block(self.decided.0) => Seen::Nothing,
            Look::Pem => self.pem(at, after).into(),
            Look::PemEnd => self.pem_end(at, after).into(),
            Look::Authorization => self.authorization(after).into(),
            Look::Userinfo => self.userinfo(at, after).into(),
            Look::Assignment => self.assignment(after).into(),
            Look::Putty => self.putty(after).into(),
            Look::Netrc => self.netrc(at, after).into(),
            Look::DockerAuth => self.docker_auth(after).into(),
            Look::Connection => self.connection(at, after).into(),
            Look::Placeholder => self.placeholder(after),
        }
    }

    /// A value found by what stands before it may be a token with a name of its own: then that is what it is
    /// called, and all of it is masked.
    fn by_its_own_name(&mut self, hit: Hit) -> Hit {
        let head = self.text.rest(hit.start).first_chunk::<3>();
        let Some(key) = head.map(|head| head.iter().fold(0, |key, byte| key << 8 | u32::from(byte | 0x20)))
        else {
            return hit;
        };
        for anchor in table::anchors(key) {
            if let Look::Token(token) = anchor.look
                && self.text.starts(hit.start, anchor.literal, anchor.fold)
                && let Some((start, end)) = self.text.token(hit.start, anchor.literal.len(), token)
                && start == hit.start
            {
                return Hit { start, end: end.max(hit.end), rule: anchor.rule };
            }
        }
        hit
    }

    /// An earlier mask of this crate; anything else in such brackets is text like any other.
    fn placeholder(&mut self, after: usize) -> Seen {
        let end = self.text.run(after, Class::BASE64URL, 64);
        let name = self.text.bytes.get(after..end).unwrap_or_default();
        let known = RULES.iter().any(|rule| rule.name.as_bytes() == name);
        if known && self.text.byte(end) == Some(b']') {
            Seen::Mask(end.saturating_add(1))
        } else {
            Seen::Nothing
        }
    }

    fn is_block(&self, start: usize) -> bool {
        self.text.rest(start).starts_with(b"--")
    }
}

fn rule_always(anchor: &Anchor) -> bool {
    RULES.get(usize::from(anchor.rule)).is_some_and(|rule| rule.always)
}

/// Hits in order; those that overlap become one under the name of the longest.
fn merged(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.sort_by_key(|hit| (hit.start, std::cmp::Reverse(hit.end)));
    let mut out: Vec<Hit> = Vec::with_capacity(hits.len());
    for hit in hits {
        match out.last_mut() {
            Some(last) if hit.start < last.end => {
                if hit.end.saturating_sub(hit.start) > last.end.saturating_sub(last.start) {
                    last.rule = hit.rule;
                }
                last.end = last.end.max(hit.end);
            }
            _ => out.push(hit),
        }
    }
    out
}
