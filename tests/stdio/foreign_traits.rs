//! Traits of other libraries.

use std::io::{Seek, SeekFrom};

use futures::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, TryStreamExt, io::BufReader};
use seedbed::stdio::{Input, Output};

use crate::support::{cancelled, is_cancelled, run};
use crate::{ALL, pipe};

#[test]
fn w05_input_and_output_are_a_reader_and_a_writer_of_futures() {
    for ends in ALL {
        run(async {
            let (descriptor, other) = ends();
            let (input, mut output) = (Input::new(&descriptor)?, Output::new(&other)?);
            AsyncWriteExt::write_all(&mut output, b"one\ntwo\n").await?;
            output.flush().await?;
            output.close().await?;
            AsyncWriteExt::write_all(&mut output, b"three\n").await?; // it is not closed for others
            let mut lines = BufReader::new(input).lines();
            for line in ["one", "two", "three"] {
                assert_eq!(lines.try_next().await?.as_deref(), Some(line));
            }
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn w05_so_they_are_for_a_file() {
    run(async {
        let mut file = tempfile::tempfile()?;
        let mut output = Output::new(&file)?;
        AsyncWriteExt::write_all(&mut output, b"one\ntwo").await?;
        output.close().await?;
        file.seek(SeekFrom::Start(0))?;
        let mut text = String::new();
        Input::new(&file)?.read_to_string(&mut text).await?;
        assert_eq!(text, "one\ntwo");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w05_a_line_that_was_read_ahead_is_there_for_other_readers() {
    run(async {
        let (descriptor, other) = pipe();
        Output::new(&other)?.write_all(b"one\ntwo\n").await?;
        drop(other);
        let mut input = Input::new(&descriptor)?;
        assert_eq!(input.next_line().await?.as_deref(), Some("one"));
        let foreign = async { Ok(AsyncReadExt::read(&mut input, &mut [0; 8]).await?) };
        assert!(cancelled(foreign).await?.is_none());
        let mut text = String::new();
        input.read_to_string(&mut text).await?;
        assert_eq!(text, "two\n");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w05_a_foreign_write_that_is_cancelled_writes_nothing() {
    run(async {
        let file = tempfile::tempfile()?;
        let (descriptor, other) = pipe();
        for output in [&mut Output::new(&file)?, &mut Output::new(&other)?] {
            let foreign = async {
                let outcome = AsyncWriteExt::write(output, b"word").await;
                let outcome = outcome.map_err(seedbed::Error::from);
                assert!(is_cancelled(&outcome));
                outcome
            };
            assert!(cancelled(foreign).await?.is_none());
        }
        drop(other);
        assert_eq!(Input::new(&descriptor)?.next_line().await?, None);
        assert_eq!(file.metadata()?.len(), 0);
        Ok(())
    })
    .unwrap();
}

#[cfg(feature = "tokio-io")]
#[test]
fn w05_and_of_tokio() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    for ends in ALL {
        run(async {
            let (descriptor, other) = ends();
            let (mut input, mut output) = (Input::new(&descriptor)?, Output::new(&other)?);
            AsyncWriteExt::write_all(&mut output, b"word\n").await?;
            AsyncWriteExt::flush(&mut output).await?;
            AsyncWriteExt::shutdown(&mut output).await?;
            let mut word = [0; 5];
            AsyncReadExt::read_exact(&mut input, &mut word).await?;
            assert_eq!(&word, b"word\n");
            Ok(())
        })
        .unwrap();
    }
}
