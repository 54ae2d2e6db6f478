//! `clients`, `login` and `seal`: signing in needs state that instances share and keys that stay, which a component
//! by itself does not have, so every question is answered with a refusal (`docs/edge.md`).

use crate::Adapter;
use crate::bindings::exports::aegis::gateway::{clients, login, seal};

/// There is no client, so nobody ever holds one.
pub(crate) enum Nobody {}

impl clients::GuestClient for Nobody {
    fn profile(&self) -> clients::Profile {
        match *self {}
    }

    fn permits(&self, _redirect_uri: String) -> bool {
        match *self {}
    }
}

impl clients::Guest for Adapter {
    type Client = Nobody;

    fn register(_registration: clients::Registration) -> Result<clients::Registered, clients::NotRegistered> {
        Err(clients::NotRegistered::Disabled)
    }

    fn lookup(_client_id: String) -> Result<clients::Client, clients::Unknown> {
        Err(clients::Unknown::NotFound)
    }
}

impl login::GuestFlow for Nobody {
    fn upstream_url(&self) -> String {
        match *self {}
    }

    fn cookie(&self) -> (String, String) {
        match *self {}
    }

    fn approved(&self) -> login::Approved {
        match *self {}
    }

    fn client(&self) -> login::Profile {
        match *self {}
    }

    fn exchange(&self, _code: String) -> Result<login::Session, login::Refused> {
        match *self {}
    }

    fn abandon(&self, _error: String) {
        match *self {}
    }
}

impl login::GuestSession for Nobody {
    fn who(&self) -> login::Person {
        match *self {}
    }

    fn issue_code(&self) -> Option<String> {
        match *self {}
    }

    fn remembrance(&self) -> Option<(String, String, u32)> {
        match *self {}
    }
}

impl login::Guest for Adapter {
    type Flow = Nobody;
    type Session = Nobody;

    fn begin(
        _client: login::ClientBorrow<'_>,
        _approved: login::Approved,
    ) -> Result<login::Flow, login::NotBegun> {
        Err(login::NotBegun::RedirectNotPermitted)
    }

    fn open(_state: String, _cookies: Vec<(String, String)>) -> Result<login::Flow, login::NotOpened> {
        Err(login::NotOpened::Invalid)
    }

    fn remembered(
        _client: login::ClientBorrow<'_>,
        _redirect_uri: String,
        _cookies: Vec<(String, String)>,
    ) -> Option<login::Person> {
        None
    }

    fn redeem(
        _client: login::Proof,
        _code: String,
        _verifier: Option<String>,
        _redirect_uri: Option<String>,
    ) -> Result<login::Tokens, login::Denied> {
        Err(login::Denied::InvalidClient)
    }

    fn refresh(
        _client: login::Proof,
        _token: String,
        _scopes: Option<Vec<String>>,
    ) -> Result<login::Tokens, login::Denied> {
        Err(login::Denied::InvalidClient)
    }

    fn revoke(_client: login::Proof, _token: String) -> Result<(), login::Denied> {
        Err(login::Denied::InvalidClient)
    }
}

impl seal::Guest for Adapter {
    fn seal(_purpose: seal::Purpose, _value: Vec<u8>, _ttl_seconds: u32) -> Option<String> {
        None
    }

    fn open(_purpose: seal::Purpose, _sealed: String) -> Result<Vec<u8>, seal::Broken> {
        Err(seal::Broken::Forged)
    }

    fn answer(_sealed: String, _choice: seal::Choice) -> Result<Vec<u8>, seal::Broken> {
        Err(seal::Broken::Forged)
    }
}
