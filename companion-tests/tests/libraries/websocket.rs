//! X1: tokio-tungstenite, with a server that has the same library over this crate's streams.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use futures::lock::Mutex;
use futures::{SinkExt, StreamExt};
use seedbed::net::{TcpListener, TcpStream};
use seedbed::sync::unbounded_channel;
use seedbed::{Receiver, Result, Server, cancellable_stream, move_on_after, nursery};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{accept_async, connect_async};

use super::cut::everywhere;
use super::elsewhere::Go;
use super::left::{Before, Left, NOTHING, connections};
use super::{alone, call};

/// Answers each message with three: itself, and one and two bytes more.
async fn echo(stream: TcpStream) -> Result<()> {
    let mut socket = accept_async(stream).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_binary() {
            for more in 0..3 {
                let mut data = message.clone().into_data().to_vec();
                data.resize(data.len() + more, 0);
                socket.send(Message::from(data)).await?;
            }
        }
    }
    Ok(())
}

/// Serves while `client` runs, which is given the port.
async fn serving(
    handler: impl AsyncFn(TcpStream) -> Result<()>,
    client: impl AsyncFnOnce(u16) -> Result<()>,
) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    nursery(async |n| {
        // A client that is cancelled leaves without a word, which is an error to the handler.
        let server = Server::new(listener).on_error(|_, _| ());
        n.service(server.serve(async |stream, _| handler(stream).await));
        client(port).await
    })
    .await
}

const SENT: usize = 100_000;

async fn ask(port: u16) -> Result<usize, Error> {
    let (mut socket, _) = connect_async(format!("ws://127.0.0.1:{port}/")).await?;
    socket.send(Message::from(vec![0; SENT])).await?;
    let mut received = 0;
    for _ in 0..3 {
        received += socket.next().await.expect("it goes on")?.len();
    }
    socket.close(None).await?;
    while socket.next().await.transpose()?.is_some() {}
    Ok(received)
}

/// Opens one socket.
pub async fn once(go: &impl Go) -> Result<()> {
    serving(echo, async |port| {
        assert_eq!(go.go(async move { Ok(ask(port).await?) }).await?, 3 * SENT + 3);
        Ok(())
    })
    .await
}

/// It has no tasks. A connection is closed with its socket.
#[test]
fn x01_tungstenite_is_cancelled_anywhere() {
    alone("websocket::x01_tungstenite_is_cancelled_anywhere", async || {
        serving(echo, async |port| {
            let before = Before::now();
            everywhere(
                "a socket",
                async || ask(port).await,
                async |_| before.until(NOTHING, async || Ok(connections(port))).await,
            )
            .await?;
            assert_eq!(call(ask(port)).await?, 3 * SENT + 3);
            Ok(())
        })
        .await
    });
}

/// Sends the numbers that are wanted, each in a message of some length.
async fn numbers(stream: TcpStream, wants: &Receiver<u32>) -> Result<()> {
    let mut socket = accept_async(stream).await?;
    while let Some(number) = wants.recv().await? {
        let mut data = vec![0; SENT];
        data[..4].copy_from_slice(&u32::to_be_bytes(number));
        socket.send(Message::from(data)).await?;
    }
    Ok(())
}

fn number_in(message: Message) -> u32 {
    let data = message.into_data();
    let (number, rest) = data.split_first_chunk().expect("it is long");
    assert_eq!(rest.len(), SENT - 4);
    u32::from_be_bytes(*number)
}

/// A `next` that is cancelled has received nothing: the next one gets it.
#[test]
fn x01_a_message_is_not_lost_with_the_call_that_waited_for_it() {
    alone("websocket::x01_a_message_is_not_lost_with_the_call_that_waited_for_it", async || {
        let (wanted, wants) = unbounded_channel();
        serving(
            async |stream| numbers(stream, &wants).await,
            async |port| {
                let before = Before::now();
                let kept = Left { tasks: 0, connections: 1, descriptors: 2 };
                let (socket, _) = call(connect_async(format!("ws://127.0.0.1:{port}/"))).await?;
                let socket = Mutex::new(socket);
                let next = async || {
                    let message = socket.lock().await.next().await.expect("it goes on")?;
                    Ok::<_, Error>(number_in(message))
                };
                let (sent, received) = (Cell::new(0), RefCell::new(Vec::new()));
                everywhere(
                    "a message",
                    async || {
                        wanted.try_send(sent.replace(sent.get() + 1)).expect("the server is there");
                        next().await
                    },
                    async |number| {
                        received.borrow_mut().extend(number);
                        while received.borrow().len() < sent.get() as usize {
                            let number = call(next()).await?;
                            received.borrow_mut().push(number);
                        }
                        before.until(kept, async || Ok(connections(port))).await
                    },
                )
                .await?;
                assert!(received.borrow().iter().copied().eq(0..sent.get()));
                Ok(())
            },
        )
        .await
    });
}

/// In a `cancellable_stream` it needs no `call`: each message is a checkpoint, and none is lost.
#[test]
fn x01_a_websocket_of_tokios_in_a_cancellable_stream_goes_on_after_time_limits() {
    const NAME: &str =
        "websocket::x01_a_websocket_of_tokios_in_a_cancellable_stream_goes_on_after_time_limits";
    alone(NAME, async || {
        let (wanted, wants) = unbounded_channel();
        serving(
            async |stream| numbers(stream, &wants).await,
            async |port| {
                let (socket, _) = call(connect_async(format!("ws://127.0.0.1:{port}/"))).await?;
                let mut socket = cancellable_stream(socket);
                for number in 0..10 {
                    // Nothing comes before it is wanted.
                    let next = async { socket.next().await.transpose() };
                    assert!(move_on_after(Duration::from_millis(1), next).await?.is_none());
                    wanted.try_send(number).expect("the server is there");
                    let message = socket.next().await.transpose()?.expect("it goes on");
                    assert_eq!(number_in(message), number);
                }
                socket.close().await
            },
        )
        .await
    });
}
