//! `aegis-mcp guest`: what a component may do, told from its imports alone, and compiling it ahead of time.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use crate::component::{Guest, engine, linker};

/// Print imports, exports, digest and size; 0 if this host would run it.
pub(crate) fn inspect(file: &Path) -> ExitCode {
    let (engine, guest) = match engine(1).map_err(|e| format!("{e:#}")).and_then(|engine| {
        let guest = Guest::load(&engine, file, None).map_err(|e| e.to_string())?;
        Ok((engine, guest))
    }) {
        Ok(found) => found,
        Err(message) => {
            super::complain(&message);
            return ExitCode::from(2);
        }
    };
    let forbidden = guest.forbidden();
    let mut text = format!(
        "file    {}\ndigest  sha256:{}\nsize    {} bytes\n",
        file.display(),
        guest.digest,
        guest.size
    );
    for name in &guest.imports {
        let mark = if forbidden.contains(name) { "REFUSED " } else { "" };
        text.push_str(&format!("import  {mark}{name}\n"));
    }
    for name in &guest.exports {
        text.push_str(&format!("export  {name}\n"));
    }
    let verdict = linker(&engine)
        .map_err(|e| format!("{e:#}"))
        .and_then(|l| guest.link(file, &l).map(drop).map_err(|e| e.to_string()));
    let code = match &verdict {
        Ok(()) => {
            text.push_str("verdict this host runs it\n");
            ExitCode::SUCCESS
        }
        Err(why) => {
            text.push_str(&format!("verdict {why}\n"));
            ExitCode::FAILURE
        }
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Compile a component that this host would run, for any processor of this architecture, and keep it in a directory.
pub(crate) fn keep(file: &Path, folder: &Path) -> ExitCode {
    let kept = engine(1).map_err(|e| format!("{e:#}")).and_then(|engine| {
        let guest = Guest::load(&engine, file, None).map_err(|e| e.to_string())?;
        let linker = linker(&engine).map_err(|e| format!("{e:#}"))?;
        guest.link(file, &linker).map_err(|e| e.to_string())?;
        let bytes = std::fs::read(file).map_err(|e| format!("{} cannot be read: {e}", file.display()))?;
        crate::compiled::keep_portable(&bytes, folder)
    });
    match kept {
        Ok(path) => match writeln!(std::io::stdout(), "{}", path.display()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(message) => {
            super::complain(&message);
            ExitCode::FAILURE
        }
    }
}

/// Compile what is on standard input for the server that started this process; `apart` while that server serves.
pub(crate) fn compile(apart: bool) -> ExitCode {
    if apart {
        crate::compiled::give_way();
    }
    match engine(1).and_then(|engine| crate::compiled::compile_for_parent(&engine)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            super::complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
