//! Input, outputs and status in one call.

use std::fs;
use std::os::unix::process::ExitStatusExt;

use seedbed::process::{Command, Stdio};

use crate::shell;
use crate::support::run;

#[test]
fn w03_a_command_returns_both_outputs_and_the_status() {
    run(async {
        let output = shell("cat; echo problem >&2; exit 3").input("words").output().await?;
        assert_eq!(output.stdout, b"words");
        assert_eq!(output.stderr, b"problem\n");
        assert_eq!(output.status.code(), Some(3));
        let output = shell("kill -USR1 $$").output().await?;
        assert_eq!(output.status.signal(), Some(libc::SIGUSR1));
        Ok(())
    })
    .unwrap();
}

/// More than fits into three pipes, and nobody reads before it has written.
#[test]
fn w03_input_and_both_outputs_go_through_at_the_same_time() {
    const LENGTH: usize = 3 << 20;
    run(async {
        let input: Vec<u8> = (0..LENGTH).map(|n| n as u8).collect();
        let output = shell("tee /dev/stderr").input(input.clone()).run().await?;
        assert!(output.stdout == input && output.stderr == input);
        Ok(())
    })
    .unwrap();
}

#[test]
fn w03_a_program_need_not_read_its_input() {
    run(async {
        let input = vec![0; 1 << 20];
        assert!(Command::new("true").input(input.clone()).status().await?.success());
        let output = shell("exec <&-; echo closed").input(input).run().await?;
        assert_eq!(output.stdout, b"closed\n");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w03_without_input_the_standard_input_of_a_captured_program_is_empty() {
    run(async {
        assert_eq!(Command::new("cat").run().await?.stdout, b"");
        assert_eq!(Command::new("cat").input("").run().await?.stdout, b"");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w03_streams_that_are_set_are_not_captured() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    run(async {
        let mut command = shell("echo out; echo err >&2");
        command.stdout(fs::File::create(&path)?);
        let output = command.run().await?;
        assert_eq!((&output.stdout[..], &output.stderr[..]), (&b""[..], &b"err\n"[..]));
        assert_eq!(fs::read(&path)?, b"out\n");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().await?.success());
        Ok(())
    })
    .unwrap();
}

#[test]
fn w03_a_command_can_be_used_again() {
    run(async {
        let mut cat = Command::new("cat");
        cat.input("one");
        assert_eq!(cat.run().await?.stdout, b"one");
        assert_eq!(cat.output().await?.stdout, b"one");
        assert_eq!(cat.input("two").run().await?.stdout, b"two");
        assert_eq!(cat.stdin(Stdio::null()).run().await?.stdout, b"");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w03_arguments_environment_and_directory_are_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let mut command = shell("echo \"$1 $A $B\"; pwd");
        command.args(["sh", "a b"]).env("A", "1").envs([("B", "2")]).current_dir(folder.path());
        let here = folder.path().canonicalize()?;
        let output = String::from_utf8(command.run().await?.stdout).unwrap();
        assert_eq!(output, format!("a b 1 2\n{}\n", here.display()));
        command.env_remove("A").env("B", "3");
        assert!(command.run().await?.stdout.starts_with(b"a b  3\n"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn w03_many_at_once() {
    run(seedbed::nursery(async |n| {
        for number in 0..50 {
            n.spawn(async move {
                let output = Command::new("echo").arg(number.to_string()).run().await?;
                assert_eq!(output.stdout, format!("{number}\n").as_bytes());
                Ok(())
            });
        }
        Ok(())
    }))
    .unwrap();
}
