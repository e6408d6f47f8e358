//! Peers that do not speak TLS, or speak it badly.

use std::io;

use rustls::version::{TLS12, TLS13};
use seedbed::net::TcpListener;
use seedbed::tls::{self, TlsFailed};

use super::memory::{Memory, pair};
use super::support::run;
use super::{Configs, NAME, kind_of};

#[test]
fn w06_plain_text_is_told_from_tls() {
    run(async {
        let configs = Configs::new();
        let (near, far) = pair(1 << 20);
        far.outgoing().put(b"GET / HTTP/1.1\r\nhost: me\r\n\r\n");
        let error = tls::accept(&configs.server, near).await.unwrap_err();
        let text = "the TLS handshake with a client failed: the peer does not speak TLS; it began \
                    with `GET / HTTP/1.1\\r\\n`";
        assert_eq!(error.to_string(), text);
        assert_eq!(kind_of(&error), io::ErrorKind::InvalidData);
        // The client gets an alert of two bytes, in a record: 21 is its type.
        assert_eq!(far.incoming().take()[0], 21);

        let (near, far) = pair(1 << 20);
        far.outgoing().put(b"SSH-2.0-OpenSSH_9.2\r\n");
        let error = tls::connect(&configs.client, NAME, near).await.unwrap_err();
        assert!(error.to_string().contains("it began with `SSH-2.0-OpenSSH_`"), "{error}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_garbage_that_begins_like_tls_is_refused() {
    run(async {
        let configs = Configs::new();
        for garbage in [
            [0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5].as_slice(),
            &[0x16, 3, 1, 0xff, 0xff],
            &[0x17, 3, 3, 0, 1, 0],
            &[0x15, 3, 3, 0, 2, 2, 40],
            &[0x16; 100_000],
        ] {
            let (near, far) = pair(1 << 20);
            far.outgoing().put(garbage);
            let error = tls::accept(&configs.server, near).await.unwrap_err();
            assert_eq!(kind_of(&error), io::ErrorKind::InvalidData, "{error}");
            assert!(error.find::<TlsFailed>().is_some());
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_errors_of_a_server_name_the_clients_address() {
    seedbed::run(async {
        let configs = Configs::new();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let client = seedbed::net::TcpStream::connect(listener.local_addr()?).await?;
        let (server, peer) = listener.accept().await?;
        client.write_all(b"hello").await?;
        let error = tls::accept(&configs.server, server).await.unwrap_err();
        assert!(error.to_string().contains(&peer.to_string()), "{error}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_a_record_that_was_changed_is_refused_and_both_sides_know() {
    run(async {
        let (client, server) = Configs::new().pair(1 << 20).await?;
        client.write_all(b"one").await?;
        let pipe = client.with_stream(Memory::outgoing);
        let good = pipe.take();
        client.write_all(b"two").await?;
        let mut bad = pipe.take();
        *bad.last_mut().unwrap() ^= 1;
        pipe.put(&[good, bad].concat());
        let mut buffer = [0; 8];
        // What came before is read.
        assert_eq!(server.read(&mut buffer).await?, 3);
        let error = server.read(&mut buffer).await.unwrap_err();
        let tls = error.find::<TlsFailed>().and_then(TlsFailed::error);
        assert_eq!(tls, Some(&rustls::Error::DecryptError));
        let error = client.read(&mut buffer).await.unwrap_err();
        assert!(error.to_string().contains("BadRecordMac"), "{error}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_a_record_that_was_changed_is_an_error_also_after_this_side_has_ended() {
    run(async {
        for versions in [&[&TLS12], &[&TLS13]] {
            let (client, server) = Configs::speaking(versions).pair(1 << 20).await?;
            let mut buffer = [0; 8];
            server.write_all(b"one").await?;
            client.shutdown().await?;
            let pipe = server.with_stream(Memory::outgoing);
            pipe.put(&[0x17, 3, 3, 0, 3, 1, 2, 3]);
            assert_eq!(client.read(&mut buffer).await?, 3);
            let error = client.read(&mut buffer).await.unwrap_err();
            assert_eq!(kind_of(&error), io::ErrorKind::InvalidData);
            assert!(error.to_string().contains("`server.test`"), "{error}");
        }
        Ok(())
    })
    .unwrap();
}
