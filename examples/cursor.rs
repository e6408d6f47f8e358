//! A transaction in a generator, on PostgreSQL: the example of PEP 525.
//!
//! ```text
//! cargo run --features tokio-io --example cursor                    # says how to start a server
//! cargo run --features tokio-io --example cursor -- --port 54320
//! cargo run --features tokio-io --example cursor -- postgres://ada:secret@127.0.0.1/books
//! ```
//!
//! [`rows`] reads a query through a server-side cursor, in batches, inside a transaction. If its
//! consumer leaves it half-way, the transaction has to be rolled back: otherwise the database keeps
//! its locks and old rows. Four consumers leave it half-way, each in its own way, and the server is
//! then asked what has become of the transaction:
//!
//! 1. With `aclosing`: rolled back before the program goes on.
//! 2. Because a time limit expires during a fetch: rolled back before the timeout returns.
//! 3. Dropped, but created in a nursery: rolled back before the nursery ends.
//! 4. Simply dropped: rolled back in the background, before `run` returns.
//!
//! `tokio-postgres` is one of the libraries that need tokio's I/O traits but not its runtime. It
//! knows nothing about cancel scopes; [`ask`] and [`session`] show what to do about that.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use seedbed::net::TcpStream;
use seedbed::{
    CancelScope, Cancelled, ContextManager, Error, Generator, Result, Yielder, aclosing,
    cancellable, context_manager, generator, move_on_after, nursery, with,
};
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls, Row, SimpleQueryMessage};

/// How long the server may take to answer a clean-up, which nothing else can stop.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many rows are fetched at a time.
const BATCH: usize = 4;

// ---- The generator -----------------------------------------------------------------------------

/// The rows of a query, in a transaction that also records that they were read. It is committed
/// when all of them have been taken, and rolled back otherwise.
pub fn rows(client: Rc<Client>, query: &'static str) -> Generator<'static, Row> {
    generator(async move |y: Yielder<Row>| read(&client, query, &y).await)
}

/// The body of [`rows`], in a function of its own so that a generator that borrows can use it too.
async fn read(client: &Client, query: &str, y: &Yielder<Row>) -> Result<()> {
    transaction(client, async {
        ask(client.batch_execute("INSERT INTO seedbed_reads DEFAULT VALUES")).await?;
        ask(client.batch_execute(&format!("DECLARE books NO SCROLL CURSOR FOR {query}"))).await?;
        let fetch = format!("FETCH {BATCH} FROM books");
        loop {
            let batch = ask(client.query(&fetch, &[])).await?;
            if batch.is_empty() {
                return Ok(());
            }
            for row in batch {
                // Here the generator waits for its consumer, for as long as the consumer likes.
                // When the generator is closed, this fails with `GeneratorExit`, which `?` carries
                // to the transaction like any other error.
                y.yield_(row).await?;
            }
        }
    })
    .await
}

/// Runs `work` in a transaction, which is committed if `work` succeeds, and rolled back on every
/// other way out, including a cancellation or the closing of a generator.
///
/// No scope is open around `work`, only a transaction, so `work` may yield.
async fn transaction<T>(client: &Client, work: impl Future<Output = Result<T>>) -> Result<T> {
    let outcome = async {
        ask(client.batch_execute("BEGIN")).await?;
        let value = work.await?;
        ask(client.batch_execute("COMMIT")).await?;
        Ok(value)
    }
    .await;
    if outcome.is_err() {
        // In a cancelled scope no operation can wait, not even this one, and the finalizer of a
        // dropped generator runs in a scope that is cancelled from the start. So the clean-up has a
        // shield, and, since no cancellation gets through that, a time limit.
        let rollback = CancelScope::new().with_shield().with_timeout(PATIENCE);
        let rolled_back =
            rollback.enter(async |_| ask(client.batch_execute("ROLLBACK")).await).await?;
        // In any case the server drops the transaction once the connection is gone.
        rolled_back.ok_or_else(|| Error::msg("the server does not answer a ROLLBACK"))?;
    }
    outcome
}

/// Waits for an answer from the server.
///
/// The futures of `tokio-postgres` wait for a message from the connection's task, and would go on
/// waiting in a cancelled scope. [`cancellable`] makes them respond to the cancellation. In return,
/// it is not known whether a cancelled statement was sent. Inside [`transaction`] that does not
/// matter, because the ROLLBACK comes after it. (The server may still be working on the statement
/// then. To interrupt it, see `Client::cancel_token`.)
pub async fn ask<T>(answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T> {
    Ok(cancellable(answer).await??)
}

// ---- The connection ----------------------------------------------------------------------------

/// A connection to the server, for the body of a [`with`].
///
/// It keeps a nursery open at its yield, which a generator must not do but a context manager may.
/// The code that runs at its yield is the body of the `with`. So the nursery encloses that body,
/// and if the connection fails, the body is cancelled.
pub fn session(config: &Config) -> ContextManager<'_, Rc<Client>> {
    context_manager(async |y: Yielder<Rc<Client>>| {
        let stream = TcpStream::connect(address(config)?).await?;
        let (client, connection) = config.connect_raw(stream, NoTls).await.map_err(uncover)?;
        // The connection's own task outlives the body, shielded from whatever may cancel the body,
        // whose clean-up still needs it. It ends by itself, politely, with the last `Client`.
        let working = CancelScope::new().with_shield();
        let outcome = nursery(async |n| {
            let work = working.enter(async |_| connection.await.map_err(uncover));
            n.spawn(work);
            let outcome = y.yield_(Rc::new(client)).await;
            // A generator in the background may still have a `Client`. This is how long it has.
            working.set_timeout(PATIENCE);
            // The body's outcome is not the nursery's, which would put it into a group.
            Ok(outcome)
        });
        outcome.await?.map(drop)
    })
}

/// A cancellation reaches the stream inside `connect_raw` as an `io::Error`, and comes out in an
/// error of `tokio-postgres`. This takes it out of there, so that its scope absorbs it and it is
/// not reported as a failure.
fn uncover(error: tokio_postgres::Error) -> Error {
    let error = Error::from(error);
    match error.find::<Cancelled>() {
        Some(cancelled) => cancelled.clone().into(),
        None => error,
    }
}

fn address(config: &Config) -> Result<SocketAddr> {
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let host = match (config.get_hostaddrs(), config.get_hosts()) {
        ([ip, ..], _) => *ip,
        ([], [Host::Tcp(host), ..]) => host
            .parse::<IpAddr>()
            .map_err(|_| Error::msg(format!("{host:?} is not an IP address")))?,
        _ => return Err(Error::msg("the server's IP address is missing")),
    };
    Ok(SocketAddr::new(host, port))
}

// ---- The four consumers ------------------------------------------------------------------------

const BOOKS: &str = "SELECT n, 'book ' || n AS title FROM generate_series(1, 1000) AS n";
const SLOWLY: &str = "SELECT n, 'book ' || n AS title, pg_sleep(n * 0.01)
                      FROM generate_series(1, 1000) AS n";

/// 1. `aclosing`: the generator is closed on every way out, before the program goes on.
async fn closed(client: &Rc<Client>, server: &Observer) -> Result<()> {
    let transaction = aclosing(rows(client.clone(), BOOKS), async |rows| {
        for _ in 0..6 {
            let row = rows.anext().await?.expect("there are a thousand");
            println!("  {}", row.get::<_, &str>("title"));
        }
        server.look("suspended", client).await
    })
    .await?;
    // The server has answered the ROLLBACK.
    server.look_again("closed", transaction, client).await
}

/// 2. A time limit around the consumer. It expires while the generator waits for the server:
///    `Cancelled` is raised at the generator's own `ask`, and travels out through the transaction.
async fn out_of_time(client: &Rc<Client>, server: &Observer) -> Result<()> {
    let mut transaction = None;
    let all = move_on_after(Duration::from_millis(300), async {
        aclosing(rows(client.clone(), SLOWLY), async |rows| {
            while let Some(row) = rows.anext().await? {
                println!("  {}", row.get::<_, &str>("title"));
                if transaction.is_none() {
                    transaction = Some(server.look("suspended", client).await?);
                }
            }
            Ok(())
        })
        .await
    });
    assert_eq!(all.await?, None, "it takes more than an hour");
    let transaction = transaction.expect("the first row comes fast");
    server.look_again("out of time", transaction, client).await
}

/// 3. A generator that belongs to a nursery, which does not end before the generator has. It
///    borrows the client, as a child may, and the compiler ensures that it cannot outlive it.
async fn in_a_nursery(client: &Client, server: &Observer) -> Result<()> {
    let transaction = nursery(async |n| {
        let mut rows = n.generator(async |y: Yielder<Row>| read(client, BOOKS, &y).await);
        rows.anext().await?;
        server.look("suspended", client).await
        // `rows` is dropped here, and a child of the nursery closes it.
    })
    .await?;
    server.look_again("nursery left", transaction, client).await
}

/// 4. A generator that is simply dropped. A destructor cannot wait for an answer, so the
///    generator's body goes to the run, which closes it in the background and reports that through
///    `tracing`. Meanwhile the program goes on. All that is certain is that `run` waits.
async fn dropped(client: &Rc<Client>, server: &Observer) -> Result<i64> {
    let mut rows = rows(client.clone(), BOOKS);
    rows.anext().await?;
    let transaction = server.look("suspended", client).await?;
    drop(rows);
    // This still gets in before the ROLLBACK, in a transaction that should be over.
    server.note("dropped", inside(client).await?);
    Ok(transaction)
}

/// Runs all four, and returns what the server said.
pub fn demonstrate(config: &Config) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    let transaction = seedbed::run(async {
        with(session(config), async |observer| {
            ask(observer.batch_execute(
                "DROP TABLE IF EXISTS seedbed_reads;
                 CREATE TABLE seedbed_reads (at timestamptz DEFAULT now())",
            ))
            .await?;
            let server = Observer { session: observer, notes: RefCell::default() };
            let transaction = with(session(config), async |client| {
                println!("Six rows, closed by `aclosing`:");
                closed(&client, &server).await?;
                println!("Slow rows, with a time limit:");
                out_of_time(&client, &server).await?;
                println!("One row, dropped in a nursery:");
                in_a_nursery(&client, &server).await?;
                println!("One row, dropped:");
                dropped(&client, &server).await
            })
            .await?;
            notes = server.notes.take();
            Ok(transaction)
        })
        .await
    })?;
    // `run` has returned, so the last transaction has been rolled back too. Its session has ended
    // with the run, so another one has to ask.
    seedbed::run(async {
        with(session(config), async |client| {
            let server = Observer { session: client.clone(), notes: RefCell::new(notes) };
            server.look_again("`run` returned", transaction, &client).await?;
            ask(client.batch_execute("DROP TABLE seedbed_reads")).await?;
            Ok(server.notes.take())
        })
        .await
    })
}

// ---- What the server knows ---------------------------------------------------------------------

/// Asks the server what has become of a transaction.
struct Observer {
    /// A session of its own, because what a transaction itself sees proves nothing.
    session: Rc<Client>,
    notes: RefCell<Vec<String>>,
}

impl Observer {
    /// Records what is known about the transaction that is open in the client's session.
    async fn look(&self, when: &str, client: &Client) -> Result<i64> {
        let id = ask(client.query_one("SELECT txid_current()", &[])).await?.get(0);
        self.look_again(when, id, client).await?;
        Ok(id)
    }

    /// Records the same about a transaction that may be over.
    async fn look_again(&self, when: &str, transaction: i64, client: &Client) -> Result<()> {
        const STATUS: &str = "SELECT txid_status($1)";
        let row = ask(self.session.query_one(STATUS, &[&transaction])).await?;
        let status: String = row.get(0);
        self.note(when, format!("{status}, {}", inside(client).await?));
        Ok(())
    }

    fn note(&self, when: &str, what: String) {
        println!("    {when}: {what}");
        self.notes.borrow_mut().push(format!("{when}: {what}"));
    }
}

/// What a session sees of its own cursor, and of the rows that the transactions have inserted.
async fn inside(client: &Client) -> Result<String> {
    let answer = ask(client.simple_query(
        "SELECT (SELECT count(*) FROM pg_cursors WHERE name = 'books'),
                (SELECT count(*) FROM seedbed_reads)",
    ))
    .await?;
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some((row.get(0)?, row.get(1)?)),
        _ => None,
    });
    let (cursors, rows) = row.ok_or_else(|| Error::msg("two counts are one row"))?;
    Ok(format!("cursors open: {cursors}, rows inserted: {rows}"))
}

// ---- The command line --------------------------------------------------------------------------

const HELP: &str = "\
This needs a PostgreSQL server. One for the moment (not as root):

    folder=$(mktemp -d)
    PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
    initdb -D $folder/data -U postgres -A trust
    postgres -D $folder/data -h 127.0.0.1 -p 54320 -k $folder

and in another terminal:

    cargo run --features tokio-io --example cursor -- --port 54320

or, for any other, with its address: postgres://USER:PASSWORD@IP-ADDRESS:PORT/DATABASE, as an
argument or in DATABASE_URL. It makes a table `seedbed_reads` there, and drops it in the end.";

pub fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let address = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => std::env::var("DATABASE_URL").ok(),
        ["--port", port] => Some(format!("postgres://postgres@127.0.0.1:{port}/postgres")),
        [url] if !url.starts_with('-') => Some(url.to_owned()),
        _ => None,
    };
    match address {
        Some(address) => demonstrate(&address.parse()?).map(drop),
        None => {
            println!("{HELP}");
            Ok(())
        }
    }
}
