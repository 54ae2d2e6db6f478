//! The state directory: the one preopened directory that the adapter uses, through `wasi:filesystem` itself, since
//! some runtimes refuse files that Rust's standard library opens for writing. Every name here is made by this program;
//! nothing that a client or a gateway says becomes part of one.

use aegis_custody::journal::{Draft, Files};
use wasip2::filesystem::preopens;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};
use wasip2::io::streams::StreamError;

use crate::environment;

/// Largest file that is read whole.
const MAX_FILE: u64 = 64 << 20;

/// Most bytes asked for in one read.
const PIECE: u64 = 64 << 10;

/// Most bytes of one write (`wasi:io/streams`, `blocking-write-and-flush`).
const AT_ONCE: usize = 4096;

/// How often a directory is listed again because files went while it was.
const LISTINGS: u32 = 200;

/// The directory, or one directly in it.
pub(crate) struct Directory {
    root: Descriptor,
    /// Empty, or a name with a slash behind it.
    below: String,
}

/// A name for a file that nobody else has, and the time.
pub(crate) fn draft() -> Draft {
    let seconds = environment::now().unix_millis() / 1000;
    Draft { at: u64::try_from(seconds).unwrap_or(0), name: environment::random_id() }
}

impl Directory {
    /// The state directory that the runtime offers.
    ///
    /// # Errors
    /// It offers none of that name.
    pub(crate) fn state() -> Result<Self, String> {
        let wanted = environment::variable("STATE_DIR").unwrap_or_else(|| "/state".to_owned());
        let root = preopens::get_directories().into_iter().find(|(_, path)| *path == wanted);
        let (root, _) = root.ok_or_else(|| {
            format!("the runtime offers no directory {wanted}; preopen one or set STATE_DIR")
        })?;
        Ok(Self { root, below: String::new() })
    }

    /// A directory in the state directory, made where there is none; whether it was made.
    ///
    /// # Errors
    /// There is none, and none can be made.
    pub(crate) fn within(name: &str) -> Result<(Self, bool), String> {
        let Self { root, below: _ } = Self::state()?;
        let made = match root.create_directory_at(name) {
            Ok(()) => true,
            Err(ErrorCode::Exist) => false,
            Err(code) => {
                return Err(format!(
                    "cannot make the directory {name}: {code:?}; is the state directory writable?"
                ));
            }
        };
        Ok((Self { root, below: format!("{name}/") }, made))
    }

    fn path(&self, name: &str) -> String {
        format!("{}{name}", self.below)
    }

    fn opened(&self, name: &str, open: OpenFlags, flags: DescriptorFlags) -> Result<Descriptor, ErrorCode> {
        self.root.open_at(PathFlags::empty(), &self.path(name), open, flags)
    }

    /// The directory itself.
    fn descriptor(&self) -> Result<Descriptor, String> {
        let place = if self.below.is_empty() { "." } else { self.below.trim_end_matches('/') };
        let opened =
            self.root.open_at(PathFlags::empty(), place, OpenFlags::DIRECTORY, DescriptorFlags::READ);
        opened.map_err(|code| format!("cannot open the directory {place}: {code:?}"))
    }

    /// An empty file of a name that was free; false where it was not.
    ///
    /// # Errors
    /// Neither can be said.
    pub(crate) fn claim(&self, name: &str) -> Result<bool, String> {
        match self.opened(name, OpenFlags::CREATE | OpenFlags::EXCLUSIVE, DescriptorFlags::WRITE) {
            Ok(_) => Ok(true),
            Err(ErrorCode::Exist) => Ok(false),
            Err(code) => Err(format!("cannot create {}: {code:?}", self.path(name))),
        }
    }

    /// Remove a directory in this one with all files in it.
    ///
    /// # Errors
    /// Something is still there.
    pub(crate) fn remove_within(&self, name: &str) -> Result<(), String> {
        let inner = format!("{}/", self.path(name));
        let (root, below) = (Self::state()?.root, inner);
        let doomed = Self { root, below };
        for file in doomed.list()? {
            doomed.remove(&file)?;
        }
        match self.root.remove_directory_at(&self.path(name)) {
            Ok(()) | Err(ErrorCode::NoEntry) => Ok(()),
            Err(code) => Err(format!("cannot remove {}: {code:?}", self.path(name))),
        }
    }

    /// A file that is read and written in place, made where there is none.
    ///
    /// # Errors
    /// It cannot be opened so.
    pub(crate) fn file(&self, name: &str) -> Result<OpenFile, String> {
        let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
        let file = self.opened(name, OpenFlags::CREATE, flags);
        let path = self.path(name);
        let file =
            file.map_err(|code| format!("cannot open {path}: {code:?}; is the state directory writable?"))?;
        Ok(OpenFile { file, path })
    }
}

fn listed(directory: &Descriptor) -> Result<Vec<String>, ErrorCode> {
    let stream = directory.read_directory()?;
    let mut names = Vec::new();
    while let Some(entry) = stream.read_directory_entry()? {
        names.push(entry.name);
    }
    Ok(names)
}

impl Files for Directory {
    fn list(&self) -> Result<Vec<String>, String> {
        let cannot = |code: ErrorCode| format!("cannot list {}: {code:?}", self.below);
        for _ in 0..LISTINGS {
            match listed(&self.descriptor()?) {
                Ok(names) => return Ok(names),
                // Some runtimes look at each file, and fail where one went meanwhile.
                Err(ErrorCode::NoEntry) => {}
                Err(code) => return Err(cannot(code)),
            }
        }
        Err(cannot(ErrorCode::NoEntry))
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let file = match self.opened(name, OpenFlags::empty(), DescriptorFlags::READ) {
            Ok(file) => file,
            Err(ErrorCode::NoEntry) => return Ok(None),
            Err(code) => return Err(format!("cannot open {}: {code:?}", self.path(name))),
        };
        OpenFile { file, path: self.path(name) }.read(MAX_FILE, 0).map(Some)
    }

    fn create(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let path = self.path(name);
        let opened = self.opened(name, OpenFlags::CREATE | OpenFlags::EXCLUSIVE, DescriptorFlags::WRITE);
        let file = opened
            .map_err(|code| format!("cannot create {path}: {code:?}; is the state directory writable?"))?;
        let file = OpenFile { file, path };
        file.write(bytes, 0)?;
        file.sync()
    }

    fn link(&self, from: &str, to: &str) -> Result<bool, String> {
        match self.root.link_at(PathFlags::empty(), &self.path(from), &self.root, &self.path(to)) {
            Ok(()) => Ok(true),
            Err(ErrorCode::Exist) => Ok(false),
            Err(code) => Err(format!(
                "cannot give {} its name: {code:?}; the state directory must be on a file system with hard links",
                self.path(to)
            )),
        }
    }

    fn remove(&self, name: &str) -> Result<(), String> {
        match self.root.unlink_file_at(&self.path(name)) {
            Ok(()) | Err(ErrorCode::NoEntry) => Ok(()),
            Err(code) => Err(format!("cannot remove {}: {code:?}", self.path(name))),
        }
    }

    fn sync(&self) -> Result<(), String> {
        self.descriptor()?.sync().map_err(|code| format!("cannot sync {}: {code:?}", self.below))
    }
}

/// An open file.
pub(crate) struct OpenFile {
    file: Descriptor,
    path: String,
}

impl OpenFile {
    /// Length in bytes.
    ///
    /// # Errors
    /// What the runtime says.
    pub(crate) fn size(&self) -> Result<u64, String> {
        self.file
            .stat()
            .map(|stat| stat.size)
            .map_err(|code| format!("cannot look at {}: {code:?}", self.path))
    }

    /// `length` bytes from `offset`, fewer only at the end.
    ///
    /// # Errors
    /// What the runtime says.
    pub(crate) fn read(&self, length: u64, offset: u64) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        while (out.len() as u64) < length {
            let done = out.len() as u64;
            let (piece, end) = self
                .file
                .read((length - done).min(PIECE), offset + done)
                .map_err(|code| format!("cannot read {}: {code:?}", self.path))?;
            let nothing = piece.is_empty();
            out.extend_from_slice(&piece);
            if end {
                break;
            }
            if nothing {
                return Err(format!("cannot read {}: nothing came", self.path));
            }
        }
        Ok(out)
    }

    /// Write all bytes at `offset`.
    ///
    /// # Errors
    /// Some may be written.
    pub(crate) fn write(&self, bytes: &[u8], offset: u64) -> Result<(), String> {
        let cannot = |why: String| format!("cannot write {}: {why}", self.path);
        // Not by `write`: where the disk is full, that ends the whole process under jco.
        let stream = self.file.write_via_stream(offset).map_err(|code| cannot(format!("{code:?}")))?;
        for piece in bytes.chunks(AT_ONCE) {
            stream.blocking_write_and_flush(piece).map_err(|error| match error {
                StreamError::LastOperationFailed(error) => cannot(error.to_debug_string()),
                StreamError::Closed => cannot("it was closed".to_owned()),
            })?;
        }
        Ok(())
    }

    /// Make what was written durable.
    ///
    /// # Errors
    /// It may not be.
    pub(crate) fn sync(&self) -> Result<(), String> {
        self.file.sync().map_err(|code| format!("cannot sync {}: {code:?}", self.path))
    }
}
