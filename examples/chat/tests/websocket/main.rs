//! X4: a WebSocket of another crate over this crate's streams survives time limits.
#![cfg(unix)]

mod certificates;
mod trickle;

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::protocol::frame::CloseFrame;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};
use futures::{AsyncRead, AsyncWrite, AsyncWriteExt, SinkExt, StreamExt};
use seedbed::net::UnixStream;
use seedbed::testing::VirtualClock;
use seedbed::tls::{self, TlsStream};
use seedbed::{
    Builder, CancelScope, CancellableStream, Result, cancellable, cancellable_stream,
    move_on_after, nursery, yield_now,
};

use certificates::Configs;
use trickle::Trickle;

type WebSocket<S> = CancellableStream<WebSocketStream<S>>;

/// How many messages the client sends.
const MESSAGES: usize = 4;

fn run<T>(main: impl Future<Output = Result<T>>) -> T {
    Builder::new().clock(&VirtualClock::new()).detect_deadlock(true).run(main).unwrap()
}

async fn web_socket<S>(stream: S, role: Role) -> WebSocketStream<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // Each message is written at once, as far as that is possible.
    let config = WebSocketConfig::default().write_buffer_size(0);
    WebSocketStream::from_raw_socket(stream, role, Some(config)).await
}

/// Does something, and cancels it when it has been polled so many times. `None` if that was too
/// early.
async fn after_polls<T>(polls: usize, op: impl Future<Output = Result<T>>) -> Result<Option<T>> {
    let scope = CancelScope::new();
    let mut op = pin!(scope.enter(async |_| op.await));
    let mut count = 0;
    poll_fn(|cx| {
        if count == polls {
            scope.cancel();
        }
        let polled = op.as_mut().poll(cx);
        count += 1;
        if count == polls {
            scope.cancel();
        }
        polled
    })
    .await
}

/// Sends messages and pings, and sees that each is answered, in order and once. Then it says
/// goodbye, or waits for the server to do so.
async fn client<S>(stream: S, ends: Ends) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut client = cancellable_stream(web_socket(stream, Role::Client).await);
    for number in 0..MESSAGES {
        let ping = vec![number as u8; 3];
        client.send(Message::text(text(number))).await?;
        client.send(Message::Ping(ping.clone().into())).await?;
        let mut echoes = vec![Message::text(AND), Message::text(text(number))];
        let mut pong = false;
        while !(echoes.is_empty() && pong) {
            match client.next().await.unwrap()? {
                answer @ Message::Text(_) => assert_eq!(echoes.pop(), Some(answer)),
                Message::Pong(answer) => {
                    assert!(!pong && answer == ping, "{number}: {answer:?}");
                    pong = true;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    let frame = CloseFrame { code: CloseCode::Normal, reason: "enough".into() };
    match ends {
        Ends::Client => client.send(Message::Close(Some(frame.clone()))).await?,
        Ends::Server => client.send(Message::text("your turn")).await?,
    }
    let mut closed = 0;
    while let Some(message) = client.next().await.transpose()? {
        match (message, ends) {
            (Message::Close(answer), Ends::Client) => assert_eq!(answer.as_ref(), Some(&frame)),
            (Message::Close(answer), Ends::Server) => assert_eq!(answer, None),
            (other, _) => panic!("{other:?}"),
        }
        closed += 1;
    }
    assert_eq!(closed, 1);
    Ok(())
}

/// What the server adds to each echo.
const AND: &str = "and something that takes a few writes";

/// Of some length, so that it comes in many pieces.
fn text(number: usize) -> String {
    format!("message {number} ").repeat(number + 1)
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Ends {
    Client,
    Server,
}

/// Which of the server's operations are cancelled.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Cut {
    Next,
    Feed,
    Flush,
    Close,
}

/// Echoes, and cancels each of some operations once, after so many polls. Returns how many were.
async fn server<S>(server: &mut WebSocket<S>, cut: Cut, polls: usize) -> Result<u32>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut cancelled = 0;
    let polls_of = |kind: Cut| if kind == cut { polls } else { usize::MAX };
    loop {
        let next = async { server.next().await.transpose() };
        let message = match after_polls(polls_of(Cut::Next), next).await? {
            Some(message) => message,
            None => {
                cancelled += 1;
                server.next().await.transpose()?
            }
        };
        match message {
            None => return Ok(cancelled),
            Some(Message::Text(text)) if text == "your turn" => {
                if after_polls(polls_of(Cut::Close), server.close()).await?.is_none() {
                    cancelled += 1;
                    server.close().await?;
                }
            }
            Some(Message::Text(text)) => {
                for answer in [Message::Text(text), Message::text(AND)] {
                    let feed = server.feed(answer.clone());
                    if after_polls(polls_of(Cut::Feed), feed).await?.is_none() {
                        cancelled += 1;
                        server.feed(answer).await?;
                    }
                }
                if after_polls(polls_of(Cut::Flush), server.flush()).await?.is_none() {
                    cancelled += 1;
                    server.flush().await?;
                }
            }
            Some(_) => {}
        }
    }
}

/// Cancels after each number of polls, until it takes more than an operation needs. Some of them
/// need many.
fn at_every_poll<S, C>(pair: impl AsyncFn() -> Result<(S, C)>, long: &[Cut])
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: AsyncRead + AsyncWrite + Unpin,
{
    for (cut, ends) in [
        (Cut::Next, Ends::Client),
        (Cut::Next, Ends::Server),
        (Cut::Feed, Ends::Client),
        (Cut::Flush, Ends::Client),
        (Cut::Close, Ends::Server),
    ] {
        for polls in 0.. {
            let cancelled = run(async {
                let (ours, theirs) = pair().await?;
                let mut ours = cancellable_stream(web_socket(ours, Role::Server).await);
                nursery(async |n| {
                    let client = n.spawn(client(theirs, ends));
                    let cancelled = server(&mut ours, cut, polls).await?;
                    // The server is the first to close the connection.
                    ours.into_inner().into_inner().close().await?;
                    client.await?;
                    Ok(cancelled)
                })
                .await
            });
            if cancelled == 0 {
                assert!(polls > 5 || !long.contains(&cut), "{cut:?}: only {polls} polls");
                break;
            }
        }
    }
}

#[test]
fn x04_a_websocket_goes_on_wherever_an_operation_is_cancelled() {
    at_every_poll(
        async || {
            let (ours, theirs) = UnixStream::pair()?;
            Ok((Trickle::new(ours), theirs))
        },
        &[Cut::Next, Cut::Feed, Cut::Flush],
    );
}

#[test]
fn x04_a_websocket_over_tls_goes_on_wherever_an_operation_is_cancelled() {
    let configs = Configs::new();
    at_every_poll(
        async || {
            let (ours, theirs) = UnixStream::pair()?;
            nursery(async |n| {
                let ours = n.spawn(tls::accept(&configs.server, Trickle::new(ours)));
                let theirs: TlsStream<_> =
                    tls::connect(&configs.client, certificates::NAME, theirs).await?;
                Ok((ours.await?, theirs))
            })
            .await
        },
        &[Cut::Next, Cut::Flush],
    );
}

#[test]
fn x04_a_send_that_is_cancelled_has_sent_its_message_once_or_not_at_all() {
    for polls in 0.. {
        let cancelled = run(async {
            let (ours, theirs) = UnixStream::pair()?;
            let ours = web_socket(Trickle::new(ours), Role::Server).await;
            let mut ours = cancellable_stream(ours);
            let mut theirs = cancellable_stream(web_socket(theirs, Role::Client).await);
            nursery(async |n| {
                let received = n.spawn(async move {
                    let mut received = Vec::new();
                    loop {
                        match theirs.next().await.unwrap()? {
                            Message::Text(text) if text == "end" => return Ok(received),
                            other => received.push(other),
                        }
                    }
                });
                let (mut sent, mut unsure) = (Vec::new(), Vec::new());
                for number in 0..MESSAGES {
                    let message = Message::text(text(number));
                    match after_polls(polls, ours.send(message.clone())).await? {
                        Some(()) => sent.push(message),
                        None => unsure.push(message),
                    }
                }
                ours.send(Message::text("end")).await?;
                let mut received = received.await?;
                let all = (0..MESSAGES).map(|number| Message::text(text(number)));
                let in_order: Vec<_> = all.filter(|one| received.contains(one)).collect();
                assert_eq!(received, in_order, "in order, and once");
                received.retain(|one| !unsure.contains(one));
                assert_eq!(received, sent);
                Ok(unsure.len())
            })
            .await
        });
        if cancelled == 0 {
            assert!(polls > 5, "only {polls} polls");
            break;
        }
    }
}

/// A limit that expires while nothing comes, between the halves of a message.
async fn read_under_a_limit<T>(next: impl Future<Output = Result<T>>) -> Result<Option<T>> {
    move_on_after(Duration::from_secs(1), next).await
}

/// Half a message, masked with zeros; and the other half.
const FIRST: &[u8] = &[0x81, 0x84, 0, 0, 0, 0, b'h', b'a'];
const SECOND: &[u8] = b"lf";

#[test]
fn x04_a_limit_around_next_leaves_the_rest_of_a_message_to_come() {
    run(async {
        let (ours, theirs) = UnixStream::pair()?;
        let mut ours = cancellable_stream(web_socket(ours, Role::Server).await);
        theirs.write_all(FIRST).await?;
        for _ in 0..3 {
            let cut = read_under_a_limit(async { ours.next().await.transpose() }).await?;
            assert_eq!(cut, None);
        }
        theirs.write_all(SECOND).await?;
        assert_eq!(ours.next().await.unwrap()?, Message::text("half"));
        Ok(())
    });
}

#[test]
fn x04_so_does_cancellable_around_next() {
    run(async {
        let (ours, theirs) = UnixStream::pair()?;
        let mut ours = web_socket(ours, Role::Server).await;
        theirs.write_all(FIRST).await?;
        for _ in 0..3 {
            let cut = read_under_a_limit(cancellable(ours.next())).await?;
            assert!(cut.is_none());
        }
        theirs.write_all(SECOND).await?;
        assert_eq!(cancellable(ours.next()).await?.unwrap()?, Message::text("half"));
        Ok(())
    });
}

/// What both are for.
#[test]
fn x04_without_either_one_limit_is_the_end_of_a_websocket() {
    run(async {
        let (ours, theirs) = UnixStream::pair()?;
        let mut ours = web_socket(ours, Role::Server).await;
        theirs.write_all(FIRST).await?;
        let cut = read_under_a_limit(async { Ok(ours.next().await.transpose()?) }).await?;
        assert!(cut.is_none());
        theirs.write_all(SECOND).await?;
        assert!(ours.next().await.is_none());
        Ok(())
    });
}

#[test]
fn x04_a_peer_that_does_not_read_holds_up_a_flush_but_not_its_limit() {
    run(async {
        let (ours, theirs) = UnixStream::pair()?;
        let mut ours = cancellable_stream(web_socket(ours, Role::Server).await);
        let long = "x".repeat(100_000);
        let mut sent = 0;
        loop {
            ours.feed(Message::text(&long)).await?;
            sent += 1;
            let flush = ours.flush();
            if move_on_after(Duration::from_secs(1), flush).await?.is_none() {
                break;
            }
        }
        nursery(async |n| {
            n.spawn(async {
                let mut theirs = cancellable_stream(web_socket(theirs, Role::Client).await);
                for _ in 0..sent {
                    assert_eq!(theirs.next().await.unwrap()?, Message::text(&long));
                }
                Ok(())
            });
            yield_now().await?;
            ours.flush().await
        })
        .await
    });
}

#[test]
fn x04_two_tasks_use_the_halves_each_in_scopes_of_its_own() {
    run(async {
        let (ours, theirs) = UnixStream::pair()?;
        let (mut sender, receiver) = web_socket(ours, Role::Server).await.split();
        let mut receiver = cancellable_stream(receiver);
        let mut theirs = cancellable_stream(web_socket(theirs, Role::Client).await);
        nursery(async |n| {
            n.spawn(async {
                // This one reads, in vain, and is cancelled again and again.
                for _ in 0..5 {
                    let cut =
                        read_under_a_limit(async { receiver.next().await.transpose() }).await?;
                    assert_eq!(cut, None);
                }
                assert_eq!(receiver.next().await.unwrap()?, Message::text("at last"));
                Ok(())
            });
            let mut sender = cancellable_stream(&mut sender);
            for number in 0..10 {
                seedbed::sleep(Duration::from_millis(700)).await?;
                sender.send(Message::text(text(number))).await?;
                assert_eq!(theirs.next().await.unwrap()?, Message::text(text(number)));
            }
            theirs.send(Message::text("at last")).await
        })
        .await
    });
}
