//! Before anything is served: is the policy a policy, are the settings settings? No port is touched.

use aegis_policy::Document;

use crate::selection;
use crate::settings::{Config, Tools};
use crate::tools::Catalogue;
use crate::tools::jobs::IN_POLICIES;
use crate::tools::kit::Entry;

/// One mistake, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting's name, or `policy`.
    pub source: String,
    /// 1-based line in the policy; 0 where there is none.
    pub line: u32,
    /// 1-based column in the policy; 0 where there is none.
    pub column: u32,
    /// What is wrong and what is allowed.
    pub message: String,
}

/// Check the policy document and the settings. The answer is the policy in prepared form, by key.
///
/// # Errors
/// Every problem found; nothing may be served then.
pub fn preflight(
    policy: &[u8],
    settings: &[(String, String)],
    catalogue: &Catalogue,
) -> Result<Vec<(String, Vec<u8>)>, Vec<Problem>> {
    let mut problems: Vec<Problem> = Config::check(settings)
        .into_iter()
        .map(|(source, message)| Problem { source, line: 0, column: 0, message })
        .collect();
    let unknown = selection::unknown_names(&Tools::of(settings), catalogue);
    problems.extend(unknown.into_iter().map(|invalid| Problem {
        source: invalid.name.to_owned(),
        line: 0,
        column: 0,
        message: invalid.message,
    }));
    let job = crate::automation::unknown_jobs(&crate::settings::Automation::of(settings));
    problems.extend(job.map(|invalid| Problem {
        source: invalid.name.to_owned(),
        line: 0,
        column: 0,
        message: invalid.message,
    }));
    let document = match Document::parse(policy) {
        Ok(document) => Some(document),
        Err(found) => {
            problems.extend(found.into_iter().map(|p| in_policy(p.line, p.column, p.message)));
            None
        }
    };
    problems.extend(document.iter().flat_map(|document| unknown_tools(document, catalogue)));
    match document {
        Some(document) if problems.is_empty() => Ok(document.prepare()),
        _ => Err(problems),
    }
}

fn in_policy(line: u32, column: u32, message: String) -> Problem {
    Problem { source: "policy".to_owned(), line, column, message }
}

/// A rule about a tool that does not exist protects nothing, and whoever wrote it believes that it does.
pub(crate) fn unknown_tools(document: &Document, catalogue: &Catalogue) -> Vec<Problem> {
    let unknown = |name: &str| !IN_POLICIES.contains(&name) && catalogue.find(name).is_none();
    document
        .tool_names()
        .filter(|(name, ..)| unknown(name))
        .map(|(name, line, column)| {
            in_policy(line, column, format!("there is no tool named {name:?}{}", named(name, catalogue)))
        })
        .collect()
}

/// What was probably meant by the name of a tool that does not exist, and where the names are.
pub(crate) fn named(unknown: &str, catalogue: &Catalogue) -> String {
    let names: Vec<&str> = catalogue.tools().map(Entry::name).chain(IN_POLICIES.iter().copied()).collect();
    let meant = aegis_policy::nearest(unknown, names);
    let hint = meant.map_or_else(String::new, |name| format!(" (did you mean {name:?}?)"));
    format!("{hint}; `GET /mcp/tools` lists them")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::CATALOGUE;

    fn settings() -> Vec<(String, String)> {
        vec![("GITEA_URL".to_owned(), "https://git.example.com".to_owned())]
    }

    #[test]
    fn the_built_in_policy_passes() {
        let prepared = preflight(aegis_policy::DEFAULT_DOCUMENT.as_bytes(), &settings(), &CATALOGUE).unwrap();
        assert!(prepared.iter().any(|(key, _)| key == aegis_policy::GLOBALS_KEY));
    }

    #[test]
    fn a_rule_about_a_tool_that_does_not_exist_is_a_problem_with_its_line() {
        let policy = b"defaults:\n  read: allow\ntools:\n  deny:\n    - get_isue\n    - search_code\n";
        let problems = preflight(policy, &settings(), &CATALOGUE).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!((problems[0].line, problems[0].column, problems[0].source.as_str()), (5, 7, "policy"));
        assert!(
            problems[0]
                .message
                .starts_with("there is no tool named \"get_isue\" (did you mean \"get_issue\"?)"),
            "{problems:?}"
        );
    }

    #[test]
    fn problems_of_settings_and_policy_come_together() {
        let settings = [("MAX_FILE_SIZE_BYTES".to_owned(), "many".to_owned())];
        let problems = preflight(b"nonsense: true\n", &settings, &CATALOGUE).unwrap_err();
        let sources: Vec<&str> = problems.iter().map(|p| p.source.as_str()).collect();
        assert!(sources.contains(&"policy") && sources.contains(&"MAX_FILE_SIZE_BYTES"), "{problems:?}");
    }

    #[test]
    fn sets_and_tools_that_do_not_exist_are_problems_of_their_settings() {
        let mut settings = settings();
        settings.push(("TOOLSETS".to_owned(), "files,fils".to_owned()));
        settings.push(("TOOLS_DENY".to_owned(), "create_isue".to_owned()));
        let policy = aegis_policy::DEFAULT_DOCUMENT.as_bytes();
        let problems = preflight(policy, &settings, &CATALOGUE).unwrap_err();
        let sources: Vec<&str> = problems.iter().map(|problem| problem.source.as_str()).collect();
        assert_eq!(sources, ["TOOLSETS", "TOOLS_DENY"]);
        assert!(problems[0].message.contains("milestones") && problems[1].message.contains("create_issue"));
    }
}
