//! Handlers that answer at once, and one that does not.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use seedbed::{CancelScope, Error, Result, TooSlow, sleep};
use serde::Deserialize;

use crate::app::{NewNote, Note, Shared};

#[derive(Deserialize)]
pub struct Filter {
    #[serde(default)]
    contains: String,
}

pub async fn list(State(app): State<Shared>, Query(filter): Query<Filter>) -> Json<Vec<Note>> {
    Json(app.containing(&filter.contains))
}

pub async fn add(State(app): State<Shared>, Json(new): Json<NewNote>) -> impl IntoResponse {
    (StatusCode::CREATED, Json(app.add(new.text)))
}

pub async fn show(
    State(app): State<Shared>,
    Path(id): Path<u64>,
) -> Result<Json<Note>, StatusCode> {
    app.get(id).map(Json).ok_or(StatusCode::NOT_FOUND)
}

pub async fn remove(State(app): State<Shared>, Path(id): Path<u64>) -> StatusCode {
    match app.remove(id) {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}

#[derive(Deserialize)]
pub struct Slow {
    ms: u64,
}

/// Stands for work that has to be undone if it is not finished: because of the limit, because the
/// client has gone, or because the server ends.
pub async fn slow(
    State(app): State<Shared>,
    Query(Slow { ms }): Query<Slow>,
) -> Result<String, Failure> {
    let outcome = sleep(Duration::from_millis(ms)).await;
    if outcome.is_err() {
        let shield = CancelScope::new().with_shield().with_timeout(Duration::from_secs(1));
        shield.enter(async |_| sleep(Duration::from_millis(20)).await).await?;
        app.count_undone();
        eprintln!("undone: /slow?ms={ms}");
    }
    outcome?;
    Ok(format!("that took {ms} ms\n"))
}

/// What a handler fails with.
pub struct Failure(Error);

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Failure(error) = self;
        let status = match error {
            error if error.is::<TooSlow>() => StatusCode::GATEWAY_TIMEOUT,
            // Nobody is going to read it, or the server's grace is over.
            error if error.is_cancelled() => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, format!("{}\n", status.canonical_reason().unwrap_or_default())).into_response()
    }
}
