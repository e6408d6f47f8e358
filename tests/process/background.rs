//! Processes in a nursery.

use std::os::unix::process::ExitStatusExt;

use seedbed::process::{Command, Stdio};
use seedbed::signal::Signal;
use seedbed::{Result, nursery, run};

use crate::{is_reaped, line, ready, rest, shell};

#[test]
fn w03_a_nursery_does_not_end_before_its_process() {
    run(async {
        let child = nursery(async |n| {
            let mut child = Command::new("cat").stdin(Stdio::piped()).spawn(n)?;
            assert_eq!(child.try_wait()?, None);
            drop(child.stdin.take());
            Ok(child)
        })
        .await?;
        assert!(child.try_wait()?.unwrap().success());
        assert!(is_reaped(child.id()));
        Ok(())
    })
    .unwrap();
}

#[test]
fn w03_a_talk_with_a_process() {
    run(nursery(async |n| {
        let mut command = shell("while read line; do echo \"<$line>\"; done");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn(n)?;
        let stdout = child.stdout.take().unwrap();
        for word in ["one", "two"] {
            child.stdin.as_ref().unwrap().write_all(format!("{word}\n").as_bytes()).await?;
            assert_eq!(line(&stdout).await?, format!("<{word}>"));
        }
        assert!(child.wait().await?.success(), "it closes the input first");
        assert_eq!(rest(&stdout).await?, "");
        Ok(())
    }))
    .unwrap();
}

#[test]
fn w03_how_a_process_ends_is_no_failure_of_its_nursery() {
    let status = run(nursery(async |n| {
        let mut child = shell("exit 7").spawn(n)?;
        let status = child.wait().await?;
        assert_eq!(child.wait().await?, status, "it may be asked again");
        assert_eq!(child.try_wait()?, Some(status));
        assert!(is_reaped(child.id()));
        Ok(status)
    }));
    assert_eq!(status.unwrap().code(), Some(7));
}

#[test]
fn w03_a_handle_that_is_dropped_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("done");
    run(nursery(async |n| {
        let mut command = shell("cat; echo >done");
        drop(command.current_dir(folder.path()).stdin(Stdio::piped()).spawn(n)?);
        Ok(())
    }))
    .unwrap();
    assert!(path.exists());
}

#[test]
fn w03_a_process_is_sent_signals() {
    run(nursery(async |n| {
        let script = "trap 'echo usr1' USR1; echo ready; while :; do sleep 1000 & wait; done";
        let (mut child, stdout) = ready(n, shell(script).own_group()).await?;
        child.signal(Signal::from_raw(0)).unwrap_err();
        // It goes to the `sleep` as well, if there is one yet.
        child.signal(Signal::USR1)?;
        assert_eq!(line(&stdout).await?, "usr1");
        child.cancel();
        assert_eq!(child.wait().await?.signal(), Some(libc::SIGTERM));
        child.signal(Signal::TERM)?; // nothing happens
        Ok(())
    }))
    .unwrap();
}

#[test]
fn w03_cancelling_a_process_leaves_its_nursery_alone() {
    run(nursery(async |n| {
        let mut child = Command::new("sleep").arg("1000").spawn(n)?;
        child.cancel();
        assert_eq!(child.wait().await?.signal(), Some(libc::SIGTERM));
        seedbed::checkpoint().await
    }))
    .unwrap();
}

#[test]
fn w03_the_output_of_one_process_is_the_input_of_another() -> Result<()> {
    run(nursery(async |n| {
        let mut first = Command::new("printf").arg("b\\na\\n").stdout(Stdio::piped()).spawn(n)?;
        let words = first.stdout.take().unwrap().into_blocking()?;
        let mut second = Command::new("sort");
        let mut second = second.stdin(Stdio::from(words)).stdout(Stdio::piped()).spawn(n)?;
        assert_eq!(rest(&second.stdout.take().unwrap()).await?, "a\nb\n");
        assert!(first.wait().await?.success() && second.wait().await?.success());
        Ok(())
    }))
}

#[test]
fn w03_input_is_given_in_the_background_too() {
    run(nursery(async |n| {
        let input = vec![b'x'; 1 << 20];
        let mut cat = Command::new("cat");
        let child = cat.input(input.clone()).stdout(Stdio::piped()).spawn(n)?;
        assert!(child.stdin.is_none());
        assert!(rest(child.stdout.as_ref().unwrap()).await?.into_bytes() == input);
        Ok(())
    }))
    .unwrap();
}
