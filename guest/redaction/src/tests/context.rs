//! Secrets known by what stands around them, and the ordinary text that looks alike.

use super::{Dice, base64, mask, untouched};
use crate::class::Class;
use crate::{Mode, Redactor};

const SHA: &str = "3f786850e387550fdab836ed7e6dc881de23001b";

/// A key block with lines that hold no key.
pub(super) fn block(label: &str, line_end: &str) -> String {
    let mut dice = Dice(20);
    let lines: Vec<String> = (0..4).map(|_| dice.of(Class::BASE64, 64)).collect();
    format!("-----BEGIN {label}-----{line_end}{}{line_end}-----END {label}-----", lines.join(line_end))
}

#[test]
fn masks_key_blocks_of_every_kind_up_to_their_end_line() {
    for label in [
        "PRIVATE KEY",
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "PGP PRIVATE KEY BLOCK",
    ] {
        for line_end in ["\n", "\r\n", "\\n", "\\r\\n", "\n+", "\n-", "\n ", "\n    ", "\\n\" +\n\""] {
            let text = format!("key: {}\nafter", block(label, line_end));
            assert_eq!(mask(&text), "key: [redacted:private-key]\nafter", "{label} {line_end:?}");
        }
    }
    assert_eq!(
        mask(&block("SSH2 ENCRYPTED PRIVATE KEY", "\n").replace("-----", "----").replace("----B", "---- B")),
        "[redacted:private-key]"
    );
    for (from, to) in [("-----", "----"), ("-----B", "---- B"), ("-----E", "---- E")] {
        let text = format!("{}\nafter", block("SSH2 ENCRYPTED PRIVATE KEY", "\n").replace(from, to));
        assert_eq!(mask(&text), "[redacted:private-key]\nafter", "{from} is {to}");
    }
    let url = block("RSA PRIVATE KEY", "%0A").replace(' ', "+");
    assert_eq!(mask(&url), "[redacted:private-key]");
    assert_eq!(mask(&url.replace('+', "%20")), "[redacted:private-key]");
}

#[test]
fn masks_a_block_without_an_end_to_the_end_of_the_text() {
    let whole = block("PRIVATE KEY", "\n");
    for cut in [60, 100, 200, whole.len() - 3] {
        assert_eq!(mask(&format!("a\n{}", whole.get(..cut).unwrap())), "a\n[redacted:private-key]");
    }
}

#[test]
fn a_block_directly_behind_another_is_masked_too() {
    let one = block("PRIVATE KEY", "\n");
    assert_eq!(mask(&format!("{one}{one}\nafter")), "[redacted:private-key]\nafter");
}

#[test]
fn a_token_beside_a_block_does_not_hide_it() {
    let text = format!("{}{}{}", concat!("xox", "b-"), "123456789012-abcdefghij", block("PRIVATE KEY", "\n"));
    assert_eq!(mask(&text), "[redacted:private-key]");
}

/// Lines of key material of `columns`, and a last one of `last` characters.
fn body(columns: usize, full: usize, last: usize) -> Vec<String> {
    let mut dice = Dice(77);
    let mut lines: Vec<String> = (0..full).map(|_| dice.of(Class::BASE64, columns)).collect();
    if last > 0 {
        lines.push(format!("{}=", dice.of(Class::BASE64, last - 1)));
    }
    lines
}

#[test]
fn masks_what_stands_before_an_end_line_without_a_beginning() {
    for (label, columns) in [
        ("PRIVATE KEY", 64),
        ("OPENSSH PRIVATE KEY", 70),
        ("PGP PRIVATE KEY BLOCK", 64),
        ("RSA PRIVATE KEY", 76),
    ] {
        for (full, last) in [(3, 0), (3, 2), (12, 40), (1, 0), (1, 8), (0, 44), (2, 63)] {
            for (line_end, mark) in [
                ("\n", ""),
                ("\n", "+"),
                ("\n", "-"),
                ("\n", " "),
                ("\r\n", "    "),
                ("\\n", ""),
                ("\\r\\n", ""),
            ] {
                let mut lines = body(columns, full, last);
                lines.push(format!("-----END {label}-----"));
                let hunk = lines.join(&format!("{line_end}{mark}"));
                for before in ["", "@@ -20,4 +20,5 @@", "pass = true"] {
                    let masked = mask(&format!("{before}{line_end}{mark}{hunk}{line_end}x = 1"));
                    // The mark of a removed line is one dash more before the others.
                    let open = if full == 0 && last == 0 { "" } else { mark };
                    let wanted = format!("{before}{line_end}{open}[redacted:private-key]{line_end}x = 1");
                    assert_eq!(masked, wanted, "{label} {full} {last} {line_end:?} {mark:?}");
                }
            }
        }
    }
    // A checksum of OpenPGP stands in a line of its own.
    let lines = body(64, 3, 20).join("\n");
    assert_eq!(
        mask(&format!("{lines}\n=a1B2\n-----END PGP PRIVATE KEY BLOCK-----\n")),
        "[redacted:private-key]\n"
    );
}

#[test]
fn an_end_line_takes_only_key_material_with_it() {
    let lines = body(64, 3, 20).join("\n");
    let end = "-----END PRIVATE KEY-----";
    for text in [
        format!("{lines}\n-----END CERTIFICATE-----\n"),
        format!("{lines}\nno key\n{end}\n"),
        format!("expect(text).toEndWith(\"{end}\")\n"),
        format!("abc\n{end}\n"),
        format!("{lines}\n"),
        end.to_owned(),
    ] {
        untouched(&text);
    }
    let wide = Dice(78).of(Class::BASE64, 90);
    assert_eq!(mask(&format!("{wide}\n{lines}\n{end}\n")), format!("{wide}\n[redacted:private-key]\n"));
    assert_eq!(Redactor::new(Mode::Off).clean(&format!("{lines}\n{end}\n")).secrets, 0);
}

#[test]
fn masks_the_base64_form_of_a_block_over_its_lines() {
    let encoded = base64(&block("RSA PRIVATE KEY", "\n"));
    assert_eq!(
        mask(&format!("tls.key: {encoded}\ntype: Opaque")),
        "tls.key: [redacted:private-key]\ntype: Opaque"
    );
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    assert_eq!(
        mask(&format!("k: |\n  {}\nz: 1", lines[..3].join("\n  "))),
        "k: |\n  [redacted:private-key]\nz: 1"
    );
}

#[test]
fn leaves_certificates_public_keys_and_talk_about_keys() {
    untouched(&block("CERTIFICATE", "\n"));
    untouched(&block("PUBLIC KEY", "\n"));
    untouched(&base64(&block("CERTIFICATE", "\n")));
    untouched(
        "if strings.Contains(s, \"-----BEGIN RSA PRIVATE KEY-----\") {\n\treturn errLooksLikeAKey\n}\n",
    );
}

#[test]
fn masks_the_value_of_an_authorization_header_in_any_notation() {
    for (before, value, after) in [
        ("Authorization: Bearer ", "abcd1234", ""),
        ("authorization: bearer ", "Zm9vYmFy.x", "\r\nHost: x"),
        ("curl -H 'Authorization: token ", "s3cr3tvalue", "' https://x"),
        ("\"Authorization\": \"Basic ", "dXNlcjpwYXNz", "\""),
        ("{\\\"Authorization\\\":\\\"Bearer ", "abcdefgh12", "\\\"}"),
        ("h.Set(\"Authorization\", \"Bearer ", "abcdefgh12", "\")"),
        ("Proxy-Authorization: Basic ", "dXNlcjpwYXNz", "\n"),
    ] {
        assert_eq!(
            mask(&format!("{before}{value}{after}")),
            format!("{before}[redacted:authorization-header]{after}")
        );
    }
}

#[test]
fn leaves_talk_about_authorization() {
    for text in [
        "Authorization: Bearer <token>",
        "Authorization: Bearer $TOKEN",
        "Authorization: Bearer YOUR_ACCESS_TOKEN",
        "Authorization: token ${{ secrets.GITEA_TOKEN }}",
        "authorization: basic authentication is off",
        "Authorization: Bearer access_token",
        "Authorization: Digest username=\"me\", realm=\"x\"",
        "req.Header.Set(\"Authorization\", \"token \"+cfg.Token)",
        "WWW-Authenticate: Bearer realm=\"mcp\", resource_metadata=\"https://x.example/y\"",
    ] {
        untouched(text);
    }
}

#[test]
fn a_value_that_is_a_token_of_its_own_keeps_that_name() {
    let token = format!("{}{}", concat!("gh", "p_"), "a1".repeat(18));
    assert_eq!(
        mask(&format!("Authorization: Bearer {token}")),
        "Authorization: Bearer [redacted:github-token]"
    );
    assert_eq!(mask(&format!("api_key = \"{token}\"")), "api_key = \"[redacted:github-token]\"");
}

#[test]
fn masks_passwords_in_urls_and_nothing_else_of_them() {
    for (before, password, after) in [
        ("postgres://app:", "hunter2", "@db.example:5432/app"),
        ("see <https://me:", "p%40ss", "@git.example/x.git>"),
        ("amqp://u:", "pässwort", "@[::1]/"),
        ("redis://:", "x", "@cache.example"),
        ("http://u:", "p@ss@w0rd", "@localhost:9999/a@b"),
        ("http://u:", "%70ss", "@localhost/"),
        ("http://u:", "*a", "@localhost/"),
        ("http://u:", "!!!!", "@localhost/"),
    ] {
        assert_eq!(
            mask(&format!("{before}{password}{after}")),
            format!("{before}[redacted:url-password]{after}")
        );
    }
    assert_eq!(
        mask(&format!("https://{SHA}@git.example/a/b")),
        "https://[redacted:url-password]@git.example/a/b"
    );
    assert_eq!(
        mask(&format!("https://{SHA}:x-oauth-basic@git.example/a/b")),
        "https://[redacted:url-password]@git.example/a/b"
    );
}

#[test]
fn leaves_urls_without_passwords() {
    for text in [
        "https://git.example:3000/a/b@main",
        "https://user@git.example/a",
        "ssh://git@git.example:22/a/b.git",
        "https://user:${PASSWORD}@git.example/",
        "https://user:$PASSWORD@git.example/",
        "https://user:{PASSWORD}@git.example/",
        "https://user:***@git.example/",
        "http://localhost:8080 and mail me@git.example",
    ] {
        untouched(text);
    }
}

#[test]
fn masks_forty_hex_digits_only_as_a_key() {
    for before in [
        "GITEA_TOKEN=",
        "token: ",
        "\"sha1_token\": \"",
        "?access_token=",
        "export TOKEN='",
        "gitea api-key is ",
    ] {
        assert_eq!(mask(&format!("{before}{SHA}")), format!("{before}[redacted:gitea-token]"));
    }
    for text in [
        format!("commit {SHA}"),
        format!("token handling, commit {SHA}"),
        format!("https://gitea.example/a/b/commit/{SHA}"),
        format!("https://gitea.example/a/b/archive/{SHA}.tar.gz"),
        format!("uses: actions/create-token@{SHA}"),
        format!("{{\"path\":\"secret.txt\",\"sha\":\"{SHA}\"}}"),
        format!("{{\"name\":\"token\",\"last_commit_sha\":\"{SHA}\"}}"),
        format!("{SHA}\trefs/heads/fix-token"),
        format!("token {SHA}0"),
        format!("token {}", SHA.get(1..).unwrap()),
        format!("token {SHA}{SHA}"),
    ] {
        untouched(&text);
    }
}

#[test]
fn masks_assigned_values_that_a_machine_made() {
    let value = "k3J9xQ2mW8rT5vB1";
    for (before, after) in [
        ("password = \"", "\""),
        ("\"client_secret\": \"", "\","),
        ("{\\\"api_key\\\": \\\"", "\\\"}"),
        ("'db_password' => '", "',"),
        ("DB_PASSWORD=", "\nHOST=x"),
        ("secret_key: ", ""),
        ("?api_key=", "&page=2"),
        ("-api-key: `", "`"),
    ] {
        assert_eq!(
            mask(&format!("{before}{value}{after}")),
            format!("{before}[redacted:assigned-secret]{after}")
        );
    }
}

#[test]
fn a_bare_value_is_a_constant_only_in_capitals_with_an_underscore() {
    for value in ["K3J9XQ2MW8RT5VB1", "k3J9x_2mW8rT5vB1"] {
        assert_eq!(mask(&format!("DB_PASSWORD={value}\n")), "DB_PASSWORD=[redacted:assigned-secret]\n");
    }
    untouched("DB_PASSWORD=K3J9X_2MW8RT5VB1\n");
    assert_eq!(mask("DB_PASSWORD=\"K3J9X_2MW8RT5VB1\""), "DB_PASSWORD=\"[redacted:assigned-secret]\"");
}

#[test]
fn only_a_whole_uuid_is_one() {
    for value in ["3f25a4e0-4f89-1ad3", "3f25a4e0c4f8-91ad3b2c7d9e1f"] {
        assert_eq!(
            mask(&format!("secret: \"{value}\"")),
            "secret: \"[redacted:assigned-secret]\"",
            "{value}"
        );
    }
}

#[test]
fn leaves_assigned_values_that_a_person_wrote() {
    for text in [
        "password = \"correct-horse-battery-staple\"",
        "token = \"config/oauth2/v1/token2/x3\"",
        "secret: \"550e8400-e29b-41d4-a716-446655440000\"",
        "password: String = String::from(\"short1a2b3c\")",
        "let token = parse_base64_v2_token3(input4)?;",
        "secretName: gateway-tls-2024-production",
        "token_url = \"https://git.example/login/oauth2/v1x2y3z4\"",
        "password = \"${DB_PASSWORD_1a2b3c4d5e6f}\"",
        "token = \"pkcs-9-at-pkcs15Token\"",
        "ReturnTypeToken: D3D10_SB_RESOURCERETURN4TYPE,",
        "PASSWORD=aaaaaaaaaaaaaaaaaaaaaaaa1",
        "PASSWORD=abcdefghijklmnop1234",
        "token = \"srv1a2b3c4d5e/e6f7g8h9x/i0j1k2l3m\"",
    ] {
        untouched(text);
    }
}

#[test]
fn an_earlier_mask_is_opaque_and_a_made_up_one_is_not() {
    untouched(&format!("[redacted:gitea-token] {SHA}"));
    let token = format!("{}{}", concat!("np", "m_"), "b2".repeat(18));
    assert_eq!(mask(&format!("[redacted:{token}]")), "[redacted:[redacted:npm-token]]");
}
