//! R7 for files: who reads what is in memory lets others run, and who waits for a thread is served
//! beside those who are always ready.

use std::cell::Cell;

use futures::AsyncReadExt;
use seedbed::fs::{self, File};
use seedbed::net::UnixStream;
use seedbed::{Nursery, checkpoint, nursery};

use crate::turns_of_others;

#[test]
fn r07_reads_of_what_is_in_memory_let_others_run() {
    let temporary = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&temporary, vec![7; 10_000]).unwrap();
    let open = async |_: &Nursery<'_, '_>| File::open(&temporary).await;
    let at = async |file: &mut File| file.read_at(&mut [0; 10], 0).await.map(drop);
    assert!(turns_of_others(open, at) >= 24);
    let next = async |file: &mut File| file.read(&mut [0; 10]).await.map(drop);
    assert!(turns_of_others(open, next) >= 24);
    let foreign =
        async |file: &mut File| Ok(AsyncReadExt::read(file, &mut [0; 10]).await.map(drop)?);
    assert!(turns_of_others(open, foreign) >= 24);
}

/// Files, a socket and tasks that are always ready: each of them goes on.
#[test]
fn r07_files_and_sockets_do_not_starve_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let done = Cell::new(0);
    seedbed::run(async {
        let (one, other) = UnixStream::pair()?;
        let file = File::options().read(true).write(true).create(true).open(&path).await?;
        file.write_all_at(b"hello", 0).await?;
        nursery(async |n| {
            for _ in 0..3 {
                // They go on until all that wait have been served.
                n.spawn(async {
                    while done.get() < 3 {
                        file.read_at(&mut [0; 5], 0).await?;
                    }
                    Ok(())
                });
                n.spawn(async {
                    while done.get() < 3 {
                        checkpoint().await?;
                    }
                    Ok(())
                });
            }
            n.spawn(async {
                for _ in 0..20 {
                    one.write_all(b"ping").await?;
                    one.read_exact(&mut [0; 4]).await?;
                }
                done.set(done.get() + 1);
                Ok(())
            });
            n.spawn(async {
                for _ in 0..20 {
                    other.read_exact(&mut [0; 4]).await?;
                    other.write_all(b"pong").await?;
                }
                done.set(done.get() + 1);
                Ok(())
            });
            for _ in 0..20 {
                fs::write(folder.path().join("other"), "hello").await?;
                fs::read(folder.path().join("other")).await?;
            }
            done.set(done.get() + 1);
            Ok(())
        })
        .await
    })
    .unwrap();
}
