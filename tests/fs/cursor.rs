//! The cursor.

use std::io::SeekFrom;

use seedbed::fs::{Failure, File};

use crate::support::run;
use crate::{folder, long};

#[test]
fn w04_the_cursor_moves_by_what_was_read_and_written() {
    let folder = folder();
    let path = folder.path().join("file");
    run(async {
        let mut file = File::create_new(&path).await?;
        assert_eq!(file.write(b"hello").await?, 5);
        file.write_all(b", world").await?;
        assert_eq!(file.write(b"").await?, 0);
        assert_eq!(file.position(), 12);
        assert_eq!(file.seek(SeekFrom::Start(7)).await?, 7);
        let mut bytes = [0; 3];
        assert_eq!(file.read(&mut bytes).await?, 3);
        assert_eq!(&bytes, b"wor");
        assert_eq!(file.seek(SeekFrom::Current(-1)).await?, 9);
        let mut text = String::from("-");
        assert_eq!(file.read_to_string(&mut text).await?, 3);
        assert_eq!(text, "-rld");
        assert_eq!(file.seek(SeekFrom::End(-2)).await?, 10);
        let mut rest = b"-".to_vec();
        assert_eq!(file.read_to_end(&mut rest).await?, 2);
        assert_eq!(rest, b"-ld");
        assert_eq!(file.read(&mut bytes).await?, 0, "the end");
        assert_eq!(file.seek(SeekFrom::End(3)).await?, 15);
        file.write_all(b"!").await?;
        assert_eq!(std::fs::read(&path)?, b"hello, world\0\0\0!");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w04_there_is_no_position_before_the_start() {
    let folder = folder();
    let path = folder.path().join("file");
    std::fs::write(&path, "hello").unwrap();
    run(async {
        let mut file = File::open(&path).await?;
        file.seek(SeekFrom::Start(2)).await?;
        for to in [SeekFrom::Current(-3), SeekFrom::End(-6)] {
            let error = file.seek(to).await.unwrap_err();
            assert!(error.to_string().starts_with("seeking in `"), "{error}");
            assert!(error.to_string().contains("there is no position at -"), "{error}");
            assert_eq!(file.position(), 2);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn w04_whole_buffers_at_the_cursor() {
    let folder = folder();
    let path = folder.path().join("file");
    let program = async || {
        let written = long();
        let mut file =
            File::options().read(true).write(true).create(true).truncate(true).open(&path).await?;
        file.write_all(&written).await?;
        assert_eq!(file.position(), written.len() as u64);
        file.seek(SeekFrom::Start(0)).await?;
        let mut bytes = vec![0; 3_000_000];
        file.read_exact(&mut bytes).await?;
        assert!(bytes == written[..3_000_000]);
        let error = file.read_exact(&mut bytes).await.unwrap_err();
        assert_eq!(error.find().map(Failure::done), Some(500_000));
        assert!(bytes[..500_000] == written[3_000_000..]);
        assert_eq!(file.position(), 3_500_000, "it is behind what was read");
        Ok(())
    };
    run(program()).unwrap();
    seedbed::run(program()).unwrap();
}

#[test]
fn w04_appending_goes_to_the_end_wherever_that_is() {
    let folder = folder();
    let path = folder.path().join("log");
    run(async {
        let mut options = File::options();
        options.append(true).create(true).read(true);
        let (mut one, mut two) = (options.open(&path).await?, options.open(&path).await?);
        one.write_all(b"one ").await?;
        two.write_all(b"two ").await?;
        one.write_all(b"three").await?;
        assert_eq!((one.position(), two.position()), (13, 8));
        two.seek(SeekFrom::Start(4)).await?;
        let mut text = String::new();
        two.read_to_string(&mut text).await?;
        assert_eq!(text, "two three");
        Ok(())
    })
    .unwrap();
}
