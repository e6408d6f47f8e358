//! Files and directories, beside those of tokio and async-fs, and beside the standard library's.
//!
//! ```text
//! cargo run --release -p seedbed-bench --bin files -- [--rounds N] [--only NAME] [FOLDER]
//! ```
//!
//! The subjects take turns, round by round, and a figure is the median of its rounds. Everything is
//! made in FOLDER (by default where temporary files go), in the system's memory after the first
//! round; so this measures what it costs to get there, and not the disk. It takes 4 GiB of memory,
//! and 1 GiB of the disk.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs, process};

use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const FILES: usize = 10_000;
const TASKS: usize = 16;
const GIB: usize = 1 << 30;
const ENTRIES: usize = 100_000;
const CONTENTS: &[u8] = &[7; 1000];

/// A piece of work, done by each subject.
struct Work {
    name: &'static str,
    title: &'static str,
    subjects: [(&'static str, fn(&Place)); 4],
}

/// Where it is done.
struct Place {
    small: Vec<PathBuf>,
    large: PathBuf,
    folder: PathBuf,
    bytes: Vec<u8>,
}

macro_rules! work {
    ($name:ident, $title:literal) => {
        Work {
            name: stringify!($name),
            title: $title,
            subjects: [
                ("seedbed", |place| run_seedbed(seedbed_::$name(place))),
                ("tokio", |place| run_tokio(tokio_::$name(place))),
                ("async-fs", |place| futures_lite::future::block_on(async_fs_::$name(place))),
                ("std", |place| std_::$name(place)),
            ],
        }
    };
}

const WORKS: &[Work] = &[
    work!(write_small, "10,000 files of 1,000 bytes written, one after the other"),
    work!(read_small, "… read"),
    work!(read_small_in_tasks, "… read by 16 tasks"),
    work!(write_whole, "a GiB written, as a whole"),
    work!(read_whole, "… read, as a whole"),
    work!(write_pieces, "… written, 64 KiB at a time"),
    work!(write_large_pieces, "… written, 1 MiB at a time"),
    work!(read_pieces, "… read, 64 KiB at a time"),
    work!(read_large_pieces, "… read, 1 MiB at a time"),
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

    async fn write_by(place: &Place, size: usize) -> Result<()> {
        let mut file = File::create(&place.large).await?;
        for piece in place.bytes.chunks(size) {
            file.write_all(piece).await?;
        }
        Ok(())
    }

    pub async fn write_pieces(place: &Place) -> Result<()> {
        write_by(place, 64 << 10).await
    }

    pub async fn write_large_pieces(place: &Place) -> Result<()> {
        write_by(place, 1 << 20).await
    }

    async fn read_by(place: &Place, size: usize) -> Result<()> {
        let mut file = File::open(&place.large).await?;
        let (mut buffer, mut length) = (vec![0; size], 0);
        loop {
            match file.read(&mut buffer).await? {
                0 => break,
                n => length += n,
            }
        }
        seen(length, GIB);
        Ok(())
    }

    pub async fn read_pieces(place: &Place) -> Result<()> {
        read_by(place, 64 << 10).await
    }

    pub async fn read_large_pieces(place: &Place) -> Result<()> {
        read_by(place, 1 << 20).await
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

    async fn write_by(place: &Place, size: usize) -> Result<()> {
        let mut file = File::create(&place.large).await?;
        for piece in place.bytes.chunks(size) {
            file.write_all(piece).await?;
        }
        file.flush().await
    }

    pub async fn write_pieces(place: &Place) -> Result<()> {
        write_by(place, 64 << 10).await
    }

    pub async fn write_large_pieces(place: &Place) -> Result<()> {
        write_by(place, 1 << 20).await
    }

    async fn read_by(place: &Place, size: usize) -> Result<()> {
        let mut file = File::open(&place.large).await?;
        let (mut buffer, mut length) = (vec![0; size], 0);
        loop {
            match file.read(&mut buffer).await? {
                0 => break,
                n => length += n,
            }
        }
        seen(length, GIB);
        Ok(())
    }

    pub async fn read_pieces(place: &Place) -> Result<()> {
        read_by(place, 64 << 10).await
    }

    pub async fn read_large_pieces(place: &Place) -> Result<()> {
        read_by(place, 1 << 20).await
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

    async fn write_by(place: &Place, size: usize) {
        let mut file = File::create(&place.large).await.unwrap();
        for piece in place.bytes.chunks(size) {
            file.write_all(piece).await.unwrap();
        }
        file.flush().await.unwrap();
    }

    pub async fn write_pieces(place: &Place) {
        write_by(place, 64 << 10).await;
    }

    pub async fn write_large_pieces(place: &Place) {
        write_by(place, 1 << 20).await;
    }

    async fn read_by(place: &Place, size: usize) {
        let mut file = File::open(&place.large).await.unwrap();
        let (mut buffer, mut length) = (vec![0; size], 0);
        loop {
            match file.read(&mut buffer).await.unwrap() {
                0 => break,
                n => length += n,
            }
        }
        seen(length, GIB);
    }

    pub async fn read_pieces(place: &Place) {
        read_by(place, 64 << 10).await;
    }

    pub async fn read_large_pieces(place: &Place) {
        read_by(place, 1 << 20).await;
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

    fn write_by(place: &Place, size: usize) {
        let mut file = File::create(&place.large).unwrap();
        for piece in place.bytes.chunks(size) {
            file.write_all(piece).unwrap();
        }
    }

    pub fn write_pieces(place: &Place) {
        write_by(place, 64 << 10);
    }

    pub fn write_large_pieces(place: &Place) {
        write_by(place, 1 << 20);
    }

    fn read_by(place: &Place, size: usize) {
        let mut file = File::open(&place.large).unwrap();
        let (mut buffer, mut length) = (vec![0; size], 0);
        loop {
            match file.read(&mut buffer).unwrap() {
                0 => break,
                n => length += n,
            }
        }
        seen(length, GIB);
    }

    pub fn read_pieces(place: &Place) {
        read_by(place, 64 << 10);
    }

    pub fn read_large_pieces(place: &Place) {
        read_by(place, 1 << 20);
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
    fn make(within: &Path, works: &[&Work]) -> Place {
        let folder = within.join("directory");
        fs::create_dir_all(within.join("small")).unwrap();
        fs::create_dir_all(&folder).unwrap();
        if works.iter().any(|work| work.name == "list") {
            for i in 0..ENTRIES {
                fs::write(folder.join(format!("an entry of the directory, {i}")), "").unwrap();
            }
        }
        let small = (0..FILES).map(|i| within.join("small").join(i.to_string())).collect();
        let place = Place { small, large: within.join("large"), folder, bytes: vec![1; GIB] };
        std_::write_small(&place);
        std_::write_whole(&place);
        place
    }
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

fn main() {
    let mut rounds = 5;
    let mut only = None;
    let mut folder = env::temp_dir();
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--rounds" => rounds = arguments.next().and_then(|n| n.parse().ok()).expect("a number"),
            "--only" => only = arguments.next(),
            _ => folder = argument.into(),
        }
    }
    let chosen = |work: &&Work| only.as_ref().is_none_or(|only| work.name.contains(only));
    let works: Vec<_> = WORKS.iter().filter(chosen).collect();
    let folder = folder.join(format!("seedbed-files-{}", process::id()));
    let place = Place::make(&folder, &works);
    println!(
        "| milliseconds | seedbed | tokio | async-fs | std, in place |\n|---|---|---|---|---|"
    );
    for work in works {
        let mut samples = [const { Vec::new() }; 4];
        for round in 0..=rounds {
            for turn in 0..4 {
                let subject = (turn + round) % 4; // none is always first
                let begin = Instant::now();
                (work.subjects[subject].1)(&place);
                let time = begin.elapsed().as_secs_f64() * 1000.0;
                if round > 0 {
                    samples[subject].push(time);
                }
            }
        }
        let [ours, others @ ..] = samples.map(|mut samples| median(&mut samples));
        print!("| {} | {ours:.0} |", work.title);
        for other in others {
            print!(" {other:.0} ({:.2}) |", other / ours);
        }
        println!();
    }
    fs::remove_dir_all(folder).unwrap();
}
