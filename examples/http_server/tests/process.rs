//! The server, as a process.
#![cfg(unix)]

use std::cell::Cell;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use seedbed::net::TcpStream;
use seedbed::{Result, nursery, run, sleep, tls};

struct Server {
    process: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Server {
    /// Returns when it listens. `limit` is on its descriptors.
    fn start(cores: usize, limit: Option<u32>) -> Server {
        let limit = limit.map_or(String::new(), |limit| format!("ulimit -n {limit}; "));
        Server::run(format!("{limit}exec \"$0\" --port 0 --cores {cores}"), Path::new("."))
    }

    fn run(command: String, folder: &Path) -> Server {
        let mut process = Command::new("sh")
            .arg("-c")
            .arg(command)
            .arg(env!("CARGO_BIN_EXE_http_server"))
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http").expect("it listens");
        let address = address.trim_start_matches(['s', ':', '/']);
        Server { process, output, address: address.to_owned() }
    }

    fn kill(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    fn end(mut self) -> String {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        assert!(self.process.wait().unwrap().success());
        rest
    }
}

/// Reads one answer that says how long it is, and tells whether it is the last.
async fn read_answer(client: &TcpStream) -> Result<bool> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            assert!(head.starts_with("http/1.1 200 ok"), "{head}");
            let length = head.split_once("content-length: ").expect("it has a length").1;
            let length: usize = length.lines().next().unwrap_or_default().parse()?;
            if body.len() == length {
                return Ok(head.contains("connection: close"));
            }
        }
        let mut buffer = [0; 1024];
        let n = client.read(&mut buffer).await?;
        assert!(n > 0, "the connection was closed after: {text:?}");
        read.extend_from_slice(&buffer[..n]);
    }
}

/// Asks, again and again, until the server says that it was the last time. Returns how many
/// requests were answered, which are all that were sent.
async fn ask_until_it_ends(address: &str, path: &str, asked: &Cell<u64>) -> Result<u64> {
    let client = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: me\r\n\r\n");
    let mut answered = 0;
    loop {
        asked.set(asked.get() + 1);
        client.write_all(request.as_bytes()).await?;
        let last = read_answer(&client).await?;
        answered += 1;
        if last {
            assert_eq!(client.read(&mut [0]).await?, 0);
            return Ok(answered);
        }
    }
}

#[test]
fn s02_the_http_server_answers_every_request_when_it_is_told_to_end() {
    for (signal, cores) in [(Signal::TERM, 1), (Signal::INT, 1), (Signal::TERM, 2)] {
        let server = Server::start(cores, None);
        let asked = Cell::new(0);
        let answered = run(async {
            nursery(async |n| {
                let clients: Vec<_> = (0..64)
                    .map(|i| {
                        let path = if i % 4 == 0 { "/slow?ms=50" } else { "/" };
                        n.spawn(ask_until_it_ends(&server.address, path, &asked))
                    })
                    .collect();
                while asked.get() < 2_000 {
                    sleep(Duration::from_millis(1)).await?;
                }
                server.kill(signal);
                let mut answered = 0;
                for client in clients {
                    answered += client.await?;
                }
                Ok(answered)
            })
            .await
        })
        .unwrap();
        assert_eq!(answered, asked.get());
        let said = server.end();
        let total = said.split([':', '\n']).next();
        assert_eq!(total, Some(&*format!("answered {answered} requests")));
        // That each has had some is left to the kernel.
        assert_eq!(said.matches("on core").count(), if cores == 1 { 0 } else { cores });
    }
}

#[test]
fn s01_the_http_server_recovers_when_descriptors_have_run_out() {
    let server = Server::start(1, Some(32));
    run(async {
        let mut clients = Vec::new();
        for _ in 0..64 {
            let client = TcpStream::connect(&server.address).await?;
            client.write_all(b"GET / HTTP/1.1\r\nhost: me\r\n\r\n").await?;
            clients.push(client);
        }
        // The first are answered, and the others as these go.
        for client in clients {
            read_answer(&client).await?;
        }
        Ok(())
    })
    .unwrap();
    server.kill(Signal::TERM);
    assert_eq!(server.end(), "answered 64 requests\n");
}

#[test]
fn r05_a_second_signal_ends_the_http_servers_grace() {
    for (first, second, cores) in [
        (Signal::TERM, Signal::TERM, 1),
        (Signal::INT, Signal::INT, 1),
        (Signal::TERM, Signal::INT, 2),
    ] {
        let server = Server::start(cores, None);
        run(async {
            // On each core, if the kernel deals them out so.
            let mut clients = Vec::new();
            for _ in 0..8 {
                let client = TcpStream::connect(&server.address).await?;
                // More than anybody waits for.
                let request = "GET /stream?lines=1000000 HTTP/1.1\r\nhost: me\r\n\r\n";
                client.write_all(request.as_bytes()).await?;
                assert!(client.read(&mut [0; 1024]).await? > 0);
                clients.push(client);
            }
            server.kill(first);
            // Then it drains.
            while TcpStream::connect(&server.address).await.is_ok() {
                sleep(Duration::from_millis(1)).await?;
            }
            server.kill(second);
            for client in clients {
                while client.read(&mut [0; 1024]).await.is_ok_and(|n| n > 0) {}
            }
            Ok(())
        })
        .unwrap();
        // What comes after the server still runs.
        assert!(server.end().starts_with("answered "));
    }
}

#[test]
fn w06_the_http_server_speaks_tls_with_a_certificate_that_it_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let mut certificates = Vec::new();
    for _ in 0..2 {
        let server = Server::run("exec \"$0\" --tls --port 0".into(), folder.path());
        let file = folder.path().join("localhost.pem");
        certificates.push(std::fs::read(&file).unwrap());
        let config = certificate::client(&file).unwrap();
        run(async {
            for name in ["localhost", "127.0.0.1", "[::1]"] {
                let stream = TcpStream::connect(&server.address).await?;
                let stream = tls::connect(&config, name, stream).await?;
                let request = b"GET / HTTP/1.1\r\nhost: me\r\nconnection: close\r\n\r\n";
                stream.write_all(request).await?;
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).await?;
                assert!(answer.starts_with(b"HTTP/1.1 200 OK"));
                stream.close().await?;
            }
            Ok(())
        })
        .unwrap();
        server.kill(Signal::TERM);
        assert_eq!(server.end(), "answered 3 requests\n");
    }
    assert_eq!(certificates[0], certificates[1]);
}

#[test]
fn l05_the_http_server_can_be_looked_at() {
    let mut server = Server::run("exec \"$0\" --port 0 --inspect 0".into(), Path::new("."));
    let mut line = String::new();
    server.output.read_line(&mut line).unwrap();
    let address =
        line.trim().strip_prefix("core 0 can be looked at on http://").expect("it says so");
    run(async {
        let client = TcpStream::connect(address).await?;
        client.write_all(b"GET /dump.txt HTTP/1.0\r\nhost: localhost\r\n\r\n").await?;
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await?;
        let answer = String::from_utf8(answer)?;
        assert!(answer.contains("main future: in the nursery below"), "{answer}");
        Ok(())
    })
    .unwrap();
    server.kill(Signal::TERM);
    assert_eq!(server.end(), "answered 0 requests\n");
}
