//! Compiled guests: made in a process of their own, and kept between starts in a folder that only this program writes.
//!
//! Compiling takes a hundred megabytes for a second, which the server would keep: so a child of the same program does
//! it, and hands the result over a pipe.
//!
//! A folder may also come with code that was compiled ahead of time for every processor of the architecture, as in the
//! image, whose file system is read-only. It is used where this machine's own is not there.
//!
//! A `.cwasm` holds native code, so a file is used only from a folder that is ours and closed to others, and
//! only under a name made of the component's digest and the engine's compatibility hash. Files are written
//! under another name and renamed; an existing one is never overwritten, since it may be mapped.

use std::hash::{Hash as _, Hasher as _};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::component::{hex, portable_engine};

/// The compiled form of `bytes`, from the folder if it is there and good, else compiled and kept.
/// A folder that cannot be used costs the time of a compilation and a warning, never the start.
///
/// # Errors
/// The bytes are not a component.
pub(crate) fn load(
    engine: &Engine,
    bytes: &[u8],
    digest: &str,
    folder: &Path,
) -> wasmtime::Result<Component> {
    if let Err(reason) = prepare(folder) {
        tracing::warn!(event = "guest_cache_unusable", folder = %folder.display(), %reason);
        return compile(engine, bytes).map(|(component, _)| component);
    }
    let name = file_name(engine, digest);
    if let Some(component) = kept(engine, &folder.join(&name)) {
        return Ok(component);
    }
    if let Ok(portable) = portable_engine()
        && let Some(component) = kept(engine, &folder.join(file_name(&portable, digest)))
    {
        return Ok(component);
    }
    let (component, compiled) = compile(engine, bytes)?;
    if let Err(error) = keep(folder, &name, &compiled) {
        tracing::warn!(event = "guest_cache_unwritable", folder = %folder.display(), %error);
    }
    Ok(component)
}

/// Compile for every processor of this architecture and keep it in a folder; where it is now.
///
/// # Errors
/// The bytes are not a component, or the folder is not ours alone or cannot be written.
pub(crate) fn keep_portable(bytes: &[u8], folder: &Path) -> Result<PathBuf, String> {
    let wrong = |why: String| format!("{} cannot be used: {why}", folder.display());
    prepare(folder).map_err(wrong)?;
    let engine = portable_engine().map_err(|error| format!("{error:#}"))?;
    let compiled = engine.precompile_component(bytes).map_err(|error| format!("{error:#}"))?;
    let name = file_name(&engine, &hex(&Sha256::digest(bytes)));
    keep(folder, &name, &compiled).map_err(|error| wrong(error.to_string()))?;
    Ok(folder.join(name))
}

/// What the code that an engine makes of a component is called: another engine or component has another name.
fn file_name(engine: &Engine, digest: &str) -> String {
    let mut hasher = std::hash::DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{digest}-{:016x}.cwasm", hasher.finish())
}

/// The compiled guest in a file of a folder that [`prepare`] accepted, where it is there and good.
fn kept(engine: &Engine, path: &Path) -> Option<Component> {
    if !trusted(path) {
        return None;
    }
    #[expect(unsafe_code, reason = "the folder is ours alone (`prepare`), and files in it are never changed")]
    // SAFETY: the file was written by this program by rename into a folder that nobody else can write.
    match unsafe { Component::deserialize_file(engine, path) } {
        Ok(component) => Some(component),
        Err(error) => {
            tracing::warn!(event = "guest_cache_stale", file = %path.display(), %error);
            None
        }
    }
}

/// Compile in a child; here, where none can be had.
///
/// # Errors
/// The bytes are not a component.
pub(crate) fn compile(engine: &Engine, bytes: &[u8]) -> wasmtime::Result<(Component, Vec<u8>)> {
    tracing::info!(event = "guest_compiling", text = "takes some seconds; later starts find it compiled");
    match in_child(bytes) {
        Ok(compiled) => {
            #[expect(
                unsafe_code,
                reason = "the bytes come from this very program over a pipe that nobody else holds"
            )]
            // SAFETY: the child runs the same executable, and wrote what `precompile_component` returned.
            let component = unsafe { Component::deserialize(engine, &compiled) };
            match component {
                Ok(component) => return Ok((component, compiled)),
                Err(error) => tracing::warn!(event = "guest_compiled_for_another_engine", %error),
            }
        }
        Err(error) => tracing::debug!(event = "guest_compiled_here", %error),
    }
    let compiled = engine.precompile_component(bytes)?;
    #[expect(unsafe_code, reason = "the bytes were compiled by this engine one line above")]
    // SAFETY: `compiled` is what `precompile_component` of the same engine returned.
    let component = unsafe { Component::deserialize(engine, &compiled) };
    component.map(|component| (component, compiled))
}

fn in_child(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut child = Command::new("/proc/self/exe")
        .arg("compile-guest")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    // The child reads to the end before it writes, so neither waits for the other. One that ends early says so below.
    let handed = child.stdin.take().map_or(Ok(()), |mut input| input.write_all(bytes));
    let output = child.wait_with_output()?;
    handed?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(std::io::Error::other("the child could not compile it"))
    }
}

/// What the child does: a component in, its compiled form out.
///
/// # Errors
/// It cannot be read, compiled or written.
pub(crate) fn compile_for_parent(engine: &Engine) -> wasmtime::Result<()> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    let compiled = engine.precompile_component(&bytes)?;
    std::io::stdout().write_all(&compiled)?;
    Ok(())
}

/// Make the folder if need be, and refuse one that others could write.
fn prepare(folder: &Path) -> Result<(), String> {
    if !folder.exists() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| e.to_string())?;
    }
    let meta = std::fs::symlink_metadata(folder).map_err(|e| e.to_string())?;
    if !meta.is_dir() {
        return Err("it is not a folder".to_owned());
    }
    if meta.mode() & 0o022 != 0 {
        return Err(format!("others can write it (mode {:o}); chmod 700 it", meta.mode() & 0o777));
    }
    if !is_ours(&meta) {
        return Err(format!("it belongs to user {}", meta.uid()));
    }
    Ok(())
}

fn is_ours(meta: &std::fs::Metadata) -> bool {
    meta.uid() == rustix::process::geteuid().as_raw()
}

/// Whether a compiled guest is a plain file that nobody but us could have written, now or before.
fn trusted(path: &Path) -> bool {
    std::fs::symlink_metadata(path)
        .is_ok_and(|meta| meta.is_file() && is_ours(&meta) && meta.mode() & 0o077 == 0)
}

/// Write under a name of its own, make it durable, rename.
fn keep(folder: &Path, name: &str, compiled: &[u8]) -> std::io::Result<()> {
    let draft = folder.join(format!("{name}.{}.tmp", crate::shared::random_name()));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = file.write_all(compiled).and_then(|()| file.sync_all());
    let placed = written.and_then(|()| std::fs::rename(&draft, folder.join(name)));
    if placed.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    placed
}
