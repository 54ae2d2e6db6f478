//! What strangers hand in while somebody signs in, and what the registry reads at a start.

use aegis_custody::oauth::keys::{Keyring, Root};
use aegis_custody::oauth::registry::{Bounds, Registry, Row, Table};
use aegis_custody::oauth::{access_token, client_id, keyring_file, redirect, refresh_token};
use aegis_custody::{Random, Timestamp};
use aegis_fuzz::campaign;

struct Same;

impl Random for Same {
    fn fill(&self, out: &mut [u8]) {
        out.fill(7);
    }
}

const WORDS: &[&str] = &[
    "http://127.0.0.1",
    "http://[::1]",
    "http://localhost",
    "https://app.example/cb",
    ":65535",
    ":65536",
    ":0",
    ":080",
    "/callback",
    "?x=1",
    "#f",
    "@evil.example",
    ".evil.example",
    "%2f",
    "\\",
    "\n",
];

/// An oracle that knows no more than the rule: the same bytes, but for the port of a loopback URI.
fn bare(uri: &str) -> Option<(usize, &str)> {
    let hosts = ["http://127.0.0.1", "http://[::1]", "http://localhost"];
    let (nth, after) =
        hosts.iter().enumerate().find_map(|(nth, host)| Some((nth, uri.strip_prefix(host)?)))?;
    let (port, rest) = match after.find(['/', '?']) {
        Some(at) => after.split_at(at),
        None => (after, ""),
    };
    let good = port.is_empty()
        || port
            .strip_prefix(':')
            .and_then(|port| port.parse::<u16>().ok())
            .is_some_and(|number| port == format!(":{number}") && number > 0);
    good.then_some((nth, rest))
}

/// A line is registered, the next is presented.
#[test]
fn redirects() {
    campaign("redirects", WORDS, |input| {
        let text = String::from_utf8_lossy(input).into_owned();
        let (registered, presented) = text.split_once('\n').unwrap_or((&text, ""));
        let alike =
            registered == presented || (bare(registered).is_some() && bare(registered) == bare(presented));
        assert_eq!(redirect::matches(registered, presented), alike, "{registered} {presented}");
        assert_eq!(redirect::matches(presented, registered), alike, "{presented} {registered}");
        assert_eq!(redirect::is_loopback(registered), bare(registered).is_some(), "{registered}");
        format!("{alike} {:?} {}", bare(registered).map(|found| found.0), registered == presented)
    });
}

/// What nobody issued opens nothing, whatever it looks like: the corpus holds tokens of another keyring.
#[test]
fn tokens() {
    let keyring = Keyring::new(&[Root::new(vec![9; 32])]).expect("a keyring");
    let registered = client_id::Registration {
        auth_method: client_id::AuthMethod::None,
        name: "client".to_owned(),
        redirect_uris: vec!["http://127.0.0.1/cb".to_owned()],
    };
    let now = Timestamp::from_unix_millis(1_780_000_000_000);
    let genuine = client_id::issue(&registered, &keyring, &Same, now).expect("an id").client_id;
    campaign("tokens", &[&genuine, "aegis_", ".", "=", "AAAA", "_", "-"], |input| {
        let text = String::from_utf8_lossy(input).into_owned();
        let opened = access_token::open(&text, &keyring, "https://mcp.example.com", now);
        assert!(opened.is_err(), "a token that nobody issued");
        assert!(
            refresh_token::verify(&text, &keyring, &genuine).is_err(),
            "a refresh token that nobody issued"
        );
        let known = client_id::verify(&text, &keyring);
        assert!(known.is_err() || text == genuine, "a client that nobody registered: {text}");
        let looks = (access_token::looks_like(&text), client_id::looks_like(&text));
        format!(
            "{looks:?} {:?} {:?}",
            opened.err().map(|error| error.to_string()),
            known.err().map(|error| error.to_string())
        )
    });
}

/// A keyring file: what is accepted makes a keyring, and with a new root in it is accepted again.
#[test]
fn keyrings() {
    campaign("keyrings", &["\n", "# ", "AAAA", "=", "\r", "\u{feff}", " "], |input| {
        let text = String::from_utf8_lossy(input).into_owned();
        match keyring_file::parse(&text) {
            Ok(roots) => {
                assert!(roots.is_empty() || Keyring::new(&roots).is_ok(), "roots that make no keyring");
                format!("{} roots", roots.len())
            }
            // Lines have numbers, which are no behaviour.
            Err(error) => error.to_string().chars().filter(|letter| !letter.is_ascii_digit()).collect(),
        }
    });
}

/// Rows as a damaged file may hold them: `table` as a digit, `key` and `value` parted by a space, one row a line.
#[test]
fn registries() {
    campaign(
        "registries",
        &["\n", " ", "\0\0\0\0\0\0\0\0", "\u{1}", "client:", "revoked:", "0", "5"],
        |input| {
            let rows: Vec<Row> = input
                .split(|byte| *byte == b'\n')
                .filter_map(|line| {
                    let (table, rest) = line.split_first()?;
                    let mut parts = rest.splitn(2, |byte| *byte == b' ');
                    let table = Table::ALL[usize::from(*table) % Table::ALL.len()];
                    Some(Row {
                        table,
                        key: parts.next()?.to_vec(),
                        value: parts.next().unwrap_or_default().to_vec(),
                    })
                })
                .collect();
            let (_, unreadable) = Registry::load(rows.iter().map(copy), Bounds::default());
            assert!(unreadable.len() <= rows.len());
            for left in &unreadable {
                assert!(
                    rows.iter().any(|row| row.table == left.table && row.key == left.key),
                    "a row that was not there"
                );
            }
            let mut tables: Vec<&str> = unreadable.iter().map(|left| left.table.name()).collect();
            tables.sort_unstable();
            tables.dedup();
            format!("{} {tables:?}", rows.len().min(4))
        },
    );
}

fn copy(row: &Row) -> Row {
    Row { table: row.table, key: row.key.clone(), value: row.value.clone() }
}
