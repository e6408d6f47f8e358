//! A chat server for browsers.
//!
//! | file | concept |
//! |---|---|
//! | `main` | the program: options, signals |
//! | `lib` | the server: which request goes where |
//! | `page` | the page that a browser opens, `page.html` |
//! | `origin` | whose pages may open a WebSocket |
//! | `conversation` | one client, from its first message to its last |
//! | `socket` | a WebSocket that is kept alive for as long as it is used |
//! | `allowance` | how many frames a client may send |
//! | `room` | rooms, who is in them, and what was said there |
//! | `name` | what people and rooms may be called |
//! | `event` | what the server and its clients say to each other |
//! | `limits` | how much a client may do, and how long it may take |

mod allowance;
mod conversation;
mod event;
mod limits;
mod name;
mod origin;
mod page;
mod room;
mod socket;

use std::time::Duration;

use futures::{AsyncRead, AsyncWrite};
use seedbed::hyper::body::Incoming;
use seedbed::hyper::{Body, Method, Request, Response, Server, StatusCode, upgrade};
use seedbed::{Listener, Result};

pub use crate::limits::Limits;
use crate::room::Rooms;

/// How long clients may take to say goodbye when the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// A chat server: its rooms, and whom it lets in.
pub struct Chat {
    rooms: Rooms,
    limits: Limits,
    /// Whose pages may open a WebSocket, apart from our own: `https://example.org`.
    origins: Vec<String>,
}

impl Chat {
    #[must_use]
    pub fn new(limits: Limits, origins: Vec<String>) -> Chat {
        Chat { rooms: Rooms::new(limits.clone()), limits, origins }
    }

    /// Serves until `stop` is ready. Then each client is told that the server is stopping.
    pub async fn serve<L>(&self, listener: L, stop: impl Future<Output = Result<()>>) -> Result<()>
    where
        L: Listener,
        L::Stream: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let server = Server::new(listener).shutdown_on(stop).grace(GRACE);
        server.serve(async |request| self.answer(request)).await
    }

    fn answer(&self, request: Request<Incoming>) -> Result<Response<Body<'_>>> {
        let status = match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/") => return Ok(page::page()),
            (&Method::GET, "/socket") if origin::is_allowed(&request, &self.origins) => {
                return Ok(upgrade(request, async |stream| {
                    conversation::converse(stream, &self.rooms, &self.limits).await
                }));
            }
            (_, "/socket") => StatusCode::FORBIDDEN,
            (_, "/") => StatusCode::METHOD_NOT_ALLOWED,
            _ => StatusCode::NOT_FOUND,
        };
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = status;
        Ok(answer)
    }
}
