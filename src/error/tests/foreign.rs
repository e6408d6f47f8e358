//! `Cancelled` and `Group` on their way through error types that know nothing of them.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use super::*;

fn samples() -> [Error; 2] {
    [cancelled("x").into(), group([Error::msg("A"), cancelled("x").into()])]
}

#[test]
fn c09_cancelled_is_converted_without_losing_who_it_is() {
    let original = cancelled("x");
    let error = Error::from(original.clone());
    assert!(error.is_cancelled());
    let back = error.downcast::<Cancelled>().unwrap();
    // Shared, not copied: no allocation either.
    assert!(std::ptr::eq(back.reason(), original.reason()));
}

#[test]
fn c11_through_an_io_error() {
    for error in samples() {
        let text = format!("{error:?}");
        let io = io::Error::from(error);
        // Not `Interrupted`: `read_exact` and its like would try again forever.
        assert_eq!(io.kind(), io::ErrorKind::Other);
        assert_eq!(format!("{:?}", Error::from(io)), text);
    }
}

#[test]
fn c11_through_several_io_errors_and_boxes() {
    for (error, same) in samples().into_iter().zip(samples()) {
        let inner = io::Error::from(error);
        let middle = io::Error::new(io::ErrorKind::InvalidData, inner);
        let outer: Box<dyn StdError + Send + Sync> = Box::new(io::Error::other(middle));
        assert_eq!(shape(&Error::from_boxed(outer)), shape(&same));
    }
}

#[test]
fn c11_foreign_code_can_recognise_a_cancellation() {
    let io = io::Error::from(Error::from(cancelled("x")));
    assert!(io.get_ref().unwrap().is::<Cancelled>());
}

#[test]
fn c11_through_boxes() {
    for error in samples() {
        let text = format!("{error:?}");
        let boxed: Box<dyn StdError + Send + Sync> = error.into();
        let error = Error::from_boxed(boxed);
        assert_eq!(format!("{error:?}"), text);
        let error = Error::from_boxed(error.into_boxed());
        assert_eq!(format!("{error:?}"), text);
        // What `map_err(io::Error::other)` does.
        assert_eq!(format!("{:?}", Error::from(io::Error::other(error))), text);
    }
}

#[test]
fn c11_downcast_from_a_box_and_still_boxed() {
    let boxed = Error::from(cancelled("x")).into_boxed();
    assert!(Error::from(boxed.downcast::<Cancelled>().unwrap()).is_cancelled());
    let boxed = group([Error::msg("A")]).into_boxed();
    let error = Error::from(boxed.downcast::<Group>().unwrap());
    assert_eq!(shape(&error), "[A]");
    let boxed = Box::new(io::Error::from(Error::from(cancelled("x"))));
    assert!(Error::from(boxed).is_cancelled());
}

/// A library's error around ours, as `hyper::Error` is.
#[derive(Debug)]
struct Wrapper(Box<dyn StdError + Send + Sync>);

impl fmt::Display for Wrapper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connection error")
    }
}

impl StdError for Wrapper {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}

#[test]
fn c11_find_sees_through_a_librarys_own_error() {
    let io = io::Error::from(Error::from(cancelled("x")));
    let error = Error::from(Wrapper(io.into()));
    assert!(!error.is_cancelled());
    assert!(error.find::<Cancelled>().is_some());

    let slow = Error::from(TooSlow::new(here(), None));
    let error = Error::from(Wrapper(group([slow]).into()));
    assert!(error.find::<TooSlow>().is_some());

    let slow = Error::from(TooSlow::new(here(), None));
    let error = Error::from(Wrapper(slow.into()));
    assert!(error.find::<TooSlow>().is_some());
}

#[test]
fn c05_a_scope_absorbs_what_a_library_has_made_of_a_cancellation() {
    let io = || io::Error::from(Error::from(cancelled("x")));
    let absorbed = Error::from(Wrapper(io().into())).absorb_cancelled();
    assert!(matches!(absorbed, Absorbed::Everything));
    // In several layers, one of which is ours again.
    let inner = Error::from(Wrapper(io().into()));
    let outer = Error::from(Wrapper(Box::new(io::Error::other(Wrapper(inner.into())))));
    assert!(matches!(outer.absorb_cancelled(), Absorbed::Everything));
    // In a group, whose other errors stay.
    let wrapped = Error::from(Wrapper(io().into()));
    let rest = partly_absorbed(group([Error::msg("A"), wrapped]));
    assert_eq!(shape(&rest), "[A]");
}

#[test]
fn c05_other_errors_stay_as_they_are() {
    let failures = group([Error::msg("A"), cancelled("x").into()]);
    let no_value = NoValue::new(here(), cancelled("x"));
    for error in [
        Error::from(Wrapper(Box::new(fmt::Error))),
        // A failure that has cancelled others.
        Error::from(Wrapper(failures.into())),
        // The consequence of a cancellation, by design.
        Error::from(no_value.clone()),
        Error::from(Wrapper(Error::from(no_value).into())),
    ] {
        let text = format!("{error:?}");
        assert_eq!(format!("{:?}", unabsorbed(error)), text);
    }
}

#[test]
fn n03_a_nursery_in_which_libraries_were_cancelled_is_cancelled() {
    let io = io::Error::from(Error::from(cancelled("x")));
    let error = group([Error::from(Wrapper(io.into())), cancelled("y").into()]);
    assert_eq!(error.to_string(), Error::from(cancelled("x")).to_string());
    assert!(error.is_cancelled());
}

#[test]
fn causes_of_ours_are_shown_in_full() {
    let failure = Error::msg("A\nB");
    let raised = failure.place().unwrap();
    let failures = group([failure]);
    let opened = failures.place().unwrap();
    let error = Error::from(Wrapper(failures.into()));
    let place = error.place().unwrap();
    assert_eq!(
        format!("{error:?}"),
        format!(
            "\
connection error
  raised at {place}
  caused by: 1 failure in the nursery opened at {opened}:
             └─ 1: A
                   B
                     in the body of the nursery
                     raised at {raised}"
        )
    );

    let cause = Error::from(Wrapper(Box::new(fmt::Error)));
    let raised = cause.place().unwrap();
    let error = Error::from(Wrapper(cause.into()));
    let place = error.place().unwrap();
    assert_eq!(
        format!("{error:?}"),
        format!(
            "\
connection error
  raised at {place}
  caused by: connection error
               raised at {raised}
               caused by: {}",
            fmt::Error
        )
    );
}

#[cfg(feature = "anyhow")]
mod anyhow {
    use ::anyhow::Context;

    use super::*;

    #[test]
    fn c11_through_anyhow_and_back() {
        for (error, same) in samples().into_iter().zip(samples()) {
            let error = Error::from_anyhow(error.into());
            assert_eq!(shape(&error), shape(&same));
        }
    }

    #[test]
    fn c11_cancelled_under_context() {
        let error: ::anyhow::Error = Error::from(cancelled("x")).into();
        let error = Error::from_anyhow(error.context("reading").context("greeting"));
        assert!(error.is_cancelled());

        let io: Result<(), io::Error> = Err(Error::from(cancelled("x")).into());
        let error = Error::from_anyhow(io.context("reading").unwrap_err());
        assert!(error.is_cancelled());
    }

    #[test]
    fn failures_keep_their_context() {
        let error = Error::from(TooSlow::new(here(), None));
        let error = Error::from_anyhow(::anyhow::Error::from(error).context("greeting"));
        assert_eq!(error.to_string(), "greeting");
        assert!(error.find::<TooSlow>().is_some());

        let error = ::anyhow::Error::from(group([Error::msg("A")])).context("greeting");
        assert!(Error::from_anyhow(error).find::<Group>().is_some());
    }

    #[test]
    fn an_error_keeps_its_type_and_place() {
        let error = Error::from(fmt::Error);
        let place = error.place();
        let error = Error::from_anyhow(error.into());
        assert!(error.is::<fmt::Error>());
        assert_eq!(error.place(), place);
        assert!(Error::from_anyhow(::anyhow::Error::new(fmt::Error)).is::<fmt::Error>());
    }
}
