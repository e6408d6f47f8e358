//! X1: tokio-tungstenite, with a server that has the same library over this crate's streams.

use std::cell::{Cell, RefCell};

use futures::lock::Mutex;
use futures::{SinkExt, StreamExt};
use seedbed::net::{TcpListener, TcpStream};
use seedbed::sync::unbounded_channel;
use seedbed::{Result, Server, nursery};
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

/// A `next` that is cancelled has received nothing: the next one gets it.
#[test]
fn x01_a_message_is_not_lost_with_the_call_that_waited_for_it() {
    alone("websocket::x01_a_message_is_not_lost_with_the_call_that_waited_for_it", async || {
        let (wanted, wants) = unbounded_channel();
        // Sends the numbers that are wanted, each in a message of some length.
        let numbers = async |stream| {
            let mut socket = accept_async(stream).await?;
            while let Some(number) = wants.recv().await? {
                let mut data = vec![0; SENT];
                data[..4].copy_from_slice(&u32::to_be_bytes(number));
                socket.send(Message::from(data)).await?;
            }
            Ok(())
        };
        serving(numbers, async |port| {
            let before = Before::now();
            let kept = Left { tasks: 0, connections: 1, descriptors: 2 };
            let (socket, _) = call(connect_async(format!("ws://127.0.0.1:{port}/"))).await?;
            let socket = Mutex::new(socket);
            let next = async || {
                let message = socket.lock().await.next().await.expect("it goes on")?.into_data();
                let (number, rest) = message.split_first_chunk().expect("it is long");
                assert_eq!(rest.len(), SENT - 4);
                Ok::<_, Error>(u32::from_be_bytes(*number))
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
        })
        .await
    });
}
