//! The newest sign-ins, asked of the running server through its admin socket: one line of JSON there, one back.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::sign_in::timeline::Login;

/// What is asked.
const REQUEST: &[u8] = b"{\"request\":\"timeline\"}\n";
/// The longest answer, in bytes: 32 sign-ins of 32 steps are far less.
const MOST: u64 = 1 << 20;
/// How long the server may take.
const LIMIT: Duration = Duration::from_secs(10);

/// What is answered.
#[derive(Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
enum Answer {
    Timeline { logins: Vec<Login> },
    Refused { text: String },
}

/// The sign-ins that the server whose registry is beside `storage` (`DCR_STORAGE_PATH`) remembers.
///
/// # Errors
/// In words: nobody answers there, or not this.
pub(super) fn ask(storage: &Path) -> Result<Vec<Login>, String> {
    let socket = storage.parent().unwrap_or(Path::new(".")).join("admin.sock");
    let shown = socket.display();
    let mut stream = UnixStream::connect(&socket).map_err(|error| {
        let kind = error.kind();
        if kind == ErrorKind::NotFound || kind == ErrorKind::ConnectionRefused {
            return format!(
                "no server answers at {shown}; sign-ins are remembered while it runs: start it, sign in, look again"
            );
        }
        if kind == ErrorKind::PermissionDenied {
            return format!("{shown} is for the server's user and root alone; run this as one of them");
        }
        format!("{shown} cannot be used: {error}; is DCR_STORAGE_PATH that of the running server?")
    })?;
    let exchange = (|| {
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        stream.write_all(REQUEST)?;
        let mut line = Vec::new();
        BufReader::new(&stream).take(MOST).read_until(b'\n', &mut line)?;
        Ok(line)
    })();
    let line = exchange.map_err(|error: std::io::Error| {
        format!("the server at {shown} does not answer: {error}; look at its log, and restart it if it hangs")
    })?;
    read(&line).map_err(|why| format!("the server at {shown} {why}"))
}

/// The sign-ins in an answer.
fn read(line: &[u8]) -> Result<Vec<Login>, String> {
    match serde_json::from_slice(line) {
        Ok(Answer::Timeline { logins }) => Ok(logins),
        Ok(Answer::Refused { text }) => Err(format!("refuses: {text}")),
        Err(_) => {
            Err("answers in a form that this program does not know; both must be of one version".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn logins_are_read_from_the_line_that_the_server_writes() {
        let line =
            br#"{"answer":"timeline","logins":[{"flow":"0a","client":"Claude","login":null,"family":null,
            "steps":[{"at":1,"what":"approved","detail":null}]}]}"#;
        let logins = read(line).unwrap();
        assert_eq!(logins.len(), 1);
        assert_eq!(logins[0].steps[0].what, "approved");
    }

    #[test]
    fn anything_else_is_told() {
        assert!(
            read(br#"{"answer":"refused","reason":"x","text":"not now"}"#).unwrap_err().contains("not now")
        );
        for line in [&b""[..], b"{}", b"hello", br#"{"answer":"status"}"#] {
            assert!(read(line).unwrap_err().contains("one version"));
        }
    }

    #[test]
    fn one_line_is_asked_and_one_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let storage = folder.path().join("dcr_clients.json");
        assert!(ask(&storage).unwrap_err().contains("no server answers"));
        let listener = UnixListener::bind(folder.path().join("admin.sock")).unwrap();
        let server = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut asked = String::new();
            BufReader::new(&stream).read_line(&mut asked).unwrap();
            (&stream).write_all(b"{\"answer\":\"timeline\",\"logins\":[]}\n").unwrap();
            asked
        });
        assert_eq!(ask(&storage), Ok(Vec::new()));
        assert_eq!(server.join().unwrap(), "{\"request\":\"timeline\"}\n");
    }
}
