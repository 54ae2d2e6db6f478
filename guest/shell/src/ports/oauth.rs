//! The ports of signing in. Names are translated, nothing else.

use aegis_core::ports as core;

use super::Imported;
use crate::bindings::aegis::gateway::{clients, login, seal};

impl core::Clients for Imported {
    fn register(&self, registration: &core::Registration) -> Result<core::Registered, core::NotRegistered> {
        let told = clients::Registration {
            name: registration.name.clone(),
            redirect_uris: registration.redirect_uris.clone(),
            authentication: match registration.authentication {
                core::Authentication::None => clients::Authentication::None,
                core::Authentication::Basic => clients::Authentication::ClientSecretBasic,
                core::Authentication::Post => clients::Authentication::ClientSecretPost,
            },
        };
        match clients::register(&told) {
            Ok(clients::Registered { client_id, client_secret, issued_at }) => {
                Ok(core::Registered { client_id, client_secret, issued_at })
            }
            Err(clients::NotRegistered::Disabled) => Err(core::NotRegistered::Disabled),
            Err(clients::NotRegistered::TooLarge) => Err(core::NotRegistered::TooLarge),
        }
    }

    fn lookup(&self, client_id: &str) -> Result<Box<dyn core::Client>, core::UnknownClient> {
        match clients::lookup(client_id) {
            Ok(client) => Ok(Box::new(Client(client))),
            Err(unknown) => Err(match unknown {
                clients::Unknown::NotFound => core::UnknownClient::NotFound,
                clients::Unknown::Revoked => core::UnknownClient::Revoked,
                clients::Unknown::HostNotAllowed => core::UnknownClient::HostNotAllowed,
                clients::Unknown::Document(why) => core::UnknownClient::Document(why),
            }),
        }
    }
}

struct Client(clients::Client);

impl core::Client for Client {
    fn profile(&self) -> core::Profile {
        profile(self.0.profile())
    }

    fn permits(&self, redirect_uri: &str) -> bool {
        self.0.permits(redirect_uri)
    }

    fn begin(&self, approved: &core::Approved) -> Result<Box<dyn core::Flow>, core::NotBegun> {
        let told = login::Approved {
            redirect_uri: approved.redirect_uri.clone(),
            code_challenge: approved.code_challenge.clone(),
            write: approved.write,
            state: approved.state.clone(),
        };
        match login::begin(&self.0, &told) {
            Ok(flow) => Ok(Box::new(Flow(flow))),
            Err(login::NotBegun::RedirectNotPermitted) => Err(core::NotBegun::RedirectNotPermitted),
            Err(login::NotBegun::Malformed) => Err(core::NotBegun::Malformed),
            Err(login::NotBegun::WritesOff) => Err(core::NotBegun::WritesOff),
        }
    }

    fn remembered(&self, redirect_uri: &str, cookies: &[(String, String)]) -> Option<core::Person> {
        login::remembered(&self.0, redirect_uri, cookies).map(person)
    }
}

impl core::Login for Imported {
    fn open(
        &self,
        state: &str,
        cookies: &[(String, String)],
    ) -> Result<Box<dyn core::Flow>, core::NotOpened> {
        match login::open(state, cookies) {
            Ok(flow) => Ok(Box::new(Flow(flow))),
            Err(login::NotOpened::Invalid) => Err(core::NotOpened::Invalid),
            Err(login::NotOpened::Expired) => Err(core::NotOpened::Expired),
            Err(login::NotOpened::OtherBrowser) => Err(core::NotOpened::OtherBrowser),
            Err(login::NotOpened::Used) => Err(core::NotOpened::Used),
            Err(login::NotOpened::ClientGone) => Err(core::NotOpened::ClientGone),
            Err(login::NotOpened::TooMany) => Err(core::NotOpened::TooMany),
        }
    }

    fn redeem(
        &self,
        client: &core::Proof,
        code: &str,
        verifier: Option<&str>,
        redirect_uri: Option<&str>,
    ) -> Result<core::Tokens, core::Denied> {
        login::redeem(&proof(client), code, verifier, redirect_uri).map(tokens).map_err(denied)
    }

    fn refresh(
        &self,
        client: &core::Proof,
        token: &str,
        scopes: Option<&[String]>,
    ) -> Result<core::Tokens, core::Denied> {
        login::refresh(&proof(client), token, scopes).map(tokens).map_err(denied)
    }

    fn revoke(&self, client: &core::Proof, token: &str) -> Result<(), core::Denied> {
        login::revoke(&proof(client), token).map_err(denied)
    }
}

struct Flow(login::Flow);

impl core::Flow for Flow {
    fn upstream_url(&self) -> String {
        self.0.upstream_url()
    }

    fn cookie(&self) -> (String, String) {
        self.0.cookie()
    }

    fn approved(&self) -> core::Approved {
        let login::Approved { redirect_uri, code_challenge, write, state } = self.0.approved();
        core::Approved { redirect_uri, code_challenge, write, state }
    }

    fn client(&self) -> core::Profile {
        profile(self.0.client())
    }

    fn exchange(&self, code: &str) -> Result<Box<dyn core::SignedIn>, core::SignInRefused> {
        match self.0.exchange(code) {
            Ok(session) => Ok(Box::new(SignedIn(session))),
            Err(login::Refused { reason, text }) => Err(core::SignInRefused { reason: named(reason), text }),
        }
    }

    fn abandon(&self, error: &str) {
        self.0.abandon(error);
    }
}

struct SignedIn(login::Session);

impl core::SignedIn for SignedIn {
    fn who(&self) -> core::Person {
        person(self.0.who())
    }

    fn issue_code(&self) -> Option<String> {
        self.0.issue_code()
    }

    fn remembrance(&self) -> Option<(String, String, u32)> {
        self.0.remembrance()
    }
}

impl core::Seal for Imported {
    fn seal(&self, purpose: core::Purpose, value: &[u8], ttl_seconds: u32) -> Option<String> {
        seal::seal(of(purpose), value, ttl_seconds)
    }

    fn open(&self, purpose: core::Purpose, sealed: &str) -> Result<Vec<u8>, core::Broken> {
        seal::open(of(purpose), sealed).map_err(broken)
    }

    fn answer(&self, sealed: &str, choice: core::Choice) -> Result<Vec<u8>, core::Broken> {
        let choice = match choice {
            core::Choice::Deny => seal::Choice::Deny,
            core::Choice::Read => seal::Choice::Read,
            core::Choice::Write => seal::Choice::Write,
        };
        seal::answer(sealed, choice).map_err(broken)
    }
}

fn broken(broken: seal::Broken) -> core::Broken {
    match broken {
        seal::Broken::Forged => core::Broken::Forged,
        seal::Broken::Expired => core::Broken::Expired,
    }
}

fn of(purpose: core::Purpose) -> seal::Purpose {
    match purpose {
        core::Purpose::Consent => seal::Purpose::Consent,
        core::Purpose::Cursor => seal::Purpose::Cursor,
        core::Purpose::Confirmation => seal::Purpose::Confirmation,
    }
}

fn profile(told: clients::Profile) -> core::Profile {
    core::Profile {
        id: told.id,
        kind: match told.kind {
            clients::Kind::Document => core::ClientKind::Document,
            clients::Kind::Registered => core::ClientKind::Registered,
            clients::Kind::Preregistered => core::ClientKind::Preregistered,
        },
        name: told.name,
        authentication: match told.authentication {
            clients::Authentication::None => core::Authentication::None,
            clients::Authentication::ClientSecretBasic => core::Authentication::Basic,
            clients::Authentication::ClientSecretPost => core::Authentication::Post,
        },
    }
}

fn person(told: login::Person) -> core::Person {
    core::Person { login: told.login, scopes: told.scopes, narrowed: told.narrowed }
}

fn proof(client: &core::Proof) -> login::Proof {
    login::Proof {
        client_id: client.client_id.clone(),
        secret: client.secret.clone(),
        method: match client.method {
            core::Presented::Nothing => login::Presented::Nothing,
            core::Presented::Basic => login::Presented::Basic,
            core::Presented::Post => login::Presented::Post,
        },
    }
}

fn tokens(told: login::Tokens) -> core::Tokens {
    let login::Tokens { access_token, refresh_token, expires_in, scopes } = told;
    core::Tokens { access_token, refresh_token, expires_in, scopes }
}

fn denied(denied: login::Denied) -> core::Denied {
    match denied {
        login::Denied::InvalidClient => core::Denied::InvalidClient,
        login::Denied::InvalidGrant => core::Denied::InvalidGrant,
        login::Denied::EndedGrant => core::Denied::EndedGrant,
        login::Denied::InvalidScope => core::Denied::InvalidScope,
        login::Denied::Unavailable => core::Denied::Unavailable,
    }
}

fn named(reason: login::Reason) -> core::SignInReason {
    match reason {
        login::Reason::CodeRefused => core::SignInReason::CodeRefused,
        login::Reason::ApplicationRefused => core::SignInReason::ApplicationRefused,
        login::Reason::GiteaUnavailable => core::SignInReason::GiteaUnavailable,
        login::Reason::IdentityInvalid => core::SignInReason::IdentityInvalid,
        login::Reason::Overtaken => core::SignInReason::Overtaken,
        login::Reason::GrantTooNarrow => core::SignInReason::GrantTooNarrow,
        login::Reason::GrantTooWide => core::SignInReason::GrantTooWide,
        login::Reason::NotAllowed => core::SignInReason::NotAllowed,
        login::Reason::Used => core::SignInReason::Used,
        login::Reason::OtherPerson => core::SignInReason::OtherPerson,
    }
}
