//! People and their browsers: cookies kept by origin, and the walk through Gitea's login and consent pages. Nothing
//! is followed unless a step says so.

use std::collections::BTreeMap;

use aegis_tests::http::{Answer, send};

use crate::data::AtGitea;
use crate::fill::{form, unescaped};

/// Cookies of one browser: authority to name to value.
#[derive(Debug, Clone, Default)]
pub struct Jar(BTreeMap<String, BTreeMap<String, String>>);

impl Jar {
    /// The header for this authority, where there are cookies.
    pub fn header(&self, authority: &str) -> Option<String> {
        let own = self.0.get(authority).filter(|own| !own.is_empty())?;
        Some(own.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; "))
    }

    /// Keep what an answer sets, and drop what it takes back.
    pub fn keep(&mut self, authority: &str, answer: &Answer) {
        for (_, value) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let mut parts = value.split("; ");
            let Some((name, text)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            let own = self.0.entry(authority.to_owned()).or_default();
            if text.is_empty() || parts.any(|part| part.eq_ignore_ascii_case("max-age=0")) {
                own.remove(name);
            } else {
                own.insert(name.to_owned(), text.to_owned());
            }
        }
    }

    /// Name and value of the first cookie whose name begins so.
    pub fn named(&self, authority: &str, prefix: &str) -> Option<(String, String)> {
        let own = self.0.get(authority)?;
        own.iter()
            .find(|(name, _)| name.starts_with(prefix))
            .map(|(name, value)| (name.clone(), value.clone()))
    }
}

/// The value of a form's field in a page.
pub fn field(page: &str, name: &str) -> Option<String> {
    let input = page.split('<').find(|tag| tag.contains(&format!("name=\"{name}\"")))?;
    let value = input.split("value=\"").nth(1)?.split('"').next()?;
    let plain =
        [("&quot;", "\""), ("&#34;", "\""), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
    Some(plain.iter().fold(value.to_owned(), |text, (escaped, c)| text.replace(escaped, c)))
}

/// The value of a name in a URL's query.
pub fn query(url: &str, name: &str) -> Option<String> {
    let query = url.split_once('?')?.1.split('#').next()?;
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(known, value)| (unescaped(known), unescaped(value)))
        .find(|(known, _)| known == name)
        .map(|(_, v)| v)
}

/// Go through Gitea's pages as a person, from a URL of Gitea to the URL that leads away from it.
pub async fn at_gitea(gitea: &str, walk: &AtGitea, jar: &mut Jar) -> Result<String, String> {
    let authority = gitea.trim_start_matches("http://").to_owned();
    let mut next = ("GET", walk.url.clone(), Vec::new());
    // Login, authorize, consent, and the way back: never more than a few pages.
    for _ in 0..8 {
        let (method, url, body) = next;
        let target = url.strip_prefix(gitea).unwrap_or(&url).to_owned();
        if !target.starts_with('/') {
            return Ok(url);
        }
        let cookies = jar.header(&authority).unwrap_or_default();
        let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
        if !cookies.is_empty() {
            headers.push(("cookie", cookies.as_str()));
        }
        let body = form(&body);
        let answer = send(gitea, method, &target, &headers, body.as_bytes()).await;
        let answer = answer.map_err(|error| format!("Gitea does not answer {method} {target}: {error}"))?;
        jar.keep(&authority, &answer);
        let page = answer.text();
        next = if let Some(location) = answer.header("location") {
            ("GET", location.to_owned(), Vec::new())
        } else if page.contains("action=\"/user/login\"") && method == "GET" {
            let mut fields = vec![
                ("user_name".to_owned(), walk.person.clone()),
                ("password".to_owned(), walk.password.clone()),
            ];
            fields.extend(query(&url, "redirect_to").map(|back| ("redirect_to".to_owned(), back)));
            ("POST", "/user/login".to_owned(), fields)
        } else if page.contains("action=\"/login/oauth/grant\"") {
            let names = ["client_id", "state", "scope", "nonce", "redirect_uri"];
            let fields = names.iter().filter_map(|name| Some(((*name).to_owned(), field(&page, name)?)));
            let granted = ("granted".to_owned(), "true".to_owned());
            ("POST", "/login/oauth/grant".to_owned(), fields.chain([granted]).collect())
        } else {
            return Err(format!("{method} {target} at Gitea: {} {page}", answer.status));
        };
    }
    Err("Gitea leads in circles".to_owned())
}

#[cfg(test)]
mod tests {
    use aegis_tests::forge::{Forge, Options};
    use aegis_tests::http::send;
    use serde_json::json;

    use super::{Jar, at_gitea, query};
    use crate::data::AtGitea;
    use crate::fill::percent;

    #[tokio::test]
    async fn a_person_gets_through_the_pages_of_gitea_and_comes_back_with_a_code() {
        if !crate::sign_in_is_there() {
            return;
        }
        let forge = Forge::start(Options::default()).await;
        let body =
            json!({"name": "x", "redirect_uris": ["http://127.0.0.1:9/back"], "confidential_client": true});
        let headers = [
            ("content-type", "application/json"),
            ("authorization", "Basic cm9vdDpyb290LWhhcy1hLXBhc3N3b3Jk"),
        ];
        let made = "/api/v1/user/applications/oauth2";
        let made =
            send(&forge.url(), "POST", made, &headers, body.to_string().as_bytes()).await.expect("an answer");
        let client = made.json()["client_id"].as_str().expect("an application").to_owned();
        let back = percent("http://127.0.0.1:9/back");
        let url = format!(
            "{}/login/oauth/authorize?client_id={client}&redirect_uri={back}&response_type=code&state=s1&scope=openid",
            forge.url()
        );
        let (person, password) = ("alice".to_owned(), "alice-has-a-password".to_owned());
        let walk = AtGitea { url, person, password, browser: "b".to_owned() };
        let url = at_gitea(&forge.url(), &walk, &mut Jar::default()).await.expect("a way back");
        assert!(url.starts_with("http://127.0.0.1:9/back?"), "{url}");
        assert_eq!(query(&url, "state").as_deref(), Some("s1"));
        assert!(query(&url, "code").is_some_and(|code| code.starts_with("gta_")), "{url}");
    }
}
