//! Files and directories, beside those of tokio and async-fs, and beside the standard library's.
//!
//! ```text
//! cargo run --release -p seedbed-bench --bin files -- [--rounds N] [--only WORK] [--cpu-time] [FOLDER]
//! ```
//!
//! The subjects take turns, round by round, each in a process of its own, which does the work once
//! before it counts. A figure is the median of the rounds. `--cpu-time` counts the running time of
//! the process in place of wall time, for a busy machine. Everything is made in FOLDER, by default
//! where temporary files go, and is in the system's memory when it is read; so this measures what it
//! costs to get there, and not the disk. It takes 4 GiB of memory, and 1 GiB of the disk.

#[path = "../clock.rs"]
#[allow(dead_code, reason = "the other benchmarks need more of it")]
mod clock;
#[path = "../turns.rs"]
mod turns;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::{env, fs, process};

use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use turns::{Turns, Work};

const FILES: usize = 10_000;
const TASKS: usize = 16;
const GIB: usize = 1 << 30;
const SMALL: usize = 64 << 10;
const LARGE: usize = 1 << 20;
const ENTRIES: usize = 100_000;
const CONTENTS: &[u8] = &[7; 1000];

/// Where it is done.
struct Place {
    small: Vec<PathBuf>,
    large: PathBuf,
    folder: PathBuf,
    bytes: Vec<u8>,
}

macro_rules! work {
    ($name:ident $(::<$size:ident>)?, $title:literal) => {
        Work {
            name: concat!(stringify!($name) $(, "_", stringify!($size))?),
            title: $title,
            count: 1,
            subjects: [
                ("seedbed", |place| run_seedbed(seedbed_::$name$(::<$size>)?(place))),
                ("tokio", |place| run_tokio(tokio_::$name$(::<$size>)?(place))),
                ("async-fs", |place| futures_lite::future::block_on(async_fs_::$name$(::<$size>)?(place))),
                ("std", |place| std_::$name$(::<$size>)?(place)),
            ],
        }
    };
}

const WORKS: &[Work<Place>] = &[
    work!(write_small, "10,000 files of 1,000 bytes written, one after the other"),
    work!(read_small, "… read"),
    work!(read_small_in_tasks, "… read by 16 tasks"),
    work!(write_whole, "a GiB written, as a whole"),
    work!(read_whole, "… read, as a whole"),
    work!(write_pieces::<SMALL>, "… written, 64 KiB at a time"),
    work!(write_pieces::<LARGE>, "… written, 1 MiB at a time"),
    work!(read_pieces::<SMALL>, "… read, 64 KiB at a time"),
    work!(read_pieces::<LARGE>, "… read, 1 MiB at a time"),
    work!(list, "a directory of 100,000 files, read with the types of its entries"),
];

fn run_seedbed(main: impl Future<Output = seedbed::Result<()>>) {
    seedbed::run(main).unwrap();
}

fn run_tokio(main: impl Future<Output = std::io::Result<()>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(main).unwrap();
}

/// What is done with the bytes: nothing, but that they are there.
fn seen(length: usize, of: usize) {
    assert_eq!(length, of);
}

mod seedbed_ {
    use seedbed::fs::{self, File};
    use seedbed::{Result, nursery};

    use super::*;

    pub async fn write_small(place: &Place) -> Result<()> {
        for path in &place.small {
            fs::write(path, CONTENTS).await?;
        }
        Ok(())
    }

    pub async fn read_small(place: &Place) -> Result<()> {
        for path in &place.small {
            seen(fs::read(path).await?.len(), CONTENTS.len());
        }
        Ok(())
    }

    pub async fn read_small_in_tasks(place: &Place) -> Result<()> {
        nursery(async |n| {
            for paths in place.small.chunks(FILES / TASKS) {
                drop(n.spawn(async move {
                    for path in paths {
                        seen(fs::read(path).await?.len(), CONTENTS.len());
                    }
                    Ok(())
                }));
            }
            Ok(())
        })
        .await
    }

    pub async fn write_whole(place: &Place) -> Result<()> {
        fs::write(&place.large, &place.bytes).await
    }

    pub async fn read_whole(place: &Place) -> Result<()> {
        seen(fs::read(&place.large).await?.len(), GIB);
        Ok(())
    }

    pub async fn write_pieces<const SIZE: usize>(place: &Place) -> Result<()> {
        let mut file = File::create(&place.large).await?;
        for piece in place.bytes.chunks(SIZE) {
            file.write_all(piece).await?;
        }
        Ok(())
    }

    pub async fn read_pieces<const SIZE: usize>(place: &Place) -> Result<()> {
        let mut file = File::open(&place.large).await?;
        let (mut buffer, mut length) = (vec![0; SIZE], 0);
        loop {
            match file.read(&mut buffer).await? {
                0 => break,
                n => length += n,
            }
        }
        seen(length, GIB);
        Ok(())
    }

    pub async fn list(place: &Place) -> Result<()> {
        let mut entries = fs::read_dir(&place.folder);
        let mut files = 0;
        while let Some(entry) = entries.anext().await? {
            files += usize::from(entry.file_type()?.is_file());
        }
        seen(files, ENTRIES);
        Ok(())
    }
}

mod tokio_ {
    use std::io::Result;

    use tokio::fs::{self, File};

    use super::*;

    pub async fn write_small(place: &Place) -> Result<()> {
        for path in &place.small {
            fs::write(path, CONTENTS).await?;
        }
        Ok(())
    }

    pub async fn read_small(place: &Place) -> Result<()> {
        for path in &place.small {
            seen(fs::read(path).await?.len(), CONTENTS.len());
        }
        Ok(())
    }

    pub async fn read_small_in_tasks(place: &Place) -> Result<()> {
        let mut tasks = tokio::task::JoinSet::new();
        for paths in place.small.chunks(FILES / TASKS) {
            let paths = paths.to_vec();
            tasks.spawn(async move {
                for path in paths {
                    seen(fs::read(path).await.unwrap().len(), CONTENTS.len());
                }
            });
        }
        tasks.join_all().await;
        Ok(())
    }

    pub async fn write_whole(place: &Place) -> Result<()> {
        fs::write(&place.large, &place.bytes).await
    }

    pub async fn read_whole(place: &Place) -> Result<()> {
        seen(fs::read(&place.large).await?.len(), GIB);
        Ok(())
    }

    pub async fn write_pieces<const SIZE: usize>(place: &Place) -> Result<()> {
        let mut file = File::create(&place.large).await?;
        for piece in place.bytes.chunks(SIZE) {
            file.write_all(piece).await?;
        }
        file.flush().await
    }

    pub async fn read_pieces<const SIZE: usize>(place: &Place) -> Result<()> {
        let mut file = File::open(&place.large).await?;
        let (mut buffer, mut length) = (vec![0; SIZE], 0);
        loop {
            match file.read(&mut buffer).await? {
                0 => break,
                n => length += n,
            }
        }
        seen(length, GIB);
        Ok(())
    }

    pub async fn list(place: &Place) -> Result<()> {
        let mut entries = fs::read_dir(&place.folder).await?;
        let mut files = 0;
        while let Some(entry) = entries.next_entry().await? {
            files += usize::from(entry.file_type().await?.is_file());
        }
        seen(files, ENTRIES);
        Ok(())
    }
}

mod async_fs_ {
    use async_fs::{self as fs, File};

    use super::*;

    pub async fn write_small(place: &Place) {
        for path in &place.small {
            fs::write(path, CONTENTS).await.unwrap();
        }
    }

    pub async fn read_small(place: &Place) {
        for path in &place.small {
            seen(fs::read(path).await.unwrap().len(), CONTENTS.len());
        }
    }

    pub async fn read_small_in_tasks(place: &Place) {
        let executor = async_executor::LocalExecutor::new();
        let mut tasks = Vec::new();
        for paths in place.small.chunks(FILES / TASKS) {
            tasks.push(executor.spawn(async move {
                for path in paths {
                    seen(fs::read(path).await.unwrap().len(), CONTENTS.len());
                }
            }));
        }
        let all = async {
            for task in tasks {
                task.await;
            }
        };
        executor.run(all).await;
    }

    pub async fn write_whole(place: &Place) {
        fs::write(&place.large, &place.bytes).await.unwrap();
    }

    pub async fn read_whole(place: &Place) {
        seen(fs::read(&place.large).await.unwrap().len(), GIB);
    }

    pub async fn write_pieces<const SIZE: usize>(place: &Place) {
        let mut file = File::create(&place.large).await.unwrap();
        for piece in place.bytes.chunks(SIZE) {
            file.write_all(piece).await.unwrap();
        }
        file.flush().await.unwrap();
    }

    pub async fn read_pieces<const SIZE: usize>(place: &Place) {
        let mut file = File::open(&place.large).await.unwrap();
        let (mut buffer, mut length) = (vec![0; SIZE], 0);
        loop {
            match file.read(&mut buffer).await.unwrap() {
                0 => break,
                n => length += n,
            }
        }
        seen(length, GIB);
    }

    pub async fn list(place: &Place) {
        let mut entries = fs::read_dir(&place.folder).await.unwrap();
        let mut files = 0;
        while let Some(entry) = entries.next().await {
            files += usize::from(entry.unwrap().file_type().await.unwrap().is_file());
        }
        seen(files, ENTRIES);
    }
}

/// Without another thread.
mod std_ {
    use std::fs::File;

    use super::*;

    pub fn write_small(place: &Place) {
        for path in &place.small {
            fs::write(path, CONTENTS).unwrap();
        }
    }

    pub fn read_small(place: &Place) {
        for path in &place.small {
            seen(fs::read(path).unwrap().len(), CONTENTS.len());
        }
    }

    pub fn read_small_in_tasks(place: &Place) {
        read_small(place);
    }

    pub fn write_whole(place: &Place) {
        fs::write(&place.large, &place.bytes).unwrap();
    }

    pub fn read_whole(place: &Place) {
        seen(fs::read(&place.large).unwrap().len(), GIB);
    }

    pub fn write_pieces<const SIZE: usize>(place: &Place) {
        let mut file = File::create(&place.large).unwrap();
        for piece in place.bytes.chunks(SIZE) {
            file.write_all(piece).unwrap();
        }
    }

    pub fn read_pieces<const SIZE: usize>(place: &Place) {
        let mut file = File::open(&place.large).unwrap();
        let (mut buffer, mut length) = (vec![0; SIZE], 0);
        loop {
            match file.read(&mut buffer).unwrap() {
                0 => break,
                n => length += n,
            }
        }
        seen(length, GIB);
    }

    pub fn list(place: &Place) {
        let is_file = |entry: std::io::Result<fs::DirEntry>| entry?.file_type();
        let entries = fs::read_dir(&place.folder).unwrap();
        seen(
            entries
                .filter(|_| true)
                .map(is_file)
                .filter(|it| it.as_ref().unwrap().is_file())
                .count(),
            ENTRIES,
        );
    }
}

impl Place {
    fn at(within: &Path, work: &Work<Place>) -> Place {
        let small = (0..FILES).map(|i| within.join("small").join(i.to_string())).collect();
        let is_needed = work.name.starts_with("write") && work.name != "write_small";
        let bytes = if is_needed { vec![1; GIB] } else { Vec::new() };
        Place { small, large: within.join("large"), folder: within.join("directory"), bytes }
    }

    fn make(within: &Path) {
        let place = Place::at(within, &WORKS[3]);
        fs::create_dir_all(within.join("small")).unwrap();
        fs::create_dir_all(&place.folder).unwrap();
        for i in 0..ENTRIES {
            fs::write(place.folder.join(format!("an entry of the directory, {i}")), "").unwrap();
        }
        std_::write_small(&place);
        std_::write_whole(&place);
    }
}

fn main() {
    let turns = Turns::from_arguments();
    let folder = turns.rest.as_ref().map_or_else(env::temp_dir, PathBuf::from);
    if let Some((work, run)) = turns.here(WORKS) {
        let place = Place::at(&folder, work);
        let prepare = || {
            if work.name == "write_small" {
                // To replace a file makes some file systems wait for the disk.
                place.small.iter().for_each(|path| fs::remove_file(path).unwrap());
            }
        };
        return work.measure(1e3, prepare, || run(&place));
    }
    let folder = folder.join(format!("seedbed-files-{}", process::id()));
    Place::make(&folder);
    let head = "| milliseconds | seedbed | tokio | async-fs | std, in place |";
    turns.take(WORKS, head, Some(folder.to_str().expect("a name in Unicode")));
    fs::remove_dir_all(folder).unwrap();
}
