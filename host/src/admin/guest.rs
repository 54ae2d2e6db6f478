//! `guest swap|rollback|history`: replacing the guest of the running server. What is tried, refused and put on record is
//! decided in [`crate::swap`].

use std::io::{self, Write};
use std::sync::Weak;

use super::show::{clean, table};
use super::{Answer, Request};
use crate::serve::Server;
use crate::swap::{By, Done, History, Offered, Past, Refused, What, refuse_too_large, roll_back, swap};

/// Do what is asked about guests; none where something else is asked, or the server ends.
pub(super) async fn answer(
    server: &Weak<Server>,
    request: &Request,
    attached: Vec<u8>,
    uid: u32,
) -> Option<Answer> {
    let by = By::Operator(uid);
    if *request == Request::GuestHistory {
        let server = server.upgrade()?;
        return Some(Answer::GuestHistory { history: server.swaps.get()?.history(&server) });
    }
    let done = if let Request::GuestSwap { signature, .. } = request {
        swap(server, Offered { bytes: attached, signature: signature.clone() }, by).await
    } else if *request == Request::GuestRollback {
        roll_back(&server.upgrade()?, by).await
    } else {
        return None;
    };
    Some(match done {
        Ok(Done { before, after, generation, signer, volatile }) => {
            Answer::GuestInForce { before, after, generation, signer, volatile }
        }
        Err(Refused { cause, text }) => Answer::refused(cause.name(), text),
    })
}

/// A component that was not even read is refused as any other.
pub(super) fn too_large(server: &Weak<Server>, uid: u32) -> Answer {
    let Refused { cause, text } = refuse_too_large(server, By::Operator(uid));
    Answer::refused(cause.name(), text)
}

/// For a person.
pub(super) fn show(
    before: &str,
    after: &str,
    signer: Option<&str>,
    volatile: Option<&str>,
    out: &mut dyn Write,
) -> io::Result<()> {
    if before == after {
        return writeln!(out, "sha256 {after} is in force already: nothing was changed.");
    }
    writeln!(out, "In force is sha256 {after}")?;
    writeln!(out, "before it  sha256 {before}")?;
    if let Some(signer) = signer {
        writeln!(out, "signed by  {}", clean(signer))?;
    }
    writeln!(
        out,
        "What had begun is finished by the one before. `aegis-mcp guest history` says what a rollback comes to now."
    )?;
    if let Some(why) = volatile {
        writeln!(out, "It is forgotten when the server stops: {}", clean(why))?;
    }
    Ok(())
}

/// For a person.
pub(super) fn show_history(history: &History, out: &mut dyn Write) -> io::Result<()> {
    let History { in_force, image, rollback_to, folder, volatile, past, .. } = history;
    let is_image = if in_force == image { ", which came with the program" } else { "" };
    writeln!(out, "in force  sha256 {in_force}{is_image}")?;
    if in_force != image {
        writeln!(out, "program's sha256 {image}")?;
    }
    match rollback_to {
        Some(digest) => writeln!(out, "rollback  sha256 {digest}")?,
        None => writeln!(out, "rollback  to nothing: the program's own is the last")?,
    }
    match volatile {
        Some(why) => writeln!(out, "kept      in memory alone, until the server stops: {}", clean(why))?,
        None => writeln!(out, "kept      in {}", clean(&folder.display().to_string()))?,
    }
    if past.is_empty() {
        return writeln!(out, "No guest was swapped.");
    }
    let rows = past.iter().map(|Past { at, what, digest, by, uid, signer, .. }| {
        let by = uid.map_or_else(|| by.clone(), |uid| format!("{by} (user id {uid})"));
        let digest = digest.get(..16).unwrap_or(digest).to_owned();
        let what = match what {
            What::Swapped => "swapped in",
            What::Restored => "restored",
            What::RolledBack => "rolled back to",
            What::GaveUp => "back, the other failed",
            What::NewerImage => "a newer program's",
            What::NotRestored => "the kept one failed",
        };
        [at.clone(), what.to_owned(), digest, by, signer.clone().unwrap_or_default()].map(|text| clean(&text))
    });
    table(["AT", "WHAT", "IN FORCE SINCE", "BY", "SIGNED BY"], rows, out)
}
