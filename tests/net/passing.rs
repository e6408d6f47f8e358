//! W2: descriptors that are passed to another process, and who that is.
#![cfg(target_os = "linux")]

use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net;

use seedbed::net::{Truncated, UnixDatagram, UnixListener, UnixStream};
use seedbed::pipe::Receiver;
use seedbed::{cancel_scope, run};

use super::{kind_of, poll_once};

fn is_closed_on_exec(fd: &OwnedFd) -> bool {
    rustix::io::fcntl_getfd(fd).unwrap().contains(rustix::io::FdFlags::CLOEXEC)
}

#[test]
fn w02_descriptors_are_passed_through_a_stream() {
    run(async {
        let (one, other) = UnixStream::pair()?;
        let (reads, mut writes) = std::io::pipe()?;
        let sent = one.send_with_descriptors(b"take", &[reads.as_fd(), writes.as_fd()]).await?;
        assert_eq!(sent, 4);
        one.write_all(b"more").await?;
        drop(reads);
        let mut buffer = [0; 16];
        let received = other.recv_with_descriptors(&mut buffer).await?;
        assert_eq!(&buffer[..received.bytes], b"take", "reading ends where they came");
        let mut descriptors = received.descriptors?;
        assert_eq!(descriptors.len(), 2);
        assert!(descriptors.iter().all(is_closed_on_exec));
        let receiver = Receiver::try_from(descriptors.remove(0))?;
        writes.write_all(b"through")?;
        assert_eq!(receiver.read(&mut buffer).await?, 7);

        let received = other.recv_with_descriptors(&mut buffer).await?;
        assert_eq!((received.bytes, received.descriptors?.len()), (4, 0));
        drop(one);
        assert_eq!(other.recv_with_descriptors(&mut buffer).await?.bytes, 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn w02_descriptors_are_passed_with_a_datagram() {
    run(async {
        let (one, other) = UnixDatagram::pair()?;
        let (reads, mut writes) = std::io::pipe()?;
        let mut buffer = [0; 4];
        // A datagram may be empty.
        one.send_with_descriptors(b"", &[reads.as_fd()]).await?;
        let received = other.recv_with_descriptors(&mut buffer).await?;
        assert_eq!((received.bytes, received.descriptors?.len()), (0, 1));
        one.send_with_descriptors(b"too long", &[reads.as_fd()]).await?;
        let error = other.recv_with_descriptors(&mut buffer).await.unwrap_err();
        assert_eq!(error.find::<Truncated>().unwrap().length(), Some(8));
        // What came with it has been closed.
        drop(reads);
        assert_eq!(writes.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
        Ok(())
    })
    .unwrap();
}

#[test]
fn w02_as_many_descriptors_as_go_and_more() {
    run(async {
        let (one, other) = UnixStream::pair()?;
        let many = vec![one.as_fd(); 253];
        one.send_with_descriptors(b"x", &many).await?;
        let received = other.recv_with_descriptors(&mut [0]).await?.descriptors?;
        assert_eq!(received.len(), 253);
        let refused = |error: seedbed::Error| {
            assert_eq!(kind_of(&error), Some(ErrorKind::InvalidInput), "{error}");
        };
        refused(one.send_with_descriptors(b"x", &vec![one.as_fd(); 254]).await.unwrap_err());
        refused(one.send_with_descriptors(b"", &many).await.unwrap_err());
        one.write_all(b"y").await?;
        assert_eq!(other.read(&mut [0; 8]).await?, 1, "nothing of it was sent");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w02_a_cancelled_receive_takes_no_descriptor() {
    run(async {
        let (one, other) = UnixStream::pair()?;
        let nothing: [BorrowedFd<'_>; 0] = [];
        cancel_scope(async |scope| {
            let mut buffer = [0; 8];
            let mut receiving = Box::pin(other.recv_with_descriptors(&mut buffer));
            assert!(poll_once(&mut receiving).await.is_pending());
            one.send_with_descriptors(b"x", &[one.as_fd()]).await?;
            scope.cancel();
            assert!(receiving.await.unwrap_err().is_cancelled());
            let sent = one.send_with_descriptors(b"y", &nothing).await;
            assert!(sent.unwrap_err().is_cancelled());
            Ok(())
        })
        .await?;
        let received = other.recv_with_descriptors(&mut [0; 8]).await?;
        assert_eq!((received.bytes, received.descriptors?.len()), (1, 1));
        Ok(())
    })
    .unwrap();
}

#[test]
fn w02_credentials_that_this_does_not_receive_are_refused() {
    run(async {
        let (one, other) = UnixStream::pair()?;
        rustix::net::sockopt::set_socket_passcred(&other, true).unwrap();
        one.write_all(b"x").await?;
        let error = other.recv_with_descriptors(&mut [0]).await.unwrap_err();
        assert!(error.to_string().contains("SO_PASSCRED"), "{error}");
        assert_eq!(other.read(&mut [0]).await?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn w02_who_is_at_the_other_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    run(async {
        let listener = UnixListener::bind(&path).await?;
        let client = net::UnixStream::connect(&path)?;
        let (server, _) = listener.accept().await?;
        let credentials = server.peer_credentials()?;
        assert_eq!(credentials.pid(), Some(std::process::id() as i32));
        assert_eq!(credentials.uid(), rustix::process::geteuid().as_raw());
        assert_eq!(credentials.gid(), rustix::process::getegid().as_raw());
        drop(client);
        Ok(())
    })
    .unwrap();
}
