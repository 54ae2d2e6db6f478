//! The forge: a sample Gitea. A test double with memory, not a mock: it answers as Gitea 1.27 (or 1.26, 1.24) does,
//! with the traps that a naive fake would hide, remembers every request, and names each one that the product
//! should never have sent. It binds to loopback and holds no real secret. Its API reads no clock and no chance; its
//! OAuth side needs both, and a test moves the clock instead of waiting.

mod archives;
mod auth;
mod call;
mod changes;
mod commits;
mod contents;
mod diffs;
mod git;
mod hooks;
mod intent;
mod issues;
mod label_writes;
mod labels;
mod oauth;
mod orgs;
mod paging;
mod people;
mod plant;
mod pulls;
mod refs;
mod releases;
mod repos;
mod routes;
mod scopes;
mod seeding;
mod server;
mod statuses;
mod time;
mod trees;
mod watch;
pub mod world;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

pub use git::{Blob, Node};
pub use oauth::{GrantSeen, IdTokenFlaw, Minted, Registered, Settings, Signing, TEA_CLIENT_ID};
pub use seeding::{BIDI, CANARY, CANARY_TOKEN};
pub use watch::{Credential, Fault, FaultKind, Seen};

/// Which Gitea is played, the oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Version {
    /// Gitea 1.24.7: as 1.26, without what came between them. Nothing was recorded from one; what is missing is
    /// what its routes and structs do not have.
    V1_24,
    /// Gitea 1.26.3.
    V1_26,
    /// Gitea 1.27.0.
    #[default]
    V1_27,
}

impl Version {
    /// As `GET /version` says it.
    #[must_use]
    pub fn number(self) -> &'static str {
        match self {
            Self::V1_27 => "1.27.0",
            Self::V1_26 => "1.26.3",
            Self::V1_24 => "1.24.7",
        }
    }
}

/// How a forge is started. The default is an unseeded 1.27 on a free port that looks at no audit file.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Seed [`CANARY`], [`CANARY_TOKEN`] and [`BIDI`] into every free-text string.
    pub canary: bool,
    /// Which Gitea is played.
    pub version: Version,
    /// JSON lines in which every API request must find its intent.
    pub audit: Option<PathBuf>,
    /// Port on 127.0.0.1; none for a free one.
    pub port: Option<u16>,
    /// Give `alice/demo` a milestone with an empty title, which silently filters its issue lists.
    pub empty_milestone: bool,
    /// The operator let the product act as others: a `Sudo` header is no violation. Only a site admin's token can
    /// use it either way.
    pub sudo: bool,
    /// How the OAuth side is set up at the start.
    pub oauth: Settings,
}

/// A running forge. Dropping it closes every connection.
#[derive(Debug)]
pub struct Forge {
    url: String,
    shared: Arc<Shared>,
    listener: JoinHandle<()>,
}

/// What the connections share.
#[derive(Debug)]
struct Shared {
    root: String,
    version: Version,
    canary: bool,
    sudo: bool,
    /// Locked after the world, wherever both are needed.
    oauth: Mutex<oauth::State>,
    world: Mutex<world::World>,
    watch: Mutex<watch::Watch>,
    intents: Option<Mutex<intent::Intents>>,
    /// Where issues that were opened are told.
    hooks: Mutex<Vec<hooks::Hook>>,
    /// One permit lets one held answer go.
    held: Semaphore,
}

impl Forge {
    /// Build the world and serve it on loopback.
    ///
    /// # Panics
    /// When the port cannot be bound.
    pub async fn start(options: Options) -> Self {
        let address = ("127.0.0.1", options.port.unwrap_or(0));
        let listener = TcpListener::bind(address).await.unwrap_or_else(|error| {
            panic!("the forge cannot listen on {}:{}: {error}; choose another port", address.0, address.1)
        });
        let port = listener.local_addr().map_or(address.1, |bound| bound.port());
        let url = format!("http://127.0.0.1:{port}");
        let mut settings = options.oauth;
        if options.version < Version::V1_26 {
            // Since 1.25 without the slash.
            settings.issuer.get_or_insert_with(|| format!("{url}/"));
        }
        let shared = Arc::new(Shared {
            root: url.clone(),
            version: options.version,
            canary: options.canary,
            sudo: options.sudo,
            oauth: Mutex::new(oauth::State::new(settings, seeding::Seeding(options.canary))),
            world: Mutex::new(plant::world(seeding::Seeding(options.canary), options.empty_milestone)),
            watch: Mutex::new(watch::Watch::default()),
            intents: options.audit.map(|path| Mutex::new(intent::Intents::new(path))),
            hooks: Mutex::default(),
            held: Semaphore::new(0),
        });
        let listener = tokio::spawn(server::serve(listener, shared.clone()));
        Self { url, shared, listener }
    }

    /// `http://127.0.0.1:PORT`, no slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Every request so far, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        held(&self.shared.watch).seen.clone()
    }

    /// Everything that the product should not have sent, in plain words.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        held(&self.shared.watch).violations.clone()
    }

    /// Forget requests and violations; the world stays as it is.
    pub fn forget(&self) {
        let mut watch = held(&self.shared.watch);
        watch.seen.clear();
        watch.violations.clear();
    }

    /// Let the next request that matches go wrong. Faults for the same path come one after the other.
    pub fn next_fault(&self, fault: Fault) {
        held(&self.shared.watch).faults.push_back(fault);
    }

    /// Let every request that matches go wrong until [`Forge::mend`]. A fault for the next request comes first.
    pub fn every_fault(&self, fault: Fault) {
        held(&self.shared.watch).standing.push(fault);
    }

    /// End every fault, asked for or standing, and every flaw of ID tokens to come.
    pub fn mend(&self) {
        let mut watch = held(&self.shared.watch);
        watch.faults.clear();
        watch.standing.clear();
        drop(watch);
        held(&self.shared.oauth).mend();
    }

    /// How often a path was asked for by a method.
    #[must_use]
    pub fn times(&self, method: &str, path: &str) -> usize {
        held(&self.shared.watch).seen.iter().filter(|seen| seen.method == method && seen.path == path).count()
    }

    /// What programs asked for, as `METHOD path`, in order: everything but the pages of a person's browser.
    #[must_use]
    pub fn upstream(&self) -> Vec<String> {
        let watch = held(&self.shared.watch);
        let programs = watch.seen.iter().filter(|seen| !seen.by_browser());
        programs.map(|seen| format!("{} {}", seen.method, seen.path)).collect()
    }

    /// Let so many held answers go, now or as soon as they are held (`FaultKind::Hold`).
    pub fn release(&self, answers: usize) {
        self.shared.held.add_permits(answers);
    }

    /// Id of the commit that a name stands for; `repo` is `owner/name`.
    #[must_use]
    pub fn commit(&self, repo: &str, name: &str) -> Option<String> {
        let world = held(&self.shared.world);
        let repo = world.repos.iter().find(|known| world.full_name(known) == repo)?;
        repo.git.resolve(name).map(|commit| commit.sha.clone())
    }

    /// Everybody, every token and every repository, for people to read.
    #[must_use]
    pub fn tour(&self) -> serde_json::Value {
        plant::tour(&held(&self.shared.world), &self.url, self.shared.version)
    }
}

impl Drop for Forge {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// A lock whose data outlives a panicking test.
fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
