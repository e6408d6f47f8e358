//! The error of an operation says where in the program the operation was called.
#![cfg(unix)]

use std::fs;
use std::io::{IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::panic::Location;
use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use seedbed::fd::AsyncFd;
use seedbed::net::{
    TcpListener, TcpSocket, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream,
    lookup_host,
};
use seedbed::pipe;
use seedbed::signal::{Signal, Signals};
use seedbed::{Error, Result, channel, nursery, run, to_thread};

/// Checks that it failed, and says that it was called in this line.
#[track_caller]
fn here<T>(outcome: Result<T>) {
    let error = outcome.map(drop).expect_err("it was to fail");
    let here = Location::caller();
    let tree = format!("{error:?}");
    let line = format!("raised at {}:{}:", here.file(), here.line());
    assert!(tree.contains(&line), "`{line}` is not in\n{tree}");
}

/// What `?` does in a function that returns a `Result` of this crate.
#[track_caller]
fn ours<T>(outcome: std::io::Result<T>) -> Result<T> {
    Ok(outcome?)
}

/// A stream whose reads fail with a reset, once.
async fn reset() -> Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.write_all(b"unread, so that a close is a reset").await?;
    drop(theirs);
    Ok(ours)
}

/// One whose writes fail.
fn shut() -> Result<UnixStream> {
    let stream = UnixStream::pair()?.0;
    stream.shutdown(Shutdown::Write)?;
    Ok(stream)
}

/// A folder that goes when this does.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let path = std::env::temp_dir().join(format!("seedbed-places-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn reads_say_where_they_were_called() {
    run(async {
        let mut buffer = [0; 8];
        here(reset().await?.read(&mut buffer).await);
        here(reset().await?.read_exact(&mut buffer).await);
        here(reset().await?.read_to_end(&mut Vec::new()).await);
        let mut pieces = [IoSliceMut::new(&mut buffer)];
        here(reset().await?.read_vectored(&mut pieces).await);
        here(reset().await?.split().0.read(&mut buffer).await);
        here(reset().await?.split().0.read_exact(&mut buffer).await);
        here(reset().await?.split().0.read_to_end(&mut Vec::new()).await);
        here(reset().await?.into_split().0.read(&mut buffer).await);
        here(ours(futures::AsyncReadExt::read(&mut &reset().await?, &mut buffer).await));
        // The end, where more was wanted.
        let (near, far) = UnixStream::pair()?;
        drop(far);
        here(near.read_exact(&mut buffer).await);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let client = TcpStream::connect(listener.local_addr()?).await?;
        drop(listener);
        here(client.peek(&mut buffer).await);
        Ok(())
    })
    .unwrap();
}

#[test]
fn writes_say_where_they_were_called() {
    run(async {
        let bytes = [0; 8];
        let pieces = [IoSlice::new(&bytes)];
        here(shut()?.write(&bytes).await);
        here(shut()?.write_all(&bytes).await);
        here(shut()?.write_vectored(&pieces).await);
        here(shut()?.split().1.write(&bytes).await);
        here(shut()?.split().1.write_all(&bytes).await);
        here(shut()?.into_split().1.write_all(&bytes).await);
        here(ours(futures::AsyncWriteExt::write(&mut &shut()?, &bytes).await));
        // In the middle of a write that waits for room.
        let (near, far) = UnixStream::pair()?;
        nursery(async |n| {
            n.spawn(async {
                far.read_exact(&mut [0]).await?;
                drop(far);
                Ok(())
            });
            here(near.write_all(&vec![0; 1 << 24]).await);
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn connecting_and_listening_say_where_they_were_called() {
    let folder = Folder::new();
    let nowhere = folder.0.join("no/socket");
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let taken = listener.local_addr()?;
        let refused = TcpSocket::v4()?;
        refused.bind("127.0.0.1:0")?;
        let refused = refused.local_addr()?; // nobody listens there any more
        here(TcpStream::connect(refused).await);
        here(TcpStream::connect("without a port").await);
        here(TcpStream::connect([refused, refused]).await);
        here(TcpSocket::v4()?.connect(refused).await);
        here(TcpSocket::v4()?.connect(("localhost", 80)).await);
        here(TcpSocket::v4()?.bind(taken));
        let [one, other] = [TcpSocket::v4()?, TcpSocket::v4()?];
        one.set_reuse_address(true)?;
        other.set_reuse_address(true)?;
        one.bind("127.0.0.1:0")?;
        other.bind(one.local_addr()?)?;
        let _listener = one.listen(1)?;
        here(other.listen(1));
        here(TcpSocket::v4()?.bind("localhost:80"));
        here(TcpListener::bind(taken).await);
        here(TcpListener::bind(&[] as &[SocketAddr]).await);
        here(TcpListener::bind_reuse_port(taken).await);
        here(lookup_host("a name without a port").await);
        here(lookup_host("no such host:80").await);
        here(UnixStream::connect(&nowhere).await);
        here(UnixListener::bind(&nowhere).await);
        here(UnixStream::connect("").await);
        Ok(())
    })
    .unwrap();
}

/// Whether a run is there is found out when an operation is polled, wherever that is.
#[test]
fn outside_of_a_run_they_say_where_they_were_called() {
    let stream = UnixStream::pair().unwrap().0;
    let signals = Signals::new([Signal::USR1]).unwrap();
    here(outside(TcpListener::bind("127.0.0.1:0")));
    here(outside(stream.write_all(b"hello")));
    here(outside(stream.read(&mut [0; 8])));
    here(outside(stream.flush()));
    here(outside(signals.recv()));
    here(outside(to_thread(|| ())));
    here(outside(stream.close()));
}

/// Polls once, where nothing runs.
fn outside<T>(operation: impl Future<Output = Result<T>>) -> Result<T> {
    let mut cx = Context::from_waker(Waker::noop());
    match pin!(operation).poll(&mut cx) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn accepting_says_where_it_was_called() {
    run(async {
        // What does not listen, and is taken for a listener all the same.
        let stream = UnixStream::pair()?.0;
        let listener = UnixListener::try_from(std::os::fd::OwnedFd::from(stream))?;
        here(listener.accept().await);
        here(listener.try_accept());
        let socket = TcpSocket::v4()?;
        let listener = TcpListener::try_from(std::os::fd::OwnedFd::from(socket))?;
        here(listener.accept().await);
        here(listener.try_accept());
        Ok(())
    })
    .unwrap();
}

#[test]
fn datagrams_and_descriptors_say_where_they_were_called() {
    let folder = Folder::new();
    let nowhere = folder.0.join("no/socket");
    run(async {
        let udp = UdpSocket::bind("127.0.0.1:0").await?;
        let taken = udp.local_addr()?;
        let mut buffer = [0; 2];
        here(UdpSocket::bind(taken).await);
        here(UdpSocket::v4()?.bind_to(taken));
        here(UdpSocket::v4()?.bind_to("localhost:1"));
        here(udp.send(b"nowhere").await);
        here(udp.send_to(b"x", "[::1]:9").await);
        here(udp.send_to(b"x", "localhost:9").await);
        here(udp.connect("without a port").await);
        here(udp.peer_addr());
        udp.send_to(b"long", taken).await?;
        here(udp.recv(&mut buffer).await);
        udp.send_to(b"long", taken).await?;
        here(udp.recv_from(&mut buffer).await);
        here(UnixDatagram::bind(&nowhere).await);
        let unix = UnixDatagram::unbound()?;
        here(unix.connect(&nowhere).await);
        here(unix.send_to(b"x", &nowhere).await);
        here(unix.send(b"x").await);
        here(pipe::Sender::open(&nowhere).await);
        here(pipe::Receiver::open(&nowhere).await);
        let (sender, receiver) = pipe::pipe()?;
        drop(receiver);
        here(sender.write(b"x").await);
        here(sender.write_all(b"x").await);
        let fd = AsyncFd::new(sender)?;
        here(fd.write(b"x").await);
        here(fd.read(&mut buffer).await);
        here(AsyncFd::new(fs::File::open(".")?));
        Ok(())
    })
    .unwrap();
    here(outside(pipe::pipe().unwrap().1.read(&mut [0])));
}

#[test]
fn channels_and_signals_say_where_they_were_called() {
    run(async {
        let (sender, receiver) = channel::<u32>(1);
        drop(receiver);
        here(sender.send(1).await.map_err(|error| error.into()));
        here(Signals::new([Signal::from_raw(9)]));
        here(ours(to_thread(|| fs::read("/nowhere")).await?));
        Ok(())
    })
    .unwrap();
}

/// `?` in a function that returns a `Poll` converts in the standard library.
#[test]
fn no_place_is_better_than_one_in_the_standard_library() {
    fn poll() -> Poll<Result<()>> {
        Err(std::fmt::Error)?;
        unreachable!()
    }
    let Poll::Ready(Err(error)) = poll() else { panic!("it fails") };
    let error: Error = error;
    assert_eq!(error.place(), None);
}
