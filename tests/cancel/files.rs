//! C2 and C10 for files: an operation that is cancelled at any moment has happened or has not, and
//! says which.

use std::path::Path;

use seedbed::Result;
use seedbed::fs::{self, File};

use crate::cancelled_after;
use crate::support::run;

/// Does `op` in a folder where there is a file `old`, with `hello` in it, and cancels it after so
/// many rounds. Then `has_happened` has to be what its outcome says.
fn is_all_or_nothing(
    name: &str,
    op: impl AsyncFn(&Path) -> Result<()>,
    has_happened: impl Fn(&Path) -> bool,
) {
    // How soon a thread has done its part is chance, so most of these are cancelled meanwhile.
    for rounds in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        std::fs::write(at.join("old"), "hello").unwrap();
        let outcome = run(cancelled_after(rounds, op(at))).unwrap();
        assert_eq!(outcome.is_some(), has_happened(at), "{name} after {rounds} rounds");
    }
}

#[test]
fn c10_a_file_operation_has_happened_or_was_cancelled() {
    let is = |name: &'static str| move |at: &Path| at.join(name).exists();
    is_all_or_nothing("create_dir", async |at| fs::create_dir(at.join("new")).await, is("new"));
    let rename = async |at: &Path| fs::rename(at.join("old"), at.join("new")).await;
    is_all_or_nothing("rename", rename, is("new"));
    let link = async |at: &Path| fs::hard_link(at.join("old"), at.join("new")).await;
    is_all_or_nothing("hard_link", link, is("new"));
    let create = async |at: &Path| File::create_new(at.join("new")).await.map(drop);
    is_all_or_nothing("create_new", create, is("new"));
    let remove = async |at: &Path| fs::remove_file(at.join("old")).await;
    is_all_or_nothing("remove_file", remove, |at| !at.join("old").exists());
    let length = |length| move |at: &Path| at.join("old").metadata().unwrap().len() == length;
    let write = async |at: &Path| {
        let file = File::from(std::fs::File::options().write(true).open(at.join("old"))?);
        assert_eq!(file.write_at(b"Jell", 100).await?, 4);
        Ok(())
    };
    is_all_or_nothing("write_at", write, length(104));
    let cut = async |at: &Path| {
        let file = File::from(std::fs::File::options().write(true).open(at.join("old"))?);
        file.set_len(3).await
    };
    is_all_or_nothing("set_len", cut, length(3));
}

/// The cursor tells the same story as the file.
#[test]
fn c10_the_cursor_is_where_a_cancelled_write_has_come_to() {
    for rounds in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut file = File::from(std::fs::File::create(&path).unwrap());
        let write = async {
            for _ in 0..20 {
                file.write_all(&[7; 1000]).await?;
            }
            Ok(())
        };
        let all = run(cancelled_after(rounds, write)).unwrap();
        assert_eq!(file.position(), std::fs::metadata(&path).unwrap().len());
        assert_eq!(all.is_some(), file.position() == 20_000);
    }
}
