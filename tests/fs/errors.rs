//! Errors name the operation and the path, and are raised where it was called.

use std::io::{self, ErrorKind};
use std::path::Path;

use seedbed::fs::{self, Failure, File};
use seedbed::{Error, NotRunning, Result, nursery, to_thread};

use crate::folder;
use crate::support::run;

/// The error of the call, which is of this kind and begins with this text, and is raised on `line`.
fn is<T>(outcome: Result<T>, kind: ErrorKind, text: &str, path: &Path, line: u32) {
    let error = outcome.err().expect("it fails");
    assert_eq!(error.downcast_ref().map(io::Error::kind), Some(kind), "{error}");
    assert!(error.to_string().starts_with(&format!("{text} `{}`", path.display())), "{error}");
    let failure = error.find::<Failure>().unwrap();
    assert_eq!((failure.operation(), failure.path()), (text, path));
    let system = failure.io_error().and_then(io::Error::raw_os_error);
    assert!(system.is_some(), "{error}");
    assert_eq!(error.place().map(|place| place.line()), Some(line), "{error:?}");
    assert_eq!(error.place().map(|place| place.file()), Some(file!()), "{error:?}");
}

/// The error of the call has the system's number, and names the operation and the path.
fn has_number<T>(outcome: Result<T>, number: i32, text: &str, path: &Path) {
    let error = outcome.err().expect("it fails");
    let failure = error.find::<Failure>().unwrap();
    assert_eq!(failure.io_error().and_then(io::Error::raw_os_error), Some(number), "{error}");
    assert_eq!((failure.operation(), failure.path()), (text, path));
    assert!(error.to_string().starts_with(&format!("{text} `{}`", path.display())), "{error}");
}

#[test]
fn w04_a_missing_file_is_named() {
    let folder = folder();
    let path = &*folder.path().join("missing");
    let (to, missing) = (folder.path().join("to"), ErrorKind::NotFound);
    run(async {
        is(fs::read(path).await, missing, "reading", path, line!());
        is(fs::read_to_string(path).await, missing, "reading", path, line!());
        is(File::open(path).await, missing, "opening", path, line!());
        is(fs::copy(path, &to).await, missing, "copying", path, line!());
        is(fs::rename(path, &to).await, missing, "renaming", path, line!());
        is(fs::hard_link(path, &to).await, missing, "linking", path, line!());
        is(fs::metadata(path).await, missing, "reading the metadata of", path, line!());
        is(fs::read_link(path).await, missing, "reading the link", path, line!());
        is(fs::canonicalize(path).await, missing, "resolving", path, line!());
        is(fs::remove_file(path).await, missing, "removing the file", path, line!());
        is(fs::remove_dir(path).await, missing, "removing the directory", path, line!());
        is(fs::remove_dir_all(path).await, missing, "removing all of", path, line!());
        is(fs::read_dir(path).anext().await, missing, "reading the directory", path, line!());
        let below = &*path.join("below");
        is(fs::write(below, "").await, missing, "writing", below, line!());
        is(File::create(below).await, missing, "opening", below, line!());
        is(fs::create_dir(below).await, missing, "making the directory", below, line!());
        let error = fs::rename(path, &to).await.unwrap_err();
        assert_eq!(error.find().and_then(Failure::to), Some(&*to));
        assert!(error.to_string().contains(&format!("to `{}`: ", to.display())), "{error}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w04_a_directory_where_a_file_is_meant() {
    let folder = folder();
    let (path, kind) = (folder.path(), ErrorKind::IsADirectory);
    let program = async || {
        is(fs::read(path).await, kind, "reading", path, line!());
        is(fs::write(path, "").await, kind, "writing", path, line!());
        let mut file = File::open(path).await?;
        is(file.read(&mut [0]).await, kind, "reading", path, line!());
        is(file.read_at(&mut [0], 0).await, kind, "reading", path, line!());
        is(file.read_exact(&mut [0]).await, kind, "reading", path, line!());
        is(file.read_to_end(&mut Vec::new()).await, kind, "reading", path, line!());
        let error = fs::copy(path, path.join("to")).await.unwrap_err();
        assert!(error.to_string().ends_with("this is not a file"), "{error}");
        Ok(())
    };
    run(program()).unwrap();
    seedbed::run(program()).unwrap();
}

#[test]
fn w04_a_file_where_a_directory_is_meant() {
    let folder = folder();
    let path = &*folder.path().join("file");
    std::fs::write(path, "").unwrap();
    let kind = ErrorKind::NotADirectory;
    run(async {
        is(fs::read_dir(path).anext().await, kind, "reading the directory", path, line!());
        is(fs::read(path.join("x")).await, kind, "reading", &path.join("x"), line!());
        is(fs::remove_dir_all(path).await, kind, "removing all of", path, line!());
        Ok(())
    })
    .unwrap();
    assert!(path.exists());
}

/// A file that is not open for it.
#[test]
fn w04_a_file_that_may_not_be_written_or_read() {
    let folder = folder();
    let path = &*folder.path().join("file");
    std::fs::write(path, "hello").unwrap();
    let program = async || {
        let mut file = File::open(path).await?;
        let error = file.write_all(b"x").await.unwrap_err();
        assert!(error.to_string().starts_with("writing `"), "{error}");
        assert_eq!(file.position(), 0);
        let mut file = File::options().write(true).open(path).await?;
        let error = file.read(&mut [0]).await.unwrap_err();
        assert!(error.to_string().starts_with("reading `"), "{error}");
        Ok(())
    };
    run(program()).unwrap();
    seedbed::run(program()).unwrap();
}

/// A link that leads to itself.
#[test]
fn w04_a_circle_of_links_is_named() {
    let folder = folder();
    let path = &*folder.path().join("circle");
    std::os::unix::fs::symlink("circle", path).unwrap();
    run(async {
        for (outcome, text) in [
            (fs::read(path).await.map(drop), "reading"),
            (fs::write(path, "x").await, "writing"),
            (File::open(path).await.map(drop), "opening"),
            (fs::metadata(path).await.map(drop), "reading the metadata of"),
            (fs::read_dir(path).anext().await.map(drop), "reading the directory"),
        ] {
            has_number(outcome, libc::ELOOP, text, path);
        }
        fs::remove_dir_all(path).await // which follows no link
    })
    .unwrap();
    assert!(path.symlink_metadata().is_err());
}

#[test]
fn w04_a_name_that_is_too_long_is_named() {
    let folder = folder();
    let path = &*folder.path().join("n".repeat(300));
    run(async {
        has_number(fs::read(path).await, libc::ENAMETOOLONG, "reading", path);
        has_number(fs::write(path, "x").await, libc::ENAMETOOLONG, "writing", path);
        has_number(fs::create_dir(path).await, libc::ENAMETOOLONG, "making the directory", path);
        let old = &*folder.path().join("old");
        fs::write(old, "kept").await?;
        has_number(fs::rename(old, path).await, libc::ENAMETOOLONG, "renaming", old);
        assert_eq!(fs::read(old).await?, b"kept");
        Ok(())
    })
    .unwrap();
}

/// The system does not have such names, so it is the library that refuses them.
#[test]
fn w04_a_name_with_a_nul_in_it_is_refused() {
    let path = Path::new("a\0b");
    run(async {
        for outcome in [
            fs::read(path).await.map(drop),
            fs::write(path, "x").await,
            File::open(path).await.map(drop),
            fs::rename(path, "b").await,
            fs::remove_dir_all(path).await,
            fs::create_dir_all(path).await,
            fs::read_dir(path).anext().await.map(drop),
        ] {
            let error = outcome.unwrap_err();
            let kind = error.downcast_ref().map(io::Error::kind);
            assert_eq!(kind, Some(ErrorKind::InvalidInput), "{error}");
            assert_eq!(error.find().map(Failure::path), Some(path), "{error}");
        }
        Ok(())
    })
    .unwrap();
}

/// A name is bytes.
#[test]
#[cfg(target_os = "linux")]
fn w04_a_name_that_is_not_utf8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = folder();
    let name = OsStr::from_bytes(b"a\xffb");
    let path = &*folder.path().join(name);
    run(async {
        is(fs::read(path).await, ErrorKind::NotFound, "reading", path, line!());
        fs::write(path, "hello").await?;
        let entry = fs::read_dir(folder.path()).anext().await?.unwrap();
        assert_eq!((entry.file_name().as_os_str(), &*entry.path()), (name, path));
        assert_eq!(fs::read(entry.path()).await?, b"hello");
        fs::remove_dir_all(folder.path()).await
    })
    .unwrap();
    assert!(!folder.path().exists());
}

/// They have no positions.
#[test]
fn w04_a_pipe_is_no_file() {
    let folder = folder();
    let path = crate::make_fifo(&folder);
    run(async {
        let mut file = File::options().read(true).write(true).open(&path).await?;
        let error = file.read(&mut [0]).await.unwrap_err();
        assert_eq!(
            error.downcast_ref().map(io::Error::kind),
            Some(ErrorKind::NotSeekable),
            "{error}"
        );
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w04_outside_of_a_run_there_are_no_threads() {
    fn fails<T>(outcome: Result<T>) {
        let error: Error = outcome.err().expect("it fails");
        assert!(error.is::<NotRunning>(), "{error}");
    }
    fails(futures::executor::block_on(fs::read("Cargo.toml")));
    fails(futures::executor::block_on(File::open("Cargo.toml")));
    fails(fs::current_limiter());
}

/// A file system that hangs holds up other files, but no other work on threads.
#[test]
fn w04_files_that_hang_do_not_hold_up_other_threads() {
    let folder = folder();
    let fifo = crate::make_fifo(&folder);
    run(nursery(async |n| {
        let held = n.spawn(crate::hold_up(fifo.clone()));
        crate::under_way(1).await?;
        assert_eq!(to_thread(|| 7).await?, 7);
        assert!(!held.is_finished());
        drop(crate::Fifo::write_to(&fifo).await?);
        held.await
    }))
    .unwrap();
}

#[test]
fn w04_operations_are_under_a_limiter_of_their_own() {
    run(async {
        let limiter = fs::current_limiter()?;
        assert_eq!(limiter.total(), 64);
        limiter.set_total(1);
        assert_eq!(seedbed::current_default_thread_limiter()?.total(), 40);
        assert_eq!(fs::current_limiter()?.total(), 1);
        Ok(())
    })
    .unwrap();
    run(async {
        assert_eq!(fs::current_limiter()?.total(), 64, "each run has one");
        Ok(())
    })
    .unwrap();
}
