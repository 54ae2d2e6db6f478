//! A text that must not be shown: a token, a code, a client secret. It is shown only by asking for it.

use std::fmt;

use zeroize::Zeroizing;

/// A secret text, wiped from memory when dropped. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Take the text over.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret itself, to be sent to the one it belongs to and nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}
