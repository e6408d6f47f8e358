//! Files and directories.

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::io::{self, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode};
use rustix::io::ioctl_fionread;
use seedbed::fs::{self, Failure, File};
use seedbed::{CancelScope, Error, Result, nursery, yield_now};

use super::{Kind, bytes};
use crate::world::{Life, Random, is_exhaustion};

/// How many operations there are at once.
const AT_ONCE: usize = 8;

pub struct Files {
    /// It makes up the names and the contents.
    seed: u64,
    pause: u8,
    what: What,
}

enum What {
    /// Files written, read, copied and renamed as a whole.
    Whole { length: usize },
    /// An open file, at its cursor and at positions.
    Cursor { steps: u64 },
    /// A directory, read to the end or not.
    Directory { files: u64, half_way: bool },
    /// A call that takes until something happens elsewhere.
    Pipe { length: usize },
}

impl Kind for Files {
    const NAME: &'static str = "files";

    fn draw(random: &mut Random) -> Files {
        let what = match random.below(8) {
            0..3 => {
                let most = if random.one_in(16) { 1 << 22 } else { 1 << 16 };
                What::Whole { length: random.of_magnitude(most) as usize }
            }
            3..5 => What::Cursor { steps: random.below(16) },
            5 | 6 => {
                // A thousand entries are read at once.
                let files = if random.one_in(16) { 1500 } else { random.below(20) };
                What::Directory { files, half_way: random.one_in(2) }
            }
            _ => What::Pipe { length: 1 + random.below(4096) as usize },
        };
        Files { seed: random.next(), pause: random.next() as u8, what }
    }

    async fn run(&self, life: &Life) -> Result<()> {
        std::fs::create_dir_all(folder())?;
        match self.what {
            What::Whole { length } => self.whole(life, length).await,
            What::Cursor { steps } => self.cursor(life, steps).await,
            What::Directory { files, half_way } => self.directory(life, files, half_way).await,
            What::Pipe { length } => self.pipe(length).await,
        }
    }

    async fn make_room() -> Result<()> {
        fs::current_limiter()?.set_total(AT_ONCE);
        nursery(async |n| {
            (0..512).for_each(|_| drop(n.spawn(fs::metadata("/"))));
            Ok(())
        })
        .await
    }

    async fn settle() -> Result<()> {
        while fs::current_limiter()?.borrowed() > 0 {
            LEFT.with_borrow_mut(|left| left.retain(|pipe| !is_empty(pipe)));
            yield_now().await?;
        }
        LEFT.take();
        let Ok(left) = std::fs::read_dir(folder()) else { return Ok(()) };
        for entry in left {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("it is one of ours");
            if let Some(seed) = name.strip_prefix("whole-") {
                let (seed, found) = (seed.parse().expect("a seed"), std::fs::read(&path)?);
                assert!(found == bytes(seed, found.len()), "{path:?} is not what was written");
            }
        }
        Ok(std::fs::remove_dir_all(folder())?)
    }

    fn is_starved(error: &Error) -> bool {
        let system = error.find().and_then(Failure::io_error).or_else(|| error.find());
        system.is_some_and(is_exhaustion)
    }
}

fn folder() -> PathBuf {
    std::env::temp_dir().join(format!("seedbed-soak-{}", std::process::id()))
}

/// If it has failed, the file has as many bytes as the error says.
fn judge<T>(outcome: Result<T>, path: &Path) -> Result<T> {
    outcome.inspect_err(|error| {
        let length = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let done = error.find().map_or(0, Failure::done);
        assert_eq!(length, done, "{path:?}: {error}");
    })
}

impl Files {
    fn path(&self, kind: &str) -> PathBuf {
        folder().join(format!("{kind}-{}", self.seed))
    }

    async fn whole(&self, life: &Life, length: usize) -> Result<()> {
        let [path, copy] = ["whole", "copy"].map(|kind| self.path(kind));
        let bytes = bytes(self.seed, length);
        judge(fs::write(&path, &bytes).await, &path)?;
        life.rest(self.pause).await?;
        assert!(fs::read(&path).await? == bytes, "{path:?} has other contents");
        assert_eq!(judge(fs::copy(&path, &copy).await, &copy)?, length as u64);
        life.rest(self.pause).await?;
        fs::rename(&copy, &path).await?;
        assert!(!fs::exists(&copy).await?);
        assert!(fs::read(&path).await? == bytes, "{path:?} has other contents");
        fs::remove_file(&path).await
    }

    /// Does what a vector does as well, and compares.
    async fn cursor(&self, life: &Life, steps: u64) -> Result<()> {
        let path = self.path("cursor");
        let mut file = File::options().read(true).write(true).create_new(true).open(&path).await?;
        let (mut random, mut model, mut at) = (Random(self.seed), Vec::new(), 0);
        for _ in 0..steps {
            let most = if random.one_in(16) { 1 << 21 } else { 1 << 14 };
            let length = random.of_magnitude(most) as usize;
            let place = random.below(model.len() as u64 + 100) as usize;
            let mut buffer = vec![0; length];
            match random.below(7) {
                0 => {
                    let bytes = bytes(random.next(), length);
                    let outcome = file.write_all(&bytes).await;
                    let done = match &outcome {
                        Ok(()) => length,
                        Err(error) => error.find().map_or(0, Failure::done) as usize,
                    };
                    put(&mut model, at, &bytes[..done]);
                    at += done;
                    assert_eq!(file.position(), at as u64, "{outcome:?}");
                    if outcome.is_err()
                        && let Ok(found) = std::fs::read(&path)
                    {
                        assert!(found == model, "{path:?} after {done} bytes");
                    }
                    outcome?;
                }
                1 => {
                    let bytes = bytes(random.next(), length);
                    file.write_all_at(&bytes, place as u64).await?;
                    put(&mut model, place, &bytes);
                }
                2 => {
                    at = file.seek(SeekFrom::Start(place as u64)).await? as usize;
                    assert_eq!(at, place);
                }
                3 => {
                    let read = file.read(&mut buffer).await?;
                    let rest = &model[at.min(model.len())..];
                    assert!(
                        rest[..read] == buffer[..read] && (read > 0) != rest.is_empty()
                            || length == 0
                    );
                    at += read;
                }
                4 => {
                    file.set_len(place as u64).await?;
                    model.resize(place, 0);
                }
                5 if place + length <= model.len() => {
                    file.read_exact_at(&mut buffer, place as u64).await?;
                    assert!(model[place..place + length] == buffer);
                }
                _ => life.rest(self.pause).await?,
            }
            assert_eq!(file.position(), at as u64);
        }
        assert!(fs::read(&path).await? == model, "{path:?} has other contents");
        fs::remove_file(&path).await
    }

    async fn directory(&self, life: &Life, files: u64, half_way: bool) -> Result<()> {
        let top = self.path("directory");
        let path = top.join("a/b");
        fs::create_dir_all(&path).await?;
        for number in 0..files {
            match number {
                0..6 => fs::write(path.join(number.to_string()), [7; 100]).await?,
                _ => std::fs::write(path.join(number.to_string()), "")?,
            }
        }
        let mut entries = fs::read_dir(&path);
        let mut found = vec![false; files as usize];
        while let Some(entry) = entries.anext().await? {
            let number = entry.file_name().to_str().and_then(|name| name.parse::<usize>().ok());
            let number = number.expect("no other files");
            assert!(!std::mem::replace(&mut found[number], true), "{number} comes twice");
            if half_way && number as u64 > files / 2 {
                break;
            }
        }
        assert!(half_way || found.iter().all(|found| *found), "{found:?}");
        drop(entries); // the run closes them
        life.rest(self.pause).await?;
        let removed = fs::remove_dir_all(&top).await;
        if let Err(error) = &removed
            && let Some(left) = count(&top)
        {
            let done = error.find().map_or(0, Failure::done);
            assert_eq!(done + left, files + 3, "{error}");
        }
        assert!(removed.is_err() || !top.exists());
        removed
    }

    /// Reads a pipe, into which is written after a while, until its other end is closed.
    async fn pipe(&self, length: usize) -> Result<()> {
        let path = self.path("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::RWXU, 0)?;
        let bytes = bytes(self.seed, length);
        let mut end = OtherEnd::open(&path)?;
        nursery(async |n| {
            let reading = n.spawn(fs::read(&path));
            // A virtual clock stands still while the thread waits.
            let let_others_run = async || {
                for _ in 0..self.pause {
                    yield_now().await?;
                }
                Result::Ok(())
            };
            let written = async {
                let_others_run().await?;
                end.write(&bytes)?;
                let_others_run().await
            };
            let written: Result<()> = written.await;
            // A thread that has not opened it yet could not do so without this end.
            let not_before = async |_: &CancelScope| {
                end.fill()?;
                while !end.is_read() && !reading.is_finished() {
                    yield_now().await?;
                }
                Ok(())
            };
            CancelScope::new().with_shield().enter(not_before).await?;
            end.close();
            written?;
            assert!(reading.await? == bytes, "something else comes out of {path:?}");
            Ok(())
        })
        .await?;
        fs::remove_file(&path).await
    }
}

thread_local! {
    /// Pipes that were dropped while a thread may be about to open their other end.
    static LEFT: RefCell<Vec<std::fs::File>> = RefCell::default();
}

/// The end of a pipe that writes.
struct OtherEnd {
    /// Until it is closed.
    file: Option<std::fs::File>,
    is_filled: bool,
}

impl OtherEnd {
    /// Nobody needs to have opened it to read.
    fn open(path: &Path) -> io::Result<OtherEnd> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        Ok(OtherEnd { file: Some(file), is_filled: false })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.is_filled = true;
        self.file.as_ref().expect("it is open").write_all(bytes)
    }

    /// Makes sure that whoever opens it has something to read.
    fn fill(&mut self) -> io::Result<()> {
        if self.is_filled { Ok(()) } else { self.write(&[0]) }
    }

    /// Whether everything has been read.
    fn is_read(&self) -> bool {
        self.file.as_ref().is_none_or(is_empty)
    }

    fn close(&mut self) {
        self.file = None;
    }
}

fn is_empty(pipe: &std::fs::File) -> bool {
    ioctl_fionread(pipe).expect("it is a pipe") == 0
}

impl Drop for OtherEnd {
    fn drop(&mut self) {
        if self.file.is_some() {
            self.fill().expect("there is room");
            LEFT.with_borrow_mut(|left| left.extend(self.file.take()));
        }
    }
}

/// Writes to a vector as to a file.
fn put(model: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if !bytes.is_empty() {
        model.resize(model.len().max(at + bytes.len()), 0);
        model[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

/// Counts what there is in a directory, with itself. `None` if there are no descriptors.
fn count(path: &Path) -> Option<u64> {
    let mut all = 1;
    match std::fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(0),
        Err(_) => return None,
        Ok(entries) => {
            for entry in entries {
                let entry = entry.ok()?;
                all += if entry.file_type().ok()?.is_dir() { count(&entry.path())? } else { 1 };
            }
        }
    }
    Some(all)
}
