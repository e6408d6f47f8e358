//! async-io, and so smol, as the host.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use async_io::{Async, Timer};
use seedbed::net::{TcpListener, TcpStream};
use seedbed::{Builder, Guest, Host, Result, Token, nursery, sleep, sleep_forever, to_thread};

struct Smol {
    news: Async<OwnedFd>,
    alarm: Timer,
}

impl Smol {
    fn new(news: OwnedFd) -> io::Result<Smol> {
        Ok(Smol { news: Async::new(news)?, alarm: Timer::never() })
    }
}

impl Host for Smol {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.news.poll_readable(cx)
    }

    fn poll_at(&mut self, moment: Instant, cx: &mut Context<'_>) -> Poll<()> {
        self.alarm.set_at(moment);
        Pin::new(&mut self.alarm).poll(cx).map(drop)
    }
}

fn guest<'a, T: 'a>(main: impl Future<Output = Result<T>> + 'a) -> Guest<'a, T> {
    Builder::new().guest_on(Smol::new, main)
}

#[test]
fn x03_a_guest_of_async_io_waits_for_timers_sockets_and_threads() {
    let said = async_io::block_on(guest(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        nursery(async |n| {
            n.service(async {
                loop {
                    let (stream, _) = listener.accept().await?;
                    n.spawn(async move {
                        let mut byte = [0];
                        while stream.read(&mut byte).await? > 0 {
                            stream.write_all(&byte).await?;
                        }
                        Ok(())
                    });
                }
            });
            let stream = TcpStream::connect(address).await?;
            let mut said = Vec::new();
            for byte in 0..50 {
                stream.write_all(&[byte]).await?;
                let mut answer = [0];
                stream.read(&mut answer).await?;
                said.extend(answer);
            }
            sleep(Duration::from_millis(1)).await?;
            to_thread(move || said).await
        })
        .await
    }));
    assert_eq!(said.unwrap(), (0..50).collect::<Vec<u8>>());
}

#[test]
fn x03_two_guests_of_async_io_and_a_timer_of_its_own_go_on_together() {
    async_io::block_on(async {
        let (sender, receiver) = std::sync::mpsc::channel();
        let woken = guest(async {
            sender.send(Token::current()?).unwrap();
            sleep_forever().await
        });
        let cancel = woken.cancel_handle();
        let waking = thread::spawn(move || {
            let token: Token = receiver.recv().unwrap();
            token.run_sync(|| ()).unwrap();
            cancel.cancel();
        });
        let sleeping = guest(sleep(Duration::from_millis(2)));
        let (woken, slept, _) =
            futures::join!(woken, sleeping, Timer::after(Duration::from_millis(1)));
        assert!(woken.unwrap_err().is_cancelled());
        slept.unwrap();
        waking.join().unwrap();
    });
}

#[test]
fn x03_a_busy_guest_of_async_io_lets_others_run() {
    let polls = Cell::new(0);
    async_io::block_on(async {
        let busy = guest(async {
            for _ in 0..10_000 {
                seedbed::checkpoint().await?;
            }
            Ok(())
        });
        crate::polled(busy, || polls.set(polls.get() + 1)).await.unwrap();
    });
    assert!(polls.get() >= 10_000 / 512);
}
