//! One client, from its first message to its last.

use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use seedbed::hyper::Upgraded;
use seedbed::sync::broadcast::Lagged;
use seedbed::{Result, aclosing, move_on_after, nursery, until_stopped, with};

use crate::event::{self, Request};
use crate::limits::Limits;
use crate::name::{Name, is_room};
use crate::room::{Events, Refused, Rooms, Visit};
use crate::socket::{self, Goodbye, Socket};

/// Talks to a client over a stream whose handshake is done.
pub(crate) async fn converse(stream: Upgraded, rooms: &Rooms, limits: &Limits) -> Result<()> {
    with(socket::open(stream, limits), async |socket| {
        if let Some((visit, events)) = welcome(&socket, rooms, limits).await? {
            stay(&socket, &visit, events).await?;
        }
        Ok(())
    })
    .await
}

/// Finds out who it is, and lets them in.
async fn welcome(
    socket: &Socket,
    rooms: &Rooms,
    limits: &Limits,
) -> Result<Option<(Visit, Events)>> {
    let refuse = |reason| {
        socket.say_goodbye(Goodbye { code: CloseCode::Policy, reason });
        Ok(None)
    };
    let first = until_stopped(move_on_after(limits.hello, socket.receive())).await?;
    let first = match first {
        None => {
            socket.say_goodbye(Goodbye::STOPPING);
            return Ok(None);
        }
        Some(None) => return refuse("you did not say who you are"),
        Some(Some(None)) => return Ok(None),
        Some(Some(Some(first))) => first,
    };
    let Some(Request::Join { room, name }) = Request::parse(&first) else {
        return refuse("join a room first");
    };
    let Some(name) = Name::new(&name) else {
        return refuse("nobody can be called that");
    };
    if !is_room(&room) {
        return refuse("no room can be called that");
    }
    match rooms.enter(&room, name) {
        Ok(entered) => Ok(Some(entered)),
        Err(Refused::Taken) => refuse("somebody in the room is called that already"),
        Err(Refused::TooManyRooms) => refuse("there are too many rooms"),
    }
}

/// Passes on what the client says, and what the others do, until one of them has had enough.
async fn stay(socket: &Socket, visit: &Visit, events: Events) -> Result<()> {
    nursery(async |n| {
        n.spawn(tell(socket, events));
        aclosing(socket::messages(socket), async |messages| {
            loop {
                match until_stopped(messages.anext()).await? {
                    None => {
                        socket.say_goodbye(Goodbye::STOPPING);
                        return Ok(()); // and the others' last words are still told
                    }
                    Some(None) => {
                        n.cancel();
                        return Ok(());
                    }
                    Some(Some(message)) => match Request::parse(&message) {
                        Some(Request::Say { text }) => say(visit, &text),
                        _ => {
                            let reason = "that was not understood";
                            socket.say_goodbye(Goodbye { code: CloseCode::Policy, reason });
                            n.cancel();
                            return Ok(());
                        }
                    },
                }
            }
        })
        .await
    })
    .await
}

fn say(visit: &Visit, text: &str) {
    if !text.trim().is_empty() {
        visit.say(text);
    }
}

/// Tells a client what happens in its room. If it is slow it misses something, and is told so.
async fn tell(socket: &Socket, Events { before, mut live }: Events) -> Result<()> {
    for event in before {
        socket.send(event).await?;
    }
    loop {
        let event = match until_stopped(live.recv()).await {
            Ok(Some(Some(event))) => event,
            // The server is stopping: what has been said by now is the rest.
            Ok(None) => match live.try_recv() {
                Ok(event) => event,
                Err(_) => return Ok(()),
            },
            Ok(Some(None)) => return Ok(()),
            Err(error) => match error.find::<Lagged>() {
                Some(lagged) => event::missed(lagged.missed()),
                None => return Err(error),
            },
        };
        socket.send(event).await?;
    }
}
