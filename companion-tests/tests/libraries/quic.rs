//! X1: quinn, client and server.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Connection, Endpoint, ServerConfig, TransportConfig, VarInt};
use seedbed::tokio::Companion;
use seedbed::{Builder, CancelScope, Error, Result, nursery};

use super::certificate::{Certificate, NAME};
use super::cut::everywhere;
use super::elsewhere::Go;
use super::left::{Before, Left, NOTHING, tasks, until};
use super::{alone, call};

const PROTOCOL: &[&str] = &["echo"];

/// How long the round trip is taken to be before it has been measured. A connection that has been
/// closed is remembered for a few of them, and over loopback there is no need to wait for seconds.
fn transport() -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport.initial_rtt(Duration::from_millis(1));
    Arc::new(transport)
}

fn server(certificate: &Certificate) -> Endpoint {
    let crypto = QuicServerConfig::try_from(certificate.server(PROTOCOL)).unwrap();
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(transport());
    Endpoint::server(config, ([127, 0, 0, 1], 0).into()).unwrap()
}

fn client(certificate: &Certificate) -> Endpoint {
    let crypto = QuicClientConfig::try_from(certificate.client(PROTOCOL)).unwrap();
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(transport());
    let mut endpoint = Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap();
    endpoint.set_default_client_config(config);
    endpoint
}

/// The connections that a server has answered.
#[derive(Default)]
struct Answered(RefCell<Vec<CancelScope>>);

impl Answered {
    /// Gives them up. A client that is cancelled during the handshake may go without the server
    /// hearing of it, which QUIC leaves to the server's idle timeout: half a minute.
    fn give_up(&self) {
        for connection in self.0.take() {
            connection.cancel();
        }
    }
}

/// Sends back what comes on each stream of each connection.
async fn echo(endpoint: &Endpoint, answered: &Answered) -> Result<()> {
    nursery(async |n| {
        while let Some(incoming) = call(endpoint.accept()).output().await? {
            let scope = CancelScope::new();
            answered.0.borrow_mut().push(scope.clone());
            // A client that goes away is what these tests are about.
            n.spawn(scope.enter(async |_| answer(incoming).await.or_else(unless_cancelled)));
        }
        Ok(())
    })
    .await
}

fn unless_cancelled(error: Error) -> Result<()> {
    if error.is_cancelled() { Err(error) } else { Ok(()) }
}

async fn answer(incoming: quinn::Incoming) -> Result<()> {
    let connection = call(incoming).await?;
    loop {
        let (mut sending, mut receiving) = call(connection.accept_bi()).await?;
        // A stream that is cut is reset, which is no reason to end the connection.
        let answered = async {
            let data = call(receiving.read_to_end(10 * SENT)).await?;
            call(sending.write_all(&data)).await?;
            Ok(sending.finish()?)
        };
        answered.await.or_else(unless_cancelled)?;
    }
}

const SENT: usize = 300_000;

/// A stream in both directions.
async fn ask(connection: Connection) -> Result<usize> {
    let (mut sending, mut receiving) = connection.open_bi().await?;
    let send = async {
        sending.write_all(&vec![0; SENT]).await?;
        sending.finish()?;
        Ok::<_, Error>(())
    };
    let receive = async { Ok(receiving.read_to_end(10 * SENT).await?) };
    Ok(futures::try_join!(send, receive)?.1.len())
}

/// Makes one connection.
pub async fn once(go: &impl Go) -> Result<()> {
    let (certificate, answered) = (Certificate::new(), Answered::default());
    let server = server(&certificate);
    let address = server.local_addr()?;
    nursery(async |n| {
        n.service(echo(&server, &answered));
        let asks = async move {
            let client = client(&certificate);
            let length = ask(client.connect(address, NAME)?.await?).await?;
            client.wait_idle().await;
            Ok(length)
        };
        assert_eq!(go.go(asks).await?, SENT);
        Ok(())
    })
    .await
}

/// An endpoint takes a task of tokio's and a socket, and a connection a task on either side. A client
/// forgets its connection soon after it was cancelled, and has no more of it then.
///
/// A server of quinn's may keep it until the idle timeout: in quinn-proto 0.11, if a farewell is the
/// first packet that it gets from a client that was cancelled before it had sent anything else. So
/// at most one is kept for each connection that was cancelled, and each takes a task, which is cut
/// at the end of the run.
#[test]
fn x01_connecting_with_quinn_is_cancelled_anywhere() {
    let name = "quic::x01_connecting_with_quinn_is_cancelled_anywhere";
    let main = async || {
        let before = Before::now();
        let (certificate, answered) = (Certificate::new(), Answered::default());
        let (server, client) = (server(&certificate), client(&certificate));
        let address = server.local_addr()?;
        nursery(async |n| {
            n.service(echo(&server, &answered));
            let cuts = Cell::new(0);
            let connect_and_ask = async || ask(client.connect(address, NAME)?.await?).await;
            everywhere("a connection", connect_and_ask, async |length| {
                cuts.set(cuts.get() + usize::from(length.is_none()));
                until((0, true, 2, 2), async || {
                    answered.give_up();
                    let kept = server.open_connections();
                    let tasks = tasks().saturating_sub(kept);
                    let client = client.open_connections();
                    Ok((client, kept <= cuts.get(), tasks, before.descriptors()))
                })
                .await
            })
            .await?;
            assert_eq!(call(connect_and_ask()).await?, SENT);
            Ok(())
        })
        .await
    };
    alone::alone(name, || {
        let companion = Companion::new().grace(Duration::ZERO);
        Builder::new().tokio(companion).run(main()).unwrap();
    });
}

#[test]
fn x01_a_stream_of_quinn_is_cancelled_anywhere() {
    alone("quic::x01_a_stream_of_quinn_is_cancelled_anywhere", async || {
        let before = Before::now();
        let (certificate, answered) = (Certificate::new(), Answered::default());
        let (server, client) = (server(&certificate), client(&certificate));
        let address = server.local_addr()?;
        nursery(async |n| {
            n.service(echo(&server, &answered));
            let connection = call(client.connect(address, NAME)?).await?;
            let kept = Left { tasks: 4, connections: 1, descriptors: 2 };
            everywhere(
                "a stream",
                async || ask(connection.clone()).await,
                async |_| {
                    assert_eq!(call(ask(connection.clone())).await?, SENT);
                    before.until(kept, async || Ok(server.open_connections())).await
                },
            )
            .await?;
            connection.close(VarInt::from_u32(0), b"");
            let idle = Left { tasks: 2, connections: 0, descriptors: 2 };
            before.until(idle, async || Ok(server.open_connections())).await
        })
        .await?;
        drop((server, client));
        before.until(NOTHING, async || Ok(0)).await
    });
}
