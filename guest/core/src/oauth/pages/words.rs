//! What each page says: to the person what happened and what to do, to the operator where to look.
//!
//! Constants only, so that no page can repeat what somebody sent.

/// The words of a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    /// Title and heading.
    pub(super) title: &'static str,
    /// What happened.
    pub(super) happened: &'static str,
    /// What the person can do.
    pub(super) todo: &'static [&'static str],
    /// Whether that is one thing or the other, instead of one after the other.
    pub(super) either: bool,
    /// For the operator.
    pub(super) operator: &'static str,
    /// Whether a link to the person's applications in Gitea helps.
    pub(super) settings: bool,
}

const fn words(
    title: &'static str,
    happened: &'static str,
    todo: &'static [&'static str],
    operator: &'static str,
) -> Words {
    Words { title, happened, todo, either: false, operator, settings: false }
}

impl Words {
    const fn either(mut self) -> Self {
        self.either = true;
        self
    }
}

/// The steps that undo a grant in Gitea.
const REVOKE: &[&str] = &[
    "Open your applications in Gitea with the button below.",
    "Under “Authorized OAuth2 applications”, revoke the one that belongs to this server.",
    "Go back to your assistant, connect again, and authorize the application anew when Gitea asks.",
];

/// A refusal that is the client's to hear, where no client may be told.
pub(super) const fn request(description: &'static str) -> Words {
    words("This sign-in cannot go on", MALFORMED.happened, RECONNECT, description)
}

const RECONNECT: &[&str] = &["Go back to your assistant and connect again. Nothing was changed in Gitea."];

const ADD_AGAIN: &[&str] = &[
    "In your assistant, remove the connection to this server.",
    "Add it again and connect. If that leads here too, send the operator the request id below.",
];

const ASK: &[&str] = &["Send the operator of this server the request id at the end of this page."];

pub(super) const MALFORMED: Words = words(
    "This sign-in link is not complete",
    "Your assistant sent a request that cannot be read. The link may have been cut when it was copied.",
    &["Go back to your assistant and connect again; if you copied the link, copy all of it."],
    "The query of the authorization request is not form-encoded, not UTF-8, longer than 16 KiB, or has more than \
     32 parameters.",
);

pub(super) const REPEATED: Words = words(
    "This sign-in link says something twice",
    "A part of the request stands in it more than once, so that two programs could read it in two ways. It is not \
     used.",
    RECONNECT,
    "OAuth error invalid_request: a parameter of the authorization request is repeated (RFC 6749 section 3.1).",
);

pub(super) const CLIENT_MISSING: Words = words(
    "This sign-in link does not say for whom",
    "The request names no program that wants to connect.",
    &["Open this page from your assistant: it makes the whole link by itself."],
    "The parameter client_id is missing, longer than 4096 bytes or not visible ASCII.",
);

pub(super) const CLIENT_UNKNOWN: Words = words(
    "This program is not known here",
    "The program that wants to connect is not registered with this server. It may have been registered with another \
     one, or under settings that have changed since.",
    ADD_AGAIN,
    "No registration stands behind the client_id: it was made by another server or under another OAUTH_STATE_SECRET, \
     was cut, or is not in OAUTH_CLIENTS_FILE.",
);

pub(super) const CLIENT_REVOKED: Words = words(
    "This program may no longer connect",
    "The operator of this server has withdrawn its registration.",
    &["If you did not expect this, ask the operator before you connect again."],
    "The client was revoked; `aegis-mcp clients list` shows it.",
);

pub(super) const CLIENT_HOST: Words = words(
    "Programs of this publisher are not accepted",
    "The program that wants to connect is published on a site that the operator of this server has not allowed.",
    &["If you trust the program, ask the operator to allow its publisher."],
    "The host of the client_id is not in CIMD_ALLOWED_HOSTS.",
);

pub(super) const CLIENT_DOCUMENT: Words = words(
    "This program cannot be checked",
    "The publisher’s description of the program that wants to connect could not be fetched or is not valid, so nobody \
     can tell whether it is what it says.",
    &["Try again in a few minutes. If this page stays, send the operator the request id below."],
    "The metadata document behind the client_id cannot be used.",
);

pub(super) const REDIRECT_MISSING: Words = words(
    "This sign-in link does not say where to return",
    "The request names no address to send you back to when you have signed in.",
    RECONNECT,
    "The parameter redirect_uri is missing. It is required of every client.",
);

pub(super) const REDIRECT_REFUSED: Words = words(
    "You would be sent to an address that is not accepted",
    "The program wants you to be sent to an address that is not safe for signing in. You stay here.",
    &[
        "If somebody sent you this link, close this page: it may have been meant to give somebody access to your account.",
        "If your assistant opened it, send the operator the request id below.",
    ],
    "The redirect_uri is refused. An exact one can be allowed in OAUTH_REDIRECT_ALLOWLIST.",
)
.either();

pub(super) const REDIRECT_NOT_REGISTERED: Words = words(
    "You would be sent somewhere else than agreed",
    "The address that you would be sent back to is not one that this program registered. You stay here.",
    &[
        "If somebody sent you this link, close this page: it may have been meant to give somebody access to your account.",
        "If your assistant opened it, remove the connection there, add it again and connect.",
    ],
    "The redirect_uri is not among those of the client. It is compared byte for byte, save the port of a loopback \
     address.",
)
.either();

pub(super) const TOO_MANY: Words = words(
    "Too many sign-ins from your network",
    "This server takes only so many of them a minute from one address, and yours has used them up. Nothing is lost.",
    &["Wait a minute, then reload this page."],
    "LOGIN_RATE_LIMIT_PER_MINUTE is used up for this address. Where many people share one, raise it; behind a proxy, \
     check that TRUSTED_PROXIES names it.",
);

pub(super) const UNAVAILABLE: Words = words(
    "Signing in is not possible at the moment",
    "This server cannot keep a sign-in safe just now, so it does not begin one.",
    &["Try again later. If this page stays, send the operator the request id below."],
    "The request could not be sealed or the way on could not be built: check OAUTH_STATE_SECRET and PUBLIC_BASE_URL, \
     and run `aegis-mcp doctor`.",
);

pub(super) const CONSENT_FOREIGN: Words = words(
    "This approval did not come from our page",
    "Your browser says that another page sent it. Nothing was approved.",
    &[
        "If you pressed Approve on this server’s own page: go back to your assistant and connect again, without \
         extensions that change requests.",
        "If you did not, somebody tried to approve in your name. You need not do anything.",
    ],
    "Neither was Origin equal to PUBLIC_BASE_URL, nor was Sec-Fetch-Site same-origin without an Origin. A proxy that \
     drops or rewrites Origin does this, and so does a browser that reached the server by another name.",
)
.either();

pub(super) const CONSENT_MALFORMED: Words = words(
    "This approval cannot be read",
    "The answer of the page did not arrive whole. Nothing was approved.",
    RECONNECT,
    "The body is not the form of the consent page, or a field of it is missing, repeated or unknown.",
);

pub(super) const CONSENT_FORGED: Words = words(
    "This approval is not for a request of ours",
    "What was approved did not come from this server, or the server has been given new keys meanwhile. Nothing was \
     approved.",
    RECONNECT,
    "The sealed request does not open. After a change of OAUTH_STATE_SECRET pages that were open do this once.",
);

pub(super) const CONSENT_EXPIRED: Words = words(
    "This page is no longer good",
    "An approval page is good for one answer, and for 10 minutes. This one is older, or its answer was sent before; what \
     was answered first stands. Nothing was approved just now.",
    &["If your assistant says that it is connected, all is well: close this page.", "Otherwise go back to it and connect again."],
    "The sealed request is more than 10 minutes old, or was answered before, perhaps in another way; then the log says \
     consent_used.",
)
.either();

pub(super) const WRITES_OFF: Words = words(
    "Changes are switched off here",
    "You approved changes, but this server does not make any at the moment. Nothing was approved.",
    &["Go back to your assistant, connect again and choose reading only."],
    "WRITE_MODE is off.",
);

pub(super) const CALLBACK_MALFORMED: Words = words(
    "Gitea’s answer cannot be read",
    "What brought you here from Gitea is not complete. You are not signed in.",
    RECONNECT,
    "The callback carries no state, neither or both of code and error, or a parameter twice.",
);

pub(super) const STATE_INVALID: Words = words(
    "This sign-in is not known here",
    "It was not begun on this server, or the server was restarted meanwhile. You are not signed in.",
    RECONNECT,
    "The state does not open. Sign-ins under way do not survive a restart.",
);

pub(super) const STATE_EXPIRED: Words = words(
    "This sign-in took too long",
    "You have 10 minutes from the approval until you come back from Gitea. You are not signed in.",
    &["Start again from your assistant. If you have to sign in to Gitea first, do that beforehand."],
    "The state is more than 10 minutes old.",
);

pub(super) const OTHER_BROWSER: Words = words(
    "This sign-in cannot end here",
    "A sign-in ends once, in the browser in which you pressed Approve. This browser does not have its cookie: it is \
     another one, it has lost the cookie, as browsers inside other apps and private windows do, or the sign-in is over \
     and its page was opened again.",
    &[
        "If your assistant says that it is connected, all is well: close this page.",
        "If somebody sent you a link, close this page: it would have given them access to your account.",
        "Otherwise start again from your assistant, and open the sign-in link in your usual browser, with cookies \
         allowed for this site. Stay in that browser to the end.",
    ],
    "The cookie of the flow is missing, used up or another’s. Check that no proxy removes Cookie or Set-Cookie, and that \
     PUBLIC_BASE_URL is the address that people open.",
)
.either();

pub(super) const STATE_USED: Words = words(
    "This sign-in was already used",
    "Each one works once. This page has been opened before: by going back, by reloading, or by a program that looks at \
     links; or the same page was approved twice, and the other one came back first. If your assistant says that it is \
     connected, all is well.",
    &["If it does not, start again from your assistant."],
    "The state was used before, or another of the same approval page. Link scanners and browsers that load pages ahead do \
     this too.",
);

pub(super) const GITEA_ERROR: Words = words(
    "Gitea did not let you through",
    "Gitea answered with an error of its own. You are not signed in.",
    &["Start again from your assistant.", "If it happens again, send the operator the request id below."],
    "Gitea sent the browser back with an error; the audit trail has its name. Check the application in Gitea: its \
     redirect URI is PUBLIC_BASE_URL followed by /oauth/callback.",
);

pub(super) const CODE_REFUSED: Words = words(
    "Gitea did not confirm the sign-in",
    "Gitea does not accept the code that it gave your browser, perhaps because it was used before. You are not signed \
     in.",
    RECONNECT,
    "Gitea’s token endpoint refused the code.",
);

pub(super) const APPLICATION_REFUSED: Words = words(
    "Gitea does not accept this server",
    "The way this server is set up in Gitea has to be put right by its operator. You are not signed in.",
    ASK,
    "Gitea refused the client id or secret: compare GITEA_OAUTH_CLIENT_ID and GITEA_OAUTH_CLIENT_SECRET with the \
     application in Gitea, then run `aegis-mcp doctor`.",
);

pub(super) const GITEA_UNAVAILABLE: Words = words(
    "Gitea cannot be reached",
    "This server could not ask Gitea who you are, or had no answer in time. You are not signed in.",
    &["Wait a few minutes, then connect again from your assistant."],
    "Gitea did not answer in time or not in a form that can be read. `aegis-mcp doctor` tries every step.",
);

pub(super) const IDENTITY_INVALID: Words = words(
    "Gitea’s answer does not prove who you are",
    "The proof that came with Gitea’s answer does not hold. To be safe, you are not signed in.",
    ASK,
    "The ID token fails a check (signature, issuer, audience or times). Compare the clocks, and GITEA_URL with \
     Gitea’s ROOT_URL.",
);

pub(super) const OVERTAKEN: Words = words(
    "Another sign-in came in between",
    "Gitea keeps one sign-in of a person at a time, and its answer belongs to another one than this. Probably you, or an \
     assistant of yours, began another sign-in while this one was under way. You are not signed in by this one.",
    &[
        "If your assistant says that it is connected, all is well: close this page.",
        "Otherwise start again from it, and finish one sign-in before you begin the next.",
    ],
    "The nonce of the ID token is that of another sign-in: two sign-ins of one person crossed each other. Nothing has to be \
     mended. Should it last while nobody signs in twice, something changes the requests to Gitea.",
)
.either();

pub(super) const OTHER_PERSON: Words = words(
    "Somebody else approved this in this browser",
    "This browser remembered another person’s approval, and you are signed in to Gitea as yourself. To be safe, nothing \
     was connected.",
    &["Start again from your assistant: this time you are asked yourself."],
    "A remembered approval is for the person who gave it. It has been forgotten, so the consent page is shown again.",
);

pub(super) const CODE_NOT_ISSUED: Words = words(
    "You are signed in, but your assistant is not connected",
    "Gitea has confirmed who you are, and then this server could not hand over to your assistant.",
    &["Start again from your assistant. If this page comes again, send the operator the request id below."],
    "No code was issued: the client was revoked meanwhile, or too many codes wait to be redeemed. The log has the \
     reason as code_not_issued.",
);

pub(super) const GRANT_TOO_NARROW: Words = Words {
    title: "Gitea grants less than this server needs",
    happened: "You authorized this server in Gitea before, with fewer permissions than reading needs, and Gitea keeps \
               to that until you revoke it.",
    todo: REVOKE,
    either: false,
    operator: "The grant lacks part of the read scopes. Gitea never widens a grant; the person has to revoke it.",
    settings: true,
};

pub(super) const GRANT_TOO_WIDE: Words = Words {
    title: "Gitea grants more than this server wants",
    happened: "Your authorization in Gitea holds permissions that this server never asks for. It does not take them, \
               so you are not signed in.",
    todo: REVOKE,
    either: false,
    operator: "The grant holds unknown scopes or full access: it was made by something else with the same application, \
               or with other scopes. Use an application in Gitea for this server alone.",
    settings: true,
};

pub(super) const NOT_ALLOWED: Words = words(
    "Your account may not use this server",
    "Gitea has confirmed who you are, but the operator has not opened this server to your account.",
    &["Ask the operator for access, and give the request id below."],
    "SIGNIN_ALLOW does not admit this account.",
);
