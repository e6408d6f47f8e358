//! Traits of other libraries.

use futures::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, TryStreamExt, io::BufReader};
use seedbed::nursery;
use seedbed::process::{Command, Stdio};

use crate::support::{cancelled, run};

#[test]
fn w03_pipes_are_readers_and_writers_of_futures() {
    run(nursery(async |n| {
        let mut cat = Command::new("cat");
        let mut cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn(n)?;
        let (mut stdin, mut stdout) = (cat.stdin.take().unwrap(), cat.stdout.take().unwrap());
        AsyncWriteExt::write_all(&mut stdin, b"one\ntwo\n").await?;
        stdin.flush().await?;
        stdin.close().await?;
        let error = AsyncWriteExt::write_all(&mut stdin, b"three").await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        stdin.close().await?; // again
        let mut text = String::new();
        stdout.read_to_string(&mut text).await?;
        assert_eq!(text, "one\ntwo\n");
        Ok(())
    }))
    .unwrap();
}

#[test]
fn w03_a_read_that_is_cancelled_takes_nothing() {
    run(nursery(async |n| {
        let mut printf = Command::new("printf");
        let mut printf = printf.arg("one\\ntwo\\n").stdout(Stdio::piped()).spawn(n)?;
        let mut stdout = printf.stdout.take().unwrap();
        printf.wait().await?;
        assert!(cancelled(stdout.read(&mut [0; 4])).await?.is_none());
        let foreign = async { Ok(AsyncReadExt::read(&mut stdout, &mut [0; 4]).await?) };
        assert!(cancelled(foreign).await?.is_none());
        let lines: Vec<String> = BufReader::new(stdout).lines().try_collect().await?;
        assert_eq!(lines, ["one", "two"]);
        Ok(())
    }))
    .unwrap();
}

#[cfg(feature = "tokio-io")]
#[test]
fn w03_pipes_are_readers_and_writers_of_tokio() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    run(nursery(async |n| {
        let mut cat = Command::new("cat");
        let mut cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn(n)?;
        let (mut stdin, mut stdout) = (cat.stdin.take().unwrap(), cat.stdout.take().unwrap());
        AsyncWriteExt::write_all(&mut stdin, b"words").await?;
        AsyncWriteExt::flush(&mut stdin).await?;
        AsyncWriteExt::shutdown(&mut stdin).await?;
        let mut text = String::new();
        AsyncReadExt::read_to_string(&mut stdout, &mut text).await?;
        assert_eq!(text, "words");
        Ok(())
    }))
    .unwrap();
}
