use super::*;

const EVERY: Duration = Duration::from_secs(15);

fn owner(subject: &str, client: Option<&str>) -> Owner {
    Owner { subject: subject.to_owned(), client: client.map(str::to_owned) }
}

fn alice() -> Owner {
    owner("gitea-2", Some("editor"))
}

fn streams(most: usize) -> Arc<Streams> {
    Arc::new(Streams::new(most))
}

fn kept(streams: &Arc<Streams>, now: Instant) -> Kept {
    let kept = streams.keep(alice(), "request", Vec::new(), None, now).expect("there is room");
    kept.begin(now).expect("it is there");
    kept
}

/// What a connection takes now, and whether the stream has ended.
fn taken(kept: &Kept) -> (Vec<Bytes>, bool) {
    let context = Context::from_waker(Waker::noop());
    let mut events = Vec::new();
    loop {
        match kept.poll_next(&context) {
            Poll::Ready(Some(event)) => events.push(event),
            Poll::Ready(None) => return (events, true),
            Poll::Pending => return (events, false),
        }
    }
}

fn count(streams: &Streams, why: Ended) -> u64 {
    streams.ended().into_iter().find(|(name, _)| *name == why.name()).expect("a reason").1
}

#[test]
fn events_come_in_their_order_to_the_stream_that_they_are_for() {
    let (streams, now) = (streams(8), Instant::now());
    let (first, second) = (kept(&streams, now), kept(&streams, now));
    assert_eq!(first.name().len(), 32);
    for text in ["1\n\n", "2\n\n"] {
        streams.deliver(&alice(), first.name(), Bytes::from(text), now).unwrap();
    }
    assert_eq!(taken(&first), (vec![Bytes::from("1\n\n"), Bytes::from("2\n\n")], false));
    assert_eq!(taken(&second), (vec![], false));
}

#[test]
fn the_stream_of_another_caller_or_client_is_as_unknown_as_none() {
    let (streams, now) = (streams(8), Instant::now());
    let stream = kept(&streams, now);
    for stranger in
        [owner("gitea-3", Some("editor")), owner("gitea-2", Some("other")), owner("gitea-2", None)]
    {
        let told = streams.deliver(&stranger, stream.name(), Bytes::from("x\n\n"), now);
        assert_eq!(told, Err(NotDelivered::Gone));
    }
    assert_eq!(streams.deliver(&alice(), "made-up", Bytes::from("x\n\n"), now), Err(NotDelivered::Gone));
    assert_eq!(taken(&stream), (vec![], false));
}

#[test]
fn announcements_go_to_those_who_asked_and_to_nobody_once_a_stream_is_over() {
    let (streams, now) = (streams(8), Instant::now());
    let told = vec![(Topic::Tools, Bytes::from("tools\n\n")), (Topic::Prompts, Bytes::from("prompts\n\n"))];
    let asked = streams.keep(alice(), "request", told, None, now).unwrap();
    asked.begin(now).unwrap();
    let silent = kept(&streams, now);
    Topic::ALL.into_iter().for_each(|topic| streams.announce(topic, now));
    assert_eq!(taken(&asked).0, [Bytes::from("tools\n\n"), Bytes::from("prompts\n\n")]);
    assert!(taken(&silent).0.is_empty());
    streams.end(asked.name(), Ended::NotGood);
    streams.announce(Topic::Tools, now);
    assert_eq!(taken(&asked), (vec![], true));
}

#[test]
fn there_is_room_for_so_many_of_one_caller_and_so_many_in_all() {
    let (streams, now) = (streams(MOST_OF_ONE + 1), Instant::now());
    let keep = |client: &str| streams.keep(owner("gitea-2", Some(client)), "request", Vec::new(), None, now);
    // Another client of the same person brings no room.
    let mut all: Vec<Kept> = (0..MOST_OF_ONE).map(|number| keep(&number.to_string()).unwrap()).collect();
    assert!(keep("one more").is_none());
    all.extend(streams.keep(owner("ci", None), "request", Vec::new(), None, now));
    assert!(streams.keep(owner("laptop", None), "request", Vec::new(), None, now).is_none(), "MAX_STREAMS");
    assert_eq!(streams.open(), MOST_OF_ONE + 1);
    all.truncate(MOST_OF_ONE - 1);
    assert!(keep("again").is_some());
    assert!(
        Streams::new(0).most() == 0
            && Arc::new(Streams::new(0)).keep(alice(), "", vec![], None, now).is_none()
    );
}

#[test]
fn whoever_does_not_read_ends_by_events_by_bytes_and_by_time() {
    let (streams, now) = (streams(8), Instant::now());
    let many = kept(&streams, now);
    let deliver = |kept: &Kept, bytes: usize| {
        streams.deliver(&alice(), kept.name(), Bytes::from(vec![b'x'; bytes]), now)
    };
    assert!((0..MAX_EVENTS).all(|_| deliver(&many, 1).is_ok()));
    assert_eq!(deliver(&many, 1), Err(NotDelivered::Full));
    assert_eq!(deliver(&many, 1), Err(NotDelivered::Gone));
    assert_eq!(taken(&many), (vec![], true), "what waited is not sent late");
    let large = kept(&streams, now);
    assert_eq!(deliver(&large, MAX_BYTES), Ok(()));
    assert_eq!(deliver(&large, 1), Err(NotDelivered::Full));
    let slow = kept(&streams, now);
    assert_eq!(deliver(&slow, 1), Ok(()));
    assert_eq!(streams.keep_alive(slow.name(), EVERY, now), Some(now + EVERY));
    assert_eq!(streams.keep_alive(slow.name(), EVERY, now + EVERY), None);
    assert_eq!(taken(&slow), (vec![], true));
    drop((many, large, slow));
    assert_eq!((count(&streams, Ended::NotRead), streams.open(), streams.lock().bytes), (3, 0, 0));
}

#[test]
fn what_waits_of_one_caller_and_of_all_is_bounded() {
    let (streams, now) = (streams(64), Instant::now());
    let whole = || Bytes::from(vec![b'x'; MAX_BYTES]);
    let mut all = Vec::new();
    for subject in 0..5 {
        let owner = owner(&subject.to_string(), None);
        for number in 0..3 {
            let kept = streams.keep(owner.clone(), "request", Vec::new(), None, now).unwrap();
            let told = streams.deliver(&owner, kept.name(), whole(), now);
            // Two of each caller; the fifth caller finds the room of all taken.
            assert_eq!(told.is_ok(), number < 2 && subject < 4, "{subject} {number}");
            all.push(kept);
        }
    }
    assert_eq!(streams.lock().bytes, MAX_BYTES_OF_ALL);
    drop(all);
    assert_eq!(streams.lock().bytes, 0);
}

#[test]
fn silence_is_broken_in_time_and_talk_needs_no_comment() {
    let (streams, now) = (streams(8), Instant::now());
    let stream = kept(&streams, now);
    let look = |at: Instant| streams.keep_alive(stream.name(), EVERY, at);
    assert_eq!(look(now + EVERY / 2), Some(now + EVERY));
    assert!(taken(&stream).0.is_empty());
    assert_eq!(look(now + EVERY), Some(now + EVERY * 2));
    assert_eq!(taken(&stream).0, [KEEP_ALIVE]);
    let said = now + EVERY + EVERY / 3;
    streams.deliver(&alice(), stream.name(), Bytes::from("x\n\n"), said).unwrap();
    assert_eq!(taken(&stream).0, [Bytes::from("x\n\n")]);
    assert_eq!(look(now + EVERY * 2), Some(said + EVERY));
    assert!(taken(&stream).0.is_empty());
}

#[test]
fn what_waited_while_an_instance_still_worked_is_not_late() {
    let (streams, now) = (streams(8), Instant::now());
    let stream = streams.keep(alice(), "request", Vec::new(), None, now).unwrap();
    streams.deliver(&alice(), stream.name(), Bytes::from("x\n\n"), now).unwrap();
    let later = now + EVERY * 10;
    stream.begin(later).unwrap();
    assert_eq!(streams.keep_alive(stream.name(), EVERY, later), Some(later + EVERY));
    assert_eq!(taken(&stream).0, [Bytes::from("x\n\n")]);
}

#[test]
fn a_stopping_server_ends_all_and_keeps_none() {
    let (streams, now) = (streams(8), Instant::now());
    let stream = kept(&streams, now);
    streams.deliver(&alice(), stream.name(), Bytes::from("x\n\n"), now).unwrap();
    streams.stop();
    assert_eq!(taken(&stream), (vec![], true));
    assert!(streams.keep(alice(), "request", Vec::new(), None, now).is_none());
    drop(stream);
    assert_eq!(count(&streams, Ended::Stopping), 1);
}

#[test]
fn a_stopping_server_says_what_was_to_be_said_last_and_a_revoked_stream_ends_without() {
    let (streams, now) = (streams(8), Instant::now());
    let farewell = || Some(Bytes::from("bye\n\n"));
    let stopped = streams.keep(alice(), "request", Vec::new(), farewell(), now).unwrap();
    let revoked = streams.keep(alice(), "request", Vec::new(), farewell(), now).unwrap();
    streams.end(revoked.name(), Ended::NotGood);
    streams.stop();
    assert_eq!(taken(&stopped), (vec![Bytes::from("bye\n\n")], true));
    assert_eq!(taken(&revoked), (vec![], true));
}

#[test]
fn each_end_is_counted_once_and_by_its_first_reason() {
    let (streams, now) = (streams(8), Instant::now());
    drop(kept(&streams, now));
    drop(streams.keep(alice(), "request", Vec::new(), None, now));
    let revoked = kept(&streams, now);
    streams.end(revoked.name(), Ended::NotGood);
    streams.end(revoked.name(), Ended::NotRead);
    drop(revoked);
    let counts: Vec<u64> = streams.ended().into_iter().map(|(_, count)| count).collect();
    assert_eq!(counts, [1, 0, 1, 0, 0, 1]);
}

#[test]
fn one_turn_serves_all_streams_of_an_owner() {
    let (streams, now) = (streams(8), Instant::now());
    let (first, second) = (kept(&streams, now), kept(&streams, now));
    let other = streams.keep(owner("ci", None), "request", Vec::new(), None, now).unwrap();
    let turn = |kept: &Kept| kept.begin(now).unwrap().turn;
    assert!(Arc::ptr_eq(&turn(&first), &turn(&second)));
    assert!(!Arc::ptr_eq(&turn(&first), &turn(&other)));
}

/// A request that never ends by itself.
fn endless() -> tokio::task::JoinHandle<()> {
    tokio::spawn(std::future::pending())
}

#[tokio::test]
async fn what_goes_on_for_a_stream_stops_with_it_however_it_ends() {
    let (streams, now) = (streams(8), Instant::now());
    let (dropped, ended) = (kept(&streams, now), kept(&streams, now));
    let (first, second, third) = (endless(), endless(), endless());
    streams.carry(dropped.name(), first.abort_handle());
    streams.carry(ended.name(), second.abort_handle());
    let name = dropped.name().to_owned();
    drop(dropped);
    assert!(first.await.unwrap_err().is_cancelled());
    streams.end(ended.name(), Ended::NotGood);
    assert!(second.await.unwrap_err().is_cancelled());
    streams.carry(&name, third.abort_handle());
    assert!(third.await.unwrap_err().is_cancelled(), "there is no such stream any more");
}
