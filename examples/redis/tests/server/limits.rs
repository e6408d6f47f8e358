//! Clients that send what they should not, and those that take too long.

use std::time::Duration;

use redis_server::client::Settings;
use seedbed::{now, nursery, sleep};

use crate::{Beside, Client, beside};

#[test]
fn what_is_no_request_is_an_error_and_ends_the_connection() {
    beside(Settings::default(), async |server: Beside| {
        for (sent, error) in [
            ("*1\r\n$536870912\r\n", "invalid bulk length: a request has at most 67108864 bytes"),
            ("*1\r\n$-1\r\n", "invalid bulk length '-1': it has to be a number, and not negative"),
            ("*-1\r\n", "invalid multibulk length '-1': it has to be a number from 0 to 1048576"),
            (
                "*1048577\r\n",
                "invalid multibulk length '1048577': it has to be a number from 0 to 1048576",
            ),
            ("*1\r\n:1\r\n", "expected '$', got ':'"),
            ("*1\r\n$4\r\nPINGPONG", "expected the end of a line after a string"),
            ("SET a \"b\r\n", "unbalanced quotes in request"),
            (&"*1\r\n".repeat(1_000_000), "expected '$', got '*'"),
            (&"x".repeat(100_000), "too big inline request, or a line without an end"),
        ] {
            let client = Client::connect(&server).await?;
            nursery(async |n| {
                // Those before it are answered. The server may have gone before everything is sent.
                n.spawn(async {
                    client.send("PING\r\n").await?;
                    drop(client.send(sent).await);
                    Ok(())
                });
                client.expect(format!("+PONG\r\n-ERR Protocol error: {error}\r\n")).await?;
                client.expect_end().await
            })
            .await?;
        }
        // Others are none the worse for it.
        Client::connect(&server).await?.ask("PING", "+PONG").await
    });
}

#[test]
fn a_request_that_goes_on_without_end_is_refused_before_it_is_all_there() {
    let settings = Settings { longest_request: 100_000, ..Settings::default() };
    beside(settings, async |server: Beside| {
        let client = Client::connect(&server).await?;
        client.send("*1000000\r\n").await?;
        let argument = format!("$10000\r\n{}\r\n", "x".repeat(10_000));
        let mut sent = 0;
        while sent < 1000 && client.send(&argument).await.is_ok() {
            sent += 1;
            if sent == 9 {
                sleep(Duration::from_secs(1)).await?;
            }
        }
        client
            .expect(
                "-ERR Protocol error: invalid bulk length: a request has at most 100000 bytes\r\n",
            )
            .await
    });
}

#[test]
fn a_request_that_does_not_end_is_given_up() {
    beside(Settings::default(), async |server: Beside| {
        let client = Client::connect(&server).await?;
        client.ask("PING", "+PONG").await?;
        sleep(Duration::from_secs(1000)).await?; // it may be silent as long as it likes
        let begin = now();
        nursery(async |n| {
            n.spawn(async {
                // A byte every second does not help.
                for byte in "*1\r\n$1000\r\n".bytes().chain([b'x'; 1000]) {
                    if client.send([byte]).await.is_err() {
                        break;
                    }
                    sleep(Duration::from_secs(1)).await?;
                }
                Ok(())
            });
            let mut error = [0; 4];
            client.stream.read_exact(&mut error).await?;
            assert_eq!(&error, b"-ERR");
            assert_eq!((now() - begin).as_secs(), 60);
            n.cancel();
            Ok(())
        })
        .await
    });
}

#[test]
fn a_silent_client_is_given_up_if_there_is_a_limit() {
    let settings = Settings { idle_limit: Some(Duration::from_secs(30)), ..Settings::default() };
    beside(settings, async |server: Beside| {
        let (client, subscriber) =
            (Client::connect(&server).await?, Client::connect(&server).await?);
        subscriber.ask("SUBSCRIBE a", "*3 $9 subscribe $1 a :1").await?;
        for _ in 0..3 {
            sleep(Duration::from_secs(29)).await?;
            client.ask("PING", "+PONG").await?;
        }
        let begin = now();
        client.expect_end().await?;
        assert_eq!((now() - begin).as_secs(), 30);
        subscriber.ask("PING", "*2 $4 pong $0 ").await // it waits for others
    });
}

#[test]
fn a_client_that_does_not_read_waits_alone_and_is_given_up() {
    let data = beside(Settings::default(), async |server: Beside| {
        let (client, other) = (Client::connect(&server).await?, Client::connect(&server).await?);
        other.send(format!("SET v {}\r\n", "v".repeat(60_000))).await?;
        other.expect("+OK\r\n").await?;
        client.send("GET v\r\n".repeat(5000)).await?; // 300 MB
        sleep(Duration::from_secs(59)).await?;
        other.ask("PING", "+PONG").await?;
        other.send("INFO clients\r\n").await?;
        other.expect("$32\r\n# Clients\r\nconnected_clients:2\r\n\r\n").await?;
        sleep(Duration::from_secs(10)).await?;
        other.send("INFO clients\r\n").await?;
        other.expect("$32\r\n# Clients\r\nconnected_clients:1\r\n\r\n").await
    });
    // It has not executed what nobody takes the replies of.
    assert!(data.counts.commands < 1000);
}

#[test]
fn a_short_request_with_an_endless_reply_is_an_error() {
    beside(Settings::default(), async |server: Beside| {
        let client = Client::connect(&server).await?;
        client.send(format!("SET v {}\r\n", "v".repeat(60_000))).await?;
        client.expect("+OK\r\n").await?;
        client.send(format!("MGET{}\r\nPING\r\n", " v".repeat(5000))).await?;
        client.expect("-ERR the reply would be too long\r\n+PONG\r\n").await
    });
}

#[test]
fn long_requests_at_once_share_a_budget() {
    let settings = Settings { budget: 1_700_000, ..Settings::default() };
    beside(settings, async |server: Beside| {
        let begun = [b"*2\r\n$4\r\nECHO\r\n$600000\r\n", &[b'x'; 599_999][..]].concat();
        let (first, second) = (Client::connect(&server).await?, Client::connect(&server).await?);
        first.send(&begun).await?;
        sleep(Duration::from_millis(1)).await?;
        let begun = nursery(async |n| {
            n.spawn(async {
                drop(second.send(&begun).await);
                Ok(())
            });
            second.expect("-ERR too many clients have long requests or replies at once").await?;
            Ok(())
        });
        begun.await?;
        // The other one is not affected, and when it is done there is room again.
        first.send("x\r\nPING\r\n").await?;
        first.expect("$600000\r\n").await
    });
}
