//! What passes between requests, for tests: streams that remember what they were given, clients that reply as a script
//! has it, and values that open once.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use serde_json::{Value, json};

use crate::ports::{Announcement, Broken, Choice, Mailbox, NotDelivered, Pending, Purpose, Seal, Topic};

/// The mailbox of one world.
pub(crate) struct Office {
    pub(crate) topics: RefCell<Vec<Topic>>,
    pub(crate) full: Cell<bool>,
    pub(crate) kept: RefCell<Vec<(Vec<Announcement>, Option<String>)>>,
    pub(crate) delivered: RefCell<Vec<(String, String)>>,
    /// Replies to the questions to come; none where nobody replies.
    pub(crate) replies: RefCell<Vec<Option<Value>>>,
    pub(crate) answered: RefCell<Vec<(String, Vec<u8>)>>,
}

impl Default for Office {
    fn default() -> Self {
        Self {
            topics: RefCell::new(vec![Topic::Tools, Topic::Prompts, Topic::Resources]),
            full: Cell::default(),
            kept: RefCell::default(),
            delivered: RefCell::default(),
            replies: RefCell::default(),
            answered: RefCell::default(),
        }
    }
}

impl Office {
    pub(crate) fn keep(&self, announcements: &[Announcement], farewell: Option<&str>) -> Result<String, u32> {
        if self.full.get() {
            return Err(9);
        }
        self.kept.borrow_mut().push((announcements.to_vec(), farewell.map(str::to_owned)));
        Ok("stream-1".to_owned())
    }

    pub(crate) fn deliver(&self, stream: &str, event: &str) -> Result<(), NotDelivered> {
        if stream != "stream-1" {
            return Err(NotDelivered::Gone);
        }
        self.delivered.borrow_mut().push((stream.to_owned(), event.to_owned()));
        Ok(())
    }

    pub(crate) fn ask(&self) -> Result<Box<dyn Pending>, u32> {
        let mut replies = self.replies.borrow_mut();
        if replies.is_empty() {
            return Err(9);
        }
        Ok(Box::new(Scripted(replies.remove(0))))
    }

    pub(crate) fn answer(&self, id: &str, reply: &[u8]) -> bool {
        self.answered.borrow_mut().push((id.to_owned(), reply.to_vec()));
        id == "question-1"
    }

    /// The messages that went to the stream.
    pub(crate) fn messages(&self) -> Vec<Value> {
        let delivered = self.delivered.borrow();
        let data = delivered.iter().filter_map(|(_, event)| event.split_once("data: "));
        data.map(|(_, json)| serde_json::from_str(json.trim()).unwrap()).collect()
    }
}

impl Mailbox for Office {
    fn topics(&self) -> Vec<Topic> {
        self.topics.borrow().clone()
    }
}

struct Scripted(Option<Value>);

impl Pending for Scripted {
    fn id(&self) -> String {
        "question-1".to_owned()
    }

    fn reply(&self) -> Option<Vec<u8>> {
        let mut reply = json!({ "jsonrpc": "2.0", "id": "question-1" });
        for (key, value) in self.0.as_ref()?.as_object().unwrap() {
            reply[key] = value.clone();
        }
        Some(reply.to_string().into_bytes())
    }
}

/// Sealed values: what was sealed is known by a number, and a confirmation opens once.
#[derive(Default)]
pub(crate) struct Sealed {
    pub(crate) without_key: Cell<bool>,
    values: RefCell<HashMap<String, Vec<u8>>>,
}

impl Seal for Sealed {
    fn seal(&self, _purpose: Purpose, value: &[u8], _ttl_seconds: u32) -> Option<String> {
        if self.without_key.get() {
            return None;
        }
        let mut values = self.values.borrow_mut();
        let name = format!("sealed-{}", values.len());
        values.insert(name.clone(), value.to_vec());
        Some(name)
    }

    fn open(&self, _purpose: Purpose, sealed: &str) -> Result<Vec<u8>, Broken> {
        let mut values = self.values.borrow_mut();
        let value = values.get_mut(sealed).ok_or(Broken::Forged)?;
        if value.is_empty() { Err(Broken::Expired) } else { Ok(core::mem::take(value)) }
    }

    fn answer(&self, _sealed: &str, _choice: Choice) -> Result<Vec<u8>, Broken> {
        Err(Broken::Forged)
    }
}
