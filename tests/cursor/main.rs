//! `examples/cursor.rs`, against a PostgreSQL server that is started for it.
#![cfg(unix)]

#[allow(dead_code, reason = "its `main`")]
#[path = "../../examples/cursor.rs"]
mod cursor;
mod server;

use std::future::pending;
use std::time::Duration;

use cursor::{ask, rows, session};
use seedbed::{aclosing, cancellable, move_on_after, run, with};
use server::Server;
use tokio_postgres::Config;
use tokio_postgres::error::SqlState;

fn server() -> (Server, Config) {
    let server = Server::start();
    let config = server.url().parse().unwrap();
    (server, config)
}

/// The statements of transactions, in the order in which the server got them.
fn transactions(server: &Server) -> Vec<String> {
    let log = server.log();
    assert!(!log.contains("unexpected EOF"), "a session was not ended politely: {log}");
    assert!(!log.contains("WARNING"), "{log}");
    log.lines()
        .filter_map(|line| Some(line.split_once("LOG:  statement: ")?.1))
        .filter(|statement| ["BEGIN", "COMMIT", "ROLLBACK"].contains(statement))
        .map(str::to_owned)
        .collect()
}

/// F6, and C12: PEP 525's transaction, left half-way in four ways.
#[test]
fn f06_a_generator_left_half_way_rolls_back_before_the_program_goes_on() {
    const OPEN: &str = "suspended: in progress, cursors open: 1, rows inserted: 1";
    let (server, config) = server();
    assert_eq!(
        cursor::demonstrate(&config).unwrap(),
        [
            OPEN,
            "closed: aborted, cursors open: 0, rows inserted: 0",
            OPEN,
            "out of time: aborted, cursors open: 0, rows inserted: 0",
            OPEN,
            "nursery left: aborted, cursors open: 0, rows inserted: 0",
            OPEN,
            "dropped: cursors open: 1, rows inserted: 1",
            "`run` returned: aborted, cursors open: 0, rows inserted: 0",
        ]
    );
    assert_eq!(transactions(&server), ["BEGIN", "ROLLBACK"].repeat(4));
}

const THREE: &str = "SELECT n FROM generate_series(1, 3) AS n";

/// The other way out: all rows taken.
#[test]
fn f06_a_generator_at_its_end_has_committed() {
    let (server, config) = server();
    run(async {
        with(session(&config), async |client| {
            ask(client.batch_execute("CREATE TABLE seedbed_reads (at int DEFAULT 0)")).await?;
            let sum = aclosing(rows(client.clone(), THREE), async |rows| {
                let mut sum = 0;
                while let Some(row) = rows.anext().await? {
                    sum += row.get::<_, i32>("n");
                }
                Ok(sum)
            })
            .await?;
            assert_eq!(sum, 6);
            let count = ask(client.query_one("SELECT count(*) FROM seedbed_reads", &[])).await?;
            assert_eq!(count.get::<_, i64>(0), 1);
            Ok(())
        })
        .await
    })
    .unwrap();
    assert_eq!(transactions(&server), ["BEGIN", "COMMIT"]);
}

/// C12: a cancellation from outside of the connection as well. Its task is shielded, so the
/// clean-up still has it, and it ends politely.
#[test]
fn c12_the_connection_outlives_the_clean_up_of_what_was_cancelled() {
    let (server, config) = server();
    run(async {
        let limit = Duration::from_millis(500);
        let work = with(session(&config), async |client| {
            ask(client.batch_execute("CREATE TABLE seedbed_reads (at int DEFAULT 0)")).await?;
            aclosing(rows(client.clone(), THREE), async |rows| {
                rows.anext().await?;
                cancellable(pending()).await
            })
            .await
        });
        assert_eq!(move_on_after::<()>(limit, work).await?, None);
        Ok(())
    })
    .unwrap();
    assert_eq!(transactions(&server), ["BEGIN", "ROLLBACK"]);
}

/// The server ends the session in the midst of it: an error, for whoever waits, and no hang.
#[test]
fn the_connection_fails() {
    let (_server, config) = server();
    let error = run(async {
        with(session(&config), async |client| {
            ask(client.batch_execute("CREATE TABLE seedbed_reads (at int DEFAULT 0)")).await?;
            let process: i32 = ask(client.query_one("SELECT pg_backend_pid()", &[])).await?.get(0);
            aclosing(rows(client.clone(), THREE), async |rows| {
                rows.anext().await?;
                with(session(&config), async |other| {
                    ask(other.execute("SELECT pg_terminate_backend($1)", &[&process])).await
                })
                .await?;
                cancellable(pending::<()>()).await // until the failure of the connection ends it
            })
            .await
        })
        .await
    })
    .unwrap_err();
    let failure = error.find::<tokio_postgres::Error>().expect("it is the server's");
    assert_eq!(failure.code(), Some(&SqlState::ADMIN_SHUTDOWN), "{error}");
}

/// An error of the program itself comes out as it is.
#[test]
fn an_error_of_the_body_is_not_in_a_group() {
    let (server, config) = server();
    let error = run(async {
        with(session(&config), async |_| Err::<(), _>("seven".parse::<i32>().unwrap_err().into()))
            .await
    })
    .unwrap_err();
    assert!(error.is::<std::num::ParseIntError>());
    assert!(transactions(&server).is_empty());
}
