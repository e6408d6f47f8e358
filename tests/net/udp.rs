//! W2: UDP.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};

use seedbed::net::{Truncated, UdpSocket};
use seedbed::testing::VirtualClock;
use seedbed::{Builder, Result, cancel_scope, nursery, run, yield_now};

use super::{kind_of, poll_once};

async fn pair() -> Result<(UdpSocket, UdpSocket)> {
    let one = UdpSocket::bind("127.0.0.1:0").await?;
    let other = UdpSocket::bind("127.0.0.1:0").await?;
    one.connect(other.local_addr()?).await?;
    other.connect(one.local_addr()?).await?;
    Ok((one, other))
}

/// An address where nobody is.
async fn nobody() -> Result<SocketAddr> {
    UdpSocket::bind("127.0.0.1:0").await?.local_addr()
}

#[test]
fn w02_a_datagram_arrives_whole_and_says_from_whom() {
    run(async {
        let one = UdpSocket::bind("127.0.0.1:0").await?;
        let other = UdpSocket::bind("127.0.0.1:0").await?;
        let mut buffer = vec![0; 70_000];
        // As many as there are bytes in the longest, and none.
        for length in [0, 1, 1500, 65_507] {
            one.send_to(&vec![7; length], other.local_addr()?).await?;
            let (received, from) = other.peek_from(&mut buffer).await?;
            assert_eq!((received, from), (length, one.local_addr()?));
            let (received, from) = other.recv_from(&mut buffer).await?;
            assert_eq!((received, from), (length, one.local_addr()?));
            assert!(buffer[..length].iter().all(|byte| *byte == 7));
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn w02_a_datagram_that_is_too_long_is_refused() {
    run(async {
        let (one, other) = pair().await?;
        for error in [
            one.send(&[0; 65_508]).await.unwrap_err(),
            one.send_to(&[0; 65_508], other.local_addr()?).await.unwrap_err(),
        ] {
            assert_eq!(kind_of(&error), Some(ErrorKind::InvalidInput));
            assert!(error.to_string().contains("65508"), "{error}");
        }
        one.send(b"short").await?;
        assert_eq!(other.recv(&mut [0; 8]).await?, 5);
        Ok(())
    })
    .unwrap();
}

#[test]
fn w02_truncation_is_told() {
    run(async {
        let (one, other) = pair().await?;
        one.send(b"a long story").await?;
        one.send(b"next").await?;
        let mut buffer = [0; 6];
        // Peeking takes nothing.
        for error in
            [other.peek(&mut buffer).await.unwrap_err(), other.recv(&mut buffer).await.unwrap_err()]
        {
            assert_eq!(kind_of(&error), Some(ErrorKind::InvalidData));
            let truncated = error.find::<Truncated>().expect("it is inside");
            assert_eq!((truncated.kept(), &buffer), (6, b"a long"));
            if cfg!(target_os = "linux") {
                assert_eq!(truncated.length(), Some(12));
                assert!(error.to_string().contains("12 bytes"), "{error}");
            }
        }
        assert_eq!(other.recv(&mut buffer).await?, 4, "the rest is not taken for the next one");
        one.send(b"").await?;
        assert_eq!(other.recv(&mut []).await?, 0);
        one.send(b"exact!").await?;
        assert_eq!(other.recv(&mut buffer).await?, 6);
        Ok(())
    })
    .unwrap();
}

/// Again and again, from either call, and in a task that waits.
#[test]
#[cfg(target_os = "linux")]
fn w02_a_peers_error_comes_on_a_later_call_and_never_ends_the_socket() {
    run(async {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let address = nobody().await?;
        socket.connect(address).await?;
        for _ in 0..3 {
            socket.send(b"?").await?;
            let error = socket.recv(&mut [0; 8]).await.unwrap_err();
            assert_eq!(kind_of(&error), Some(ErrorKind::ConnectionRefused));
            assert!(error.to_string().contains("sent earlier"), "{error}");
            socket.send(b"?").await?;
            let error = socket.send(b"?").await.unwrap_err();
            assert_eq!(kind_of(&error), Some(ErrorKind::ConnectionRefused));
            assert!(error.to_string().contains("can still be used"), "{error}");
        }
        nursery(async |n| {
            n.spawn(async {
                let error = socket.recv(&mut [0; 8]).await.unwrap_err();
                assert_eq!(kind_of(&error), Some(ErrorKind::ConnectionRefused));
                Ok(())
            });
            yield_now().await?;
            socket.send(b"?").await
        })
        .await?;
        // Somebody comes.
        let peer = UdpSocket::bind(address).await?;
        socket.send(b"!").await?;
        let mut buffer = [0; 8];
        let (length, from) = peer.recv_from(&mut buffer).await?;
        assert_eq!(length, 1);
        peer.send_to(b"yes", from).await?;
        assert_eq!(socket.recv(&mut buffer).await?, 3);
        Ok(())
    })
    .unwrap();
}

/// What one peer refuses does not concern a socket that is not connected to it.
#[test]
fn w02_a_server_does_not_hear_of_clients_that_have_gone() {
    run(async {
        let server = UdpSocket::bind("127.0.0.1:0").await?;
        let client = UdpSocket::bind("127.0.0.1:0").await?;
        for _ in 0..3 {
            server.send_to(b"lost", nobody().await?).await?;
        }
        client.send_to(b"here", server.local_addr()?).await?;
        assert_eq!(server.recv_from(&mut [0; 8]).await?.0, 4);
        Ok(())
    })
    .unwrap();
}

#[test]
fn w02_a_cancelled_receive_takes_no_datagram() {
    run(async {
        let (one, other) = pair().await?;
        let mut buffer = [0; 8];
        cancel_scope(async |scope| {
            let mut receiving = Box::pin(other.recv(&mut buffer));
            assert!(poll_once(&mut receiving).await.is_pending());
            scope.cancel();
            assert!(receiving.await.unwrap_err().is_cancelled());
            Ok(())
        })
        .await?;
        one.send(b"kept").await?;
        cancel_scope(async |scope| {
            scope.cancel();
            let address = other.local_addr()?;
            assert!(other.recv(&mut buffer).await.unwrap_err().is_cancelled());
            assert!(other.recv_from(&mut buffer).await.unwrap_err().is_cancelled());
            assert!(other.peek(&mut buffer).await.unwrap_err().is_cancelled());
            assert!(other.peek_from(&mut buffer).await.unwrap_err().is_cancelled());
            assert!(other.readable().await.unwrap_err().is_cancelled());
            assert!(other.writable().await.unwrap_err().is_cancelled());
            assert!(one.send(b"lost").await.unwrap_err().is_cancelled());
            assert!(one.send_to(b"lost", address).await.unwrap_err().is_cancelled());
            assert!(one.send_to(b"lost", "nonsense").await.unwrap_err().is_cancelled());
            assert!(one.connect(address).await.unwrap_err().is_cancelled());
            assert!(UdpSocket::bind("127.0.0.1:0").await.unwrap_err().is_cancelled());
            Ok(())
        })
        .await?;
        one.send(b"second").await?;
        assert_eq!(other.recv(&mut buffer).await?, 4);
        assert_eq!(other.recv(&mut buffer).await?, 6);
        Ok(())
    })
    .unwrap();
}

#[test]
fn c02_datagrams_that_are_ready_let_others_run() {
    Builder::new()
        .budget(4)
        .clock(&VirtualClock::new()) // which does not look at how long a poll lasts
        .run(async {
            let (one, other) = pair().await?;
            let turns = std::cell::Cell::new(0);
            nursery(async |n| {
                drop(n.spawn(async {
                    for _ in 0..1000 {
                        turns.set(turns.get() + 1);
                        yield_now().await?;
                    }
                    Ok(())
                }));
                yield_now().await?;
                let before = turns.get();
                for _ in 0..20 {
                    one.send(b"x").await?;
                    other.recv(&mut [0]).await?;
                }
                let during = turns.get() - before;
                assert!((10..=12).contains(&during), "{during} turns for 40 operations");
                n.cancel();
                Ok(())
            })
            .await
        })
        .unwrap();
}

#[test]
fn w02_errors_name_the_address() {
    run(async {
        let taken = UdpSocket::bind("127.0.0.1:0").await?;
        let address = taken.local_addr()?;
        let error = UdpSocket::bind(address).await.unwrap_err();
        assert_eq!(kind_of(&error), Some(ErrorKind::AddrInUse));
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        let error = taken.send_to(b"x", "[::1]:9").await.unwrap_err();
        assert!(error.to_string().contains("sending to [::1]:9"), "{error}");
        let error = taken.send_to(b"x", "example.org:9").await.unwrap_err();
        assert!(error.to_string().contains("lookup_host"), "{error}");
        let error = taken.send(b"x").await.unwrap_err();
        assert!(error.to_string().contains("connect the socket first"), "{error}");
        let error = taken.send_to(b"x", "255.255.255.255:9").await.unwrap_err();
        assert!(error.to_string().contains("255.255.255.255:9"), "{error}");
        assert_eq!(kind_of(&taken.peer_addr().unwrap_err()), Some(ErrorKind::NotConnected));
        Ok(())
    })
    .unwrap();
}

#[test]
fn w02_several_sockets_hear_a_multicast_group() {
    let group = Ipv4Addr::new(239, 255, 13, 2);
    run(async {
        let mut members = Vec::new();
        let mut port = 0;
        for _ in 0..2 {
            let member = UdpSocket::v4()?;
            member.set_reuse_address(true)?;
            member.bind_to(("0.0.0.0", port))?;
            member.join_multicast_v4(group, Ipv4Addr::LOCALHOST)?;
            port = member.local_addr()?.port();
            members.push(member);
        }
        let sender = UdpSocket::bind("127.0.0.1:0").await?;
        sender.set_multicast_if_v4(Ipv4Addr::LOCALHOST)?;
        assert!(sender.multicast_loop_v4()?);
        assert_eq!(sender.multicast_ttl_v4()?, 1);
        sender.send_to(b"all", (group, port)).await?;
        for member in &members {
            assert_eq!(member.recv(&mut [0; 8]).await?, 3);
        }
        members[0].leave_multicast_v4(group, Ipv4Addr::LOCALHOST)?;
        sender.send_to(b"one", (group, port)).await?;
        members[1].recv(&mut [0; 8]).await?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn w02_options_of_udp() {
    run(async {
        let socket = UdpSocket::v4()?;
        assert!(!socket.broadcast()?);
        socket.set_broadcast(true)?;
        assert!(socket.broadcast()?);
        socket.set_ttl(7)?;
        assert_eq!(socket.ttl()?, 7);
        socket.set_receive_buffer_size(20_000)?;
        assert!(socket.receive_buffer_size()? >= 20_000);
        socket.set_send_buffer_size(20_000)?;
        assert!(socket.send_buffer_size()? >= 20_000);
        assert!(socket.take_error()?.is_none());
        socket.bind_to("127.0.0.1:0")?;
        let standard = socket.into_std();
        let socket = UdpSocket::from_std(standard)?;
        assert!(socket.local_addr()?.port() != 0);
        Ok(())
    })
    .unwrap();
}
