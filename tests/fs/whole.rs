//! Files that are read, written and copied as a whole.

use std::os::unix::fs::PermissionsExt;
use std::string::FromUtf8Error;

use seedbed::fs;

use crate::support::run;
use crate::{folder, long};

#[test]
fn w04_what_was_written_is_read() {
    let folder = folder();
    let path = folder.path().join("file");
    run(async {
        for contents in [Vec::new(), b"hello".to_vec(), vec![7; 1 << 20], long()] {
            fs::write(&path, &contents).await?;
            assert!(std::fs::read(&path)? == contents, "{} bytes", contents.len());
            assert!(fs::read(&path).await? == contents, "{} bytes", contents.len());
        }
        fs::write(&path, "short").await?;
        assert_eq!(fs::read_to_string(&path).await?, "short", "nothing is left of what was longer");
        Ok(())
    })
    .unwrap();
}

/// Such a file says that it is empty.
#[test]
#[cfg(target_os = "linux")]
fn w04_a_file_that_does_not_know_its_length_is_read() {
    let status = run(async { fs::read_to_string("/proc/self/status").await }).unwrap();
    assert!(status.starts_with("Name:"), "{status}");
    assert!(status.len() > 500);
}

#[test]
fn w04_a_pipe_is_read_and_written_as_a_whole() {
    let folder = folder();
    let path = crate::make_fifo(&folder);
    run(seedbed::nursery(async |n| {
        let written = long();
        let reading = n.spawn(async { fs::read(&path).await });
        fs::write(&path, &written).await?;
        assert!(reading.await? == written);
        Ok(())
    }))
    .unwrap();
}

#[test]
fn w04_text_that_is_not_utf8_comes_back() {
    let folder = folder();
    let path = folder.path().join("file");
    std::fs::write(&path, b"a\xffb").unwrap();
    run(async {
        let error = fs::read_to_string(&path).await.unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert_eq!(error.find().map(FromUtf8Error::as_bytes), Some(&b"a\xffb"[..]));
        Ok(())
    })
    .unwrap();
}

#[test]
fn w04_a_copy_has_the_contents_and_the_permissions() {
    let folder = folder();
    let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
    std::fs::write(&from, long()).unwrap();
    std::fs::set_permissions(&from, PermissionsExt::from_mode(0o640)).unwrap();
    std::fs::write(&to, vec![1; 5_000_000]).unwrap();
    let copied = run(async { fs::copy(&from, &to).await }).unwrap();
    assert_eq!(copied, 3_500_000);
    assert!(std::fs::read(&to).unwrap() == long());
    assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o640);
}

/// What is in memory is read on this thread, and what is not on another: the outcome is the same.
#[test]
fn w04_many_files_at_once() {
    let folder = folder();
    seedbed::run(seedbed::nursery(async |n| {
        for i in 0..200 {
            let path = folder.path().join(i.to_string());
            drop(n.spawn(async move {
                fs::write(&path, format!("{i}")).await?;
                assert_eq!(fs::read_to_string(&path).await?, format!("{i}"));
                fs::remove_file(&path).await
            }));
        }
        Ok(())
    }))
    .unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
