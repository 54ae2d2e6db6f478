//! Where a journey takes place: whose Gitea, who is in it, and whose token the server holds.

use std::sync::Arc;

use aegis_tests::forge::world::{
    ALICE_TOKEN, BOB_TOKEN, CAROL_TOKEN, MALLORY_TOKEN, NO_ORGANISATION_TOKEN, READONLY_TOKEN,
    REPOSITORY_ONLY_TOKEN,
};
use aegis_tests::forge::{Forge, Options, Version};
use aegis_tests::server::{Folder, Setup};

use crate::real::RealWorld;
use crate::stand::Stand;

/// Whose token the server holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// Owner of `demo` and of the organisation.
    Alice,
    /// May write to `demo`.
    Bob,
    /// May only read what is public.
    Carol,
    /// Owns the private `secret`.
    Mallory,
    /// Alice without a write scope.
    Reading,
    /// Alice with `read:repository` alone.
    RepositoryOnly,
    /// Alice with everything but `read:organization`.
    NoOrganisation,
}

/// Everybody, for whoever makes tokens.
pub const EVERYBODY: [Who; 7] =
    [Who::Alice, Who::Bob, Who::Carol, Who::Mallory, Who::Reading, Who::RepositoryOnly, Who::NoOrganisation];

impl Who {
    /// The account behind the token, as the sample Gitea names it.
    pub fn account(self) -> &'static str {
        match self {
            Self::Alice | Self::Reading | Self::RepositoryOnly | Self::NoOrganisation => "alice",
            Self::Bob => "bob",
            Self::Carol => "carol",
            Self::Mallory => "mallory",
        }
    }

    /// The token's scopes.
    pub fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Reading => &["read:organization", "read:issue", "read:repository", "read:user"],
            Self::RepositoryOnly => &["read:repository"],
            Self::NoOrganisation => &["write:issue", "write:repository", "read:user"],
            Self::Alice | Self::Bob | Self::Carol | Self::Mallory => {
                &["read:organization", "write:issue", "write:repository", "read:user"]
            }
        }
    }

    fn on_the_forge(self) -> &'static str {
        match self {
            Self::Alice => ALICE_TOKEN,
            Self::Bob => BOB_TOKEN,
            Self::Carol => CAROL_TOKEN,
            Self::Mallory => MALLORY_TOKEN,
            Self::Reading => READONLY_TOKEN,
            Self::RepositoryOnly => REPOSITORY_ONLY_TOKEN,
            Self::NoOrganisation => NO_ORGANISATION_TOKEN,
        }
    }
}

/// The Gitea of a journey.
#[derive(Clone)]
pub enum Ground {
    /// A sample Gitea, a new one for each stand.
    Forge(Version),
    /// A real Gitea with the same world in it, under other account names.
    Real(Arc<RealWorld>),
}

impl Ground {
    /// Its version, as it says it.
    pub fn version(&self) -> String {
        match self {
            Self::Forge(version) => version.number().to_owned(),
            Self::Real(world) => world.version.clone(),
        }
    }

    /// Whether it is older than 1.25, which does not tell everything that is told of files and repositories.
    pub fn tells_less(&self) -> bool {
        self.version().starts_with("1.24.")
    }

    /// A server in front of it.
    pub async fn stand(&self, who: Who, dress: impl FnOnce(Setup) -> Setup) -> Stand {
        match self {
            Self::Forge(version) => {
                forge(Options { version: *version, ..Options::default() }, who, dress).await
            }
            Self::Real(world) => {
                let folder = Folder::new();
                let setup = Setup::new(&world.url, &world.tokens[&who]);
                let setup = setup.set("AUDIT_LOG_PATH", &folder.0.join("audit.log").display().to_string());
                let commits = world.commits.clone();
                Stand::new(dress(setup).start().await, None, folder, world.suffix.clone(), commits).await
            }
        }
    }
}

/// A server in front of a sample Gitea of its own that looks for every intent on disk.
pub async fn forge(options: Options, who: Who, dress: impl FnOnce(Setup) -> Setup) -> Stand {
    let folder = Folder::new();
    let log = folder.0.join("audit.log");
    let forge = Forge::start(Options { audit: Some(log.clone()), ..options }).await;
    let setup =
        Setup::new(&forge.url(), who.on_the_forge()).set("AUDIT_LOG_PATH", &log.display().to_string());
    let names = ["main", "v1.0", "feature/one"];
    let commits =
        names.map(|name| (name.to_owned(), forge.commit("alice/demo", name).expect("a commit"))).into();
    Stand::new(dress(setup).start().await, Some(forge), folder, String::new(), commits).await
}

/// Writes to every repository that the token can write to, allowed by policy too.
pub fn everything_writable(setup: Setup) -> Setup {
    setup
        .set("WRITE_MODE", "true")
        .set("WRITE_ALLOW_ALL_TOKEN_REPOS", "true")
        .policy("defaults: {read: allow, write: allow}\n")
}
