//! A guest that keeps, delivers and answers what is not its own, more than it may, or too early. The path names the
//! attempt, the query says with what.

use wasip2::http::types::{Fields, ResponseOutparam};
use wasip2::io::streams::OutputStream;

use crate::bindings::aegis::gateway::identity::{self, Caller};
use crate::bindings::aegis::gateway::mailbox::{self, Announcement, NotDelivered, Topic};
use crate::bindings::aegis::gateway::seal::{self, Purpose};
use crate::login::Asked;
use crate::{respond, say, success, ticket};

const PROGRESS: &str = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":0.5}}\n\n";
const RESULT: &str = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"SECRET\"}\n\n";

/// Make the attempt, or give the answer's place back where no attempt has this name.
pub fn attempt(target: &str, presented: &str, out: ResponseOutparam) -> Option<ResponseOutparam> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let asked = Asked(query);
    let text = match path {
        "/mailbox/topics" => format!("{:?}", mailbox::topics()),
        "/mailbox/keep" => return streamed(out, |stream| tell(stream, &keep(presented, &[]))),
        "/mailbox/keep-told" => return streamed(out, |stream| tell(stream, &keep(presented, &ALL))),
        "/mailbox/keep-and-trap" => {
            return streamed(out, |stream| {
                tell(stream, &keep(presented, &[]));
                panic!("on purpose, with a stream kept");
            });
        }
        "/mailbox/keep-with-an-open-ticket" => {
            return streamed(out, |stream| {
                let ticket = ticket(presented);
                let kept = keep(presented, &[]);
                let _ = stream.blocking_write_and_flush(PROGRESS.as_bytes());
                tell(stream, &kept);
                std::mem::forget(ticket);
            });
        }
        "/mailbox/keep-without-a-stream" => format!("{:?}", keep(presented, &[])),
        "/mailbox/keep-twice" => {
            let _ = keep(presented, &[]);
            format!("{:?}", keep(presented, &[]).is_ok())
        }
        "/mailbox/keep-two-events-as-one" => {
            let odd = Announcement { topic: Topic::Tools, event: "data: 1\n\ndata: 2\n\n".to_owned() };
            format!("{:?}", mailbox::keep(&caller(presented), &[odd], None))
        }
        "/mailbox/keep-with-half-a-farewell" => {
            format!("{:?}", mailbox::keep(&caller(presented), &[], Some("data: bye")))
        }
        "/mailbox/keep-nine-announcements" => {
            let told: Vec<Announcement> = (0..9).map(|_| announcement(Topic::Tools)).collect();
            format!("{:?}", mailbox::keep(&caller(presented), &told, None))
        }
        "/mailbox/deliver" => {
            let event = format!("data: {}\n\n", asked.one("text"));
            outcome(mailbox::deliver(&caller(presented), &asked.one("name"), &event))
        }
        "/mailbox/deliver-half" => {
            outcome(mailbox::deliver(&caller(presented), &asked.one("name"), "data: half"))
        }
        "/mailbox/deliver-early" => early(presented, &asked.one("name")),
        "/mailbox/flood" => flood(presented, &asked.one("name")),
        "/mailbox/ask" => return streamed(out, |stream| ask(presented, stream)),
        "/mailbox/ask-many" => {
            let caller = caller(presented);
            let all: Vec<_> = (0..100).map_while(|_| mailbox::ask(&caller, 120).ok()).collect();
            all.len().to_string()
        }
        "/mailbox/ask-in-vain" => {
            let question = mailbox::ask(&caller(presented), 0).expect("there is room");
            format!("{:?} {:?}", question.reply(), question.reply())
        }
        "/mailbox/answer" => {
            let reply = asked.one("text").into_bytes();
            mailbox::answer(&caller(presented), &asked.one("id"), &reply).to_string()
        }
        "/mailbox/confirmation" => {
            let _caller = caller(presented);
            seal::seal(Purpose::Confirmation, b"delete it", 300).unwrap_or_default()
        }
        "/mailbox/confirmation-of-nobody" => {
            format!("{:?}", seal::seal(Purpose::Confirmation, b"delete it", 300))
        }
        "/mailbox/confirm" => {
            let _caller = caller(presented);
            format!(
                "{:?}",
                seal::open(Purpose::Confirmation, &asked.one("value")).map_err(|broken| broken.name())
            )
        }
        _ => return Some(out),
    };
    say(out, &text);
    None
}

const ALL: [Topic; 3] = [Topic::Tools, Topic::Prompts, Topic::Resources];

fn caller(presented: &str) -> Caller {
    identity::authenticate(presented).expect("the test sends a good key")
}

fn announcement(topic: Topic) -> Announcement {
    Announcement { topic, event: format!("data: changed {topic:?}\n\n") }
}

fn keep(presented: &str, topics: &[Topic]) -> Result<String, u32> {
    let told: Vec<Announcement> = topics.iter().map(|topic| announcement(*topic)).collect();
    mailbox::keep(&caller(presented), &told, Some("data: bye\n\n"))
}

fn tell(stream: &OutputStream, kept: &Result<String, u32>) {
    let text = match kept {
        Ok(name) => format!("data: kept={name}\n\n"),
        Err(seconds) => format!("data: refused={seconds}\n\n"),
    };
    let _ = stream.blocking_write_and_flush(text.as_bytes());
}

fn outcome(delivered: Result<(), NotDelivered>) -> String {
    match delivered {
        Ok(()) => "delivered".to_owned(),
        Err(not) => not.name().to_owned(),
    }
}

/// A result and a progress while the ticket is open, and the result once more when it is closed.
fn early(presented: &str, name: &str) -> String {
    let ticket = ticket(presented);
    let caller = caller(presented);
    let result = || outcome(mailbox::deliver(&caller, name, RESULT));
    let (first, progress) = (result(), outcome(mailbox::deliver(&caller, name, PROGRESS)));
    ticket.close(&success()).expect("closed");
    format!("{first} {progress} {}", result())
}

/// Events of a mebibyte, until one is not taken.
fn flood(presented: &str, name: &str) -> String {
    let caller = caller(presented);
    let event = format!("data: {}\n\n", "x".repeat(1 << 20));
    let taken = (0..200).take_while(|_| mailbox::deliver(&caller, name, &event).is_ok()).count();
    format!("{} {}", taken < 200, outcome(mailbox::deliver(&caller, name, "data: after\n\n")))
}

/// Says its id, waits for the reply, and says that.
fn ask(presented: &str, stream: &OutputStream) {
    let question = mailbox::ask(&caller(presented), 60).expect("there is room");
    let _ = stream.blocking_write_and_flush(format!("data: asked={}\n\n", question.id()).as_bytes());
    let reply = question.reply().map(|reply| String::from_utf8_lossy(&reply).into_owned());
    let _ = stream.blocking_write_and_flush(format!("data: reply={reply:?}\n\n").as_bytes());
}

fn streamed(out: ResponseOutparam, write: impl FnOnce(&OutputStream)) -> Option<ResponseOutparam> {
    let fields = Fields::new();
    fields.append("content-type", b"text/event-stream").expect("a header");
    respond(out, fields, write);
    None
}
