//! `aegis-mcp settings`: what is in force and where it came from. Secrets show as `***`.

use crate::settings::Settings;
use serde_json::json;
use std::io::{self, Write};

/// Writes every setting with its value and source, for people or, with `json`, for programs.
///
/// # Errors
/// The writer fails.
pub(crate) fn print(settings: &Settings, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        return print_json(settings, out);
    }
    let width = settings.rows().iter().map(|row| row.setting.name.len()).max().unwrap_or_default();
    let mut section = "";
    for row in settings.rows() {
        if row.setting.section != section {
            let gap = if section.is_empty() { "" } else { "\n" };
            section = row.setting.section;
            writeln!(out, "{gap}{section}")?;
        }
        let value = if row.shown.is_empty() { "(not set)" } else { row.shown.as_str() };
        writeln!(out, "  {:width$}  {value}  [{}]", row.setting.name, row.source.word())?;
    }
    Ok(())
}

fn print_json(settings: &Settings, out: &mut dyn Write) -> io::Result<()> {
    let rows = settings.rows().iter().map(|row| {
        let setting = row.setting;
        json!({
            "name": setting.name,
            "value": if row.shown.is_empty() { None } else { Some(row.shown.as_str()) },
            "source": row.source.word(),
            "secret": setting.secret,
            "section": setting.section,
            "allowed": setting.allowed,
            "default": setting.default,
            "required": setting.required,
            "reader": setting.reader,
            "description": setting.doc,
        })
    });
    serde_json::to_writer_pretty(&mut *out, &json!({ "settings": rows.collect::<Vec<_>>() }))?;
    writeln!(out)
}
