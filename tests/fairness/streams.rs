//! R7 for standard input and output: who reads or writes without having to wait lets others run.

use std::io::Write;
use std::os::fd::OwnedFd;

use seedbed::Nursery;
use seedbed::stdio::{Input, Output};

use crate::turns_of_others;

/// What is written to the second is read from the first.
type Ends = (OwnedFd, OwnedFd);

const ALL: [fn() -> Ends; 2] = [
    || {
        let (reader, writer) = std::io::pipe().unwrap();
        (reader.into(), writer.into())
    },
    || {
        let (reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
        (reader.into(), writer.into())
    },
];

#[test]
fn r07_reads_of_what_has_come_let_others_run() {
    for ends in ALL {
        let open = async |_: &Nursery<'_, '_>| {
            let (reader, writer) = ends();
            std::fs::File::from(writer).write_all(&b"12345678\n".repeat(1000))?;
            Input::new(&reader)
        };
        let read = async |input: &mut Input| input.read(&mut [0; 10]).await.map(drop);
        assert!(turns_of_others(open, read) >= 24);
        let line = async |input: &mut Input| input.next_line().await.map(drop);
        assert!(turns_of_others(open, line) >= 24);
        let foreign = async |input: &mut Input| {
            Ok(futures::AsyncReadExt::read(input, &mut [0; 10]).await.map(drop)?)
        };
        assert!(turns_of_others(open, foreign) >= 24);
    }
}

#[test]
fn r07_writes_that_find_room_let_others_run() {
    for ends in ALL {
        let open = async |_: &Nursery<'_, '_>| {
            let (reader, writer) = ends();
            Ok((reader, Output::new(&writer)?))
        };
        let write = async |(_, output): &mut (OwnedFd, Output)| {
            assert_eq!(output.write(&[7; 10]).await?, 10);
            Ok(())
        };
        assert!(turns_of_others(open, write) >= 24);
        let foreign = async |(_, output): &mut (OwnedFd, Output)| {
            Ok(futures::AsyncWriteExt::write(output, &[7; 10]).await.map(drop)?)
        };
        assert!(turns_of_others(open, foreign) >= 24);
    }
}
