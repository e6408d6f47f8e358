//! Bad input, and what the errors say.

use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt;

use seedbed::process::{Command, Failed, NotStarted};
use seedbed::{Error, nursery, run};

use crate::shell;

fn kind(error: &Error) -> io::ErrorKind {
    error.downcast_ref::<io::Error>().unwrap_or_else(|| panic!("{error:?}")).kind()
}

fn failure(command: &mut Command) -> Error {
    run(async { Ok(command.output().await.unwrap_err()) }).unwrap()
}

#[test]
fn w03_an_error_names_the_program_and_the_place() {
    run(async {
        let mut command = Command::new("no-such-program");
        let here = line!() + 1;
        let error = command.status().await.unwrap_err();
        assert_eq!(kind(&error), io::ErrorKind::NotFound);
        let text = error.to_string();
        assert!(text.starts_with("starting `no-such-program`: No such file"), "{text}");
        assert_eq!(error.place().unwrap().line(), here);
        let failure = error.find::<NotStarted>().unwrap();
        assert_eq!(failure.program(), "no-such-program");
        assert_eq!(failure.io_error().raw_os_error(), Some(libc::ENOENT));
        for error in [command.output().await.unwrap_err(), command.run().await.unwrap_err()] {
            assert!(error.place().unwrap().line() > here);
        }
        nursery(async |n| {
            let here = line!() + 1;
            let error = command.spawn(n).unwrap_err();
            assert_eq!(
                (kind(&error), error.place().unwrap().line()),
                (io::ErrorKind::NotFound, here)
            );
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn w03_what_is_no_program_cannot_be_started() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(kind(&failure(&mut Command::new(folder.path()))), io::ErrorKind::PermissionDenied);
    let file = folder.path().join("file");
    std::fs::write(&file, "#!/no/such/interpreter\n").unwrap();
    assert_eq!(kind(&failure(&mut Command::new(&file))), io::ErrorKind::PermissionDenied);
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(kind(&failure(&mut Command::new(&file))), io::ErrorKind::NotFound);
    let nul = failure(Command::new("echo").arg("a\0b"));
    assert_eq!(kind(&nul), io::ErrorKind::InvalidInput);
}

#[test]
fn w03_a_missing_directory_is_told_from_a_missing_program() {
    let error = failure(Command::new("true").current_dir("/no/such/directory"));
    assert_eq!(kind(&error), io::ErrorKind::NotFound);
    let text = error.to_string();
    let expected = "starting `true` in `/no/such/directory`, which is no directory: ";
    assert!(text.starts_with(expected), "{text}");
    let text = failure(Command::new("no-such-program").current_dir("/")).to_string();
    assert!(text.starts_with("starting `no-such-program` in `/`: "), "{text}");
}

#[test]
fn w03_a_program_that_has_to_succeed() {
    run(async {
        let error = shell("echo out; echo no paper >&2; exit 3").run().await.unwrap_err();
        assert_eq!(error.to_string(), "`sh` failed with exit status: 3: no paper");
        let failed = error.find::<Failed>().unwrap();
        assert_eq!((failed.program(), failed.status().code()), ("sh", Some(3)));
        assert_eq!(failed.output().stdout, b"out\n");
        let error = shell("kill -TERM $$").run().await.unwrap_err();
        assert_eq!(error.to_string(), "`sh` failed with signal: 15 (SIGTERM)");
        let long =
            shell("head -c 5000 /dev/zero | tr '\\0' x >&2; exit 1").run().await.unwrap_err();
        let text = long.to_string();
        assert_eq!(text, format!("`sh` failed with exit status: 1: …{}", "x".repeat(1000)));
        Ok(())
    })
    .unwrap();
}

#[test]
fn w03_a_child_that_closes_its_input_is_a_broken_pipe() {
    run(nursery(async |n| {
        let mut command = shell("exec <&-; echo ready; exec sleep 1000");
        let (child, _stdout) =
            crate::ready(n, command.stdin(seedbed::process::Stdio::piped())).await?;
        // More than fits: a process that another test is just starting may still have the other end.
        let bytes = vec![0; 1 << 20];
        let error = child.stdin.as_ref().unwrap().write_all(&bytes).await.unwrap_err();
        assert_eq!(kind(&error), io::ErrorKind::BrokenPipe);
        child.cancel();
        Ok(())
    }))
    .unwrap();
}

#[test]
fn w03_outside_of_a_run_nothing_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let mut touch = Command::new("touch");
    touch.arg(folder.path().join("file"));
    let mut status = std::pin::pin!(touch.status());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(outcome) = status.as_mut().poll(&mut cx) else { panic!("it waits") };
    assert!(outcome.unwrap_err().is::<seedbed::NotRunning>());
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}
