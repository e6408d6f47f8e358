//! A page in the browser that shows what a run is doing.
//!
//! ```text
//! the run that is looked at                  a thread of its own, with a run of its own
//!   the future of `serve`  ── starts ──────► `beside`   the server: `site`, `access`
//!                                               │ somebody has a page open: `events`
//!   a dump, taken between two tasks ◄── asks ── `looking`, at most four times a second
//!         └───────────── the dump ────────────► what has changed, as JSON ──► the page
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `listening` | where the page can be opened |
//! | `beside` | a thread with a run of its own, beside the one that is looked at |
//! | `looking` | asking the run, as long as somebody wants to know |
//! | `site` | what can be asked for, and the answers |
//! | `access` | who may ask |
//! | `events` | what an open page is told |
//! | `page.html` | the page |

mod access;
mod beside;
mod events;
mod listening;
mod looking;
mod site;

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::time::Duration;

pub use listening::Listening;

use crate::error::{NotRunning, Result};
use crate::inspect::page::access::Access;
use crate::inspect::page::beside::beside;
use crate::inspect::page::looking::Looking;
use crate::inspect::page::site::serve_site;
use crate::run::blocked::asked::Held;
use crate::threads::Token;

/// The default of [`Server::at_most_every`].
const INTERVAL: Duration = Duration::from_millis(250);

/// Serves a page that shows what this run is doing, until it is cancelled. This is short for
/// `Server::new(listener).serve()`: see [`Server`]. It needs the feature `inspect`.
///
/// # Errors
///
/// The same as for [`Server::serve`].
///
/// ```no_run
/// use seedbed::{inspect, net::TcpListener, nursery, sleep};
/// use std::time::Duration;
///
/// seedbed::run(async {
///     nursery(async |n| {
///         n.service(inspect::serve(TcpListener::bind("127.0.0.1:6680").await?));
///         for nth in 0..1000 {
///             n.spawn(sleep(Duration::from_secs(nth))); // http://127.0.0.1:6680 shows them
///         }
///         Ok(())
///     })
///     .await
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn serve(listener: impl Into<Listening>) -> impl Future<Output = Result<()>> {
    Server::new(listener).serve()
}

/// A server of a page that shows what a run is doing, and its settings. It needs the feature
/// `inspect`.
///
/// It shows the run in which [`serve`](Self::serve) is awaited. With
/// [`run_on_cores`](crate::run_on_cores()), each core serves a page of its own.
///
/// | path | what it is |
/// |---|---|
/// | `/` | the page: the tree of tasks and scopes, live, with search, and what needs attention |
/// | `/dump.txt` | a [dump](crate::inspect) as text, for `curl`; with `?each`, each task by itself |
/// | `/dump.json` | a dump [as JSON](super::Dump::to_json) |
/// | `/metrics` | the [metrics](super::metrics()), for Prometheus. If [`enable`](super::enable) was called, what is counted is among them, and the page has charts of it |
/// | `/events` | what an open page is told, as server-sent events; not stable |
///
/// Up to 16 pages can be open at a time.
///
/// # What it costs the run
///
/// The server has a thread of its own. It asks the run for a dump only while a page is open,
/// [four times a second at most](Self::at_most_every), and so seldom that this takes less than a
/// hundredth of the run's time. Each request for one of the other paths takes a dump, or reads the
/// metrics, once. Everything else happens on the server's thread. So the page still answers when a
/// task holds up the run, and says which one does if the run
/// [warns](crate::Builder::warn_when_blocked) of such tasks. A page that is slow to take what it is
/// sent gets dumps less often, and nothing is stored for it.
///
/// # Who can see it
///
/// The page shows where in the program's source everything is, the names of the tasks, and in dumps
/// the addresses of peers. By default it answers every user of this machine and nobody else:
/// [`serve`](Self::serve) refuses a listener that can be reached from elsewhere, unless there is a
/// [`token`](Self::token). It is better to leave it at that, and to come through
/// `ssh -L 6680:localhost:6680 machine`; or to listen at a [path](crate::net::UnixListener), which
/// has permissions, and to come through `ssh -L 6680:/run/program/inspect.sock machine`.
///
/// Nothing can be changed through the page. A browser lets no other site embed or read it, and it
/// loads nothing from anywhere else. It answers only if the address that was asked for has an IP
/// address, `localhost`, or a name that is [allowed](Self::allow_host), so that no other site can
/// pass itself off as this one.
///
/// ```no_run
/// use seedbed::{inspect, net::UnixListener, nursery};
///
/// # async fn work() -> seedbed::Result<()> { Ok(()) }
/// seedbed::run(async {
///     let listener = UnixListener::bind("/run/program/inspect.sock").await?;
///     nursery(async |n| {
///         n.service(inspect::Server::new(listener).serve());
///         work().await
///     })
///     .await
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[must_use = "a server does nothing until its `serve` is awaited"]
pub struct Server {
    listening: Listening,
    access: Access,
    interval: Duration,
    place: &'static Location<'static>,
}

impl Server {
    /// Creates a server whose page can be opened through this listener, without a token.
    #[track_caller]
    pub fn new(listener: impl Into<Listening>) -> Server {
        Server {
            listening: listener.into(),
            access: Access::default(),
            interval: INTERVAL,
            place: Location::caller(),
        }
    }

    /// Demands this token of everybody, so that the listener may be one that other machines can
    /// reach. Nothing is encrypted: whoever can listen in can read the token.
    ///
    /// A browser asks its user for it: it is the password, with any name. Other clients send it in
    /// the same way (`curl -u :TOKEN`) or as a bearer token.
    pub fn token(mut self, token: impl Into<String>) -> Server {
        self.access.token = Some(token.into());
        self
    }

    /// Allows the page to be opened under this name, besides `localhost` and every IP address.
    pub fn allow_host(mut self, name: impl Into<String>) -> Server {
        self.access.hosts.push(name.into());
        self
    }

    /// Sets how much time there is at least between two dumps for open pages; by default, a quarter
    /// of a second. There is more if a dump takes long.
    pub fn at_most_every(mut self, interval: Duration) -> Server {
        self.interval = interval;
        self
    }

    /// Serves the page, until this is cancelled. It is meant to be a
    /// [service](crate::Nursery::service), so that a graceful stop can be watched to its end.
    ///
    /// It is a [checkpoint](crate::checkpoint()). When it is cancelled, open pages are told, and it
    /// returns once the server's thread has ended, within about a quarter of a second. If it is
    /// dropped instead, the destructor waits for that thread, and blocks the run's thread
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); [`NotRunning`](crate::NotRunning) outside
    /// [`run`](crate::run); an [`io::Error`](std::io::Error) if the listener can be reached from
    /// other machines and there is no token, if the token is empty, if the system has no thread, or
    /// if the listener fails.
    pub async fn serve(self) -> Result<()> {
        let Server { listening, access, interval, place } = self;
        let token = Token::here().ok_or(NotRunning)?;
        let held = Held::here();
        access.check_reach(&listening, place)?;
        let listener = listening.open();
        beside(move |stopped| {
            let looking = Looking::new(token, held, interval);
            serve_site(listener, access, looking, stopped)
        })
        .await
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("listening", &self.listening).finish_non_exhaustive()
    }
}
