//! R7 for processes: who reads what a process has written lets others run, and one that writes for
//! ever does not keep the thread.

use std::cell::Cell;
use std::io::Write;

use seedbed::net::UnixStream;
use seedbed::pipe::Receiver;
use seedbed::process::{Child, ChildStdin, Command, Stdio};
use seedbed::{Nursery, Result, nursery};

use crate::starving::{BUDGET, FEW};
use crate::turns_of_others;

fn zeros<'scope>(
    program: &str,
    arguments: &[&str],
    n: &'scope Nursery<'scope, '_>,
) -> Result<Child> {
    Command::new(program).args(arguments).arg("/dev/zero").stdout(Stdio::piped()).spawn(n)
}

#[test]
fn r07_reads_of_what_a_process_has_written_let_others_run() {
    /// Everything is in the pipe when the process has ended.
    async fn open<'scope>(n: &'scope Nursery<'scope, '_>) -> Result<Receiver> {
        let mut head = zeros("head", &["-c", "10000"], n)?;
        assert!(head.wait().await?.success());
        Ok(head.stdout.unwrap())
    }
    let read = async |output: &mut Receiver| output.read(&mut [0; 10]).await.map(drop);
    assert!(turns_of_others(open, read) >= 24);
    let foreign = async |output: &mut Receiver| {
        Ok(futures::AsyncReadExt::read(output, &mut [0; 10]).await.map(drop)?)
    };
    assert!(turns_of_others(open, foreign) >= 24);
    let the_end = async |output: &mut Receiver| output.read_to_end(&mut Vec::new()).await.map(drop);
    assert!(turns_of_others(open, the_end) >= 24);
}

#[test]
fn r07_writes_to_a_process_let_others_run() {
    /// All of them find room in the pipe.
    async fn open<'scope>(n: &'scope Nursery<'scope, '_>) -> Result<ChildStdin> {
        let mut cat = Command::new("cat");
        Ok(cat.stdin(Stdio::piped()).stdout(Stdio::null()).spawn(n)?.stdin.unwrap())
    }
    let write = async |input: &mut ChildStdin| input.write(&[7; 10]).await.map(drop);
    assert!(turns_of_others(open, write) >= 24);
    let write_all = async |input: &mut ChildStdin| input.write_all(&[7; 10]).await;
    assert!(turns_of_others(open, write_all) >= 24);
    let foreign = async |input: &mut ChildStdin| {
        Ok(futures::AsyncWriteExt::write(input, &[7; 10]).await.map(drop)?)
    };
    assert!(turns_of_others(open, foreign) >= 24);
}

/// Three processes that write for ever are read from, a byte at a time.
#[test]
fn r07_a_socket_waits_for_a_few_budgets_of_each_who_reads_endless_output() {
    const READERS: u64 = 3;
    /// By then every one of them has had its turn several times.
    const WHEN: u64 = 2 * BUDGET * READERS;
    let (reads, served) = (Cell::new(0), Cell::new(None));
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let read_on = async |output: Receiver| {
        while served.get().is_none() {
            assert_eq!(output.read(&mut [0]).await?, 1);
            reads.set(reads.get() + 1);
            if reads.get() == WHEN {
                (&theirs).write_all(b"x")?;
            }
            assert!(reads.get() < 1_000_000, "the socket is never served");
        }
        Ok(())
    };
    let run = seedbed::run(nursery(async |n| {
        for _ in 0..READERS {
            n.spawn(read_on(zeros("cat", &[], n)?.stdout.unwrap()));
        }
        UnixStream::from_std(ours)?.read(&mut [0]).await?;
        served.set(Some(reads.get() - WHEN));
        n.cancel();
        Ok(())
    }));
    run.unwrap();
    let after = served.get().unwrap();
    assert!(after <= FEW * BUDGET * READERS, "served after {after} reads");
}
