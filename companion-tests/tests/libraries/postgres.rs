//! X1: sqlx, with a PostgreSQL server that is started for the test.

#[path = "../../../tests/cursor/server.rs"]
#[allow(dead_code, reason = "its log")]
pub mod server;

use std::cell::Cell;

use seedbed::net::TcpStream;
use seedbed::{Result, cancellable, nursery};
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection, Executor, Row};
use tokio_postgres::{Client, Config, NoTls};

use super::cut::everywhere;
use super::elsewhere::Go;
use super::left::{Before, Left, NOTHING, until};
use super::{alone, call, run};
use server::Server;

/// A look at the server over a connection of its own, without tokio's runtime.
struct Observer<'a>(&'a Client);

impl Observer<'_> {
    async fn number(&self, query: &str) -> Result<usize> {
        let row = cancellable(self.0.query_one(query, &[])).await??;
        Ok(row.get::<_, i64>(0) as usize)
    }

    /// How many connections the server has, apart from this one.
    async fn connections(&self) -> Result<usize> {
        const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity \
            WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        self.number(OTHERS).await
    }
}

/// Starts a server, and observes it while `body` runs, which is given its URL.
async fn observed(body: impl AsyncFnOnce(&str, &Observer<'_>) -> Result<()>) -> Result<()> {
    let server = Server::start();
    let url = server.url("postgres");
    let config: Config = url.parse()?;
    let stream = TcpStream::connect(("127.0.0.1", config.get_ports()[0])).await?;
    let (client, connection) = cancellable(config.connect_raw(stream, NoTls)).await??;
    nursery(async |n| {
        n.service(async { Ok(cancellable(connection).await??) });
        body(&url, &Observer(&client)).await
    })
    .await
}

fn pool(url: &str) -> Result<PgPool> {
    Ok(PgPoolOptions::new().max_connections(1).connect_lazy(url)?)
}

async fn connect_and_ask(url: &str) -> sqlx::Result<i32> {
    let mut connection = PgConnection::connect(url).await?;
    let row = sqlx::query("SELECT 7").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(row.get(0))
}

/// Makes one connection to the server at this URL.
pub async fn once(go: &impl Go, url: &str) -> Result<()> {
    let url = url.to_owned();
    assert_eq!(go.go(async move { Ok(connect_and_ask(&url).await? as usize) }).await?, 7);
    Ok(())
}

/// A pool of one connection: if a call lost it, the next one would wait for ever. The pool has a
/// task of tokio's. A connection that is given back takes one as well, until it is back.
#[test]
fn x01_sqlx_is_cancelled_anywhere() {
    alone("postgres::x01_sqlx_is_cancelled_anywhere", async || {
        observed(async |url, observer| {
            let before = Before::now();
            let kept = Left { tasks: 1, connections: 1, descriptors: 1 };
            let pool = pool(url)?;
            call(pool.execute("CREATE TABLE counted (n int)")).await?;
            let select = "SELECT n, repeat('x', 1000) FROM generate_series(1, 1000) AS n";
            everywhere(
                "a query",
                async || Ok::<_, sqlx::Error>(sqlx::query(select).fetch_all(&pool).await?.len()),
                async |_| {
                    let rows = call(sqlx::query(select).fetch_all(&pool)).await?;
                    assert_eq!(rows.len(), 1000);
                    before.until(kept, async || observer.connections().await).await
                },
            )
            .await?;
            let (begun, committed) = (Cell::new(0), Cell::new(0));
            everywhere(
                "a transaction",
                async || {
                    begun.set(begun.get() + 1);
                    let mut transaction = pool.begin().await?;
                    for _ in 0..2 {
                        let insert = sqlx::query("INSERT INTO counted VALUES ($1)");
                        insert.bind(begun.get()).execute(&mut *transaction).await?;
                    }
                    transaction.commit().await
                },
                async |value| {
                    committed.set(committed.get() + i64::from(value.is_some()));
                    let count = "SELECT count(*), count(DISTINCT n) FROM counted";
                    let row = call(sqlx::query(count).fetch_one(&pool)).await?;
                    let (rows, done): (i64, i64) = (row.get(0), row.get(1));
                    assert_eq!(rows, 2 * done, "the half of a transaction");
                    assert!(committed.get() <= done && done <= begun.get().into());
                    before.until(kept, async || observer.connections().await).await
                },
            )
            .await?;
            call(pool.close()).output().await?;
            drop(pool);
            before.until(NOTHING, async || observer.connections().await).await
        })
        .await
    });
}

/// A connection for each call. It has no task.
#[test]
fn x01_connecting_to_postgresql_is_cancelled_anywhere() {
    alone("postgres::x01_connecting_to_postgresql_is_cancelled_anywhere", async || {
        observed(async |url, observer| {
            let before = Before::now();
            everywhere(
                "a connection",
                async || connect_and_ask(url).await,
                async |_| before.until(NOTHING, async || observer.connections().await).await,
            )
            .await?;
            assert_eq!(call(connect_and_ask(url)).await?, 7);
            before.until(NOTHING, async || observer.connections().await).await
        })
        .await
    });
}

const SLEEPS: &str = "SELECT pg_sleep(600)";

impl Observer<'_> {
    /// How many queries sleep at the server.
    async fn sleeping(&self) -> Result<usize> {
        self.number("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'").await
    }
}

/// To drop a query does not end it at the server, and sqlx waits for its end in the background, with
/// the connection, of which the pool has no other. So the server has to be told, here through another
/// pool. What the server then answers is an error to sqlx, which closes the connection.
#[test]
fn x01_a_query_of_sqlx_that_is_cancelled_ends_at_the_server() {
    run(observed(async |url, observer| {
        let (pool, other) = (pool(url)?, pool(url)?);
        let mut connection = call(pool.acquire()).await?;
        let pid = sqlx::query("SELECT pg_backend_pid()");
        let pid: i32 = call(pid.fetch_one(&mut *connection)).await?.get(0);
        nursery(async |n| {
            let query = n.spawn(async {
                let asks = async { sqlx::query(SLEEPS).execute(&mut *connection).await };
                let cancels = async || {
                    let cancel = sqlx::query("SELECT pg_cancel_backend($1)").bind(pid);
                    let cancelled = call(cancel.fetch_one(&other)).await?;
                    assert!(cancelled.get::<bool, _>(0));
                    Ok(())
                };
                call(asks).on_cancel(cancels).await
            });
            until(1, async || observer.sleeping().await).await?;
            query.cancel();
            assert!(query.await.is_err());
            Ok(())
        })
        .await?;
        drop(connection);
        let row = call(sqlx::query("SELECT 7").fetch_one(&pool)).await?;
        assert_eq!(row.get::<i32, _>(0), 7);
        assert_eq!(observer.sleeping().await?, 0);
        until(2, async || observer.connections().await).await
    }))
    .unwrap();
}

/// With the request that PostgreSQL's protocol has for it.
#[test]
fn x01_a_query_is_cancelled_by_request() {
    run(observed(async |url, observer| {
        let config: Config = url.parse()?;
        let address = ("127.0.0.1", config.get_ports()[0]);
        let stream = call(tokio::net::TcpStream::connect(address)).await?;
        let (client, connection) = call(config.connect_raw(stream, NoTls)).await?;
        nursery(async |n| {
            n.service(call(connection));
            for _ in 0..3 {
                let query = n.spawn(async {
                    let cancels = async || {
                        let stream = call(tokio::net::TcpStream::connect(address)).await?;
                        call(client.cancel_token().cancel_query_raw(stream, NoTls)).await
                    };
                    call(client.batch_execute(SLEEPS)).on_cancel(cancels).await
                });
                until(1, async || observer.sleeping().await).await?;
                query.cancel();
                assert!(query.await.is_err());
                until(0, async || observer.sleeping().await).await?;
                let row = call(client.query_one("SELECT 7", &[])).await?;
                assert_eq!(row.get::<_, i32>(0), 7);
            }
            Ok(())
        })
        .await
    }))
    .unwrap();
}
