//! What a browser gets and where it ends.

use super::html::{self, Form};
use super::origin::join;
use crate::http::Answer;

/// A page, or any other answer, as it came.
#[derive(Debug, Clone)]
pub struct Page {
    /// Where it came from.
    pub url: String,
    /// What came.
    pub answer: Answer,
}

impl Page {
    /// Its status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.answer.status
    }

    /// Its source.
    #[must_use]
    pub fn text(&self) -> String {
        self.answer.text()
    }

    /// Its forms, with absolute actions, in order.
    #[must_use]
    pub fn forms(&self) -> Vec<Form> {
        let mut forms = html::forms(&self.text());
        for form in &mut forms {
            form.action = join(&self.url, &form.action);
        }
        forms
    }

    /// The first form whose action, id, or one of whose buttons holds this word.
    ///
    /// # Panics
    /// There is none; the page is in the message.
    #[must_use]
    pub fn form(&self, word: &str) -> Form {
        let found = self.forms().into_iter().find(|form| form.mentions(word));
        found.unwrap_or_else(|| {
            panic!("no form with {word:?} on {} ({}):\n{}", self.url, self.status(), self.text())
        })
    }

    /// Where the answer sends the browser, absolute.
    #[must_use]
    pub fn redirect(&self) -> Option<String> {
        let redirects = matches!(self.answer.status, 301 | 302 | 303 | 307 | 308);
        let to = self.answer.header("location").filter(|_| redirects)?;
        Some(join(&self.url, to))
    }
}

/// A request that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// Its method.
    pub method: String,
    /// Its URL.
    pub url: String,
    /// What was answered.
    pub status: u16,
}

/// Where following redirects ended.
#[derive(Debug, Clone)]
pub enum Arrived {
    /// At an answer that is no redirect.
    Page(Page),
    /// Before a URL that the test named, which was not asked for.
    Stopped(String),
    /// Before a URL that the form's page does not let a form end at (CSP `form-action`): Chromium stays where it is.
    Blocked(String),
}

impl Arrived {
    /// The URL before which the browser stopped.
    #[must_use]
    pub fn stopped(self) -> Option<String> {
        match self {
            Self::Stopped(url) => Some(url),
            Self::Page(_) | Self::Blocked(_) => None,
        }
    }

    /// The page that it arrived at.
    ///
    /// # Panics
    /// It stopped or was blocked.
    #[must_use]
    pub fn page(self) -> Page {
        match self {
            Self::Page(page) => page,
            Self::Stopped(url) => panic!("stopped before {url}"),
            Self::Blocked(url) => panic!("the page's form-action does not allow {url}"),
        }
    }
}
