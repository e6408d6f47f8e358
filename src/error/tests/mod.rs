//! Tests that need a `Cancelled` or a `Group`, which only the crate can make. The others are in
//! `tests/error.rs`.

mod foreign;
mod groups;
mod texts;
mod trees;

use std::panic::Location;

use super::*;

type Place = &'static Location<'static>;

#[track_caller]
fn here() -> Place {
    Location::caller()
}

#[track_caller]
fn cancelled(text: &'static str) -> Cancelled {
    Cancelled::new(here(), None, Reason::Requested(Some(text.into())))
}

#[track_caller]
fn group<const N: usize>(errors: [Error; N]) -> Error {
    let member = |error| Member { error, origin: Origin::Body };
    Group::from_failures(here(), errors.map(member).into())
}

/// An error without a cancellation to absorb.
#[track_caller]
fn unabsorbed(error: Error) -> Error {
    match error.absorb_cancelled() {
        Absorbed::Nothing(error) => error,
        Absorbed::Part(_) | Absorbed::Everything => panic!("a cancellation was absorbed"),
    }
}

/// The failures of an error that also has cancellations to absorb.
#[track_caller]
fn partly_absorbed(error: Error) -> Error {
    match error.absorb_cancelled() {
        Absorbed::Part(rest) => rest,
        Absorbed::Nothing(_) | Absorbed::Everything => panic!("not just a part was absorbed"),
    }
}

/// The text of an error, with brackets around the members of a group: `[A, [B, C]]`.
fn shape(error: &Error) -> String {
    match error.as_group() {
        Some(group) => {
            let members: Vec<_> = group.errors().map(shape).collect();
            format!("[{}]", members.join(", "))
        }
        None => error.to_string(),
    }
}

/// 1,000 nurseries, one inside another, each with a failure and a cancellation of its own.
fn deep() -> Error {
    (0..1_000).fold(Error::msg("the deepest"), |error, level| {
        group([error, cancelled("deep").into(), Error::msg(level)])
    })
}
