//! `clients` and `login` as the gateway asks for them: each link of the chain is made out of the one before it, and each
//! is on record. What belongs to a request (whose approval was remembered) is kept with the client that it looked up,
//! since nothing else tells requests of one instance apart.

use std::cell::{Cell, RefCell};

use aegis_custody::audit::Event;
use aegis_custody::oauth::client_id::{self, AuthMethod, Registration as Asked};
use aegis_custody::oauth::registry::{Scopes, UserId};

use super::clients::{Known, NoClient, Proof, Shown};
use super::flow::{self, Inner};
use super::session::Signed;
use super::tokens::{self, Issued};
use super::{Server, words};
use crate::Adapter;
use crate::audit::on_record;
use crate::bindings::exports::aegis::gateway::{clients, login};
use crate::environment::{self, Chance};
use crate::identity::{READ, WRITE};

/// A client that exists, as the gateway holds it.
pub(crate) struct Client {
    known: Known,
    /// Whose approval its browser remembers, where this request has asked.
    remembered: Cell<Option<UserId>>,
}

/// A sign-in under way, as the gateway holds it.
pub(crate) struct Flow {
    inner: Inner,
    /// It was traded, or given up.
    over: Cell<bool>,
}

/// A person who has signed in, as the gateway holds it.
pub(crate) struct Session {
    signed: RefCell<Signed>,
    /// Its one code is out.
    issued: Cell<bool>,
}

fn authentication(method: AuthMethod) -> clients::Authentication {
    match method {
        AuthMethod::None => clients::Authentication::None,
        AuthMethod::Basic => clients::Authentication::ClientSecretBasic,
        AuthMethod::Post => clients::Authentication::ClientSecretPost,
    }
}

impl clients::GuestClient for Client {
    fn profile(&self) -> clients::Profile {
        clients::Profile {
            id: self.known.id.clone(),
            kind: clients::Kind::Registered,
            name: self.known.name.clone(),
            authentication: authentication(self.known.registered.auth_method),
        }
    }

    fn permits(&self, redirect_uri: String) -> bool {
        self.known.registered.permits(&redirect_uri)
    }
}

impl clients::Guest for Adapter {
    type Client = Client;

    fn register(registration: clients::Registration) -> Result<clients::Registered, clients::NotRegistered> {
        let closed = environment::variable("DCR_ENABLED")
            .is_some_and(|value| !value.trim().eq_ignore_ascii_case("true"));
        let server = Server::of_settings().filter(|_| !closed).ok_or(clients::NotRegistered::Disabled)?;
        let asked = Asked {
            auth_method: match registration.authentication {
                clients::Authentication::None => AuthMethod::None,
                clients::Authentication::ClientSecretBasic => AuthMethod::Basic,
                clients::Authentication::ClientSecretPost => AuthMethod::Post,
            },
            name: registration.name.unwrap_or_default(),
            redirect_uris: registration.redirect_uris,
        };
        let now = environment::now();
        let issued = client_id::issue(&asked, &server.keyring, &Chance, now)
            .map_err(|_| clients::NotRegistered::TooLarge)?;
        Ok(clients::Registered {
            client_id: issued.client_id,
            client_secret: issued.client_secret.map(|secret| secret.expose().to_owned()),
            issued_at: u64::try_from(now.unix_millis() / 1_000).unwrap_or(0),
        })
    }

    fn lookup(client_id: String) -> Result<clients::Client, clients::Unknown> {
        let server = Server::of_settings().ok_or(clients::Unknown::NotFound)?;
        match server.lookup(&client_id) {
            Ok(known) => Ok(clients::Client::new(Client { known, remembered: Cell::new(None) })),
            Err(NoClient::NotFound) => Err(clients::Unknown::NotFound),
            Err(NoClient::Revoked) => Err(clients::Unknown::Revoked),
            Err(NoClient::Document) => Err(clients::Unknown::HostNotAllowed),
            Err(NoClient::Unreadable) => Err(clients::Unknown::Document(
                "this server cannot read what it keeps of clients at this moment: try again later".to_owned(),
            )),
        }
    }
}

impl login::GuestFlow for Flow {
    fn upstream_url(&self) -> String {
        self.inner.departure.as_ref().map(|departure| departure.url.clone()).unwrap_or_default()
    }

    /// Of a flow that came back only the name matters: the gateway takes the cookie away.
    fn cookie(&self) -> (String, String) {
        let departed = self.inner.departure.as_ref().map(|departure| departure.cookie.clone());
        let name = || Server::of_settings().map(|server| server.cookie_name("flow", &self.inner.name));
        departed.unwrap_or_else(|| (name().unwrap_or_default(), String::new()))
    }

    fn approved(&self) -> login::Approved {
        let flow::Approved { redirect_uri, code_challenge, write, state } = self.inner.approved.clone();
        login::Approved { redirect_uri, code_challenge, write, state }
    }

    fn client(&self) -> clients::Profile {
        clients::Profile {
            id: self.inner.asker.id.clone(),
            kind: clients::Kind::Registered,
            name: self.inner.asker.name.clone(),
            authentication: clients::Authentication::None,
        }
    }

    fn exchange(&self, code: String) -> Result<login::Session, login::Refused> {
        let used = || login::Refused {
            reason: login::Reason::Used,
            text: "This sign-in was used before.".to_owned(),
        };
        if self.over.replace(true) || self.inner.departure.is_some() {
            return Err(used());
        }
        let server = Server::of_settings().ok_or_else(used)?;
        match server.exchange(self.inner.clone(), &code) {
            Ok(signed) => {
                let detail = [
                    ("client", signed.flow.asker.id.clone()),
                    ("login", signed.login.clone()),
                    ("scopes", words(signed.scopes).join(" ")),
                    ("flow", signed.flow.name.clone()),
                ];
                on_record(Event::SecurityEvent, "signed_in", &detail);
                let session = Session { signed: RefCell::new(signed), issued: Cell::new(false) };
                Ok(login::Session::new(session))
            }
            Err(not) => {
                let detail = [
                    ("cause", not.name.clone()),
                    ("client", self.inner.asker.id.clone()),
                    ("flow", self.inner.name.clone()),
                ];
                on_record(Event::AccessDenied, "login_refused", &detail);
                Err(login::Refused { reason: not.reason, text: not.text })
            }
        }
    }

    fn abandon(&self, _error: String) {
        self.over.set(true);
    }
}

impl login::GuestSession for Session {
    fn who(&self) -> login::Person {
        let signed = self.signed.borrow();
        login::Person { login: signed.login.clone(), scopes: words(signed.scopes), narrowed: signed.narrowed }
    }

    fn issue_code(&self) -> Option<String> {
        if self.issued.replace(true) {
            return None;
        }
        let issued = Server::of_settings()?.issue_code(&self.signed.borrow());
        issued.map_err(|why| environment::warn("code_not_issued", &why)).ok()
    }

    fn remembrance(&self) -> Option<(String, String, u32)> {
        Server::of_settings()?.remembrance(&self.signed.borrow())
    }
}

impl login::Guest for Adapter {
    type Flow = Flow;
    type Session = Session;

    fn begin(
        client: login::ClientBorrow<'_>,
        approved: login::Approved,
    ) -> Result<login::Flow, login::NotBegun> {
        let client = client.get::<Client>();
        let server = Server::of_settings().ok_or(login::NotBegun::WritesOff)?;
        let login::Approved { redirect_uri, code_challenge, write, state } = approved;
        let approved = flow::Approved { redirect_uri, code_challenge, write, state };
        // Where this request has found an approval remembered, the flow is for that person.
        match server.begin(&client.known, approved, client.remembered.get()) {
            Ok(inner) => Ok(login::Flow::new(Flow { inner, over: Cell::new(false) })),
            Err(flow::NotBegun::RedirectNotPermitted) => Err(login::NotBegun::RedirectNotPermitted),
            Err(flow::NotBegun::Malformed) => Err(login::NotBegun::Malformed),
            Err(flow::NotBegun::WritesOff) => Err(login::NotBegun::WritesOff),
        }
    }

    fn open(state: String, cookies: Vec<(String, String)>) -> Result<login::Flow, login::NotOpened> {
        let server = Server::of_settings().ok_or(login::NotOpened::Invalid)?;
        match server.open(&state, &cookies) {
            Ok(inner) => Ok(login::Flow::new(Flow { inner, over: Cell::new(false) })),
            Err(not) => Err(match not {
                flow::NotOpened::Invalid => login::NotOpened::Invalid,
                flow::NotOpened::Expired => login::NotOpened::Expired,
                flow::NotOpened::OtherBrowser => login::NotOpened::OtherBrowser,
                flow::NotOpened::Used => login::NotOpened::Used,
                flow::NotOpened::ClientGone => login::NotOpened::ClientGone,
                flow::NotOpened::TooMany => login::NotOpened::TooMany,
            }),
        }
    }

    fn remembered(
        client: login::ClientBorrow<'_>,
        redirect_uri: String,
        cookies: Vec<(String, String)>,
    ) -> Option<login::Person> {
        let client = client.get::<Client>();
        let found = Server::of_settings()?.remembered(&client.known, &redirect_uri, &cookies);
        client.remembered.set(found.as_ref().map(|found| found.user));
        found.map(|found| login::Person { login: found.login, scopes: words(found.scopes), narrowed: false })
    }

    fn redeem(
        client: login::Proof,
        code: String,
        verifier: Option<String>,
        redirect_uri: Option<String>,
    ) -> Result<login::Tokens, login::Denied> {
        let server = Server::of_settings().ok_or(login::Denied::Unavailable)?;
        let proof = proof(client);
        let issued = server.redeem(&proof, &code, verifier.as_deref(), redirect_uri.as_deref());
        handed_out(&server, "tokens_issued", "code_replayed", &proof.client, issued)
    }

    fn refresh(
        client: login::Proof,
        token: String,
        scopes: Option<Vec<String>>,
    ) -> Result<login::Tokens, login::Denied> {
        let server = Server::of_settings().ok_or(login::Denied::Unavailable)?;
        let proof = proof(client);
        let issued = match scopes.map(narrowed) {
            None => server.refresh(&proof, &token, None),
            Some(Some(scopes)) => server.refresh(&proof, &token, Some(scopes)),
            Some(None) => Err(tokens::Denied::InvalidScope),
        };
        handed_out(&server, "tokens_refreshed", "refresh_token_reused", &proof.client, issued)
    }

    fn revoke(client: login::Proof, token: String) -> Result<(), login::Denied> {
        let server = Server::of_settings().ok_or(login::Denied::Unavailable)?;
        match server.revoke(&proof(client), &token) {
            Ok(Some(view)) => {
                let detail = [("client", view.client), ("login", view.login)];
                on_record(Event::SecurityEvent, "tokens_revoked", &detail);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(tokens::Denied::Unavailable) => Err(login::Denied::Unavailable),
            Err(_) => Err(login::Denied::InvalidClient),
        }
    }
}

/// Tokens as the gateway hands them on, and the line about them; `theft` is what a second use is called.
fn handed_out(
    server: &Server,
    what: &str,
    theft: &str,
    client: &str,
    outcome: Result<Issued, tokens::Denied>,
) -> Result<login::Tokens, login::Denied> {
    match outcome {
        Ok(issued) => {
            let detail = [
                ("client", client.to_owned()),
                ("login", issued.login),
                ("scopes", words(issued.scopes).join(" ")),
                ("family", server.fingerprint(&issued.family)),
            ];
            on_record(Event::SecurityEvent, what, &detail);
            Ok(login::Tokens {
                access_token: issued.access,
                refresh_token: issued.refresh,
                expires_in: issued.expires_in,
                scopes: words(issued.scopes),
            })
        }
        Err(denied) => {
            let (answer, reason) = match denied {
                tokens::Denied::InvalidClient => (login::Denied::InvalidClient, "invalid_client"),
                tokens::Denied::InvalidGrant(why) => (login::Denied::InvalidGrant, why),
                tokens::Denied::EndedGrant(why) => (login::Denied::EndedGrant, why),
                tokens::Denied::InvalidScope => (login::Denied::InvalidScope, "invalid_scope"),
                tokens::Denied::Unavailable => (login::Denied::Unavailable, "unavailable"),
            };
            if reason == theft {
                on_record(Event::SecurityEvent, theft, &[("client", client.to_owned())]);
            }
            Err(answer)
        }
    }
}

fn proof(told: login::Proof) -> Proof {
    Proof {
        client: told.client_id,
        secret: told.secret,
        shown: match told.method {
            login::Presented::Nothing => Shown::Nothing,
            login::Presented::Basic => Shown::Basic,
            login::Presented::Post => Shown::Post,
        },
    }
}

/// The two scopes there are; none where another one is asked for.
fn narrowed(asked: Vec<String>) -> Option<Scopes> {
    let mut scopes = Scopes::default();
    for word in asked {
        match word.as_str() {
            READ => scopes.read = true,
            WRITE => (scopes.read, scopes.write) = (true, true),
            _ => return None,
        }
    }
    Some(scopes)
}
