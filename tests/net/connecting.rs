//! W2 and W7: how connections begin, and what Unix sockets are called.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use seedbed::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, Cancelled, Error, Result, TooSlow, cancel_scope, fail_after, nursery, run, sleep,
};

fn kind_of(error: &Error) -> io::ErrorKind {
    error.downcast_ref::<io::Error>().expect("an I/O error").kind()
}

/// A folder that goes when this does.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("seedbed-connecting-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A listener whose queue has room for one, the smallest that Linux allows.
#[cfg(target_os = "linux")]
fn narrow_listener(path: &Path) -> Result<UnixListener> {
    use socket2::{Domain, SockAddr, Socket, Type};
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(0)?;
    UnixListener::from_std(socket.into())
}

// TCP.

/// A socket that has a port and connects to that very port is connected with itself, as far as the
/// kernel is concerned: without asking for it, one meets this where the kernel chooses the port.
#[test]
fn w07_a_socket_is_never_connected_with_itself() {
    let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    let mapped = SocketAddr::from((Ipv4Addr::LOCALHOST.to_ipv6_mapped(), 0));
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    run(async {
        for address in [v4, v6, mapped, any] {
            let new = || if address.is_ipv4() { TcpSocket::v4() } else { TcpSocket::v6() };
            let socket = new()?;
            if let Err(error) = socket.bind(address) {
                assert_eq!(kind_of(&error), io::ErrorKind::AddrNotAvailable);
                continue; // a machine without IPv6
            }
            let address = socket.local_addr()?;
            let error = socket.connect(address).await.unwrap_err();
            assert_eq!(kind_of(&error), io::ErrorKind::ConnectionRefused);
            let text = error.to_string();
            assert!(text.contains(&address.to_string()) && text.contains("itself"), "{text}");
            // It has left nothing behind: anybody may have the port, at once.
            new()?.bind(address)?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn w07_two_sockets_with_the_same_port_at_different_addresses_are_two() {
    run(async {
        let listening = TcpSocket::v4()?;
        listening.bind("127.0.0.1:0")?;
        let listener = listening.listen(1)?;
        let address = listener.local_addr()?;
        let socket = TcpSocket::v4()?;
        socket.bind(("127.0.0.2", address.port()))?;
        let client = socket.connect(address).await?;
        assert_eq!(client.local_addr()?.port(), client.peer_addr()?.port());
        listener.accept().await?.0.write_all(b"hello").await?;
        client.read_exact(&mut [0; 5]).await
    })
    .unwrap();
}

/// Some systems answer so with `EAGAIN`, which would read as if it were worth waiting.
#[test]
fn w07_that_no_port_is_free_is_said_so() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let connect = async |from: SocketAddr| {
            let socket = TcpSocket::v4()?;
            socket.set_reuse_address(true)?;
            socket.bind(from)?;
            socket.connect(address).await
        };
        let one = connect((Ipv4Addr::LOCALHOST, 0).into()).await?;
        let error = connect(one.local_addr()?).await.unwrap_err();
        assert_eq!(kind_of(&error), io::ErrorKind::AddrNotAvailable);
        let text = error.to_string();
        assert!(text.contains(&address.to_string()) && text.contains("port is free"), "{text}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w07_who_is_refused_is_told_the_address() {
    run(async {
        let bound = TcpSocket::v4()?;
        bound.bind("127.0.0.1:0")?;
        let address = bound.local_addr()?; // where nobody listens
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let taken = listener.local_addr()?;
        for (error, kind, address) in [
            (TcpStream::connect(address).await.err(), io::ErrorKind::ConnectionRefused, address),
            (
                TcpSocket::v4()?.connect(address).await.err(),
                io::ErrorKind::ConnectionRefused,
                address,
            ),
            (TcpListener::bind(taken).await.err(), io::ErrorKind::AddrInUse, taken),
            (TcpSocket::v4()?.bind(taken).err(), io::ErrorKind::AddrInUse, taken),
        ] {
            let error = error.expect("it was to fail");
            assert_eq!(kind_of(&error), kind);
            assert!(error.to_string().contains(&address.to_string()), "{error}");
        }
        Ok(())
    })
    .unwrap();
}

// A queue that is full.

/// Fills the queue of a listener, and returns what is in there.
#[cfg(target_os = "linux")]
async fn fill(path: &Path) -> Result<Vec<UnixStream>> {
    let mut waiting = Vec::new();
    let filled: Result<()> = fail_after(Duration::from_secs(10), async {
        loop {
            waiting.push(UnixStream::connect(path).await?);
        }
    })
    .await;
    assert!(filled.unwrap_err().is::<TooSlow>());
    Ok(waiting)
}

#[test]
#[cfg(target_os = "linux")]
fn w07_connect_waits_for_room_in_a_full_queue() {
    let folder = Folder::new("room");
    let path = folder.path("socket");
    let clock = VirtualClock::new();
    Builder::new()
        .clock(&clock)
        .run(async {
            let listener = narrow_listener(&path)?;
            let waiting = fill(&path).await?;
            nursery(async |n| {
                for number in 0..4_u8 {
                    let path = &path;
                    n.spawn(
                        async move { UnixStream::connect(path).await?.write_all(&[number]).await },
                    );
                }
                sleep(Duration::from_secs(60)).await?;
                for _ in &waiting {
                    listener.accept().await?;
                }
                let mut came = Vec::new();
                for _ in 0..4 {
                    let (stream, _) = listener.accept().await?;
                    stream.read_to_end(&mut came).await?;
                }
                came.sort();
                assert_eq!(came, [0, 1, 2, 3]);
                Ok(())
            })
            .await
        })
        .unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn w07_connect_waits_for_as_long_as_its_scope_lets_it() {
    let folder = Folder::new("scope");
    let path = folder.path("socket");
    let clock = VirtualClock::new();
    Builder::new()
        .clock(&clock)
        .run(async {
            let listener = narrow_listener(&path)?;
            let waiting = fill(&path).await?;
            let began = clock.elapsed();
            let limit = Duration::from_millis(300);
            let outcome = fail_after(limit, UnixStream::connect(&path)).await;
            assert!(outcome.unwrap_err().is::<TooSlow>());
            assert_eq!(clock.elapsed() - began, limit);
            // Again and again, in a scope that is cancelled. Those that gave up are not in the
            // queue.
            cancel_scope(async |scope| {
                scope.cancel();
                for _ in 0..3 {
                    let outcome = UnixStream::connect(&path).await;
                    assert!(outcome.unwrap_err().is::<Cancelled>());
                }
                Ok(())
            })
            .await?;
            for _ in &waiting {
                listener.accept().await?;
            }
            assert!(listener.try_accept()?.is_none());
            Ok(())
        })
        .unwrap();
}

// Names in the Unix domain.

/// What a call of this crate says about a name, in each of the ways in.
async fn each_way(name: &Path) -> Vec<(&'static str, Result<()>)> {
    vec![
        ("connect", UnixStream::connect(name).await.map(drop)),
        ("bind", UnixListener::bind(name).await.map(drop)),
    ]
}

#[test]
fn w02_a_name_that_is_none_is_refused_in_every_way() {
    let folder = Folder::new("refused");
    let long = folder.path(&"x".repeat(200));
    let with_nul = folder.path("a\0b");
    run(async {
        for name in [&with_nul, &long, Path::new(""), Path::new("\0")] {
            for (way, outcome) in each_way(name).await {
                let error = outcome.expect_err(&format!("{way} of {name:?}"));
                assert_eq!(kind_of(&error), io::ErrorKind::InvalidInput, "{way} of {name:?}");
                assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
            }
        }
        // Nothing was made on the way, for instance under half of the name.
        assert_eq!(fs::read_dir(&folder.0)?.count(), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn w02_a_name_means_the_same_in_every_way() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{self, SocketAddr};

    let folder = Folder::new("same");
    let process = std::process::id();
    // What this crate takes, and the standard library's form of it.
    let mut names: Vec<(PathBuf, SocketAddr)> = Vec::new();
    for name in [format!("seedbed-{process}"), format!("seed\0bed-{process}")] {
        let ours = std::ffi::OsString::from(format!("\0{name}"));
        names.push((ours.into(), SocketAddr::from_abstract_name(name).unwrap()));
    }
    // A path as long as possible, and one that is not UTF-8.
    let room = 107 - folder.0.as_os_str().len() - 1;
    for name in [b"x".repeat(room), b"\xff\xfe".to_vec()] {
        let path = folder.0.join(std::ffi::OsStr::from_bytes(&name));
        names.push((path.clone(), SocketAddr::from_pathname(&path).unwrap()));
    }
    run(async {
        for (name, address) in &names {
            for listening in 0..4 {
                let listener = match listening {
                    0 => UnixListener::bind(name).await?,
                    1 => UnixListener::bind_addr(address).await?,
                    2 => UnixListener::from_std(net::UnixListener::bind_addr(address)?)?,
                    _ => {
                        let listener = mio::net::UnixListener::bind_addr(address)?;
                        UnixListener::from_std(listener.into())?
                    }
                };
                assert_eq!(format!("{:?}", listener.local_addr()?), format!("{address:?}"));
                let std = net::UnixStream::connect_addr(address)?;
                let mio = mio::net::UnixStream::connect_addr(address)?;
                for client in [
                    UnixStream::connect(name).await?,
                    UnixStream::connect_addr(address).await?,
                    UnixStream::from_std(std)?,
                    UnixStream::from_std(mio.into())?,
                ] {
                    assert_eq!(format!("{:?}", client.peer_addr()?), format!("{address:?}"));
                    drop(client);
                    listener.accept().await?;
                }
                drop(listener);
                if let Some(path) = address.as_pathname() {
                    fs::remove_file(path)?;
                }
            }
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn w02_a_stale_socket_is_named() {
    let folder = Folder::new("stale");
    let path = folder.path("socket");
    run(async {
        drop(UnixListener::bind(&path).await?);
        let error = UnixListener::bind(&path).await.unwrap_err();
        assert_eq!(kind_of(&error), io::ErrorKind::AddrInUse);
        let text = error.to_string();
        assert!(text.contains(&format!("{path:?}")) && text.contains("remove it"), "{text}");
        let error = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(kind_of(&error), io::ErrorKind::ConnectionRefused);
        assert!(error.to_string().contains(&format!("{path:?}")), "{error}");
        let missing = folder.path("missing");
        let error = UnixStream::connect(&missing).await.unwrap_err();
        assert_eq!(kind_of(&error), io::ErrorKind::NotFound);
        assert!(error.to_string().contains(&format!("{missing:?}")), "{error}");
        Ok(())
    })
    .unwrap();
}
