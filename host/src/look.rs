//! Looking at Gitea: once before anybody is served, and again until it is good. A Gitea that cannot be asked never ends
//! the server, which would only be started again to find the same; one that answers and cannot be used does, while an
//! operator is likely to watch.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::shared::{Shared, SystemRandom};
use crate::standing::{Known, Standing};
use crate::upstream::{Because, Finding, Upstream, Verdict};

/// The longest that the start waits for Gitea.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first pause before it is asked again; each is twice the one before.
const FIRST: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);

/// Who looks, and what is known.
pub(crate) struct Look {
    pub(crate) standing: Arc<Standing>,
    /// Where keys are used: the one to ask. Where people sign in it is theirs that is asked.
    pub(crate) keys: Option<Upstream>,
}

impl Look {
    /// Nobody ever looks.
    pub(crate) fn never() -> Self {
        Self { standing: Arc::new(Standing::new(false, false)), keys: None }
    }
}

impl Shared {
    /// Look before anybody is served.
    ///
    /// # Errors
    /// Nobody could sign in: what is wrong, one line each.
    pub(crate) async fn look_at_the_start(&self) -> Result<(), Vec<String>> {
        if self.look.standing.known() == Known::Unasked {
            return Ok(());
        }
        let Ok(findings) = tokio::time::timeout(PATIENCE, self.findings()).await else {
            tell_away("Gitea did not answer in time");
            return Ok(());
        };
        let known = self.conclude(&findings);
        tell(&findings, known);
        match known {
            Known::TooOld | Known::Unfit => Err(failed(&findings).map(line).collect()),
            Known::Unasked | Known::Away | Known::Old | Known::Good => Ok(()),
        }
    }

    async fn findings(&self) -> Vec<Finding> {
        match (&self.sign_in, &self.look.keys) {
            (Some(sign_in), _) => sign_in.look_at_gitea().await,
            (None, Some(upstream)) => upstream.probe_version().await,
            (None, None) => Vec::new(),
        }
    }

    /// What the findings come to; known from now on.
    fn conclude(&self, findings: &[Finding]) -> Known {
        let is = |because| findings.iter().any(|finding| finding.because == Some(because));
        let known = if failed(findings).any(|finding| finding.because == Some(Because::TooOld)) {
            Known::TooOld
        } else if is(Because::Away) {
            Known::Away
        } else if self.sign_in.is_some() && failed(findings).next().is_some() {
            Known::Unfit
        } else if is(Because::TooOld) {
            Known::Old
        } else {
            Known::Good
        };
        self.look.standing.is(known);
        known
    }
}

/// Look again and again until Gitea is good, for as long as the server lives.
pub(crate) fn look_until_it_is_good(shared: &Arc<Shared>) {
    if is_over(shared.look.standing.known()) {
        return;
    }
    let weak = Arc::downgrade(shared);
    tokio::spawn(again_and_again(weak));
}

async fn again_and_again(weak: Weak<Shared>) {
    let mut pause = FIRST;
    loop {
        tokio::time::sleep(crate::way::drawn(pause, &SystemRandom)).await;
        pause = pause.saturating_mul(2).min(LONGEST);
        let Some(shared) = weak.upgrade() else { break };
        let before = shared.look.standing.known();
        let findings = shared.findings().await;
        let known = shared.conclude(&findings);
        // The same again every half a minute would bury everything else in the log.
        if known != before {
            tell(&findings, known);
            // Somebody is at work there.
            pause = FIRST;
        }
        if is_over(known) {
            break;
        }
    }
}

fn is_over(known: Known) -> bool {
    matches!(known, Known::Unasked | Known::Old | Known::Good)
}

fn failed(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(|finding| finding.verdict == Verdict::Fail)
}

fn line(finding: &Finding) -> String {
    format!("{}: {}", finding.check, finding.says)
}

fn tell(findings: &[Finding], known: Known) {
    if known == Known::Away {
        let away = findings.iter().find(|finding| finding.because == Some(Because::Away));
        tell_away(away.map_or("", |finding| &finding.says));
        return;
    }
    for Finding { check, says, verdict, .. } in findings {
        match verdict {
            Verdict::Pass => tracing::info!(event = "gitea_checked", check, says),
            Verdict::Warn => tracing::warn!(event = "gitea_checked", check, says),
            Verdict::Fail => tracing::error!(event = "gitea_checked", check, says),
        }
    }
}

fn tell_away(says: &str) {
    tracing::warn!(
        event = "gitea_unreachable",
        says,
        text = "not ready until Gitea answers; it is asked again with growing pauses of at most 30 s"
    );
}

#[cfg(test)]
mod tests {
    use aegis_custody::Random;

    use super::*;

    struct Always(u8);

    impl Random for Always {
        fn fill(&self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }

    #[test]
    fn pauses_lie_between_a_half_and_the_whole() {
        assert_eq!(crate::way::drawn(LONGEST, &Always(0)), LONGEST / 2);
        assert_eq!(crate::way::drawn(LONGEST, &Always(255)), LONGEST);
    }
}
