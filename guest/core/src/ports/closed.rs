//! Sign-in where there is none: every question is answered with a refusal.

use super::{
    Automation, Broken, Caller, Choice, Client, Clients, Denied, Flow, Login, Mailbox, NotOpened,
    NotRegistered, NotVerified, Proof, Purpose, Registered, Registration, Seal, Tokens, Topic, UnknownClient,
};

/// The ports of signing in on a server that has API keys instead.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSignIn;

impl Clients for NoSignIn {
    fn register(&self, _registration: &Registration) -> Result<Registered, NotRegistered> {
        Err(NotRegistered::Disabled)
    }

    fn lookup(&self, _client_id: &str) -> Result<Box<dyn Client>, UnknownClient> {
        Err(UnknownClient::NotFound)
    }
}

impl Login for NoSignIn {
    fn open(&self, _state: &str, _cookies: &[(String, String)]) -> Result<Box<dyn Flow>, NotOpened> {
        Err(NotOpened::Invalid)
    }

    fn redeem(
        &self,
        _client: &Proof,
        _code: &str,
        _verifier: Option<&str>,
        _redirect_uri: Option<&str>,
    ) -> Result<Tokens, Denied> {
        Err(Denied::InvalidClient)
    }

    fn refresh(&self, _client: &Proof, _token: &str, _scopes: Option<&[String]>) -> Result<Tokens, Denied> {
        Err(Denied::InvalidClient)
    }

    fn revoke(&self, _client: &Proof, _token: &str) -> Result<(), Denied> {
        Err(Denied::InvalidClient)
    }
}

impl Seal for NoSignIn {
    fn seal(&self, _purpose: Purpose, _value: &[u8], _ttl_seconds: u32) -> Option<String> {
        None
    }

    fn open(&self, _purpose: Purpose, _sealed: &str) -> Result<Vec<u8>, Broken> {
        Err(Broken::Forged)
    }

    fn answer(&self, _sealed: &str, _choice: Choice) -> Result<Vec<u8>, Broken> {
        Err(Broken::Forged)
    }
}

/// Nothing is announced, and no stream is kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMailbox;

impl Mailbox for NoMailbox {
    fn topics(&self) -> Vec<Topic> {
        Vec::new()
    }
}

/// Nothing runs by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAutomation;

impl Automation for NoAutomation {
    fn verify(
        &self,
        _signature: &str,
        _delivery: &str,
        _body: &[u8],
    ) -> Result<Box<dyn Caller>, NotVerified> {
        Err(NotVerified::Disabled)
    }
}
