//! What is noted of requests, and what is not.

use super::export::Queue;
use super::*;
use tokio::sync::mpsc::UnboundedReceiver;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER: &str = "00-11111111111111111111111111111111-2222222222222222-01";

fn tracing(ratio: &str) -> (Tracing, UnboundedReceiver<Told>) {
    let (queue, receiver) = Queue::new(Ratio::parse(ratio).unwrap());
    let tracing = Tracing::default();
    tracing.turn_on(queue);
    (tracing, receiver)
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

const SECRET: &str = "c0ffeec0ffeec0ffeec0ffee";

fn own() -> Own {
    Own::all(std::iter::once(SECRET.as_bytes())).unwrap()
}

fn open(trace: &Trace, name: &'static str) -> Open {
    trace.open(Below::Guest, Kind::Client, || Cow::Borrowed(name))
}

fn sent(open: &Open) -> (String, String) {
    let text = |header: Option<(&'static str, HeaderValue)>| {
        header.map(|(_, value)| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    let [parent, state] = open.sent_on();
    (text(parent), text(state))
}

#[test]
fn nothing_is_noted_and_nothing_goes_on_where_no_collector_is_named() {
    let tracing = Tracing::default();
    let trace = tracing.begin(&headers(&[("traceparent", PARENT)]), &own());
    let mut call = open(&trace, "GET /x");
    call.set("a", 1);
    assert!(call.0.is_none() && call.sent_on().iter().all(Option::is_none));
    assert_eq!(tracing.told(), Outcome::default());
}

#[test]
fn a_request_and_its_parts_hang_on_whoever_sent_it() {
    let (tracing, mut ended) = tracing("0");
    let trace = tracing.begin(&headers(&[("traceparent", PARENT), ("tracestate", "a=1")]), &own());
    let guest = trace.open_guest();
    let mut call = open(&trace, "GET /repos/{owner}/{repo}");
    call.set("http.response.status_code", 404);
    call.fail("404");
    let (parent, state) = sent(&call);
    assert!(parent.starts_with(&format!("00-{TRACE}-")) && parent.ends_with("-01"), "{parent}");
    assert_eq!(state, "a=1");
    drop((call, guest));
    trace.called("get_issue", "error");
    trace.refused("not_found");
    trace.answered(&Method::POST, "/mcp", 404);
    assert!(ended.try_recv().is_err(), "it is not over yet");
    drop(trace);
    let told = ended.try_recv().unwrap();
    let [root, call, guest] = &told.spans[..] else { panic!("{told:#?}") };
    assert_eq!((root.name.as_str(), root.kind, root.failed), ("POST /mcp", Kind::Server, false));
    assert_eq!(root.parent.unwrap().to_string(), "b7ad6b7169203331");
    assert_eq!((guest.name.as_str(), guest.parent), ("guest", Some(root.id)));
    assert_eq!((call.parent, call.failed), (Some(guest.id), true));
    assert_eq!(parent, format!("00-{TRACE}-{}-01", call.id));
    assert!(
        root.start <= guest.start
            && guest.start <= call.start
            && call.end <= guest.end
            && guest.end <= root.end
    );
    let names: Vec<_> = root.attributes.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "http.request.method",
            "http.route",
            "http.response.status_code",
            "error.type",
            "aegis.tool",
            "aegis.status"
        ]
    );
}

#[test]
fn a_message_says_where_it_comes_from_where_the_headers_do_not() {
    let (tracing, mut ended) = tracing("0");
    let trace = tracing.begin(&headers(&[("traceparent", "nonsense")]), &own());
    trace.continues("nonsense", "", &own());
    trace.continues(PARENT, "a=1", &own());
    trace.continues(OTHER, "", &own());
    let (parent, state) = sent(&open(&trace, "GET /x"));
    assert!(parent.starts_with(&format!("00-{TRACE}-")), "{parent}");
    assert_eq!(state, "a=1");
    drop(trace);
    assert_eq!(ended.try_recv().unwrap().spans[0].link, None);
}

#[test]
fn a_state_with_a_secret_of_this_server_is_forgotten() {
    let (tracing, _ended) = tracing("1");
    let state = "a=c0ffeec0ffeec0ffeec0ffee";
    let trace = tracing.begin(&headers(&[("traceparent", PARENT), ("tracestate", state)]), &own());
    assert_eq!(sent(&open(&trace, "GET /x")).1, "");
    let trace = tracing.begin(&HeaderMap::new(), &own());
    trace.continues(PARENT, state, &own());
    let (parent, state) = sent(&open(&trace, "GET /x"));
    assert!(parent.contains(TRACE) && state.is_empty(), "{parent} {state}");
}

#[test]
fn headers_count_before_a_message_of_another_trace_which_is_linked() {
    let (tracing, mut ended) = tracing("1");
    let trace = tracing.begin(&headers(&[("traceparent", PARENT)]), &own());
    trace.continues(OTHER, "", &own());
    drop(trace);
    let told = ended.try_recv().unwrap();
    assert_eq!(told.trace.to_string(), TRACE);
    assert_eq!(told.spans[0].link.as_ref().unwrap().trace.to_string(), "1".repeat(32));
}

#[test]
fn what_is_not_sampled_is_not_told_and_whoever_is_asked_learns_that() {
    for (ratio, given, takes) in [
        ("1", None, true),
        ("0", None, false),
        ("0", Some(PARENT), true),
        ("1", Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"), false),
    ] {
        let (tracing, mut ended) = tracing(ratio);
        let given: Vec<_> = given.into_iter().map(|parent| ("traceparent", parent)).collect();
        let trace = tracing.begin(&headers(&given), &own());
        let (parent, _) = sent(&open(&trace, "GET /x"));
        assert_eq!(parent.ends_with("-01"), takes, "{ratio} {parent}");
        drop(trace);
        assert_eq!(ended.try_recv().is_ok(), takes, "{ratio}");
    }
}

#[test]
fn a_client_that_left_is_told_of_as_that() {
    let (tracing, mut ended) = tracing("1");
    drop(tracing.begin(&HeaderMap::new(), &own()));
    let told = ended.try_recv().unwrap();
    assert_eq!(told.spans[0].attributes, [("error.type", Value::from("client_left"))]);
    assert!(told.spans[0].failed && told.spans[0].parent.is_none());
}

#[test]
fn parts_and_traces_are_bounded_and_what_is_too_much_is_counted() {
    let (tracing, mut ended) = tracing("1");
    let trace = tracing.begin(&HeaderMap::new(), &own());
    (0..MOST + 3).for_each(|_| drop(open(&trace, "GET /x")));
    drop(trace);
    assert_eq!(tracing.told().dropped, 3);
    assert_eq!(ended.try_recv().unwrap().spans.len(), MOST + 1);
    // Nobody takes them out any more.
    while tracing.told().dropped == 3 {
        drop(tracing.begin(&HeaderMap::new(), &own()));
    }
    assert_eq!((tracing.told().waiting, tracing.told().dropped), (Outcome::LIMIT, 4));
}

#[test]
fn a_span_is_told_as_opentelemetry_has_it() {
    let (tracing, mut ended) = tracing("1");
    let trace = tracing.begin(&headers(&[("traceparent", PARENT), ("tracestate", "a=1")]), &own());
    trace.continues(OTHER, "", &own());
    trace.answered(&Method::POST, "/mcp", 503);
    drop(trace);
    let told = ended.try_recv().unwrap();
    let body = span::request("aegis-test", std::slice::from_ref(&told));
    let resource = &body["resourceSpans"][0]["resource"]["attributes"];
    assert_eq!(resource[0]["value"]["stringValue"], "aegis-test");
    let span = &body["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!(span["traceId"], TRACE);
    assert_eq!(span["parentSpanId"], "b7ad6b7169203331");
    assert_eq!(span["spanId"].as_str().unwrap().len(), 16);
    assert_eq!((&span["traceState"], &span["kind"]), (&"a=1".into(), &2.into()));
    assert_eq!(span["status"]["code"], 2);
    assert_eq!(span["links"][0]["spanId"], "2222222222222222");
    assert!(span["startTimeUnixNano"].as_str().unwrap().parse::<u64>().unwrap() > 1_700_000_000_000_000_000);
    let status = span["attributes"].as_array().unwrap().iter();
    let status = status.clone().find(|one| one["key"] == "http.response.status_code").unwrap();
    assert_eq!(status["value"]["intValue"], "503");
}

#[test]
fn headers_for_the_collector_are_read_and_never_shown() {
    let headers = export::headers("Authorization=Bearer%20abc, x-tenant=7,").unwrap();
    assert_eq!(headers["authorization"], "Bearer abc");
    assert!(headers.values().all(HeaderValue::is_sensitive) && headers.len() == 2);
    for wrong in ["secret-without-name", "a b=secret", "a=secret%0a"] {
        let said = export::headers(wrong).unwrap_err();
        assert!(!said.contains("secret"), "{said}");
    }
    let values: Vec<String> = header_values("Authorization=Bearer%20abc,b=c").collect();
    assert_eq!(values, ["Bearer%20abc", "abc", "Bearer abc", "c", "c"]);
}
