//! Bodies that take a while, in both directions.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use seedbed::hyper::{self, local, local_answer};
use seedbed::sync::broadcast::Lagged;
use seedbed::{Result, Yielder, generator, move_on_after, until_stopped};

use crate::app::{News, Shared};
use crate::handlers::Failure;

/// How often those who listen are told that somebody is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Adds a note for each line, as they arrive. A client that sends faster has to wait.
pub async fn import(State(app): State<Shared>, body: Body) -> Result<String, Failure> {
    let mut pieces = body.into_data_stream();
    let (mut line, mut notes) = (Vec::new(), 0_u64);
    while let Some(piece) = pieces.next().await {
        for &byte in &*piece? {
            match byte {
                b'\n' => {
                    app.add(String::from_utf8(std::mem::take(&mut line))?);
                    notes += 1;
                }
                _ => line.push(byte),
            }
        }
        seedbed::checkpoint().await?; // others have their turn
    }
    Ok(format!("{notes} notes\n"))
}

/// A line for each note. A task of the request makes them while the client reads, and is cancelled
/// if the client goes away.
pub async fn export(State(app): State<Shared>) -> impl IntoResponse {
    let body = hyper::Body::stream(async move |sender| {
        let (mut last, mut lines) = (0, String::new());
        while let Some(note) = app.after(last) {
            last = note.id;
            lines += &format!("{},\"{}\"\n", note.id, note.text.replace('"', "\"\""));
            if lines.len() > 8192 {
                sender.send(std::mem::take(&mut lines)).await?;
            }
        }
        sender.send(lines).await
    });
    ([(CONTENT_TYPE, "text/csv")], local_answer(Response::new(body)))
}

/// What becomes of notes from now on. It ends when the server stops.
pub async fn events(
    State(app): State<Shared>,
) -> Sse<impl Stream<Item = Result<Event, seedbed::Error>> + Send> {
    let mut news = app.news();
    Sse::new(local(generator(async move |y: Yielder<Event>| {
        loop {
            let next = until_stopped(move_on_after(KEEP_ALIVE, news.recv())).await;
            let event = match next {
                Ok(Some(Some(Some(News::Added(note))))) => {
                    Event::default().event("added").json_data(note)?
                }
                Ok(Some(Some(Some(News::Removed(note))))) => {
                    Event::default().event("removed").json_data(note)?
                }
                Ok(Some(None)) => Event::default().comment("still here"),
                Ok(None | Some(Some(None))) => return Ok(()),
                Err(error) => match error.find::<Lagged>() {
                    Some(lagged) => {
                        Event::default().event("missed").data(lagged.missed().to_string())
                    }
                    None => return Err(error),
                },
            };
            y.yield_(event).await?;
        }
    })))
}
