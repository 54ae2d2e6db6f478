//! From Gitea's code to a person, and from a person to a code of ours.

use std::time::Duration;

use aegis_custody::oauth::code;
use aegis_custody::oauth::registry::{Change, ClientKind, Code, Registry, Scopes, UserId};
use aegis_custody::oauth::seal::{Purpose, Seal};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::SignIn;
use super::clients::Known;
use super::flow::{AskerKind, Flow, after, hex8};
use crate::settings::Secret;
use crate::shared::SystemRandom;
use crate::upstream::{Application, Fault, Introspection, Judgement, Remedy, Tokens, UpstreamError};

/// How long our code may wait for its client.
const CODE_LIFE: Duration = Duration::from_secs(60);
/// How long a browser remembers an approval.
const REMEMBERED: Duration = Duration::from_secs(90 * 86_400);
/// How long somebody who comes back waits for those before them at Gitea: no longer than a person looks at an empty page.
const TURN: Duration = Duration::from_secs(10);

/// A person who has signed in, for one flow.
pub(crate) struct Session {
    pub(crate) flow: Flow,
    pub(crate) user: UserId,
    pub(crate) login: String,
    pub(crate) scopes: Scopes,
    /// Writes were approved and Gitea's grant does not carry them.
    pub(crate) narrowed: bool,
}

/// Why nobody is signed in.
#[derive(Debug)]
pub(crate) struct NotSignedIn {
    pub(crate) reason: Reason,
    /// For the record: a finer name.
    pub(crate) name: String,
    /// For the person.
    pub(crate) text: String,
}

/// The reasons that have a page of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    CodeRefused,
    ApplicationRefused,
    GiteaUnavailable,
    IdentityInvalid,
    Overtaken,
    GrantTooNarrow,
    GrantTooWide,
    NotAllowed,
    Used,
    OtherPerson,
}

/// A remembered approval.
pub(crate) struct Remembered {
    pub(crate) user: UserId,
    pub(crate) login: String,
    pub(crate) scopes: Scopes,
}

/// What a browser keeps of an approval.
#[derive(Serialize, Deserialize)]
struct Remembrance {
    client: String,
    user: UserId,
}

impl SignIn {
    /// Trade Gitea's code for a person. Works once for a flow. To be run to its end also where the browser goes away:
    /// what Gitea has issued by then must be kept, since it may have ended what was on record before.
    ///
    /// # Errors
    /// See [`Reason`].
    pub(crate) async fn exchange(&self, flow: Flow, code: &str) -> Result<Session, (Flow, NotSignedIn)> {
        if !flow.use_up() {
            return Err((flow, not(Reason::Used, "flow_used", "This sign-in was used before.")));
        }
        match self.prove(&flow, code).await {
            Ok((user, login, scopes)) => {
                let narrowed = flow.approved.write && !scopes.write;
                let signed = |l: &mut super::timeline::Login| l.login = Some(login.clone());
                self.timeline.step(|l| l.flow == flow.name, "signed_in", None, Self::now(), signed);
                Ok(Session { flow, user, login, scopes, narrowed })
            }
            Err(not) => {
                self.timeline.step(|l| l.flow == flow.name, "refused", Some(&not.name), Self::now(), |_| {});
                Err((flow, not))
            }
        }
    }

    async fn prove(&self, flow: &Flow, code: &str) -> Result<(UserId, String, Scopes), NotSignedIn> {
        let application = self.application(flow.which);
        let (code, verifier) = (Secret::new(code.to_owned()), Secret::new(flow.verifier.to_string()));
        let _until_kept = self.upstream.turn(TURN).await.map_err(refused)?;
        let tokens = self.upstream.exchange(application, &code, &verifier).await.map_err(refused)?;
        let identity = match self.upstream.identify(application, &tokens, &flow.nonce).await {
            Ok(identity) => identity,
            Err(UpstreamError::IdToken(Fault::Missing)) => {
                return Err(self.without_openid(application, &tokens).await);
            }
            Err(error) => return Err(refused(error)),
        };
        if !self.allowed.admits(&identity.login, &identity.groups) {
            return Err(not(
                Reason::NotAllowed,
                "not_allowed",
                "The operator of this server has not admitted your account.",
            ));
        }
        let user: UserId = identity.subject.parse().map_err(|_| {
            not(
                Reason::IdentityInvalid,
                "gitea_subject_unusable",
                "Gitea names you by an id that is not a number.",
            )
        })?;
        let write = judged(&identity.words)? && flow.approved.write && self.writes;
        let scopes = Scopes { read: true, write };
        self.keep_grant(user, flow.which, &tokens, &identity.words.join(" "), None).await.map_err(|_| {
            not(Reason::GiteaUnavailable, "grant_not_kept", "What Gitea granted could not be kept.")
        })?;
        // Only now: Gitea may have replaced what it granted this person before, and their other sessions live on it.
        if let Some(other) = flow.for_whom.filter(|expected| *expected != user) {
            // Forgotten, or the next try would end here too.
            self.records.keep(|registry, _| registry.revoke_approval(&flow.asker.id, other)).await;
            return Err(not(
                Reason::OtherPerson,
                "other_person",
                "The approval that this browser remembered is another person's.",
            ));
        }
        Ok((user, identity.login, scopes))
    }

    /// Gitea gave no ID token: the grant is from before this server asked for one. What it is worth is told by its
    /// words, so that the person learns what to do about it.
    async fn without_openid(&self, application: &Application, tokens: &Tokens) -> NotSignedIn {
        match self.upstream.introspect(application, &tokens.access).await {
            Ok(Introspection::Active(active)) if active.audience.contains(&application.client_id) => {
                let asked = active.words.iter().any(|word| word == "openid");
                judged(&active.words).err().unwrap_or_else(|| {
                    if asked { refused(UpstreamError::IdToken(Fault::Missing)) } else { too_narrow("openid") }
                })
            }
            Ok(_) => refused(UpstreamError::IdToken(Fault::Missing)),
            Err(error) => refused(error),
        }
    }

    /// A code for the client of the flow, and the notes that are made only now that somebody has signed in.
    ///
    /// # Errors
    /// The client was revoked meanwhile, or there is no room.
    pub(crate) async fn issue_code(&self, session: &Session) -> Result<String, String> {
        let (code, hash) = code::generate(&SystemRandom);
        let flow = &session.flow;
        let (issued, _) = self
            .records
            .keep(|registry, now| {
                let mut changes = Vec::new();
                let put = note_approval(registry, session, now, &mut changes).and_then(|()| {
                    registry.put_code(
                        hash,
                        Code {
                            client: flow.asker.id.clone(),
                            redirect_uri: flow.approved.redirect_uri.clone(),
                            challenge: flow.approved.code_challenge.clone(),
                            user: session.user,
                            login: session.login.clone(),
                            scopes: session.scopes,
                            application: flow.which,
                            expires_at: after(now, CODE_LIFE),
                        },
                        now,
                    )
                });
                (put, changes)
            })
            .await;
        issued.map_err(|refused| refused.to_string())?;
        self.timeline.step(|l| l.flow == flow.name, "code_issued", None, Self::now(), |_| {});
        Ok(code.expose().to_owned())
    }

    /// Name, value and life of a cookie that remembers the approval; none where the browser could not be sure to send
    /// it back to us alone.
    pub(crate) fn remembrance(&self, session: &Session) -> Option<(String, String, Duration)> {
        let redirect = &session.flow.approved.redirect_uri;
        // Only toward a site is the page ever spared, so another cookie would be for nothing.
        if session.flow.for_whom.is_some() || !redirect.starts_with("https://") {
            return None;
        }
        let client = &session.flow.asker.id;
        let content = serde_json::to_vec(&Remembrance { client: client.clone(), user: session.user }).ok()?;
        let value = Seal::new(Purpose::Approval, client.as_bytes())
            .seal_text(&self.keyring(), &SystemRandom, &content, after(Self::now(), REMEMBERED))
            .ok()?;
        Some((self.remembrance_name(client), value, REMEMBERED))
    }

    /// Whose approval this browser remembers for a client and a redirect URI.
    pub(crate) fn remembered(
        &self,
        client: &Known,
        redirect_uri: &str,
        cookies: &[(String, String)],
    ) -> Option<Remembered> {
        let wanted = self.remembrance_name(&client.id);
        let (_, value) = cookies.iter().find(|(name, _)| *name == wanted)?;
        let opened = Seal::new(Purpose::Approval, client.id.as_bytes())
            .open_text(&self.keyring(), value, Self::now())
            .ok()?;
        let remembrance: Remembrance = serde_json::from_slice(&opened.content).ok()?;
        if remembrance.client != client.id {
            return None;
        }
        self.records.change(|registry, now| {
            let found = registry
                .approval(&client.id, remembrance.user, now)
                .filter(|approval| approval.redirect_uri == redirect_uri)
                .map(|approval| approval.scopes);
            let login = registry.login_of(remembrance.user).map(str::to_owned);
            let changes = match found {
                Some(_) => registry.touch_approval(&client.id, remembrance.user, now),
                None => Vec::new(),
            };
            let user = remembrance.user;
            (found.zip(login).map(|(scopes, login)| Remembered { user, login, scopes }), changes)
        })
    }

    fn remembrance_name(&self, client: &str) -> String {
        self.cookie_name("approved", &hex8(&Sha256::digest(client.as_bytes())))
    }
}

fn note_approval(
    registry: &mut Registry,
    session: &Session,
    now: aegis_custody::Timestamp,
    changes: &mut Vec<Change>,
) -> Result<(), aegis_custody::oauth::registry::Refused> {
    let asker = &session.flow.asker;
    let kind = match asker.kind {
        AskerKind::Document => ClientKind::Document,
        AskerKind::Registered => ClientKind::Dynamic,
        AskerKind::Preregistered => ClientKind::Registered,
    };
    changes.extend(registry.saw_user(session.user, &session.login, now)?);
    changes.extend(registry.saw_client(&asker.id, asker.name.as_deref().unwrap_or_default(), kind, now)?);
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
    match crate::upstream::judge(words.iter().map(String::as_str)) {
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

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn refused(error: UpstreamError) -> NotSignedIn {
    let reason = match (&error, error.remedy()) {
        (UpstreamError::CodeRefused, _) => Reason::CodeRefused,
        // Gitea has one grant for a person and an application, and in it one nonce, the newest: two sign-ins that cross
        // look like this, and so would a code of somebody else, which is stopped all the same.
        (UpstreamError::IdToken(Fault::Nonce), _) => Reason::Overtaken,
        (_, Remedy::SignIn) => Reason::IdentityInvalid,
        (_, Remedy::Operator) => Reason::ApplicationRefused,
        (_, Remedy::Retry) => Reason::GiteaUnavailable,
    };
    // The general words about ID tokens would send the operator to look for a fault.
    let overtaken = "The ID token has the nonce of another sign-in.";
    let text = if reason == Reason::Overtaken { overtaken.to_owned() } else { error.to_string() };
    NotSignedIn { reason, name: error.name().to_owned(), text }
}
