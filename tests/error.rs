//! `seedbed::Error` as any program sees it. Tests that need a cancellation or a group are beside
//! the source, in `src/error/tests`.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::num::ParseIntError;

use seedbed::{Error, Group, Result};

fn parse(text: &str) -> Result<u16> {
    Ok(text.parse()?)
}

#[test]
fn an_error_is_two_words_and_so_is_a_result() {
    assert_eq!(size_of::<Error>(), 2 * size_of::<usize>());
    assert_eq!(size_of::<Result<()>>(), 2 * size_of::<usize>());
}

#[test]
fn the_question_mark_keeps_the_type() {
    assert_eq!(parse("80").unwrap(), 80);
    let error = parse("http").unwrap_err();
    assert!(error.is::<ParseIntError>());
    assert!(!error.is::<io::Error>());
    assert!(error.downcast_ref::<ParseIntError>().is_some());
    let error = error.downcast::<io::Error>().unwrap_err();
    assert_eq!(
        error.downcast::<ParseIntError>().unwrap().to_string(),
        "invalid digit found in string"
    );
}

#[test]
fn the_place_is_that_of_the_question_mark() {
    fn through() -> Result<()> {
        Err(fmt::Error)?
    }
    let line = line!() - 2;
    let place = through().unwrap_err().place().unwrap();
    assert_eq!((place.file(), place.line()), (file!(), line));
}

#[test]
fn the_place_is_the_first_one() {
    fn outer() -> Result<()> {
        parse("http")?;
        Ok(())
    }
    assert_eq!(outer().unwrap_err().place(), parse("http").unwrap_err().place());
}

#[test]
fn the_place_is_known_with_every_way_of_converting() {
    let places = [
        (Error::msg("A").place(), line!()),
        (Error::from(fmt::Error).place(), line!()),
        (Into::<Error>::into(fmt::Error).place(), line!()),
        (Error::from_boxed("A".into()).place(), line!()),
    ];
    for (place, line) in places {
        let place = place.unwrap();
        assert_eq!((place.file(), place.line()), (file!(), line));
    }
    let failed = "http".parse::<u16>();
    let error: Error = failed.map_err(|error| error.into()).unwrap_err();
    assert_eq!(error.place().unwrap().line(), line!() - 1);
}

/// Otherwise it would be a line of the standard library that nobody knows.
#[test]
fn there_is_no_place_where_the_caller_is_unknown() {
    let failed = "http".parse::<u16>();
    let error = failed.map_err(Error::from).unwrap_err();
    assert_eq!(error.place(), None);
    assert_eq!(format!("{error:?}"), "invalid digit found in string");
}

#[test]
fn the_place_survives_a_failed_downcast() {
    let error = parse("http").unwrap_err();
    let place = error.place();
    assert_eq!(error.downcast::<fmt::Error>().unwrap_err().place(), place);
}

#[test]
fn an_io_error_comes_out_as_itself() {
    let error = Error::from(io::Error::from_raw_os_error(2));
    assert_eq!(io::Error::from(error).raw_os_error(), Some(2));
}

#[test]
fn a_foreign_io_error_stays_one_whatever_it_carries() {
    let cause = parse("http").unwrap_err().into_boxed();
    let error = Error::from(io::Error::new(io::ErrorKind::InvalidInput, cause));
    let inner = error.downcast_ref::<io::Error>().unwrap();
    assert_eq!(inner.kind(), io::ErrorKind::InvalidInput);
    assert!(error.find::<ParseIntError>().is_some());
}

#[test]
fn c11_other_errors_come_through_an_io_error_with_their_place() {
    let error = parse("http").unwrap_err();
    let (text, debug) = (error.to_string(), format!("{error:?}"));
    let io = io::Error::from(error);
    assert_eq!(io.kind(), io::ErrorKind::Other);
    assert_eq!(io.to_string(), text);
    let error = Error::from(io::Error::new(io::ErrorKind::InvalidData, io));
    assert!(error.is::<ParseIntError>());
    assert_eq!(format!("{error:?}"), debug);
}

#[derive(Debug)]
struct BadPort(ParseIntError);

impl fmt::Display for BadPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bad port")
    }
}

impl StdError for BadPort {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

fn bad_port() -> Error {
    BadPort("http".parse::<u16>().unwrap_err()).into()
}

#[test]
fn a_box_has_the_text_and_the_causes_and_leads_back() {
    let error = bad_port();
    let debug = format!("{error:?}");
    let boxed: Box<dyn StdError + Send + Sync> = error.into();
    assert_eq!(boxed.to_string(), "bad port");
    assert!(boxed.source().unwrap().is::<ParseIntError>());
    assert_eq!(format!("{boxed:?}"), debug);

    let error = Error::from_boxed(boxed);
    assert!(error.is::<BadPort>());
    assert_eq!(format!("{error:?}"), debug);

    let local: Box<dyn StdError> = error.into();
    assert_eq!(local.to_string(), "bad port");
}

#[test]
fn a_box_of_the_error_itself_can_be_downcast() {
    assert!(bad_port().into_boxed().is::<BadPort>());
    assert!(bad_port().as_dyn().is::<BadPort>());
}

#[test]
fn find_looks_at_causes() {
    let error = bad_port();
    assert!(error.find::<BadPort>().is_some());
    assert!(error.find::<ParseIntError>().is_some());
    assert!(error.find::<io::Error>().is_none());
}

#[test]
fn a_single_error_is_no_group() {
    let error = Error::msg("A");
    assert!(error.as_group().is_none());
    assert!(error.find::<Group>().is_none());
    assert!(!error.is_cancelled());
}

#[test]
fn it_can_be_sent_and_be_what_main_returns() {
    let error = std::thread::spawn(|| parse("http").unwrap_err());
    let error = error.join().unwrap();
    fn main_returns<T: std::process::Termination>(_: T) {}
    main_returns(Err::<(), _>(error));
}

/// A place in the sources of this crate helps nobody.
#[test]
fn what_this_crate_raises_is_not_said_to_be_raised_in_it() {
    let limit = std::time::Duration::from_millis(1);
    let error = seedbed::run(seedbed::fail_after(limit, seedbed::sleep_forever())).unwrap_err();
    assert_eq!(error.place(), None);
    assert_eq!(format!("{error:?}"), error.to_string());
}

#[cfg(feature = "anyhow")]
#[test]
fn anyhow_takes_it_with_a_question_mark() {
    fn through() -> anyhow::Result<()> {
        Err(bad_port())?
    }
    let error = through().unwrap_err();
    assert_eq!(format!("{error:#}"), "bad port: invalid digit found in string");
    assert!(Error::from_anyhow(error).is::<BadPort>());
}
