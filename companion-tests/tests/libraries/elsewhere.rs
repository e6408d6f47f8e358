//! X1: the libraries from other threads, and on two cores.

use std::future::Future;

use seedbed::tokio::Companion;
use seedbed::{Builder, Result, to_thread};
use tokio::runtime::Handle;

use super::postgres::server::Server as Postgres;
use super::redis_client::server::Server as Redis;
use super::{call, grpc, http_client, postgres, quic, redis_client, run, websocket};

/// How a call is made.
pub trait Go {
    fn go(
        &self,
        asks: impl Future<Output = Result<usize>> + Send + 'static,
    ) -> impl Future<Output = Result<usize>>;
}

/// In another thread, which waits for it.
struct InThread;

impl Go for InThread {
    async fn go(
        &self,
        asks: impl Future<Output = Result<usize>> + Send + 'static,
    ) -> Result<usize> {
        to_thread(|| Handle::current().block_on(asks)).await?
    }
}

/// In the run.
struct Here;

impl Go for Here {
    async fn go(
        &self,
        asks: impl Future<Output = Result<usize>> + Send + 'static,
    ) -> Result<usize> {
        call(asks).await
    }
}

/// Calls each library once.
async fn each(go: impl Go, postgres: &str, redis: &str) -> Result<()> {
    http_client::once(&go).await?;
    websocket::once(&go).await?;
    grpc::once(&go).await?;
    quic::once(&go).await?;
    redis_client::once(&go, redis).await?;
    postgres::once(&go, postgres).await
}

#[test]
fn x01_the_libraries_work_in_other_threads() {
    let (postgres, redis) = (Postgres::start(), Redis::start());
    run(each(InThread, &postgres.url("postgres"), &redis.url())).unwrap();
}

#[test]
fn x01_the_libraries_work_on_two_cores() {
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let (postgres, redis) = (&postgres.url("postgres"), &redis.url());
    let companion = Builder::new().tokio(Companion::new());
    let ran = companion.run_on_cores(2, async |_| each(Here, postgres, redis).await);
    assert_eq!(ran.unwrap().len(), 2);
}
