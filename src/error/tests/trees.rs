//! The tree that `main` prints.

use std::{fmt, io};

use super::*;

#[derive(Debug)]
struct BadRecord(std::num::ParseIntError);

impl fmt::Display for BadRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("record 17 is damaged:\n  id = \"ada\"\n       ^^^^^")
    }
}

impl std::error::Error for BadRecord {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn raised(error: &Error) -> Place {
    error.place().unwrap()
}

fn in_task(error: Error, spawned_at: Place) -> Member {
    Member { error, origin: Origin::Task(Spawned::At(spawned_at)) }
}

#[test]
fn a_single_error_tells_where_it_was_raised_and_its_causes() {
    let error = Error::from(BadRecord("ada".parse::<u8>().unwrap_err()));
    let place = raised(&error);
    let expected = format!(
        "\
record 17 is damaged:
  id = \"ada\"
       ^^^^^
  raised at {place}
  caused by: invalid digit found in string"
    );
    assert_eq!(format!("{error:?}"), expected);
    assert_eq!(format!("{error:#?}"), expected);
}

#[test]
fn c09_a_cancellation_tells_the_scope_too() {
    let [scope, by] = [here(), here()];
    let why = Reason::Requested(Some("superseded".into()));
    assert_eq!(
        format!("{:?}", Error::from(Cancelled::new(scope, Some(by), why))),
        format!("cancelled by {by}: superseded\n  along with the scope opened at {scope}")
    );
    let error = Error::from(Cancelled::new(scope, None, Reason::Deadline));
    assert_eq!(format!("{error:?}"), error.to_string());
}

/// `main` with its nursery, a worker with one of its own, and a third inside that.
#[test]
fn n02_three_levels() {
    let [listen, worker, pool, fetch] = [here(), here(), here(), here()];
    let [request, parse, timer] = [here(), here(), here()];

    let reset =
        Error::from(io::Error::new(io::ErrorKind::ConnectionReset, "connection reset by peer"));
    let record = Error::from(BadRecord("ada".parse::<u8>().unwrap_err()));
    let slow = Error::from(TooSlow::new(timer, Some(std::time::Duration::from_secs(5))));
    let late = Error::msg("nobody is left to answer");
    let places = [&reset, &record, &slow, &late].map(raised);
    let why = Reason::Requested(Some("the user closed the window".into()));
    let gone = Error::from(Cancelled::new(listen, Some(timer), why));
    let [at_reset, at_record, at_slow, at_late] = places;
    let too_slow = slow.to_string();

    let innermost =
        Group::from_failures(request, vec![in_task(record, parse), in_task(gone, parse)]);
    let middle = Group::from_failures(pool, vec![in_task(slow, fetch), in_task(innermost, fetch)]);
    let body = Member { error: late, origin: Origin::Body };
    let error =
        Group::from_failures(listen, vec![in_task(reset, worker), in_task(middle, worker), body]);

    let expected = format!(
        "\
3 failures in the nursery opened at {listen}, in the order they happened:
├─ 1: connection reset by peer
│       in the task spawned at {worker}
│       raised at {at_reset}
├─ 2: 2 failures in the nursery opened at {pool}, in the order they happened:
│     │ in the task spawned at {worker}
│     ├─ 1: {too_slow}
│     │       in the task spawned at {fetch}
│     │       raised at {at_slow}
│     └─ 2: 2 failures in the nursery opened at {request}, in the order they happened:
│           │ in the task spawned at {fetch}
│           ├─ 1: record 17 is damaged:
│           │       id = \"ada\"
│           │            ^^^^^
│           │       in the task spawned at {parse}
│           │       raised at {at_record}
│           │       caused by: invalid digit found in string
│           └─ 2: cancelled by {timer}: the user closed the window
│                   in the task spawned at {parse}
│                   along with the scope opened at {listen}
└─ 3: nobody is left to answer
        in the body of the nursery
        raised at {at_late}"
    );
    assert_eq!(format!("{error:?}"), expected);
    assert_eq!(format!("{error:#?}"), expected);
    assert_eq!(format!("{:?}", error.as_group().unwrap()), expected);
    println!("Error: {error:?}");
}

/// Ten or more: the numbers grow wider, and everything below them is indented to match.
#[test]
fn n02_more_than_nine() {
    let error = group(std::array::from_fn::<_, 10, _>(|_| Error::msg("A\nB")));
    let text = format!("{error:?}");
    assert!(text.contains("\n├─ 9: A\n│     B\n│       in the body"));
    assert!(text.contains("\n└─ 10: A\n       B\n         in the body"));
}
