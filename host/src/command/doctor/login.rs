//! `doctor --login`: a whole sign-in by a client of the doctor's own, from the metadata to a call and the end of its
//! tokens. A person opens the URL; each step is told with the time it took. Codes and tokens are never shown.

use std::time::Duration;

use aegis_custody::Random as _;
use aegis_custody::oauth::pkce;
use serde_json::{Value, json};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::callback::{Arrived, Callback};
use super::front::Front;
use super::report::{Finding, fail, pass, printable};
use super::visitor::Answer;
use crate::command::complain;
use crate::shared::SystemRandom;
use crate::sign_in::READ;

/// How long the person may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often they are told how long they still have.
const REMINDER: Duration = Duration::from_secs(30);
/// A call that changes nothing.
const TOOL: &str = "list_repositories";

/// What a step found, or why nothing can come after it.
type Step<T> = Result<T, String>;

/// Where everything is, by the server's own metadata (RFC 8414).
struct Places {
    issuer: String,
    register: String,
    authorize: String,
    token: String,
    revoke: String,
}

/// What the client holds.
struct Held {
    access: Zeroizing<String>,
    refresh: Option<Zeroizing<String>>,
}

/// The steps so far.
#[derive(Default)]
struct Diary(Vec<Finding>);

impl Diary {
    /// Note how a step came out; none where it failed.
    fn note<T>(&mut self, check: &'static str, begun: Instant, came: Step<(T, String)>) -> Option<T> {
        let took = begun.elapsed().as_millis();
        match came {
            Ok((value, says)) => {
                self.0.push(pass(check, format!("{says} ({took} ms)")));
                Some(value)
            }
            Err(why) => {
                self.0.push(fail(check, format!("{why} ({took} ms)")));
                None
            }
        }
    }
}

/// The whole way.
pub(super) async fn look(front: &Front<'_>) -> Vec<Finding> {
    let mut diary = Diary::default();
    let ended = walk(front, &mut diary).await;
    if let Some((places, client, held)) = ended {
        let begun = Instant::now();
        let came = end(front, &places, &client, &held).await;
        diary.note("login_revoke", begun, came);
    }
    diary.0
}

/// Up to a call; what has to be revoked after it.
async fn walk(front: &Front<'_>, diary: &mut Diary) -> Option<(Places, String, Held)> {
    let begun = Instant::now();
    let came = places(front).await;
    let places = diary.note("login_metadata", begun, came)?;
    let begun = Instant::now();
    let came = Callback::open().await;
    let came =
        came.map_err(|error| format!("no port on 127.0.0.1: {error}; run the doctor where it may listen"));
    let callback = diary.note(
        "login_listen",
        begun,
        came.map(|open| {
            let says = format!("waits at {}", open.redirect_uri);
            (open, says)
        }),
    )?;
    let begun = Instant::now();
    let came = register(front, &places, &callback.redirect_uri).await;
    let client = diary.note("login_register", begun, came)?;
    let (verifier, challenge) = pkce::generate(&SystemRandom);
    let mut random = Zeroizing::new([0; 16]);
    SystemRandom.fill(random.as_mut_slice());
    let state = Zeroizing::new(crate::component::hex(random.as_slice()));
    let redirect_uri = callback.redirect_uri.clone();
    let url = authorize_url(front, &places, &client, &redirect_uri, &challenge, &state);
    let begun = Instant::now();
    let came = wait(callback, &url, &state, &places.issuer).await;
    let code = diary.note("login_approve", begun, came)?;
    let begun = Instant::now();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", &redirect_uri),
        ("client_id", &client),
        ("code_verifier", verifier.expose()),
    ];
    let came = redeem(front, &places, &fields).await;
    let held = diary.note("login_token", begun, came)?;
    let begun = Instant::now();
    let came = call(front, &held, "tools/list", json!({})).await.and_then(|answer| {
        let tools = answer.pointer("/result/tools").and_then(Value::as_array);
        let count = tools.map(Vec::len).ok_or("tools/list names no tools; look into the server's log")?;
        Ok(((), format!("{count} tools are offered")))
    });
    diary.note("login_tools", begun, came);
    let begun = Instant::now();
    let came = call(front, &held, "tools/call", json!({ "name": TOOL, "arguments": {} }))
        .await
        .and_then(|answer| heard(&answer));
    diary.note("login_call", begun, came);
    Some((places, client, held))
}

async fn places(front: &Front<'_>) -> Step<(Places, String)> {
    let url = format!("{}/.well-known/oauth-authorization-server", front.origin);
    let answer = front.visitor.get(&url, &[("accept", "application/json")]).await;
    let answer = answer.map_err(|trouble| format!("{trouble}; start the server and run this again"))?;
    let document = answer.json();
    let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
    let places = || {
        Some(Places {
            issuer: text("issuer")?,
            register: text("registration_endpoint")?,
            authorize: text("authorization_endpoint")?,
            token: text("token_endpoint")?,
            revoke: text("revocation_endpoint")?,
        })
    };
    if answer.status == 200 && text("issuer").is_some() && text("registration_endpoint").is_none() {
        return Err("the server takes no registrations; set DCR_ENABLED=true for this".to_owned());
    }
    let places =
        places().filter(|places| answer.status == 200 && places.issuer == front.origin).ok_or_else(|| {
            let at = &front.origin;
            format!(
                "{at} shows no metadata of this server (status {}); run `aegis-mcp doctor` first",
                answer.status
            )
        })?;
    Ok((places, "the server's metadata is in order".to_owned()))
}

/// RFC 7591.
async fn register(front: &Front<'_>, places: &Places, redirect_uri: &str) -> Step<(String, String)> {
    let body = json!({
        "client_name": "aegis-mcp doctor",
        "redirect_uris": [redirect_uri],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    });
    let headers = [("content-type", "application/json"), ("accept", "application/json")];
    let answer = front.visitor.post(&places.register, &headers, body.to_string().as_bytes()).await;
    let answer = answer.map_err(|trouble| trouble.to_string())?;
    let id = answer.json().get("client_id").and_then(Value::as_str).map(str::to_owned);
    let id = id.filter(|_| answer.status == 201).ok_or_else(|| refused("the registration", &answer))?;
    Ok((id, "registered as a client".to_owned()))
}

fn authorize_url(
    front: &Front<'_>,
    places: &Places,
    client: &str,
    redirect_uri: &str,
    challenge: &str,
    state: &str,
) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", redirect_uri),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
            ("scope", READ),
            ("resource", &format!("{}/mcp", front.origin)),
            ("state", state),
        ])
        .finish();
    format!("{}?{query}", places.authorize)
}

/// Show the URL and wait for what comes of it.
async fn wait(callback: Callback, url: &str, state: &str, issuer: &str) -> Step<(Zeroizing<String>, String)> {
    complain("Open this address in a browser, approve, and sign in at Gitea:");
    complain("");
    complain(&format!("  {url}"));
    complain("");
    complain(&format!(
        "If that browser is on another machine, its last page will not load: paste the address of that page here. It \
         begins with {}.",
        callback.redirect_uri
    ));
    let deadline = Instant::now() + PATIENCE;
    let mut reminder = tokio::time::interval_at(Instant::now() + REMINDER, REMINDER);
    let arriving = callback.wait(state);
    tokio::pin!(arriving);
    let arrived = loop {
        tokio::select! {
            arrived = &mut arriving => break arrived,
            now = reminder.tick() => match deadline.checked_duration_since(now) {
                Some(left) if !left.is_zero() => complain(&format!("Waiting, {} s left.", left.as_secs())),
                Some(_) | None => {
                    let minutes = PATIENCE.as_secs() / 60;
                    return Err(format!(
                        "nobody came back within {minutes} minutes; run `aegis-mcp doctor --last-login` to see how far it got"
                    ));
                }
            },
        }
    };
    match arrived {
        Arrived::Refused { error, text } => {
            let (error, text) = (printable(&error), printable(&text));
            Err(format!("the sign-in was refused: {error} {text}; `aegis-mcp doctor --last-login` says why"))
        }
        // RFC 9207 section 2.4: a code from elsewhere is not ours.
        Arrived::Code { issuer: Some(from), .. } if from != issuer => {
            Err(format!("the code names another issuer ({}); set PUBLIC_BASE_URL right", printable(&from)))
        }
        Arrived::Code { issuer: None, .. } => {
            Err("the code names no issuer; is a proxy changing redirects?".to_owned())
        }
        Arrived::Code { code, .. } => Ok((code, "approved, signed in at Gitea and came back".to_owned())),
    }
}

async fn redeem(front: &Front<'_>, places: &Places, fields: &[(&str, &str)]) -> Step<(Held, String)> {
    let answer = form(front, &places.token, fields).await?;
    let body = answer.json();
    let text =
        |name: &str| body.get(name).and_then(Value::as_str).map(|text| Zeroizing::new(text.to_owned()));
    let access =
        text("access_token").filter(|_| answer.status == 200).ok_or_else(|| refused("the code", &answer))?;
    let scope = text("scope").map(|scope| printable(&scope)).unwrap_or_default();
    let life = body.get("expires_in").and_then(Value::as_u64).unwrap_or_default();
    Ok((Held { access, refresh: text("refresh_token") }, format!("tokens for {scope}, good for {life} s")))
}

async fn form(front: &Front<'_>, url: &str, fields: &[(&str, &str)]) -> Step<Answer> {
    let body = Zeroizing::new(form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish());
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")];
    front.visitor.post(url, &headers, body.as_bytes()).await.map_err(|trouble| trouble.to_string())
}

/// A request of MCP with the token.
async fn call(front: &Front<'_>, held: &Held, method: &str, params: Value) -> Step<Value> {
    let answer = ask(front, held, method, params).await?;
    if answer.status == 200 { Ok(answer.json()) } else { Err(refused("the call", &answer)) }
}

async fn ask(front: &Front<'_>, held: &Held, method: &str, params: Value) -> Step<Answer> {
    let bearer = Zeroizing::new(format!("Bearer {}", held.access.as_str()));
    let headers = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2025-11-25"),
        ("authorization", bearer.as_str()),
    ];
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    let url = format!("{}/mcp", front.origin);
    front.visitor.post(&url, &headers, body.as_bytes()).await.map_err(|trouble| trouble.to_string())
}

/// What a tool said.
fn heard(answer: &Value) -> Step<((), String)> {
    let result = answer.get("result").ok_or_else(|| {
        let why = answer.pointer("/error/message").and_then(Value::as_str).unwrap_or("no result");
        format!("{TOOL} fails: {}; look into the server's log", printable(why))
    })?;
    if result.get("isError").and_then(Value::as_bool) == Some(true) {
        let why = result.pointer("/content/0/text").and_then(Value::as_str).unwrap_or("it does not say why");
        let why: String = printable(why).chars().take(300).collect();
        return Err(format!("{TOOL} fails: {why}; the audit log has the whole of it"));
    }
    Ok(((), format!("{TOOL} answers as the person who signed in")))
}

/// RFC 7009, and a look whether it counts.
async fn end(front: &Front<'_>, places: &Places, client: &str, held: &Held) -> Step<((), String)> {
    for token in held.refresh.iter().chain([&held.access]) {
        let answer = form(front, &places.revoke, &[("token", token.as_str()), ("client_id", client)]).await?;
        if answer.status != 200 {
            return Err(refused("the revocation", &answer));
        }
    }
    match ask(front, held, "tools/list", json!({})).await?.status {
        401 => Ok(((), "the tokens are revoked, and dead".to_owned())),
        status => Err(format!(
            "a revoked token is still answered {status}; revoke it with `aegis-mcp users revoke` and tell us"
        )),
    }
}

/// What the server said to something, in its own words; it never repeats what was presented.
fn refused(what: &str, answer: &Answer) -> String {
    let body = answer.json();
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(printable);
    let error = text("error").unwrap_or_else(|| "no reason given; a proxy may have answered".to_owned());
    let more = text("error_description").or_else(|| text("message")).map(|text| format!(": {text}"));
    format!("{what} is answered {}: {error}{}", answer.status, more.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tool_says_decides() {
        assert!(heard(&json!({"result": {"content": []}})).is_ok());
        let failed =
            heard(&json!({"result": {"isError": true, "content": [{"type": "text", "text": "no way"}]}}));
        assert!(failed.unwrap_err().contains("no way"));
        assert!(heard(&json!({"error": {"message": "bad"}})).unwrap_err().contains("bad"));
        assert!(heard(&Value::Null).is_err());
    }

    #[test]
    fn a_refusal_is_told_in_the_servers_words() {
        let answer = |status, body: &'static str| Answer {
            status,
            headers: http::HeaderMap::new(),
            body: bytes::Bytes::from_static(body.as_bytes()),
            validity: None,
        };
        let told = refused(
            "the code",
            &answer(400, r#"{"error":"invalid_grant","error_description":"It is old."}"#),
        );
        assert_eq!(told, "the code is answered 400: invalid_grant: It is old.");
        assert!(refused("the code", &answer(403, "<html>")).contains("proxy"));
    }
}
