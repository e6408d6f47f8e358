//! A tokio program, as it is, in which one function becomes a guest; and what is said to whoever
//! calls `run` inside a task of tokio's.

use std::cell::Cell;
use std::time::Duration;

use seedbed::{Builder, CapacityLimiter, Error, Result, fail_after, nursery};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::on_tokio;
use crate::support::{recording, said};

/// A server that answers each line with its length, written for tokio.
async fn lengths(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let (reader, mut writer) = stream.split();
            let mut lines = BufReader::new(reader).lines();
            while let Some(line) = lines.next_line().await.unwrap() {
                let answer = format!("{}\n", line.len());
                writer.write_all(answer.as_bytes()).await.unwrap();
            }
        });
    }
}

/// A client of it, written for tokio.
async fn length(address: std::net::SocketAddr, word: &str) -> std::io::Result<usize> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("{word}\n").as_bytes()).await?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await?;
    answer.trim().parse().map_err(std::io::Error::other)
}

/// The function that has become a guest: it borrows, limits how many ask at once and how long that
/// takes, and stops all of them if one fails.
async fn total(address: std::net::SocketAddr, words: &[String]) -> Result<usize> {
    let sum = Cell::new(0);
    let at_once = CapacityLimiter::new(3);
    let asking = nursery(async |n| {
        for word in words {
            let (sum, at_once) = (&sum, &at_once);
            n.spawn(async move {
                let _permit = at_once.acquire().await?;
                if word.is_empty() {
                    return Err(Error::msg("an empty word"));
                }
                let length = length(address, word).await?;
                sum.set(sum.get() + length);
                Ok(())
            });
        }
        Ok(())
    });
    Builder::new().guest(fail_after(Duration::from_secs(60), asking)).await?;
    Ok(sum.get())
}

#[test]
fn x03_a_function_of_a_tokio_program_becomes_a_guest() {
    let words: Vec<_> = (1..=20).map(|length| "x".repeat(length)).collect();
    on_tokio(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(lengths(listener));
        assert_eq!(total(address, &words).await.unwrap(), 210);
        let error = total(address, &[words.clone(), vec![String::new()]].concat()).await;
        assert!(error.unwrap_err().to_string().contains("an empty word"));
        // From what has to be `Send`: on a thread of its own, as blocking work.
        let words = words.clone();
        let handle = tokio::runtime::Handle::current();
        let total = tokio::task::spawn_blocking(move || {
            drop(handle);
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(total(address, &words))
        });
        assert_eq!(total.await.unwrap().unwrap(), 210);
        server.abort();
    });
}

/// What is said to whoever calls `run` in this.
fn said_to(call: impl FnOnce(fn())) -> usize {
    let ((), records) = recording(|| call(|| seedbed::run(async { Ok(()) }).unwrap()));
    assert!(records.iter().all(|record| record.field("run_at").contains("tokio_program.rs")));
    said(&records, "make it a guest there")
}

#[test]
fn x03_a_run_inside_a_task_of_tokios_works_and_says_what_to_do_instead() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(said_to(|run| runtime().block_on(async { run() })), 1);
    assert_eq!(
        said_to(|run| on_tokio(async { tokio::spawn(async move { run() }).await.unwrap() })),
        1
    );
    // Where it may block, nothing is said.
    assert_eq!(said_to(|run| run()), 0);
    assert_eq!(
        said_to(|run| {
            let runtime = runtime();
            let _entered = runtime.enter();
            run();
        }),
        0
    );
    let (records, spawned) = std::sync::mpsc::channel();
    runtime().block_on(async {
        tokio::task::spawn_blocking(move || records.send(said_to(|run| run())).unwrap())
            .await
            .unwrap();
    });
    assert_eq!(spawned.recv().unwrap(), 0);
}
