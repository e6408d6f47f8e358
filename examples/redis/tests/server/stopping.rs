//! A server that is told to stop.

use std::time::Duration;

use redis_server::client::Settings;
use seedbed::{nursery, sleep};

use crate::{Beside, Client, beside};

#[test]
fn whatever_had_arrived_is_answered() {
    beside(Settings::default(), async |server: Beside| {
        let (busy, idle, late) = (
            Client::connect(&server).await?,
            Client::connect(&server).await?,
            Client::connect(&server).await?,
        );
        for client in [&busy, &idle, &late] {
            client.ask("PING", "+PONG").await?;
        }
        let value = "v".repeat(60_000);
        busy.send(format!("SET v {value}\r\n")).await?;
        busy.expect("+OK\r\n").await?;
        // More than the system takes at once, so the server has to wait for this client.
        busy.send("GET v\r\n".repeat(500)).await?;
        late.send("ECHO begu").await?;
        sleep(Duration::from_secs(1)).await?;
        server.stop.set();
        idle.expect_end().await?;
        late.send("n\r\n").await?;
        late.expect("$5\r\nbegun\r\n").await?;
        late.expect_end().await?;
        let reply = format!("$60000\r\n{value}\r\n");
        for _ in 0..500 {
            busy.expect(&reply).await?;
        }
        busy.expect_end().await
    });
}

#[test]
fn subscribers_get_what_was_published() {
    let settings = Settings { most_unread: usize::MAX, ..Settings::default() };
    beside(settings, async |server: Beside| {
        let (subscriber, publisher) =
            (Client::connect(&server).await?, Client::connect(&server).await?);
        subscriber.ask("SUBSCRIBE a", "*3 $9 subscribe $1 a :1").await?;
        let text = "x".repeat(60_000);
        for _ in 0..500 {
            publisher.ask(&format!("PUBLISH a {text}"), ":1").await?;
        }
        server.stop.set();
        publisher.expect_end().await?;
        let message = format!("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$60000\r\n{text}\r\n");
        for _ in 0..500 {
            subscriber.expect(&message).await?;
        }
        subscriber.expect_end().await
    });
}

#[test]
fn a_client_that_does_not_read_has_only_the_grace() {
    beside(Settings::default(), async |server: Beside| {
        let (slow, other) = (Client::connect(&server).await?, Client::connect(&server).await?);
        slow.send(format!("SET v {}\r\n", "v".repeat(60_000))).await?;
        slow.expect("+OK\r\n").await?;
        slow.send("GET v\r\n".repeat(500)).await?;
        sleep(Duration::from_secs(1)).await?;
        other.send("SHUTDOWN\r\n").await?;
        other.expect_end().await?;
        // `beside` returns only when the server has stopped, and this client never reads.
        nursery(async |n| {
            n.spawn(sleep(Duration::from_secs(9)));
            Ok(())
        })
        .await
    });
}
