//! Compiled guests: made in a process of their own, and kept between starts in a folder that only this program writes.
//!
//! Compiling takes a hundred megabytes for a second, which the server would keep: so a child of the same program does
//! it, and hands the result over a pipe. Where the server serves already, the child gives way and is bounded, since what
//! it compiles may have been made to be hard.
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
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::component::{hex, portable_engine};

/// Largest compiled form that is taken from a child, in bytes.
const MAX_COMPILED: u64 = 512 << 20;
/// Seconds of computing that a child beside a server may take.
const COMPILE_SECONDS: u64 = 120;
/// Address space that it may have, in GiB. Most of it is reserved and never used.
const COMPILE_GIB: u64 = 8;
/// How long it may take in all: a machine that is busy leaves it little.
const COMPILE_PATIENCE: Duration = Duration::from_secs(300);

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
    if let Some(component) = found(engine, digest, folder) {
        return Ok(component);
    }
    let (component, compiled) = compile(engine, bytes)?;
    keep_or_say(folder, &file_name(engine, digest), &compiled);
    Ok(component)
}

/// The same while serving: a component that nobody has run yet is compiled in a child that is bounded and gives way, and
/// never in this process.
///
/// # Errors
/// The bytes are not a component, or compiling them takes more than it may.
pub(crate) fn load_apart(
    engine: &Engine,
    bytes: &[u8],
    digest: &str,
    folder: Option<&Path>,
) -> Result<Component, String> {
    let folder = folder.filter(|folder| prepare(folder).is_ok());
    if let Some(component) = folder.and_then(|folder| found(engine, digest, folder)) {
        return Ok(component);
    }
    let compiled = in_child(bytes, Bounds::Apart).map_err(|error| error.to_string())?;
    #[expect(
        unsafe_code,
        reason = "the bytes come from this very program over a pipe that nobody else holds"
    )]
    // SAFETY: the child runs the same executable, and wrote what `precompile_component` returned.
    let component = unsafe { Component::deserialize(engine, &compiled) }.map_err(|e| format!("{e:#}"))?;
    if let Some(folder) = folder {
        keep_or_say(folder, &file_name(engine, digest), &compiled);
    }
    Ok(component)
}

/// The compiled form in a folder that [`prepare`] accepted: for this machine, or for every one of its architecture.
fn found(engine: &Engine, digest: &str, folder: &Path) -> Option<Component> {
    kept(engine, &folder.join(file_name(engine, digest))).or_else(|| {
        let portable = portable_engine().ok()?;
        kept(engine, &folder.join(file_name(&portable, digest)))
    })
}

fn keep_or_say(folder: &Path, name: &str, compiled: &[u8]) {
    if let Err(error) = keep(folder, name, compiled) {
        tracing::warn!(event = "guest_cache_unwritable", folder = %folder.display(), %error);
    }
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
    match in_child(bytes, Bounds::AtTheStart) {
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

/// What a child that compiles may use.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bounds {
    /// Whatever there is: nobody is served yet, and the component is the image's.
    AtTheStart,
    /// What serving leaves, and [`give_way`]; for a component that somebody has handed in.
    Apart,
}

fn in_child(bytes: &[u8], bounds: Bounds) -> std::io::Result<Vec<u8>> {
    let mut command = Command::new("/proc/self/exe");
    command.arg("compile-guest").env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
    if bounds == Bounds::Apart {
        command.arg("--apart").stderr(Stdio::piped());
    } else {
        command.stderr(Stdio::null());
    }
    let mut child = command.spawn()?;
    // The child reads to the end before it writes, so neither waits for the other. One that ends early says so below.
    let handed = child.stdin.take().map_or(Ok(()), |mut input| input.write_all(bytes));
    let watched = (bounds == Bounds::Apart).then(|| end_in_time(&child)).flatten();
    let (mut compiled, mut said) = (Vec::new(), Vec::new());
    let output = child.stdout.take().map(|out| out.take(MAX_COMPILED).read_to_end(&mut compiled));
    let errors = child.stderr.take().map(|err| err.take(4 << 10).read_to_end(&mut said));
    // Before the child is waited for: until then nobody else has its id.
    drop(watched);
    let status = child.wait()?;
    if !status.success() {
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        let ended = format!("compiling it takes more than {COMPILE_SECONDS} seconds or {COMPILE_GIB} GiB");
        return Err(std::io::Error::other(if status.code().is_some() { said } else { ended }));
    }
    handed?;
    output.transpose()?;
    errors.transpose()?;
    Ok(compiled)
}

/// End a child that goes on for too long. What is returned lets it be when it is dropped.
fn end_in_time(child: &std::process::Child) -> Option<std::sync::mpsc::Sender<()>> {
    let id = rustix::process::Pid::from_child(child);
    let (let_be, waits) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::Builder::new().name("compiling".to_owned()).spawn(move || {
        if waits.recv_timeout(COMPILE_PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
        }
    });
    // Without that thread the child still has its own bounds.
    watch.ok().map(|_| let_be)
}

/// What the child does first where it compiles beside a server: it gives way to everybody, is the first to go where memory
/// ends, ends with its parent, and stops at its bounds. What of it the system refuses is left out.
pub(crate) fn give_way() {
    use rustix::process::{
        Resource, Rlimit, Signal, set_parent_process_death_signal, setpriority_process, setrlimit,
    };
    let most = |limit: u64| Rlimit { current: Some(limit), maximum: Some(limit) };
    let _ = setpriority_process(None, 19);
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let _ = setrlimit(Resource::Cpu, most(COMPILE_SECONDS));
    let _ = setrlimit(Resource::As, most(COMPILE_GIB << 30));
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
pub(crate) fn prepare(folder: &Path) -> Result<(), String> {
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
pub(crate) fn keep(folder: &Path, name: &str, compiled: &[u8]) -> std::io::Result<()> {
    let draft = folder.join(format!("{name}.{}.tmp", crate::shared::random_name()));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = file.write_all(compiled).and_then(|()| file.sync_all());
    let placed = written.and_then(|()| std::fs::rename(&draft, folder.join(name)));
    if placed.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    placed
}
