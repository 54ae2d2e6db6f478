//! The team way: applications in Gitea, the server's secrets, and the address that clients use.

use aegis_custody::Random as _;
use zeroize::Zeroizing;

use super::applications::{Listed, Made, Workshop};
use super::ask::{Person, say, secret_line};
use super::draft::Draft;
use super::public::{name_site, public_url};
use super::reach::{self, Found};
use super::signals::Held;
use super::{Common, Done, Stop, Visitor, click, examine, gitea, names, paths, writes};
use crate::component::hex;
use crate::settings::Secret;
use crate::shared::SystemRandom;
use crate::sign_in;

/// What the applications are called in Gitea, where people read it when they authorize.
const NAME: &str = "AegisGitea-MCP";

/// What a script gives.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Flags {
    #[command(flatten)]
    pub(super) common: Common,
    /// Address at which clients will reach this server, such as `https://mcp.example.com`. Plain http is for this
    /// machine alone.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Read a token of Gitea with `write:user` from standard input, one line: it makes the applications and is not kept.
    #[arg(long, conflicts_with = "client_secret_stdin")]
    admin_token_stdin: bool,
    /// Name of the application in Gitea, which people see when they authorize it.
    #[arg(long, value_name = "NAME", default_value = NAME)]
    application_name: String,
    /// Take over an application of this name that is there already: Gitea makes a new secret for it, and whatever used
    /// the old one stops working.
    #[arg(long)]
    new_secret: bool,
    /// Client id of an application that was made by hand.
    #[arg(long, value_name = "ID", requires = "client_secret_stdin")]
    client_id: Option<String>,
    /// Client id of a second application that was made by hand, for changes.
    #[arg(long, value_name = "ID", requires = "client_id")]
    write_client_id: Option<String>,
    /// Read the secrets of applications that were made by hand from standard input, a line each.
    #[arg(long)]
    client_secret_stdin: bool,
}

/// One of the two applications: settings and name.
struct Kind {
    id: &'static str,
    secret: &'static str,
    name: String,
}

/// Go this way to its end.
pub(super) async fn go(person: &Person, visitor: &Visitor, draft: &mut Draft, flags: Flags) -> Done<()> {
    let name =
        if flags.application_name.is_empty() { NAME.to_owned() } else { flags.application_name.clone() };
    let mut kinds =
        vec![Kind { id: "GITEA_OAUTH_CLIENT_ID", secret: "GITEA_OAUTH_CLIENT_SECRET", name: name.clone() }];
    let piped = if flags.admin_token_stdin { Some(secret_line("token")?) } else { None };
    by_hand(draft, &flags)?;
    let found = gitea(person, visitor, draft, &flags.common).await?;
    let found = agree_with_issuer(person, visitor, draft, found).await?;
    let origin = public_url(person, draft, flags.public_url.as_deref()).await?;
    if writes(person, draft, &flags.common)? {
        kinds.push(Kind {
            id: "GITEA_OAUTH_WRITE_CLIENT_ID",
            secret: "GITEA_OAUTH_WRITE_CLIENT_SECRET",
            name: format!("{name} (changes)"),
        });
    }
    let folder = paths::choose(draft, &flags.common, true)?;
    listen(draft, &origin, flags.common.port)?;
    draft.set("OAUTH_MODE", "true")?;
    if !draft.has("OAUTH_STATE_SECRET") {
        let mut bytes = Zeroizing::new([0; 32]);
        SystemRandom.fill(bytes.as_mut_slice());
        draft.set("OAUTH_STATE_SECRET", &Zeroizing::new(hex(bytes.as_slice())))?;
    }
    name_site(draft, &origin)?;
    let redirect = format!("{origin}/oauth/callback");
    let place = Place { person, visitor, found: &found, redirect: &redirect, takes_over: flags.new_secret };
    let is_new = place.make(draft, &kinds, piped, folder.as_deref()).await?;
    tell(draft, &found, &origin, is_new);
    Ok(())
}

/// Take what was made by hand.
fn by_hand(draft: &mut Draft, flags: &Flags) -> Done<()> {
    if let Some(id) = &flags.client_id {
        draft.set("GITEA_OAUTH_CLIENT_ID", id)?;
        draft.set("GITEA_OAUTH_CLIENT_SECRET", secret_line("client secret")?.expose())?;
    }
    if let Some(id) = &flags.write_client_id {
        draft.set("GITEA_OAUTH_WRITE_CLIENT_ID", id)?;
        draft.set("GITEA_OAUTH_WRITE_CLIENT_SECRET", secret_line("second client secret")?.expose())?;
    }
    Ok(())
}

/// Gitea writes its own address into every sign-in, so that must be the one that is set here.
async fn agree_with_issuer(
    person: &Person,
    visitor: &Visitor,
    draft: &mut Draft,
    found: Found,
) -> Done<Found> {
    let Some(issuer) = reach::issuer(visitor, found.base()).await else {
        return Err(Stop::refused(
            "Gitea does not answer as an OAuth2 provider: set ENABLED=true in the section [oauth2] of its app.ini and restart it",
        ));
    };
    if issuer == found.url {
        return Ok(found);
    }
    let (given, base) = (&found.url, found.base());
    let differs =
        format!("Gitea calls itself {issuer} (ROOT_URL in its app.ini), and the address given is {given}.");
    let question = format!("{differs}\nDo people open {issuer} in their browsers?");
    if person.is_here && person.agrees(&question, true)? {
        let internal = Some(base.to_owned()).filter(|base| *base != issuer);
        draft.set("GITEA_URL", &issuer)?;
        super::keep_internal(draft, internal.as_deref())?;
        return Ok(Found { url: issuer, internal });
    }
    Err(Stop::refused(format!(
        "{differs} Sign-in fails until they are the same.\nIf people open {issuer}:  --gitea-url {issuer} \
         --gitea-internal-url {base}\nIf people open {given}:  set ROOT_URL = {given}/ in the section [server] of Gitea's \
         app.ini, restart Gitea, and run this again."
    )))
}

/// The port, and whose `X-Forwarded-For` counts.
fn listen(draft: &mut Draft, origin: &str, told: Option<u16>) -> Done<()> {
    let own = origin
        .strip_prefix("http://")
        .map(|authority| authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(80));
    if let (Some(told), Some(own)) = (told, own.filter(|own| told.is_some_and(|told| told != *own))) {
        return Err(Stop::usage(format!(
            "--port {told}: clients would look for this server at {origin}, port {own}. Give --public-url with port {told} \
             as well; Gitea then needs the new callback, which the next run with --admin-token-stdin sets"
        )));
    }
    paths::port(draft, told.or(own))?;
    let proxied = own.is_none() && draft.get("MCP_HOST").is_none();
    if proxied && !names::is_container() {
        draft.set_if_missing("TRUSTED_PROXIES", "127.0.0.1,::1")?;
    }
    Ok(())
}

/// Where applications are made.
struct Place<'a> {
    person: &'a Person,
    visitor: &'a Visitor,
    found: &'a Found,
    redirect: &'a str,
    takes_over: bool,
}

impl Place<'_> {
    /// Make what is missing, look at all of it, write. Where the end is not reached, what was made is taken back.
    async fn make(
        &self,
        draft: &mut Draft,
        kinds: &[Kind],
        token: Option<Secret>,
        folder: Option<&std::path::Path>,
    ) -> Done<bool> {
        self.rehearse(draft, kinds)?;
        let missing = kinds.iter().any(|kind| !draft.has(kind.id) || !draft.has(kind.secret));
        let token = match token {
            None if missing => self.one_time_token()?,
            token => token,
        };
        let Some(token) = token else {
            self.typed(draft, kinds)?;
            examine(draft).await.map_err(|stop| Stop {
                text: format!(
                    "{}\nAn application with another redirect or secret is mended with a token that makes applications \
                     (--admin-token-stdin), or by hand at {}; its redirect must be exactly {}",
                    stop.text,
                    click::token_page(&self.found.url),
                    self.redirect
                ),
                ..stop
            })?;
            let _held = Held::signals();
            let reserved = draft.reserve()?;
            return finish(draft, reserved, folder);
        };
        let workshop = Workshop::new(self.visitor, self.found.base(), &token);
        let listed = workshop.list().await.map_err(|stop| self.with_clicks(stop, kinds))?;
        let plans = kinds.iter().map(|kind| self.plan(draft, kind, &listed)).collect::<Done<Vec<_>>>()?;
        // From here on something exists that only this process knows: the room on the disk is taken before, and a
        // Ctrl-C waits until all is written or taken back.
        let held = Held::signals();
        let reserved = draft.reserve()?;
        let mut fresh = Vec::new();
        let done = async {
            for (kind, plan) in kinds.iter().zip(plans) {
                let made = match plan {
                    Plan::Keep => continue,
                    Plan::Make => workshop
                        .make(&kind.name, self.redirect)
                        .await
                        .map_err(|stop| self.with_clicks(stop, kinds))?,
                    Plan::Renew(listed) => workshop
                        .renew(&listed, self.redirect)
                        .await
                        .map_err(|stop| self.with_clicks(stop, kinds))?,
                };
                fresh.extend(made.fresh.map(|id| (id, made.client_id.clone())));
                enter(draft, kind, &made)?;
            }
            examine(draft).await?;
            if held.back() {
                return Err(Stop::over());
            }
            finish(draft, reserved, folder)
        };
        match done.await {
            Ok(is_new) => Ok(is_new),
            Err(stop) => Err(take_back(&workshop, &fresh, stop).await),
        }
    }

    /// Whether the settings go together, with made-up applications where there are none yet.
    fn rehearse(&self, draft: &mut Draft, kinds: &[Kind]) -> Done<()> {
        let mut trial = draft.copy();
        for kind in kinds {
            trial.set_quietly(kind.id, "rehearsal");
            if !trial.has(kind.secret) {
                trial.set_quietly(kind.secret, "rehearsal");
            }
        }
        let settings = trial.settings()?;
        sign_in::can_fetch_documents(&settings)
            .map_err(|why| Stop::settings(format!("{why}.\nNothing was changed.")))
    }

    /// A token from the person, if they have one and want that.
    fn one_time_token(&self) -> Done<Option<Secret>> {
        if !self.person.is_here {
            return Ok(None);
        }
        say(&format!("\n{}\n", click::one_time_token(&self.found.url)));
        let token = self.person.secret("Token, or nothing to make the application by hand")?;
        Ok(Some(token).filter(|token| !token.expose().is_empty()))
    }

    /// What a person typed from Gitea's page.
    fn typed(&self, draft: &mut Draft, kinds: &[Kind]) -> Done<()> {
        for kind in kinds.iter() {
            if draft.has(kind.id) && draft.has(kind.secret) {
                continue;
            }
            let how = click::application(&self.found.url, &kind.name, self.redirect);
            if !self.person.is_here {
                return Err(self.with_clicks(
                    Stop::usage("There is no application in Gitea yet, and no token to make one."),
                    kinds,
                ));
            }
            say(&format!("\n{how}\n"));
            let id = self.person.ask("Client ID", "")?;
            if id.is_empty() {
                return Err(Stop::usage("without a client id there is nothing to write"));
            }
            draft.set(kind.id, &id)?;
            draft.set(kind.secret, self.person.secret("Client secret")?.expose())?;
        }
        Ok(())
    }

    /// The same by hand.
    fn with_clicks(&self, stop: Stop, kinds: &[Kind]) -> Stop {
        let mut text = stop.text;
        for kind in kinds {
            text.push_str(&format!("\n\n{}", click::application(&self.found.url, &kind.name, self.redirect)));
        }
        let second = if kinds.len() > 1 { " --write-client-id ID" } else { "" };
        text.push_str(&format!(
            "\n\nThen run this with --client-id ID{second} --client-secret-stdin, or at a terminal. With a token it is done \
             for you:\n{}\nThen run this with --admin-token-stdin.",
            click::one_time_token(&self.found.url)
        ));
        Stop { text, ..stop }
    }

    /// What is to be done about one application. Nothing is done yet.
    fn plan(&self, draft: &Draft, kind: &Kind, listed: &[Listed]) -> Done<Plan> {
        let fits = |found: &Listed| found.is_confidential && found.redirects == [self.redirect];
        if let (Some(id), Some(_)) = (draft.get(kind.id), draft.secret(kind.secret)) {
            return Ok(match listed.iter().find(|found| found.client_id == *id) {
                Some(found) if !fits(found) || self.takes_over => Plan::Renew(found.clone()),
                // One of somebody else, or of the whole instance, cannot be changed by this token; whether it works is
                // looked at with everything else.
                Some(_) | None => Plan::Keep,
            });
        }
        let Some(there) = listed.iter().find(|found| found.name == kind.name) else { return Ok(Plan::Make) };
        if self.takes_over {
            return Ok(Plan::Renew(there.clone()));
        }
        let known = format!(
            "Gitea has an application {:?} already (client id {}, redirect {}), and nobody can read its secret again.",
            there.name,
            there.client_id,
            there.redirects.join(" ")
        );
        if self.person.is_here {
            let question = format!(
                "{known}\nHave Gitea make a new secret for it? Whatever uses the old one stops working"
            );
            if self.person.agrees(&question, false)? {
                return Ok(Plan::Renew(there.clone()));
            }
        }
        Err(Stop::refused(format!(
            "{known} Nothing was changed.\nIf you have the secret:  --client-id {} --client-secret-stdin\nIf nothing else \
             uses it:  --new-secret\nIf another server uses it:  --application-name {}",
            there.client_id,
            names::quoted(&format!("{} 2", kind.name))
        )))
    }
}

/// What is to be done about an application.
enum Plan {
    Keep,
    Make,
    Renew(Listed),
}

fn enter(draft: &mut Draft, kind: &Kind, made: &Made) -> Done<()> {
    draft.set(kind.id, &made.client_id)?;
    draft.set(kind.secret, made.secret.expose())
}

fn finish(
    draft: &Draft,
    reserved: super::draft::Reservation,
    folder: Option<&std::path::Path>,
) -> Done<bool> {
    paths::make(folder)?;
    paths::make_policy(draft)?;
    draft.write(reserved)
}

/// Delete what this run made; what cannot be deleted is named.
async fn take_back(workshop: &Workshop<'_>, fresh: &[(u64, String)], stop: Stop) -> Stop {
    let mut text = stop.text;
    for (id, client_id) in fresh {
        text.push_str(&match workshop.unmake(*id).await {
            Ok(()) => format!("\nThe application {client_id} that was made for this was deleted again."),
            Err(why) => {
                format!("\nDelete the application {client_id} in Gitea: it was made for this ({}).", why.text)
            }
        });
    }
    Stop { text, ..stop }
}

fn tell(draft: &Draft, found: &Found, origin: &str, is_new: bool) {
    let path = draft.path.display().to_string();
    if is_new {
        say(&format!("\nWrote {path}, for you alone (mode 0600)."));
    } else {
        say(&format!("\n{path} says all of this already: nothing was changed."));
    }
    say(&format!(
        "\n  Gitea        {}\n  this server  {origin}\n  callback     {origin}/oauth/callback\n  MCP URL      {origin}/mcp",
        found.url
    ));
    if is_new {
        say(&format!("\nIf you made a token for this, delete it now: {}", click::token_page(&found.url)));
    }
    say(&format!(
        "\nStart the server:\n  {}\nand give everybody what this prints:\n  {}",
        names::starts(draft),
        names::connects(draft, "claude-code")
    ));
    if origin.starts_with("https://") {
        say(&format!(
            "\nhttps comes from a proxy in front of port {}; `{}` looks at all of it.",
            draft.get("MCP_PORT").map_or_else(|| "8080".to_owned(), |port| port.to_string()),
            names::command(draft, "doctor")
        ));
    }
}
