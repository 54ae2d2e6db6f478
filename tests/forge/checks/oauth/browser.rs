//! The browser of the tests: it does what Chromium does where a login depends on it.

use std::sync::{Arc, Mutex};

use aegis_tests::browser::{Arrived, Browser};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{Place, READING};
use aegis_tests::forge::world::password;

/// A server that gives each path its answer and remembers the head and body of every request.
struct Site {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Site {
    async fn new(pages: Vec<(&'static str, String)>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                let mut piece = [0; 4096];
                while !whole(&request) {
                    match stream.read(&mut piece).await {
                        Ok(read) if read > 0 => request.extend_from_slice(&piece[..read]),
                        _ => break,
                    }
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let path = request.split_whitespace().nth(1).unwrap_or_default().to_owned();
                log.lock().expect("not poisoned").push(request);
                let page =
                    pages.iter().find(|(known, _)| *known == path.split('?').next().unwrap_or_default());
                let answer =
                    page.map_or("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", |(_, page)| page);
                let _gone = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { port, seen }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn last(&self) -> String {
        self.seen.lock().expect("not poisoned").last().cloned().unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<String> {
        let request = self.last();
        let line = request.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")))?;
        line.split_once(": ").map(|(_, value)| value.to_owned())
    }
}

fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.to_ascii_lowercase();
    let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn page(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

fn redirect(status: u16, to: &str) -> String {
    format!("HTTP/1.1 {status} Moved\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
}

const FORM: &str = r#"<!-- <form action="/no"> --><script>"<form>"</script><FORM id=f action='/send?a=1' method=POST>
<input type=hidden name="csrf" value="a&amp;b&#x27;&quot;"><input name=text value=""><input type=checkbox name=box value=yes>
<input type=checkbox name=on checked><select name=pick><option value=1>one<option value=2 selected>two</select>
<textarea name=note>
x &lt; y</textarea><input name=off value=1 disabled><button name=go value=yes>Yes</button><button name=go value=no>No</button></FORM>
<form action="other"><input name=q value=1></form>"#;

#[tokio::test]
async fn sends_what_the_form_holds_with_one_button() {
    let site =
        Site::new(vec![("/", page("", FORM)), ("/send", page("", "")), ("/other", page("", ""))]).await;
    let mut browser = Browser::new();
    let first = browser.get(&site.url("/")).await;
    assert_eq!(first.forms().len(), 2);
    browser.submit(&first.form("send"), &[("text", "ü &=+")]).await;
    let sent = site.last();
    assert!(sent.starts_with("POST /send?a=1 "), "{sent}");
    let body = sent.rsplit("\r\n").next().expect("a body");
    assert_eq!(body, "csrf=a%26b%27%22&text=%C3%BC+%26%3D%2B&on=on&pick=2&note=x+%3C+y&go=yes");
    browser.get(&site.url("/")).await;
    browser.submit(&first.form("send"), &[("go", "no"), ("box", "yes")]).await;
    assert!(site.last().ends_with("&go=no&box=yes"), "{}", site.last());
    browser.submit(&first.form("other"), &[]).await;
    assert!(site.last().starts_with("GET /other?q=1 "));
}

#[tokio::test]
#[should_panic(expected = "has no field \"tpyo\"")]
async fn refuses_to_fill_a_field_that_is_not_there() {
    let site = Site::new(vec![("/", page("", FORM))]).await;
    let mut browser = Browser::new();
    let form = browser.get(&site.url("/")).await.form("send");
    browser.submit(&form, &[("tpyo", "x")]).await;
}

#[tokio::test]
async fn keeps_cookies_as_a_browser_keeps_them() {
    let set = "set-cookie: __Host-flow=1; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600\r\n\
        set-cookie: __Host-bad=1; Path=/deep; Secure\r\nset-cookie: __Host-domain=1; Path=/; Secure; Domain=127.0.0.1\r\n\
        set-cookie: __Host-plain=1; Path=/\r\nset-cookie: deep=1; Path=/deep\r\nset-cookie: session=1; Path=/\r\n\
        set-cookie: strict=1; Path=/; SameSite=Strict\r\nset-cookie: none=1; Path=/; SameSite=None\r\n\
        set-cookie: elsewhere=1; Path=/; Domain=example.com\r\n";
    let gone = "set-cookie: session=; Path=/; Max-Age=0\r\n";
    let site =
        Site::new(vec![("/", page(set, "")), ("/out", page(gone, "")), ("/deep/x", page("", ""))]).await;
    let mut browser = Browser::new();
    browser.get(&site.url("/")).await;
    assert_eq!(browser.cookies(&site.url("/")), ["__Host-flow", "session", "strict"]);
    browser.get(&site.url("/deep/x")).await;
    assert_eq!(site.header("cookie").as_deref(), Some("deep=1; __Host-flow=1; session=1; strict=1"));
    assert_eq!(browser.cookies(&site.url("/deeper")), ["__Host-flow", "session", "strict"]);
    let by_name = site.url("/").replace("127.0.0.1", "localhost");
    assert_eq!(browser.cookies(&by_name), [] as [&str; 0], "another host");
    let other_port = Site::new(vec![("/", page("", ""))]).await;
    browser.get(&other_port.url("/")).await;
    assert!(other_port.header("cookie").is_some(), "a port makes no difference to cookies");
    browser.get(&site.url("/out")).await;
    browser.pass(599);
    assert_eq!(browser.cookies(&site.url("/")), ["__Host-flow", "strict"]);
    browser.pass(1);
    assert_eq!(browser.cookies(&site.url("/")), ["strict"]);
    browser.forget_cookies();
    assert_eq!(browser.cookies(&site.url("/")), [] as [&str; 0]);
}

#[tokio::test]
async fn a_foreign_site_sends_a_form_without_cookies_and_opens_a_page_with_the_lax_ones() {
    let set = "set-cookie: lax=1; Path=/\r\nset-cookie: strict=1; Path=/; SameSite=Strict\r\n";
    let site = Site::new(vec![("/", page(set, "")), ("/send", page("", ""))]).await;
    let mut browser = Browser::new();
    browser.get(&site.url("/")).await;
    browser.stand_at("https://evil.example/page");
    browser.post(&site.url("/send"), &[("x", "1")]).await;
    let sent = |name: &str| site.header(name);
    assert_eq!((sent("cookie"), sent("sec-fetch-site").as_deref()), (None, Some("cross-site")));
    assert_eq!(sent("origin").as_deref(), Some("null"), "from TLS to none the origin is hidden");
    browser.stand_at("http://evil.example/page");
    browser.post(&site.url("/send"), &[]).await;
    assert_eq!(sent("origin").as_deref(), Some("http://evil.example"));
    browser.stand_at("https://evil.example/page");
    browser.click(&site.url("/send")).await;
    assert_eq!((sent("cookie").as_deref(), sent("origin")), (Some("lax=1"), None));
    browser.get(&site.url("/send")).await;
    assert_eq!(
        (sent("cookie").as_deref(), sent("sec-fetch-site").as_deref()),
        (Some("lax=1; strict=1"), Some("none"))
    );
}

#[tokio::test]
async fn names_the_origin_of_the_page_unless_its_policy_hides_it() {
    for (headers, meta, expected) in [
        ("", "", None),
        ("referrer-policy: same-origin\r\n", "", None),
        ("referrer-policy: no-referrer\r\n", "", Some("null")),
        ("", "<meta name=referrer content=no-referrer>", Some("null")),
    ] {
        let source = format!("{meta}<form method=post action=/send><button></form>");
        let site = Site::new(vec![("/", page(headers, &source)), ("/send", page("", ""))]).await;
        let mut browser = Browser::new();
        let form = browser.get(&site.url("/")).await.form("send");
        browser.submit(&form, &[]).await;
        let own = site.url("");
        assert_eq!(site.header("origin").as_deref(), Some(expected.unwrap_or(&own)), "{headers}{meta}");
        assert_eq!(site.header("sec-fetch-site").as_deref(), Some("same-origin"));
    }
}

#[tokio::test]
async fn takes_redirects_one_at_a_time_and_stops_where_it_is_told() {
    let away = "https://client.example/cb?code=1";
    let site = Site::new(vec![
        ("/c", redirect(302, away)),
        ("/keep", redirect(307, "/c")),
        ("/b", redirect(303, "c")),
    ])
    .await;
    let from = Site::new(vec![("/a", redirect(303, &site.url("/b")))]).await;
    let mut browser = Browser::new();
    browser.get(&from.url("/a")).await;
    let arrived = browser.follow_until(|url| url.starts_with("https://client.example/")).await;
    assert_eq!(arrived.stopped().as_deref(), Some(away));
    let trail: Vec<(&str, u16)> = browser.trail().iter().map(|hop| (hop.url.as_str(), hop.status)).collect();
    assert_eq!(
        trail,
        [(from.url("/a").as_str(), 303), (site.url("/b").as_str(), 303), (site.url("/c").as_str(), 302)]
    );
    browser.stand_at(&from.url("/"));
    browser.post(&site.url("/keep"), &[("x", "1")]).await;
    browser.follow().await;
    assert!(site.last().starts_with("POST /c ") && site.last().ends_with("x=1"), "307 repeats the request");
    assert_eq!(site.header("sec-fetch-site").as_deref(), Some("same-site"), "another port is the same site");
    assert_eq!(site.header("origin"), Some(from.url("")), "{}", site.last());
}

#[tokio::test]
async fn walks_a_login_from_a_server_to_gitea_and_back_to_its_client() {
    for place in Place::all().await {
        let client = "https://client.example/cb";
        let app = place.app("http://localhost:7/oauth/callback", true).await;
        let authorize = place.authorize(&app, READING, &[]);
        let start = format!(
            "HTTP/1.1 303 See\r\nset-cookie: __Host-flow=one; Path=/; Secure; HttpOnly; SameSite=Lax\r\n\
             location: {authorize}\r\ncontent-length: 0\r\n\r\n"
        );
        let consent = "<form method=post action=/oauth/authorize><button name=decision value=approve>Yes</button></form>";
        let callback = redirect(302, &format!("{client}?code=ours&state=theirs"));
        let pages =
            vec![("/", page("", consent)), ("/oauth/authorize", start), ("/oauth/callback", callback)];
        let site = Site::new(pages).await;
        let ours = format!("http://localhost:{}", site.port);
        let mut browser = Browser::new();
        let form = browser.get(&format!("{ours}/")).await.form("approve");
        browser.submit(&form, &[]).await;
        let back = browser.sign_in_at_gitea(&place.login_of("bob"), &password("bob")).await;
        let back = back.stopped().expect("the callback");
        assert!(back.starts_with("http://localhost:7/oauth/callback?code=gta_"), "{back}");
        // The port is the test's own: the registered redirect cannot know it.
        browser.click(&back.replace("localhost:7", &format!("localhost:{}", site.port))).await;
        let (cookie, from) = (site.header("cookie"), site.header("sec-fetch-site"));
        assert_eq!((cookie.as_deref(), from.as_deref()), (Some("__Host-flow=one"), Some("cross-site")));
        let left = browser.follow_until(|url| url.starts_with(client)).await.stopped();
        assert_eq!(left.as_deref(), Some("https://client.example/cb?code=ours&state=theirs"));
        assert!(browser.trail().iter().all(|hop| !hop.url.starts_with(client)), "the client was not asked");
    }
}

#[tokio::test]
async fn a_form_action_policy_binds_the_redirects_of_a_form_too() {
    let target = Site::new(vec![("/login", page("", ""))]).await;
    let to = target.url("/login");
    for (policy, expected) in [
        ("form-action 'self'".to_owned(), false),
        (format!("default-src 'none'; form-action 'self' {}", target.url("")), true),
        ("form-action 'self' http:".to_owned(), true),
        ("default-src 'none'".to_owned(), true),
    ] {
        let headers = format!("content-security-policy: {policy}\r\n");
        let form = page(&headers, "<form method=post action=/send><button></form>");
        let site = Site::new(vec![("/", form), ("/send", redirect(303, &to))]).await;
        let mut browser = Browser::new();
        let form = browser.get(&site.url("/")).await.form("send");
        browser.submit(&form, &[]).await;
        match browser.follow_until(|_| false).await {
            Arrived::Page(page) => assert!(expected && page.url == to, "{policy}"),
            Arrived::Blocked(url) => assert!(!expected && url == to, "{policy}"),
            Arrived::Stopped(url) => panic!("{url}"),
        }
    }
}
