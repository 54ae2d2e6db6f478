//! A component that is not put in force: one name, one exit code, one line, and everything stays as it was.

use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::server::KEY;
use serde_json::{Value, json};

use super::components::{Components, component, digest, guest, handed, in_force, patched, told};
use super::load::cache;
use super::{lines, status};
use crate::scene::{READ, Scene, call, until};

/// A cache that holds the program's own guest and nothing else: a start finds it, and what is swapped in is compiled.
fn own_alone(scene: &Scene) -> String {
    cache(scene, &[digest(&std::fs::read(component("gateway.wasm")).expect("built"))])
}

/// A policy that tells the hostile guest how to behave.
fn policy(candidate: &str) -> String {
    format!("# candidate: {candidate}\ndefaults: {{read: allow, write: deny}}\n")
}

#[tokio::test]
async fn what_is_no_guest_for_this_host_is_refused_by_name_and_never_takes_traffic() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    let own = in_force(&server).await;
    let components = Components::new();
    let whole = std::fs::read(component("gateway.wasm")).expect("built");
    let built = |name: &str| std::fs::read(component(name)).expect("built");
    let cases = [
        ("not_a_component", b"what?".to_vec(), "no component"),
        ("not_a_component", Vec::new(), "no component"),
        ("not_a_component", b"\0asm\x01\0\0\0".to_vec(), "no component"),
        ("not_a_component", whole[..whole.len() / 2].to_vec(), "no component"),
        ("forbidden_import", built("greedy.wasm"), "wasi:filesystem"),
        (
            "other_version",
            patched("hostile.wasm", "aegis:gateway/telemetry@1.0.0", "aegis:gateway/telemetry@2.0.0"),
            "aegis:gateway/telemetry@2.0.0",
        ),
        (
            "no_handler",
            patched("hostile.wasm", "wasi:http/incoming-handler@0.2.12", "wasi:http/incoming-handler@0.9.12"),
            "no HTTP handler",
        ),
        ("self_test_failed", built("hostile.wasm"), "GET /"),
    ];
    for (reason, bytes, says) in &cases {
        let (path, _) = components.file("bad.wasm", bytes);
        let (code, out, err) = guest(&server, &["swap", &path, "--json"]).await;
        assert_eq!(code, 1, "{reason}: {out}{err}");
        let answer: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}"));
        assert_eq!((&answer["answer"], &answer["reason"]), (&json!("refused"), &json!(reason)), "{answer}");
        assert!(err.starts_with(&format!("{reason}: ")) && err.contains(says), "{reason}: {err}");
        assert_eq!((in_force(&server).await, status(&server).await), (own.clone(), 200), "{reason}");
    }
    let refused = "aegis_guest_swaps_total{outcome=\"refused\"}";
    assert!((server.metric(refused).await - 8.0).abs() < 0.5);
    assert_eq!(told(&server).await["past"], json!([]));
    let stopped = server.stop().await;
    let lines = lines(&stopped.audit, "guest_swap_refused");
    let causes: Vec<&str> =
        lines.iter().map(|line| line["detail"]["cause"].as_str().expect("a name")).collect();
    assert_eq!(causes, cases.each_ref().map(|(reason, ..)| *reason));
    assert!(
        lines.iter().all(|line| line["component"] == own[..16] && line["detail"]["by"] == "operator"),
        "{lines:?}"
    );
    assert_eq!(scene.verify().await.0, 0);
    assert_eq!(scene.forge.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_candidate_that_fails_on_the_policy_in_force_is_refused() {
    let hostile = component("hostile.wasm").display().to_string();
    for (behaviour, reason, says) in [
        ("trap", "preflight_failed", "Trapped"),
        ("loop", "preflight_failed", "CpuLimit"),
        ("problem", "policy_rejected", "is not to its liking"),
        ("wait", "self_test_failed", "in 10 seconds"),
    ] {
        let scene = Scene::new().await;
        let server = scene.setup().policy(&policy(behaviour)).start().await;
        let own = in_force(&server).await;
        let (code, _, err) = guest(&server, &["swap", &hostile]).await;
        assert!(code == 1 && err.starts_with(reason) && err.contains(says), "{behaviour}: {code} {err}");
        assert_eq!((in_force(&server).await, status(&server).await), (own, 200), "{behaviour}");
        let stopped = server.stop().await;
        assert_eq!(lines(&stopped.audit, "guest_swap_refused").len(), 1);
    }
}

#[tokio::test]
async fn what_is_too_large_or_broken_off_or_not_there_is_refused_before_anything_is_done() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    let own = in_force(&server).await;
    let answer = handed(&server, (32 << 20) + 1, Vec::new()).await;
    assert_eq!((&answer["answer"], &answer["reason"]), (&json!("refused"), &json!("too_large")), "{answer}");
    let components = Components::new();
    let (large, _) = components.file("large.wasm", &vec![0; (32 << 20) + 1]);
    for path in [large.as_str(), "/not/there.wasm"] {
        let (code, _, err) = guest(&server, &["swap", path]).await;
        assert!(code == 2 && err.contains("cannot be read"), "{code} {err}");
    }
    assert_eq!(in_force(&server).await, own);
    let audit = server.audit_path().display().to_string();
    let stopped = server.stop().await;
    let refused = lines(&stopped.audit, "guest_swap_refused");
    assert_eq!(refused.len(), 1, "what the command did not send was not refused: {refused:?}");
    let detail = &refused[0]["detail"];
    assert_eq!(
        (&detail["cause"], &detail["by"], &detail["offered"]),
        (&json!("too_large"), &json!("operator"), &json!(""))
    );
    assert_eq!(stopped.code, 0);
    for command in [&["swap", "/dev/null"][..], &["rollback"], &["history"]] {
        let arguments = [&["guest"], command].concat();
        let (code, _, _) = aegis_tests::server::program(&arguments, &[("AUDIT_LOG_PATH", &audit)]).await;
        assert_eq!(
            code,
            if command.len() == 2 { 2 } else { 69 },
            "{command:?}: a device is no file; no server answers"
        );
    }
}

#[tokio::test]
async fn while_one_is_tried_another_is_told_to_wait() {
    let scene = Scene::new().await;
    // The first is not compiled yet, so it takes a while.
    let cache = own_alone(&scene);
    let server = scene.setup().set("GUEST_CACHE_DIR", &cache).start().await;
    let first = super::components::variant("first");
    let length = first.len();
    let trying = handed(&server, length, first);
    let second = async {
        until("the first is compiled", async || compiling(server.pid()).is_some()).await;
        let hostile = component("hostile.wasm").display().to_string();
        guest(&server, &["swap", &hostile]).await
    };
    let (answer, (code, _, err)) = tokio::join!(trying, second);
    assert!(code == 75 && err.starts_with("swap_under_way: "), "{code} {err}");
    assert_eq!(answer["answer"], "guest_in_force", "{answer}");
    let stopped = server.stop().await;
    assert_eq!(lines(&stopped.audit, "guest_swap_refused").len(), 1);
    assert_eq!(lines(&stopped.audit, "guest_swapped").len(), 1);
}

#[tokio::test]
async fn a_component_that_takes_more_to_compile_than_it_may_is_refused() {
    let scene = Scene::new().await;
    let cache = own_alone(&scene);
    let server = scene.setup().set("GUEST_CACHE_DIR", &cache).start().await;
    let own = in_force(&server).await;
    let candidate = super::components::variant("heavy");
    let trying = handed(&server, candidate.len(), candidate);
    let pid = server.pid();
    let bounds = async {
        until("it is compiled", async || compiling(pid).is_some()).await;
        let child = compiling(pid).expect("it is at it still");
        let of = |file: &str| std::fs::read_to_string(format!("/proc/{child}/{file}")).unwrap_or_default();
        until("it is bounded", async || of("limits").contains("8589934592")).await;
        let limits = of("limits");
        let cpu = limits.lines().find(|line| line.starts_with("Max cpu time")).unwrap_or_default();
        assert_eq!(cpu.split_ascii_whitespace().nth(3), Some("120"), "{limits}");
        assert_eq!(of("oom_score_adj").trim(), "1000");
        // What the kernel sends at the bound.
        let kill = std::process::Command::new("kill").args(["-XCPU", &child]).status().expect("kill runs");
        assert!(kill.success());
    };
    let (answer, ()) = tokio::join!(trying, bounds);
    assert_eq!((&answer["answer"], &answer["reason"]), (&json!("refused"), &json!("not_a_component")));
    assert!(
        answer["text"].as_str().is_some_and(|text| text.contains("more than 120 seconds or 8 GiB")),
        "{answer}"
    );
    assert_eq!((in_force(&server).await, status(&server).await), (own, 200));
    let stopped = server.stop().await;
    assert_eq!(lines(&stopped.audit, "guest_swap_refused").len(), 1);
    assert_eq!(scene.verify().await.0, 0);
}

#[tokio::test]
async fn a_rollback_of_what_was_replaced_meanwhile_leaves_the_newer_one() {
    let scene = Scene::new().await;
    let components = Components::new();
    let (path, first) = components.variant("a").await;
    let server = scene.setup().policy(&policy("slow")).start().await;
    assert_eq!(guest(&server, &["swap", &path]).await.0, 0);
    // It tries itself for six seconds, and says when they begin: in these the rollback comes.
    let hostile = component("hostile.wasm").display().to_string();
    let arguments = ["swap", hostile.as_str()];
    let swap = guest(&server, &arguments);
    let rollback = async {
        until("it tries itself", async || server.log().contains("candidate_is_slow")).await;
        guest(&server, &["rollback"]).await
    };
    let (swapped, (code, _, err)) = tokio::join!(swap, rollback);
    assert_eq!(swapped.0, 0, "{swapped:?}");
    assert!(code == 75 && err.starts_with("swap_under_way: ") && err.contains("stays"), "{code} {err}");
    let history = told(&server).await;
    assert_eq!(history["rollback_to"], json!(first));
    assert_eq!(history["past"].as_array().map(Vec::len), Some(2), "{history}");
    let stopped = server.stop().await;
    assert_eq!(lines(&stopped.audit, "guest_rolled_back").len(), 0);
    assert_eq!(lines(&stopped.audit, "guest_swap_refused").len(), 1);
    assert_eq!(scene.verify().await.0, 0);
}

/// The child of a process that gives way to everybody: the one that compiles.
fn compiling(server: u32) -> Option<String> {
    let children =
        std::fs::read_to_string(format!("/proc/{server}/task/{server}/children")).unwrap_or_default();
    let tasks = std::fs::read_dir(format!("/proc/{server}/task")).into_iter().flatten().flatten();
    let of_task =
        |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
    let all: String = tasks.map(of_task).chain([children]).collect();
    let gives_way = |child: &&str| {
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        // Behind the name, which may hold anything: state is the third field, nice the nineteenth (proc(5)).
        stat.rsplit_once(')').and_then(|(_, rest)| rest.split_ascii_whitespace().nth(16)) == Some("19")
    };
    all.split_ascii_whitespace().find(gives_way).map(str::to_owned)
}

#[tokio::test]
async fn a_server_that_ends_takes_no_other_guest() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    let components = Components::new();
    let (path, _) = components.variant("a").await;
    scene.forge.next_fault(Fault::on("/repos/alice/demo", FaultKind::Hold));
    let running = call(&server.url, KEY, READ);
    scene.seen("GET", 1).await;
    server.signal("TERM").await;
    until("it drains", async || server.log().contains("\"draining\"")).await;
    let (code, _, err) = guest(&server, &["swap", &path]).await;
    assert!(code == 1 && err.starts_with("stopping: "), "{code} {err}");
    scene.forge.release(1);
    assert_eq!(running.await.expect("no panic").expect("an answer").status, 200);
    let stopped = server.wait().await;
    assert_eq!((stopped.code, lines(&stopped.audit, "guest_swapped").len()), (0, 0));
    let refused = lines(&stopped.audit, "guest_swap_refused");
    assert_eq!(refused.iter().map(|line| &line["detail"]["cause"]).collect::<Vec<_>>(), ["stopping"]);
}

#[tokio::test]
async fn without_a_record_of_it_nothing_is_swapped() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    let own = in_force(&server).await;
    let components = Components::new();
    let (path, _) = components.variant("a").await;
    let away = server.audit_path().with_extension("away");
    std::fs::rename(server.audit_path(), &away).expect("moved");
    let (code, _, err) = guest(&server, &["swap", &path]).await;
    assert!(code == 1 && err.starts_with("audit_unavailable: "), "{code} {err}");
    assert_eq!(in_force(&server).await, own);
    std::fs::rename(&away, server.audit_path()).expect("moved back");
    let is_ready = async || server.stranger("GET", "/ready", &[], b"").await.status == 200;
    until("it is ready again", is_ready).await;
    assert_eq!(guest(&server, &["swap", &path]).await.0, 0);
    assert_eq!(server.stop().await.code, 0);
    assert_eq!(scene.verify().await.0, 0);
}
