//! The examples of generators do what they say. (`cursor` needs a server, and has a test of its
//! own.)
#![cfg(unix)]
#![allow(dead_code, reason = "the examples' `main` functions")]

#[cfg(all(feature = "hyper", feature = "tls"))]
#[path = "../examples/pagination/main.rs"]
mod pagination;
#[path = "../examples/ticker.rs"]
mod ticker;
#[path = "../examples/yield_in_scope.rs"]
mod yield_in_scope;

use std::time::Duration;

use seedbed::YieldInCancelScope;
use yield_in_scope::Outcome;

#[test]
fn ticker_ticks() {
    let lines = ticker::demonstrate(Duration::from_millis(4)).unwrap();
    assert_eq!(lines, ["0", "1", "2", "sums: 3, 10", "ten times as fast: Some(1)"]);
}

#[cfg(all(feature = "hyper", feature = "tls"))]
#[test]
fn pagination_fetches_what_is_asked_for() {
    let (books, requests) = pagination::demonstrate().unwrap();
    let seven: Vec<_> = (1..=7).map(|n| format!("book {n}, {} pages", 100 + n)).collect();
    assert_eq!(books, seven);
    // As many books were looked up as may be begun while six have been taken. Their pages came one
    // after the other, and no further ones.
    let (pages, books): (Vec<_>, Vec<_>) = requests.iter().partition(|path| path.contains("page"));
    assert_eq!(pages[..3], ["GET /books?page=1", "GET /books?page=2", "GET /books?page=3"]);
    assert!(pages.len() <= 4, "{pages:?}");
    assert!((7..=6 + pagination::AHEAD).contains(&books.len()), "{books:?}");
}

/// Checks that it was refused before anything was yielded, with the error of Y2.
fn refused((log, error): &Outcome) -> &YieldInCancelScope {
    assert!(log.is_empty(), "{log:?}");
    let error = error.as_ref().expect("it is refused");
    let refusal = error.find::<YieldInCancelScope>().unwrap_or_else(|| panic!("{error:?}"));
    // All three places, and what to do.
    let text = error.to_string();
    assert!(text.contains(refusal.reason()), "{text}");
    assert!(text.contains(&refusal.opened_at().to_string()), "{text}");
    assert!(text.contains(&refusal.yielded_at().to_string()), "{text}");
    assert!(text.contains("yield outside it"), "{text}");
    refusal
}

fn went_well((log, error): &Outcome) -> &[String] {
    assert!(error.is_none(), "{error:?}");
    log
}

/// The PEP's four programs, broken and mended.
#[test]
fn y09_the_examples_of_pep_789() {
    let programs = yield_in_scope::demonstrate();
    let [limit, sensors, websocket, synchronous] = &programs[..] else { panic!("there are four") };

    assert_eq!(refused(&limit.broken).reason(), "a timeout");
    assert_eq!(
        went_well(&limit.mended),
        ["took my time over 0", "took my time over 1", "took my time over 2"]
    );

    assert_eq!(refused(&sensors.broken).reason(), "a nursery");
    let log = went_well(&sensors.mended);
    assert_eq!(log[..4], ["a-0", "b-0", "a-1", "PRESENT"]);
    assert_eq!(log[4], "main task slept, and nothing happened");
    assert!(log[5].starts_with("after 6 events: "), "{}", log[5]);
    assert!(log[5].ends_with("sensor a is broken"), "{}", log[5]);

    assert_eq!(refused(&websocket.broken).reason(), "a nursery");
    assert_eq!(went_well(&websocket.mended), ["hello", "how are you", "bye"]);

    assert_eq!(refused(&synchronous.broken).reason(), "a timeout");
    assert_eq!(went_well(&synchronous.mended), ["finished 0", "finished 1", "finished 2"]);
}
