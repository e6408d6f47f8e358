//! W2: datagrams of the Unix domain.

use std::io::ErrorKind;
use std::path::Path;

use seedbed::net::{Truncated, UnixDatagram};
use seedbed::{cancel_scope, nursery, run, yield_now};

use super::{kind_of, poll_once};

#[test]
fn w02_datagrams_between_paths_and_who_sent_them() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    run(async {
        let one = UnixDatagram::bind(&here).await?;
        let other = UnixDatagram::bind(&there).await?;
        let mut buffer = [0; 16];
        for text in [&b"question"[..], b""] {
            one.send_to(text, &there).await?;
            let (length, _) = other.peek_from(&mut buffer).await?;
            assert_eq!(&buffer[..length], text);
            let (length, from) = other.recv_from(&mut buffer).await?;
            assert_eq!(&buffer[..length], text);
            assert_eq!(from.as_pathname(), Some(&*here));
            other.send_to_addr(b"answer", &from).await?;
            assert_eq!(one.recv(&mut buffer).await?, 6);
        }
        let nameless = UnixDatagram::unbound()?;
        nameless.connect(&there).await?;
        assert_eq!(nameless.peer_addr()?.as_pathname(), Some(&*there));
        nameless.send(b"x").await?;
        let (_, from) = other.recv_from(&mut buffer).await?;
        assert!(from.is_unnamed());
        let error = other.send_to_addr(b"x", &from).await.unwrap_err();
        assert_eq!(kind_of(&error), Some(ErrorKind::InvalidInput));
        Ok(())
    })
    .unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn w02_abstract_names_mean_the_same_on_every_way_in() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    let name = format!("seedbed-w02-{}", std::process::id());
    let path = format!("\0{name}");
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    run(async {
        for by_path in [true, false] {
            let receiver = match by_path {
                true => UnixDatagram::bind(&path).await?,
                false => UnixDatagram::bind_addr(&address).await?,
            };
            assert_eq!(receiver.local_addr()?.as_abstract_name(), Some(name.as_bytes()));
            let sender = UnixDatagram::bind(format!("{path}-sender")).await?;
            sender.send_to(b"1", &path).await?;
            sender.send_to_addr(b"2", &address).await?;
            sender.connect(&path).await?;
            sender.send(b"3").await?;
            sender.connect_addr(&address).await?;
            sender.send(b"4").await?;
            for expected in b"1234" {
                let mut buffer = [0; 2];
                let (length, from) = receiver.recv_from(&mut buffer).await?;
                assert_eq!(&buffer[..length], &[*expected]);
                let sender = format!("{name}-sender");
                assert_eq!(from.as_abstract_name(), Some(sender.as_bytes()));
            }
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn w02_a_nul_inside_is_refused_on_every_way_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a\0b");
    let refused = |outcome: seedbed::Result<()>| {
        let error = outcome.unwrap_err();
        assert_eq!(kind_of(&error), Some(ErrorKind::InvalidInput), "{error}");
        assert!(error.to_string().contains("NUL"), "{error}");
    };
    run(async {
        let socket = UnixDatagram::unbound()?;
        refused(UnixDatagram::bind(&path).await.map(drop));
        refused(socket.connect(&path).await);
        refused(socket.send_to(b"x", &path).await);
        Ok(())
    })
    .unwrap();
    assert!(!Path::new(&folder.path().join("a")).exists());
}

#[test]
fn w02_errors_name_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let (missing, gone) = (folder.path().join("missing"), folder.path().join("gone"));
    run(async {
        drop(UnixDatagram::bind(&gone).await?);
        let socket = UnixDatagram::unbound()?;
        for (path, kind) in [(&missing, ErrorKind::NotFound), (&gone, ErrorKind::ConnectionRefused)]
        {
            for error in [
                socket.connect(path).await.unwrap_err(),
                socket.send_to(b"x", path).await.unwrap_err(),
            ] {
                assert_eq!(kind_of(&error), Some(kind));
                assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
            }
        }
        let error = UnixDatagram::bind(&gone).await.unwrap_err();
        assert_eq!(kind_of(&error), Some(ErrorKind::AddrInUse));
        assert!(error.to_string().contains("remove it"), "{error}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w02_unix_truncation_and_lengths() {
    run(async {
        let (one, other) = UnixDatagram::pair()?;
        one.send(b"a long story").await?;
        let mut buffer = [0; 6];
        let error = other.recv(&mut buffer).await.unwrap_err();
        assert_eq!((error.find::<Truncated>().unwrap().kept(), &buffer), (6, b"a long"));
        let error = one.send(&vec![0; 1 << 24]).await.unwrap_err();
        assert_eq!(kind_of(&error), Some(ErrorKind::InvalidInput));
        one.send(&[7; 65_507]).await?;
        assert_eq!(other.recv(&mut vec![0; 70_000]).await?, 65_507);
        Ok(())
    })
    .unwrap();
}

/// Nothing is lost and the order is kept when the receiver is slow, connected or not.
#[test]
fn w02_whoever_sends_waits_for_room() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slow");
    run(async {
        let receiver = UnixDatagram::bind(&path).await?;
        for connected in [true, false] {
            let sender = UnixDatagram::unbound()?;
            if connected {
                sender.connect(&path).await?;
            }
            nursery(async |n| {
                n.spawn(async {
                    for i in 0..1000_u32 {
                        match connected {
                            true => sender.send(&i.to_ne_bytes()).await?,
                            false => sender.send_to(&i.to_ne_bytes(), &path).await?,
                        }
                    }
                    Ok(())
                });
                for i in 0..1000_u32 {
                    if i < 100 {
                        yield_now().await?;
                    }
                    let mut buffer = [0; 4];
                    receiver.recv(&mut buffer).await?;
                    assert_eq!(u32::from_ne_bytes(buffer), i);
                }
                Ok(())
            })
            .await?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn w02_a_cancelled_send_has_sent_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("full");
    run(async {
        let receiver = UnixDatagram::bind(&path).await?;
        for connected in [true, false] {
            let sender = UnixDatagram::unbound()?;
            if connected {
                sender.connect(&path).await?;
            }
            let mut sent = 0_u32;
            cancel_scope(async |scope| {
                loop {
                    let datagram = sent.to_ne_bytes();
                    let mut sending = Box::pin(async {
                        match connected {
                            true => sender.send(&datagram).await,
                            false => sender.send_to(&datagram, &path).await,
                        }
                    });
                    if poll_once(&mut sending).await.is_pending() {
                        scope.cancel();
                        assert!(sending.await.unwrap_err().is_cancelled());
                        return Ok(());
                    }
                    sent += 1;
                }
            })
            .await?;
            assert!(sent > 0);
            sender.connect(&path).await?;
            for i in 0..sent {
                let mut buffer = [0; 4];
                receiver.recv(&mut buffer).await?;
                assert_eq!(u32::from_ne_bytes(buffer), i);
            }
            sender.send(b"last").await?;
            let mut buffer = [0; 4];
            receiver.recv(&mut buffer).await?;
            assert_eq!(&buffer, b"last");
        }
        Ok(())
    })
    .unwrap();
}

/// The peer of a connected socket goes, and another one comes.
#[test]
fn w02_a_unix_peer_that_goes_does_not_end_the_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peer");
    run(async {
        let first = UnixDatagram::bind(&path).await?;
        let socket = UnixDatagram::unbound()?;
        socket.connect(&path).await?;
        socket.send(b"unread").await?;
        drop(first);
        let error = socket.send(b"x").await.unwrap_err();
        assert!(error.to_string().contains("can still be used"), "{error}");
        std::fs::remove_file(&path)?;
        let second = UnixDatagram::bind(&path).await?;
        socket.connect(&path).await?;
        socket.send(b"x").await?;
        assert_eq!(second.recv(&mut [0; 8]).await?, 1);
        Ok(())
    })
    .unwrap();
}
