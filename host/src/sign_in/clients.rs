//! Finding a client by its id, three ways, and proving it at the token endpoint.

use std::sync::Arc;

use aegis_custody::oauth::client_id::{self, AuthMethod, Registered};
use aegis_custody::oauth::redirect;

use super::SignIn;

/// A client that exists.
pub(crate) struct Known {
    /// Its id.
    pub(crate) id: String,
    /// As it calls itself.
    pub(crate) name: Option<String>,
    /// Where it comes from, and what that says of redirect URIs.
    pub(crate) origin: Origin,
    /// How it proves itself.
    pub(crate) method: AuthMethod,
}

/// Where a client comes from.
pub(crate) enum Origin {
    /// A metadata document, with its redirect URIs.
    Document(Vec<String>),
    /// Its own registration, which the id proves.
    Registered(Registered),
    /// The operator's file, with its redirect URIs.
    Preregistered(Vec<String>),
}

/// Why there is no such client.
#[derive(Debug)]
pub(crate) enum NoClient {
    /// Forged, mistyped, of another server, or never registered.
    NotFound,
    /// The operator revoked it.
    Revoked,
    /// The host of its document is not in `CIMD_ALLOWED_HOSTS`.
    HostNotAllowed,
    /// Its document cannot be used; for a person.
    Document(String),
}

/// How a client proved itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// It sent no secret.
    Nothing,
    /// In `Authorization: Basic`.
    Basic,
    /// In the form.
    Post,
}

impl Known {
    /// Whether this is one of its redirect URIs.
    pub(crate) fn permits(&self, redirect_uri: &str) -> bool {
        match &self.origin {
            Origin::Registered(registered) => registered.permits(redirect_uri),
            Origin::Document(uris) | Origin::Preregistered(uris) => {
                uris.iter().any(|registered| redirect::matches(registered, redirect_uri))
            }
        }
    }
}

/// Whether an id is the URL of a metadata document.
pub(crate) fn is_document(client_id: &str) -> bool {
    client_id.starts_with("https://")
}

impl SignIn {
    /// The client behind an id.
    ///
    /// # Errors
    /// See [`NoClient`].
    pub(crate) async fn lookup(&self, id: &str) -> Result<Arc<Known>, NoClient> {
        if self.is_refused(id) {
            return Err(NoClient::Revoked);
        }
        if is_document(id) {
            return self.document(id).await.map(Arc::new);
        }
        if let Some(known) = self.preregistered.get(id) {
            let method = known.secret.as_ref().map_or(AuthMethod::None, |(_, method)| *method);
            return Ok(Arc::new(Known {
                id: id.to_owned(),
                name: known.name.clone(),
                origin: Origin::Preregistered(known.redirect_uris.clone()),
                method,
            }));
        }
        let registered = client_id::verify(id, &self.keyring()).map_err(|_| NoClient::NotFound)?;
        Ok(Arc::new(Known {
            id: id.to_owned(),
            name: Some(registered.name.clone()).filter(|name| !name.is_empty()),
            method: registered.auth_method,
            origin: Origin::Registered(registered),
        }))
    }

    /// Whether the operator revoked a client.
    pub(crate) fn is_refused(&self, id: &str) -> bool {
        self.records.read(|registry, _| registry.client_refused(id))
    }

    async fn document(&self, url: &str) -> Result<Known, NoClient> {
        use crate::documents::Failure;
        let document = self.documents.fetch(url).await.map_err(|failure| {
            if matches!(failure, Failure::Host(_)) {
                NoClient::HostNotAllowed
            } else {
                NoClient::Document(failure.to_string())
            }
        })?;
        Ok(Known {
            id: url.to_owned(),
            name: document.client_name.clone(),
            origin: Origin::Document(document.redirect_uris.clone()),
            method: AuthMethod::None,
        })
    }

    /// Whether a client is the one it says at the token endpoint. A document is not fetched for that: such a client
    /// has no secret, and what it presents is bound to its id.
    pub(crate) fn proves(&self, id: &str, secret: Option<&str>, shown: Shown) -> bool {
        if self.is_refused(id) {
            return false;
        }
        let public = secret.is_none() && shown == Shown::Nothing;
        if is_document(id) {
            return public && self.documents.allows(id);
        }
        let method = |method: AuthMethod| match method {
            AuthMethod::None => false,
            AuthMethod::Basic => shown == Shown::Basic,
            AuthMethod::Post => shown == Shown::Post,
        };
        if let Some(known) = self.preregistered.get(id) {
            return match (&known.secret, secret) {
                (None, _) => public,
                (Some((hash, wanted)), Some(secret)) => hash.matches(secret) & method(*wanted),
                (Some(_), None) => false,
            };
        }
        let keyring = self.keyring();
        match (client_id::verify(id, &keyring), secret) {
            (Ok(registered), None) => registered.auth_method == AuthMethod::None && public,
            (Ok(registered), Some(secret)) => {
                client_id::secret_matches(id, secret, &keyring) & method(registered.auth_method)
            }
            (Err(_), secret) => {
                // The same work as for a wrong secret, so that time does not tell which ids exist.
                let _ = secret.map(|secret| client_id::secret_matches(id, secret, &keyring));
                false
            }
        }
    }
}
