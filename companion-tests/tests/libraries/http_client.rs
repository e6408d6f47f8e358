//! X1: reqwest, over HTTP/1, and over HTTP/2 and TLS, with a server of this crate.

use std::cell::Cell;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode, Version};
use reqwest::Client;
use seedbed::flow::{Retry, from_try_stream, retry};
use seedbed::hyper::{Body, Server};
use seedbed::net::TcpListener;
use seedbed::{Result, nursery, tls};

use super::certificate::{Certificate, NAME};
use super::cut::everywhere;
use super::elsewhere::Go;
use super::left::{Before, Left, NOTHING, connections};
use super::{alone, call};

/// Sends back what was sent, in several pieces.
async fn echo(request: Request<Incoming>) -> Result<Response<Body<'static>>> {
    let body = request.into_body().collect().await?.to_bytes();
    let quarter = body.len().div_ceil(4).max(1);
    Ok(Response::new(Body::stream(async move |sender| {
        for at in (0..body.len()).step_by(quarter) {
            sender.send(body.slice(at..body.len().min(at + quarter))).await?;
        }
        Ok(())
    })))
}

/// What a server speaks, and what its clients know of it.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Speaks {
    Http1,
    Https2,
}

struct Site {
    speaks: Speaks,
    certificate: Certificate,
    port: u16,
}

impl Site {
    fn url(&self) -> String {
        match self.speaks {
            Speaks::Http1 => format!("http://127.0.0.1:{}/", self.port),
            Speaks::Https2 => format!("https://{NAME}:{}/", self.port),
        }
    }

    fn client(&self) -> Client {
        let client = Client::builder().no_proxy().pool_max_idle_per_host(1);
        let client = client.resolve(NAME, ([127, 0, 0, 1], self.port).into());
        client.tls_backend_preconfigured(self.certificate.client(&["h2"])).build().unwrap()
    }

    /// A whole request, and what comes back.
    fn ask(&self, client: &Client) -> impl Future<Output = reqwest::Result<usize>> + use<> {
        let expected = match self.speaks {
            Speaks::Http1 => Version::HTTP_11,
            Speaks::Https2 => Version::HTTP_2,
        };
        let request = client.post(self.url()).body(vec![b'x'; SENT]);
        async move {
            let answer = request.send().await?.error_for_status()?;
            assert_eq!(answer.version(), expected);
            Ok(answer.bytes().await?.len())
        }
    }
}

/// More than the buffers of a connection hold.
const SENT: usize = 300_000;

/// Serves while `client` runs.
async fn serving(
    speaks: Speaks,
    handler: impl AsyncFn(Request<Incoming>) -> Result<Response<Body<'static>>>,
    client: impl AsyncFnOnce(&Site) -> Result<()>,
) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let certificate = Certificate::new();
    let config = Arc::new(certificate.server(&["h2", "http/1.1"]));
    let site = Site { speaks, certificate, port: listener.local_addr()?.port() };
    nursery(async |n| {
        n.service(async {
            // A client that goes away half-way is what these tests are about.
            let server = Server::new(listener).on_error(|_, _| ());
            match speaks {
                Speaks::Http1 => server.serve(handler).await,
                Speaks::Https2 => {
                    let config = &config;
                    let tls = async |stream, _| tls::accept(config, stream).await;
                    server.on_accept(tls).serve(handler).await
                }
            }
        });
        client(&site).await
    })
    .await
}

/// With a client that keeps one connection, both ends of which are in this process. One task of
/// tokio's closes it when it has been idle for long. The connection itself takes one, or two if it
/// speaks HTTP/2.
async fn with_a_pool(speaks: Speaks) -> Result<()> {
    serving(speaks, echo, async |site| {
        let before = Before::now();
        let tasks = match speaks {
            Speaks::Http1 => 2,
            Speaks::Https2 => 3,
        };
        let kept = Left { tasks, connections: 1, descriptors: 2 };
        let client = site.client();
        everywhere(
            "a request",
            async || site.ask(&client).await,
            async |_| {
                assert_eq!(call(site.ask(&client)).await?, SENT);
                before.until(kept, async || Ok(connections(site.port))).await
            },
        )
        .await?;
        drop(client);
        before.until(NOTHING, async || Ok(connections(site.port))).await
    })
    .await
}

/// With a client of its own for each call, so that connecting is cancelled as well.
async fn with_new_clients(speaks: Speaks) -> Result<()> {
    serving(speaks, echo, async |site| {
        let before = Before::now();
        everywhere(
            "a client",
            async || site.ask(&site.client()).await,
            async |_| before.until(NOTHING, async || Ok(connections(site.port))).await,
        )
        .await?;
        assert_eq!(call(site.ask(&site.client())).await?, SENT);
        before.until(NOTHING, async || Ok(connections(site.port))).await
    })
    .await
}

/// Makes one request to each kind of server.
pub async fn once(go: &impl Go) -> Result<()> {
    for speaks in [Speaks::Http1, Speaks::Https2] {
        serving(speaks, echo, async |site| {
            let asks = site.ask(&site.client());
            assert_eq!(go.go(async { Ok(asks.await?) }).await?, SENT);
            Ok(())
        })
        .await?;
    }
    Ok(())
}

#[test]
fn x01_reqwest_over_http1_is_cancelled_anywhere() {
    alone("http_client::x01_reqwest_over_http1_is_cancelled_anywhere", async || {
        with_a_pool(Speaks::Http1).await?;
        with_new_clients(Speaks::Http1).await
    });
}

#[test]
fn x01_reqwest_over_tls_and_http2_is_cancelled_anywhere() {
    alone("http_client::x01_reqwest_over_tls_and_http2_is_cancelled_anywhere", async || {
        with_a_pool(Speaks::Https2).await?;
        with_new_clients(Speaks::Https2).await
    });
}

/// The policy is this crate's, and what is retried is reqwest's.
#[test]
fn x01_a_request_is_tried_again() {
    let tried = Cell::new(0);
    let unreliable = async |request| {
        tried.set(tried.get() + 1);
        let mut answer = echo(request).await?;
        if tried.get() < 3 {
            *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        Ok(answer)
    };
    super::run(serving(Speaks::Http1, unreliable, async |site| {
        let client = site.client();
        let answers = || from_try_stream(stream::once(call(site.ask(&client))));
        let policy = Retry::attempts(5).first_delay(Duration::ZERO);
        let policy = policy.only_if(|error| error.find::<reqwest::Error>().is_some());
        let mut lengths = Vec::new();
        retry(policy, answers)
            .for_each(async |length| {
                lengths.push(length);
                Ok(())
            })
            .await?;
        assert_eq!(lengths, [SENT]);
        Ok(())
    }))
    .unwrap();
    assert_eq!(tried.get(), 3);
}
