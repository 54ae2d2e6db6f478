//! Clients and tokens for tests: what was asked is kept, and the answer is set beforehand.

use std::cell::{Cell, RefCell};

use crate::mcp::fake::World;
use crate::ports::{
    Client, Clients, Denied, Flow, Login, NoSignIn, NotOpened, NotRegistered, Ports, Presented, Proof,
    Registered, Registration, Tokens, UnknownClient,
};

/// One host.
#[derive(Default)]
pub(crate) struct Scripted {
    pub(crate) denied: Cell<Option<Denied>>,
    pub(crate) not_registered: Cell<Option<NotRegistered>>,
    pub(crate) registrations: RefCell<Vec<Registration>>,
    /// One line for each question about a code or a token.
    pub(crate) asked: RefCell<Vec<String>>,
}

impl Scripted {
    /// The ports of a world, with these instead of its own.
    pub(crate) fn ports<'a>(&'a self, world: &'a World) -> Ports<'a> {
        Ports { clients: self, login: self, ..world.ports() }
    }

    fn told(&self, what: &str, proof: &Proof, with: &[Option<&str>]) -> Result<Tokens, Denied> {
        let method = match proof.method {
            Presented::Nothing => "nothing",
            Presented::Basic => "basic",
            Presented::Post => "post",
        };
        let mut line =
            format!("{what} {} {method} {}", proof.client_id, proof.secret.as_deref().unwrap_or("-"));
        for value in with {
            line.push(' ');
            line.push_str(value.unwrap_or("-"));
        }
        self.asked.borrow_mut().push(line);
        let scopes = vec!["read:repository".to_owned(), "write:repository".to_owned()];
        let (access_token, refresh_token) = ("access".to_owned(), "successor".to_owned());
        self.denied.get().map_or(Ok(Tokens { access_token, refresh_token, expires_in: 3600, scopes }), Err)
    }
}

impl Clients for Scripted {
    fn register(&self, registration: &Registration) -> Result<Registered, NotRegistered> {
        if let Some(why) = self.not_registered.get() {
            return Err(why);
        }
        self.registrations.borrow_mut().push(registration.clone());
        let secret = registration.authentication != crate::ports::Authentication::None;
        Ok(Registered {
            client_id: "aegis_client_1".to_owned(),
            client_secret: secret.then(|| "shown-once".to_owned()),
            issued_at: 1_900_000_000,
        })
    }

    fn lookup(&self, client_id: &str) -> Result<Box<dyn Client>, UnknownClient> {
        NoSignIn.lookup(client_id)
    }
}

impl Login for Scripted {
    fn open(&self, _state: &str, _cookies: &[(String, String)]) -> Result<Box<dyn Flow>, NotOpened> {
        Err(NotOpened::OtherBrowser)
    }

    fn redeem(
        &self,
        client: &Proof,
        code: &str,
        verifier: Option<&str>,
        redirect_uri: Option<&str>,
    ) -> Result<Tokens, Denied> {
        self.told("redeem", client, &[Some(code), verifier, redirect_uri])
    }
    fn refresh(&self, client: &Proof, token: &str, scopes: Option<&[String]>) -> Result<Tokens, Denied> {
        let scopes = scopes.map(|scopes| scopes.join("+"));
        self.told("refresh", client, &[Some(token), scopes.as_deref()])
    }
    fn revoke(&self, client: &Proof, token: &str) -> Result<(), Denied> {
        self.told("revoke", client, &[Some(token)]).map(|_| ())
    }
}
