//! What is around all handlers.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use seedbed::hyper::local;
use seedbed::{cancellable, fail_after};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::trace::TraceLayer;

use crate::app::Shared;
use crate::handlers::Failure;

/// How long an answer may take to begin.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
/// How many answers may be made at once.
const AT_ONCE: usize = 1000;
/// How long a request may be, in bytes.
const LONGEST: usize = 64 << 20;

pub fn around(routes: Router<Shared>) -> Router<Shared> {
    routes
        .layer(middleware::from_fn(|request, next| local(limited(request, next))))
        .layer(RequestBodyLimitLayer::new(LONGEST))
        .layer(GlobalConcurrencyLimitLayer::new(AT_ONCE))
        .layer(TraceLayer::new_for_http())
}

/// tower-http's own layer for this has one of tokio's timers.
async fn limited(request: Request, next: Next) -> Response {
    // What is behind this is axum's, which knows nothing of limits: it is dropped. Whatever of it is
    // in `local` cleans up.
    match fail_after(ANSWER_LIMIT, cancellable(next.run(request))).await {
        Ok(answer) => answer,
        Err(error) => Failure::from(error).into_response(),
    }
}
