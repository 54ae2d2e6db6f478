//! A volume that fails while serving, and one that comes back.

use super::*;

/// A state in memory, as the owner of the rows keeps it: changed first, committed after.
#[derive(Clone, Default)]
struct State(Arc<Mutex<Vec<Row>>>);

impl State {
    fn put(&self, key: &str) -> Vec<Change> {
        self.0.lock().unwrap().push(row(Table::Clients, key, "x"));
        vec![put(Table::Clients, key, "x")]
    }

    fn told_by(&self, store: &Store) {
        let state = self.clone();
        store.tell_whole(move || state.0.lock().unwrap().clone());
    }
}

fn keys(storage: &Path) -> Vec<String> {
    let rows = Store::open(storage, clock()).rows;
    rows.into_iter().map(|row| String::from_utf8(row.key).unwrap()).collect()
}

#[tokio::test]
async fn a_volume_that_comes_back_gets_all_that_happened_meanwhile() {
    for errno in [EIO, ENOSPC, EROFS] {
        let (_directory, storage) = place();
        let (faults, hand, state) = (Faults::none(true), clock(), State::default());
        let store = Store::open_on(Arc::new(Faulty(Arc::clone(&faults))), &storage, hand.clone()).store;
        state.told_by(&store);
        assert_eq!(store.commit(state.put("a")).await, Committed::Durable);
        faults.fail(errno, 0, i64::MAX);
        assert_eq!(store.commit(state.put("b")).await, Committed::Volatile);
        // The next batch opens the file anew at once, and only after that with growing pauses.
        assert_eq!(store.commit(state.put("c")).await, Committed::Volatile);
        let health = store.health();
        assert!(!health.durable && health.reason.is_some() && health.last_error.is_some());
        faults.heal();
        assert_eq!(store.commit(state.put("d")).await, Committed::Volatile);
        hand.forward(2_000);
        assert_eq!(store.commit(state.put("e")).await, Committed::Durable);
        let health = store.health();
        assert!(health.durable && health.reason.is_none() && health.last_error.is_some());
        let told: Vec<Name> = store.take_notes().into_iter().map(|note| note.name).collect();
        assert_eq!(told, [Name::Volatile, Name::Durable]);
        store.close().await;
        assert_eq!(keys(&storage), ["a", "b", "c", "d", "e"]);
    }
}

#[tokio::test]
async fn a_start_on_a_full_volume_becomes_durable_when_there_is_room() {
    let (_directory, storage) = place();
    let (faults, hand, state) = (Faults::none(true), clock(), State::default());
    faults.fail(ENOSPC, 0, i64::MAX);
    let opened = Store::open_on(Arc::new(Faulty(Arc::clone(&faults))), &storage, hand.clone());
    assert_eq!(names(&opened), [Name::Volatile]);
    state.told_by(&opened.store);
    assert_eq!(opened.store.commit(state.put("a")).await, Committed::Volatile);
    faults.heal();
    hand.forward(2_000);
    assert_eq!(opened.store.commit(state.put("b")).await, Committed::Durable);
    opened.store.close().await;
    assert_eq!(keys(&storage), ["a", "b"]);
}

#[tokio::test]
async fn waits_longer_after_each_failure_and_not_when_the_clock_was_set_back() {
    let (_directory, storage) = place();
    let (faults, hand, state) = (Faults::none(true), clock(), State::default());
    let store = Store::open_on(Arc::new(Faulty(Arc::clone(&faults))), &storage, hand.clone()).store;
    state.told_by(&store);
    faults.fail(EIO, 0, i64::MAX);
    let tried = |_| faults.seen.load(Ordering::Acquire);
    store.commit(state.put("a")).await;
    let mut waits = Vec::new();
    for n in 0..8 {
        let before = tried(n);
        let mut seconds = 0;
        while tried(n) == before {
            store.commit(Vec::new()).await;
            if tried(n) == before {
                hand.forward(1_000);
                seconds += 1;
            }
        }
        waits.push(seconds);
    }
    assert_eq!(waits, [0, 2, 4, 8, 16, 32, 60, 60]);
    faults.heal();
    hand.forward(-86_400_000);
    assert_eq!(store.commit(state.put("b")).await, Committed::Durable);
}

#[tokio::test]
async fn without_a_teller_of_the_whole_state_nothing_is_written_after_a_failure() {
    let (_directory, storage) = place();
    let (faults, hand) = (Faults::none(true), clock());
    let store = Store::open_on(Arc::new(Faulty(Arc::clone(&faults))), &storage, hand.clone()).store;
    assert_eq!(store.commit(vec![put(Table::Clients, "a", "x")]).await, Committed::Durable);
    faults.fail(EIO, 0, 1);
    assert_eq!(store.commit(vec![put(Table::Clients, "b", "x")]).await, Committed::Volatile);
    hand.forward(3_600_000);
    assert_eq!(store.commit(vec![put(Table::Clients, "c", "x")]).await, Committed::Volatile);
    store.close().await;
    assert_eq!(keys(&storage), ["a"]);
}

#[tokio::test]
async fn keeps_a_registry_that_shows_up_on_a_volume_that_was_not_there_at_the_start() {
    let (directory, storage) = place();
    save(&storage, "old").await;
    let hidden = directory.path().with_extension("hidden");
    std::fs::rename(directory.path(), &hidden).unwrap();
    std::fs::write(directory.path(), "in the way").unwrap();
    let (hand, state) = (clock(), State::default());
    let opened = Store::open(&storage, hand.clone());
    assert_eq!(names(&opened), [Name::Volatile]);
    state.told_by(&opened.store);
    assert_eq!(opened.store.commit(state.put("new")).await, Committed::Volatile);
    std::fs::remove_file(directory.path()).unwrap();
    std::fs::rename(&hidden, directory.path()).unwrap();
    hand.forward(60_000);
    assert_eq!(opened.store.commit(Vec::new()).await, Committed::Durable);
    let told: Vec<Name> = opened.store.take_notes().into_iter().map(|note| note.name).collect();
    assert_eq!(told, [Name::Unread, Name::Created, Name::Durable]);
    opened.store.close().await;
    assert_eq!(keys(&storage), ["new"]);
    let kept = files(directory.path()).into_iter().find(|name| name.contains("unread")).unwrap();
    let rows = crate::store::read_backup(&directory.path().join(kept)).unwrap();
    assert_eq!(rows, [row(Table::Clients, "old", "saved")]);
}

#[tokio::test]
async fn a_writer_that_dies_answers_everybody_who_waits() {
    let (_directory, storage) = place();
    let faults = Faults::none(true);
    let store = Store::open_on(Arc::new(Faulty(Arc::clone(&faults))), &storage, clock()).store;
    // The only foreign code on the writer's thread: whoever tells the whole state.
    store.tell_whole(|| panic!("the state is broken"));
    faults.fail(EIO, 0, 1);
    let waiting: Vec<_> =
        (0..64).map(|n| store.commit(vec![put(Table::Clients, &n.to_string(), "x")])).collect();
    let mut answers = Vec::new();
    for one in waiting {
        answers.push(one.await);
    }
    let last = store.commit(vec![put(Table::Clients, "last", "x")]).await;
    let after = store.commit(vec![put(Table::Clients, "after", "x")]).await;
    assert!(answers.iter().chain([&last, &after]).all(|answer| *answer == Committed::Volatile));
    assert!(!store.health().durable);
    store.close().await;
}

#[tokio::test]
async fn writes_in_the_order_of_calls_whether_or_not_anybody_waits() {
    let (_directory, storage) = place();
    let store = Store::open(&storage, clock()).store;
    for n in 0..500 {
        drop(store.commit(vec![put(Table::Meta, "newest", &n.to_string())]));
    }
    store.close().await;
    assert_eq!(Store::open(&storage, clock()).rows, [row(Table::Meta, "newest", "499")]);
}
