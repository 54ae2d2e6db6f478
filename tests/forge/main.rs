//! The sample Gitea as a program, for a demonstration or a look around: prints its world and serves it until SIGINT.

use std::path::PathBuf;
use std::process::ExitCode;

use aegis_tests::forge::{Forge, Options, Version};
use serde_json::Value;

const USAGE: &str =
    "usage: forge [--port N] [--version 1.27|1.26] [--audit FILE] [--canary] [--empty-milestone] [--json]";

#[tokio::main]
async fn main() -> ExitCode {
    let (options, as_json) = match parse(std::env::args().skip(1)) {
        Ok(parsed) => parsed,
        Err(problem) => {
            eprintln!("forge: {problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let forge = Forge::start(options).await;
    let tour = forge.tour();
    if as_json {
        println!("{tour:#}");
    } else {
        print!("{}", describe(&tour));
    }
    let stopped = tokio::signal::ctrl_c().await;
    for violation in forge.violations() {
        eprintln!("forge: {violation}");
    }
    if stopped.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<(Options, bool), String> {
    let (mut options, mut as_json) = (Options { port: Some(3000), ..Options::default() }, false);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--port" => {
                let port = value()?;
                options.port = Some(port.parse().map_err(|_| format!("{port} is not a port"))?);
            }
            "--version" => {
                options.version = match value()?.as_str() {
                    "1.27" => Version::V1_27,
                    "1.26" => Version::V1_26,
                    other => return Err(format!("no Gitea {other} is played here, only 1.27 and 1.26")),
                };
            }
            "--audit" => options.audit = Some(PathBuf::from(value()?)),
            "--canary" => options.canary = true,
            "--empty-milestone" => options.empty_milestone = true,
            "--json" => as_json = true,
            other => return Err(format!("unknown option {other}")),
        }
    }
    Ok((options, as_json))
}

fn describe(tour: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = |name: &str| tour[name].as_array().cloned().unwrap_or_default();
    let mut out = format!("Sample Gitea {} at {}\n\nTokens\n", word(&tour["version"]), word(&tour["url"]));
    for token in rows("tokens") {
        let scopes: Vec<String> = token["scopes"].as_array().into_iter().flatten().map(word).collect();
        out.push_str(&format!(
            "  {:<8} {}  {}\n",
            word(&token["user"]),
            word(&token["token"]),
            scopes.join(" ")
        ));
    }
    out.push_str("\nRepositories\n");
    for repo in rows("repositories") {
        let mark = |name: &str| if repo[name] == true { format!(" {name}") } else { String::new() };
        out.push_str(&format!("  {}{}{}\n", word(&repo["full_name"]), mark("private"), mark("archived")));
    }
    out
}
