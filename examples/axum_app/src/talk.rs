//! A WebSocket: each message is a note.

use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use async_tungstenite::tungstenite::{self, Message};
use axum::extract::{Request, State};
use axum::response::IntoResponse;
use futures::{SinkExt, StreamExt};
use seedbed::hyper::{Upgraded, local_answer, upgrade};
use seedbed::{Result, cancellable_stream, move_on_after, until_stopped};

use crate::app::Shared;

/// How long a client may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// axum's own `WebSocketUpgrade` spawns a task on tokio. This is a task of the request.
pub async fn talk(State(app): State<Shared>, request: Request) -> impl IntoResponse {
    local_answer(upgrade(request, async move |stream| match converse(app, stream).await {
        Err(error) if error.find::<tungstenite::Error>().is_some() => Ok(()), // the client's
        outcome => outcome,
    }))
}

async fn converse(app: Shared, stream: Upgraded) -> Result<()> {
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    let mut socket = cancellable_stream(socket);
    loop {
        match until_stopped(async { socket.next().await.transpose() }).await? {
            Some(Some(Message::Text(text))) => {
                let note = app.add(text.to_string());
                socket.send(Message::text(format!("kept as {}", note.id))).await?;
            }
            Some(Some(_)) => {} // pings are answered by the library
            Some(None) => return Ok(()),
            None => {
                let reason = "the server is stopping".into();
                let goodbye = Message::Close(Some(CloseFrame { code: CloseCode::Away, reason }));
                let closing = async {
                    socket.send(goodbye).await?;
                    while socket.next().await.transpose()?.is_some() {}
                    Ok(())
                };
                return move_on_after(GOODBYE, closing).await.map(drop);
            }
        }
    }
}
