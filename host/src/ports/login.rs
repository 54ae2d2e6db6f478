//! `aegis:gateway/login`: each link of the chain is made here, out of the one before it, and each is on record.

use std::time::{Duration, Instant};

use aegis_custody::oauth::registry::Scopes;
use serde_json::{Map, Value};
use tokio::task::JoinHandle;
use wasmtime::component::Resource;
use zeroize::Zeroizing;

use super::clients::Client;
use crate::audit::{Entry, Event};
use crate::component::bindings::aegis::gateway::clients::{Authentication, Kind, Profile};
use crate::component::bindings::aegis::gateway::login::{
    Approved, Denied, Host, HostFlow, HostSession, NotBegun, NotOpened, Person, Presented, Proof, Reason,
    Refused, Tokens,
};
use crate::counters::{Subject, network_of};
use crate::instance::State;
use crate::sign_in::flow::{self, AskerKind};
use crate::sign_in::{READ, SignIn, WRITE, clients, session, tokens, words};

/// Flows that one network may let come back within a window. Each is remembered until nobody can use it again, and
/// strangers must not fill that memory.
const FLOWS: u32 = 1_024;
const FLOWS_WINDOW: Duration = Duration::from_secs(600);

/// A sign-in under way, as a guest holds it; none once it was traded.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Flow {
    approved: flow::Approved,
    asker: flow::Asker,
    departure: Option<flow::Departure>,
    inner: Option<flow::Flow>,
}

impl Flow {
    fn new(mut inner: flow::Flow) -> Self {
        Self {
            approved: inner.approved.clone(),
            asker: inner.asker.clone(),
            departure: inner.departure.take(),
            inner: Some(inner),
        }
    }
}

/// A person who has signed in, as a guest holds it.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Session {
    inner: session::Session,
    /// Its one code is out.
    issued: bool,
}

impl State {
    /// A line about signing in. `detail` holds names and fingerprints, never a token.
    fn on_record(&self, event: Event, reason: &str, detail: &[(&str, String)]) {
        // What somebody did who was proved is written each time; refusals of strangers may come in floods.
        if event == Event::AccessDenied && !self.admitted(true, reason) {
            return;
        }
        let mut members = self.common_members(self.bound.principal.as_deref());
        members.insert("reason".into(), reason.into());
        let detail: Map<String, Value> =
            detail.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
        members.insert("detail".into(), detail.into());
        self.shared.trail.push(Entry { event, members });
    }

    /// Run something to its end, also where the client leaves: what Gitea or the registry has done by then is done, and
    /// its outcome must be kept.
    fn to_its_end<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        let guard = self.shared.pending.guard();
        self.shared.runtime.spawn(async move {
            let done = work.await;
            drop(guard);
            done
        })
    }

    fn signed_on(&self) -> Option<std::sync::Arc<SignIn>> {
        self.shared.sign_in.clone()
    }

    /// Tokens as the guest hands them on, and the line about them.
    fn handed_out(
        &self,
        sign_in: &SignIn,
        what: &str,
        client: &str,
        outcome: Result<tokens::Tokens, tokens::Denied>,
    ) -> Result<Tokens, Denied> {
        match outcome {
            Ok(tokens) => {
                let detail = [
                    ("client", client.to_owned()),
                    ("login", tokens.login.clone()),
                    ("scopes", words(tokens.scopes).join(" ")),
                    ("family", sign_in.fingerprint(&tokens.family)),
                ];
                self.on_record(Event::SecurityEvent, what, &detail);
                Ok(Tokens {
                    access_token: tokens.access.to_string(),
                    refresh_token: tokens.refresh.to_string(),
                    expires_in: tokens.expires_in,
                    scopes: words(tokens.scopes),
                })
            }
            Err(denied) => {
                // The guest notes the refusal; this line tells the finer reason, which clients are not told.
                tracing::info!(event = "tokens_refused", reason = denied.reason(), request_id = %self.bound.request_id);
                // Of the theft itself alone: a dead family tells later what it died of, which is no new event.
                let theft = if what == "tokens_issued" { "code_replayed" } else { "refresh_token_reused" };
                if denied.reason() == theft {
                    self.on_record(Event::SecurityEvent, theft, &[("client", client.to_owned())]);
                }
                Err(match denied {
                    tokens::Denied::InvalidClient => Denied::InvalidClient,
                    tokens::Denied::InvalidGrant(_) => Denied::InvalidGrant,
                    tokens::Denied::EndedGrant(_) => Denied::EndedGrant,
                    tokens::Denied::InvalidScope => Denied::InvalidScope,
                    tokens::Denied::Unavailable => Denied::Unavailable,
                })
            }
        }
    }
}

impl Host for State {
    fn begin(
        &mut self,
        client: Resource<Client>,
        approved: Approved,
    ) -> wasmtime::Result<Result<Resource<Flow>, NotBegun>> {
        let known = self.table.get(&client)?.known.clone();
        let Some(sign_in) = self.signed_on() else { return Ok(Err(NotBegun::WritesOff)) };
        let Approved { redirect_uri, code_challenge, write, state } = approved;
        // Where this request has found an approval remembered, the flow is for that person: the guest cannot say otherwise.
        let for_whom =
            self.bound.remembered.as_ref().filter(|(id, _)| *id == known.id).map(|(_, user)| *user);
        let approved = flow::Approved { redirect_uri, code_challenge, write, state };
        match sign_in.begin(&known, approved, for_whom, self.bound.answered.as_ref()) {
            Ok(begun) => {
                tracing::info!(event = "login_approved", flow = %begun.name, request_id = %self.bound.request_id);
                Ok(Ok(self.table.push(Flow::new(begun))?))
            }
            Err(not) => Ok(Err(match not {
                flow::NotBegun::RedirectNotPermitted => NotBegun::RedirectNotPermitted,
                flow::NotBegun::Malformed => NotBegun::Malformed,
                flow::NotBegun::WritesOff => NotBegun::WritesOff,
            })),
        }
    }

    fn open(
        &mut self,
        state: String,
        cookies: Vec<(String, String)>,
    ) -> wasmtime::Result<Result<Resource<Flow>, NotOpened>> {
        let Some(sign_in) = self.signed_on() else { return Ok(Err(NotOpened::Invalid)) };
        let network = Subject::Flows(network_of(self.bound.address));
        if self.shared.counters.exhausted(&network, FLOWS, Instant::now()).is_some() {
            return Ok(Err(NotOpened::TooMany));
        }
        match sign_in.open(&state, &cookies) {
            Ok(opened) => {
                let _ = self.shared.counters.admit(network, FLOWS, FLOWS_WINDOW, Instant::now());
                tracing::info!(event = "login_returned", flow = %opened.name, request_id = %self.bound.request_id);
                Ok(Ok(self.table.push(Flow::new(opened))?))
            }
            Err(not) => {
                tracing::info!(event = "login_not_opened", reason = not.reason(), request_id = %self.bound.request_id);
                Ok(Err(match not {
                    flow::NotOpened::Invalid => NotOpened::Invalid,
                    flow::NotOpened::Expired => NotOpened::Expired,
                    flow::NotOpened::OtherBrowser => NotOpened::OtherBrowser,
                    flow::NotOpened::Used => NotOpened::Used,
                    flow::NotOpened::ClientGone => NotOpened::ClientGone,
                    flow::NotOpened::TooMany => NotOpened::TooMany,
                }))
            }
        }
    }

    fn remembered(
        &mut self,
        client: Resource<Client>,
        redirect_uri: String,
        cookies: Vec<(String, String)>,
    ) -> wasmtime::Result<Option<Person>> {
        let known = self.table.get(&client)?.known.clone();
        let found = self.signed_on().and_then(|sign_in| sign_in.remembered(&known, &redirect_uri, &cookies));
        self.bound.remembered = found.as_ref().map(|found| (known.id.clone(), found.user));
        Ok(found.map(|found| Person { login: found.login, scopes: words(found.scopes), narrowed: false }))
    }

    async fn redeem(
        &mut self,
        client: Proof,
        code: String,
        verifier: Option<String>,
        redirect_uri: Option<String>,
    ) -> wasmtime::Result<Result<Tokens, Denied>> {
        let Some(sign_in) = self.signed_on() else { return Ok(Err(Denied::InvalidClient)) };
        let (code, verifier) = (Zeroizing::new(code), verifier.map(Zeroizing::new));
        let proof = proof(client);
        let client = proof.client.clone();
        let act = sign_in.clone();
        let outcome = self.to_its_end(async move {
            let verifier = verifier.as_deref().map(String::as_str);
            act.redeem(&proof, &code, verifier, redirect_uri.as_deref()).await
        });
        let outcome = outcome.await.unwrap_or(Err(tokens::Denied::Unavailable));
        Ok(self.handed_out(&sign_in, "tokens_issued", &client, outcome))
    }

    async fn refresh(
        &mut self,
        client: Proof,
        token: String,
        scopes: Option<Vec<String>>,
    ) -> wasmtime::Result<Result<Tokens, Denied>> {
        let Some(sign_in) = self.signed_on() else { return Ok(Err(Denied::InvalidClient)) };
        let token = Zeroizing::new(token);
        let proof = proof(client);
        let client = proof.client.clone();
        let act = sign_in.clone();
        let outcome = self.to_its_end(async move {
            match scopes.map(narrowed) {
                None => act.refresh(&proof, &token, None).await,
                Some(Some(scopes)) => act.refresh(&proof, &token, Some(scopes)).await,
                Some(None) => Err(tokens::Denied::InvalidScope),
            }
        });
        let outcome = outcome.await.unwrap_or(Err(tokens::Denied::Unavailable));
        Ok(self.handed_out(&sign_in, "tokens_refreshed", &client, outcome))
    }

    async fn revoke(&mut self, client: Proof, token: String) -> wasmtime::Result<Result<(), Denied>> {
        let Some(sign_in) = self.signed_on() else { return Ok(Err(Denied::InvalidClient)) };
        let token = Zeroizing::new(token);
        let proof = proof(client);
        match sign_in.revoke(&proof, &token).await {
            Ok(Some(view)) => {
                let detail = [("client", view.client), ("login", view.login)];
                self.on_record(Event::SecurityEvent, "tokens_revoked", &detail);
                Ok(Ok(()))
            }
            Ok(None) => Ok(Ok(())),
            Err(_) => Ok(Err(Denied::InvalidClient)),
        }
    }
}

impl HostFlow for State {
    fn upstream_url(&mut self, flow: Resource<Flow>) -> wasmtime::Result<String> {
        let flow = self.table.get(&flow)?;
        Ok(flow.departure.as_ref().map(|departure| departure.url.clone()).unwrap_or_default())
    }

    fn cookie(&mut self, flow: Resource<Flow>) -> wasmtime::Result<(String, String)> {
        let flow = self.table.get(&flow)?;
        // Of a flow that came back only the name matters: the guest takes the cookie away.
        let sign_in = self.shared.sign_in.as_ref();
        let name =
            flow.inner.as_ref().zip(sign_in).map(|(flow, sign_in)| sign_in.cookie_name("flow", &flow.name));
        let departed = flow.departure.as_ref().map(|departure| departure.cookie.clone());
        Ok(departed.unwrap_or_else(|| (name.unwrap_or_default(), String::new())))
    }

    fn approved(&mut self, flow: Resource<Flow>) -> wasmtime::Result<Approved> {
        let approved = self.table.get(&flow)?.approved.clone();
        let flow::Approved { redirect_uri, code_challenge, write, state } = approved;
        Ok(Approved { redirect_uri, code_challenge, write, state })
    }

    fn client(&mut self, flow: Resource<Flow>) -> wasmtime::Result<Profile> {
        let asker = self.table.get(&flow)?.asker.clone();
        Ok(Profile {
            id: asker.id,
            kind: match asker.kind {
                AskerKind::Document => Kind::Document,
                AskerKind::Registered => Kind::Registered,
                AskerKind::Preregistered => Kind::Preregistered,
            },
            name: asker.name,
            authentication: Authentication::None,
        })
    }

    async fn exchange(
        &mut self,
        flow: Resource<Flow>,
        code: String,
    ) -> wasmtime::Result<Result<Resource<Session>, Refused>> {
        let used = || Refused { reason: Reason::Used, text: "This sign-in was used before.".to_owned() };
        let held = self.table.get_mut(&flow)?;
        let has_returned = held.departure.is_none();
        let (Some(inner), true) = (held.inner.take(), has_returned) else { return Ok(Err(used())) };
        let Some(sign_in) = self.signed_on() else { return Ok(Err(used())) };
        let code = Zeroizing::new(code);
        let exchanged = self.to_its_end(async move { sign_in.exchange(inner, &code).await });
        match exchanged.await.map_err(|error| wasmtime::Error::msg(error.to_string()))? {
            Ok(inner) => {
                let detail = [
                    ("client", inner.flow.asker.id.clone()),
                    ("login", inner.login.clone()),
                    ("scopes", words(inner.scopes).join(" ")),
                    ("flow", inner.flow.name.clone()),
                ];
                self.on_record(Event::SecurityEvent, "signed_in", &detail);
                Ok(Ok(self.table.push(Session { inner, issued: false })?))
            }
            Err((inner, not)) => {
                tracing::warn!(event = "login_refused", reason = %not.name, flow = %inner.name, request_id = %self.bound.request_id);
                let detail = [("cause", not.name), ("client", inner.asker.id), ("flow", inner.name)];
                self.on_record(Event::AccessDenied, "login_refused", &detail);
                Ok(Err(Refused { reason: reason(not.reason), text: not.text }))
            }
        }
    }

    fn abandon(&mut self, flow: Resource<Flow>, error: String) -> wasmtime::Result<()> {
        let flow = self.table.get_mut(&flow)?.inner.take();
        if let Some((sign_in, flow)) = self.shared.sign_in.as_ref().zip(flow) {
            let error = super::telemetry::cut(&error, 64);
            let now = crate::sign_in::now();
            sign_in.timeline.step(|l| l.flow == flow.name, "refused_at_gitea", Some(error), now, |_| {});
            tracing::info!(event = "login_abandoned", flow = %flow.name, request_id = %self.bound.request_id);
        }
        Ok(())
    }

    fn drop(&mut self, flow: Resource<Flow>) -> wasmtime::Result<()> {
        self.table.delete(flow)?;
        Ok(())
    }
}

impl HostSession for State {
    fn who(&mut self, session: Resource<Session>) -> wasmtime::Result<Person> {
        let session = &self.table.get(&session)?.inner;
        Ok(Person { login: session.login.clone(), scopes: words(session.scopes), narrowed: session.narrowed })
    }

    async fn issue_code(&mut self, session: Resource<Session>) -> wasmtime::Result<Option<String>> {
        let held = self.table.get_mut(&session)?;
        if std::mem::replace(&mut held.issued, true) {
            return Ok(None);
        }
        let Some(sign_in) = self.signed_on() else { return Ok(None) };
        match sign_in.issue_code(&self.table.get(&session)?.inner).await {
            Ok(code) => Ok(Some(code)),
            Err(error) => {
                tracing::warn!(event = "code_not_issued", %error, request_id = %self.bound.request_id);
                Ok(None)
            }
        }
    }

    fn remembrance(&mut self, session: Resource<Session>) -> wasmtime::Result<Option<(String, String, u32)>> {
        let session = &self.table.get(&session)?.inner;
        let cookie = self.shared.sign_in.as_ref().and_then(|sign_in| sign_in.remembrance(session));
        Ok(cookie.map(|(name, value, life)| (name, value, u32::try_from(life.as_secs()).unwrap_or(u32::MAX))))
    }

    fn drop(&mut self, session: Resource<Session>) -> wasmtime::Result<()> {
        self.table.delete(session)?;
        Ok(())
    }
}

fn proof(told: Proof) -> tokens::Proof {
    tokens::Proof {
        client: told.client_id,
        secret: told.secret.map(Zeroizing::new),
        shown: match told.method {
            Presented::Nothing => clients::Shown::Nothing,
            Presented::Basic => clients::Shown::Basic,
            Presented::Post => clients::Shown::Post,
        },
    }
}

/// The two scopes there are; none where another one is asked for.
fn narrowed(asked: Vec<String>) -> Option<Scopes> {
    let mut scopes = Scopes { read: false, write: false };
    for word in asked {
        match word.as_str() {
            READ => scopes.read = true,
            WRITE => (scopes.read, scopes.write) = (true, true),
            _ => return None,
        }
    }
    Some(scopes)
}

fn reason(reason: session::Reason) -> Reason {
    match reason {
        session::Reason::CodeRefused => Reason::CodeRefused,
        session::Reason::ApplicationRefused => Reason::ApplicationRefused,
        session::Reason::GiteaUnavailable => Reason::GiteaUnavailable,
        session::Reason::IdentityInvalid => Reason::IdentityInvalid,
        session::Reason::Overtaken => Reason::Overtaken,
        session::Reason::GrantTooNarrow => Reason::GrantTooNarrow,
        session::Reason::GrantTooWide => Reason::GrantTooWide,
        session::Reason::NotAllowed => Reason::NotAllowed,
        session::Reason::Used => Reason::Used,
        session::Reason::OtherPerson => Reason::OtherPerson,
    }
}
