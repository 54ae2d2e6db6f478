//! Rows: what is written reads back, what cannot be read is named, and no bytes do harm.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::oauth::registry::rows::{user_bytes, user_of};

#[test]
fn user_ids_sort_as_keys_like_the_numbers_they_are() {
    let ids = [i64::MIN, -1, 0, 1, 255, 256, i64::MAX];
    assert!(ids.windows(2).all(|pair| user_bytes(pair[0]) < user_bytes(pair[1])));
    assert!(ids.iter().all(|id| user_of(&user_bytes(*id)) == Some(*id)));
}

#[test]
fn printing_a_row_shows_how_much_there_is_and_nothing_of_it() {
    let (key, value) = (b"person-key".to_vec(), b"sealed-value".to_vec());
    let row = Row { table: Table::Grants, key: key.clone(), value: value.clone() };
    let put = Change { table: Table::Grants, key: key.clone(), value: Some(value) };
    let unreadable = Unreadable { table: Table::Grants, key };
    let all = format!("{row:?} {put:?} {:?} {unreadable:?}", unreadable.deletion());
    for (shown, text) in
        [(true, "Grants"), (true, "10"), (true, "12"), (true, "None"), (false, "person"), (false, "sealed")]
    {
        assert_eq!(all.contains(text), shown, "{text}: {all}");
    }
    // Not byte by byte either.
    assert!(!all.contains('['), "{all}");
}

#[test]
fn tables_have_names_of_their_own() {
    let names: std::collections::BTreeSet<&str> = Table::ALL.iter().map(|table| table.name()).collect();
    assert_eq!(names.len(), 6);
}

#[test]
fn a_row_of_another_version_or_with_a_strange_member_is_named_and_left_out() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    let good = desk.rows();
    for (from, to) in [
        ("\"v\":1", "\"v\":2"),
        ("\"v\":1", "\"v\":1,\"more\":1"),
        ("\"v\":1", "\"v\":1,\"v\":1"),
        ("alice", ""),
    ] {
        let rows = good.iter().map(|row| {
            let text = String::from_utf8(row.value.clone()).unwrap().replace(from, to);
            Row { value: text.into_bytes(), ..row.clone() }
        });
        let (registry, unreadable) = Registry::load(rows, Bounds::default());
        assert_eq!(registry.stats(), Stats::default(), "{to}");
        let keys: Vec<Table> = unreadable.iter().map(|row| row.table).collect();
        assert_eq!(keys, good.iter().map(|row| row.table).collect::<Vec<_>>());
        assert_eq!(unreadable[0].deletion().value, None);
    }
}

#[test]
fn rows_of_others_in_the_meta_table_are_passed_over() {
    let row = Row { table: Table::Meta, key: b"format".to_vec(), value: b"1".to_vec() };
    let (mut registry, unreadable) = Registry::load([row], Bounds::default());
    assert!(unreadable.is_empty() && registry.export().is_empty());
    let (_, changes) = registry.replace([]);
    assert_eq!(changes, [], "and a restore leaves them alone");
}

#[test]
fn every_reason_reads_back_under_its_name() {
    let ends = [
        End::RefreshReused,
        End::CodeReplayed,
        End::ClientAsked,
        End::UserRevoked,
        End::ClientRevoked,
        End::GrantDead,
        End::RegistryBehind,
    ];
    for end in ends {
        let mut desk = Desk::new(Bounds::default());
        desk.open(1, 5, "client");
        let changes = desk.registry.end_family(&[1; 16], end, desk.now);
        desk.commit(changes);
        desk.restart();
        assert_eq!(desk.alive(1, 5), Err(Dead::Ended(end)));
    }
}

#[test]
fn awkward_texts_read_back_as_they_were() {
    let mut desk = Desk::new(Bounds::default());
    let client = "https://example.org/\"\\\u{0}\u{202e}\n😀/refused/";
    desk.open(1, i64::MIN, client);
    let changes = desk.registry.approve(client, -1, "x:\u{1f}\"", READ, desk.now).unwrap();
    desk.commit(changes);
    let changes = desk.registry.saw_client(client, "\u{7f}\"", ClientKind::Document, desk.now).unwrap();
    desk.commit(changes);
    let (_, changes) = desk.registry.revoke_client("refused/\u{0}", desk.now);
    desk.commit(changes);
    desk.restart();
    desk.commit(Vec::new());
    assert_eq!(desk.alive(1, i64::MIN).unwrap().client, client);
    assert!(desk.registry.client_refused("refused/\u{0}"));
}

fn any_table() -> impl Strategy<Value = Table> {
    prop::sample::select(&Table::ALL[..])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_rows_never_panic_and_what_is_taken_reads_back(
        rows in vec((any_table(), vec(any::<u8>(), 0..40), vec(any::<u8>(), 0..80)), 0..20),
    ) {
        let rows = rows.into_iter().map(|(table, key, value)| Row { table, key, value });
        let (registry, _) = Registry::load(rows, Bounds::default());
        let (again, unreadable) = Registry::load(registry.export(), Bounds::default());
        prop_assert!(unreadable.is_empty());
        prop_assert_eq!(as_file(&registry), as_file(&again));
    }

    #[test]
    fn rows_damaged_in_one_byte_are_read_whole_or_not_at_all(
        which in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let mut desk = Desk::new(Bounds::default());
        desk.open(1, 5, "client");
        let changes = desk.registry.approve("client", 5, REDIRECT, READ, desk.now).unwrap();
        desk.commit(changes);
        let changes = desk.registry.saw_client("client", "Name", ClientKind::Dynamic, desk.now).unwrap();
        desk.commit(changes);
        let mut rows = desk.rows();
        let row = which.index(rows.len());
        let place = place.index(rows[row].value.len());
        if cut {
            rows[row].value.truncate(place);
        } else {
            rows[row].value[place] = byte;
        }
        let count = rows.len();
        let (mut registry, unreadable) = Registry::load(rows, Bounds::default());
        let exported = registry.export();
        prop_assert_eq!(exported.len() + unreadable.len(), count);
        let (again, unreadable) = Registry::load(exported, Bounds::default());
        prop_assert!(unreadable.is_empty());
        prop_assert_eq!(as_file(&registry), as_file(&again));
        // Whatever was read can be worked with.
        let _ = registry.users(desk.now);
        let _ = registry.collect(desk.now);
        let _ = registry.revoke_user(Who::Id(5), desk.now);
        let _ = registry.revoke_client("client", desk.now);
    }
}
