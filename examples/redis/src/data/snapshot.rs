//! The file that keeps the store while there is no server.
//!
//! It consists of the requests that make the store what it is, so whatever reads a client's
//! requests can read it, a Redis server too: `redis-cli --pipe < FILE`.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::client::budget::Budget;
use crate::client::input::Input;
use crate::client::session::Session;
use crate::command;
use crate::data::Data;
use crate::data::store::{Store, Value};
use crate::resp::request::LONGEST_REQUEST;

/// Elements of a list that are written as one request.
const ELEMENTS: usize = 1000;

/// Writes the store to a file. Whoever reads it sees what was there before, or all of this.
///
/// It blocks the thread, so it is for when there are no clients any more.
///
/// # Errors
///
/// What went wrong, with the name of the file.
pub fn save(store: &Store, path: &Path) -> Result<(), Failed> {
    let new = path.with_added_extension("new");
    let write = || {
        let mut file = BufWriter::new(File::create(&new)?);
        write_requests(store, &mut file)?;
        file.into_inner()?.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(|error| Failed { doing: "saving the keys to", path: path.into(), error })
}

fn write_requests(store: &Store, to: &mut impl Write) -> io::Result<()> {
    for (key, value, deadline) in store.iter() {
        let deadline = deadline.map(|deadline| deadline.to_string());
        match (value, &deadline) {
            (Value::String(string), None) => request(to, &[b"SET", key, string])?,
            (Value::String(string), Some(deadline)) => {
                request(to, &[b"SET", key, string, b"PXAT", deadline.as_bytes()])?;
            }
            (Value::List(list), _) => {
                let mut elements = list.iter().map(|element| &**element).peekable();
                while elements.peek().is_some() {
                    let some = elements.by_ref().take(ELEMENTS);
                    let parts: Vec<&[u8]> = [b"RPUSH", key].into_iter().chain(some).collect();
                    request(to, &parts)?;
                }
                if let Some(deadline) = &deadline {
                    request(to, &[b"PEXPIREAT", key, deadline.as_bytes()])?;
                }
            }
        }
    }
    Ok(())
}

/// Writes a request as a client would.
///
/// # Errors
///
/// Those of `to`.
pub fn request(to: &mut impl Write, parts: &[&[u8]]) -> io::Result<()> {
    write!(to, "*{}\r\n", parts.len())?;
    for part in parts {
        write!(to, "${}\r\n", part.len())?;
        to.write_all(part)?;
        to.write_all(b"\r\n")?;
    }
    Ok(())
}

/// Executes the requests in a file, if there is one. The time of the store has to be set.
///
/// # Errors
///
/// What went wrong, with the name of the file: that it is cut off, for example.
pub fn load(data: &mut Data, path: &Path) -> Result<(), Failed> {
    let mut read = || match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        file => execute(data, &mut file?),
    };
    read().map_err(|error| Failed { doing: "loading the keys from", path: path.into(), error })
}

fn execute(data: &mut Data, file: &mut impl Read) -> io::Result<()> {
    let mut input = Input::new(LONGEST_REQUEST, Budget::new(usize::MAX));
    let mut session = Session::new(0);
    let mut replies = Vec::new();
    loop {
        match file.read(input.room().map_err(io::Error::other)?)? {
            0 if input.is_amid_request() => {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is cut off"));
            }
            0 => return Ok(()),
            read => input.filled(read),
        }
        while let Some(request) = input.next().map_err(io::Error::other)? {
            if request.is_empty() {
                continue;
            }
            command::execute(request, data, &mut session, &mut replies);
            if let Some(error) = replies.strip_prefix(b"-") {
                return Err(io::Error::other(String::from_utf8_lossy(error).trim()));
            }
            replies.clear();
        }
    }
}

/// A file could not be read or written.
#[derive(Debug)]
pub struct Failed {
    doing: &'static str,
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.doing, self.path.display(), self.error)
    }
}

impl std::error::Error for Failed {}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Data {
        let mut data = Data::default();
        data.store.set_now(1000);
        data.store.insert(b"string", Value::String(b"a\r\n\0b".to_vec()), None);
        data.store.insert(b"expires", Value::String(vec![b'x'; 100_000]), Some(5000));
        data.store.insert(b"expired", Value::String(b"gone".to_vec()), Some(1000));
        let list = (0..2500).map(|i| i.to_string().into_bytes().into()).collect();
        data.store.insert(b"list", Value::List(list), Some(6000));
        data
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.resp");
        let (before, mut after) = (sample(), Data::default());
        load(&mut after, &path).unwrap(); // there is none yet
        save(&before.store, &path).unwrap();
        load(&mut after, &path).unwrap();
        assert_eq!(after.store.len(), 3);
        for (key, value, deadline) in before.store.iter() {
            assert_eq!(after.store.get(key), Some(value));
            assert_eq!(after.store.deadline(key), Some(deadline));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_cut_off_or_wrong_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.resp");
        save(&sample().store, &path).unwrap();
        let whole = fs::read(&path).unwrap();
        for (bytes, expected) in [
            (&whole[..whole.len() - 1], "the file is cut off"),
            (b"*1\r\n$-5\r\n", "Protocol error: invalid bulk length '-5'"),
            (b"LPUSH a 1\r\nINCR a\r\n", "WRONGTYPE"),
        ] {
            fs::write(&path, bytes).unwrap();
            let error = load(&mut Data::default(), &path).unwrap_err().to_string();
            let begin = format!("loading the keys from {}: {expected}", path.display());
            assert!(error.starts_with(&begin), "{error}");
        }
        let nowhere = folder.path().join("no/such/folder");
        let error = save(&sample().store, &nowhere).unwrap_err().to_string();
        assert!(error.contains("no/such/folder"), "{error}");
    }
}
