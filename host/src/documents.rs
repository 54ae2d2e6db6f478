//! temporary
pub(crate) struct Documents;
pub(crate) struct Document { pub(crate) client_name: Option<String>, pub(crate) redirect_uris: Vec<String> }
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure { #[error("host")] HostNotAllowed, #[error("other")] Other }
impl Documents {
    pub(crate) async fn fetch(&self, _url: &str) -> Result<Document, Failure> { Err(Failure::HostNotAllowed) }
    pub(crate) fn allows(&self, _url: &str) -> bool { false }
}
pub(crate) fn of(_s: &crate::settings::Settings) -> Result<Documents, String> { Ok(Documents) }
