//! What becomes of failures in requests.

use hyper::{Response, StatusCode};

use crate::error::Error;
use crate::serve::hyper::connection::state::State;
use crate::serve::panicked::OnPanic;

pub(crate) struct Failures<'a> {
    pub(crate) report: &'a dyn Fn(Error),
    pub(crate) on_panic: OnPanic,
}

impl Failures<'_> {
    /// Reports everything that has gone wrong on this connection outside any handler.
    pub(crate) fn report_those_of(&self, state: &State) {
        for error in state.take_failures() {
            (self.report)(error);
        }
    }
}

/// The answer to a request whose handler has failed. It says nothing about the failure, which is
/// none of the client's business.
pub(super) fn answer<B>(body: B) -> Response<B> {
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    answer
}
