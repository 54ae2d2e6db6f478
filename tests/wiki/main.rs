//! `make wiki`: writes the wiki into a folder, which is emptied before. `REPOSITORY_URL` is where links to files of the
//! tree lead.

use std::path::Path;
use std::process::ExitCode;

use aegis_tests::manual::{root, wiki};

fn main() -> ExitCode {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("usage: wiki FOLDER");
        return ExitCode::from(2);
    };
    let repository = std::env::var("REPOSITORY_URL").ok().filter(|url| !url.is_empty());
    match write(Path::new(&folder), repository.as_deref()) {
        Ok(count) => {
            println!("{count} files in {folder}.");
            if repository.is_none() {
                println!("REPOSITORY_URL is not set: links to files of the repository are plain text.");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("wiki: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path, repository: Option<&str>) -> std::io::Result<usize> {
    let files = wiki::pages(&root(), repository)?;
    std::fs::create_dir_all(folder)?;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            std::fs::remove_file(path)?;
        }
    }
    for (name, text) in &files {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(files.len())
}
