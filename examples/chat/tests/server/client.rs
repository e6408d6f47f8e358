//! A client that makes its frames by hand, so that it can do what no library would.

use seedbed::net::UnixStream;
use seedbed::{Result, fail_after};
use serde_json::{Value, json};

use crate::secs;

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

pub struct Client {
    pub stream: UnixStream,
    /// What was received and has not been read.
    rest: Vec<u8>,
}

/// The head of a request for a WebSocket, up to further headers.
const HEAD: &str = "GET /socket HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\n\
    connection: upgrade\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

impl Client {
    pub fn new(stream: UnixStream) -> Client {
        Client { stream, rest: Vec::new() }
    }

    /// Sends a request, and returns the head of the answer.
    pub async fn ask(&mut self, request: &str) -> Result<String> {
        self.stream.write_all(request.as_bytes()).await?;
        loop {
            if let Some(end) = self.rest.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = self.rest.drain(..end + 4).collect();
                return Ok(String::from_utf8(head).unwrap());
            }
            assert!(self.receive().await?, "{}", String::from_utf8_lossy(&self.rest));
        }
    }

    /// Asks for a WebSocket, with more headers, and returns the head of the answer.
    pub async fn open_with(&mut self, headers: &str) -> Result<String> {
        self.ask(&format!("{HEAD}{headers}\r\n")).await
    }

    pub async fn open(mut self) -> Result<Client> {
        let answer = self.open_with("").await?;
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        Ok(self)
    }

    /// Opens a WebSocket, and enters a room.
    pub async fn join(self, room: &str, name: &str) -> Result<Client> {
        let mut client = self.open().await?;
        client.say(&json!({ "type": "join", "room": room, "name": name })).await?;
        let welcome = client.event().await?;
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        Ok(client)
    }

    /// Reads more. Returns whether there was any.
    async fn receive(&mut self) -> Result<bool> {
        let mut buffer = [0; 4096];
        let n = fail_after(secs(300), self.stream.read(&mut buffer)).await?;
        self.rest.extend_from_slice(&buffer[..n]);
        Ok(n > 0)
    }

    pub async fn say(&self, value: &Value) -> Result<()> {
        self.send(TEXT, value.to_string().as_bytes()).await
    }

    pub async fn send(&self, kind: u8, payload: &[u8]) -> Result<()> {
        self.stream.write_all(&frame(kind, payload)).await
    }

    /// The next frame; `None` at the end of the connection.
    pub async fn frame(&mut self) -> Result<Option<(u8, Vec<u8>)>> {
        loop {
            if let Some((length, frame)) = parse(&self.rest) {
                self.rest.drain(..length);
                return Ok(Some(frame));
            }
            if !self.receive().await? {
                assert!(self.rest.is_empty(), "the connection was cut off");
                return Ok(None);
            }
        }
    }

    /// The next event, past pings, which are not answered.
    pub async fn event(&mut self) -> Result<Value> {
        loop {
            match self.frame().await? {
                Some((TEXT, text)) => return Ok(serde_json::from_slice(&text)?),
                Some((PING, _)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next event of a kind, past others.
    pub async fn event_of(&mut self, kind: &str) -> Result<Value> {
        loop {
            let event = self.event().await?;
            if event["type"] == kind {
                return Ok(event);
            }
        }
    }

    /// The code and the reason with which the server says goodbye, past anything else; `None` if it
    /// does not. The goodbye is answered, and the connection ends after it.
    pub async fn goodbye(&mut self) -> Result<Option<(u16, String)>> {
        loop {
            match self.frame().await? {
                Some((CLOSE, payload)) => {
                    let (code, reason) = payload.split_at(2);
                    let code = u16::from_be_bytes(code.try_into().unwrap());
                    let reason = String::from_utf8(reason.to_vec()).unwrap();
                    let _ = self.send(CLOSE, &payload).await; // it may be a reply
                    assert_eq!(self.frame().await?, None);
                    return Ok(Some((code, reason)));
                }
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }
}

/// The bytes of a frame, masked with zeros.
pub fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = head(0x80 | kind, payload.len());
    bytes[1] |= 0x80;
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

/// The head of a frame that is not masked.
pub fn head(first: u8, length: usize) -> Vec<u8> {
    match length {
        0..126 => vec![first, length as u8],
        126..65536 => [&[first, 126][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[first, 127][..], &(length as u64).to_be_bytes()].concat(),
    }
}

/// The first frame, if all of it is there, and how long it was.
fn parse(bytes: &[u8]) -> Option<(usize, (u8, Vec<u8>))> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    assert_eq!((first & 0xf0, second & 0x80), (0x80, 0), "whole frames, not masked");
    let (start, length) = match second {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        length => (2, usize::from(length)),
    };
    let payload = bytes.get(start..start + length)?;
    Some((start + length, (first & 0xf, payload.to_vec())))
}
