//! Addresses and options.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use seedbed::net::{TcpListener, TcpSocket};
use seedbed::{Result, run};

use super::{kind_of, tcp_pair};

#[test]
fn addresses() {
    run(async {
        let ip = Ipv4Addr::LOCALHOST;
        for listener in [
            TcpListener::bind("127.0.0.1:0").await?,
            TcpListener::bind(String::from("127.0.0.1:0")).await?,
            TcpListener::bind(&String::from("127.0.0.1:0")).await?,
            TcpListener::bind(SocketAddr::from((ip, 0))).await?,
            TcpListener::bind((ip, 0)).await?,
            TcpListener::bind((IpAddr::V4(ip), 0)).await?,
            TcpListener::bind(("127.0.0.1", 0)).await?,
        ] {
            assert_eq!(listener.local_addr()?.ip(), ip);
        }
        let taken = TcpListener::bind("127.0.0.1:0").await?;
        let error = TcpListener::bind(taken.local_addr()?).await.unwrap_err();
        assert_eq!(kind_of(&error), Some(io::ErrorKind::AddrInUse));
        Ok(())
    })
    .unwrap();
}

#[test]
fn options() {
    run(async {
        let (client, _server) = tcp_pair().await?;
        client.set_nodelay(true)?;
        assert!(client.nodelay()?);
        assert_eq!(client.keepalive()?, None);
        client.set_keepalive(Some(Duration::from_secs(30)))?;
        assert_eq!(client.keepalive()?, Some(Duration::from_secs(30)));
        client.set_keepalive(None)?;
        assert_eq!(client.keepalive()?, None);
        client.set_linger(Some(Duration::ZERO))?;
        assert_eq!(client.linger()?, Some(Duration::ZERO));
        client.set_ttl(17)?;
        assert_eq!(client.ttl()?, 17);
        client.set_receive_buffer_size(8192)?;
        assert!(client.receive_buffer_size()? >= 8192);
        client.set_send_buffer_size(8192)?;
        assert!(client.send_buffer_size()? >= 8192);
        assert!(client.take_error()?.is_none());
        // And all others.
        socket2::SockRef::from(&client).set_tos_v4(0x10)?;
        assert_eq!(socket2::SockRef::from(&client).tos_v4()?, 0x10);
        Ok(())
    })
    .unwrap();
}

#[test]
fn two_listen_at_one_port() {
    let listen = |address: &str| -> Result<TcpListener> {
        let socket = TcpSocket::v4()?;
        socket.set_reuse_port(true)?;
        socket.bind(address)?;
        socket.listen(8)
    };
    let one = listen("127.0.0.1:0").unwrap();
    listen(&one.local_addr().unwrap().to_string()).unwrap();
}
