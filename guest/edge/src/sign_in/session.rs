//! From Gitea's code to a person, and from a person to a code of ours.

use std::time::Duration;

use aegis_custody::Timestamp;
use aegis_custody::oauth::code;
use aegis_custody::oauth::registry::{Change, ClientKind, Code, Refused, Registry, Scopes, UserId};
use aegis_custody::oauth::seal::{Purpose, Seal};
use aegis_custody::provider::error::{Remedy, UpstreamError};
use aegis_custody::provider::fault::Fault;
use aegis_custody::provider::people::Introspection;
use aegis_custody::provider::scopes::{Judgement, judge};
use aegis_custody::provider::tokens::Tokens;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::clients::Known;
use super::flow::Inner;
use super::{Application, Server, gitea, hex8, lost};
use crate::bindings::exports::aegis::gateway::login::Reason;
use crate::environment::{Chance, later, now};
use crate::records;

/// How long our code may wait for its client.
const CODE_LIFE: Duration = Duration::from_secs(60);
/// How long a browser remembers an approval.
const REMEMBERED: Duration = Duration::from_secs(90 * 86_400);

/// A person who has signed in, for one flow.
pub(super) struct Signed {
    pub(super) flow: Inner,
    pub(super) user: UserId,
    pub(super) login: String,
    pub(super) scopes: Scopes,
    /// Writes were approved and Gitea's grant does not carry them.
    pub(super) narrowed: bool,
}

/// Why nobody is signed in.
pub(super) struct NotSignedIn {
    pub(super) reason: Reason,
    /// For the record: a finer name.
    pub(super) name: String,
    /// For the person.
    pub(super) text: String,
}

/// A remembered approval.
pub(super) struct Remembered {
    pub(super) user: UserId,
    pub(super) login: String,
    pub(super) scopes: Scopes,
}

/// What a browser keeps of an approval.
#[derive(Serialize, Deserialize)]
struct Remembrance {
    client: String,
    user: UserId,
}

impl Server {
    /// Trade Gitea's code for a person.
    ///
    /// # Errors
    /// See [`NotSignedIn`].
    pub(super) fn exchange(&self, flow: Inner, code: &str) -> Result<Signed, NotSignedIn> {
        let application = self.application(flow.which);
        let tokens = gitea::exchange(self, application, code, &flow.verifier).map_err(|e| refused(&e))?;
        let identity = match gitea::identify(application, &tokens, &flow.nonce) {
            Ok(identity) => identity,
            Err(UpstreamError::IdToken(Fault::Missing)) => return Err(without_openid(application, &tokens)),
            Err(error) => return Err(refused(&error)),
        };
        if !self.allowed.admits(&identity.login, &identity.groups) {
            let text = "The operator of this server has not admitted your account.";
            return Err(not(Reason::NotAllowed, "not_allowed", text));
        }
        let user: UserId = identity.subject.parse().map_err(|_| {
            let text = "Gitea names you by an id that is not a number.";
            not(Reason::IdentityInvalid, "gitea_subject_unusable", text)
        })?;
        let write = judged(&identity.words)? && flow.approved.write && self.writes;
        let scopes = Scopes { read: true, write };
        self.keep_grant(user, flow.which, &tokens, &identity.words.join(" "), None).map_err(|why| {
            lost(records::Lost(why));
            not(Reason::GiteaUnavailable, "grant_not_kept", "What Gitea granted could not be kept.")
        })?;
        // Only now: Gitea may have replaced what it granted this person before, and their other sessions live on it.
        if let Some(other) = flow.for_whom.filter(|expected| *expected != user) {
            // Forgotten, or the next try would end here too.
            let forgotten = records::change(|registry, _| registry.revoke_approval(&flow.asker.id, other));
            if let Err(why) = forgotten {
                lost(why);
            }
            let text = "The approval that this browser remembered is another person's.";
            return Err(not(Reason::OtherPerson, "other_person", text));
        }
        let narrowed = flow.approved.write && !scopes.write;
        Ok(Signed { flow, user, login: identity.login, scopes, narrowed })
    }

    /// A code for the client of the flow, and the notes that are made only now that somebody has signed in.
    ///
    /// # Errors
    /// The client was revoked meanwhile, there is no room, or nothing can be kept.
    pub(super) fn issue_code(&self, session: &Signed) -> Result<String, String> {
        let (code, hash) = code::generate(&Chance);
        let flow = &session.flow;
        let issued = records::change(|registry, now| {
            let mut changes = Vec::new();
            let put = note_approval(registry, session, now, &mut changes).and_then(|()| {
                let code = Code {
                    client: flow.asker.id.clone(),
                    redirect_uri: flow.approved.redirect_uri.clone(),
                    challenge: flow.approved.code_challenge.clone(),
                    user: session.user,
                    login: session.login.clone(),
                    scopes: session.scopes,
                    application: flow.which,
                    expires_at: later(now, CODE_LIFE),
                };
                registry.put_code(hash, code, now)
            });
            (put, changes)
        });
        issued.map_err(|records::Lost(why)| why)?.map_err(|refused| refused.to_string())?;
        Ok(code.expose().to_owned())
    }

    /// Name, value and seconds of a cookie that remembers the approval; none where the browser could not be sure to send
    /// it back to us alone.
    pub(super) fn remembrance(&self, session: &Signed) -> Option<(String, String, u32)> {
        // Only toward a site is the page ever spared, so another cookie would be for nothing.
        if session.flow.for_whom.is_some() || !session.flow.approved.redirect_uri.starts_with("https://") {
            return None;
        }
        let client = &session.flow.asker.id;
        let content = serde_json::to_vec(&Remembrance { client: client.clone(), user: session.user }).ok()?;
        let value = Seal::new(Purpose::Approval, client.as_bytes())
            .seal_text(&self.keyring, &Chance, &content, later(now(), REMEMBERED))
            .ok()?;
        Some((self.remembrance_name(client), value, u32::try_from(REMEMBERED.as_secs()).unwrap_or(u32::MAX)))
    }

    /// Whose approval this browser remembers for a client and a redirect URI.
    pub(super) fn remembered(
        &self,
        client: &Known,
        redirect_uri: &str,
        cookies: &[(String, String)],
    ) -> Option<Remembered> {
        let wanted = self.remembrance_name(&client.id);
        let (_, value) = cookies.iter().find(|(name, _)| *name == wanted)?;
        let opened =
            Seal::new(Purpose::Approval, client.id.as_bytes()).open_text(&self.keyring, value, now()).ok()?;
        let Remembrance { client: of, user } = serde_json::from_slice(&opened.content).ok()?;
        if of != client.id {
            return None;
        }
        let found = records::change(|registry, now| {
            let found = registry
                .approval(&client.id, user, now)
                .filter(|approval| approval.redirect_uri == redirect_uri)
                .map(|approval| approval.scopes);
            let login = registry.login_of(user).map(str::to_owned);
            let changes =
                if found.is_some() { registry.touch_approval(&client.id, user, now) } else { Vec::new() };
            (found.zip(login).map(|(scopes, login)| Remembered { user, login, scopes }), changes)
        });
        found.map_err(lost).ok()?
    }

    fn remembrance_name(&self, client: &str) -> String {
        self.cookie_name("approved", &hex8(&Sha256::digest(client.as_bytes())))
    }
}

/// Gitea gave no ID token: the grant is from before this server asked for one. What it is worth is told by its words, so
/// that the person learns what to do about it.
fn without_openid(application: &Application, tokens: &Tokens) -> NotSignedIn {
    match gitea::introspect(application, tokens.access.expose()) {
        Ok(Introspection::Active(active)) if active.audience.contains(&application.id) => {
            let asked = active.words.iter().any(|word| word == "openid");
            judged(&active.words).err().unwrap_or_else(|| {
                if asked { refused(&UpstreamError::IdToken(Fault::Missing)) } else { too_narrow("openid") }
            })
        }
        Ok(_) => refused(&UpstreamError::IdToken(Fault::Missing)),
        Err(error) => refused(&error),
    }
}

fn note_approval(
    registry: &mut Registry,
    session: &Signed,
    now: Timestamp,
    changes: &mut Vec<Change>,
) -> Result<(), Refused> {
    let asker = &session.flow.asker;
    let name = asker.name.as_deref().unwrap_or_default();
    changes.extend(registry.saw_user(session.user, &session.login, now)?);
    changes.extend(registry.saw_client(&asker.id, name, ClientKind::Dynamic, now)?);
    if session.flow.for_whom.is_some() {
        // Nobody has approved anything just now: what is remembered must not grow older by being used.
        return Ok(());
    }
    let redirect = &session.flow.approved.redirect_uri;
    changes.extend(registry.approve(&asker.id, session.user, redirect, session.scopes, now)?);
    Ok(())
}

/// Whether a grant of these words carries writes.
///
/// # Errors
/// It is not one to sign in with.
fn judged(words: &[String]) -> Result<bool, NotSignedIn> {
    match judge(words.iter().map(String::as_str)) {
        Judgement::ReadWrite => Ok(true),
        Judgement::Read => Ok(false),
        Judgement::TooNarrow(missing) => Err(too_narrow(&missing.join(", "))),
        Judgement::TooWide(_) => Err(not(
            Reason::GrantTooWide,
            "grant_too_wide",
            "What you granted in Gitea earlier holds more than this server ever asks for, perhaps everything.",
        )),
    }
}

fn too_narrow(missing: &str) -> NotSignedIn {
    let text = format!("What you granted in Gitea earlier lacks {missing}.");
    not(Reason::GrantTooNarrow, "grant_too_narrow", &text)
}

fn not(reason: Reason, name: &str, text: &str) -> NotSignedIn {
    NotSignedIn { reason, name: name.to_owned(), text: text.to_owned() }
}

fn refused(error: &UpstreamError) -> NotSignedIn {
    let reason = match (error, error.remedy()) {
        (UpstreamError::CodeRefused, _) => Reason::CodeRefused,
        // Gitea keeps one nonce for a person and an application, the newest: two sign-ins that cross look like this.
        (UpstreamError::IdToken(Fault::Nonce), _) => Reason::Overtaken,
        (_, Remedy::SignIn) => Reason::IdentityInvalid,
        (_, Remedy::Operator) => Reason::ApplicationRefused,
        (_, Remedy::Retry) => Reason::GiteaUnavailable,
    };
    let overtaken = "The ID token has the nonce of another sign-in.";
    let text = if reason == Reason::Overtaken { overtaken.to_owned() } else { error.to_string() };
    NotSignedIn { reason, name: error.name().to_owned(), text }
}
