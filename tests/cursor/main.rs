//! F6, with `examples/cursor.rs` and a PostgreSQL server that is started for the test.
#![cfg(unix)]

#[allow(dead_code, reason = "its `main`")]
#[path = "../../examples/cursor.rs"]
mod cursor;
mod server;

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use cursor::{ask, rows, session};
use seedbed::{aclosing, cancellable, move_on_after, run, with};
use server::Server;
use tokio_postgres::Config;
use tokio_postgres::error::SqlState;

/// The server of all the tests, and a database for this one.
struct Database {
    server: Arc<Server>,
    name: &'static str,
    config: Config,
}

impl Database {
    fn new(name: &'static str) -> Database {
        // It ends with the last test that has it, and begins anew if there is one after that.
        static SERVER: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let server = {
            let mut shared = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
            shared.upgrade().unwrap_or_else(|| {
                let server = Arc::new(Server::start());
                *shared = Arc::downgrade(&server);
                server
            })
        };
        let config = server.url("postgres").parse().unwrap();
        let create = format!("CREATE DATABASE {name}");
        run(with(session(&config), async |client| ask(client.batch_execute(&create)).await))
            .unwrap();
        let config = server.url(name).parse().unwrap();
        Database { server, name, config }
    }

    /// The statements of transactions, in the order in which the server got them.
    fn transactions(&self) -> Vec<String> {
        let log = self.server.log();
        let log: Vec<&str> = log.lines().filter_map(|line| line.strip_prefix(self.name)).collect();
        // The last one is that of a session that was not ended politely.
        for complaint in ["WARNING:", "ERROR:", "unexpected EOF"] {
            assert!(!log.iter().any(|line| line.contains(complaint)), "{log:#?}");
        }
        log.iter()
            .filter_map(|line| line.trim_start().strip_prefix("LOG:  statement: "))
            .filter(|statement| ["BEGIN", "COMMIT", "ROLLBACK"].contains(statement))
            .map(str::to_owned)
            .collect()
    }
}

/// F6, and C12: PEP 525's transaction, left half-way in four ways.
#[test]
fn f06_a_generator_left_half_way_rolls_back_before_the_program_goes_on() {
    const OPEN: &str = "suspended: in progress, cursors open: 1, rows inserted: 1";
    let database = Database::new("half_way");
    assert_eq!(
        cursor::demonstrate(&database.config).unwrap(),
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
    assert_eq!(database.transactions(), ["BEGIN", "ROLLBACK"].repeat(4));
}

const THREE: &str = "SELECT n FROM generate_series(1, 3) AS n";

/// The other way out: all rows taken.
#[test]
fn f06_a_generator_at_its_end_has_committed() {
    let database = Database::new("at_its_end");
    run(async {
        with(session(&database.config), async |client| {
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
    assert_eq!(database.transactions(), ["BEGIN", "COMMIT"]);
}

/// C12: the same for a cancellation from outside the connection. Its task is shielded, so the
/// clean-up still has it, and it ends politely.
#[test]
fn c12_the_connection_outlives_the_clean_up_of_what_was_cancelled() {
    let database = Database::new("outlived");
    run(async {
        let limit = Duration::from_millis(500);
        let work = with(session(&database.config), async |client| {
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
    assert_eq!(database.transactions(), ["BEGIN", "ROLLBACK"]);
}

/// The server ends the session in the midst of it: an error, for whoever waits, and no hang.
#[test]
fn the_connection_fails() {
    let database = Database::new("failing");
    let error = run(async {
        with(session(&database.config), async |client| {
            ask(client.batch_execute("CREATE TABLE seedbed_reads (at int DEFAULT 0)")).await?;
            let process: i32 = ask(client.query_one("SELECT pg_backend_pid()", &[])).await?.get(0);
            aclosing(rows(client.clone(), THREE), async |rows| {
                rows.anext().await?;
                with(session(&database.config), async |other| {
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
    let database = Database::new("untouched");
    let error = run(async {
        with(session(&database.config), async |_| {
            Err::<(), _>("seven".parse::<i32>().unwrap_err().into())
        })
        .await
    })
    .unwrap_err();
    assert!(error.is::<std::num::ParseIntError>());
    assert!(database.transactions().is_empty());
}
