//! The network: TCP, UDP and Unix sockets.
#![cfg(unix)]

mod cancellation;
mod checkpoints;
mod closing;
mod combinators;
mod connecting;
mod foreign_traits;
mod look_ups;
mod passing;
mod resolver;
mod several_runs;
mod sockets;
mod streams;
mod udp;
mod unix_datagrams;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use futures::future;
use seedbed::net::{TcpListener, TcpSocket, TcpStream};
use seedbed::{Error, Result};

/// Two ends of a TCP connection: the one that connected, and the one that was accepted.
async fn tcp_pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    Ok((client, server))
}

/// The same with buffers as small as the system allows.
async fn narrow_tcp_pair() -> Result<(TcpStream, TcpStream)> {
    let listening = TcpSocket::v4()?;
    listening.set_receive_buffer_size(1)?;
    listening.set_send_buffer_size(1)?;
    listening.bind("127.0.0.1:0")?;
    let listener = listening.listen(1)?;
    let socket = TcpSocket::v4()?;
    socket.set_receive_buffer_size(1)?;
    socket.set_send_buffer_size(1)?;
    let client = socket.connect(listener.local_addr()?).await?;
    Ok((client, listener.accept().await?.0))
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 + i / 251) as u8).collect()
}

fn kind_of(error: &Error) -> Option<io::ErrorKind> {
    Some(error.downcast_ref::<io::Error>()?.kind())
}

/// Polls a future once.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}
