//! Reading and writing at positions.

use std::io::{self, Seek, SeekFrom};

use seedbed::fs::{Failure, File};
use seedbed::nursery;

use crate::support::run;
use crate::{folder, long};

#[test]
fn w04_positions_do_not_move_the_cursor() {
    let folder = folder();
    let path = folder.path().join("file");
    run(async {
        let mut file = File::create_new(&path).await?;
        file.write_all(b"0123456789").await?;
        assert_eq!(file.write_at(b"ab", 4).await?, 2);
        file.write_all_at(b"xyz", 12).await?;
        assert_eq!(file.position(), 10);
        file.write_all(b"-").await?;
        let mut all = [1; 20];
        assert_eq!(file.read_at(&mut all, 0).await?, 15);
        assert_eq!(&all[..15], b"0123ab6789-\0xyz");
        assert_eq!(file.read_at(&mut all, 15).await?, 0, "the end");
        assert_eq!(file.read_at(&mut [], 0).await?, 0);
        assert_eq!(file.position(), 11);
        Ok(())
    })
    .unwrap();
}

#[test]
fn w04_a_file_is_used_by_several_tasks() {
    let folder = folder();
    let path = folder.path().join("file");
    run(async {
        let file = File::create_new(&path).await?;
        nursery(async |n| {
            for i in 0..20_u8 {
                let file = &file;
                drop(n.spawn(
                    async move { file.write_all_at(&[i; 1000], u64::from(i) * 1000).await },
                ));
            }
            Ok(())
        })
        .await?;
        nursery(async |n| {
            for i in 0..20_u8 {
                let file = &file;
                drop(n.spawn(async move {
                    let mut bytes = [0; 1000];
                    file.read_exact_at(&mut bytes, u64::from(i) * 1000).await?;
                    assert_eq!(bytes, [i; 1000]);
                    Ok(())
                }));
            }
            Ok(())
        })
        .await
    })
    .unwrap();
}

/// On the system's clock, what is in memory is read without a thread.
#[test]
fn w04_long_buffers_take_several_calls() {
    let folder = folder();
    let path = folder.path().join("file");
    let program = async || {
        let written = long();
        let file = File::options().read(true).write(true).create(true).open(&path).await?;
        file.write_all_at(&written, 3).await?;
        let mut bytes = vec![0; written.len()];
        file.read_exact_at(&mut bytes, 3).await?;
        assert!(bytes == written);
        Ok(())
    };
    run(program()).unwrap();
    seedbed::run(program()).unwrap();
}

#[test]
fn w04_a_file_that_ends_too_early_says_where() {
    let folder = folder();
    let path = folder.path().join("file");
    std::fs::write(&path, "hello").unwrap();
    run(async {
        let file = File::open(&path).await?;
        let mut bytes = [0; 8];
        let error = file.read_exact_at(&mut bytes, 1).await.unwrap_err();
        assert_eq!(error.downcast_ref().map(io::Error::kind), Some(io::ErrorKind::UnexpectedEof));
        assert_eq!(error.find().map(Failure::done), Some(4));
        assert_eq!(
            error.to_string(),
            format!("reading `{}`, after 4 bytes: the file ends here", path.display())
        );
        assert_eq!(&bytes[..4], b"ello");
        Ok(())
    })
    .unwrap();
}

/// Linux would ignore the position, other systems would not.
#[test]
fn w04_a_file_opened_to_append_has_no_positions_to_write_at() {
    let folder = folder();
    let path = folder.path().join("file");
    std::fs::write(&path, "hello").unwrap();
    run(async {
        let file = File::options().append(true).open(&path).await?;
        for error in [file.write_at(b"J", 0).await.err(), file.write_all_at(b"J", 0).await.err()] {
            let error = error.expect("it was refused");
            assert_eq!(
                error.downcast_ref().map(io::Error::kind),
                Some(io::ErrorKind::InvalidInput)
            );
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"hello");
}

/// To the system the last of all numbers means its own position.
#[test]
fn w04_what_is_no_position_is_refused() {
    let folder = folder();
    let path = folder.path().join("file");
    std::fs::write(&path, "hello").unwrap();
    let program = async || {
        let mut file = File::options().read(true).write(true).open(&path).await?;
        let is_refused = |error: seedbed::Error| {
            let kind = error.downcast_ref().map(io::Error::kind);
            assert_eq!(kind, Some(io::ErrorKind::InvalidInput), "{error}");
        };
        for position in [u64::MAX, u64::MAX - 1, 1 << 63] {
            is_refused(file.read_at(&mut [0; 5], position).await.unwrap_err());
            is_refused(file.write_at(b"J", position).await.unwrap_err());
            file.seek(SeekFrom::Start(position)).await?;
            is_refused(file.read(&mut [0; 5]).await.unwrap_err());
            is_refused(file.read_to_end(&mut Vec::new()).await.unwrap_err());
            is_refused(file.write_all(b"J").await.unwrap_err());
            assert_eq!(file.position(), position);
        }
        Ok(())
    };
    run(program()).unwrap();
    seedbed::run(program()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"hello");
}

#[test]
fn w04_lengths_and_metadata() {
    let folder = folder();
    let path = folder.path().join("file");
    run(async {
        let file = File::create(&path).await?;
        file.set_len(1000).await?;
        assert_eq!(file.metadata().await?.len(), 1000);
        file.sync_all().await?;
        file.sync_data().await?;
        let mut permissions = file.metadata().await?.permissions();
        permissions.set_readonly(true);
        file.set_permissions(permissions).await?;
        assert!(file.metadata().await?.permissions().readonly());
        assert_eq!(file.path(), path);
        Ok(())
    })
    .unwrap();
}

#[test]
fn w04_files_come_from_the_standard_library_and_go_back() {
    let folder = folder();
    let path = folder.path().join("file");
    std::fs::write(&path, "0123456789").unwrap();
    let mut file = std::fs::File::open(&path).unwrap();
    file.seek(io::SeekFrom::Start(3)).unwrap();
    let mut file = run(async {
        let mut file = File::from(file);
        assert!(file.path().starts_with("/dev/fd"), "{file:?}");
        let mut two = [0; 2];
        file.read_exact(&mut two).await?;
        assert_eq!(&two, b"34");
        file.into_std().await
    })
    .unwrap();
    assert_eq!(file.stream_position().unwrap(), 5);
}
