//! Files that are read, written and copied as a whole.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Result, placed};
use crate::world::fs::call::{Call, MOST_AT_ONCE, PIECE, Steps, read_rest, uninterrupted};
use crate::world::fs::failure::{Doing, Unit, having_done};
use crate::world::fs::file::in_pieces;

/// Reads a whole file: [`std::fs::read`].
///
/// This is a [checkpoint](crate::checkpoint()). It takes several system calls, and stops between
/// two if it is cancelled.
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path.
///
/// ```
/// use seedbed::fs;
///
/// seedbed::run(async {
///     assert!(!fs::read("Cargo.toml").await?.is_empty());
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn read(path: impl AsRef<Path>) -> Call<Vec<u8>> {
    let doing = Doing::new("reading", path.as_ref());
    Call::several(doing, Unit::Bytes, Location::caller(), |doing, steps| {
        read_whole(&doing.path, steps)
    })
}

/// Reads a whole file of text: [`std::fs::read_to_string`].
///
/// This is a [checkpoint](crate::checkpoint()). It takes several system calls, and stops between
/// two if it is cancelled.
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path. If the file is
/// not UTF-8 it has the kind [`InvalidData`](io::ErrorKind::InvalidData), and the bytes are in it:
///
/// ```
/// use seedbed::fs;
/// use std::string::FromUtf8Error;
///
/// # let file = tempfile::NamedTempFile::new()?;
/// # std::fs::write(file.path(), b"\xff\xfe")?;
/// seedbed::run(async {
///     let error = fs::read_to_string(file.path()).await.unwrap_err();
///     assert_eq!(error.find().map(FromUtf8Error::as_bytes), Some(&b"\xff\xfe"[..]));
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn read_to_string(path: impl AsRef<Path>) -> Call<String> {
    let doing = Doing::new("reading", path.as_ref());
    Call::several(doing, Unit::Bytes, Location::caller(), |doing, steps| {
        text(read_whole(&doing.path, steps)?)
    })
}

/// The text, or an error that has the bytes.
pub(super) fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn read_whole(path: &Path, steps: &mut Steps) -> io::Result<Vec<u8>> {
    steps.next()?;
    let file = uninterrupted(|| fs::File::open(path))?;
    read_rest(&file, 0, steps)
}

/// Writes a whole file, which is made if it is not there, and replaced if it is:
/// [`std::fs::write`].
///
/// This is a [checkpoint](crate::checkpoint()). It takes several system calls, and stops between
/// two if it is cancelled. Then the file is there and has as many bytes as
/// [`Failure::done`](super::Failure::done) says. To have the old file or the new one, and nothing
/// in between, write another one and [rename](super::rename) it.
///
/// Success means that the system has the bytes, and everybody sees them, not that they are on the
/// disk: for that there is [`File::sync_all`](super::File::sync_all).
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path.
///
/// ```
/// use seedbed::fs;
///
/// # let file = tempfile::NamedTempFile::new()?;
/// # let path = file.path();
/// seedbed::run(async {
///     fs::write(path, "hello").await?;
///     assert_eq!(fs::read(path).await?, b"hello");
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn write(
    path: impl AsRef<Path>,
    contents: impl AsRef<[u8]>,
) -> impl Future<Output = Result<()>> {
    let doing = Doing::new("writing", path.as_ref());
    let place = Location::caller();
    placed(async move {
        let contents = contents.as_ref();
        let (first, rest) = contents.split_at(contents.len().min(MOST_AT_ONCE));
        let (bytes, keeps) = (first.to_vec(), !rest.is_empty());
        let begin = Call::several(doing.clone(), Unit::Bytes, place, move |doing, steps| {
            steps.next()?;
            let file = uninterrupted(|| fs::File::create(&doing.path))?;
            write_all(&file, &bytes, steps)?;
            Ok(keeps.then_some((file, bytes))) // otherwise it is closed here
        });
        let Some((file, spare)) = begin.await? else { return Ok(()) };
        let file = Arc::new(file);
        let write = |piece: Vec<u8>, _| {
            let file = file.clone();
            Call::several(doing.clone(), Unit::Bytes, place, move |_, steps| {
                write_all(&file, &piece, steps)?;
                let length = piece.len();
                Ok((piece, length))
            })
        };
        let (_, written) = in_pieces(rest, spare, write).await;
        written.map_err(|(error, before)| {
            let of_piece = error.find().map_or(0, super::Failure::done);
            having_done(error, first.len() as u64 + before + of_piece, || doing)
        })
    })
}

fn write_all(file: &fs::File, mut bytes: &[u8], steps: &mut Steps) -> io::Result<()> {
    let mut file = file;
    while !bytes.is_empty() {
        steps.next()?;
        let n = uninterrupted(|| file.write(bytes))?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        steps.add(n as u64);
        bytes = &bytes[n..];
    }
    Ok(())
}

/// Copies the contents and the permissions of a file, and returns the number of bytes:
/// [`std::fs::copy`]. What is there is replaced.
///
/// This is a [checkpoint](crate::checkpoint()). It takes several system calls, and stops between
/// two if it is cancelled. Then the copy is there and has as many bytes as
/// [`Failure::done`](super::Failure::done) says.
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names both paths; one of the
/// kind [`InvalidInput`](io::ErrorKind::InvalidInput) if this is not a file.
#[track_caller]
pub fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Call<u64> {
    let (from, to) = (from.as_ref(), to.as_ref());
    let doing = Doing { to: Some(to.into()), ..Doing::new("copying", from) };
    Call::several(doing, Unit::Bytes, Location::caller(), |doing, steps| {
        steps.next()?;
        let from = uninterrupted(|| fs::File::open(&doing.path))?;
        steps.next()?;
        let metadata = from.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is not a file"));
        }
        let permissions = metadata.permissions();
        let to = doing.to.as_deref().expect("there are two");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(permissions.mode());
        steps.next()?;
        let mut to = uninterrupted(|| options.open(to))?;
        steps.next()?;
        if to.metadata()?.is_file() {
            // The file may have been there before, and the mask does not apply to a copy.
            to.set_permissions(permissions)?;
        }
        loop {
            steps.next()?;
            // Within the system, where it can do that.
            match io::copy(&mut (&from).take(PIECE as u64), &mut to) {
                Ok(0) => return Ok(steps.done()),
                Ok(n) => steps.add(n),
                Err(error) => {
                    // Some of the piece may have been copied. A pipe does not tell.
                    let end = rustix::fs::tell(&to).unwrap_or(0);
                    steps.add(end.saturating_sub(steps.done()));
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        }
    })
}
