//! Names that a program looks up in its own way.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use seedbed::net::{TcpListener, TcpStream, lookup_host, system_lookup};
use seedbed::testing::VirtualClock;
use seedbed::{Builder, Error, Event, Result, cancel_scope, move_on_after, nursery, sleep};

use super::kind_of;

const NAME: &str = "service.test";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn a_resolver_is_asked_for_names_and_not_for_numbers() {
    static ASKED: Mutex<Vec<(String, u16)>> = Mutex::new(Vec::new());
    let resolver = async |host: &str, port: u16| {
        ASKED.lock().unwrap().push((host.to_owned(), port));
        Ok(vec![address("127.0.0.1:0")])
    };
    Builder::new()
        .resolver(resolver)
        .run(async {
            assert_eq!(lookup_host(("one.test", 80)).await?, [address("127.0.0.1:0")]);
            assert_eq!(lookup_host("127.0.0.1:7").await?, [address("127.0.0.1:7")]);
            assert_eq!(lookup_host("[::1]:7").await?, [address("[::1]:7")]);
            let listener = TcpListener::bind("two.test:81").await?;
            assert!(listener.local_addr()?.ip().is_loopback());
            Ok(())
        })
        .unwrap();
    let asked = ASKED.lock().unwrap();
    assert_eq!(*asked, [("one.test".into(), 80), ("two.test".into(), 81)]);
}

#[test]
fn a_resolver_gives_names_to_the_servers_of_a_test() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let here = listener.local_addr().unwrap();
    let nobody = address("127.0.0.1:1");
    let resolver = async move |host: &str, _| match host {
        NAME => Ok(vec![nobody, here]),
        _ => Err(io::Error::from(io::ErrorKind::NotFound).into()),
    };
    Builder::new()
        .resolver(resolver)
        .run(async {
            let listener = TcpListener::from_std(listener)?;
            let stream = TcpStream::connect((NAME, 443)).await?;
            assert_eq!(stream.peer_addr()?, here);
            listener.accept().await?;
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_a_resolver_cannot_find_is_an_error_that_names_the_host() {
    let resolver = async |host: &str, _: u16| match host {
        "empty.test" => Ok(Vec::new()),
        "io.test" => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer").into()),
        _ => Err(Error::msg("out of paper")),
    };
    Builder::new()
        .resolver(resolver)
        .run(async {
            let error = lookup_host("empty.test:1").await.unwrap_err();
            assert_eq!(kind_of(&error), Some(io::ErrorKind::NotFound));
            assert_eq!(error.to_string(), "looking up `empty.test:1`: the host has no addresses");
            let error = TcpStream::connect("io.test:2").await.unwrap_err();
            assert_eq!(kind_of(&error), Some(io::ErrorKind::TimedOut));
            assert_eq!(error.to_string(), "looking up `io.test:2`: no answer");
            let error = lookup_host("other.test:3").await.unwrap_err();
            assert_eq!(error.to_string(), "out of paper");
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_resolver_is_cancelled_with_whoever_asks() {
    static CLEANED_UP: AtomicUsize = AtomicUsize::new(0);
    let resolver = async |_: &str, _: u16| {
        let outcome = sleep(Duration::from_secs(3600)).await;
        CLEANED_UP.fetch_add(1, Ordering::Relaxed);
        outcome.map(|()| Vec::new())
    };
    Builder::new()
        .clock(&VirtualClock::new())
        .resolver(resolver)
        .run(async {
            let second = Duration::from_secs(1);
            assert!(move_on_after(second, lookup_host((NAME, 1))).await?.is_none());
            assert!(move_on_after(second, TcpStream::connect((NAME, 1))).await?.is_none());
            assert_eq!(CLEANED_UP.load(Ordering::Relaxed), 2);
            // It is not asked in a scope that is cancelled.
            let none: Option<()> = cancel_scope(async |scope| {
                scope.cancel();
                lookup_host((NAME, 1)).await.map(drop)
            })
            .await?;
            assert_eq!((none, CLEANED_UP.load(Ordering::Relaxed)), (None, 2));
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_resolver_may_ask_the_system_but_not_itself() {
    let resolver = async |host: &str, port: u16| match host {
        "localhost" => system_lookup(host, port).await,
        _ => lookup_host(("localhost", port)).await,
    };
    Builder::new()
        .resolver(resolver)
        .run(async {
            let found = lookup_host("localhost:80").await?;
            assert!(found.iter().all(|address| address.ip().is_loopback()));
            let error = lookup_host((NAME, 80)).await.unwrap_err();
            assert_eq!(kind_of(&error), Some(io::ErrorKind::InvalidInput));
            let text = error.to_string();
            assert!(text.starts_with("looking up `service.test:80`: "), "{text}");
            assert!(text.contains("use `net::system_lookup` for names"), "{text}");
            // It may ask again afterwards.
            lookup_host("localhost:80").await?;
            Ok(())
        })
        .unwrap();
}

#[test]
fn two_tasks_may_ask_a_resolver_at_once() {
    Builder::new()
        .clock(&VirtualClock::new())
        .resolver(async |_: &str, port: u16| {
            sleep(Duration::from_secs(u64::from(port))).await?;
            Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
        })
        .run(async {
            let (done, first) = (Event::new(), Cell::new(0));
            nursery(async |n| {
                for port in [2, 1] {
                    let (done, first) = (&done, &first);
                    n.spawn(async move {
                        let found = lookup_host((NAME, port)).await?;
                        assert_eq!(found[0].port(), port);
                        if first.get() == 0 {
                            first.set(port);
                        }
                        done.set();
                        Ok(())
                    });
                }
                done.wait().await
            })
            .await?;
            assert_eq!(first.get(), 1);
            Ok(()) as Result<()>
        })
        .unwrap();
}

#[test]
fn all_cores_use_a_resolver() {
    let found = Builder::new()
        .resolver(async |_: &str, port: u16| Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]))
        .run_on_cores(2, async |core| lookup_host((NAME, core as u16)).await)
        .unwrap();
    assert_eq!(found, [[address("127.0.0.1:0")], [address("127.0.0.1:1")]]);
}
