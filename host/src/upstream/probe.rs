//! What start-up validation and the doctor ask of Gitea, each answer a finding with what to do.
//!
//! Nothing here changes anything at Gitea: the codes it presents are made up, and a secret is only ever sent to the
//! token endpoint of the Gitea that issued it.

use aegis_custody::Timestamp;

use aegis_custody::provider::signature::Algorithm;

use super::error::UpstreamError;
use super::tokens::Asked;
use super::version::{Number, WANTED};
use super::wire::As;
use super::{Application, Upstream, jwt, strict};
use crate::settings::Secret;

/// What errors call the version endpoint.
const VERSION: &str = "/api/v1/version";
/// How far the clocks may differ before a warning, in milliseconds: half of what ID tokens are allowed.
const DRIFT: i64 = jwt::LEEWAY * 1_000 / 2;
/// A code that Gitea never issued; its codes begin with `gta_`.
const MADE_UP: &str = "aegis-mcp-doctor";

/// Gitea's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// As Gitea writes it, such as `1.27.0+dev-12-gabc`; at most 64 visible characters of it.
    pub(crate) text: String,
    /// Its number; none where the text has none.
    pub(crate) number: Option<Number>,
    /// Gitea's clock minus ours, in milliseconds, give or take a second; unknown without a header `Date`.
    pub(crate) clock_ahead: Option<i64>,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As it should be.
    Pass,
    /// It works, with a drawback that the operator should know.
    Warn,
    /// Logins fail until it is mended.
    Fail,
}

/// One line of the doctor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Stable name of the check, such as `gitea_version`.
    pub(crate) check: &'static str,
    /// How it came out.
    pub(crate) verdict: Verdict,
    /// What was found and, unless it passed, what to do.
    pub(crate) says: String,
    /// Why it did not pass, where more than the operator's eyes depends on it.
    pub(crate) because: Option<Because>,
}

/// Reasons that decide what becomes of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Because {
    /// Gitea could not be asked; that may pass by itself.
    Away,
    /// It is older than `MIN_GITEA_VERSION`, or nobody can tell.
    TooOld,
}

impl Finding {
    /// One line.
    pub(crate) fn new(check: &'static str, verdict: Verdict, says: impl Into<String>) -> Self {
        Self { check, verdict, says: says.into(), because: None }
    }

    fn failed(check: &'static str, error: &UpstreamError) -> Self {
        let because = error.may_pass().then_some(Because::Away);
        Self { because, ..Self::new(check, Verdict::Fail, error.to_string()) }
    }
}

impl Upstream {
    /// Gitea's version and clock.
    ///
    /// # Errors
    /// It cannot be had; `REQUIRE_SIGNIN_VIEW=true` makes it a [`UpstreamError::Failed`] of 401 or 403.
    pub(crate) async fn version(&self) -> Result<Version, UpstreamError> {
        let answer = self.wire.get(VERSION, &format!("{}{VERSION}", self.internal), As::Nobody).await?;
        if answer.status != 200 {
            return Err(UpstreamError::Failed(VERSION, answer.status));
        }
        let ahead = |date: &str| Some(http_date(date)?.unix_millis() - self.now().unix_millis());
        let clock_ahead = answer.date.as_deref().and_then(ahead);
        strict::object(&answer.body)
            .as_ref()
            .and_then(|members| strict::text(members, "version"))
            .map(|text| {
                let shown = text.chars().filter(char::is_ascii_graphic).take(64).collect();
                Version { text: shown, number: Number::of_gitea(text), clock_ahead }
            })
            .ok_or(UpstreamError::Unreadable(VERSION, "is no version of Gitea"))
    }

    /// Everything about Gitea that a login needs, in the order of a login.
    pub(crate) async fn probe(&self, apps: &[&Application]) -> Vec<Finding> {
        let mut findings = self.probe_version().await;
        let discovery = self.discovery().await;
        findings.push(match &discovery {
            Ok(found) => Finding::new("gitea_discovery", Verdict::Pass, format!("issuer {}", found.issuer)),
            Err(error) => Finding::failed("gitea_discovery", error),
        });
        if discovery.is_err() {
            return findings;
        }
        findings.push(self.probe_keys().await);
        for app in apps {
            findings.extend(self.probe_application(app).await);
        }
        findings
    }

    /// Gitea's version and clock as findings.
    pub(crate) async fn probe_version(&self) -> Vec<Finding> {
        let version = match self.version().await {
            Ok(version) => version,
            Err(UpstreamError::Failed(_, 401 | 403)) => {
                let says = format!(
                    "Gitea shows its version to signed-in people alone; make sure that it is {} or newer",
                    self.oldest.number
                );
                return vec![Finding::new("gitea_version", Verdict::Warn, says)];
            }
            Err(error) => return vec![Finding::failed("gitea_version", &error)],
        };
        let clock = match version.clock_ahead {
            None => {
                Finding::new("gitea_clock", Verdict::Warn, "Gitea sends no header Date; check both clocks")
            }
            Some(ahead) if ahead.abs() > DRIFT => {
                let says = format!(
                    "Gitea's clock is {} s off ours; set both by NTP (timedatectl set-ntp true)",
                    ahead / 1_000
                );
                Finding::new("gitea_clock", Verdict::Fail, says)
            }
            Some(_) => Finding::new("gitea_clock", Verdict::Pass, "Gitea's clock agrees with ours"),
        };
        vec![self.judge_version(&version), clock]
    }

    /// Whether it is new enough. One that cannot be read may be any, so it counts as older than all.
    fn judge_version(&self, version: &Version) -> Finding {
        const CHECK: &str = "gitea_version";
        let (text, least) = (&version.text, self.oldest.number);
        let number = version.number.unwrap_or(Number::NONE);
        if number < least {
            let why = match version.number {
                Some(_) => format!("Gitea {text} is older than {least} (MIN_GITEA_VERSION)"),
                None => format!("Gitea's version `{text}` cannot be read, so it counts as too old"),
            };
            let says = format!(
                "{why}; versions before 1.26.2 have known scope bypasses: update to 1.27.0 or newer, or set \
                 MIN_GITEA_VERSION to what you take instead (0.0.0 takes any)"
            );
            let verdict = if self.oldest.refuse { Verdict::Fail } else { Verdict::Warn };
            return Finding { because: Some(Because::TooOld), ..Finding::new(CHECK, verdict, says) };
        }
        if number < WANTED {
            let says = format!("Gitea {text} shows tokens to every application; update to 1.27.0 or newer");
            return Finding::new(CHECK, Verdict::Warn, says);
        }
        Finding::new(CHECK, Verdict::Pass, format!("Gitea {text}"))
    }

    async fn probe_keys(&self) -> Finding {
        const CHECK: &str = "gitea_keys";
        let (discovery, keys) = match (self.discovery().await, self.keys(None).await) {
            (Ok(discovery), Ok(keys)) => (discovery, keys),
            (Err(error), _) | (_, Err(error)) => return Finding::failed(CHECK, &error),
        };
        let names = discovery.signing.join(", ");
        let shared = |name: &String| jwt::algorithm(name).is_some_and(Algorithm::is_symmetric);
        if discovery.signing.iter().all(shared) {
            let says = format!(
                "Gitea signs with {names}, a shared secret: logins work, ACCEPT_GITEA_TOKENS cannot; set \
                 JWT_SIGNING_ALGORITHM=RS256 in Gitea's app.ini to change that"
            );
            return Finding::new(CHECK, Verdict::Warn, says);
        }
        if keys.algorithms().any(|algorithm| discovery.signs_with(algorithm)) {
            return Finding::new(CHECK, Verdict::Pass, format!("Gitea signs with {names}"));
        }
        let says = format!(
            "Gitea signs with {names} and publishes no key for it that can be used ({} left out); set \
             JWT_SIGNING_ALGORITHM=RS256 in Gitea's app.ini",
            keys.left_out
        );
        Finding::new(CHECK, Verdict::Fail, says)
    }

    /// Whether Gitea knows the application, its secret and the redirect URI, and insists on the secret: a made-up
    /// code must be refused for being made up, and with a wrong secret for that.
    async fn probe_application(&self, app: &Application) -> Vec<Finding> {
        const CHECK: &str = "gitea_application";
        let made_up = Secret::new(MADE_UP.to_owned());
        let registered = match self.present(app, &made_up, &made_up).await {
            Err(UpstreamError::CodeRefused) => {
                let says =
                    format!("Gitea knows the {} application, its secret and its redirect URI", app.name);
                Finding::new(CHECK, Verdict::Pass, says)
            }
            Err(error) => return vec![Finding::failed(CHECK, &error)],
            Ok(_) => {
                let error = UpstreamError::Unreadable(super::tokens::WHAT, "takes a code that nobody issued");
                return vec![Finding::failed(CHECK, &error)];
            }
        };
        let wrong = Application { name: app.name, client_id: app.client_id.clone(), client_secret: made_up };
        let form =
            [("grant_type", "authorization_code"), ("code", MADE_UP), ("redirect_uri", &self.redirect_uri)];
        let confidential = match self.tokens(&wrong, &form, Asked::Code).await {
            Err(UpstreamError::ClientRejected(_)) => return vec![registered],
            Err(UpstreamError::CodeRefused) | Ok(_) => format!(
                "Gitea does not ask for the secret of the {} application; mark it as a confidential client there",
                app.name
            ),
            Err(error) => return vec![registered, Finding::failed("gitea_application_secret", &error)],
        };
        vec![registered, Finding::new("gitea_application_secret", Verdict::Fail, confidential)]
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7), the only form that servers still write.
fn http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_once(", ")?.1.split(' ');
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    (words.next() == Some("GMT")).then_some(())?;
    format!("{year}-{month:02}-{day}T{time}.000Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::http_date;

    #[test]
    fn dates_are_read_in_the_one_form() {
        let read = |text| http_date(text).map(|time| time.to_string());
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT").as_deref(), Some("1994-11-06T08:49:37.000Z"));
        for text in [
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
