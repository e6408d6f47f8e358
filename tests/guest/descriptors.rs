//! An `epoll` in an `epoll`.

use std::rc::Rc;

use rustix::event::{EventfdFlags, eventfd};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use seedbed::fd::AsyncFd;
use seedbed::{Builder, nursery};

use crate::on_tokio;
use crate::support::alone::alone;

const SOURCES: u64 = 6_000;

#[test]
fn x03_six_thousand_sources_that_are_readable_at_once_are_all_served() {
    let name = "descriptors::x03_six_thousand_sources_that_are_readable_at_once_are_all_served";
    alone(name, || {
        let limit = getrlimit(Resource::Nofile);
        let current = limit.maximum.map_or(SOURCES + 100, |most| most.min(SOURCES + 100));
        let current = current.max(limit.current.unwrap_or(current));
        setrlimit(Resource::Nofile, Rlimit { current: Some(current), ..limit }).unwrap();
        let sources = SOURCES.min(current - 100);
        assert!(sources > 2 * 1024, "more than are taken at once");

        let event = || eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).unwrap();
        let events: Vec<_> = (0..sources).map(|_| Rc::new(event())).collect();
        on_tokio(async {
            let (waiting, all_wait) = tokio::sync::oneshot::channel();
            let mut waiting = Some(waiting);
            let serving = Builder::new().guest(nursery(async |n| {
                let mut tasks = Vec::new();
                for event in &events {
                    let source = AsyncFd::new(event.clone())?;
                    tasks.push(n.spawn(async move { source.read(&mut [0; 8]).await }));
                }
                // They are polled first.
                let told = waiting.take().unwrap();
                n.spawn(async move {
                    told.send(()).unwrap();
                    Ok(())
                });
                let mut read = 0;
                for task in tasks {
                    read += task.await? as u64 / 8;
                }
                Ok(read)
            }));
            let writing = async {
                all_wait.await.unwrap();
                // They are asleep when the host has polled everything else.
                tokio::task::yield_now().await;
                for event in &events {
                    rustix::io::write(event, &1_u64.to_ne_bytes()).unwrap();
                }
            };
            let (read, ()) = futures::join!(serving, writing);
            assert_eq!(read.unwrap(), sources);
        });
    });
}
