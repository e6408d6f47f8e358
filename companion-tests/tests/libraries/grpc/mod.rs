//! X1: tonic, client and server, both on tokio's runtime; and its services in a server of this crate.
//!
//! | file | what |
//! |---|---|
//! | `service` | a service and its client, as generated code would be |

mod service;

use std::sync::Arc;
use std::time::Duration;

use seedbed::hyper::serve_tower;
use seedbed::{CancelScope, Result, finishing, nursery, sleep_forever, until_stopped};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tonic::Status;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};

use super::cut::everywhere;
use super::elsewhere::Go;
use super::left::{Before, Left, NOTHING, connections};
use super::{alone, call};
use service::{Counter, Number, count_to, double};

/// The server is a child of this crate's, which may be cancelled gracefully: then it finishes the
/// calls that it has begun.
async fn serve(listener: TcpListener, permits: Arc<Semaphore>) -> Result<()> {
    // Any other cancellation reaches the call itself.
    let stopped = async {
        let _ = until_stopped(sleep_forever()).await; // seedbed-lint: allow(swallowed-cancellation)
    };
    let server = Server::builder().add_service(Counter { permits });
    finishing(call(server.serve_with_incoming_shutdown(TcpIncoming::from(listener), stopped))).await
}

fn unlimited() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(Semaphore::MAX_PERMITS))
}

async fn bind() -> Result<(TcpListener, u16)> {
    let listener = call(TcpListener::bind("127.0.0.1:0")).await?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

fn endpoint(port: u16) -> Endpoint {
    Endpoint::from_shared(format!("http://127.0.0.1:{port}")).unwrap()
}

const NUMBERS: u32 = 100;

fn large(value: u32) -> Number {
    Number { value, ballast: vec![0; 10_000] }
}

/// Both kinds of calls.
async fn ask(channel: &Channel) -> Result<u32, Status> {
    let mut sum = double(channel.clone(), large(21)).await?;
    let mut numbers = count_to(channel.clone(), large(NUMBERS)).await?;
    while let Some(number) = numbers.message().await? {
        sum += number.value;
    }
    Ok(sum)
}

const SUM: u32 = 42 + NUMBERS * (NUMBERS + 1) / 2;

/// Makes one call of each kind.
pub async fn once(go: &impl Go) -> Result<()> {
    let (listener, port) = bind().await?;
    nursery(async |n| {
        n.service(serve(listener, unlimited()));
        let asks = async move { Ok(ask(&endpoint(port).connect().await?).await? as usize) };
        assert_eq!(go.go(asks).await?, SUM as usize);
        Ok(())
    })
    .await
}

/// One connection. It takes four tasks of tokio's, one of them the server's.
#[test]
fn x01_tonic_is_cancelled_anywhere() {
    alone("grpc::x01_tonic_is_cancelled_anywhere", async || {
        let (listener, port) = bind().await?;
        nursery(async |n| {
            n.service(serve(listener, unlimited()));
            let before = Before::now();
            let connect_and_ask = async || ask(&endpoint(port).connect_lazy()).await;
            everywhere("a channel", connect_and_ask, async |_| {
                before.until(NOTHING, async || Ok(connections(port))).await
            })
            .await?;
            assert_eq!(call(connect_and_ask()).await?, SUM);
            before.until(NOTHING, async || Ok(connections(port))).await?;
            let kept = Left { tasks: 4, connections: 1, descriptors: 2 };
            cut_calls(&before, port, kept).await
        })
        .await
    });
}

/// Cuts a call after every number of polls, over one channel, of which this is kept meanwhile.
async fn cut_calls(before: &Before, port: u16, kept: Left) -> Result<()> {
    let channel = endpoint(port).connect_lazy();
    everywhere(
        "a call",
        async || ask(&channel).await,
        async |_| {
            assert_eq!(call(ask(&channel)).await?, SUM);
            before.until(kept, async || Ok(connections(port))).await
        },
    )
    .await?;
    drop(channel);
    before.until(NOTHING, async || Ok(connections(port))).await
}

/// The services are a tower service, so they need no server of tonic's. All three tasks are the client's.
#[test]
fn x01_services_of_tonic_are_served_by_this_crate() {
    alone("grpc::x01_services_of_tonic_are_served_by_this_crate", async || {
        let listener = seedbed::net::TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        nursery(async |n| {
            let services = Routes::new(Counter { permits: unlimited() });
            n.service(serve_tower(listener, services.prepare()));
            let before = Before::now();
            let kept = Left { tasks: 3, connections: 1, descriptors: 2 };
            cut_calls(&before, port, kept).await
        })
        .await
    });
}

/// A call that has begun comes to its end, the server ends after it, and then nobody answers.
///
/// The numbers are small. A client that has to say meanwhile that it has room for more may be reset
/// by the server's last step, and lose what it has not read: hyper does not wait for it.
#[test]
fn x01_a_server_of_tonic_stops_gracefully() {
    alone("grpc::x01_a_server_of_tonic_stops_gracefully", async || {
        const LAST: u32 = 20;
        let small = |value| Number { value, ballast: Vec::new() };
        let before = Before::now();
        let (listener, port) = bind().await?;
        let channel = endpoint(port).connect_lazy();
        let (scope, permits) = (CancelScope::new(), Arc::new(Semaphore::new(1)));
        nursery(async |n| {
            let serve = serve(listener, permits.clone());
            let server = n.spawn(scope.enter(async |_| serve.await));
            let mut numbers = call(count_to(channel.clone(), small(LAST))).await?;
            let mut next = async || -> Result<_> {
                Ok(call(numbers.message()).await?.map(|number| number.value))
            };
            assert_eq!(next().await?, Some(1));
            scope.cancel_gracefully(Duration::from_secs(60));
            permits.add_permits(LAST as usize);
            for value in 2..=LAST {
                assert_eq!(next().await?, Some(value));
            }
            assert_eq!(next().await?, None);
            assert!(server.await?.is_some(), "it ended by itself");
            assert!(call(double(channel.clone(), small(1))).await.is_err());
            Ok(())
        })
        .await?;
        drop(channel);
        before.until(NOTHING, async || Ok(connections(port))).await
    });
}
