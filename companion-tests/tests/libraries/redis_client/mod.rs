//! X1: redis, with `redis-server`.

pub mod server;

use std::cell::Cell;

use redis::aio::MultiplexedConnection;
use redis::{Client, RedisResult, cmd, pipe};
use seedbed::Result;

use super::cut::everywhere;
use super::elsewhere::Go;
use super::left::{Before, Left, NOTHING, until};
use super::{alone, call};
use server::Server;

async fn count(connection: &MultiplexedConnection) -> RedisResult<u32> {
    cmd("INCR").arg("count").query_async(&mut connection.clone()).await
}

/// Makes one connection to the server at this URL.
pub async fn once(go: &impl Go, url: &str) -> Result<()> {
    let client = Client::open(url)?;
    let counted = go.go(async move {
        Ok(count(&client.get_multiplexed_async_connection().await?).await? as usize)
    });
    assert!(counted.await? > 0);
    Ok(())
}

/// One connection, over which all calls go. It takes a task of tokio's, which lives as long as
/// handles to it do. A call that is cancelled has been done or not, and the answers do not get out
/// of step.
#[test]
fn x01_redis_is_cancelled_anywhere() {
    alone("redis_client::x01_redis_is_cancelled_anywhere", async || {
        let server = Server::start();
        let client = Client::open(server.url())?;
        let observer = server.observe().await?;
        let before = Before::now();
        let kept = Left { tasks: 1, connections: 1, descriptors: 1 };
        let connection = call(client.get_multiplexed_async_connection()).await?;
        let (calls, last) = (Cell::new(0), Cell::new(0));
        everywhere(
            "a command",
            async || {
                calls.set(calls.get() + 1);
                count(&connection).await
            },
            async |_| {
                calls.set(calls.get() + 1);
                let counted = call(count(&connection)).await?;
                assert!(last.replace(counted) < counted && counted <= calls.get());
                before.until(kept, async || observer.connections().await).await
            },
        )
        .await?;
        let value = "x".repeat(1_000_000);
        everywhere(
            "a transaction",
            async || {
                let mut transaction = pipe();
                transaction.atomic().set("a", &value).set("b", &value).get("a");
                let (.., a): ((), (), String) =
                    transaction.query_async(&mut connection.clone()).await?;
                Ok::<_, redis::RedisError>(a.len())
            },
            async |_| {
                // Both have been set, or neither.
                let mut lengths = pipe();
                lengths.strlen("a").strlen("b");
                let (a, b): (usize, usize) =
                    call(lengths.query_async(&mut connection.clone())).await?;
                assert_eq!(a, b);
                before.until(kept, async || observer.connections().await).await
            },
        )
        .await?;
        drop(connection);
        before.until(NOTHING, async || observer.connections().await).await
    });
}

/// A connection for each call.
#[test]
fn x01_connecting_to_redis_is_cancelled_anywhere() {
    alone("redis_client::x01_connecting_to_redis_is_cancelled_anywhere", async || {
        let server = Server::start();
        let client = Client::open(server.url())?;
        let observer = server.observe().await?;
        let before = Before::now();
        let connect_and_count =
            async || count(&client.get_multiplexed_async_connection().await?).await;
        everywhere("a connection", connect_and_count, async |_| {
            before.until(NOTHING, async || observer.connections().await).await
        })
        .await?;
        assert!(call(connect_and_count()).await? > 0);
        before.until(NOTHING, async || observer.connections().await).await
    });
}

/// The server notices that whoever waits for an item has gone, and gives it to the next.
#[test]
fn x01_a_command_that_waits_at_the_server_ends_with_its_connection() {
    alone(
        "redis_client::x01_a_command_that_waits_at_the_server_ends_with_its_connection",
        async || {
            let server = Server::start();
            let client = Client::open(server.url())?;
            let observer = server.observe().await?;
            let before = Before::now();
            let pop = async || -> RedisResult<(String, u32)> {
                let mut connection = client.get_multiplexed_async_connection().await?;
                cmd("BLPOP").arg("list").arg(0).query_async(&mut connection).await
            };
            for _ in 0..5 {
                let popped = seedbed::nursery(async |n| {
                    let popping = n.spawn(call(pop()));
                    until(1, async || observer.blocked().await).await?;
                    popping.cancel();
                    Ok(popping.await.is_ok())
                });
                assert!(!popped.await?);
                before.until(NOTHING, async || observer.connections().await).await?;
            }
            let mut connection = call(client.get_multiplexed_async_connection()).await?;
            let mut push = cmd("RPUSH");
            let pushed: u32 = call(push.arg("list").arg(7).query_async(&mut connection)).await?;
            assert_eq!(pushed, 1);
            assert_eq!(call(pop()).await?, ("list".to_owned(), 7));
            Ok(())
        },
    );
}
