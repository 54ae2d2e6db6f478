//! Syslog: RFC 5424 messages as datagrams (RFC 5426), over TCP with octet counting (RFC 6587 section 3.4.1), over TLS
//! (RFC 5425), or to a socket of this machine. The message is the audit line as it stands in the log.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket, UnixDatagram};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::record::{Record, Severity};
use super::{Receiver, Refused};
use crate::audit::LiveLine;
use crate::settings::Settings;

/// Facility 13, log audit (RFC 5424 table 1).
const FACILITY: u8 = 13;

/// Longest message that fits into a datagram over IPv4, in bytes.
const DATAGRAM: usize = 65_507;

/// Longest that a receiver may take to end a connection.
const FAREWELL: Duration = Duration::from_secs(1);

/// AUDIT_SYSLOG_URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// `udp://host:port`.
    Udp(String, u16),
    /// `tcp://host:port`.
    Tcp(String, u16),
    /// `tls://host:port`.
    Tls(String, u16),
    /// `unix:/path`.
    Unix(PathBuf),
}

impl Address {
    /// # Errors
    /// What is wrong with it; continues a sentence that begins with its name.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            "must be udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT or unix:/PATH, such as \
             tls://logs.example.com:6514"
                .to_owned()
        };
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
            return if path.is_absolute() { Ok(Self::Unix(path)) } else { Err(wrong()) };
        }
        let (scheme, place) = text.split_once("://").ok_or_else(wrong)?;
        let (host, port) = place.trim_end_matches('/').rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let known = bare.map_or_else(
            || {
                !host.is_empty()
                    && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
            },
            |six| six.parse::<Ipv6Addr>().is_ok(),
        );
        let host = bare.unwrap_or(host).to_owned();
        match scheme {
            "udp" if known => Ok(Self::Udp(host, port)),
            "tcp" if known => Ok(Self::Tcp(host, port)),
            "tls" if known => Ok(Self::Tls(host, port)),
            _ => Err(wrong()),
        }
    }
}

/// A connection to the receiver.
enum Open {
    Udp(UdpSocket),
    Unix(UnixDatagram),
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// The receiver.
pub(super) struct Syslog {
    address: Address,
    /// For `tls` alone.
    tls: Option<TlsConnector>,
    host: String,
    open: Option<Open>,
}

impl Syslog {
    /// The one that the settings name.
    ///
    /// # Errors
    /// There is nothing to trust a `tls` address by.
    pub(super) fn of(settings: &Settings) -> Result<Option<Self>, String> {
        let Some(address) = settings.audit_syslog_url().cloned() else { return Ok(None) };
        let tls = match &address {
            Address::Tls(..) => {
                let config = crate::https::tls(settings.gitea_ca_file());
                let config = config.map_err(|error| format!("AUDIT_SYSLOG_URL cannot be used: {error}"))?;
                Some(TlsConnector::from(Arc::new(config)))
            }
            Address::Udp(..) | Address::Tcp(..) | Address::Unix(_) => None,
        };
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Ok(Some(Self { address, tls, host: word(&host), open: None }))
    }

    async fn connect(&self) -> std::io::Result<Open> {
        match (&self.address, &self.tls) {
            (Address::Udp(host, port), _) => {
                let mut found = tokio::net::lookup_host((host.as_str(), *port)).await?;
                let peer = found.next().ok_or(std::io::ErrorKind::NotFound)?;
                let any: IpAddr = match peer {
                    std::net::SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                    std::net::SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
                };
                let socket = UdpSocket::bind((any, 0)).await?;
                socket.connect(peer).await?;
                Ok(Open::Udp(socket))
            }
            (Address::Unix(path), _) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                Ok(Open::Unix(socket))
            }
            (Address::Tls(host, port), Some(tls)) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                let name = ServerName::try_from(host.clone()).map_err(std::io::Error::other)?;
                Ok(Open::Tls(Box::new(tls.connect(name, stream).await?)))
            }
            (Address::Tcp(host, port) | Address::Tls(host, port), _) => {
                Ok(Open::Tcp(TcpStream::connect((host.as_str(), *port)).await?))
            }
        }
    }

    async fn send(&mut self, lines: &[LiveLine]) -> std::io::Result<()> {
        let mut open = match self.open.take() {
            Some(mut open) => {
                if open.is_gone().await {
                    self.connect().await?
                } else {
                    open
                }
            }
            None => self.connect().await?,
        };
        let messages = lines.iter().map(|line| message(line, &self.host));
        match &mut open {
            Open::Udp(socket) => {
                for message in messages {
                    socket.send(datagram(&message)).await?;
                }
            }
            Open::Unix(socket) => {
                for message in messages {
                    socket.send(datagram(&message)).await?;
                }
            }
            Open::Tcp(stream) => stream.write_all(counted(messages).as_bytes()).await?,
            Open::Tls(stream) => {
                stream.write_all(counted(messages).as_bytes()).await?;
                stream.flush().await?;
            }
        }
        self.open = Some(open);
        Ok(())
    }
}

impl Receiver for Syslog {
    const NAME: &'static str = "syslog";

    async fn take(&mut self, lines: &[LiveLine]) -> Result<(), Refused> {
        self.send(lines).await.map_err(|error| Refused::ForNow(error.to_string()))
    }

    async fn end(self) {
        let done = async {
            match self.open {
                Some(Open::Tcp(stream)) => ended(stream).await,
                Some(Open::Tls(stream)) => ended(*stream).await,
                Some(Open::Udp(_) | Open::Unix(_)) | None => Ok(()),
            }
        };
        // The receiver may be gone, or hold the connection for as long as it likes.
        let _: Result<std::io::Result<()>, _> = tokio::time::timeout(FAREWELL, done).await;
    }
}

/// Say that nothing follows, and read until the receiver has seen it: a connection that is closed with bytes unread, a ticket
/// of TLS among them, is reset, and what the receiver has not read yet is lost.
async fn ended(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
    stream.shutdown().await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(drop)
}

impl Open {
    /// Whether the other side has closed: what is written then is lost without an error. A receiver sends nothing but what
    /// TLS has to say of itself, which reading takes in.
    async fn is_gone(&mut self) -> bool {
        let mut byte = [0];
        let read = async {
            match self {
                Self::Udp(_) | Self::Unix(_) => std::future::pending().await,
                Self::Tcp(stream) => stream.read(&mut byte).await,
                Self::Tls(stream) => stream.read(&mut byte).await,
            }
        };
        matches!(tokio::time::timeout(Duration::ZERO, read).await, Ok(Ok(0) | Err(_)))
    }
}

/// Messages with their lengths in front (RFC 6587 section 3.4.1).
fn counted(messages: impl Iterator<Item = String>) -> String {
    messages.fold(String::new(), |mut all, message| {
        all.push_str(&format!("{} {message}", message.len()));
        all
    })
}

/// A line is at most 8 KiB; what is around it, far less than the rest of a datagram.
fn datagram(message: &str) -> &[u8] {
    message.as_bytes().get(..DATAGRAM).unwrap_or(message.as_bytes())
}

/// One message (RFC 5424 section 6).
fn message(line: &str, host: &str) -> String {
    let record = Record::of(line);
    let severity = match record.severity {
        Severity::Warning => 4,
        Severity::Info => 6,
    };
    let ts = if record.time.is_some() { record.ts.as_str() } else { "-" };
    let (event, process) = (word(&record.event), std::process::id());
    format!("<{}>1 {ts} {host} aegis-mcp {process} {event} - {line}", FACILITY * 8 + severity)
}

/// A field of the header: printable ASCII without blanks, at most 32 characters, or `-`.
fn word(text: &str) -> String {
    let word: String = text.chars().filter(char::is_ascii_graphic).take(32).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_others_refused_with_the_forms_there_are() {
        let host = || "logs.example.com".to_owned();
        for (text, address) in [
            ("udp://logs.example.com:514", Address::Udp(host(), 514)),
            ("tcp://logs.example.com:601/", Address::Tcp(host(), 601)),
            ("tls://logs.example.com:6514", Address::Tls(host(), 6514)),
            ("tcp://[::1]:601", Address::Tcp("::1".to_owned(), 601)),
            ("unix:/dev/log", Address::Unix(PathBuf::from("/dev/log"))),
            ("unix:///dev/log", Address::Unix(PathBuf::from("/dev/log"))),
        ] {
            assert_eq!(Address::parse(text), Ok(address), "{text}");
        }
        for text in [
            "",
            "logs.example.com",
            "udp://logs.example.com",
            "udp://:514",
            "http://a:1",
            "tls://a b:1",
            "tcp://a:99999",
            "unix:dev/log",
            "tcp://[::z]:1",
            "udp://user@host:514",
        ] {
            assert!(Address::parse(text).is_err_and(|why| why.contains("tls://HOST:PORT")), "{text}");
        }
    }

    #[test]
    fn a_message_is_the_line_behind_a_header_of_rfc_5424() {
        let line = r#"{"v":1,"seq":7,"ts":"2026-11-23T00:00:00.123Z","event":"access_denied","reason":"x"}"#;
        let process = std::process::id();
        assert_eq!(
            message(line, "box"),
            format!("<108>1 2026-11-23T00:00:00.123Z box aegis-mcp {process} access_denied - {line}")
        );
        let info = message(r#"{"ts":"never","event":"tool_invocation"}"#, "box");
        assert!(info.starts_with("<110>1 - box aegis-mcp "), "{info}");
        assert_eq!(counted(["ab".to_owned(), "c".to_owned()].into_iter()), "2 ab1 c");
    }
}
