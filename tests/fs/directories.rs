//! Directories, links and names.

use std::collections::BTreeSet;
use std::io;

use seedbed::fs::{self, Failure};
use seedbed::{Result, aclosing};

use crate::folder;
use crate::support::run;

#[test]
fn w04_a_directory_is_a_generator_of_its_entries() {
    let folder = folder();
    let names: BTreeSet<_> = (0..2500).map(|i| format!("file {i}")).collect();
    for name in &names {
        std::fs::write(folder.path().join(name), name).unwrap();
    }
    std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    run(async {
        let mut found = BTreeSet::new();
        aclosing(fs::read_dir(folder.path()), async |entries| {
            while let Some(entry) = entries.anext().await? {
                let name = entry.file_name().into_string().unwrap();
                assert_eq!(entry.path(), folder.path().join(&name));
                let file_type = entry.file_type()?;
                match &*name {
                    "link" => assert!(file_type.is_symlink()),
                    "folder" => assert!(file_type.is_dir()),
                    _ => assert!(file_type.is_file() && found.insert(name.clone())),
                }
                if name == "file 7" {
                    assert_eq!(entry.metadata().await?.len(), 6);
                }
            }
            Ok(())
        })
        .await?;
        assert_eq!(found, names);
        Ok(())
    })
    .unwrap();
}

/// A generator that is left half-way closes the directory.
#[test]
#[cfg(target_os = "linux")]
fn w04_a_directory_is_closed_half_way() {
    let folder = folder();
    for i in 0..1500 {
        std::fs::write(folder.path().join(i.to_string()), "").unwrap();
    }
    let is_open = || {
        std::fs::read_dir("/proc/self/fd").unwrap().any(|descriptor| {
            descriptor
                .and_then(|it| std::fs::read_link(it.path()))
                .is_ok_and(|it| it == folder.path())
        })
    };
    run(async {
        aclosing(fs::read_dir(folder.path()), async |entries| {
            assert!(entries.anext().await?.is_some());
            assert!(is_open());
            Ok(())
        })
        .await?;
        assert!(!is_open());
        Ok(())
    })
    .unwrap();
}

/// What is removed while a directory is read is no error: each entry is there once, or not.
#[test]
fn w04_files_that_are_removed_meanwhile() {
    let folder = folder();
    for i in 0..2500 {
        std::fs::write(folder.path().join(i.to_string()), "").unwrap();
    }
    run(async {
        let mut found = BTreeSet::new();
        let mut entries = fs::read_dir(folder.path());
        while let Some(entry) = entries.anext().await? {
            assert!(found.insert(entry.file_name()), "{entry:?} comes twice");
            if found.len() == 1 {
                for i in 0..2500 {
                    fs::remove_file(folder.path().join(i.to_string())).await?;
                }
                let error = entry.metadata().await.unwrap_err();
                assert_eq!(error.find().map(Failure::path), Some(&*entry.path()), "{error}");
                assert!(entry.file_type()?.is_file(), "it was read along with the name");
            }
        }
        assert!(found.len() >= 1000, "what was read before");
        fs::remove_dir(folder.path()).await?;
        let error = entries.anext().await;
        assert!(error?.is_none(), "it has ended");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w04_directories_are_made_and_removed() {
    let folder = folder();
    let top = folder.path().join("top");
    let deep = top.join("a/b/c");
    run(async {
        fs::create_dir_all(&deep).await?;
        fs::create_dir_all(&deep).await?; // it is fine if it is there
        assert!(fs::metadata(&deep).await?.is_dir());
        fs::write(deep.join("file"), "").await?;
        std::os::unix::fs::symlink(folder.path(), top.join("link"))?;
        fs::write(folder.path().join("kept"), "").await?;
        fs::remove_dir_all(&top).await?;
        assert!(!fs::exists(&top).await?);
        assert!(fs::exists(folder.path().join("kept")).await?, "a link is not followed");
        fs::create_dir(&top).await?;
        fs::remove_dir(&top).await?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn w04_a_link_to_a_directory_is_removed_itself() {
    let folder = folder();
    let [real, link] = ["real", "link"].map(|name| folder.path().join(name));
    run(async {
        fs::create_dir(&real).await?;
        fs::write(real.join("kept"), "").await?;
        fs::symlink(&real, &link).await?;
        fs::remove_dir_all(&link).await?;
        assert!(!fs::exists(&link).await?);
        assert!(fs::exists(real.join("kept")).await?);
        Ok(())
    })
    .unwrap();
}

#[test]
fn w04_making_directories_says_how_many_were_made_and_which_one_not() {
    let folder = folder();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    run(async {
        let error = fs::create_dir_all(file.join("a/b")).await.unwrap_err();
        let failure = error.find::<Failure>().unwrap();
        assert_eq!((failure.done(), failure.path()), (0, &*file.join("a/b")));
        assert_eq!(error.downcast_ref().map(io::Error::kind), Some(io::ErrorKind::NotADirectory));
        let error = fs::create_dir_all(&file).await.unwrap_err();
        assert_eq!(error.downcast_ref().map(io::Error::kind), Some(io::ErrorKind::AlreadyExists));
        let name = "n".repeat(300); // longer than a name may be
        let made = folder.path().join("made");
        let error = fs::create_dir_all(made.join("too").join(&name)).await.unwrap_err();
        assert!(error.to_string().contains(&name), "{error}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w04_removing_directories_says_how_many_entries_were_removed_and_which_one_not() {
    let folder = folder();
    let top = folder.path().join("top");
    std::fs::create_dir_all(top.join("a")).unwrap();
    std::fs::write(top.join("a/file"), "").unwrap();
    run(async {
        // A directory cannot be removed by this name, but everything in it can.
        let error = fs::remove_dir_all(top.join(".")).await.unwrap_err();
        let failure = error.find::<Failure>().unwrap();
        assert_eq!((failure.done(), failure.path()), (2, &*top.join(".")));
        assert_eq!(error.downcast_ref().map(io::Error::kind), Some(io::ErrorKind::InvalidInput));
        assert_eq!(std::fs::read_dir(&top)?.count(), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn w04_names_and_links() {
    let folder = folder();
    let [one, two, three] = ["one", "two", "three"].map(|name| folder.path().join(name));
    run(async {
        fs::write(&one, "1").await?;
        fs::rename(&one, &two).await?;
        fs::hard_link(&two, &one).await?;
        fs::symlink("one", &three).await?;
        assert_eq!(fs::read_link(&three).await?.to_str(), Some("one"));
        assert_eq!(fs::canonicalize(&three).await?, folder.path().canonicalize()?.join("one"));
        assert!(fs::symlink_metadata(&three).await?.is_symlink());
        assert!(fs::metadata(&three).await?.is_file());
        let mut permissions = fs::metadata(&one).await?.permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&one, permissions).await?;
        assert!(fs::metadata(&two).await?.permissions().readonly());
        fs::remove_file(&one).await?;
        Result::Ok(())
    })
    .unwrap();
}
