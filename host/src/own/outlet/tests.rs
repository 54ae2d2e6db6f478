use super::Held;
use crate::own::{Own, Places};

const SECRET: &str = "a-webhook-secret-of-ours";
const LONGER: &str = "a-webhook-secret-of-ours-and-another";
const INNER: &str = "secret-of-ours-or-not";

fn own() -> Own {
    Own::all([SECRET, LONGER, INNER].iter().map(|secret| secret.as_bytes())).expect("few of them")
}

fn places(own: &Own, text: &[u8]) -> Places {
    let mut places = Places::default();
    own.add_places(text, &mut places);
    places
}

/// What comes out of the pieces, and how many secrets were found.
fn through<'a>(own: &Own, pieces: impl Iterator<Item = &'a [u8]>) -> (String, usize) {
    let (mut held, mut out, mut count) = (Held::default(), Vec::new(), 0);
    for piece in pieces {
        let (ready, found) = held.piece(piece, |text| places(own, text), |text| own.begun(text));
        out.extend_from_slice(&ready);
        count += found;
    }
    out.extend_from_slice(&held.rest());
    (String::from_utf8(out).expect("text"), count)
}

#[test]
fn wherever_a_stream_breaks_it_says_what_the_whole_would_say() {
    let own = own();
    let event = |text: &str| format!("event: message\ndata: {{\"text\":\"{text}\"}}\n\n");
    let half = SECRET.get(..20).expect("ASCII");
    for text in [
        event(SECRET) + &event("nothing"),
        event(LONGER) + &event(&format!("{SECRET}{SECRET} {half}")),
        event(&format!("a-webhook-{INNER}")),
        event(&format!("{SECRET}-and-anothe")),
        format!("{half}{SECRET}{half}"),
        String::new(),
    ] {
        let mut whole = text.clone().into_bytes();
        places(&own, &whole).star(&mut whole);
        let whole = String::from_utf8(whole).expect("text");
        assert!(!whole.contains(SECRET) && !whole.contains(INNER));
        for size in 1..=text.len().max(1) {
            assert_eq!(through(&own, text.as_bytes().chunks(size)).0, whole, "pieces of {size}");
        }
        for at in 0..text.len() {
            let (one, two) = text.as_bytes().split_at(at);
            assert_eq!(through(&own, [one, two].into_iter()).0, whole, "broken at {at}");
        }
    }
}

#[test]
fn an_event_that_ends_waits_for_no_other() {
    let own = own();
    let mut held = Held::default();
    let event = format!("data: {SECRET}\n\n");
    let (ready, found) = held.piece(event.as_bytes(), |text| places(&own, text), |text| own.begun(text));
    assert_eq!((ready.len(), found), (event.len(), 1));
    assert_eq!(held.rest(), "");
}

#[test]
fn each_secret_is_counted_once_though_it_comes_in_many_pieces() {
    let own = own();
    let text = format!("{SECRET} {SECRET}");
    assert_eq!(through(&own, text.as_bytes().chunks(1)).1, 2);
}
