//! Every operation on the volume fails once, or from one of them on, in turn: nothing panics, what was called
//! durable is there, and what is there is a state that was committed.

use super::*;

const COMMITS: usize = 4;

/// Open, commit rows `0` to `3`, close. What was told about each; none where the life before holds the file still.
async fn life(volume: Arc<dyn Volume>, storage: &Path) -> Option<Vec<Committed>> {
    let hand = clock();
    let opened = Store::open_on(volume, storage, hand.clone());
    if opened.is_locked() {
        return None;
    }
    let Opened { store, rows, .. } = opened;
    let state: Arc<Mutex<Vec<Row>>> = Arc::new(Mutex::new(rows));
    let told = Arc::clone(&state);
    store.tell_whole(move || told.lock().unwrap().clone());
    let mut answers = Vec::new();
    for n in 0..COMMITS {
        state.lock().unwrap().push(row(Table::Families, &n.to_string(), "x"));
        answers.push(store.commit(vec![put(Table::Families, &n.to_string(), "x")]).await);
        hand.forward(100_000);
    }
    store.close().await;
    Some(answers)
}

async fn survives(errno: i32, lasting: i64, reads_work: bool) {
    let mut at = 0;
    loop {
        let (_directory, storage) = place();
        let faults = Faults::none(reads_work);
        faults.fail(errno, at, lasting);
        let answers = life(Arc::new(Faulty(Arc::clone(&faults))), &storage).await.expect("nobody was before");
        faults.heal();
        let opened = Store::open(&storage, clock());
        let failed = faults.log.lock().unwrap().clone();
        let seen = format!("errno {errno}, operation {at}, failed {failed:?}, answers {answers:?}");
        assert!(!names(&opened).contains(&Name::Corrupt), "{seen}: {:?}", opened.notes);
        let expected: Vec<Row> =
            (0..opened.rows.len()).map(|n| row(Table::Families, &n.to_string(), "x")).collect();
        assert_eq!(opened.rows, expected, "{seen}");
        let durable = answers.iter().rposition(|answer| *answer == Committed::Durable).map_or(0, |n| n + 1);
        assert!(opened.rows.len() >= durable, "{seen}: {} rows", opened.rows.len());
        if lasting == 1 {
            let volatile = answers.iter().filter(|answer| **answer == Committed::Volatile).count();
            assert!(volatile <= 1, "one failure is not for ever: {seen}");
        }
        if !faults.did_fail() {
            assert_eq!(answers, [Committed::Durable; COMMITS]);
            break;
        }
        at += 1;
    }
    assert!(at > 20, "only {at} operations");
}

#[tokio::test]
async fn survives_a_single_error_of_any_operation() {
    survives(EIO, 1, false).await;
}

#[tokio::test]
async fn survives_a_volume_that_fails_for_good_at_any_operation() {
    survives(EIO, i64::MAX, false).await;
}

#[tokio::test]
async fn survives_a_volume_that_is_full_from_any_operation_on() {
    survives(ENOSPC, i64::MAX, true).await;
}

#[tokio::test]
async fn what_was_saved_before_is_in_the_registry_or_kept_beside_it_whatever_fails() {
    for (errno, lasting, reads_work) in
        [(EIO, 1, false), (EIO, 12, false), (ENOSPC, 12, true), (EROFS, i64::MAX, true)]
    {
        let mut at = 0;
        loop {
            let (directory, storage) = place();
            save(&storage, "before").await;
            let faults = Faults::none(reads_work);
            faults.fail(errno, at, lasting);
            let Some(answers) = life(Arc::new(Faulty(Arc::clone(&faults))), &storage).await else { continue };
            faults.heal();
            let seen = format!("errno {errno}, {lasting} from operation {at}, answers {answers:?}");
            // The thread of the life before lets the file go when it has heard that nobody holds it any more.
            let mut opened = Store::open(&storage, clock());
            while opened.is_locked() {
                std::thread::yield_now();
                opened = Store::open(&storage, clock());
            }
            assert!(!names(&opened).contains(&Name::Corrupt), "{seen}: {:?}", opened.notes);
            let before = row(Table::Clients, "before", "saved");
            let aside = files(directory.path()).into_iter().find(|name| name.contains("unread"));
            let aside = aside.map(|name| crate::store::read_backup(&directory.path().join(name)).unwrap());
            let is_kept = opened.rows.contains(&before) || aside.is_some_and(|rows| rows.contains(&before));
            assert!(is_kept, "{seen}: {:?}", files(directory.path()));
            if !faults.did_fail() {
                assert!(at > 20, "only {at} operations");
                break;
            }
            at += 1;
        }
    }
}
