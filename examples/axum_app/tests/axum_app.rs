//! The application, as a process.
#![cfg(unix)]

use std::convert::Infallible;
use std::future::poll_fn;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::Message;
use async_tungstenite::tungstenite::protocol::Role;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use futures::{AsyncRead, AsyncWrite, StreamExt};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode};
use rustix::net::sockopt::set_socket_linger;
use rustix::process::{Pid, Signal, kill_process};
use seedbed::hyper::Io;
use seedbed::net::TcpStream;
use seedbed::{Result, fail_after, nursery, run, tls};
use serde_json::{Value, json};

/// More than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

struct App {
    process: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl App {
    /// Returns when it listens.
    fn start(options: &[&str]) -> App {
        let mut process = Command::new(env!("CARGO_BIN_EXE_axum_app"))
            .args(["--port", "0"])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line.trim().rsplit('/').next().expect("it listens");
        App { process, output, address: address.to_owned() }
    }

    fn stop(&self) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
    }

    /// Waits for its end, and returns its last words.
    fn end(mut self) -> String {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        assert!(self.process.wait().unwrap().success());
        rest
    }

    async fn connect(&self) -> Result<TcpStream> {
        TcpStream::connect(&self.address).await
    }

    /// Asks something over a connection of its own, which lasts as long as `read` does.
    async fn ask<T>(
        &self,
        request: Request<impl Body<Data = Bytes, Error = Infallible> + 'static>,
        read: impl AsyncFnOnce(Response<Incoming>) -> Result<T>,
    ) -> Result<T> {
        ask_over(self.connect().await?, request, read).await
    }

    async fn get(&self, path: &str) -> Result<(StatusCode, String)> {
        self.ask(empty("GET", path), whole).await
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn ask_over<T>(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    request: Request<impl Body<Data = Bytes, Error = Infallible> + 'static>,
    read: impl AsyncFnOnce(Response<Incoming>) -> Result<T>,
) -> Result<T> {
    let (mut sender, mut connection) = http1::handshake(Io::new(stream)).await?;
    nursery(async |n| {
        n.service(async move {
            let _gone = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
            seedbed::sleep_forever().await // keeps the connection
        });
        read(sender.send_request(request).await?).await
    })
    .await
}

fn empty(method: &str, path: &str) -> Request<Full<Bytes>> {
    with_body(method, path, Full::default())
}

fn with_body<B>(method: &str, path: &str, body: B) -> Request<B> {
    let request = Request::builder().method(method).uri(path).header("host", "localhost");
    request.header("content-type", "application/json").body(body).unwrap()
}

async fn whole(answer: Response<Incoming>) -> Result<(StatusCode, String)> {
    let status = answer.status();
    let bytes = answer.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8(bytes.to_vec())?))
}

/// Asks for a WebSocket.
async fn upgraded(stream: TcpStream, path: &str) -> Result<TcpStream> {
    let ask = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(ask.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert!(stream.read(&mut byte).await? > 0, "{}", String::from_utf8_lossy(&head));
        head.extend(byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    Ok(stream)
}

/// Reads events until this text has come.
async fn until(body: &mut Incoming, text: &str) -> Result<()> {
    let mut read = String::new();
    while !read.contains(text) {
        let frame = body.frame().await.expect("it goes on")?;
        read += std::str::from_utf8(frame.data_ref().expect("no trailers"))?;
    }
    Ok(())
}

async fn limited<T>(f: impl Future<Output = Result<T>>) -> Result<T> {
    fail_after(LIMIT, f).await
}

#[test]
fn x04_routes_state_and_json_of_an_axum_application() {
    let app = App::start(&[]);
    run(limited(async {
        let post = |text: &str| {
            let body = Full::from(json!({ "text": text }).to_string());
            with_body("POST", "/notes", body)
        };
        let (status, note) = app.ask(post("buy milk"), whole).await?;
        assert_eq!(status, StatusCode::CREATED);
        assert_eq!(serde_json::from_str::<Value>(&note)?, json!({ "id": 1, "text": "buy milk" }));
        app.ask(post("sell eggs"), whole).await?;
        let (_, notes) = app.get("/notes?contains=eggs").await?;
        assert_eq!(
            serde_json::from_str::<Value>(&notes)?,
            json!([{ "id": 2, "text": "sell eggs" }])
        );
        assert_eq!(app.get("/notes/2").await?.0, StatusCode::OK);
        assert_eq!(app.ask(empty("DELETE", "/notes/2"), whole).await?.0, StatusCode::NO_CONTENT);
        for (path, status) in [
            ("/notes/2", StatusCode::NOT_FOUND),
            ("/nowhere", StatusCode::NOT_FOUND),
            ("/slow?ms=no", StatusCode::BAD_REQUEST),
            ("/import", StatusCode::METHOD_NOT_ALLOWED),
            ("/talk", StatusCode::UPGRADE_REQUIRED),
            ("/slow?ms=1", StatusCode::OK),
            // It took longer than the limit in its layer, and is undone meanwhile.
            ("/slow?ms=60000", StatusCode::GATEWAY_TIMEOUT),
        ] {
            assert_eq!(app.get(path).await?.0, status, "{path}");
        }
        Ok(())
    }))
    .unwrap();
    app.stop();
    assert_eq!(app.end(), "kept 1 notes; 1 requests were undone\n");
}

#[test]
fn x04_bodies_of_an_axum_application_stream_in_both_directions() {
    let app = App::start(&[]);
    run(limited(async {
        let lines = futures::stream::iter(0..1000).map(|i| {
            let lines: String = (0..100).map(|j| format!("{}\n", 100 * i + j)).collect();
            Ok(Frame::data(Bytes::from(lines)))
        });
        let import = with_body("POST", "/import", StreamBody::new(lines));
        assert_eq!(app.ask(import, whole).await?.1, "100000 notes\n");
        let (_, text) = app.get("/notes.csv").await?;
        assert_eq!(text.lines().count(), 100_000);
        assert_eq!(text.lines().last(), Some("100000,\"99999\""));
        Ok(())
    }))
    .unwrap();
    app.stop();
    assert_eq!(app.end(), "kept 100000 notes; 0 requests were undone\n");
}

#[test]
fn x04_a_handler_of_axums_whose_client_has_gone_undoes_what_it_had_begun() {
    let app = App::start(&[]);
    run(limited(async {
        let mut clients = Vec::new();
        for _ in 0..10 {
            let client = app.connect().await?;
            client.write_all(b"GET /slow?ms=900 HTTP/1.1\r\nhost: me\r\n\r\n").await?;
            clients.push(client);
        }
        app.get("/notes").await?; // by then the others have begun
        for client in clients {
            set_socket_linger(&client, Some(Duration::ZERO))?; // it is reset
        }
        Ok(())
    }))
    .unwrap();
    app.stop();
    // The server has waited until all of them had.
    assert_eq!(app.end(), "kept 0 notes; 10 requests were undone\n");
}

#[test]
fn x04_an_axum_application_that_is_stopped_answers_what_has_begun_and_ends_what_is_open() {
    let app = App::start(&[]);
    run(limited(async {
        nursery(async |n| {
            let app = &app;
            // Of each kind one; each says when it is under way.
            let (open, under_way) = seedbed::channel::<()>(8);
            let begun = open.clone();
            n.spawn(async move {
                app.ask(empty("GET", "/events"), async |answer| {
                    let mut body = answer.into_body();
                    begun.send(()).await?;
                    until(&mut body, "event: added\ndata: {\"id\":1,\"text\":\"over a socket\"}")
                        .await?;
                    begun.send(()).await?;
                    // The server is stopped now; this has an end, and is not cut off.
                    body.collect().await?;
                    Ok(())
                })
                .await
            });
            under_way.recv().await?;
            let talks = open.clone();
            n.spawn(async move {
                let stream = upgraded(app.connect().await?, "/talk").await?;
                let mut socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
                socket.send(Message::text("over a socket")).await?;
                assert_eq!(socket.next().await.unwrap()?, Message::text("kept as 1"));
                talks.send(()).await?;
                let Some(Ok(Message::Close(Some(close)))) = socket.next().await else {
                    panic!("the server did not say goodbye")
                };
                assert_eq!(close.code, CloseCode::Away);
                Ok(())
            });
            let slow = n.spawn(async move {
                let client = app.connect().await?;
                client.write_all(b"GET /slow?ms=300 HTTP/1.1\r\nhost: me\r\n\r\n").await?;
                open.send(()).await?;
                let mut answer = String::new();
                futures::AsyncReadExt::read_to_string(&mut &client, &mut answer).await?;
                Ok(answer)
            });
            for _ in 0..3 {
                under_way.recv().await?;
            }
            app.stop();
            let answer = slow.await?;
            assert!(answer.ends_with("that took 300 ms\n"), "{answer}");
            Ok(())
        })
        .await
    }))
    .unwrap();
    assert_eq!(app.end(), "kept 1 notes; 0 requests were undone\n");
}

#[test]
fn x04_an_axum_application_speaks_tls() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.pem");
    let app = App::start(&["--tls", file.to_str().unwrap()]);
    let config = certificate::client(&file).unwrap();
    run(limited(async {
        let stream = tls::connect(&config, "localhost", app.connect().await?).await?;
        let (status, text) = ask_over(stream, empty("GET", "/notes"), whole).await?;
        assert_eq!((status, &*text), (StatusCode::OK, "[]"));
        Ok(())
    }))
    .unwrap();
    app.stop();
    app.end();
}
