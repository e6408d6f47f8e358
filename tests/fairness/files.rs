//! R7 for files: who reads what is in memory lets others run, and who waits for a thread is served
//! beside those who are always ready.

use std::cell::Cell;
use std::os::unix::fs::FileExt;

use futures::{AsyncReadExt, AsyncWriteExt};
use seedbed::fs::{self, File};
use seedbed::net::UnixStream;
use seedbed::{Nursery, Result, checkpoint, nursery};

use crate::turns_of_others;

/// Does `op` to a file on a disk, and to one that is nowhere but in memory.
fn lets_others_run(op: impl AsyncFn(&mut File) -> Result<()>) {
    let mut files = vec![tempfile::tempfile().unwrap()];
    #[cfg(target_os = "linux")]
    files.push({
        use std::os::fd::FromRawFd;

        // SAFETY: the name ends with a NUL, and the descriptor is nobody else's.
        unsafe {
            let descriptor = libc::memfd_create(c"test".as_ptr(), 0);
            assert!(descriptor >= 0, "{}", std::io::Error::last_os_error());
            std::fs::File::from_raw_fd(descriptor)
        }
    });
    for file in files {
        file.write_all_at(&[7; 10_000], 0).unwrap();
        let open = async |_: &Nursery<'_, '_>| Ok(File::from(file.try_clone()?));
        assert!(turns_of_others(open, &op) >= 24);
    }
}

#[test]
fn r07_reads_of_what_is_in_memory_let_others_run() {
    lets_others_run(async |file| file.read_at(&mut [0; 10], 0).await.map(drop));
    lets_others_run(async |file| file.read(&mut [0; 10]).await.map(drop));
    lets_others_run(async |file| Ok(AsyncReadExt::read(file, &mut [0; 10]).await.map(drop)?));
}

#[test]
fn r07_writes_to_what_is_in_memory_let_others_run() {
    lets_others_run(async |file| file.write_at(&[0; 10], 0).await.map(drop));
    lets_others_run(async |file| file.write_all_at(&[0; 10], 0).await);
    lets_others_run(async |file| file.write(&[0; 10]).await.map(drop));
    lets_others_run(async |file| Ok(AsyncWriteExt::write(file, &[0; 10]).await.map(drop)?));
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
