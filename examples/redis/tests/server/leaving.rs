//! Clients that leave, in whatever way.

use std::net::Shutdown;
use std::time::Duration;

use redis_server::client::Settings;
use seedbed::sleep;

use crate::{Beside, Client, beside};

#[test]
fn a_client_that_has_said_everything_still_gets_its_replies() {
    beside(Settings::default(), async |server: Beside| {
        let client = Client::connect(&server).await?;
        client.send("SET a 1\r\nGET a\r\nGET ").await?;
        client.stream.shutdown(Shutdown::Write)?;
        assert_eq!(client.read_to_end().await?, b"+OK\r\n$1\r\n1\r\n");
        Ok(())
    });
}

#[test]
fn clients_that_vanish_leave_nothing_behind() {
    let data = beside(Settings::default(), async |server: Beside| {
        let value = vec![b'v'; 1 << 20];
        let client = Client::connect(&server).await?;
        client
            .send([b"*3\r\n$3\r\nSET\r\n$1\r\nv\r\n$1048576\r\n", &value[..], b"\r\n"].concat())
            .await?;
        client.expect("+OK\r\n").await?;
        for sent in [
            "",
            "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000\r\nbegun",
            "SUBSCRIBE a\r\n",
            "SUBSCRIBE a\r\nPSUB",
            // More than anybody takes.
            &"GET v\r\n".repeat(100),
        ] {
            for reset in [false, true] {
                let other = Client::connect(&server).await?;
                other.ask("PING", "+PONG").await?;
                other.send(sent).await?;
                sleep(Duration::from_millis(1)).await?;
                if reset {
                    other.stream.set_linger(Some(Duration::ZERO))?;
                }
            }
        }
        // The writes notice, or their limit passes.
        sleep(Duration::from_secs(120)).await?;
        client.send("INFO clients\r\n").await?;
        client.expect("$32\r\n# Clients\r\nconnected_clients:1\r\n\r\n").await?;
        client.ask("PUBLISH a x", ":0").await
    });
    assert_eq!((data.counts.clients, data.counts.clients_ever), (0, 11));
}
