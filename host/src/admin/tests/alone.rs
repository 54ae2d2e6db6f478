use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;

use super::super::chosen;
use super::super::offline::carry_out;
use super::*;
use crate::settings::{Environment, Settings};

#[derive(Default)]
struct World {
    variables: BTreeMap<&'static str, String>,
    files: BTreeMap<PathBuf, String>,
}

impl World {
    fn with(variables: &[(&'static str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { variables, files: BTreeMap::new() }
    }
}

impl Environment for World {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.get(name).map(OsString::from)
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files
            .get(path)
            .map(|text| text.clone().into_bytes())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn settings(storage: &Path) -> Settings {
    chosen::load(&World::with(&[("DCR_STORAGE_PATH", storage.to_str().unwrap())]), None).unwrap()
}

/// What a command says on the side, and what comes of it.
fn alone(storage: &Path, request: Request) -> (Vec<String>, Result<Answer, String>) {
    let mut said = Vec::new();
    let done = carry_out(&settings(storage), request, &mut |text| said.push(text.to_owned()));
    (said, done)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A registry with alice in it that no server has open.
fn left_behind() -> Room {
    let room = Room::with_alice();
    block_on(room.records.store.close());
    room
}

#[test]
fn without_a_server_the_file_is_used_and_that_is_said() {
    let room = left_behind();
    let (said, done) = alone(&room.storage(), Request::UsersRevoke { login: "alice".to_owned() });
    assert!(matches!(done, Ok(Answer::UserRevoked { kept: KEPT, .. })), "{done:?}");
    assert!(said[0].contains("No server answers at") && said[0].contains(" or "), "{said:?}");
    assert!(said.iter().any(|text| text.contains("audit log")), "{said:?}");
    let (said, done) = alone(&room.storage(), Request::UsersShow { login: "alice".to_owned() });
    let Ok(Answer::User { users }) = done else { panic!("{done:?}") };
    assert_eq!(users[0].user.sessions, 0);
    assert_eq!(said.len(), 1, "{said:?}");
}

#[test]
fn where_there_is_no_registry_none_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let storage = folder.path().join("not-there").join("clients.json");
    let (_, done) = alone(&storage, Request::UsersList);
    assert!(done.unwrap_err().contains("DCR_STORAGE_PATH"));
    let (_, done) = alone(&storage, Request::Restore { path: folder.path().join("no-backup") });
    assert!(done.unwrap_err().contains("does not exist"));
    assert!(!storage.parent().unwrap().exists());
}

#[test]
fn a_registry_that_cannot_be_read_is_left_as_it_is_and_a_restore_begins_anew() {
    let room = left_behind();
    let copy = room.folder.path().join("copy.redb");
    assert!(alone(&room.storage(), Request::Backup { path: copy.clone() }).1.is_ok());
    let file = registry_beside(&room.storage());
    std::fs::write(&file, "not a registry").unwrap();
    let (_, done) = alone(&room.storage(), Request::UsersList);
    assert!(done.unwrap_err().contains("registry restore"));
    assert_eq!(std::fs::read(&file).unwrap(), b"not a registry");
    let (said, done) = alone(&room.storage(), Request::Restore { path: copy });
    assert!(matches!(done, Ok(Answer::Restored { .. })), "{done:?}");
    assert!(said.iter().any(|text| text.contains("registry.redb.corrupt-")), "{said:?}");
    assert!(is_alive(&records(&room.storage()), 1));
}

#[test]
fn a_registry_that_a_server_holds_is_not_opened_beside_it() {
    let room = Room::with_alice();
    let (_, done) = alone(&room.storage(), Request::UsersRevoke { login: "alice".to_owned() });
    let text = done.unwrap_err();
    assert!(text.contains("restart that server"), "{text}");
    assert!(is_alive(&room.records, 1));
}

#[test]
fn a_server_that_runs_is_asked_and_nothing_is_said_on_the_side() {
    let room = Room::with_alice();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _in_it = runtime.enter();
    let _door = room.open();
    let (said, done) = alone(&room.storage(), Request::UsersRevoke { login: "alice".to_owned() });
    assert!(matches!(done, Ok(Answer::UserRevoked { .. })), "{done:?}");
    assert!(said.is_empty(), "{said:?}");
    assert!(!is_alive(&room.records, 1));
}

#[test]
fn a_command_stops_only_at_settings_that_it_uses() {
    let mut world =
        World::with(&[("MCP_PORT", "no number"), ("GITEA_OAUTH_CLIENT_SECRET_FILE", "/not/there")]);
    let file = PathBuf::from("/etc/aegis.env");
    let text = "OAUTH_MODE=true\nexport WRITE_MODE = perhaps\nDCR_STORAGE_PATH=/data/clients.json # here\nLOG_LEVEL=loud\n";
    world.files.insert(file.clone(), text.to_owned());
    let settings = chosen::load(&world, Some(&file)).unwrap();
    assert_eq!(settings.dcr_storage_path(), Path::new("/data/clients.json"));
    world.variables.insert("DCR_STORAGE_PATH", "/other/clients.json".to_owned());
    assert_eq!(
        chosen::load(&world, Some(&file)).unwrap().dcr_storage_path(),
        Path::new("/other/clients.json")
    );
    world.variables.insert("OAUTH_STATE_SECRET_FILE", "/not/there".to_owned());
    let problems = chosen::load(&world, Some(&file)).err().unwrap();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].to_string().contains("OAUTH_STATE_SECRET_FILE"));
}

#[test]
fn a_mistyped_name_in_the_env_file_is_told_with_its_line() {
    let mut world = World::default();
    let file = PathBuf::from("/etc/aegis.env");
    world.files.insert(file.clone(), "OAUTH_MODE=true\nMCP_PORT=1\nDCR_STORAGE_PAHT=/data/x\n".to_owned());
    let problems = chosen::load(&world, Some(&file)).err().unwrap();
    let text = problems[0].to_string();
    assert!(
        problems.len() == 1 && text.contains("line 3") && text.contains("DCR_STORAGE_PATH"),
        "{problems:?}"
    );
    assert!(!chosen::load(&world, Some(Path::new("/not/there"))).err().unwrap().is_empty());
}
