//! Passwords in configuration that has a grammar: what is masked of it exactly, and what only looks like it.

use super::{Dice, base64, mask, untouched};
use crate::class::Class;

#[test]
fn masks_the_password_of_a_netrc_entry_wherever_it_stands() {
    for (before, after) in [
        ("machine git.example login me password ", ""),
        ("machine git.example\n  login me\n  password ", "\n"),
        ("machine git.example\r\n\tlogin me\r\n\tpassword ", "\r\nmachine other"),
        ("+machine git.example\n+login me\n+password ", "\n+"),
        ("machine h login me account x password ", "\n"),
        ("{\"netrc\":\"machine h\\nlogin me\\npassword ", "\\n\"}"),
    ] {
        let masked = mask(&format!("{before}hunter2{after}"));
        assert_eq!(masked, format!("{before}[redacted:netrc-password]{after}"));
    }
}

#[test]
fn leaves_what_is_no_netrc_entry() {
    for text in [
        "machine git.example login me password $TOKEN",
        "machine git.example login me password <password>",
        "machine git.example password hunter2",
        "machine learning needs a login and a password too",
        "submachine git.example login me password hunter2",
        "machine a b login me password hunter2",
        "machine h account a port b protocol c account d login me password hunter2",
        "machine git.example login me password ",
    ] {
        untouched(text);
    }
    untouched(&format!("machine h login me password {}", "a".repeat(128)));
    untouched(&format!("machine {} login me password hunter2", "h".repeat(128)));
}

#[test]
fn masks_the_auth_of_a_registry() {
    let auth = base64("me:hunter2");
    for (before, after) in [
        ("{\"auths\":{\"r.example\":{\"auth\":\"", "\"}}}"),
        ("{\n\t\"auth\": \"", "\"\n}"),
        ("\"auth\" : \"", "\""),
        ("{\\\"auth\\\":\\\"", "\\\"}"),
    ] {
        let masked = mask(&format!("{before}{auth}{after}"));
        assert_eq!(masked, format!("{before}[redacted:docker-auth]{after}"));
    }
}

#[test]
fn leaves_an_auth_that_holds_no_password() {
    for inner in [":hunter2", "me:abc", "no colon here", "me:\u{1}\u{2}\u{3}\u{4}\u{5}"] {
        untouched(&format!("{{\"auth\":\"{}\"}}", base64(inner)));
    }
    untouched(&format!("\"auth\": {}", base64("me:hunter2")));
    untouched("\"auth\": \"required\"");
}

#[test]
fn masks_the_password_of_a_connection_string_and_nothing_else_of_it() {
    for (before, after) in [
        ("Server=db;Database=app;User Id=sa;Password=", ";Encrypt=True"),
        ("Server=db;User Id=sa; Password=", ";"),
        ("\"Data Source=db;UID=sa;PWD=", "\""),
        ("jdbc:sqlserver://db:1433;database=app;user=sa;password=", ";"),
        ("host=db.example port=5432 user=app password=", " dbname=app"),
        ("conn = 'host=db dbname=app user=app password=", "'"),
        ("host=db user=app password='", "'"),
        ("{\\\"c\\\":\\\"Server=db;Uid=sa;Pwd=", "\\\"}"),
        ("uid=a;pwd=", ""),
    ] {
        let masked = mask(&format!("{before}hunter2{after}"));
        assert_eq!(masked, format!("{before}[redacted:connection-string-password]{after}"));
    }
    assert_eq!(
        mask("host=db user=app password='a b;c' x"),
        "host=db user=app password='[redacted:connection-string-password]' x"
    );
    assert_eq!(mask("uid=a;pwd=a b;"), "uid=a;pwd=[redacted:connection-string-password];");
}

#[test]
fn leaves_what_is_no_connection_string() {
    for text in [
        "x=1;password=other;",
        "var user='me';password='pw'",
        "user=app;password=$DB_PASSWORD;",
        "Server=db;User Id=sa;Password={0};",
        "Server=db;User Id=sa;Password=%PW%;",
        "Server=db;User Id=sa;Password=<secret>;",
        "Server=db;User Id=sa;Password=*****;",
        "Server=db;User Id=sa;Password=[hidden];",
        "user=app,password=hunter2",
        "user=appXpassword=hunter2",
        "the user = x and password=hunter2",
        "user=a b password=hunter2",
        "user=\"a\";password=hunter2",
        "password=hunter2",
        "superuser=app password=hunter2",
        "user=app password=",
        "def connect(host=None, user=None, password=None):",
        "connect(host=h, user=u, password=p)",
        "connect(user=f(u) password=p",
        "user=app password=given)",
        "uid=None;pwd=None;",
        "user=a;password=null;",
    ] {
        untouched(text);
    }
    untouched(&format!("uid=a;pwd={};", "b".repeat(128)));
    let far = "a".repeat(48);
    untouched(&format!("user={far} password=hunter2"));
}

#[test]
fn masks_the_lines_of_a_putty_key() {
    let mut dice = Dice(50);
    let lines: Vec<String> = (0..3).map(|_| dice.of(Class::BASE64, 64)).collect();
    for end in ["\n", "\r\n", "\\n", "\n+", "\\r\\n"] {
        let text = format!("Private-Lines: 3{end}{}{end}Private-MAC: 0a0b", lines.join(end));
        let masked = format!("Private-Lines: 3{end}[redacted:private-key]{end}Private-MAC: 0a0b");
        assert_eq!(mask(&text), masked);
    }
    untouched("Private-Lines: 3\nPrivate-MAC: 0a0b");
    untouched(&format!("Private-Lines: {}\n", lines[0]));
    untouched(&format!("Private-Lines: 3 {}", lines[0]));
    untouched("Private-Lines: \nabcdefghijklmnopqrstuvwxyzABCD0123");
}

#[test]
fn a_hash_of_crypt_may_end_in_a_dot() {
    let body = format!("{}.", "aB3/xY7z.Qw".repeat(5).get(..52).unwrap());
    let hash = format!("$2y$10${body}");
    assert_eq!(mask(&format!("me:{hash}")), "me:[redacted:password-hash]");
    assert_eq!(mask(&format!("It is {hash}.")), "It is [redacted:password-hash].");
    untouched(&format!("{hash}a"));
}
