//! What these tests share: a forge with an application whose redirect is the server's, and the server.

use aegis_tests::forge::{Forge, Options};
use aegis_tests::server::{Folder, Server, Setup, free_port};

/// Password of one of the forge's people.
pub fn password(login: &str) -> String {
    format!("{login}-has-a-password")
}

/// A forge, and what a server needs to sign people in there.
pub struct Scene {
    pub forge: Forge,
    pub port: u16,
    pub client_id: String,
    client_secret: String,
    folder: Folder,
}

impl Scene {
    pub async fn new() -> Self {
        Self::with(Options::default()).await
    }

    /// A forge with these options, that looks for each intent on disk.
    pub async fn with(options: Options) -> Self {
        let folder = Folder::new();
        let audit = folder.0.join("trail").join("audit.log");
        let forge = Forge::start(Options { audit: Some(audit), ..options }).await;
        let port = free_port();
        let callback = format!("http://127.0.0.1:{port}/oauth/callback");
        let app = forge.register("root", "AegisGitea-MCP", &[&callback], true);
        Self { forge, port, client_id: app.client_id, client_secret: app.client_secret, folder }
    }

    /// Settings of a server for this forge. Its audit log outlives it, and so does its registry.
    pub fn setup(&self) -> Setup {
        let place = |parts: [&str; 2]| parts.iter().fold(self.folder.0.clone(), |at, part| at.join(part));
        Setup::sign_in(&self.forge.url(), self.port, &self.client_id, &self.client_secret)
            .set("AUDIT_LOG_PATH", &place(["trail", "audit.log"]).display().to_string())
            .set("DCR_STORAGE_PATH", &place(["registry", "dcr_clients.json"]).display().to_string())
    }

    /// The folder that the server's files are in.
    pub fn folder(&self) -> &std::path::Path {
        &self.folder.0
    }

    pub async fn start(&self) -> Server {
        self.setup().start().await
    }
}
