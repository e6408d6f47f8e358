//! Errors name the operation and the path, and are raised where it was called.

use std::io::{self, ErrorKind};
use std::path::Path;

use seedbed::fs::{self, Failure, File};
use seedbed::{Error, NotRunning, Result};

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
