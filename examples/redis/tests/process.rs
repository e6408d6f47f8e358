//! The server as a process: signals, its file, and as many clients as it is made for.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use seedbed::net::TcpStream;
use seedbed::{Result, nursery, run};

struct Server {
    process: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Server {
    /// Returns when it listens.
    fn start(arguments: &[&str]) -> Server {
        let mut process = Command::new(env!("CARGO_BIN_EXE_redis_server"))
            .args(["--port", "0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").expect("it listens").to_owned();
        Server { process, output, address }
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Waits for its end, and returns what it has said.
    fn end(mut self) -> String {
        let mut said = String::new();
        self.output.read_to_string(&mut said).unwrap();
        assert!(self.process.wait().unwrap().success());
        said
    }

    async fn connect(&self) -> Result<TcpStream> {
        TcpStream::connect(&self.address).await
    }
}

/// A server that a failing test leaves behind would hold the test's output open.
impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

async fn ask(client: &TcpStream, requests: &str, replies: &str) -> Result<()> {
    client.write_all(requests.as_bytes()).await?;
    let mut found = vec![0; replies.len()];
    client.read_exact(&mut found).await?;
    assert_eq!(String::from_utf8_lossy(&found), replies);
    Ok(())
}

fn with_file(test: impl Fn(&Path, &dyn Fn() -> Server)) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.resp");
    test(&file, &|| Server::start(&["--file", file.to_str().unwrap()]));
}

#[test]
fn keys_are_there_again_after_a_signal_and_a_start() {
    with_file(|_, start| {
        let mut server = start();
        for signal in [Signal::TERM, Signal::INT] {
            run(async {
                let client = server.connect().await?;
                ask(
                    &client,
                    "SET a 1\r\nSET b 2 EX 1000\r\nDEL l\r\nRPUSH l x y\r\n",
                    "+OK\r\n+OK\r\n",
                )
                .await
            })
            .unwrap();
            server.send(signal);
            let said = server.end();
            assert!(said.starts_with("saved 3 keys, executed "), "{said}");
            server = start();
            run(async {
                let client = server.connect().await?;
                ask(&client, "GET a\r\nTTL l\r\n", "$1\r\n1\r\n:-1\r\n").await?;
                ask(&client, "LRANGE l 0 -1\r\n", "*2\r\n$1\r\nx\r\n$1\r\ny\r\n").await?;
                ask(&client, "EXPIRE b 10 GT\r\n", ":0\r\n").await
            })
            .unwrap();
        }
        server.send(Signal::TERM);
        server.end();
    });
}

#[test]
fn what_was_asked_before_the_signal_is_answered_after_it() {
    with_file(|_, start| {
        let server = start();
        let value = "v".repeat(60_000);
        let client = run(async {
            let client = server.connect().await?;
            ask(&client, &format!("SET v {value}\r\n"), "+OK\r\n").await?;
            // More replies than the system takes at once: the server waits in the midst of them.
            client.write_all("GET v\r\n".repeat(500).as_bytes()).await?;
            let mut first = [0; 8];
            client.read_exact(&mut first).await?;
            assert_eq!(&first, b"$60000\r\n");
            Ok(client.into_std())
        })
        .unwrap();
        server.send(Signal::TERM);
        let read = run(async {
            // Then it no longer listens.
            while server.connect().await.is_ok() {
                seedbed::sleep(std::time::Duration::from_millis(1)).await?;
            }
            let mut rest = Vec::new();
            TcpStream::from_std(client)?.read_to_end(&mut rest).await
        })
        .unwrap();
        assert_eq!(read, 500 * 60_010 - 8);
        assert_eq!(server.end(), "saved 1 keys, executed 501 commands\n");
    });
}

#[test]
fn a_file_that_is_cut_off_is_told_and_left_alone() {
    with_file(|file, _| {
        std::fs::write(file, "*3\r\n$3\r\nSET\r\n").unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_redis_server"))
            .args(["--port", "0", "--file"])
            .arg(file)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = format!("loading the keys from {}: the file is cut off", file.display());
        assert!(!output.status.success() && said.contains(&expected), "{said}");
        assert_eq!(std::fs::read(file).unwrap(), b"*3\r\n$3\r\nSET\r\n");
    });
}

#[test]
fn ten_thousand_clients() {
    let server = Server::start(&[]);
    // As many as the system lets this process have descriptors, beside some for the other tests.
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let clients = maximum.map_or(10_000, |most| most.saturating_sub(500).min(10_000)) as usize;
    run(async {
        let mut connected = Vec::new();
        for _ in 0..clients {
            connected.push(server.connect().await?);
        }
        // All of them are served at once, and each gets its own replies.
        nursery(async |n| {
            for (i, client) in connected.iter().enumerate() {
                n.spawn(async move {
                    let requests = format!("SET {i} {i}\r\nGET {i}\r\n");
                    let replies = format!("+OK\r\n${}\r\n{i}\r\n", i.to_string().len());
                    ask(client, &requests, &replies).await
                });
            }
            Ok(())
        })
        .await?;
        let rss = memory_of(&server.process);
        eprintln!("{clients} clients, {} MB", rss >> 20);
        assert!(rss < 200 << 20, "{rss}");
        Ok(())
    })
    .unwrap();
    server.send(Signal::TERM);
    assert_eq!(server.end(), format!("executed {} commands\n", 2 * clients));
}

/// The memory of a process, where the system tells.
fn memory_of(process: &Child) -> usize {
    let path = format!("/proc/{}/statm", process.id());
    let Ok(pages) = std::fs::read_to_string(path) else { return 0 };
    let resident: usize = pages.split(' ').nth(1).unwrap().parse().unwrap();
    resident * rustix::param::page_size()
}
