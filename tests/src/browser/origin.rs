//! URLs, origins and sites, and what Chromium derives from them: `Sec-Fetch-Site`, `Origin`, `form-action`.

use super::Page;

/// `scheme://host[:port]` and the rest, which begins with a slash and has no fragment.
pub(super) fn split(url: &str) -> (String, String) {
    let (scheme, rest) = url.split_once("://").unwrap_or_else(|| panic!("{url} is no absolute URL"));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let path = path.split('#').next().unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    (format!("{}://{}", scheme.to_ascii_lowercase(), authority.to_ascii_lowercase()), path)
}

/// The origin of a URL. One without a host, such as `cursor://` or `app:/cb`, is an origin of its own.
pub(super) fn origin_of(url: &str) -> String {
    if url.contains("://") { split(url).0 } else { url.split(':').next().unwrap_or(url).to_owned() }
}

/// Host name without port.
pub(super) fn host_of(url: &str) -> String {
    let origin = origin_of(url);
    let authority = origin.split_once("://").map_or(origin.as_str(), |(_, authority)| authority);
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.to_owned(),
        _ => authority.to_owned(),
    }
}

/// Whether a URL is as good as encrypted to a browser: TLS, or this machine.
pub(super) fn trustworthy(url: &str) -> bool {
    let host = host_of(url);
    let loopback =
        host == "localhost" || host.ends_with(".localhost") || host.starts_with("127.") || host == "[::1]";
    url.starts_with("https://") || loopback
}

/// Path of a URL, without its query.
pub(super) fn path_of(url: &str) -> String {
    split(url).1.split('?').next().unwrap_or("/").to_owned()
}

/// A reference on a page made absolute.
pub(super) fn join(base: &str, reference: &str) -> String {
    let scheme = reference.split(['/', '?', '#']).next().unwrap_or_default();
    if scheme.contains(':') {
        return reference.to_owned();
    }
    let (origin, target) = split(base);
    if let Some(rest) = reference.strip_prefix("//") {
        return format!("{}://{rest}", origin.split_once("://").map_or("http", |(scheme, _)| scheme));
    }
    if reference.starts_with('/') {
        return format!("{origin}{reference}");
    }
    if reference.is_empty() {
        return format!("{origin}{target}");
    }
    let path = path_of(base);
    if reference.starts_with('?') {
        return format!("{origin}{path}{reference}");
    }
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("{origin}{folder}/{reference}")
}

/// The name under which sites are told apart: an address whole, of a name its last two labels.
fn site_of(url: &str) -> String {
    let host = host_of(url);
    let scheme = url.split(':').next().unwrap_or_default().to_owned();
    let address = host.starts_with('[') || host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if address {
        return format!("{scheme}://{host}");
    }
    let labels: Vec<&str> = host.rsplit('.').take(2).collect();
    format!("{scheme}://{}", labels.join("."))
}

/// `Sec-Fetch-Site` of a request from one URL to another.
pub(super) fn site_between(from: &str, to: &str) -> &'static str {
    if origin_of(from) == origin_of(to) {
        "same-origin"
    } else if site_of(from) == site_of(to) {
        "same-site"
    } else {
        "cross-site"
    }
}

/// The referrer policy of a page: its header's last word that is known, or its meta element's.
pub(super) fn referrer_policy(page: &Page) -> String {
    const KNOWN: [&str; 8] = [
        "no-referrer",
        "no-referrer-when-downgrade",
        "origin",
        "origin-when-cross-origin",
        "same-origin",
        "strict-origin",
        "strict-origin-when-cross-origin",
        "unsafe-url",
    ];
    let meta = super::html::meta(&page.text(), "referrer");
    let header = page.answer.header("referrer-policy").unwrap_or_default().to_ascii_lowercase();
    let words = meta.unwrap_or(header);
    let known = words.rsplit(',').map(str::trim).find(|word| KNOWN.contains(word)).map(str::to_owned);
    known.unwrap_or_else(|| "strict-origin-when-cross-origin".to_owned())
}

/// The Origin header of a form's POST (Fetch, "append a request Origin header").
pub(super) fn sent(policy: &str, from: &str, to: &str) -> String {
    let downgrade = from.starts_with("https://") && !to.starts_with("https://");
    let hidden = match policy {
        "no-referrer" => true,
        "same-origin" => origin_of(from) != origin_of(to),
        "no-referrer-when-downgrade" | "strict-origin" | "strict-origin-when-cross-origin" => downgrade,
        _ => false,
    };
    if hidden { "null".to_owned() } else { origin_of(from) }
}

/// The sources of `form-action` in a content security policy.
pub(super) fn form_action(policy: &str) -> Option<String> {
    let mut directives = policy.split([';', ',']).map(str::trim);
    directives
        .find_map(|directive| directive.strip_prefix("form-action").map(|sources| sources.trim().to_owned()))
}

/// Whether such sources let a form of the page at `page` be sent to, or redirected to, a URL.
pub(super) fn allows_form(sources: &str, page: &str, url: &str) -> bool {
    let origin = origin_of(url);
    sources.split_whitespace().any(|source| match source {
        "'none'" => false,
        "'self'" => origin == origin_of(page),
        "*" => url.starts_with("http://") || url.starts_with("https://"),
        scheme if scheme.ends_with(':') => url.starts_with(scheme),
        source if source.contains("://") => {
            let (base, path) = split(source);
            let port_free = base.strip_suffix(":*").is_some_and(|host| {
                origin == host || origin.strip_prefix(host).is_some_and(|port| port.starts_with(':'))
            });
            (origin == base || port_free) && (path == "/" || path_of(url).starts_with(&path))
        }
        host => host_of(url) == host || origin.ends_with(&format!("//{host}")),
    })
}
