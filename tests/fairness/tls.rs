//! R7 for TLS: a connection on which there is always something to read, or always room to write, and
//! a peer that does not stop, let others run.

#[path = "../support/tls.rs"]
mod configs;
#[path = "../support/memory.rs"]
mod memory;

use rustls::version::TLS13;
use seedbed::tls::{self, TlsStream};
use seedbed::{Nursery, Result};

use crate::turns_of_others;
use configs::{Configs, NAME};
use memory::{Memory, pair};

type Ends = (TlsStream<Memory>, TlsStream<Memory>);

async fn connected(_: &Nursery<'_, '_>) -> Result<Ends> {
    let (near, far) = pair(1 << 20);
    Configs::new(&[&TLS13]).connect(near, far).await
}

#[test]
fn r07_reads_of_what_has_come_over_tls_let_others_run() {
    let open = async |n: &Nursery<'_, '_>| {
        let (client, server) = connected(n).await?;
        client.write_all(&[7; 10_000]).await?;
        Ok((client, server))
    };
    let read = async |(_, server): &mut Ends| server.read(&mut [0; 10]).await.map(drop);
    assert!(turns_of_others(open, read) >= 24);
    let exact = async |(_, server): &mut Ends| server.read_exact(&mut [0; 10]).await;
    assert!(turns_of_others(open, exact) >= 24);
    let foreign = async |(_, server): &mut Ends| {
        Ok(futures::AsyncReadExt::read(&mut &*server, &mut [0; 10]).await.map(drop)?)
    };
    assert!(turns_of_others(open, foreign) >= 24);
}

#[test]
fn r07_writes_that_find_room_over_tls_let_others_run() {
    let write = async |(client, _): &mut Ends| {
        assert_eq!(client.write(&[7; 10]).await?, 10);
        Ok(())
    };
    assert!(turns_of_others(connected, write) >= 24);
    let all = async |(client, _): &mut Ends| client.write_all(&[7; 10]).await;
    assert!(turns_of_others(connected, all) >= 24);
    let flush = async |(client, _): &mut Ends| client.flush().await;
    assert!(turns_of_others(connected, flush) >= 24);
    let shutdown = async |(client, _): &mut Ends| client.shutdown().await;
    assert!(turns_of_others(connected, shutdown) >= 24);
    let foreign = async |(client, _): &mut Ends| {
        Ok(futures::AsyncWriteExt::write(&mut &*client, &[7; 10]).await.map(drop)?)
    };
    assert!(turns_of_others(connected, foreign) >= 24);
}

#[test]
fn r07_handshakes_with_peers_that_do_not_speak_tls_let_others_run() {
    let open = async |_: &Nursery<'_, '_>| Ok(Configs::new(&[&TLS13]));
    let accept = async |configs: &mut Configs| {
        let (near, far) = pair(1 << 20);
        far.outgoing().put(b"GET / HTTP/1.1\r\n\r\n");
        tls::accept(&configs.server, near).await.unwrap_err();
        Ok(())
    };
    assert!(turns_of_others(open, accept) >= 24);
    let connect = async |configs: &mut Configs| {
        let (near, far) = pair(1 << 20);
        far.outgoing().put(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        tls::connect(&configs.client, NAME, near).await.unwrap_err();
        Ok(())
    };
    assert!(turns_of_others(open, connect) >= 24);
}
