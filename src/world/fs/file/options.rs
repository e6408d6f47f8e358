//! How a file is opened.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::error::Result;
use crate::world::fs::call::{Call, uninterrupted};
use crate::world::fs::failure::Doing;
use crate::world::fs::file::File;

/// How a file is opened: [`std::fs::OpenOptions`].
///
/// ```
/// use seedbed::fs::OpenOptions;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("log");
/// seedbed::run(async {
///     let mut log = OpenOptions::new().append(true).create(true).open(&path).await?;
///     log.write_all(b"a line\n").await
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions(fs::OpenOptions);

/// Makes the methods that pass a setting on to `std::fs::OpenOptions`.
macro_rules! settings {
    ($($(#[$meta:meta])* $name:ident($value:ty);)*) => {$(
        $(#[$meta])*
        pub fn $name(&mut self, value: $value) -> &mut Self {
            self.0.$name(value);
            self
        }
    )*};
}

impl OpenOptions {
    /// Options of which none is set.
    #[must_use]
    pub fn new() -> Self {
        OpenOptions(fs::OpenOptions::new())
    }

    settings! {
        /// Sets whether the file can be read.
        read(bool);

        /// Sets whether the file can be written.
        write(bool);

        /// Sets whether each write appends to the end of the file, wherever that is by then. See
        /// [`File`] for what that means for its cursor.
        append(bool);

        /// Sets whether what is in the file is removed.
        truncate(bool);

        /// Sets whether the file is made if it is not there.
        create(bool);

        /// Sets whether the file is made, and that it is an error if it is there.
        create_new(bool);

        /// Sets the permissions of a file that is made: 0o666 by default, without the process's
        /// mask.
        mode(u32);

        /// Sets further flags for the system, such as `libc::O_DIRECT`.
        custom_flags(i32);
    }

    /// Opens the file.
    ///
    /// This is a [checkpoint](crate::checkpoint()): if it is cancelled, it has not happened.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the system's [`io::Error`](std::io::Error), which names the
    /// path.
    #[track_caller]
    pub fn open(&self, path: impl AsRef<Path>) -> Opening {
        let options = self.0.clone();
        let doing = Doing::new("opening", path.as_ref());
        Opening(Call::one(doing, Location::caller(), move |doing| {
            let file = uninterrupted(|| options.open(&doing.path))?;
            Ok((file, doing.path.clone()))
        }))
    }
}

/// The future of [`open`](OpenOptions::open). It has its own copy of the path, so it borrows
/// nothing.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Opening(Call<(fs::File, Arc<Path>)>);

impl Future for Opening {
    type Output = Result<File>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<File>> {
        let opened = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(opened.map(|(file, path)| File::new(file, path, 0)))
    }
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl From<fs::OpenOptions> for OpenOptions {
    fn from(options: fs::OpenOptions) -> Self {
        OpenOptions(options)
    }
}
