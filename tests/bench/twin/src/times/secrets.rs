//! C2: two wrong secrets that differ in how much of them is right are answered alike and in the same time.
//!
//! Samples of both kinds are taken in random order over one connection, so that whatever drifts falls on both. The
//! slowest twentieth is left out (what the machine did meanwhile), and Welch's t compares the rest.

use std::time::Instant;

use aegis_tests::forge::{Forge, Options, world::SVC_TOKEN};
use aegis_tests::server::free_port;
use aegis_tests::sign_in::{REDIRECT, VERIFIER, form, register};
use serde_json::{Value, json};

use super::Ground;
use crate::Result;
use crate::load::{Connection, Shot};

/// The largest |t| that is taken for noise.
pub const MOST: f64 = 4.5;
/// Samples of a pair, both kinds together; `AEGIS_BENCH_SAMPLES` says otherwise.
const SAMPLES: usize = 100_000;
/// Answers before the first sample: by then the audit log counts the refusals of this minute in place of writing them.
const WARM: usize = 500;
/// The share of samples that is compared.
const KEPT: f64 = 0.95;

/// A good key, which no sample presents.
const KEY: &str = "aegis_key_benchmark_of_the_times_of_answers_01";
/// As many failures and requests as a setting can allow.
const PLENTY: &str = "1000000";

/// Two kinds of wrong secrets.
pub struct Pair {
    /// What differs.
    pub name: &'static str,
    /// How many answers were timed.
    pub samples: usize,
    /// Median of all of them, in microseconds.
    pub median: f64,
    /// Median of the second kind above that of the first, in nanoseconds.
    pub apart: f64,
    /// Welch's t.
    pub t: f64,
}

impl Pair {
    /// For `bench.json`.
    pub fn json(&self) -> Value {
        json!({"name": self.name, "samples": self.samples, "median_us": self.median,
            "medians_apart_ns": self.apart, "t": self.t})
    }
}

fn samples() -> usize {
    std::env::var("AEGIS_BENCH_SAMPLES").ok().and_then(|text| text.parse().ok()).unwrap_or(SAMPLES)
}

/// Measure every pair.
pub async fn pairs(ground: &Ground<'_>) -> Result<Vec<Pair>> {
    let mut all = vec![keys(ground).await?];
    all.extend(clients(ground).await?);
    Ok(all)
}

/// The text with one character replaced by another of the same kind.
fn bent(text: &str, at: usize) -> String {
    let other = |c: char| if c == 'A' { 'B' } else { 'A' };
    text.chars().enumerate().map(|(n, c)| if n == at { other(c) } else { c }).collect()
}

async fn keys(ground: &Ground<'_>) -> Result<Pair> {
    let keys = format!("bench={KEY}");
    let settings = [
        ("GITEA_URL", "http://127.0.0.1:9"),
        ("GITEA_TOKEN", SVC_TOKEN),
        ("MCP_API_KEYS", keys.as_str()),
        ("MCP_PORT", "0"),
        ("RATE_LIMIT_PER_MINUTE", PLENTY),
        ("MAX_AUTH_FAILURES", PLENTY),
    ];
    let server = ground.launch("keys", &settings)?.start().await?;
    let shot = |key: String| Shot {
        method: "POST",
        target: "/mcp",
        headers: vec![
            ("authorization", format!("Bearer {key}")),
            ("content-type", "application/json".to_owned()),
        ],
        body: r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned(),
    };
    let kinds = [shot(bent(KEY, 0)), shot(bent(KEY, KEY.len() - 1))];
    let pair = pair("API key: wrong in its first or in its last letter", &server.address, &kinds).await;
    server.stop().await;
    pair
}

async fn clients(ground: &Ground<'_>) -> Result<Vec<Pair>> {
    let forge = Forge::start(Options::default()).await;
    let port = free_port();
    let callback = format!("http://127.0.0.1:{port}/oauth/callback");
    let app = forge.register("root", "The bench", &[&callback], true);
    let (gitea, port) = (forge.url(), port.to_string());
    let settings = [
        ("GITEA_URL", gitea.as_str()),
        ("OAUTH_MODE", "true"),
        ("GITEA_OAUTH_CLIENT_ID", &app.client_id),
        ("GITEA_OAUTH_CLIENT_SECRET", &app.client_secret),
        ("OAUTH_STATE_SECRET", "a-secret-of-the-bench-that-nobody-else-uses"),
        ("MCP_PORT", &port),
        ("RATE_LIMIT_PER_MINUTE", PLENTY),
        ("TOKEN_ENDPOINT_RATE_LIMIT_PER_MINUTE", PLENTY),
        ("MAX_AUTH_FAILURES", PLENTY),
    ];
    let server = ground.launch("clients", &settings)?.start().await?;
    let url = format!("http://{}", server.address);
    let body = json!({"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_post"});
    let made = register(&url, &body).await.json();
    let (Some(id), Some(secret)) = (made["client_id"].as_str(), made["client_secret"].as_str()) else {
        return Err(format!("the server registers no client: {made}").into());
    };
    let last = secret.len() - 1;
    let kinds = [redeem(id, &bent(secret, 0)), redeem(id, &bent(secret, last))];
    let secrets =
        pair("client secret: wrong in its first or in its last letter", &server.address, &kinds).await;
    let middle = id.len() / 2;
    let kinds = [redeem(&bent(id, middle), secret), redeem(&bent(id, id.len() - 2), secret)];
    let ids = pair("client id: changed in its middle or at its end", &server.address, &kinds).await;
    server.stop().await;
    Ok(vec![secrets?, ids?])
}

/// A code that is none, redeemed as this client.
fn redeem(id: &str, secret: &str) -> Shot {
    let body = form(&[
        ("grant_type", "authorization_code"),
        ("code", "none"),
        ("code_verifier", VERIFIER),
        ("redirect_uri", REDIRECT),
        ("client_id", id),
        ("client_secret", secret),
    ]);
    let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
    Shot { method: "POST", target: "/oauth/token", headers, body }
}

async fn pair(name: &'static str, authority: &str, kinds: &[Shot; 2]) -> Result<Pair> {
    eprintln!("times: {name}");
    let mut connection = Connection::open(authority).await?;
    let wanted = samples();
    let mut found: [Vec<f64>; 2] = [Vec::with_capacity(wanted), Vec::with_capacity(wanted)];
    let mut coins = Vec::new();
    for number in 0..wanted + WARM {
        if coins.is_empty() {
            coins = vec![0_u8; 4_096];
            getrandom::fill(&mut coins).map_err(|error| format!("no chance: {error}"))?;
        }
        let kind = usize::from(coins.pop().unwrap_or(0) & 1);
        let sent = Instant::now();
        let (status, body) = connection.send(&kinds[kind]).await?;
        let took = sent.elapsed().as_secs_f64() * 1e6;
        if status != 401 {
            return Err(format!("{name}: {status}, not 401: {}", String::from_utf8_lossy(&body)).into());
        }
        if number >= WARM {
            found[kind].push(took);
        }
    }
    Ok(compared(name, found))
}

fn compared(name: &'static str, mut found: [Vec<f64>; 2]) -> Pair {
    let samples = found.iter().map(Vec::len).sum();
    let mut all: Vec<f64> = found.iter().flatten().copied().collect();
    all.sort_by(f64::total_cmp);
    let at = |values: &[f64], share: f64| {
        values.get((values.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN)
    };
    let bound = at(&all, KEPT);
    for kind in &mut found {
        kind.retain(|took| *took <= bound);
        kind.sort_by(f64::total_cmp);
    }
    let [first, second] = &found;
    let apart = (at(second, 0.5) - at(first, 0.5)) * 1e3;
    Pair { name, samples, median: at(&all, 0.5), apart, t: welch(first, second) }
}

/// Welch's t of two samples: how far their means are apart, in standard errors of that difference.
fn welch(first: &[f64], second: &[f64]) -> f64 {
    let moments = |values: &[f64]| {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((one, spread_one), (other, spread_other)) = (moments(first), moments(second));
    (other - one) / (spread_one + spread_other).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples between 100 and 110 that look like noise and are the same in every run.
    fn noise(count: u32, more: f64) -> Vec<f64> {
        (0..count).map(|n| 100.0 + f64::from(n.wrapping_mul(2_654_435_761) >> 16) / 6_553.6 + more).collect()
    }

    #[test]
    fn noise_is_no_difference_and_a_small_shift_is_one() {
        let same = compared("x", [noise(5_000, 0.0), noise(4_990, 0.0)]);
        assert!(same.t.abs() < MOST && same.apart.abs() < 500.0, "{} {}", same.t, same.apart);
        let shifted = compared("x", [noise(5_000, 0.0), noise(5_000, 1.0)]);
        // The slowest of both are left out, and more of the later ones: half of the shift is what is seen.
        assert!(shifted.t > MOST && (shifted.apart - 500.0).abs() < 200.0, "{} {}", shifted.t, shifted.apart);
    }

    #[test]
    fn one_slow_answer_is_left_out() {
        let mut first = noise(5_000, 0.0);
        first.push(1e9);
        assert!(compared("x", [first, noise(5_000, 0.0)]).t.abs() < MOST);
    }

    #[test]
    fn a_bent_text_differs_in_one_place() {
        assert_eq!((bent("Axy", 0), bent("Axy", 2)), ("Bxy".to_owned(), "AxA".to_owned()));
    }
}
