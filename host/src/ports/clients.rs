//! `aegis:gateway/clients`: the ids are made and proved here, and documents are read here.

use std::sync::Arc;

use aegis_custody::oauth::client_id::{self, AuthMethod};
use wasmtime::component::Resource;

use crate::component::bindings::aegis::gateway::clients::{
    Authentication, Host, HostClient, Kind, NotRegistered, Profile, Registered, Registration, Unknown,
};
use crate::instance::State;
use crate::shared::SystemRandom;
use crate::sign_in::clients::{Known, NoClient, Origin};

/// A client that exists, as a guest holds it.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Client {
    pub(crate) known: Arc<Known>,
}

impl Host for State {
    fn register(
        &mut self,
        registration: Registration,
    ) -> wasmtime::Result<Result<Registered, NotRegistered>> {
        let Some(sign_in) = self.shared.sign_in.as_ref().filter(|sign_in| sign_in.registers()) else {
            return Ok(Err(NotRegistered::Disabled));
        };
        let asked = client_id::Registration {
            auth_method: match registration.authentication {
                Authentication::None => AuthMethod::None,
                Authentication::ClientSecretBasic => AuthMethod::Basic,
                Authentication::ClientSecretPost => AuthMethod::Post,
            },
            name: registration.name.unwrap_or_default(),
            redirect_uris: registration.redirect_uris,
        };
        let now = crate::sign_in::now();
        Ok(match client_id::issue(&asked, &sign_in.keyring(), &SystemRandom, now) {
            Ok(issued) => Ok(Registered {
                client_id: issued.client_id,
                client_secret: issued.client_secret.map(|secret| secret.expose().to_owned()),
                issued_at: u64::try_from(now.unix_millis() / 1_000).unwrap_or(0),
            }),
            Err(_) => Err(NotRegistered::TooLarge),
        })
    }

    async fn lookup(&mut self, client_id: String) -> wasmtime::Result<Result<Resource<Client>, Unknown>> {
        let Some(sign_in) = self.shared.sign_in.clone() else { return Ok(Err(Unknown::NotFound)) };
        match sign_in.lookup(&client_id).await {
            Ok(known) => Ok(Ok(self.table.push(Client { known })?)),
            Err(no) => Ok(Err(match no {
                NoClient::NotFound => Unknown::NotFound,
                NoClient::Revoked => Unknown::Revoked,
                NoClient::HostNotAllowed => Unknown::HostNotAllowed,
                NoClient::Document(why) => Unknown::Document(why),
            })),
        }
    }
}

impl HostClient for State {
    fn profile(&mut self, client: Resource<Client>) -> wasmtime::Result<Profile> {
        let known = &self.table.get(&client)?.known;
        Ok(Profile {
            id: known.id.clone(),
            kind: match known.origin {
                Origin::Document(_) => Kind::Document,
                Origin::Registered(_) => Kind::Registered,
                Origin::Preregistered(_) => Kind::Preregistered,
            },
            name: known.name.clone(),
            authentication: match known.method {
                AuthMethod::None => Authentication::None,
                AuthMethod::Basic => Authentication::ClientSecretBasic,
                AuthMethod::Post => Authentication::ClientSecretPost,
            },
        })
    }

    fn permits(&mut self, client: Resource<Client>, redirect_uri: String) -> wasmtime::Result<bool> {
        Ok(self.table.get(&client)?.known.permits(&redirect_uri))
    }

    fn drop(&mut self, client: Resource<Client>) -> wasmtime::Result<()> {
        self.table.delete(client)?;
        Ok(())
    }
}
