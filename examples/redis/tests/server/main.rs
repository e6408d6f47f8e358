//! The server, through real sockets, in one process with its clients, and on a virtual clock.

mod commands;
mod leaving;
mod limits;
mod pipelines;
mod publishing;
mod stopping;

use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use redis_server::client::Settings;
use redis_server::data::Data;
use redis_server::serve::Server;
use seedbed::net::{TcpListener, TcpStream};
use seedbed::testing::VirtualClock;
use seedbed::{Builder, Event, Result, fail_after, nursery};

/// Longer than anything here takes, in virtual time.
const LONG: Duration = Duration::from_secs(3600);

/// A server that runs beside the test.
struct Beside {
    address: SocketAddr,
    stop: Rc<Event>,
}

/// Runs a test beside a server, which has to stop by itself after it. Returns what the server kept.
fn beside<F>(settings: Settings, test: impl FnOnce(Beside) -> F) -> Data
where
    F: Future<Output = Result<()>>,
{
    Builder::new()
        .clock(&VirtualClock::new())
        .run(async {
            let server = Server::new(Data::default(), settings);
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let (address, stop) = (listener.local_addr()?, Rc::new(Event::new()));
            nursery(async |n| {
                n.spawn(server.serve(listener, stop.wait()));
                test(Beside { address, stop: stop.clone() }).await?;
                stop.set();
                Ok(())
            })
            .await?;
            Ok(server.into_data())
        })
        .unwrap()
}

/// A client that says exactly what it expects.
struct Client {
    stream: TcpStream,
}

impl Client {
    async fn connect(server: &Beside) -> Result<Client> {
        let stream = TcpStream::connect(server.address).await?;
        // The kernel must not wait for anything in real time, while the clock here jumps.
        stream.set_nodelay(true)?;
        Ok(Client { stream })
    }

    async fn send(&self, bytes: impl AsRef<[u8]>) -> Result<()> {
        fail_after(LONG, self.stream.write_all(bytes.as_ref())).await
    }

    #[track_caller]
    fn expect(&self, expected: impl AsRef<[u8]>) -> impl Future<Output = Result<()>> {
        let place = std::panic::Location::caller();
        async move {
            let expected = expected.as_ref();
            let mut found = vec![0; expected.len()];
            let mut length = 0;
            while length < found.len() {
                match fail_after(LONG, self.stream.read(&mut found[length..])).await? {
                    0 => break,
                    read => length += read,
                }
                // It says what came instead, even if that is shorter.
                if found[..length] != expected[..length] {
                    break;
                }
            }
            let (found, expected) = (found[..length].escape_ascii(), expected.escape_ascii());
            assert_eq!(found.to_string(), expected.to_string(), "at {place}");
            Ok(())
        }
    }

    /// Sends a line, and expects lines.
    #[track_caller]
    fn ask(&self, line: &str, replies: &str) -> impl Future<Output = Result<()>> {
        let (line, replies) = (format!("{line}\r\n"), replies.replace(' ', "\r\n") + "\r\n");
        let expected = self.expect(replies);
        async move {
            self.send(line).await?;
            expected.await
        }
    }

    /// Expects that the server ends the connection, and nothing before.
    #[track_caller]
    fn expect_end(&self) -> impl Future<Output = Result<()>> {
        let place = std::panic::Location::caller();
        async move {
            let mut more = [0; 100];
            let read = fail_after(LONG, self.stream.read(&mut more)).await?;
            assert_eq!(more[..read].escape_ascii().to_string(), "", "at {place}");
            Ok(())
        }
    }

    async fn read_to_end(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        fail_after(LONG, self.stream.read_to_end(&mut bytes)).await?;
        Ok(bytes)
    }
}
