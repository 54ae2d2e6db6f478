use super::{
    FORBIDDEN_QUERY, MAX_TARGET, Method, READ_ROWS, Refused, Touches, WRITE_ROWS, build, parse, target,
};

const CONTENTS: &str = "/repos/{owner}/{repo}/contents-ext/{path...}";
const NO_QUERY: &[(&str, &str)] = &[];

/// Spelling alone, whatever the list says.
fn get(template: &str, segments: &[&str]) -> Result<String, Refused> {
    build(template, segments, NO_QUERY)
}

fn query(pairs: &[(&str, &str)]) -> Result<String, Refused> {
    build("/repos/search", &[] as &[&str], pairs)
}

fn path(value: &str) -> Result<String, Refused> {
    get(CONTENTS, &["alice", "demo", value])
}

fn is_segment(result: &Result<String, Refused>) -> bool {
    matches!(result, Err(Refused::Segment { .. }))
}

fn is_template(result: &Result<String, Refused>) -> bool {
    matches!(result, Err(Refused::Template(_)))
}

#[test]
fn builds_a_read_from_template_values_and_query() {
    let built = target(
        Method::Get,
        CONTENTS,
        &["alice", "demo", "src/main.rs"],
        &[("ref", "feature/x"), ("includes", "file_content,lfs_metadata")],
        false,
    );
    assert_eq!(
        built.as_deref(),
        Ok("/repos/alice/demo/contents-ext/src/main.rs?ref=feature%2Fx&includes=file_content%2Clfs_metadata")
    );
}

#[test]
fn a_template_without_placeholders_is_itself() {
    assert_eq!(get("/version", &[]).as_deref(), Ok("/version"));
}

#[test]
fn a_placeholder_may_carry_a_plain_ending() {
    assert_eq!(
        get("/repos/{owner}/{repo}/pulls/{index}.diff", &["alice", "demo", "7"]).as_deref(),
        Ok("/repos/alice/demo/pulls/7.diff")
    );
}

#[test]
fn a_slash_in_a_one_segment_value_stays_inside_the_segment() {
    assert_eq!(
        get("/repos/{owner}/{repo}/git/commits/{sha}", &["alice", "demo", "feature/x"]).as_deref(),
        Ok("/repos/alice/demo/git/commits/feature%2Fx")
    );
}

// U1: nothing but Gitea's own alphabet reaches the place of an owner or a repository.
#[test]
fn refuses_names_outside_gitea_s_alphabet() {
    let long = "a".repeat(300);
    let bad = [
        ".", "..", "a/b", "a%2fb", "%2e%2e", "a?x", "a#x", "a\\b", "a\0b", "a;b", "", &long, "a／b", "．．",
        "a b", "ä", "a\r\nb", "a:b", "a@b", "a&b", "a=b", "a+b",
    ];
    for name in bad {
        for (template, segments) in [
            ("/repos/{owner}/{repo}", [name, "demo"].as_slice()),
            ("/repos/{owner}/{repo}", &["alice", name]),
            ("/repos/{x}/{y}", &["alice", name]),
            ("/repos/{x}/{y}/issues/{index}/comments", &[name, "demo", "1"]),
            ("/orgs/{org}/repos", &[name]),
            ("/users/{username}", &[name]),
        ] {
            assert!(is_segment(&get(template, segments)), "{template} with {name:?} was not refused");
        }
    }
}

#[test]
fn refuses_the_endings_that_make_a_second_name_for_a_repository() {
    for name in ["demo.git", "demo.GIT", "demo.wiki", "demo.rss", "demo.atom", ".git"] {
        assert!(is_segment(&get("/repos/{owner}/{repo}", &["alice", name])), "{name}");
    }
    assert_eq!(
        get("/repos/{owner}/{repo}", &["al.git", "demo.gitea"]).as_deref(),
        Ok("/repos/al.git/demo.gitea")
    );
}

#[test]
fn the_rest_of_a_path_cannot_replace_owner_and_repository() {
    assert!(is_segment(&get("/repos/{rest...}", &["alice/de;mo/issues"])));
    assert!(is_segment(&get("/repos/{rest...}", &["alice/demo.git/issues"])));
    assert!(is_segment(&get("/repos/{owner}/{rest...}", &["alice", "../admin"])));
    assert!(is_template(&get("/{rest...}", &["admin/users"])));
}

#[test]
fn accepts_every_character_that_gitea_allows_in_names() {
    let name = "A-z_0.9";
    assert_eq!(get("/repos/{owner}/{repo}", &[name, name]).as_deref(), Ok("/repos/A-z_0.9/A-z_0.9"));
    let longest = "r".repeat(100);
    assert!(get("/repos/{owner}/{repo}", &["alice", &longest]).is_ok());
    assert!(is_segment(&get("/repos/{owner}/{repo}", &["alice", &format!("{longest}r")])));
}

// U2: paths, refs, branches and labels.
#[test]
fn refuses_paths_that_do_not_name_one_place() {
    let bad = [
        "",
        "/",
        "/etc/passwd",
        "a/",
        "a//b",
        "//a",
        ".",
        "..",
        "./a",
        "a/.",
        "a/./b",
        "a/../b",
        "../a",
        "a/..",
        "../../../admin",
        "a\\b",
        "..\\a",
        "a\nb",
        "a\0",
        "\u{7f}",
        "a\u{85}b",
        "\t",
        "a/\u{1b}[0m",
    ];
    for value in bad {
        assert!(is_segment(&path(value)), "path {value:?} was not refused");
        let in_one = get("/repos/{owner}/{repo}/git/trees/{sha}", &["alice", "demo", value]);
        assert!(is_segment(&in_one), "segment {value:?} was not refused");
    }
}

#[test]
fn encodes_each_segment_once_so_that_encoded_traversal_stays_a_name() {
    for (value, encoded) in [
        ("%2e%2e/x", "%252e%252e/x"),
        ("%252e%252e", "%25252e%25252e"),
        ("a%2fb", "a%252fb"),
        ("..%2f", "..%252f"),
        ("...", "..."),
        ("a..", "a.."),
        ("..a/b.", "..a/b."),
        ("a?x=1", "a%3Fx%3D1"),
        ("a#b", "a%23b"),
        ("a;b", "a%3Bb"),
        ("a b+c&d", "a%20b%2Bc%26d"),
        ("．．/x", "%EF%BC%8E%EF%BC%8E/x"),
        ("a／b", "a%EF%BC%8Fb"),
        ("ä/ö.md", "%C3%A4/%C3%B6.md"),
        (" ", "%20"),
        ("~", "~"),
        ("{x}", "%7Bx%7D"),
    ] {
        assert_eq!(path(value).as_deref(), Ok(format!("/repos/alice/demo/contents-ext/{encoded}").as_str()));
    }
}

#[test]
fn an_index_is_a_decimal_number() {
    let comments = "/repos/{owner}/{repo}/issues/{index}/comments";
    assert!(get(comments, &["alice", "demo", "42"]).is_ok());
    for index in ["-1", "1.0", "1e3", "0x1", "１", "1/../../2", " 1", "1?", "9999999999999999999"] {
        assert!(is_segment(&get(comments, &["alice", "demo", index])), "{index:?}");
    }
}

/// A small linear congruential generator: the same values in every run.
fn scramble(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

#[test]
fn whatever_is_accepted_parses_back_to_what_was_meant_and_holds_only_plain_characters() {
    let alphabet: Vec<char> = "ab./%\\?#&=;:+ {}~-_2eEfF\u{0}\u{a}ä．／\u{202e}😀".chars().collect();
    let mut seed = 7;
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut word = |most: u64| -> String {
            let length = scramble(&mut seed) % most;
            (0..length)
                .map(|_| alphabet[usize::try_from(scramble(&mut seed)).unwrap() % alphabet.len()])
                .collect()
        };
        let (rest, name, value) = (word(8), "q", word(8));
        let built = build(CONTENTS, &["alice", "demo", &rest], &[(name, &value)]);
        let Ok(built) = built else { continue };
        accepted += 1;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~%/?=&".contains(c);
        assert!(built.chars().all(plain), "{built}");
        let (segments, pairs) = parse(&built).unwrap();
        assert_eq!(segments[..4], ["repos", "alice", "demo", "contents-ext"]);
        assert_eq!(segments[4..].join("/"), rest);
        assert!(segments.iter().all(|part| !part.is_empty() && part != "." && part != ".."));
        assert_eq!(pairs, [(name.to_owned(), value)]);
    }
    assert!(accepted > 1_000, "only {accepted} cases were accepted, the property says little");
}

// U4: the query is built by the encoder, and no name changes who acts.
#[test]
fn a_value_cannot_open_another_parameter() {
    assert_eq!(
        query(&[("q", "x&sudo=root"), ("page", "1&token=t#"), ("limit", "5;sudo=a")]).as_deref(),
        Ok("/repos/search?q=x%26sudo%3Droot&page=1%26token%3Dt%23&limit=5%3Bsudo%3Da")
    );
}

#[test]
fn control_characters_in_a_query_value_are_encoded() {
    assert_eq!(query(&[("q", "a\r\nb\0")]).as_deref(), Ok("/repos/search?q=a%0D%0Ab%00"));
}

#[test]
fn refuses_query_names_that_change_who_acts_in_any_spelling() {
    for name in FORBIDDEN_QUERY {
        for spelled in [name.to_owned(), name.to_uppercase()] {
            assert!(matches!(query(&[("q", "x"), (&spelled, "root")]), Err(Refused::Query(_))), "{spelled}");
        }
    }
}

#[test]
fn refuses_query_names_that_are_not_plain_words() {
    let long = "n".repeat(65);
    for name in ["", "a=b", "a&sudo", "su%64o", " sudo", "sudo ", "q\n", "ｓudo", "q[]", &long] {
        assert!(matches!(query(&[(name, "x")]), Err(Refused::Query(_))), "{name:?}");
    }
}

#[test]
fn the_path_cannot_carry_a_query_of_its_own() {
    assert!(is_template(&get("/repos/search?sudo=root", &[])));
    assert!(is_template(&get("/repos/search#x", &[])));
    assert_eq!(
        path("README.md?sudo=root").as_deref(),
        Ok("/repos/alice/demo/contents-ext/README.md%3Fsudo%3Droot")
    );
}

#[test]
fn refuses_templates_that_leave_the_api_or_cannot_be_read() {
    for template in [
        "",
        "repos",
        "//evil.example/x",
        "/",
        "/repos//x",
        "/repos/",
        "/../x",
        "/repos/./x",
        "/repos/%2e%2e/x",
        "/a\\b",
        "/a b",
        "/a:b",
        "/{",
        "/{}",
        "/{a",
        "/{A}",
        "/{a}{b}",
        "/{a}/../x",
        "/{a...}x",
        "/{a....}",
        "/x{a}",
        "http://evil.example/",
        "/{a}@evil",
    ] {
        let values = vec!["v"; template.matches('{').count()];
        assert!(is_template(&get(template, &values)), "{template:?}");
    }
    assert!(is_template(&get("/x/{a...}/y", &["v"])));
}

#[test]
fn never_calls_the_administration_api() {
    assert!(is_template(&get("/admin/users", &[])));
    assert!(is_template(&get("/{a}/users", &["admin"])));
}

#[test]
fn refuses_too_few_and_too_many_values() {
    let counts = |values: &[&str]| get("/repos/{owner}/{repo}", values);
    assert_eq!(counts(&["alice"]), Err(Refused::Count { placeholders: 2, values: 1 }));
    assert_eq!(counts(&["a", "b", "c"]), Err(Refused::Count { placeholders: 2, values: 3 }));
}

#[test]
fn refuses_a_target_that_proxies_would_cut() {
    let fits = "a".repeat(MAX_TARGET - "/repos/alice/demo/contents-ext/".len());
    assert_eq!(path(&fits).map(|built| built.len()), Ok(MAX_TARGET));
    assert_eq!(path(&format!("{fits}a")), Err(Refused::TooLong));
}

#[test]
fn a_listed_change_is_built_only_while_writes_are_on() {
    for &(method, template, _) in WRITE_ROWS {
        let values = ["alice", "demo", "3", "4"];
        let values = &values[..template.matches('{').count()];
        assert_eq!(target(method, template, values, NO_QUERY, false), Err(Refused::WritesOff));
        assert!(target(method, template, values, NO_QUERY, true).is_ok());
    }
}

#[test]
fn refuses_every_change_that_is_not_listed_to_the_letter() {
    for (method, template) in [
        (Method::Delete, "/repos/{owner}/{repo}"),
        (Method::Patch, "/repos/{owner}/{repo}"),
        (Method::Delete, "/repos/{owner}/{repo}/issues/{index}"),
        (Method::Delete, "/repos/{owner}/{repo}/labels/{id}"),
        (Method::Delete, "/repos/{owner}/{repo}/branches/{branch}"),
        (Method::Delete, "/repos/{owner}/{repo}/issues"),
        (Method::Post, "/repos/{o}/{r}/issues"),
        (Method::Post, "/repos/{owner}/{repo}/issues/"),
        (Method::Post, "/repos/alice/demo/issues"),
        (Method::Post, "/repos/{owner}/{rest...}"),
        (Method::Post, "/REPOS/{owner}/{repo}/issues"),
        (Method::Post, "/repos/{owner}/{repo}/pulls/{index}/merge"),
    ] {
        let values = vec!["1"; template.matches('{').count()];
        let refused = target(method, template, &values, NO_QUERY, true);
        assert_eq!(
            refused,
            Err(Refused::NotListed { method: method.as_str(), template: template.to_owned() }),
            "{template}"
        );
    }
}

#[test]
fn a_listed_read_is_built_in_every_mode() {
    for &(template, _) in READ_ROWS {
        let values = ["alice", "demo", "3", "4"];
        let values = &values[..template.matches('{').count()];
        for writes in [false, true] {
            assert!(target(Method::Get, template, values, NO_QUERY, writes).is_ok(), "{template}");
        }
    }
}

#[test]
fn refuses_every_read_that_is_not_listed_to_the_letter() {
    for template in [
        "/user/tokens",
        "/user/repos/",
        "/users/{username}",
        "/repos/search",
        "/repos/{o}/{r}",
        "/repos/alice/demo",
        "/repos/{owner}/{rest...}",
        "/REPOS/{owner}/{repo}",
        "/repos/{owner}/{repo}/raw/{path...}",
        "/repos/{owner}/{repo}/collaborators/{login}/permission",
        "/repos/{owner}/{repo}/hooks",
        "/repos/{owner}/{repo}/actions/secrets",
        "/admin/users",
        "//evil.example/x",
        "http://evil.example/",
        "",
    ] {
        let values = vec!["1"; template.matches('{').count()];
        for writes in [false, true] {
            let refused = target(Method::Get, template, &values, NO_QUERY, writes);
            let listed = Refused::NotListed { method: "GET", template: template.to_owned() };
            assert_eq!(refused, Err(listed), "{template}");
        }
    }
}

#[test]
fn what_stands_below_a_repository_touches_it_and_nothing_else_does() {
    let reads = READ_ROWS.iter().map(|(template, touches)| (*template, *touches));
    let writes = WRITE_ROWS.iter().map(|(_, template, touches)| (*template, *touches));
    for (template, touches) in reads.chain(writes) {
        let below = template == "/repos/{owner}/{repo}" || template.starts_with("/repos/{owner}/{repo}/");
        assert_eq!(below, !matches!(touches, Touches::Person | Touches::Writer), "{template}");
        let one = template.starts_with("/repos/{owner}/{repo}/issues/{index}");
        assert_eq!(one, touches == Touches::Issue, "{template}");
        let pull = template.starts_with("/repos/{owner}/{repo}/pulls/{index}");
        assert_eq!(pull, touches == Touches::Pull, "{template}");
        let releases = template.starts_with("/repos/{owner}/{repo}/releases");
        assert_eq!(releases, matches!(touches, Touches::Releases | Touches::Drafts), "{template}");
    }
}

#[test]
fn the_list_holds_no_merge_no_administration_and_one_deletion() {
    for (method, template, _) in WRITE_ROWS {
        let label = *template == "/repos/{owner}/{repo}/issues/{index}/labels/{id}";
        assert_eq!(*method == Method::Delete, label, "{template}");
        for never in
            ["/merge", "/contents", "/collaborators", "/hooks", "/keys", "/transfer", "/git/", "{path"]
        {
            assert!(
                template.starts_with("/repos/{owner}/{repo}/") && !template.contains(never),
                "{template}"
            );
        }
    }
}

#[test]
fn a_refusal_names_the_rule_and_never_repeats_a_value() {
    let secret = "aegis-\\secret";
    for refused in [path(secret), get("/repos/{owner}/{repo}", &[secret, "demo"]), query(&[(secret, secret)])]
    {
        let text = refused.expect_err("refused").to_string();
        assert!(!text.contains(secret) && text.contains("refused"), "{text}");
    }
}

#[test]
fn refuses_a_slash_where_the_room_of_the_api_is_named() {
    let none: [(&str, &str); 0] = [];
    for (template, segments) in [("/{x}", vec!["admin/users"]), ("/{x}/{y}", vec!["user", "repos/x"])] {
        let refused = build(template, &segments, &none);
        assert!(matches!(refused, Err(Refused::Template(_))), "{template}: {refused:?}");
    }
    let branch = build("/repos/{o}/{r}/branches/{b}", &["alice", "demo", "feature/x"], &none);
    assert_eq!(branch.as_deref(), Ok("/repos/alice/demo/branches/feature%2Fx"));
}
