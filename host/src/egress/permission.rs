//! Whether a person may do on a repository what the service account is about to do for them. Any doubt is a no.
//!
//! What is asked follows from the request ([`Question`]). Who is asked, in this order: Gitea as the person (it knows
//! every unit and team exactly), Gitea by `Sudo` where the operator gave an administrator's token for that, and at last
//! the probe for collaborators, which says less than is true for members of teams. Answers are kept for
//! `REPO_AUTHZ_CACHE_TTL_SECONDS`, here and nowhere else, each for the credential that got it alone.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aegis_custody::egress::{PROBE, Question, probe};
use aegis_custody::oauth::registry::Application;
use http::{HeaderValue, StatusCode};
use lru::LruCache;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::authority::{Authority, Whose, sudo};
use super::kept_out;
use super::{Gitea, Wire};
use crate::component::bindings::aegis::gateway::gitea::Failure;
use crate::metrics::{Cached, Used};
use crate::ports::identity::{Access, Principal};
use crate::shared::Shared;
use crate::ticket::Record;

/// Answers that are kept.
const KEPT: NonZeroUsize = match NonZeroUsize::new(16_384) {
    Some(count) => count,
    None => NonZeroUsize::MIN,
};
/// Most bytes of what the probe answers.
const MOST: usize = 64 << 10;

/// How the service account may do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permitted {
    /// By itself.
    Itself,
    /// With Gitea running the call as the person.
    AsUser,
}

/// What one credential was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Yes,
    No,
    /// It cannot tell, so the next one is asked.
    Nothing,
}

/// The credential that Gitea was asked with. Another one is another answer: a token may be narrower than the one
/// before it, and a grant newer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum By {
    /// The person's grant to this application, in this state of it.
    Grant(Application, u64),
    /// A token that the person presented, by its digest.
    Presented([u8; 32]),
    /// The service account's, for this login.
    Sudo(String),
    /// The service account's, about this login.
    Probe(String),
}

impl By {
    /// Of somebody's own authority. None of no person's.
    fn own(principal: &Principal, authority: &Authority) -> Option<Self> {
        match (&principal.access, authority.whose) {
            (Access::User { application, .. }, Whose::Grant(revision)) => {
                Some(Self::Grant(*application, revision))
            }
            (Access::Presented(token), Whose::Presented) => {
                Some(Self::Presented(Sha256::digest(token.expose()).into()))
            }
            _ => None,
        }
    }
}

/// What an answer is an answer to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    subject: String,
    /// In lower case, as Gitea takes names.
    repository: String,
    question: Question,
    by: By,
}

/// Answers of a short time ago.
pub(super) struct Answers {
    life: Duration,
    entries: Mutex<LruCache<Key, (Instant, Told)>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Answers {
    pub(super) fn new(life: Duration) -> Self {
        let entries = Mutex::new(LruCache::new(KEPT));
        Self { life, entries, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// For `/metrics`.
    pub(super) fn cached(&self) -> Cached {
        let now = self.entries.lock().unwrap_or_else(PoisonError::into_inner).len();
        Cached {
            name: "permission",
            entries: Used { now, limit: KEPT.get() },
            bytes: None,
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
        }
    }

    fn find(&self, key: &Key) -> Option<Told> {
        let found = self.fresh(key);
        let count = if found.is_some() { &self.hits } else { &self.misses };
        count.fetch_add(1, Ordering::Relaxed);
        found
    }

    fn fresh(&self, key: &Key) -> Option<Told> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, told) = *entries.get(key)?;
        (Instant::now().saturating_duration_since(at) < self.life).then_some(told)
    }

    /// Keep an answer to something that was asked at a time: it is no younger than that.
    fn keep(&self, key: Key, told: Told, asked: Instant) {
        if !self.life.is_zero() {
            self.entries.lock().unwrap_or_else(PoisonError::into_inner).put(key, (asked, told));
        }
    }
}

/// One question about one person and one repository.
#[derive(Clone, Copy)]
struct Case<'a> {
    record: &'a Record,
    principal: &'a Principal,
    repository: &'a (String, String),
    question: &'a Question,
}

impl Case<'_> {
    fn name(&self) -> String {
        format!("{}/{}", self.repository.0, self.repository.1)
    }

    fn key(&self, question: &Question, by: By) -> Key {
        Key {
            subject: self.principal.kept_under(),
            repository: self.name().to_ascii_lowercase(),
            question: question.clone(),
            by,
        }
    }

    /// The denial, on record.
    fn denied(&self, why: Failure) -> Failure {
        let (cause, why) = match why {
            Failure::SignedOut => ("signed_out_in_gitea", Failure::SignedOut),
            Failure::NotPermitted(why) | Failure::Refused(why) => ("no_right", Failure::NotPermitted(why)),
            Failure::TicketClosed
            | Failure::Unreachable(_)
            | Failure::TimedOut
            | Failure::TooLarge
            | Failure::Broken(_) => {
                ("not_made_sure", Failure::NotPermitted("it could not be made sure".to_owned()))
            }
        };
        let name = self.name();
        let detail = [("repository", name.as_str()), ("asked", self.question.word()), ("cause", cause)];
        self.record.deny("repository_permission_denied", &detail);
        why
    }
}

impl Gitea {
    /// Whether the service account may act for this person: whether each of these questions is answered yes.
    ///
    /// # Errors
    /// It may not, or that cannot be made sure; the denial is on record.
    pub(super) async fn permitted(
        &self,
        shared: &Shared,
        record: &Record,
        principal: &Principal,
        repository: &(String, String),
        questions: &[Question],
    ) -> Result<Permitted, Failure> {
        let mut how = Permitted::Itself;
        for question in questions {
            let case = Case { record, principal, repository, question };
            match self.find_out(shared, case).await.map_err(|why| case.denied(why))? {
                Some(Permitted::Itself) => {}
                // Gitea then decides the whole call by itself, so this is the stricter of the two.
                Some(Permitted::AsUser) => how = Permitted::AsUser,
                None => {
                    let why = "Gitea does not give you this right there".to_owned();
                    return Err(case.denied(Failure::NotPermitted(why)));
                }
            }
        }
        Ok(how)
    }

    /// One after the other: whoever is asked later is not asked at all where an earlier one knows.
    async fn find_out(&self, shared: &Shared, case: Case<'_>) -> Result<Option<Permitted>, Failure> {
        match self.as_the_person(shared, case).await? {
            Told::Yes => return Ok(Some(Permitted::Itself)),
            Told::No => return Ok(None),
            Told::Nothing => {}
        }
        match self.by_sudo(case).await? {
            Told::Yes => return Ok(Some(Permitted::AsUser)),
            Told::No => return Ok(None),
            Told::Nothing => {}
        }
        match self.by_probe(case).await? {
            Told::Yes => Ok(Some(Permitted::Itself)),
            Told::No | Told::Nothing => Ok(None),
        }
    }

    async fn as_the_person(&self, shared: &Shared, case: Case<'_>) -> Result<Told, Failure> {
        let principal = case.principal;
        let mut own = self.own(shared, principal, None).await?;
        let key = |own: &Authority| By::own(principal, own).map(|by| case.key(case.question, by));
        if let Some(told) = key(&own).and_then(|key| self.answers.find(&key)) {
            return Ok(told);
        }
        let mut asked = Instant::now();
        let mut answer = self.about(case, own.header.clone(), None).await?;
        if let (StatusCode::UNAUTHORIZED, Whose::Grant(refused)) = (answer.0, own.whose) {
            own = self.own(shared, principal, Some(refused)).await?;
            asked = Instant::now();
            answer = self.about(case, own.header.clone(), None).await?;
        }
        if answer.0 == StatusCode::UNAUTHORIZED || kept_out::says(answer.0, &answer.1) {
            shared.sign_out(principal, own.whose.revision()).await;
            return Err(Failure::SignedOut);
        }
        let told = match answer {
            (StatusCode::OK, body) if case.question.is_yes(&body) => Told::Yes,
            (StatusCode::OK | StatusCode::NOT_FOUND, _) => Told::No,
            // The token does not reach so far; that says nothing of the person.
            (StatusCode::FORBIDDEN, body) if lacks_scope(&body) => Told::Nothing,
            (StatusCode::FORBIDDEN, _) => Told::No,
            (status, _) => return Err(unclear(status)),
        };
        if let Some(key) = key(&own) {
            self.answers.keep(key, told, asked);
        }
        Ok(told)
    }

    async fn by_sudo(&self, case: Case<'_>) -> Result<Told, Failure> {
        let Some(service) = self.service().filter(|_| self.sudo) else { return Ok(Told::Nothing) };
        let login = sudo(case.principal)?;
        let key = case.key(case.question, By::Sudo(login.to_str().unwrap_or_default().to_owned()));
        if let Some(told) = self.answers.find(&key) {
            return Ok(told);
        }
        let asked = Instant::now();
        let told = match self.about(case, service, Some(login)).await? {
            (StatusCode::OK, body) if case.question.is_yes(&body) => Told::Yes,
            (StatusCode::OK | StatusCode::NOT_FOUND, _) => Told::No,
            // Not an administrator's token: the operator sees it, and the probe is asked.
            (StatusCode::FORBIDDEN, _) => {
                tracing::warn!(event = "sudo_refused", setting = "GITEA_TOKEN_SUDO");
                Told::Nothing
            }
            (status, _) => return Err(unclear(status)),
        };
        self.answers.keep(key, told, asked);
        Ok(told)
    }

    /// The probe knows the mode of the repository as a whole and nothing of units. Its yes is good for each unit all
    /// the same: the mode that it tells comes from owning the repository, from being an administrator, from being a
    /// collaborator, or from the repository's being public, and teams that divide units count for nothing in it
    /// (`GetUserRepoPermission` in Gitea's `models/perm/access`, where the mode of a collaborator is put on every
    /// unit). So "read" of a private repository is every unit, and what a team adds can only make it more. Of a public
    /// repository it is what every account may see; a team may show one of its own members less than that, who then
    /// reads here what everybody else reads in Gitea. The other way round, a right that comes from a team is a no.
    async fn by_probe(&self, case: Case<'_>) -> Result<Told, Failure> {
        let Some(service) = self.service() else { return Ok(Told::No) };
        let login = sudo(case.principal)?;
        let login = login.to_str().unwrap_or_default();
        let (question, enough): (_, &[&str]) = match case.question {
            Question::Write => (Question::Write, &["write", "admin", "owner"]),
            Question::Read
            | Question::Issues
            | Question::Pulls
            | Question::Issue(_)
            | Question::Comment(_)
            | Question::Releases => (Question::Read, &["read", "write", "admin", "owner"]),
        };
        let key = case.key(&question, By::Probe(login.to_owned()));
        if let Some(told) = self.answers.find(&key) {
            return Ok(told);
        }
        let (owner, repo) = case.repository;
        let wire = Wire::ours(PROBE, probe(owner, repo, login))?;
        let asked = Instant::now();
        let (status, body) = self.ask(case.record, &wire, service, None, MOST).await?;
        let permission = body.get("permission").and_then(Value::as_str).unwrap_or("none");
        let may = status == StatusCode::OK && enough.contains(&permission);
        let told = if may { Told::Yes } else { Told::No };
        self.answers.keep(key, told, asked);
        Ok(told)
    }

    async fn about(
        &self,
        case: Case<'_>,
        authorization: HeaderValue,
        sudo: Option<HeaderValue>,
    ) -> Result<(StatusCode, Value), Failure> {
        let (owner, repo) = case.repository;
        let wire = Wire::ours(case.question.template(), case.question.target(owner, repo))?;
        self.ask(case.record, &wire, authorization, sudo, case.question.most()).await
    }
}

fn unclear(status: StatusCode) -> Failure {
    Failure::Broken(format!("Gitea answered {status} when asked for the permission"))
}

fn lacks_scope(body: &Value) -> bool {
    body.get("message").and_then(Value::as_str).is_some_and(|said| said.contains("required scope"))
}
