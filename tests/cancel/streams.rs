//! C10 for standard input and output: a read that is cancelled at any moment has taken nothing, and
//! a write has written what it says.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;

use seedbed::stdio::{Input, Output};
use seedbed::{Result, nursery};

use crate::cancelled_after;

/// Makes two ends: what is written to the second is read from the first.
type Make = fn() -> (OwnedFd, OwnedFd);

const WAYS: [(&str, Make); 2] = [
    ("pipe", || {
        let (reader, writer) = std::io::pipe().unwrap();
        (reader.into(), writer.into())
    }),
    ("socket", || {
        let (reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
        (reader.into(), writer.into())
    }),
];

/// Each write is cancelled after so many rounds, and done again until it has not been.
async fn write_all(rounds: usize, mut output: Output, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        if let Some(written) = cancelled_after(rounds, output.write(bytes)).await? {
            bytes = &bytes[written..];
        }
    }
    Ok(())
}

/// Lines of many lengths, more of them than a pipe holds.
fn text() -> String {
    (0..1500).map(|number| format!("{}\n", "x".repeat(number * 7 % 100))).collect()
}

/// The same text, by lines, and by what there is every third time.
async fn read_all(rounds: usize, mut input: Input) -> Result<String> {
    let (mut text, mut buffer) = (String::new(), [0; 50]);
    for turn in 0.. {
        if turn % 3 == 0 {
            if let Some(n) = cancelled_after(rounds, input.read(&mut buffer)).await? {
                text += std::str::from_utf8(&buffer[..n]).unwrap();
            }
        } else {
            match cancelled_after(rounds, input.next_line()).await? {
                Some(Some(line)) => text += &format!("{line}\n"),
                Some(None) => break,
                None => {}
            }
        }
    }
    Ok(text)
}

#[test]
fn c10_no_byte_of_a_stream_is_lost_or_doubled() {
    let text = text();
    for (name, ends) in WAYS {
        for rounds in 1..6 {
            let read = seedbed::run(nursery(async |n| {
                let (reader, writer) = ends();
                n.spawn(write_all(rounds, Output::new(&writer)?, text.as_bytes()));
                drop(writer);
                read_all(rounds, Input::new(&reader)?).await
            }));
            assert!(read.unwrap() == text, "{name} after {rounds} rounds");
        }
    }
}

/// A file is one, and whatever may not be opened again.
#[test]
fn c10_what_a_thread_reads_and_writes_is_neither_lost_nor_doubled() {
    let text = text();
    for rounds in 1..6 {
        let mut file = tempfile::tempfile().unwrap();
        seedbed::run(async {
            let output = Output::new(&file)?;
            write_all(rounds, output, text.as_bytes()).await
        })
        .unwrap();
        file.rewind().unwrap();
        let mut written = String::new();
        File::read_to_string(&mut file, &mut written).unwrap();
        assert!(written == text, "written after {rounds} rounds");
        file.rewind().unwrap();
        let read = seedbed::run(async { read_all(rounds, Input::new(&file)?).await });
        assert!(read.unwrap() == text, "read after {rounds} rounds");
    }
}
