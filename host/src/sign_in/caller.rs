//! Who is calling: somebody with an access token of ours or, where the operator wants it, with one of Gitea's.

use aegis_custody::Timestamp;
use aegis_custody::oauth::access_token;
use aegis_custody::oauth::registry::UserId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::tokens::NotHeld;
use super::{READ, SignIn, WRITE, words};
use crate::component::bindings::aegis::gateway::identity::Refusal;
use crate::ports::identity::{Access, Found};
use crate::settings::Secret;
use crate::upstream::{Remedy, TokenRefused};

/// What `oauth_auth_summary` tells of one authenticated request.
struct Summary<'a> {
    token_type: &'static str,
    observed: &'a str,
    effective: &'a str,
    /// How the scopes are known: the grant was looked at when it was made, so nothing is sent for a call.
    api_probe: &'static str,
    login: &'a str,
}

impl SignIn {
    /// Whoever presented this token.
    ///
    /// # Errors
    /// The token proves nobody now.
    pub(crate) async fn somebody(&self, token: &Secret, request_id: &str) -> Result<Found, Refusal> {
        if access_token::looks_like(token.expose()) {
            self.by_own_token(token, request_id)
        } else if self.accept_gitea_tokens {
            self.by_token_of_gitea(token, request_id).await
        } else {
            Err(Refusal::Unknown)
        }
    }

    fn by_own_token(&self, token: &Secret, request_id: &str) -> Result<Found, Refusal> {
        let holder = self.holder(token.expose()).map_err(|not| match not {
            NotHeld::Unknown => Refusal::Unknown,
            NotHeld::Expired => Refusal::Expired,
        })?;
        // Write mode may have been turned off since the token was made.
        let mut scopes = holder.scopes;
        scopes.write &= self.writes;
        let (family, words) = (holder.family, words(scopes));
        let granted = self.records.read(|registry, _| {
            registry
                .grant(family.user, family.application)
                .map(|grant| grant.scopes.clone())
                .unwrap_or_default()
        });
        tell(
            &Summary {
                token_type: "opaque",
                observed: &granted,
                effective: &words.join(" "),
                api_probe: "skip:cached",
                login: &family.login,
            },
            request_id,
        );
        Ok(Found {
            subject: format!("gitea-{}", family.user),
            login: Some(family.login),
            client: Some(family.client),
            scopes: words,
            access: Access::User { user: family.user, application: family.application },
        })
    }

    async fn by_token_of_gitea(&self, token: &Secret, request_id: &str) -> Result<Found, Refusal> {
        let applications: Vec<_> = std::iter::once(&self.read).chain(&self.write).collect();
        let checked = self.upstream.check_access_token(&applications, &self.expected_audience, token).await;
        let found = checked.map_err(|refused| {
            tracing::info!(event = "gitea_token_refused", reason = refused.name(), request_id);
            let unasked =
                matches!(&refused, TokenRefused::Unchecked(error) if error.remedy() != Remedy::SignIn);
            if unasked { Refusal::Unavailable } else { Refusal::Unknown }
        })?;
        if !self.admits_token(token, &found.login).await? {
            tracing::warn!(event = "gitea_token_refused", reason = "not_allowed", login = %found.login, request_id);
            return Err(Refusal::Unknown);
        }
        self.note_presenter(&found.subject, &found.login, token, request_id)?;
        let observed = found.words.join(" ");
        let effective = effective(&found.words, self.writes);
        let token_type = if token.expose().split('.').count() == 3 { "jwt" } else { "opaque" };
        // The service account reaches what the token may not, so there the token must carry what a sign-in would.
        let whole = !self.service
            || matches!(
                crate::upstream::judge(found.words.iter().map(String::as_str)),
                crate::upstream::Judgement::Read | crate::upstream::Judgement::ReadWrite
            );
        if effective.is_empty() || !whole {
            tracing::warn!(event = "oauth_token_lacks_api_scope", status = 403, login = %found.login, request_id);
            let told = Summary {
                token_type,
                observed: &observed,
                effective: "",
                api_probe: "fail:403",
                login: &found.login,
            };
            tell(&told, request_id);
            return Err(Refusal::LacksScope);
        }
        tell(
            &Summary {
                token_type,
                observed: &observed,
                effective: &effective.join(" "),
                api_probe: "pass",
                login: &found.login,
            },
            request_id,
        );
        Ok(Found {
            subject: format!("gitea-{}", found.subject),
            login: Some(found.login),
            client: Some(found.client_id),
            scopes: effective,
            access: Access::Presented(Secret::new(token.expose().to_owned())),
        })
    }
}

impl SignIn {
    /// Refuse a token of somebody who was revoked after it was issued, whatever Gitea says or said of it; otherwise note
    /// who presents it, so that an operator finds them by name.
    fn note_presenter(
        &self,
        subject: &str,
        login: &str,
        token: &Secret,
        request_id: &str,
    ) -> Result<(), Refusal> {
        // Introspection gives a number; a user without one could not be revoked.
        let user: UserId = subject.parse().map_err(|_| Refusal::Unknown)?;
        let revoked_at = self.records.read(|registry, _| registry.user_revoked_at(user));
        if !revoked_at.is_none_or(|revoked_at| is_issued_after(token.expose(), revoked_at)) {
            tracing::warn!(event = "gitea_token_refused", reason = "user_revoked", login, request_id);
            return Err(Refusal::Unknown);
        }
        self.records.change(|registry, now| ((), registry.saw_user(user, login, now).unwrap_or_default()));
        Ok(())
    }

    /// `SIGNIN_ALLOW` for a token of Gitea: its groups are asked for where they can decide.
    pub(super) async fn admits_token(&self, token: &Secret, login: &str) -> Result<bool, Refusal> {
        if self.allowed.admits(login, &[]) || !self.allowed.names_groups() {
            return Ok(self.allowed.admits(login, &[]));
        }
        let person = self.upstream.userinfo(token).await.map_err(|_| Refusal::Unavailable)?;
        Ok(self.allowed.admits(&person.login, &person.groups))
    }
}

/// Our scopes out of Gitea's words. A list without one API scope, or with a word that Gitea does not know, means full
/// access there: it was not asked for by us, but it does reach.
pub(super) fn effective(words: &[String], writes: bool) -> Vec<String> {
    let has = |wanted: &str| words.iter().any(|word| word == wanted);
    let write = has("write:repository");
    let mut scopes = Vec::new();
    if write || has("read:repository") {
        scopes.push(READ.to_owned());
    }
    if write && writes {
        scopes.push(WRITE.to_owned());
    }
    scopes
}

/// Whether a token of Gitea whose signature was checked says that it was issued after a point in time. One that does
/// not say when does not. Gitea writes whole seconds by its own clock.
pub(super) fn is_issued_after(token: &str, then: Timestamp) -> bool {
    let issued = || {
        let [_, claims, _]: [&str; 3] = token.split('.').collect::<Vec<_>>().try_into().ok()?;
        let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
        let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
        claims.get("iat")?.as_i64()?.checked_mul(1_000)
    };
    issued().is_some_and(|issued| issued > then.unix_millis())
}

fn tell(summary: &Summary<'_>, request_id: &str) {
    let Summary { token_type, observed, effective, api_probe, login } = summary;
    tracing::info!(
        event = "oauth_auth_summary",
        token_type,
        scopes_observed = observed,
        scopes_effective = effective,
        api_probe,
        login,
        request_id,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(text: &str, writes: bool) -> Vec<String> {
        effective(&text.split(' ').map(str::to_owned).collect::<Vec<_>>(), writes)
    }

    #[test]
    fn only_a_token_that_says_so_was_issued_after_a_point_in_time() {
        let then = Timestamp::from_unix_millis(1_780_000_000_500);
        let after = |claims: &str| {
            let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
            is_issued_after(&token, then)
        };
        assert!(after("{\"iat\":1780000001}"));
        for claims in [
            "{\"iat\":1780000000}",
            "{\"iat\":1780000001.5}",
            "{\"iat\":\"1780000001\"}",
            "{\"iat\":9223372036854775807}",
            "{}",
            "[]",
            "",
        ] {
            assert!(!after(claims), "{claims}");
        }
        for token in ["", "gto_opaque", "a.b", "e30.eyJpYXQiOjE3OTAwMDAwMDB9", "a.b.c.d"] {
            assert!(!is_issued_after(token, then), "{token}");
        }
    }

    #[test]
    fn a_token_of_gitea_carries_what_its_words_say_and_nothing_for_words_that_say_nothing() {
        assert_eq!(scopes("openid read:repository", true), [READ]);
        assert_eq!(scopes("write:repository write:issue", true), [READ, WRITE]);
        assert_eq!(scopes("write:repository", false), [READ]);
        for nothing in ["openid profile email", "", "read:user", "all", "repo"] {
            assert!(scopes(nothing, true).is_empty(), "{nothing}");
        }
    }
}
