//! Addresses that are names, and several addresses at once.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;

use futures::poll;
use seedbed::net::{Address, ConnectFailed, TcpListener, TcpSocket, TcpStream, lookup_host};
use seedbed::testing::VirtualClock;
use seedbed::{Builder, Cancelled, Error, NotRunning, Result, cancel_scope, run};

fn kind_of(error: &Error) -> io::ErrorKind {
    error.downcast_ref::<io::Error>().expect("it is an `io::Error`").kind()
}

fn fails<T>(main: impl Future<Output = Result<T>>) -> Error {
    run(main).map(drop).unwrap_err()
}

/// An address at which nobody listens, until the socket is dropped.
fn refusing() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::v4().unwrap();
    socket.bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[test]
fn a_name_is_looked_up_to_connect_and_to_listen() {
    run(async {
        let listener = TcpListener::bind("localhost:0").await?;
        let address = listener.local_addr()?;
        assert!(address.ip().is_loopback());
        for by_text in [true, false] {
            let client = match by_text {
                true => TcpStream::connect(format!("localhost:{}", address.port())).await?,
                false => TcpStream::connect(("localhost", address.port())).await?,
            };
            assert_eq!(client.peer_addr()?, address);
            assert_eq!(listener.accept().await?.1, client.local_addr()?);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_is_numeric_needs_no_thread() {
    async fn look_up(address: impl Address) -> Result<Vec<String>> {
        Ok(lookup_host(address).await?.iter().map(ToString::to_string).collect())
    }
    run(async {
        // There is none to be had.
        let limiter = seedbed::current_default_thread_limiter()?;
        limiter.set_total(1);
        let _permit = limiter.acquire().await?;
        let one: SocketAddr = "127.0.0.1:7".parse()?;
        assert_eq!(look_up(one).await?, ["127.0.0.1:7"]);
        assert_eq!(look_up("[::1]:7").await?, ["[::1]:7"]);
        assert_eq!(look_up("[fe80::1%2]:7").await?, ["[fe80::1%2]:7"]);
        assert_eq!(look_up(("::1", 7)).await?, ["[::1]:7"]);
        assert_eq!(look_up((String::from("10.0.0.1"), 7)).await?, ["10.0.0.1:7"]);
        assert_eq!(look_up([one, one]).await?, ["127.0.0.1:7", "127.0.0.1:7"]);
        assert_eq!(look_up(&vec![one]).await?, ["127.0.0.1:7"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn text_that_is_neither_an_address_nor_a_name() {
    for text in
        ["", "localhost", "localhost:", "localhost:http", "localhost:65536", ":80", "::1:80"]
    {
        let error = fails(lookup_host(text));
        assert_eq!(kind_of(&error), io::ErrorKind::InvalidInput, "{text}");
        assert!(error.to_string().starts_with(&format!("`{text}` is not an address")), "{error}");
    }
    let empty: [SocketAddr; 0] = [];
    for error in [
        fails(TcpStream::connect(empty)),
        fails(TcpListener::bind(Vec::new())),
        fails(lookup_host(("", 80))),
        fails(lookup_host("nul\0:80")),
    ] {
        assert_eq!(kind_of(&error), io::ErrorKind::InvalidInput, "{error}");
    }
}

#[test]
fn a_socket_of_one_family_takes_one_number() {
    let socket = TcpSocket::v4().unwrap();
    let error = socket.bind("localhost:0").unwrap_err();
    assert_eq!(kind_of(&error), io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("lookup_host"), "{error}");
    let two: [SocketAddr; 2] = ["127.0.0.1:0".parse().unwrap(), "127.0.0.2:0".parse().unwrap()];
    assert_eq!(kind_of(&socket.bind(two).unwrap_err()), io::ErrorKind::InvalidInput);
    socket.bind(&two[..1]).unwrap();
    let error = fails(async move { socket.connect("localhost:80").await });
    assert_eq!(kind_of(&error), io::ErrorKind::InvalidInput);
}

#[test]
fn an_error_names_the_host() {
    // A label this long makes a name invalid on every network.
    let host = "x".repeat(64) + ".invalid";
    for error in [
        fails(TcpStream::connect((host.as_str(), 80))),
        fails(TcpListener::bind((host.as_str(), 80))),
        fails(lookup_host(format!("{host}:80"))),
    ] {
        assert!(error.is::<io::Error>());
        assert!(error.to_string().starts_with(&format!("looking up `{host}:80`: ")), "{error}");
    }
}

#[test]
fn c10_a_cancelled_look_up_has_not_happened() {
    // On this clock time does not count, so nothing else runs between the two polls.
    let outcome = Builder::new().clock(&VirtualClock::new()).run(async {
        for connect in [true, false] {
            let none: Option<()> = cancel_scope(async |scope| {
                let mut look_up = pin!(async {
                    match connect {
                        true => TcpStream::connect("localhost:80").await.map(drop),
                        false => TcpListener::bind("localhost:80").await.map(drop),
                    }
                });
                // A thread is asking the system.
                assert!(poll!(look_up.as_mut()).is_pending());
                scope.cancel();
                let error = look_up.await.unwrap_err();
                assert!(error.is::<Cancelled>());
                Err(error)
            })
            .await?;
            assert_eq!(none, None);
        }
        lookup_host("localhost:80").await.map(drop) // nothing waits in its way
    });
    outcome.unwrap();
}

#[test]
fn of_several_addresses_one_that_answers_is_connected_to() {
    run(async {
        let (_socket, refuses) = refusing();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let answers = listener.local_addr()?;
        for addresses in [[refuses, answers], [answers, refuses]] {
            let client = TcpStream::connect(addresses).await?;
            assert_eq!(client.peer_addr()?, answers);
            assert_eq!(listener.accept().await?.1, client.local_addr()?);
        }
        assert!(listener.try_accept()?.is_none());
        Ok(())
    })
    .unwrap();
}

#[test]
fn of_several_addresses_none_answers() {
    let (_first, a) = refusing();
    let (_second, b) = refusing();
    let error = fails(TcpStream::connect(vec![a, b]));
    assert_eq!(kind_of(&error), io::ErrorKind::ConnectionRefused);
    let refused = fails(TcpStream::connect(a)).to_string();
    let refused =
        refused.strip_prefix(&format!("connecting to {a}: ")).expect("it names the address");
    assert_eq!(
        error.to_string(),
        format!("could not connect to any of 2 addresses: {a}: {refused}; {b}: {refused}")
    );
    let failed: &ConnectFailed = error.find().expect("it is in there");
    let attempts: Vec<_> = failed.attempts().map(|(at, error)| (at, kind_of(error))).collect();
    assert_eq!(attempts, [a, b].map(|at| (at, io::ErrorKind::ConnectionRefused)));
}

#[test]
fn one_address_fails_with_its_own_error() {
    let (_socket, address) = refusing();
    for error in [
        fails(TcpStream::connect(address)),
        fails(TcpStream::connect([address])),
        fails(TcpStream::connect(("127.0.0.1", address.port()))),
    ] {
        assert_eq!(kind_of(&error), io::ErrorKind::ConnectionRefused);
        assert!(error.to_string().starts_with(&format!("connecting to {address}: ")), "{error}");
    }
}

#[test]
fn a_listener_takes_the_first_address_that_is_free() {
    run(async {
        let first = TcpListener::bind("127.0.0.1:0").await?;
        let taken = first.local_addr()?;
        let any = "127.0.0.1:0".parse()?;
        let second = TcpListener::bind([taken, any]).await?;
        let also_taken = second.local_addr()?;
        assert_ne!(also_taken, taken);
        let error = TcpListener::bind([taken, also_taken]).await.unwrap_err();
        assert_eq!(kind_of(&error), io::ErrorKind::AddrInUse);
        Ok(())
    })
    .unwrap();
}

#[test]
fn nothing_is_looked_up_outside_of_a_run() {
    let error = futures::executor::block_on(TcpStream::connect("localhost:80")).unwrap_err();
    assert!(error.is::<NotRunning>());
}
