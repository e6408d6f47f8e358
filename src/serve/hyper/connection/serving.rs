//! Setting hyper up for a connection whose version of HTTP is known.

use std::pin::Pin;
use std::rc::Rc;

use futures_io::{AsyncRead, AsyncWrite};
use hyper::body::Incoming;
use hyper::http::Extensions;
use hyper::server::conn::{http1, http2};
use hyper::{Request, Response};

use crate::error::{Error, Result};
use crate::nursery::Nursery;
use crate::scope::tree::pool::ScopeRef;
use crate::serve::hyper::answer::body::IntoBody;
use crate::serve::hyper::connection::drive::Drive;
use crate::serve::hyper::connection::pace::Pace;
use crate::serve::hyper::connection::state::State;
use crate::serve::hyper::connection::steps::End;
use crate::serve::hyper::request::failures::Failures;
use crate::serve::hyper::request::service::Requests;
use crate::serve::hyper::{Io, Limits, NurseryExecutor, Timer};

pub(super) struct Serving<'scope, 'env> {
    pub(super) nursery: &'scope Nursery<'scope, 'env>,
    pub(super) limits: &'env Limits,
    pub(super) failures: &'env Failures<'env>,
    pub(super) mark: Option<&'env dyn Fn(&mut Extensions)>,
    pub(super) state: Rc<State>,
    pub(super) pace: Pace,
}

impl<'scope, 'env> Serving<'scope, 'env> {
    fn requests<H>(&self, handler: &'env H) -> Requests<'scope, 'env, H> {
        Requests {
            nursery: self.nursery,
            handler,
            failures: self.failures,
            mark: self.mark,
            state: self.state.clone(),
        }
    }

    pub(super) async fn http1<S, H, B, E>(self, io: Io<S>, handler: &'env H) -> Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
        H: AsyncFn(Request<Incoming>) -> Result<Response<B>, E>,
        B: IntoBody + 'scope,
        E: Into<Error> + 'scope,
    {
        let mut builder = http1::Builder::new();
        builder.timer(Timer).half_close(true).header_read_timeout(None); // hyper takes idle connections for slow ones
        self.limits.set_http1(&mut builder);
        let connection = builder.serve_connection(io, self.requests(handler)).with_upgrades();
        let shutdown = |connection: Pin<&mut _>| {
            http1::UpgradeableConnection::graceful_shutdown(connection);
        };
        let scope = ScopeRef::new(self.state.place());
        let drive =
            Drive::new(connection, shutdown, scope, self.state.clone(), self.limits, self.pace);
        ended(&self.state, self.failures, drive.reporting(self.failures).await?)
    }

    pub(super) async fn http2<S, H, B, E>(self, io: Io<S>, handler: &'env H) -> Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
        H: AsyncFn(Request<Incoming>) -> Result<Response<B>, E>,
        B: IntoBody + 'scope,
        E: Into<Error> + 'scope,
    {
        let mut builder = http2::Builder::new(NurseryExecutor::new(self.nursery));
        builder.timer(Timer);
        self.limits.set_http2(&mut builder);
        let connection = builder.serve_connection(io, self.requests(handler));
        let scope = ScopeRef::new(self.state.place());
        let shutdown = http2::Connection::graceful_shutdown;
        let drive =
            Drive::new(connection, shutdown, scope, self.state.clone(), self.limits, self.pace);
        ended(&self.state, self.failures, drive.reporting(self.failures).await?)
    }
}

/// The result for a connection that has ended in this way.
fn ended(state: &State, failures: &Failures<'_>, end: End) -> Result<()> {
    failures.report_those_of(state);
    match end {
        End::Over => Ok(()),
        End::Departed(error) => {
            tracing::debug!(?error, "a client went away in the middle of something");
            Ok(())
        }
        End::Cancelled(why) => Err(why.into()),
        End::Failed(error) => match error.downcast_ref::<hyper::Error>() {
            // It has been reported as the handler's error.
            Some(error) if error.is_user() => Ok(()),
            // The client does not answer pings: it has gone without a word.
            Some(hyper) if hyper.is_timeout() => {
                tracing::debug!(error = %hyper, "a client went away");
                Ok(())
            }
            _ => Err(error.at(state.place())),
        },
    }
}
