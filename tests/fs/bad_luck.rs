//! A full disk, no descriptors left, and signals.
//!
//! Limits hold for a whole process, so some of these run themselves as a child that has them.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use seedbed::fs::{self, Failure, File};
use seedbed::{nursery, yield_now};

use crate::support::run;
use crate::{Fifo, folder, make_fifo};

/// Runs the test of this name in a process that has no more of a resource than this.
fn in_child(name: &str, resource: i32, limit: u64) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", name, "--nocapture", "--test-threads=1"]).env("SEEDBED_CHILD", name);
    // SAFETY: both are system calls that may be made after a fork.
    unsafe {
        child.pre_exec(move || {
            // What comes with the error would end the process.
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            let limits = libc::rlimit { rlim_cur: limit as _, rlim_max: limit as _ };
            match libc::setrlimit(resource as _, &limits) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        });
    }
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
}

/// The user who may do nothing.
const NOBODY: libc::uid_t = 65534;

fn is_child(name: &str) -> bool {
    std::env::var_os("SEEDBED_CHILD").is_some_and(|child| child == name)
}

/// This device is always full.
#[test]
#[cfg(target_os = "linux")]
fn w04_a_full_disk_is_named() {
    run(async {
        let full = |error: &seedbed::Error| {
            let kind = error.downcast_ref().map(io::Error::kind);
            assert_eq!(kind, Some(io::ErrorKind::StorageFull), "{error}");
            assert!(error.to_string().starts_with("writing `/dev/full`: "), "{error}");
            assert_eq!(error.find().map(Failure::done), Some(0));
        };
        full(&fs::write("/dev/full", "x").await.unwrap_err());
        let mut file = File::options().write(true).open("/dev/full").await?;
        full(&file.write(b"x").await.unwrap_err());
        full(&file.write_all(b"x").await.unwrap_err());
        full(&file.write_at(b"x", 0).await.unwrap_err());
        full(&file.write_all_at(b"x", 0).await.unwrap_err());
        full(&futures::AsyncWriteExt::write(&mut file, b"x").await.unwrap_err().into());
        assert_eq!(file.position(), 0);
        Ok(())
    })
    .unwrap();
}

/// A file that may not grow further behaves as on a disk that becomes full: first it takes a part,
/// and then nothing.
#[test]
fn w04_a_disk_that_becomes_full_says_how_much_it_took() {
    const NAME: &str = "bad_luck::w04_a_disk_that_becomes_full_says_how_much_it_took";
    const LIMIT: u64 = 1_500_000;
    if !is_child(NAME) {
        return in_child(NAME, libc::RLIMIT_FSIZE as _, LIMIT);
    }
    let folder = folder();
    let [one, two, from] = ["one", "two", "from"].map(|name| folder.path().join(name));
    run(async {
        let bytes = vec![1; 4_000_000];
        let check = |error: seedbed::Error, path: &std::path::Path| {
            let failure = error.find::<Failure>().unwrap();
            assert_eq!(failure.io_error().unwrap().raw_os_error(), Some(libc::EFBIG), "{error}");
            assert_eq!(failure.done(), LIMIT, "{error}");
            assert_eq!(std::fs::metadata(path).unwrap().len(), LIMIT);
            assert!(error.to_string().contains(", after 1500000 bytes: "), "{error}");
        };
        check(fs::write(&one, &bytes).await.unwrap_err(), &one);
        let mut file = File::create(&two).await?;
        check(file.write_all(&bytes).await.unwrap_err(), &two);
        assert_eq!(file.position(), LIMIT, "the cursor is behind what was written");
        file.set_len(0).await?;
        check(file.write_all_at(&bytes, 0).await.unwrap_err(), &two);
        // A copy of something that is longer than a file may be, and takes no room.
        std::os::unix::fs::symlink("/dev/zero", &from)?;
        let error = fs::copy(&from, &two).await.unwrap_err();
        assert!(error.to_string().ends_with("this is not a file"), "{error}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w04_no_descriptors_left() {
    const NAME: &str = "bad_luck::w04_no_descriptors_left";
    if !is_child(NAME) {
        return in_child(NAME, libc::RLIMIT_NOFILE as _, 32);
    }
    let folder = folder();
    let path = folder.path().join("file");
    std::fs::write(&path, "hello").unwrap();
    run(async {
        let mut open = Vec::new();
        let error = loop {
            match File::open(&path).await {
                Ok(file) => open.push(file),
                Err(error) => break error,
            }
        };
        let check = |error: seedbed::Error, text: &str| {
            let failure = error.find::<Failure>().unwrap();
            assert_eq!(failure.io_error().unwrap().raw_os_error(), Some(libc::EMFILE), "{error}");
            assert!(error.to_string().starts_with(&format!("{text} `")), "{error}");
        };
        check(error, "opening");
        check(fs::read(&path).await.unwrap_err(), "reading");
        check(fs::write(&path, "J").await.unwrap_err(), "writing");
        check(fs::copy(&path, folder.path().join("to")).await.unwrap_err(), "copying");
        let mut entries = fs::read_dir(folder.path());
        check(entries.anext().await.unwrap_err(), "reading the directory");
        check(fs::remove_dir_all(folder.path()).await.unwrap_err(), "removing all of");
        // What is open goes on, and so does everything when there is room again.
        open[0].read_exact(&mut [0; 5]).await?;
        open.clear();
        assert_eq!(fs::read(&path).await?, b"hello", "nothing was lost");
        Ok(())
    })
    .unwrap();
}

/// Whoever may do everything is somebody else in the child.
#[test]
fn w04_what_is_forbidden_is_named() {
    const NAME: &str = "bad_luck::w04_what_is_forbidden_is_named";
    if !is_child(NAME) {
        return in_child(NAME, libc::RLIMIT_CORE as _, 0);
    }
    let folder = folder();
    let [secret, locked] = ["secret", "locked"].map(|name| folder.path().join(name));
    std::fs::write(&secret, "hello").unwrap();
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o0)).unwrap();
    std::fs::create_dir(&locked).unwrap();
    std::fs::write(locked.join("kept"), "").unwrap();
    std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o555)).unwrap();
    let below = locked.join("new");
    // SAFETY: this is a system call that takes numbers.
    if unsafe { libc::geteuid() } == 0 {
        for path in [folder.path(), &secret, &locked, &locked.join("kept")] {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        // SAFETY: likewise. There is no other thread yet than the harness's, which only waits.
        assert_eq!(unsafe { libc::setgid(NOBODY) | libc::setuid(NOBODY) }, 0);
    }
    run(async {
        let check = |error: seedbed::Error, text: &str, path: &std::path::Path| {
            let kind = error.downcast_ref().map(io::Error::kind);
            assert_eq!(kind, Some(io::ErrorKind::PermissionDenied), "{error}");
            let failure = error.find::<Failure>().unwrap();
            assert_eq!((failure.operation(), failure.path()), (text, path), "{error}");
        };
        check(fs::read(&secret).await.unwrap_err(), "reading", &secret);
        check(fs::write(&secret, "J").await.unwrap_err(), "writing", &secret);
        check(File::open(&secret).await.unwrap_err(), "opening", &secret);
        check(fs::write(&below, "x").await.unwrap_err(), "writing", &below);
        check(fs::create_dir(&below).await.unwrap_err(), "making the directory", &below);
        let (error, kept) = (fs::remove_dir_all(&locked).await.unwrap_err(), locked.join("kept"));
        check(error, "removing all of", &kept);
        assert!(kept.exists());
        fs::set_permissions(&locked, PermissionsExt::from_mode(0o755)).await?;
        fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).await?;
        assert_eq!(fs::read(&secret).await?, b"hello", "nothing was lost");
        fs::remove_dir_all(&locked).await
    })
    .unwrap();
}

/// A disk of 256 KiB, which only the child sees.
#[test]
#[cfg(target_os = "linux")]
fn w04_a_small_disk_becomes_full() {
    const NAME: &str = "bad_luck::w04_a_small_disk_becomes_full";
    if !is_child(NAME) {
        let folder = folder();
        let script = "mount -t tmpfs -o size=256k none \"$0\" || exit 77; exec \"$@\"";
        let mut child = Command::new("unshare");
        child.args(["-rm", "sh", "-c", script]).arg(folder.path());
        child.arg(std::env::current_exe().unwrap());
        child.args(["--exact", NAME, "--nocapture", "--test-threads=1"]);
        child.env("SEEDBED_CHILD", NAME).env("SEEDBED_DISK", folder.path());
        let Ok(output) = child.output() else { return eprintln!("there is no `unshare`") };
        let said = String::from_utf8_lossy(&output.stdout);
        if !said.contains("running 1 test") {
            return eprintln!("nothing can be mounted here: {output:?}");
        }
        return assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
    }
    let disk = std::path::PathBuf::from(std::env::var_os("SEEDBED_DISK").unwrap());
    let [one, two] = ["one", "two"].map(|name| disk.join(name));
    run(async {
        let bytes = vec![1; 1 << 20];
        let error = fs::write(&one, &bytes).await.unwrap_err();
        let kind = error.downcast_ref().map(io::Error::kind);
        assert_eq!(kind, Some(io::ErrorKind::StorageFull), "{error}");
        let done = error.find().map_or(0, Failure::done);
        assert!(done > 0 && std::fs::metadata(&one)?.len() == done, "{error}");
        let mut file = File::create(&two).await?;
        assert!(file.write_all(b"x").await.is_err());
        assert_eq!(file.position(), 0);
        // When there is room again it goes on.
        fs::remove_file(&one).await?;
        file.write_all(&bytes[..100_000]).await?;
        file.sync_all().await?;
        let error = fs::copy(&two, &one).await;
        assert_eq!(error?, 100_000);
        let three = disk.join("three");
        let error = fs::copy(&two, &three).await.unwrap_err();
        let failure = error.find::<Failure>().unwrap();
        assert_eq!((failure.path(), failure.to()), (&*two, Some(&*three)), "{error}");
        assert_eq!(failure.done(), std::fs::metadata(&three)?.len(), "{error}");
        Ok(())
    })
    .unwrap();
}

/// Signals reach threads that wait in `open` and `read`, and do not restart them.
#[test]
#[cfg(target_os = "linux")]
fn w04_a_signal_does_not_interrupt_an_operation() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn count(_: libc::c_int) {
        SEEN.fetch_add(1, Ordering::Relaxed);
    }
    /// Sends a signal to all threads that wait for a file, and waits until they have seen some.
    async fn interrupt() -> seedbed::Result<()> {
        let enough = SEEN.load(Ordering::Relaxed) + 100;
        while SEEN.load(Ordering::Relaxed) < enough {
            for thread in std::fs::read_dir("/proc/self/task")? {
                let thread = thread?;
                let name = std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
                if name.starts_with("seedbed worker") {
                    let id: libc::pid_t = thread.file_name().to_str().unwrap().parse()?;
                    // SAFETY: this is a system call that takes numbers.
                    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), id, libc::SIGUSR1) };
                }
            }
            yield_now().await?;
        }
        Ok(())
    }
    // SAFETY: the handler only counts.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = count as *const () as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
    }
    let folder = folder();
    let fifo = make_fifo(&folder);
    run(nursery(async |n| {
        let reading = n.spawn(async { fs::read(&fifo).await });
        crate::under_way(1).await?;
        interrupt().await?; // it waits in `open`
        let mut other = Fifo::write_to(&fifo).await?;
        other.pass(b"ab").await?;
        interrupt().await?; // in `read`
        other.pass(b"cd").await?;
        drop(other);
        assert_eq!(reading.await?, b"abcd");
        let opening = n.spawn(async { File::open(&fifo).await });
        crate::under_way(1).await?;
        interrupt().await?;
        drop(Fifo::write_to(&fifo).await?);
        drop(opening.await?);
        Ok(())
    }))
    .unwrap();
}
