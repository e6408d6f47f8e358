//! Many requests at once.

use redis_server::client::Settings;
use seedbed::nursery;

use crate::{Beside, Client, beside};

#[test]
fn the_replies_to_a_pipeline_come_at_once() {
    beside(Settings::default(), async |server: Beside| {
        let client = Client::connect(&server).await?;
        let requests: String = (0..16).map(|i| format!("SET {i} x\r\nGET {i}\r\n")).collect();
        client.send(requests).await?;
        let mut replies = [0; 1000];
        let read = client.stream.read(&mut replies).await?;
        assert_eq!(replies[..read], "+OK\r\n$1\r\nx\r\n".repeat(16).into_bytes());
        Ok(())
    });
}

#[test]
fn a_pipeline_is_answered_in_order_wherever_it_is_cut() {
    beside(Settings::default(), async |server: Beside| {
        let (mut requests, mut replies) = (String::new(), String::new());
        for i in 0..2000 {
            requests += &format!("*2\r\n$4\r\nECHO\r\n${}\r\n{i}\r\n", i.to_string().len());
            replies += &format!("${}\r\n{i}\r\n", i.to_string().len());
        }
        for piece in [1000, 4096, 100_000] {
            let client = Client::connect(&server).await?;
            nursery(async |n| {
                n.spawn(async {
                    for piece in requests.as_bytes().chunks(piece) {
                        client.send(piece).await?;
                    }
                    Ok(())
                });
                client.expect(&replies).await
            })
            .await?;
        }
        Ok(())
    });
}

#[test]
fn a_value_of_megabytes_in_the_midst_of_small_ones() {
    beside(Settings::default(), async |server: Beside| {
        let client = Client::connect(&server).await?;
        let value = vec![b'v'; 5 << 20];
        let mut requests = b"SET a small\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$5242880\r\n".to_vec();
        requests.extend_from_slice(&value);
        requests.extend_from_slice(b"\r\nGET a\r\nGET b\r\nGET a\r\n");
        nursery(async |n| {
            n.spawn(client.send(&requests));
            client.expect("+OK\r\n+OK\r\n$5\r\nsmall\r\n$5242880\r\n").await?;
            client.expect(&value).await?;
            client.expect("\r\n$5\r\nsmall\r\n").await
        })
        .await
    });
}
