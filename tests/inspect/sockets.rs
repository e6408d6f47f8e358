//! The sockets of a run: which there are, and who waits for what.

use std::future::poll_fn;
use std::pin::Pin;

use futures::future::join;
use futures::io::AsyncRead;
use seedbed::net::{TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream};
use seedbed::{Result, inspect, nursery, yield_now};
use serde_json::Value;

use super::{lines_with, simplify};

/// Lets others run until so many lines of a dump contain this. Fails if it takes too long.
async fn dump_with(part: &str, times: usize) -> Result<inspect::Dump> {
    for _ in 0..100_000 {
        yield_now().await?;
        let dump = inspect::dump()?;
        if lines_with(&format!("{dump:#}"), part).len() >= times {
            return Ok(dump);
        }
    }
    panic!("{part} is not in {:#}", inspect::dump()?)
}

/// A line with the numbers of descriptors and the times left out.
fn plain(line: &str) -> String {
    let words = line.split(' ').map(|word| if word.parse::<u32>().is_ok() { "N" } else { word });
    let line = words.collect::<Vec<_>>().join(" ");
    line.split(", for ").next().unwrap().to_owned()
}

#[test]
fn l01_a_socket_says_who_waits_for_what() {
    seedbed::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let at = listener.local_addr()?;
        let client = TcpStream::connect(at).await?;
        let from = client.local_addr()?;
        nursery(async |n| {
            n.named("server").spawn(async {
                let (stream, _) = listener.accept().await?;
                n.named("reader").spawn(async move { stream.read(&mut [0; 9]).await.map(drop) });
                listener.accept().await.map(drop)
            });
            let dump = dump_with("`read` at", 1).await?;
            let text = simplify(&dump.to_string());
            let line = |part| lines_with(&text, part).iter().map(|line| plain(line)).next();
            assert_eq!(
                line("task \"server\" spawned at <spawn>: in"),
                Some(format!("task \"server\" spawned at <spawn>: in `accept` at <accept> on socket N at {at}")),
                "{text}"
            );
            assert_eq!(
                line("task \"reader\" spawned at <spawn>: in"),
                Some(format!("task \"reader\" spawned at <spawn>: in `read` at <read> on socket N to {from}")),
                "{text}"
            );
            let listens = format!("socket N at {at}, which listens: `accept` by task \"server\" spawned at <spawn>");
            assert_eq!(line("which listens"), Some(listens), "{text}");
            let reads = format!("socket N at {at} to {from}: `read` by task \"reader\" spawned at <spawn>");
            assert_eq!(line(": `read` by"), Some(reads), "{text}");

            let json: Value = serde_json::from_str(&dump.to_json()).unwrap();
            let sockets = json["sockets"].as_array().unwrap();
            let accepted = sockets.iter().find(|socket| socket["accepted"] == true).unwrap();
            assert_eq!(accepted["local"], at.to_string());
            assert_eq!(accepted["peer"], from.to_string());
            assert!(accepted["descriptor"].as_i64().unwrap() > 0);
            assert_eq!(accepted["waits"][0]["operation"], "read");
            let reader = &json["tree"][0]["children"][0]["children"];
            let is_reader = |task: &&Value| task["name"] == "reader";
            let reader = reader.as_array().unwrap().iter().find(is_reader).unwrap();
            assert_eq!(accepted["waits"][0]["task"], reader["id"]);
            assert!(sockets.iter().any(|socket| socket["listens"] == true));
            n.scope().cancel();
            Ok(())
        })
        .await
    })
    .unwrap();
}

/// Those that a server has accepted have its address in common, those of a client their peer's.
#[test]
fn l01_sockets_that_look_alike_are_folded() {
    seedbed::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let at = listener.local_addr()?;
        nursery(async |n| {
            for _ in 0..5 {
                n.spawn(async { TcpStream::connect(at).await?.read(&mut [0; 9]).await.map(drop) });
                n.spawn(async {
                    let (stream, _) = listener.accept().await?;
                    stream.readable().await
                });
            }
            let dump = dump_with("`read` by", 5).await?;
            assert_eq!(lines_with(&format!("{dump:#}"), "`readable` by").len(), 5);
            let text = simplify(&dump.to_string());
            let line = |part| lines_with(&text, part).pop();
            assert_eq!(
                line("`read` by"),
                Some(format!("5 × socket to {at}: `read` by a task spawned at <spawn>")),
                "{text}"
            );
            assert_eq!(
                line("`readable` by"),
                Some(format!("5 × socket at {at}: `readable` by a task spawned at <spawn>")),
                "{text}"
            );
            n.scope().cancel();
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn l01_datagrams_and_sockets_of_the_unix_domain() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    seedbed::run(async {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let at = socket.local_addr()?;
        let listener = UnixListener::bind(&path).await?;
        let (one, _other) = UnixStream::pair()?;
        nursery(async |n| {
            n.spawn(async { socket.recv_from(&mut [0; 9]).await.map(drop) });
            n.spawn(async { listener.accept().await.map(drop) });
            n.spawn(async { one.read(&mut [0; 9]).await.map(drop) });
            let text = simplify(&dump_with("` by", 3).await?.to_string());
            let lines: Vec<_> = lines_with(&text, "` by").iter().map(|line| plain(line)).collect();
            let by = "by task spawned at <spawn>";
            let path = path.display();
            assert!(lines.contains(&format!("socket N at {at}: `recv_from` {by}")), "{text}");
            assert!(
                lines.contains(&format!("socket N at {path}, which listens: `accept` {by}")),
                "{text}"
            );
            assert!(lines.contains(&format!("socket N of a pair: `read` {by}")), "{text}");
            n.scope().cancel();
            Ok(())
        })
        .await
    })
    .unwrap();
}

/// Both halves of a stream, the second through a foreign trait, which knows no place.
#[test]
fn l01_of_several_sockets_each_is_shown() {
    seedbed::run(async {
        let (one, _its_peer) = UnixStream::pair()?;
        let (mut other, _other_peer) = UnixStream::pair()?;
        nursery(async |n| {
            n.named("it").spawn(async move {
                let foreign = poll_fn(|cx| Pin::new(&mut other).poll_read(cx, &mut [0; 9]));
                join(one.readable(), foreign).await.0
            });
            let text = simplify(&dump_with("woken by", 1).await?.to_string());
            let line =
                lines_with(&text, "task \"it\" spawned at <spawn>: in `read`").pop().unwrap();
            assert!(line.contains("in `read` on socket "), "{text}");
            assert!(line.contains("; also woken by `readable` on socket "), "{text}");
            n.scope().cancel();
            Ok(())
        })
        .await
    })
    .unwrap();
}

/// A socket that has been waited for, and is not now.
#[test]
fn l01_a_socket_for_which_nothing_waits() {
    seedbed::run(async {
        let (one, other) = UnixStream::pair()?;
        join(one.readable(), other.write(b"hello")).await.0?;
        let text = inspect::dump()?.to_string();
        assert_eq!(lines_with(&text, "nothing waits for it").len(), 1, "{text}");
        drop(one);
        let text = inspect::dump()?.to_string();
        assert_eq!(lines_with(&text, "socket ").len(), 0, "{text}");
        Ok(())
    })
    .unwrap();
}
