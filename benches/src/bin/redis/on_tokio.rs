//! The same server on tokio's current-thread runtime: what waits is written anew, as one would with
//! tokio, and the rest is the example's.
//!
//! Subscribers are left out; nothing here publishes.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use redis_server::client::budget::Budget;
use redis_server::client::buffers::Buffers;
use redis_server::client::{Client, Settings, Turn};
use redis_server::data::Data;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time;

/// Whether it does what a server has to, beside answering.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// A client that does not read is given up, and a stop ends the wait for requests, as in the
    /// example.
    Full,
    /// It reads, executes, and writes.
    None,
}

struct Server {
    data: RefCell<Data>,
    settings: Settings,
    budget: Rc<Budget>,
    buffers: Buffers,
    clients: Cell<u64>,
    begin: Instant,
    begin_since_1970: u64,
    stop: watch::Sender<bool>,
    care: Care,
}

pub fn run(port: u16, care: Care) {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    let served = runtime.expect("tokio runs").block_on(async {
        let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let settings = Settings::default();
        let server = Rc::new(Server {
            data: RefCell::default(),
            budget: Budget::new(settings.budget),
            settings,
            buffers: Buffers::default(),
            clients: Cell::new(0),
            begin: Instant::now(),
            begin_since_1970: since_1970.as_millis() as u64,
            stop: watch::channel(false).0,
            care,
        });
        serve(TcpListener::bind(("127.0.0.1", port)).await?, server).await
    });
    served.expect("a benchmark does not fail");
}

async fn serve(listener: TcpListener, server: Rc<Server>) -> io::Result<()> {
    let mut stop = server.stop.subscribe();
    let expiry = tokio::task::spawn_local(expire(server.clone()));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                connections.spawn_local(connection(stream, server.clone()));
            }
            Some(_) = connections.join_next() => {}
            _ = stop.changed() => break,
        }
    }
    drop(listener);
    let grace = time::timeout(server.settings.grace, async {
        while connections.join_next().await.is_some() {}
    });
    // Those that are left are aborted.
    drop(grace.await);
    expiry.abort();
    Ok(())
}

async fn expire(server: Rc<Server>) {
    loop {
        time::sleep(Duration::from_millis(100)).await;
        while server.at_present(|data| data.store.remove_due(1000)) == 1000 {
            tokio::task::yield_now().await;
        }
    }
}

impl Server {
    fn at_present<T>(&self, execute: impl FnOnce(&mut Data) -> T) -> T {
        let data = &mut *self.data.borrow_mut();
        data.store.set_now(self.begin_since_1970 + self.begin.elapsed().as_millis() as u64);
        execute(data)
    }
}

async fn connection(mut stream: TcpStream, server: Rc<Server>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    server.clients.set(server.clients.get() + 1);
    let mut client = Client::new(server.clients.get(), &server.settings, server.budget.clone());
    let mut stop = server.stop.subscribe();
    loop {
        let mut replies = server.buffers.take();
        let turn = server.at_present(|data| client.answer(data, &mut replies));
        if !replies.is_empty() {
            match server.care {
                Care::Full => {
                    time::timeout(server.settings.reply_limit, stream.write_all(&replies))
                        .await??;
                }
                Care::None => stream.write_all(&replies).await?,
            }
        }
        drop(replies);
        match turn {
            Turn::GoOn => {}
            Turn::Read => {
                let room = client.input.room().map_err(io::Error::other)?;
                let read = match server.care {
                    Care::Full => tokio::select! {
                        read = stream.read(room) => read?,
                        _ = stop.changed() => 0,
                    },
                    Care::None => stream.read(room).await?,
                };
                if read == 0 {
                    return Ok(());
                }
                client.input.filled(read);
            }
            Turn::Close | Turn::Subscribe => return Ok(()),
            Turn::Refuse(malformed) => return Err(io::Error::other(malformed)),
            Turn::Shutdown => {
                server.stop.send_replace(true);
                return Ok(());
            }
        }
    }
}
