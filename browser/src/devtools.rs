//! Telling a browser what to do, by the Chrome DevTools protocol.

use std::collections::VecDeque;
use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::protocol::{Message, Role};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::{SinkExt, StreamExt};
use seedbed::net::TcpStream;
use seedbed::{CancellableStream, Error, Result, cancellable_stream, fail_after};
use serde_json::{Value, json};

/// Far more than an answer takes, so that one that never comes is an error which says what was asked.
const LIMIT: Duration = Duration::from_secs(60);

/// A connection to a browser.
pub struct DevTools {
    socket: CancellableStream<WebSocketStream<TcpStream>>,
    calls: u64,
    events: VecDeque<Value>,
}

/// A page that is open in a tab of its own.
pub struct Page {
    session: String,
}

impl DevTools {
    /// Connects to an address such as `ws://127.0.0.1:1234/devtools/browser/…`.
    pub async fn connect(address: &str) -> Result<DevTools> {
        let address = address.strip_prefix("ws://").expect("it is a WebSocket's");
        let (host, path) = address.split_once('/').expect("there is a path");
        let stream = TcpStream::connect(host).await?;
        let request = format!(
            "GET /{path} HTTP/1.1\r\nhost: {host}\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).await?;
            head.extend_from_slice(&byte);
        }
        let head = String::from_utf8(head)?;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        let socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
        let socket = cancellable_stream(socket);
        Ok(DevTools { socket, calls: 0, events: VecDeque::new() })
    }

    /// Opens a page, and returns when it is loaded. It shares nothing with other pages: neither
    /// cookies nor the process that runs it.
    pub async fn open(&mut self, address: &str) -> Result<Page> {
        let context = self.call(None, "Target.createBrowserContext", json!({})).await?;
        let target = json!({
            "url": "about:blank", "browserContextId": context["browserContextId"],
        });
        let target = self.call(None, "Target.createTarget", target).await?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.call(None, "Target.attachToTarget", attach).await?;
        let page = Page { session: attached["sessionId"].as_str().unwrap().to_owned() };
        for domain in ["Page", "Runtime", "Log", "Inspector"] {
            self.ask(&page, &format!("{domain}.enable"), json!({})).await?;
        }
        // As if it was the one in front.
        let focus = json!({ "enabled": true });
        self.ask(&page, "Emulation.setFocusEmulationEnabled", focus).await?;
        self.resize(&page, 900, 520).await?;
        self.ask(&page, "Page.navigate", json!({ "url": address })).await?;
        self.event(&page, "Page.loadEventFired").await?;
        Ok(page)
    }

    /// The value of an expression, or that of the promise that it is.
    pub async fn evaluate(&mut self, page: &Page, expression: &str) -> Result<Value> {
        // In a scope of its own, so that it can be said again.
        let expression = format!("{{ {expression} }}");
        let what = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
        });
        let answer = self.ask(page, "Runtime.evaluate", what).await?;
        match answer.get("exceptionDetails") {
            None => Ok(answer["result"]["value"].clone()),
            Some(details) => Err(Error::msg(format_args!("{expression}: {details}"))),
        }
    }

    /// Waits until a condition holds in the page, which is looked at whenever the page changes, or
    /// what has the focus.
    pub async fn until(&mut self, page: &Page, condition: &str) -> Result<()> {
        let promise = format!(
            "new Promise((done) => {{
                const look = () => {{
                    if (!({condition})) return;
                    observer.disconnect();
                    document.removeEventListener('focusin', look);
                    done(true);
                }};
                const observer = new MutationObserver(look);
                observer.observe(document, {{
                    subtree: true, childList: true, attributes: true, characterData: true
                }});
                document.addEventListener('focusin', look);
                look();
            }})"
        );
        self.evaluate(page, &promise).await.map(drop)
    }

    /// Types a text where the focus is.
    pub async fn insert(&mut self, page: &Page, text: &str) -> Result<()> {
        self.ask(page, "Input.insertText", json!({ "text": text })).await.map(drop)
    }

    /// Presses a key: one of those with a name, or that of a character.
    pub async fn press(&mut self, page: &Page, key: &str) -> Result<()> {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            "End" => (35, ""),
            "Home" => (36, ""),
            "ArrowLeft" => (37, ""),
            "ArrowUp" => (38, ""),
            "ArrowRight" => (39, ""),
            "ArrowDown" => (40, ""),
            character => (0, character),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code,
            });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = text.into();
            }
            self.ask(page, "Input.dispatchKeyEvent", event).await?;
        }
        Ok(())
    }

    /// Sets what the system is said to prefer: light or dark.
    pub async fn prefer(&mut self, page: &Page, scheme: &str) -> Result<()> {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.ask(page, "Emulation.setEmulatedMedia", json!({ "features": [feature] })).await?;
        Ok(())
    }

    /// Sets how large the window is, in pixels.
    pub async fn resize(&mut self, page: &Page, width: u32, height: u32) -> Result<()> {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.ask(page, "Emulation.setDeviceMetricsOverride", size).await.map(drop)
    }

    /// What the page looks like, as PNG.
    pub async fn picture(&mut self, page: &Page) -> Result<Vec<u8>> {
        let answer = self.ask(page, "Page.captureScreenshot", json!({ "format": "png" })).await?;
        Ok(STANDARD.decode(answer["data"].as_str().unwrap())?)
    }

    /// Crashes the process that runs the page.
    pub async fn crash(&mut self, page: &Page) -> Result<()> {
        self.send(Some(page), "Page.crash", json!({})).await?; // nobody is left to answer
        self.event(page, "Inspector.targetCrashed").await.map(drop)
    }

    /// What has gone wrong in pages: exceptions, and what the browser has refused.
    pub fn complaints(&self) -> Vec<String> {
        let is_complaint = |event: &&Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Log.entryAdded") => event["params"]["entry"]["level"] == "error",
            _ => false,
        };
        self.events.iter().filter(is_complaint).map(Value::to_string).collect()
    }

    async fn ask(&mut self, page: &Page, method: &str, params: Value) -> Result<Value> {
        self.call(Some(page), method, params).await
    }

    /// Asks for something, and returns the answer. Events that come meanwhile are kept.
    async fn call(&mut self, page: Option<&Page>, method: &str, params: Value) -> Result<Value> {
        let asked = format!("{method} {params}");
        let answer = fail_after(LIMIT, async {
            let id = self.send(page, method, params).await?;
            loop {
                let mut message = self.receive().await?;
                if message["id"] != id {
                    self.events.push_back(message);
                    continue;
                }
                if let Some(error) = message.get("error") {
                    return Err(Error::msg(error));
                }
                return Ok(message["result"].take());
            }
        });
        answer.await.map_err(|error| self.because(&asked, &error))
    }

    /// Says what went wrong when this was asked, and what the browser has said since the last answer.
    fn because(&self, asked: &str, error: &Error) -> Error {
        let events: Vec<_> = self.events.iter().rev().take(20).map(Value::to_string).collect();
        Error::msg(format_args!("{asked}: {error}; the last events were: {events:#?}"))
    }

    async fn send(&mut self, page: Option<&Page>, method: &str, params: Value) -> Result<u64> {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": params });
        if let Some(page) = page {
            call["sessionId"] = page.session.as_str().into();
        }
        self.socket.send(Message::text(call.to_string())).await?;
        Ok(self.calls)
    }

    /// Waits for an event of a page.
    async fn event(&mut self, page: &Page, method: &str) -> Result<Value> {
        let is_it = |event: &Value| event["method"] == method && event["sessionId"] == page.session;
        if let Some(index) = self.events.iter().position(is_it) {
            return Ok(self.events.remove(index).expect("it is there"));
        }
        let event = fail_after(LIMIT, async {
            loop {
                let message = self.receive().await?;
                if is_it(&message) {
                    return Ok(message);
                }
                self.events.push_back(message);
            }
        });
        event.await.map_err(|error| self.because(method, &error))
    }

    async fn receive(&mut self) -> Result<Value> {
        loop {
            match self.socket.next().await.transpose()? {
                Some(Message::Text(text)) => return Ok(serde_json::from_str(&text)?),
                Some(_) => {}
                None => return Err(Error::msg("the browser has gone")),
            }
        }
    }
}
