//! Reports about failing connections, and a limit on their number.
//!
//! Anybody who can reach a server can make its connections fail, as often as they like. So failures
//! that are a client's own doing are not warnings, and only a limited number of the others is
//! reported in a given time; the rest are counted.

use std::cell::Cell;
use std::error::Error as StdError;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::error::panic::{quietly, text as panic_text};
use crate::operation::time::now;
use crate::serve::panicked::HandlerPanicked;
use crate::serve::parting::is_clients_doing;

/// How many failures are reported in a [`WHILE`].
const MOST: u32 = 10;
const WHILE: Duration = Duration::from_secs(10);

/// The reports of a server.
pub(crate) struct Reports {
    /// The kind of thing that fails.
    what: &'static str,
    server: &'static Location<'static>,
    failures: Budget,
    /// Separate, so that clients that make handlers fail cannot hide a bug.
    panics: Budget,
}

/// How many reports there may still be.
#[derive(Default)]
struct Budget {
    since: Cell<Option<Instant>>,
    reported: Cell<u32>,
    left_out: Cell<u64>,
}

impl Reports {
    pub(crate) fn new(what: &'static str, server: &'static Location<'static>) -> Reports {
        Reports { what, server, failures: Budget::default(), panics: Budget::default() }
    }

    /// Reports that a handler, or the connection around it, has failed.
    pub(crate) fn failed(&self, error: &Error, peer: &impl Debug) {
        // Subscribers are foreign code.
        quietly(|| self.report(error, peer));
    }

    fn report(&self, error: &Error, peer: &impl Debug) {
        if error.is::<HandlerPanicked>() {
            if let Some(left_out) = self.panics.take() {
                let (peer, error) = texts(error, peer);
                tracing::error!(%peer, %error, left_out, "a handler panicked; the server goes on");
            }
        } else if is_clients_doing(error) {
            if tracing::enabled!(tracing::Level::DEBUG) {
                let (peer, error) = texts(error, peer);
                tracing::debug!(%peer, %error, "a client ended its connection early");
            }
        } else if let Some(left_out) = self.failures.take() {
            let (peer, error) = texts(error, peer);
            tracing::warn!(%peer, %error, left_out, "a {} failed", self.what);
        }
    }
}

impl Drop for Reports {
    /// Called when the server has ended. Reports how many failures were left out and not yet
    /// counted in a report.
    fn drop(&mut self) {
        match self.failures.left_out.get() + self.panics.left_out.get() {
            0 => {}
            left_out => quietly(|| {
                tracing::warn!(
                    left_out,
                    server = %self.server,
                    "more connections failed than were reported"
                );
            }),
        }
    }
}

impl Budget {
    /// Takes a report out of the budget, and returns how many were left out before it.
    fn take(&self) -> Option<u64> {
        let now = now();
        if self.since.get().is_none_or(|since| now - since >= WHILE) {
            self.since.set(Some(now));
            self.reported.set(0);
        }
        if self.reported.get() == MOST {
            self.left_out.set(self.left_out.get() + 1);
            return None;
        }
        self.reported.set(self.reported.get() + 1);
        Some(self.left_out.take())
    }
}

/// The texts of a failure and of where it came from, one line each. These are the program's own
/// types, and a bug in how they are formatted should cost the report, not the server.
fn texts(error: &Error, peer: &impl Debug) -> (String, String) {
    let text = |write: &dyn Fn() -> String| {
        catch_unwind(AssertUnwindSafe(write)).unwrap_or_else(|payload| {
            let text = format!("(its text panicked: {})", panic_text(&*payload));
            quietly(|| drop(payload));
            text
        })
    };
    (text(&|| format!("{peer:?}")), text(&|| with_causes(error)))
}

/// The error, followed by each cause that its own text does not include.
fn with_causes(error: &Error) -> String {
    /// A limit, because a chain of causes may be a ring.
    const MOST: usize = 16;
    let mut text = error.one_line();
    for cause in causes(error.as_dyn()).take(MOST) {
        let cause = cause.to_string();
        if !text.ends_with(&*cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(error.source(), |&error| error.source())
}

/// Reports how many connections were cancelled before they had ended, if any were.
pub(super) fn report_cut_short(connections: usize, server: &Location<'_>) {
    if connections > 0 {
        tracing::warn!(
            connections,
            %server,
            "a server has ended before some of its connections, which were cancelled; a dump that is \
             taken while it shuts down, by `Builder::dump_on` or `Token::dump`, says what they wait for"
        );
    }
}

/// Reports that a server which is shutting down could not accept the clients that still waited.
pub(super) fn report_last(error: &Error) {
    tracing::warn!(%error, "could not accept the last connections");
}
