//! Waits for a descriptor that the crate knows nothing about: Linux's inotify, which tells what
//! happens in a folder.
//!
//! ```text
//! cargo run --example watch_folder -- FOLDER
//! ```
//!
//! It prints the names of files that are created, written, renamed or deleted there, until Ctrl-C.
//! `Watch::changes` is an operation like those of the crate: it is a checkpoint, it can be
//! cancelled, and then it has taken nothing away.

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
    use seedbed::Result;
    use seedbed::fd::AsyncFd;

    /// What happens in a folder.
    pub struct Watch {
        inotify: AsyncFd<OwnedFd>,
    }

    impl Watch {
        pub fn new(folder: &Path) -> Result<Watch> {
            let start = || {
                let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
                let what = WatchFlags::CREATE
                    | WatchFlags::CLOSE_WRITE
                    | WatchFlags::MOVE
                    | WatchFlags::DELETE
                    | WatchFlags::ONLYDIR;
                inotify::add_watch(&inotify, folder, what)?;
                io::Result::Ok(inotify)
            };
            let inotify = start().map_err(|error| {
                io::Error::new(error.kind(), format!("watching {}: {error}", folder.display()))
            })?;
            Ok(Watch { inotify: AsyncFd::new(inotify)? })
        }

        /// Waits until something has happened, and says what.
        pub async fn changes(&self) -> Result<Vec<String>> {
            // One system call, inside `read_with`: either it has happened, and its value is
            // returned, or the wait was cancelled.
            self.inotify
                .read_with(|inotify| {
                    let mut buffer = [MaybeUninit::uninit(); 4096];
                    let mut reader = inotify::Reader::new(inotify, &mut buffer);
                    let mut changes = Vec::new();
                    loop {
                        let event = reader.next()?;
                        let name = event.file_name().unwrap_or_default().to_string_lossy();
                        changes.push(format!("{} {name}", verb(event.events())));
                        if reader.is_buffer_empty() {
                            return Ok(changes);
                        }
                    }
                })
                .await
        }
    }

    fn verb(events: ReadFlags) -> &'static str {
        let verbs = [
            (ReadFlags::CREATE, "created"),
            (ReadFlags::CLOSE_WRITE, "written"),
            (ReadFlags::MOVED_FROM, "renamed from"),
            (ReadFlags::MOVED_TO, "renamed to"),
            (ReadFlags::DELETE, "deleted"),
            (ReadFlags::QUEUE_OVERFLOW, "too much at once"),
        ];
        let verb = verbs.iter().find(|(flag, _)| events.contains(*flag));
        verb.map_or("the folder has gone", |(_, verb)| verb)
    }
}

#[cfg(target_os = "linux")]
pub use linux::Watch;

#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "a test includes this file")]
fn main() -> seedbed::Result<()> {
    let folder = std::env::args_os().nth(1).unwrap_or_else(|| ".".into());
    seedbed::run(async {
        let watch = Watch::new(folder.as_ref())?;
        loop {
            for change in watch.changes().await? {
                println!("{change}");
            }
        }
    })
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("inotify is part of Linux");
}
