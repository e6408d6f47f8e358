//! What can be asked for, and the answers.

use std::cell::Cell;
use std::fmt::Display;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};

use crate::error::Result;
use crate::inspect::metrics::metrics;
use crate::inspect::metrics::prometheus::PROMETHEUS;
use crate::inspect::page::access::{Access, Refused};
use crate::inspect::page::beside::Stopped;
use crate::inspect::page::events::tell;
use crate::inspect::page::listening::Opened;
use crate::inspect::page::looking::{Looking, PATIENCE};
use crate::nursery::nursery;
use crate::run::Builder;
use crate::scope::move_on_after;
use crate::serve::Listener;
use crate::serve::hyper::{Body, Server};
use crate::snapshot::dump::{Dump, dump};
use crate::snapshot::json::Json;
use crate::threads::Token;
use crate::world::net::{TcpListener, UnixListener};

const PAGE: &str = include_str!("page.html");

/// How many pages may be open.
const MOST_PAGES: usize = 16;
/// How many connections there may be, of which a page has one or two.
const MOST_CONNECTIONS: usize = 64;
/// How long an answer may take to finish when the server stops.
const GRACE: Duration = Duration::from_millis(200);

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// What every answer has: a browser keeps it to itself, and does not guess what it is.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Serves the page of the run that is looked at, in a run of its own, until it is told to stop.
///
/// # Errors
///
/// That of the listener, or of the reactor.
pub(super) fn serve_site(
    listener: Opened,
    access: Access,
    looking: Looking,
    stopped: Stopped,
) -> Result<()> {
    Builder::new().ctrl_c(false).run(async {
        let site = Site { access, looking, pages: Rc::default() };
        match listener {
            Opened::Tcp(listener) => site.serve(TcpListener::from_std(listener)?, &stopped).await,
            Opened::Unix(listener) => site.serve(UnixListener::from_std(listener)?, &stopped).await,
        }
    })
}

struct Site {
    access: Access,
    looking: Looking,
    /// How many are open.
    pages: Rc<Cell<usize>>,
}

type Answer<'a> = Response<Body<'a>>;

impl Site {
    async fn serve<L>(&self, listener: L, stopped: &Stopped) -> Result<()>
    where
        L: Listener,
        L::Stream: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        nursery(async |n| {
            n.service(self.looking.look());
            Server::new(listener)
                .max_connections(MOST_CONNECTIONS)
                .shutdown_on(async { stopped.recv().await })
                .grace(GRACE)
                .serve(async |request: Request<Incoming>| self.answer(&request).await)
                .await
        })
        .await
    }

    async fn answer<B>(&self, request: &Request<B>) -> Result<Answer<'_>> {
        if let Err(refused) = self.access.check(request) {
            return Ok(refuse(refused));
        }
        match request.uri().path() {
            "/" => Ok(page()),
            "/dump.txt" => {
                let each = request.uri().query() == Some("each");
                let write = |dump: &Dump| if each { format!("{dump:#}") } else { dump.to_string() };
                self.dump(TEXT, write).await
            }
            "/dump.json" => self.dump(JSON, Dump::to_json).await,
            "/metrics" => Ok(match self.ask(|| metrics().ok()).await? {
                Ok(metrics) => answer(StatusCode::OK, PROMETHEUS, metrics.to_prometheus()),
                Err(unanswered) => unanswered,
            }),
            "/events" => self.events().await,
            _ => Ok(text(
                StatusCode::NOT_FOUND,
                "there are: / /dump.txt /dump.json /metrics /events\n",
            )),
        }
    }

    async fn dump(&self, kind: &str, write: impl Fn(&Dump) -> String) -> Result<Answer<'_>> {
        Ok(match self.ask(|| dump().ok()).await? {
            Ok(dump) => answer(StatusCode::OK, kind, write(&dump)),
            Err(unanswered) => unanswered,
        })
    }

    async fn events(&self) -> Result<Answer<'_>> {
        let Some(open) = OpenPage::new(&self.pages) else {
            let busy = "there are too many pages open\n";
            return Ok(text(StatusCode::SERVICE_UNAVAILABLE, busy));
        };
        let body = Body::stream(async move |sender| {
            let _open = open;
            tell(&self.looking, &program(self.looking.token()), sender).await
        });
        Ok(answer(StatusCode::OK, "text/event-stream", body))
    }

    /// What the run answers now, or else what to say if it does not.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce() -> Option<T> + Send + 'static,
    ) -> Result<Result<T, Answer<'_>>> {
        let answered = self.looking.ask(question);
        Ok(match move_on_after(PATIENCE, answered.recv()).await? {
            Some(Some(answer)) => Ok(answer),
            Some(None) => Err(text(StatusCode::GONE, "the run has ended\n")),
            None => {
                let held = format!(
                    "the run has not answered for {} s: {} holds up its thread\n",
                    PATIENCE.as_secs(),
                    self.looking.holder()
                );
                Err(text(StatusCode::SERVICE_UNAVAILABLE, held))
            }
        })
    }
}

/// A page that is open, counted.
struct OpenPage(Rc<Cell<usize>>);

impl OpenPage {
    fn new(count: &Rc<Cell<usize>>) -> Option<OpenPage> {
        (count.get() < MOST_PAGES).then(|| {
            count.set(count.get() + 1);
            OpenPage(count.clone())
        })
    }
}

impl Drop for OpenPage {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// What is looked at, as JSON.
fn program(token: Token) -> String {
    let program = std::env::args_os().next().unwrap_or_default();
    let program = std::path::Path::new(&program).file_name().unwrap_or_default();
    let mut json = Json { text: String::new(), first: true };
    json.object(|json| {
        json.string("program", program.display());
        json.raw("process", std::process::id());
        json.raw("run", token.run_id().tenancy());
    });
    json.text
}

/// The page, with a policy by which a browser runs and loads nothing else, whatever anybody says,
/// and turns no text into HTML.
fn page() -> Answer<'static> {
    // A number that nobody can guess.
    let half = || RandomState::new().hash_one(0);
    let nonce = format!("{:016x}{:016x}", half(), half());
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    );
    let page = PAGE.replace("{{nonce}}", &nonce);
    let page = answer(StatusCode::OK, "text/html; charset=utf-8", page);
    with(page, header::CONTENT_SECURITY_POLICY, policy)
}

fn refuse(refused: Refused) -> Answer<'static> {
    let answer = text(refused.status(), refused.text());
    match refused {
        Refused::Method => with(answer, header::ALLOW, "GET"),
        Refused::Token => {
            with(answer, header::WWW_AUTHENTICATE, "Basic realm=\"inspect\", charset=\"UTF-8\"")
        }
        Refused::Host | Refused::OtherSite => answer,
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer<'static> {
    answer(status, TEXT, Body::from(text.into()))
}

fn answer<'a>(status: StatusCode, kind: &str, body: impl Into<Body<'a>>) -> Answer<'a> {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    let answer = with(answer, header::CONTENT_TYPE, kind);
    HEADERS.into_iter().fold(answer, |answer, (name, value)| with(answer, name, value))
}

fn with(mut answer: Answer<'_>, name: HeaderName, value: impl Display) -> Answer<'_> {
    let value = HeaderValue::from_maybe_shared(value.to_string()).expect("it is ASCII");
    answer.headers_mut().insert(name, value);
    answer
}
