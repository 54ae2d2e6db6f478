//! Finding a client by its id, and proving it at the token endpoint. A client registered itself, and its id says so.
//! Metadata documents are not read and the operator's file of clients does not exist here (`docs/edge.md`).

use aegis_custody::oauth::client_id::{self, AuthMethod, Registered};

use super::tokens::Denied;
use super::{Server, lost};
use crate::records;

/// A client that exists.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) registered: Registered,
}

/// Why there is no such client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoClient {
    NotFound,
    Revoked,
    Document,
    /// Whether it was revoked cannot be known now.
    Unreadable,
}

/// How a client proved itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Nothing,
    Basic,
    Post,
}

/// What a client says of itself at the token endpoint.
pub(super) struct Proof {
    pub(super) client: String,
    pub(super) secret: Option<String>,
    pub(super) shown: Shown,
}

impl Server {
    /// The client behind an id.
    ///
    /// # Errors
    /// See [`NoClient`].
    pub(super) fn lookup(&self, id: &str) -> Result<Known, NoClient> {
        match refused(id) {
            Some(false) => {}
            Some(true) => return Err(NoClient::Revoked),
            None => return Err(NoClient::Unreadable),
        }
        if id.starts_with("https://") {
            return Err(NoClient::Document);
        }
        let registered = client_id::verify(id, &self.keyring).map_err(|_| NoClient::NotFound)?;
        let name = Some(registered.name.clone()).filter(|name| !name.is_empty());
        Ok(Known { id: id.to_owned(), name, registered })
    }

    /// See that a client is the one it says at the token endpoint.
    ///
    /// # Errors
    /// It is not, or that cannot be known now: a client that is told that it is unknown throws its registration away.
    pub(super) fn prove(&self, proof: &Proof) -> Result<(), Denied> {
        match refused(&proof.client) {
            Some(false) if self.shows(proof) => Ok(()),
            Some(_) => Err(Denied::InvalidClient),
            None => Err(Denied::Unavailable),
        }
    }

    fn shows(&self, proof: &Proof) -> bool {
        let right = |method: AuthMethod| match method {
            AuthMethod::None => false,
            AuthMethod::Basic => proof.shown == Shown::Basic,
            AuthMethod::Post => proof.shown == Shown::Post,
        };
        match (client_id::verify(&proof.client, &self.keyring), &proof.secret) {
            (Ok(registered), None) => {
                registered.auth_method == AuthMethod::None && proof.shown == Shown::Nothing
            }
            (Ok(registered), Some(secret)) => {
                client_id::secret_matches(&proof.client, secret, &self.keyring)
                    & right(registered.auth_method)
            }
            (Err(_), secret) => {
                // The same work as for a wrong secret, so that time does not tell which ids exist.
                let _ = secret.as_ref().map(|it| client_id::secret_matches(&proof.client, it, &self.keyring));
                false
            }
        }
    }
}

/// Whether a client was revoked; where that cannot be known it counts as revoked.
pub(super) fn is_refused(id: &str) -> bool {
    refused(id).unwrap_or(true)
}

/// The same; none where it cannot be known.
fn refused(id: &str) -> Option<bool> {
    records::read(|registry, _| registry.client_refused(id)).map_err(lost).ok()
}
