//! The server's own secrets as a set of texts that nobody may be sent: the second line behind what a guest masks.
//!
//! A guest that reads Gitea's answers unpacks and cleans them, and what it has put together that way the host has not
//! seen before. So what it says is looked through here once more, by the one side that knows every secret. Each is known
//! in a few spellings ([`forms`]); what is spelt otherwise, or taken apart, is not found. This module knows neither
//! requests nor where something is going ([`outlet`] does).

mod forms;
pub(crate) mod outlet;

use std::fmt;
use std::ops::Range;

use aho_corasick::AhoCorasick;
use memchr::memmem;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

pub(crate) use forms::SHORTEST;

use crate::settings::Settings;

/// Texts that are looked for.
pub(crate) struct Own {
    /// In order, each once.
    patterns: Vec<Zeroizing<Vec<u8>>>,
    /// The length of the longest.
    longest: usize,
    /// Which bytes occur in any of them.
    letters: [bool; 256],
    /// Finds all of them in one pass; without it each has a pass of its own.
    automaton: Option<AhoCorasick>,
}

/// The automaton over all secrets cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the keys and tokens in the settings are too many or too long to be looked for in answers")]
pub(crate) struct TooMuch;

impl fmt::Debug for Own {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Own").field("patterns", &self.patterns.len()).finish_non_exhaustive()
    }
}

impl Own {
    /// Every secret of these settings, also one that does not count in the mode that is on: whoever has written it
    /// down here does not want it in an answer. Root keys of the keyring file are those of this moment.
    ///
    /// # Errors
    /// See [`TooMuch`].
    pub(crate) fn of(settings: &Settings) -> Result<Self, TooMuch> {
        let single = [
            settings.gitea_token(),
            settings.webhook_secret(),
            settings.gitea_oauth_client_secret(),
            settings.gitea_oauth_write_client_secret(),
            settings.oauth_state_secret(),
        ];
        let single = single.into_iter().flatten();
        let keys = settings.mcp_api_keys().iter().map(crate::settings::ApiKey::key);
        let mut all: Vec<Zeroizing<Vec<u8>>> =
            single.chain(keys).map(|secret| secret.expose().as_bytes().to_vec().into()).collect();
        all.extend(settings.gitea_proxy().into_iter().flat_map(|text| passwords(text.expose())));
        let headers = settings.otel_exporter_otlp_traces_headers();
        let headers = headers.into_iter().flat_map(|list| crate::trace::header_values(list.expose()));
        all.extend(headers.map(|value| value.into_bytes().into()));
        if let Some(file) = settings.oauth_keyring_file() {
            // Where it cannot be read or is none, sign-in says so and nothing starts.
            let text = Zeroizing::new(std::fs::read(file).unwrap_or_default());
            let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            all.extend(lines.filter(|line| !line.starts_with(b"#")).map(|line| line.to_vec().into()));
        }
        Self::all(all.iter().map(|secret| secret.as_slice()))
    }

    /// These secrets, found in one pass.
    pub(crate) fn all<'a>(secrets: impl Iterator<Item = &'a [u8]>) -> Result<Self, TooMuch> {
        let mut own = Self::one_by_one(secrets);
        if !own.patterns.is_empty() {
            let bytes = own.patterns.iter().map(|pattern| pattern.as_slice());
            own.automaton = Some(AhoCorasick::new(bytes).map_err(|_| TooMuch)?);
        }
        Ok(own)
    }

    /// One secret that is known for one request alone: not worth an automaton.
    fn single(secret: &[u8]) -> Self {
        Self::one_by_one(std::iter::once(secret))
    }

    fn one_by_one<'a>(secrets: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut patterns: Vec<_> = secrets.flat_map(forms::of).collect();
        patterns.sort_unstable_by(|one, other| one.as_slice().cmp(other.as_slice()));
        patterns.dedup_by(|one, other| one.as_slice() == other.as_slice());
        let longest = patterns.iter().map(|pattern| pattern.len()).max().unwrap_or_default();
        let mut letters = [false; 256];
        for byte in patterns.iter().flat_map(|pattern| pattern.iter()) {
            if let Some(letter) = letters.get_mut(usize::from(*byte)) {
                *letter = true;
            }
        }
        Self { patterns, longest, letters, automaton: None }
    }

    /// Whether this very text is looked for.
    fn knows(&self, text: &[u8]) -> bool {
        self.patterns.binary_search_by(|pattern| pattern.as_slice().cmp(text)).is_ok()
    }

    /// Whether one of them stands in the text.
    pub(crate) fn stands_in(&self, text: &str) -> bool {
        let mut places = Places::default();
        self.add_places(text.as_bytes(), &mut places);
        !places.0.is_empty()
    }

    /// Where one of them stands in the text; what overlaps is one place.
    fn add_places(&self, text: &[u8], places: &mut Places) {
        match &self.automaton {
            Some(automaton) => {
                automaton.find_overlapping_iter(text).for_each(|found| places.add(found.range()));
            }
            None => {
                for pattern in &self.patterns {
                    let found = memmem::find_iter(text, pattern.as_slice());
                    found.for_each(|at| places.add(at..at.saturating_add(pattern.len())));
                }
            }
        }
    }

    /// How much of the end of the text may be the beginning of one of them.
    fn begun(&self, text: &[u8]) -> usize {
        // An event of a stream ends with a line end, which is in no secret: that is where most looks end.
        let occurs = |byte: &&u8| self.letters.get(usize::from(**byte)).copied().unwrap_or_default();
        let most = text.iter().rev().take(self.longest.saturating_sub(1)).take_while(occurs).count();
        let begins = |end: &[u8]| {
            let next = self.patterns.partition_point(|pattern| pattern.as_slice() < end);
            self.patterns.get(next).is_some_and(|pattern| pattern.len() > end.len() && pattern.starts_with(end))
                // The very text is no beginning; the next one may begin with it.
                || self.patterns.get(next.saturating_add(1)).is_some_and(|pattern| pattern.starts_with(end))
        };
        let length = |length: &usize| text.len().checked_sub(*length).and_then(|from| text.get(from..));
        (1..=most).rev().find(|size| length(size).is_some_and(begins)).unwrap_or_default()
    }
}

/// The password of a proxy's address, as it is written and as it is meant.
fn passwords(address: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let account = address.rsplit_once('@').map(|(account, _)| account).unwrap_or_default();
    let account = account.strip_prefix("http://").unwrap_or(account);
    let Some((_, password)) = account.split_once(':') else { return Vec::new() };
    vec![password.as_bytes().to_vec().into(), percent_decode_str(password).collect::<Vec<u8>>().into()]
}

/// Places in a text, in order, none of which touch.
#[derive(Debug, Default, PartialEq, Eq)]
struct Places(Vec<Range<usize>>);

impl Places {
    fn add(&mut self, mut place: Range<usize>) {
        let first = self.0.partition_point(|known| known.end < place.start);
        let behind = self.0.partition_point(|known| known.start <= place.end);
        for known in self.0.get(first..behind).unwrap_or_default() {
            place = place.start.min(known.start)..place.end.max(known.end);
        }
        self.0.splice(first..behind, [place]);
    }

    /// Put stars there.
    fn star(&self, text: &mut [u8]) {
        for place in &self.0 {
            if let Some(found) = text.get_mut(place.clone()) {
                found.fill(b'*');
            }
        }
    }
}

#[cfg(test)]
mod tests;
