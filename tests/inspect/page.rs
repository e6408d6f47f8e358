//! L5: what the server of the page answers, to whom, and how it ends.

use std::fmt::Write as _;
use std::io::{self, Read, Write as _};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use seedbed::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use seedbed::{
    Builder, Error, Event, Result, Service, cancel_scope, fail_after, inspect, nursery, run,
    sleep_forever,
};
use serde_json::Value;

/// Far more than this takes, so that a test that hangs says so.
const LIMIT: Duration = Duration::from_secs(60);

/// Serves the page of this run, with these settings, while `body` is given its address.
fn with_page(
    settings: impl FnOnce(inspect::Server) -> inspect::Server,
    body: impl AsyncFnOnce(&str) -> Result<()>,
) {
    Builder::new()
        .warn_when_blocked(LIMIT)
        .run(fail_after(LIMIT, async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?.to_string();
            nursery(async |n| {
                let server = inspect::Server::new(listener).at_most_every(Duration::ZERO);
                n.service(settings(server).serve());
                body(&address).await
            })
            .await
        }))
        .unwrap();
}

/// A request whose answer ends with the connection.
fn request(path: &str, headers: &[&str]) -> String {
    let mut request = format!("GET {path} HTTP/1.0\r\n");
    for header in headers {
        write!(request, "{header}\r\n").unwrap();
    }
    request + "\r\n"
}

/// The head and the body of the answer.
async fn ask(address: &str, request: &str) -> Result<(String, String)> {
    let stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8(answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").expect("it has a head");
    Ok((head.to_owned(), body.to_owned()))
}

async fn get(address: &str, path: &str) -> Result<(String, String)> {
    ask(address, &request(path, &["host: localhost"])).await
}

/// The status of an answer.
async fn status(address: &str, path: &str, headers: &[&str]) -> Result<u16> {
    let (head, _) = ask(address, &request(path, headers)).await?;
    Ok(head.split(' ').nth(1).unwrap().parse()?)
}

/// What an open page is told.
struct Page {
    stream: TcpStream,
    read: String,
}

impl Page {
    async fn open(address: &str) -> Result<Page> {
        let stream = TcpStream::connect(address).await?;
        stream.write_all(request("/events", &["host: localhost"]).as_bytes()).await?;
        let mut page = Page { stream, read: String::new() };
        let head = page.until("\r\n\r\n").await?.expect("it has a head");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        assert_eq!(page.event().await?.unwrap().0, "program");
        Ok(page)
    }

    async fn until(&mut self, end: &str) -> Result<Option<String>> {
        loop {
            if let Some((part, rest)) = self.read.split_once(end) {
                let (part, rest) = (part.to_owned(), rest.to_owned());
                self.read = rest;
                return Ok(Some(part));
            }
            let mut buffer = vec![0; 64 * 1024];
            match self.stream.read(&mut buffer).await? {
                0 => return Ok(None),
                n => self.read += std::str::from_utf8(&buffer[..n])?,
            }
        }
    }

    /// The next event and its data; `None` at the end.
    async fn event(&mut self) -> Result<Option<(String, Value)>> {
        let Some(event) = self.until("\n\n").await? else { return Ok(None) };
        let field = |name| event.lines().find_map(|line| line.strip_prefix(name));
        let data = serde_json::from_str(field("data: ").unwrap())?;
        Ok(Some((field("event: ").unwrap_or("message").to_owned(), data)))
    }

    /// The next change that `is_it`.
    async fn change(&mut self, is_it: impl Fn(&Value) -> bool) -> Result<Value> {
        loop {
            let (event, data) = self.event().await?.expect("it is served");
            if event == "message" && is_it(&data) {
                return Ok(data);
            }
        }
    }

    /// The next node with this member.
    async fn node(&mut self, member: &str, value: &str) -> Result<Value> {
        let is_it = |node: &&Value| node[member] == value;
        let of = |data: &Value| data["nodes"].as_array().unwrap().iter().find(is_it).cloned();
        Ok(of(&self.change(|data| of(data).is_some()).await?).unwrap())
    }
}

#[test]
fn l05_dumps_are_there_for_programs_that_only_read() {
    with_page(std::convert::identity, async |address| {
        nursery(async |n| {
            for _ in 0..10 {
                n.named("one of ten").spawn(sleep_forever());
            }
            let (_, text) = get(address, "/dump.txt").await?;
            assert!(text.contains("10 tasks spawned at tests/inspect/page.rs"), "{text}");
            let (_, text) = get(address, "/dump.txt?each").await?;
            assert_eq!(text.matches("task \"one of ten\" spawned at").count(), 10, "{text}");
            let (head, json) = get(address, "/dump.json").await?;
            assert!(head.contains("content-type: application/json"), "{head}");
            assert_eq!(serde_json::from_str::<Value>(&json)?["schema"], 1);
            let (head, text) = get(address, "/metrics").await?;
            assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
            assert!(text.contains("seedbed_tasks 1"), "{text}");
            assert!(!text.contains("seedbed_polls_total"), "nobody has asked for it: {text}");
            let (head, _) = get(address, "/nothing").await?;
            assert!(head.starts_with("HTTP/1.0 404"), "{head}");
            n.scope().cancel();
            Ok(())
        })
        .await
    });
}

#[test]
fn l05_an_open_page_is_told_of_everything_and_then_of_changes() {
    with_page(std::convert::identity, async |address| {
        let mut page = Page::open(address).await?;
        let (event, numbers) = page.event().await?.unwrap();
        assert_eq!((&*event, numbers["counted"].is_null()), ("metrics", true), "{numbers}");
        let first = page.change(|_| true).await?;
        let main = first["nodes"][0].clone();
        assert_eq!((&main["kind"], &main["role"]), (&"task".into(), &"main".into()), "{first}");
        assert!(first["rest"]["jobs"].is_array(), "{first}");
        let (go, stop) = (Event::new(), Event::new());
        nursery(async |n| {
            n.named("worker").spawn(async {
                go.wait().await?;
                stop.wait().await
            });
            let worker = page.node("name", "worker").await?;
            assert_eq!(worker["operation"], "Event::wait", "{worker}");
            // It is in a nursery, which the page was told of before.
            assert!(worker["in"].as_i64().is_some_and(|inside| inside < 0), "{worker}");
            go.set();
            let id = worker["id"].clone();
            let moved = |data: &Value| {
                let mut nodes = data["nodes"].as_array().unwrap().iter();
                nodes.any(|node| node["id"] == id && node["at"] != worker["at"])
            };
            let change = page.change(moved).await?;
            let node = change["nodes"].as_array().unwrap().iter().find(|node| node["id"] == id);
            assert!(node.unwrap().get("name").is_none(), "only what has changed: {change}");
            stop.set();
            let is_gone = |data: &Value| data["gone"].as_array().unwrap().contains(&id);
            page.change(is_gone).await.map(drop)
        })
        .await?;
        // A scope that is cancelled is told of again, whole.
        cancel_scope(async |scope| {
            page.change(|_| true).await?;
            scope.cancel();
            let node = seedbed::CancelScope::new().with_shield();
            let node = node.enter(async |_| page.node("level", "full").await).await?.unwrap();
            assert_eq!(node["kind"], "scope", "{node}");
            Ok(())
        })
        .await
        .map(drop)
    });
}

#[test]
fn l05_another_site_learns_nothing() {
    with_page(
        |server| server.allow_host("inside.example"),
        async |address| {
            for host in ["localhost:1", "127.0.0.1", "[::1]:80", "inside.example"] {
                assert_eq!(status(address, "/dump.txt", &[&format!("host: {host}")]).await?, 200);
            }
            for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", ""]
            {
                for path in ["/", "/dump.txt", "/events"] {
                    let status = status(address, path, &[&format!("host: {host}")]).await?;
                    assert_eq!(status, 403, "{host} {path}");
                }
            }
            assert_eq!(status(address, "/", &[]).await?, 403);
            let from = async |site, path| {
                status(address, path, &["host: localhost", &format!("sec-fetch-site: {site}")])
                    .await
            };
            for site in ["cross-site", "same-site"] {
                assert_eq!(from(site, "/").await?, 200, "a link to the page");
                for path in ["/dump.txt", "/dump.json", "/events"] {
                    assert_eq!(from(site, path).await?, 403, "{site} {path}");
                }
            }
            assert_eq!(from("same-origin", "/dump.json").await?, 200);
            for method in ["POST", "HEAD", "OPTIONS", "DELETE"] {
                let request = format!("{method} / HTTP/1.0\r\nhost: localhost\r\n\r\n");
                let (head, _) = ask(address, &request).await?;
                assert!(head.starts_with("HTTP/1.0 405") && head.contains("allow: GET"), "{head}");
            }
            Ok(())
        },
    );
}

#[test]
fn l05_a_browser_runs_nothing_but_the_page() {
    with_page(std::convert::identity, async |address| {
        let (head, page) = get(address, "/").await?;
        let (again, _) = get(address, "/").await?;
        let nonce = |head: &str| {
            let from = head.split_once("script-src 'nonce-").expect("there is a policy").1;
            from.split_once('\'').unwrap().0.to_owned()
        };
        assert_ne!(nonce(&head), nonce(&again));
        assert!(page.contains(&format!("<script nonce=\"{}\">", nonce(&head))));
        assert!(!page.contains("{{nonce}}") && !page.contains("innerHTML"));
        for part in [
            "default-src 'none'",
            "connect-src 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "x-content-type-options: nosniff",
            "cache-control: no-store",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(head.contains(part), "{part}: {head}");
        }
        assert!(!head.contains("access-control"), "{head}");
        // Nothing comes from anywhere else.
        assert!(!page.replace("http://www.w3.org/2000/svg", "").contains("://"), "{page}");
        Ok(())
    });
}

#[test]
fn l05_a_listener_that_others_can_reach_needs_a_token() {
    run(async {
        let anywhere = async || TcpListener::bind("0.0.0.0:0").await;
        let error = inspect::serve(anywhere().await?).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("could be opened by everybody who reaches 0.0.0.0:"), "{text}");
        assert!(text.contains("tests/inspect/page.rs"), "{text}");
        let error = inspect::Server::new(anywhere().await?).token("").serve().await.unwrap_err();
        assert!(error.to_string().contains("is empty"), "{error}");
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        assert_eq!(kind, Some(io::ErrorKind::InvalidInput));
        Ok(())
    })
    .unwrap();
}

#[test]
fn l05_the_token_is_demanded_of_everybody() {
    with_page(
        |server| server.token("sesame"),
        async |address| {
            for path in ["/", "/dump.txt", "/dump.json", "/events"] {
                let (head, body) = get(address, path).await?;
                assert!(head.starts_with("HTTP/1.0 401"), "{path}: {head}");
                assert!(head.contains("www-authenticate: Basic"), "{path}: {head}");
                assert!(!body.contains("sesame"), "{body}");
            }
            let with = async |authorization: &str| {
                let authorization = format!("authorization: {authorization}");
                status(address, "/dump.txt", &["host: localhost", &authorization]).await
            };
            assert_eq!(with("Bearer sesame").await?, 200);
            assert_eq!(with("Basic OnNlc2FtZQ==").await?, 200); // ":sesame"
            for wrong in ["Bearer sesam", "Bearer sesames", "Basic c2VzYW1lOg==", "Bearer"] {
                assert_eq!(with(wrong).await?, 401, "{wrong}");
            }
            Ok(())
        },
    );
}

#[test]
fn l05_when_the_service_ends_pages_are_told() {
    run(fail_after(LIMIT, async {
        let mut pages = Vec::new();
        nursery(async |n| {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?.to_string();
            let _service: Service = n.service(inspect::serve(listener));
            for _ in 0..3 {
                pages.push(Page::open(&address).await?);
            }
            Ok(())
        })
        .await?;
        for mut page in pages {
            let mut last = String::new();
            while let Some((event, _)) = page.event().await? {
                last = event;
            }
            assert_eq!(last, "over");
        }
        Ok(())
    }))
    .unwrap();
}

#[test]
fn l05_a_page_that_takes_nothing_holds_up_nobody() {
    with_page(std::convert::identity, async |address| {
        let _silent: Vec<_> = [Page::open(address).await?, Page::open(address).await?].into();
        nursery(async |n| {
            for _ in 0..5000 {
                n.named("one of many").spawn(sleep_forever()); // more than buffers have room for
            }
            let mut page = Page::open(address).await?;
            for _ in 0..20 {
                page.change(|_| true).await?;
            }
            assert!(get(address, "/dump.json").await?.1.len() > 500_000);
            n.scope().cancel();
            Ok(())
        })
        .await
    });
}

#[test]
fn l05_it_answers_while_a_task_holds_up_the_run() {
    let (address, addresses) = mpsc::channel::<String>();
    let (release, released) = mpsc::channel::<()>();
    let reader = thread::spawn(move || {
        let address = addresses.recv().unwrap();
        let mut read = String::new();
        for path in ["/dump.txt", "/events"] {
            let mut stream = std::net::TcpStream::connect(&address).unwrap();
            stream.write_all(request(path, &["host: localhost"]).as_bytes()).unwrap();
            let mut byte = [0];
            while !read.contains("\"by\":\"") && stream.read(&mut byte).unwrap() > 0 {
                read.push(char::from(byte[0]));
            }
        }
        release.send(()).unwrap();
        read
    });
    with_page(std::convert::identity, async |here| {
        get(here, "/dump.txt").await?; // it is served
        address.send(here.to_owned()).unwrap();
        nursery(async |n| {
            n.named("hog").spawn(async { released.recv().map_err(Error::from) }); // blocks
            Ok(())
        })
        .await
    });
    let read = reader.join().unwrap();
    assert!(read.starts_with("HTTP/1.0 503"), "{read}");
    let hog = "the run has not answered for 1 s: the task \"hog\" spawned at tests/inspect/page.rs";
    assert!(read.contains(hog), "{read}");
    assert!(read.contains("event: held\ndata: {\"for\":"), "{read}");
}

#[test]
fn l05_a_listener_at_a_path_will_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inspect.sock");
    run(fail_after(LIMIT, async {
        nursery(async |n| {
            n.service(inspect::serve(UnixListener::bind(&path).await?));
            let stream = UnixStream::connect(&path).await?;
            stream.write_all(request("/dump.txt", &["host: localhost"]).as_bytes()).await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            let answer = String::from_utf8(answer)?;
            assert!(answer.contains("main future"), "{answer}");
            Ok(())
        })
        .await
    }))
    .unwrap();
}
