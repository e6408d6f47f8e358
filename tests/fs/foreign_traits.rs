//! The traits of `futures`.

use std::future::poll_fn;
use std::io::SeekFrom;
use std::pin::Pin;
use std::task::Poll;

use futures::io::{self, AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use futures::{AsyncWrite, StreamExt};
use seedbed::fs::File;
use seedbed::{Error, cancel_scope};

use crate::support::run;
use crate::{folder, long};

#[test]
fn w04_files_are_read_and_written_by_other_libraries() {
    let folder = folder();
    let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
    let program = async || {
        std::fs::write(&from, long())?;
        let mut file =
            File::options().read(true).write(true).create(true).truncate(true).open(&to).await?;
        assert_eq!(io::copy(File::open(&from).await?, &mut file).await?, 3_500_000);
        assert!(std::fs::read(&to)? == long());
        AsyncSeekExt::seek(&mut file, SeekFrom::End(-4)).await?;
        AsyncWriteExt::write_all(&mut file, b"\none\ntwo").await?;
        AsyncSeekExt::seek(&mut file, SeekFrom::Current(-7)).await?;
        let lines: Vec<_> = io::BufReader::new(&mut file).lines().collect().await;
        let lines: Result<Vec<_>, _> = lines.into_iter().collect();
        assert_eq!(lines?, ["one", "two"]);
        AsyncSeekExt::seek(&mut file, SeekFrom::Start(1)).await?;
        let mut bytes = Vec::new();
        AsyncReadExt::read_to_end(&mut file, &mut bytes).await?;
        assert_eq!(bytes.len(), 3_500_003);
        AsyncWriteExt::close(&mut file).await?;
        Ok(())
    };
    run(program()).unwrap();
    seedbed::run(program()).unwrap();
}

/// Polls a write once, and gives it up.
async fn begin(file: &mut File, bytes: &[u8]) -> bool {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *file).poll_write(cx, bytes).is_pending())).await
}

#[test]
fn w04_a_write_that_is_polled_again_is_the_same_and_another_comes_after_it() {
    let folder = folder();
    let path = folder.path().join("file");
    run(async {
        let mut file = File::create_new(&path).await?;
        assert!(begin(&mut file, b"same ").await);
        AsyncWriteExt::write_all(&mut file, b"same ").await?;
        assert!(begin(&mut file, b"former ").await);
        AsyncWriteExt::write_all(&mut file, b"latter").await?;
        assert_eq!(std::fs::read(&path)?, b"same former latter");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w04_a_cancellation_comes_through_other_libraries() {
    let folder = folder();
    let path = folder.path().join("file");
    std::fs::write(&path, "hello").unwrap();
    let program = async || {
        let mut file = File::open(&path).await?;
        let outcome = cancel_scope(async |scope| {
            scope.cancel();
            let mut text = String::new();
            let outcome = AsyncReadExt::read_to_string(&mut file, &mut text).await;
            let error = Error::from(outcome.unwrap_err());
            assert!(error.is_cancelled(), "{error}");
            Err::<(), _>(error)
        })
        .await?;
        assert!(outcome.is_none());
        Ok(())
    };
    run(program()).unwrap();
    seedbed::run(program()).unwrap();
}

#[test]
fn w04_errors_that_come_through_other_libraries_name_the_path() {
    let folder = folder();
    run(async {
        let mut file = File::open(folder.path()).await?;
        let error = AsyncReadExt::read(&mut file, &mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::IsADirectory);
        let text = format!("reading `{}`: ", folder.path().display());
        assert!(error.to_string().starts_with(&text), "{error}");
        Ok(())
    })
    .unwrap();
}

#[test]
#[cfg(feature = "tokio-io")]
fn w04_files_are_read_and_written_by_tokios_traits() {
    use tokio::io;

    let folder = folder();
    let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
    std::fs::write(&from, long()).unwrap();
    run(async {
        let [mut from, mut copy] = [File::open(&from).await?, File::create(&to).await?];
        assert_eq!(io::copy(&mut from, &mut copy).await?, 3_500_000);
        io::AsyncWriteExt::shutdown(&mut copy).await?;
        assert!(std::fs::read(&to)? == long());
        Ok(())
    })
    .unwrap();
}
