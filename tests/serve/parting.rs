//! S1 and S7: what a server does for connections whose handlers have ended, and what it reports of
//! those that failed.

use std::cell::{Cell, RefCell};
use std::io;
use std::time::Duration;

use seedbed::net::{TcpListener, TcpSocket, TcpStream};
use seedbed::testing::VirtualClock;
use seedbed::{
    CancelScope, Error, Event, Listener, Result, Server, checkpoint, nursery, serve, sleep,
    sleep_forever, yield_now,
};
use tracing::Level;

use crate::support::{Record, recording, run, run_on, secs};

// S7

const ANSWER: usize = 256 * 1024;

/// What a client gets if it sends 64 KiB, of which `handler` reads some, and reads only after
/// `handler` has ended.
fn answered(
    server: &CancelScope,
    handler: impl AsyncFn(TcpStream) -> Result<()>,
) -> io::Result<usize> {
    let outcome = seedbed::run(async {
        let socket = TcpSocket::v4()?;
        socket.set_send_buffer_size(1 << 20)?;
        socket.bind("127.0.0.1:0")?;
        let listener = socket.listen(16)?;
        let address = listener.local_addr()?;
        let (sent, ended) = (Event::new(), Event::new());
        nursery(async |n| {
            n.spawn(server.enter(async |_| {
                serve(listener, async |stream, _| {
                    struct Ended<'a>(&'a Event);
                    impl Drop for Ended<'_> {
                        fn drop(&mut self) {
                            self.0.set();
                        }
                    }
                    let _ended = Ended(&ended);
                    sent.wait().await?;
                    handler(stream).await
                })
                .await
            }));
            let socket = TcpSocket::v4()?;
            socket.set_receive_buffer_size(4096)?;
            let client = socket.connect(address).await?;
            client.write_all(&[0; 64 * 1024]).await?;
            sent.set();
            ended.wait().await?;
            for _ in 0..3 {
                yield_now().await?; // what it left has been closed
            }
            let mut answer = Vec::new();
            let outcome = client.read_to_end(&mut answer).await;
            drop(client);
            server.cancel();
            Ok(outcome.map_err(|error| error.downcast::<io::Error>().unwrap()))
        })
        .await
    });
    outcome.unwrap()
}

async fn answer_a_part(stream: &TcpStream) -> Result<()> {
    stream.read(&mut [0; 1024]).await?;
    stream.write_all(&vec![1; ANSWER]).await
}

#[test]
fn s07_an_answer_is_not_cut_off_by_input_that_was_not_read() {
    let read = answered(&CancelScope::new(), async |stream| answer_a_part(&stream).await);
    assert_eq!(read.unwrap(), ANSWER);
}

#[test]
fn s07_nor_is_that_of_a_handler_that_fails_or_panics() {
    let read = answered(&CancelScope::new(), async |stream| {
        answer_a_part(&stream).await?;
        Err(Error::msg("too large"))
    });
    assert_eq!(read.unwrap(), ANSWER);
    let read = answered(&CancelScope::new(), async |stream| {
        answer_a_part(&stream).await?;
        panic!("a bug")
    });
    assert_eq!(read.unwrap(), ANSWER);
}

#[test]
fn s07_whatever_the_stream_has_become_in_the_handler() {
    let halves = answered(&CancelScope::new(), async |stream| {
        let (mut reader, mut writer) = stream.into_split();
        nursery(async |n| {
            n.spawn(async move { reader.read(&mut [0; 1024]).await });
            writer.write_all(&vec![1; ANSWER]).await
        })
        .await
    });
    assert_eq!(halves.unwrap(), ANSWER);
    let boxed = answered(&CancelScope::new(), async |stream| {
        let stream: Box<dyn futures::AsyncWrite + Unpin> = Box::new(stream);
        let mut buffered = futures::io::BufWriter::new(stream);
        futures::AsyncWriteExt::write_all(&mut buffered, &vec![1; ANSWER]).await?;
        Ok(futures::AsyncWriteExt::flush(&mut buffered).await?)
    });
    assert_eq!(boxed.unwrap(), ANSWER);
}

#[test]
fn s07_nor_is_one_by_the_cancellation_of_the_server() {
    let server = CancelScope::new();
    let read = answered(&server, async |stream| {
        answer_a_part(&stream).await?;
        server.cancel();
        checkpoint().await
    });
    assert_eq!(read.unwrap(), ANSWER);
}

/// A client that does not end, and keeps sending.
async fn send_for_ever(client: &TcpStream) -> Result<()> {
    loop {
        match client.write(&[0]).await {
            Ok(_) => sleep(Duration::from_millis(10)).await?,
            Err(error) if error.is::<io::Error>() => return Ok(()), // it is reset at last
            Err(error) => return Err(error),
        }
    }
}

#[test]
fn s07_a_client_that_does_not_end_is_a_connection_for_two_seconds() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let served = RefCell::new(Vec::new());
        let (second, stop) = (Event::new(), Event::new());
        let (clock, served, second) = (&clock, &served, &second);
        nursery(async |n| {
            let server = Server::new(listener).max_connections(1).shutdown_on(stop.wait());
            n.spawn(server.serve(async |stream, _| {
                served.borrow_mut().push(clock.elapsed());
                if served.borrow().len() == 2 {
                    second.set();
                }
                stream.read(&mut [0; 1]).await?;
                stream.write_all(b"enough").await
            }));
            let stubborn = TcpStream::connect(address).await?;
            let other = TcpStream::connect(address).await?;
            n.spawn(async move { send_for_ever(&stubborn).await });
            second.wait().await?;
            other.write_all(b"?").await?;
            other.read_to_end(&mut Vec::new()).await?;
            drop(other); // it does not wait for one that has ended
            stop.set();
            Ok(())
        })
        .await?;
        let served = served.borrow();
        assert_eq!(served.len(), 2);
        let waited = served[1] - served[0];
        assert!(waited >= secs(2) && waited < secs(2) + Duration::from_millis(20), "{waited:?}");
        Ok(())
    })
    .unwrap();
}

/// How long after `stop` a server ends if its only client has been answered and does not end.
fn ends_after(
    stop: impl AsyncFnOnce(&CancelScope) -> Result<()>,
    client: impl AsyncFnOnce(&TcpStream) -> Result<()>,
) -> Duration {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let scope = CancelScope::new();
        nursery(async |n| {
            let ended = n.spawn(scope.enter(async |_| {
                serve(listener, async |stream, _| {
                    stream.read(&mut [0]).await?;
                    stream.write_all(b"enough").await
                })
                .await
            }));
            let stream = TcpStream::connect(address).await?;
            let stream = &stream;
            nursery(async |clients| {
                stream.write_all(b"?").await?;
                stream.read_exact(&mut [0; 6]).await?;
                clients.spawn(async {
                    client(stream).await?;
                    sleep_forever().await
                });
                stop(&scope).await?;
                let before = clock.elapsed();
                ended.await?;
                clients.cancel();
                Ok(clock.elapsed() - before)
            })
            .await
        })
        .await
    })
    .unwrap()
}

#[test]
fn s07_the_grace_ends_it_if_that_is_shorter() {
    let stop = async |scope: &CancelScope| {
        scope.cancel_gracefully(secs(1));
        Ok(())
    };
    assert_eq!(ends_after(stop, send_for_ever), secs(1));
}

#[test]
fn s07_a_stop_does_not_wait_for_a_client_that_says_nothing() {
    let stop = async |scope: &CancelScope| {
        scope.cancel_gracefully(secs(10));
        Ok(())
    };
    assert_eq!(ends_after(stop, async |_| Ok(())), Duration::from_millis(100));
    let stop = async |scope: &CancelScope| {
        scope.cancel();
        Ok(())
    };
    assert_eq!(ends_after(stop, async |_| Ok(())), Duration::from_millis(100));
}

// S1: what is reported

/// Connections without a network.
struct Calls(Cell<u32>);

impl Listener for Calls {
    type Stream = u32;
    type Address = &'static str;

    async fn accept(&self) -> Result<(u32, &'static str)> {
        checkpoint().await?;
        match self.try_accept()? {
            Some(call) => Ok(call),
            None => loop {
                sleep_forever().await?;
            },
        }
    }

    fn try_accept(&self) -> Result<Option<(u32, &'static str)>> {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        Ok((left > 0).then_some((left, "somebody")))
    }
}

fn reported(calls: u32, handler: impl AsyncFn(u32) -> Result<()>) -> Vec<Record> {
    let (outcome, records) = recording(|| {
        run(async {
            let server = Server::new(Calls(Cell::new(calls))).shutdown_on(sleep(secs(3600)));
            server.serve(async |call, _| handler(call).await).await
        })
    });
    outcome.unwrap();
    records
}

#[derive(Debug)]
struct Chain(&'static [&'static str]);

impl std::fmt::Display for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0[0])
    }
}

impl std::error::Error for Chain {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        static CAUSES: [Chain; 2] = [Chain(&["no such table", "disk full"]), Chain(&["disk full"])];
        match self.0.len() {
            3 => Some(&CAUSES[0]),
            2 => Some(&CAUSES[1]),
            _ => None,
        }
    }
}

#[test]
fn s01_a_failure_is_reported_with_its_causes() {
    let failure = || Chain(&["cannot look it up", "no such table", "disk full"]);
    let records = reported(1, async |_| Err(failure().into()));
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].level, Level::WARN);
    assert_eq!(records[0].field("error"), "cannot look it up: no such table: disk full");
    assert_eq!(records[0].field("peer"), "\"somebody\"");
}

#[test]
fn s01_failures_without_end_are_counted_instead_of_reported() {
    let records = reported(100, async |_| Err(Error::msg("out of paper")));
    assert_eq!(records.len(), 11);
    assert!(records[..10].iter().all(|record| record.field("left_out") == "0"));
    // The server has ended, and no other report could tell.
    assert_eq!(records[10].field("left_out"), "90");

    let records = reported(100, async |call| {
        if call <= 2 {
            sleep(secs(u64::from(3 - call) * 10)).await?;
        }
        Err(Error::msg("out of paper"))
    });
    assert_eq!(records.len(), 12);
    assert_eq!(records[10].field("left_out"), "88");
    assert_eq!(records[11].field("left_out"), "0");
}

#[test]
fn s01_a_bug_is_not_hidden_behind_failures() {
    let records = reported(100, async |call| match call {
        1 => panic!("a bug"),
        _ => Err(Error::msg("out of paper")),
    });
    let bugs = records.iter().filter(|record| record.level == Level::ERROR);
    assert_eq!(bugs.count(), 1);
}

#[test]
fn s01_what_a_client_brings_about_is_no_warning() {
    let kinds = [
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::BrokenPipe,
        io::ErrorKind::TimedOut,
        io::ErrorKind::UnexpectedEof,
    ];
    let records = reported(4, async |call| Err(io::Error::from(kinds[call as usize - 1]).into()));
    assert_eq!(records.len(), 0, "{records:?}");
    let records = reported(1, async |_| Err(io::Error::from(io::ErrorKind::NotFound).into()));
    assert_eq!(records.len(), 1);
}

#[test]
fn s01_an_error_whose_text_panics_does_not_end_the_server() {
    #[derive(Debug)]
    struct Bad;
    impl std::fmt::Display for Bad {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("no text")
        }
    }
    impl std::error::Error for Bad {}
    let served = Cell::new(0);
    let records = reported(3, async |_| {
        served.set(served.get() + 1);
        Err(Bad.into())
    });
    assert_eq!((served.get(), records.len()), (3, 3));
}
