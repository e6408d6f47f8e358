//! A WebSocket that is kept alive for as long as it is used: the third example of PEP 789.

use std::cell::Cell;
use std::error::Error as StdError;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use async_tungstenite::tungstenite::protocol::frame::CloseFrame;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use async_tungstenite::tungstenite::{self, Bytes, Message, Utf8Bytes};
use async_tungstenite::{WebSocketReceiver, WebSocketSender, WebSocketStream};
use futures::{SinkExt, StreamExt};
use seedbed::hyper::Upgraded;
use seedbed::sync::Mutex;
use seedbed::{
    CancelScope, CancellableStream, ContextManager, Error, Generator, Result, TooSlow, Yielder,
    cancellable_stream, context_manager, fail_after, generator, now, nursery, sleep, sleep_until,
};

use crate::allowance::Allowance;
use crate::limits::Limits;

/// An open WebSocket. Each clone is the same one.
#[derive(Clone)]
pub(crate) struct Socket(Rc<Inner>);

struct Inner {
    receiver: Mutex<CancellableStream<WebSocketReceiver<Upgraded>>>,
    sender: Mutex<CancellableStream<WebSocketSender<Upgraded>>>,
    limits: Limits,
    allowance: Allowance,
    /// When the client was heard from last.
    heard: Cell<Instant>,
    /// What the client is going to be told at the end.
    goodbye: Cell<Option<Goodbye>>,
}

/// Why a WebSocket is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Goodbye {
    pub(crate) code: CloseCode,
    pub(crate) reason: &'static str,
}

impl Goodbye {
    pub(crate) const STOPPING: Goodbye =
        Goodbye { code: CloseCode::Away, reason: "the server is stopping" };
}

/// Opens a WebSocket on a stream whose handshake is done. For as long as it is open, a task in the
/// background finds out whether the client is still there; if not, whoever uses the WebSocket is
/// cancelled. On the way out it says goodbye.
///
/// A generator could not do this, because the nursery is open at the yield. A context manager may:
/// at its yield only the body of the `with` runs, which is inside the nursery.
pub(crate) fn open(stream: Upgraded, limits: &Limits) -> ContextManager<'_, Socket> {
    context_manager(async move |y: Yielder<Socket>| {
        let socket = Socket::new(stream, limits).await;
        let outcome = nursery(async |n| {
            n.service(socket.keep_alive());
            y.yield_(socket.clone()).await.map(drop)
        })
        .await;
        socket.close(outcome).await
    })
}

/// The messages that a client sends. The one who iterates opens the WebSocket: if this did, there
/// would be a nursery open at its yields.
pub(crate) fn messages(socket: &Socket) -> Generator<'static, Utf8Bytes> {
    let socket = socket.clone();
    generator(async move |y: Yielder<Utf8Bytes>| {
        while let Some(message) = socket.receive().await? {
            y.yield_(message).await?;
        }
        Ok(())
    })
}

impl Socket {
    async fn new(stream: Upgraded, limits: &Limits) -> Socket {
        let size = Some(limits.message_size);
        let config = WebSocketConfig::default()
            .read_buffer_size(4 * 1024)
            .write_buffer_size(0)
            .max_write_buffer_size(64 * 1024)
            .max_message_size(size)
            .max_frame_size(size);
        let stream = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
        let (sender, receiver) = stream.split();
        Socket(Rc::new(Inner {
            receiver: Mutex::new(cancellable_stream(receiver)),
            sender: Mutex::new(cancellable_stream(sender)),
            limits: limits.clone(),
            allowance: Allowance::new(limits.burst, limits.rate),
            heard: Cell::new(now()),
            goodbye: Cell::new(None),
        }))
    }

    /// Receives the next message, or `None` when the client has said goodbye. If it is cancelled,
    /// nothing has been received, and the next call goes on.
    pub(crate) async fn receive(&self) -> Result<Option<Utf8Bytes>> {
        let Inner { receiver, allowance, heard, .. } = &*self.0;
        loop {
            allowance.take().await?;
            let frame = receiver.lock().await?.next().await.transpose()?;
            heard.set(now());
            match frame {
                Some(Message::Text(text)) => return Ok(Some(text)),
                Some(Message::Binary(_)) => {
                    let (code, reason) = (CloseCode::Unsupported, "text only, please");
                    self.say_goodbye(Goodbye { code, reason });
                    return Ok(None);
                }
                Some(Message::Close(_)) | None => return Ok(None),
                // A ping has been answered by the library.
                Some(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
            }
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// [`TooSlow`], if the client does not read.
    pub(crate) async fn send(&self, message: Utf8Bytes) -> Result<()> {
        self.send_frame(Message::Text(message)).await
    }

    async fn send_frame(&self, frame: Message) -> Result<()> {
        let sending = async { self.0.sender.lock().await?.send(frame).await };
        fail_after(self.0.limits.write, sending).await
    }

    /// Sets what the client is told when the WebSocket is closed. The first one to say so is right.
    pub(crate) fn say_goodbye(&self, goodbye: Goodbye) {
        self.0.goodbye.set(self.0.goodbye.get().or(Some(goodbye)));
    }

    /// Asks the client for a sign of life whenever there has been none for a while.
    async fn keep_alive(&self) -> Result<()> {
        let Inner { limits, heard, .. } = &*self.0;
        loop {
            let last = heard.get();
            sleep_until(last + limits.ping_after).await?;
            if heard.get() == last {
                self.send_frame(Message::Ping(Bytes::new())).await?;
                sleep(limits.pong_within).await?;
                if heard.get() == last {
                    return Err(Vanished(limits.ping_after + limits.pong_within).into());
                }
            }
        }
    }

    /// Says goodbye, and waits for the client to do so too. Returns the failures that are not the
    /// client's own affair.
    async fn close(&self, outcome: Result<()>) -> Result<()> {
        let goodbye = match &outcome {
            Ok(()) => {
                self.0.goodbye.get().or(Some(Goodbye { code: CloseCode::Normal, reason: "" }))
            }
            Err(error) => farewell(error),
        };
        if let Some(Goodbye { code, reason }) = goodbye {
            let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
            let leaving = CancelScope::new().with_shield().with_timeout(self.0.limits.goodbye);
            match leaving.enter(async |_| self.close_with(frame).await).await {
                Err(error) if error.is_cancelled() => return Err(error),
                _ => {} // if the client has gone, this is all there is to do about it
            }
        }
        match outcome {
            Err(error) if !is_of_client(&error) => Err(error),
            _ => Ok(()),
        }
    }

    async fn close_with(&self, frame: CloseFrame) -> Result<()> {
        // It fails if the client was first, and has been answered.
        let _ = self.0.sender.lock().await?.send(Message::Close(Some(frame))).await;
        let mut receiver = self.0.receiver.lock().await?;
        while let Some(Ok(_)) = receiver.next().await {}
        Ok(())
    }
}

/// What to tell a client after this failure. `None` if it would not get to know.
fn farewell(error: &Error) -> Option<Goodbye> {
    use tungstenite::Error::{Capacity, Protocol, Utf8};
    let (code, reason) = match error.find::<tungstenite::Error>() {
        _ if error.find::<Vanished>().is_some() || error.find::<TooSlow>().is_some() => {
            return None;
        }
        Some(Capacity(CapacityError::MessageTooLong { .. })) => {
            (CloseCode::Size, "that message is too long")
        }
        Some(Utf8(_)) => (CloseCode::Invalid, "that is not UTF-8"),
        Some(Protocol(ProtocolError::ResetWithoutClosingHandshake)) => return None,
        Some(Protocol(_)) => (CloseCode::Protocol, "that is not how WebSockets work"),
        Some(_) => return None,
        None if error.is_cancelled() => (CloseCode::Away, Goodbye::STOPPING.reason),
        None => (CloseCode::Error, "something went wrong here"),
    };
    Some(Goodbye { code, reason })
}

/// Whether a failure is to be blamed on the client, or on what is between us.
fn is_of_client(error: &Error) -> bool {
    error.find::<Vanished>().is_some()
        || error.find::<TooSlow>().is_some()
        || error.find::<tungstenite::Error>().is_some()
}

/// A client has not been heard from for so long, not even when it was asked.
#[derive(Debug)]
struct Vanished(Duration);

impl fmt::Display for Vanished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the client has not been heard from for {:?}", self.0)
    }
}

impl StdError for Vanished {}
