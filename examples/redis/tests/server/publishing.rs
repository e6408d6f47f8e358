//! Publish and subscribe.

use redis_server::client::Settings;
use seedbed::nursery;

use crate::{Beside, Client, beside};

#[test]
fn a_message_goes_to_all_who_have_subscribed() {
    beside(Settings::default(), async |server: Beside| {
        let (one, two) = (Client::connect(&server).await?, Client::connect(&server).await?);
        let publisher = Client::connect(&server).await?;
        one.ask(
            "SUBSCRIBE news weather",
            "*3 $9 subscribe $4 news :1 *3 $9 subscribe $7 weather :2",
        )
        .await?;
        two.ask("PSUBSCRIBE n?ws", "*3 $10 psubscribe $4 n?ws :1").await?;
        two.ask("SUBSCRIBE news", "*3 $9 subscribe $4 news :2").await?;
        publisher.ask("PUBSUB NUMSUB news nobody", "*4 $4 news :2 $6 nobody :0").await?;
        publisher.ask("PUBSUB CHANNELS w*", "*1 $7 weather").await?;
        publisher.ask("PUBSUB NUMPAT", ":1").await?;
        publisher.ask("PUBLISH news hi", ":3").await?;
        publisher.ask("PUBLISH nobody hi", ":0").await?;
        one.expect("*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n").await?;
        two.expect("*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n").await?;
        two.expect("*4\r\n$8\r\npmessage\r\n$4\r\nn?ws\r\n$4\r\nnews\r\n$2\r\nhi\r\n").await?;
        one.ask("UNSUBSCRIBE news", "*3 $11 unsubscribe $4 news :1").await?;
        one.ask("UNSUBSCRIBE", "*3 $11 unsubscribe $7 weather :0").await?;
        publisher.ask("PUBLISH news hi", ":2").await
    });
}

#[test]
fn in_resp2_a_subscriber_can_say_little_else() {
    beside(Settings::default(), async |server: Beside| {
        let client = Client::connect(&server).await?;
        client.ask("SUBSCRIBE a", "*3 $9 subscribe $1 a :1").await?;
        client.ask("PING", "*2 $4 pong $0 ").await?;
        client.ask("PING x", "*2 $4 pong $1 x").await?;
        client.send("GET a\r\n").await?;
        client
            .expect(
                "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / \
                 RESET are allowed in this context\r\n",
            )
            .await?;
        client
            .ask("UNSUBSCRIBE b a", "*3 $11 unsubscribe $1 b :1 *3 $11 unsubscribe $1 a :0")
            .await?;
        client.ask("UNSUBSCRIBE", "*3 $11 unsubscribe $-1 :0").await?;
        client.ask("GET a", "$-1").await?;
        client.ask("SUBSCRIBE a", "*3 $9 subscribe $1 a :1").await?;
        client.ask("RESET", "+RESET").await?;
        client.ask("PUBLISH a x", ":0").await?;
        client.ask("QUIT", "+OK").await?;
        client.expect_end().await
    });
}

#[test]
fn in_resp3_messages_are_told_from_replies_and_come_in_order() {
    beside(Settings::default(), async |server: Beside| {
        let client = Client::connect(&server).await?;
        let old = Client::connect(&server).await?;
        old.ask("SUBSCRIBE a", "*3 $9 subscribe $1 a :1").await?;
        client.send("HELLO 3\r\n").await?;
        let mut hello = [0; 200];
        assert!(client.stream.read(&mut hello).await? > 50);
        client.send("GET a\r\nSUBSCRIBE a\r\nPUBLISH a 1\r\nSET a b\r\nPUBLISH a 2\r\n").await?;
        let subscribed = ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n";
        let message = |i| format!("3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\n{i}\r\n");
        let (one, two) = (message(1), message(2));
        client.expect(format!("_\r\n{subscribed}>{one}:2\r\n+OK\r\n>{two}:2\r\n")).await?;
        old.expect(format!("*{one}*{two}")).await
    });
}

#[test]
fn a_subscriber_that_leaves_is_forgotten() {
    let data = beside(Settings::default(), async |server: Beside| {
        let publisher = Client::connect(&server).await?;
        for _ in 0..3 {
            let client = Client::connect(&server).await?;
            client.ask("SUBSCRIBE a", "*3 $9 subscribe $1 a :1").await?;
            client.ask("PSUBSCRIBE a*", "*3 $10 psubscribe $2 a* :2").await?;
            publisher.ask("PUBLISH a x", ":2").await?;
            client.stream.shutdown(std::net::Shutdown::Write)?;
            let read = client.read_to_end().await?;
            assert!(read.ends_with(b"x\r\n"));
            publisher.ask("PUBLISH a x", ":0").await?;
        }
        Ok(())
    });
    assert_eq!((data.hub.channels().count(), data.hub.patterns()), (0, 0));
}

#[test]
fn a_subscriber_that_does_not_read_is_cut_off_and_nobody_waits_for_it() {
    const MESSAGES: usize = 400;
    let settings = Settings { most_unread: 1 << 20, ..Settings::default() };
    beside(settings, async |server: Beside| {
        let (slow, fast) = (Client::connect(&server).await?, Client::connect(&server).await?);
        let publisher = Client::connect(&server).await?;
        for client in [&slow, &fast] {
            client.ask("SUBSCRIBE a", "*3 $9 subscribe $1 a :1").await?;
        }
        // Far more than the system keeps for a connection, and the server for a subscriber.
        let payload = vec![b'x'; 100_000];
        let request = [b"*3\r\n$7\r\nPUBLISH\r\n$1\r\na\r\n$100000\r\n", &payload[..], b"\r\n"];
        let message = [b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$100000\r\n", &payload[..], b"\r\n"];
        let (request, message) = (request.concat(), message.concat());
        for i in 0..MESSAGES {
            publisher.send(&request).await?;
            publisher.expect(if i < 5 { ":2\r\n" } else { ":" }).await?;
            if i >= 5 {
                let mut rest = [0; 3];
                publisher.stream.read_exact(&mut rest).await?;
            }
            fast.expect(&message).await?;
        }
        publisher.ask("PUBSUB NUMSUB a", "*2 $1 a :1").await?;
        // What the system had taken can still be read, and then the connection is over.
        let read = slow.read_to_end().await?;
        assert!(read.len() < MESSAGES * message.len());
        Ok(())
    });
}

#[test]
fn what_was_published_before_a_subscriber_says_goodbye_is_written() {
    beside(Settings::default(), async |server: Beside| {
        let (client, publisher) =
            (Client::connect(&server).await?, Client::connect(&server).await?);
        client.ask("SUBSCRIBE a", "*3 $9 subscribe $1 a :1").await?;
        nursery(async |n| {
            n.spawn(async {
                for i in 100..200 {
                    publisher.ask(&format!("PUBLISH a {i}"), ":1").await?;
                }
                client.send("QUIT\r\n").await
            });
            for i in 100..200 {
                client.expect(format!("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$3\r\n{i}\r\n")).await?;
            }
            client.expect("+OK\r\n").await?;
            client.expect_end().await
        })
        .await
    });
}
