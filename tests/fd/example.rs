//! W1: the example, which waits for inotify.
#![cfg(target_os = "linux")]

#[path = "../../examples/watch_folder.rs"]
mod watch_folder;

use std::fs;
use std::io::ErrorKind;

use seedbed::{cancel_scope, run};
use watch_folder::Watch;

use crate::kind_of;
use crate::support::{is_cancelled, poll_once};

#[test]
fn w01_a_folder_is_watched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    run(async {
        let watch = Watch::new(path)?;
        cancel_scope(async |scope| {
            let mut waiting = Box::pin(watch.changes());
            assert!(poll_once(&mut waiting).await.is_none());
            fs::write(path.join("first"), "")?;
            scope.cancel();
            assert!(is_cancelled(&waiting.await));
            Ok(())
        })
        .await?;
        assert_eq!(watch.changes().await?, ["created first", "written first"]);
        let mut waiting = Box::pin(watch.changes());
        assert!(poll_once(&mut waiting).await.is_none());
        fs::rename(path.join("first"), path.join("second"))?;
        fs::remove_file(path.join("second"))?;
        let changes = ["renamed from first", "renamed to second", "deleted second"];
        assert_eq!(waiting.await?, changes);
        let error = Watch::new(&path.join("none")).err().expect("there is no such folder");
        assert_eq!(kind_of(&error), Some(ErrorKind::NotFound));
        Ok(())
    })
    .unwrap();
}
