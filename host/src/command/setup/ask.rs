//! Talking to a person at a terminal: plain lines, a secret without an echo. Without a terminal nothing is ever asked.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::{Done, Stop};
use crate::settings::Secret;

/// Longest line that is taken, in bytes.
const MOST: usize = 4_096;

/// Whoever started the command.
pub(super) struct Person {
    /// Whether questions can be asked.
    pub(super) is_here: bool,
}

impl Person {
    /// By standard input and output of this process.
    pub(super) fn new() -> Self {
        Self { is_here: io::stdin().is_terminal() && io::stdout().is_terminal() }
    }

    /// A question with what an empty answer means; that, too, where nobody is there.
    pub(super) fn ask(&self, question: &str, otherwise: &str) -> Done<String> {
        let shown = if otherwise.is_empty() { String::new() } else { format!(" [{otherwise}]") };
        if !self.is_here {
            return Ok(otherwise.to_owned());
        }
        prompt(&format!("{question}{shown}: "))?;
        let mut line = String::new();
        let read = io::stdin().lock().take(MOST as u64).read_line(&mut line);
        match read {
            Ok(0) => Err(Stop::over()),
            Ok(_) if line.trim().is_empty() => Ok(otherwise.to_owned()),
            Ok(_) => Ok(line.trim().to_owned()),
            Err(error) => Err(Stop::failed(format!("standard input cannot be read: {error}"))),
        }
    }

    /// A question with yes or no.
    pub(super) fn agrees(&self, question: &str, otherwise: bool) -> Done<bool> {
        loop {
            let answer = self.ask(&format!("{question} (y/n)"), if otherwise { "y" } else { "n" })?;
            match answer.to_ascii_lowercase().as_str() {
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => say("Answer y or n."),
            }
        }
    }

    /// A secret, which is not shown while it is typed. Only for a person who is here.
    pub(super) fn secret(&self, question: &str) -> Done<Secret> {
        let typed = {
            // Before the question is on the screen: whoever sees it may paste at once.
            let _quiet = Quiet::begin().map_err(|error| {
                Stop::failed(format!("the terminal cannot be told not to show what is typed: {error}"))
            })?;
            prompt(&format!("{question} (not shown): "))?;
            unseen()
        };
        say("");
        typed
    }
}

/// The next line of standard input, for scripts: a secret that stands on no command line.
pub(super) fn secret_line(what: &str) -> Done<Secret> {
    let mut line = Zeroizing::new(String::with_capacity(MOST));
    let read = io::stdin().lock().take(MOST as u64).read_line(&mut line);
    let text = line.trim();
    match read {
        Ok(_) if text.is_empty() => Err(Stop::usage(format!(
            "standard input holds no {what}; give it as one line, such as by `< FILE`"
        ))),
        Ok(_) => Ok(Secret::new(text.to_owned())),
        Err(error) => Err(Stop::failed(format!("standard input cannot be read: {error}"))),
    }
}

/// One line for the person.
pub(super) fn say(text: &str) {
    // When standard output is gone there is nobody left to tell.
    let _ = writeln!(io::stdout(), "{text}");
}

fn prompt(text: &str) -> Done<()> {
    let mut out = io::stdout();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| Stop::failed(format!("standard output cannot be written: {error}")))
}

/// One line byte by byte: Ctrl-C and Ctrl-D end it all, backspace and Ctrl-U do what they do elsewhere.
fn unseen() -> Done<Secret> {
    let mut typed = Zeroizing::new(Vec::with_capacity(MOST));
    let mut input = io::stdin().lock();
    let mut byte = [0];
    while typed.len() < MOST {
        match input.read(&mut byte) {
            Ok(0) => return Err(Stop::over()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Stop::failed(format!("standard input cannot be read: {error}"))),
            Ok(_) => {}
        }
        match byte {
            [b'\r' | b'\n'] => break,
            [3 | 4] => return Err(Stop::over()),
            [8 | 127] => drop(typed.pop()),
            [21] => typed.clear(),
            [other] => typed.push(other),
        }
    }
    let text = str::from_utf8(&typed).unwrap_or_default().trim().to_owned();
    Ok(Secret::new(text))
}

/// A terminal that shows nothing and sends no signals; as it was before when this is dropped.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(io::stdin(), OptionalActions::Now, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
