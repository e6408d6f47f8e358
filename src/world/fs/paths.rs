//! What is done to a path in one system call.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::panic::Location;
use std::path::{Path, PathBuf};

use crate::world::fs::call::Call;
use crate::world::fs::failure::Doing;

/// Makes the functions that pass one path on to the function of the same name in `std::fs`.
macro_rules! on_a_path {
    ($($(#[$meta:meta])* $name:ident, $operation:literal, $value:ty;)*) => {$(
        $(#[$meta])*
        ///
        /// This is a [checkpoint](crate::checkpoint()): if it is cancelled, it has not happened.
        ///
        /// # Errors
        ///
        /// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path.
        #[track_caller]
        pub fn $name(path: impl AsRef<Path>) -> Call<$value> {
            let doing = Doing::new($operation, path.as_ref());
            Call::one(doing, Location::caller(), |doing| fs::$name(&doing.path))
        }
    )*};
}

/// Makes the functions that pass two on.
macro_rules! on_two_paths {
    ($($(#[$meta:meta])* $name:ident, $operation:literal, $call:path;)*) => {$(
        $(#[$meta])*
        ///
        /// This is a [checkpoint](crate::checkpoint()): if it is cancelled, it has not happened.
        ///
        /// # Errors
        ///
        /// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names both paths.
        #[track_caller]
        pub fn $name(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Call<()> {
            let (from, to) = (from.as_ref(), to.as_ref());
            let doing = Doing { to: Some(to.into()), ..Doing::new($operation, from) };
            let place = Location::caller();
            Call::one(doing, place, |doing| $call(&doing.path, second(doing)))
        }
    )*};
}

fn second(doing: &Doing) -> &Path {
    doing.to.as_deref().expect("there are two")
}

on_a_path! {
    /// What the system knows of a file: [`std::fs::metadata`]. Symbolic links are followed.
    ///
    /// ```
    /// use seedbed::fs;
    ///
    /// seedbed::run(async {
    ///     assert!(fs::metadata("Cargo.toml").await?.is_file());
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    metadata, "reading the metadata of", Metadata;

    /// Like [`metadata`], of a symbolic link itself: [`std::fs::symlink_metadata`].
    symlink_metadata, "reading the metadata of", Metadata;

    /// Whether there is something at this path: [`std::fs::exists`]. By the time that this is known
    /// it may have changed.
    exists, "looking for", bool;

    /// The absolute path without symbolic links: [`std::fs::canonicalize`].
    canonicalize, "resolving", PathBuf;

    /// What a symbolic link refers to: [`std::fs::read_link`].
    read_link, "reading the link", PathBuf;

    /// Removes a file: [`std::fs::remove_file`].
    remove_file, "removing the file", ();

    /// Removes an empty directory: [`std::fs::remove_dir`].
    remove_dir, "removing the directory", ();
}

on_two_paths! {
    /// Renames a file or a directory, and replaces what is there: [`std::fs::rename`].
    ///
    /// Both have to be in the same file system.
    rename, "renaming", fs::rename;

    /// Gives a file a second name: [`std::fs::hard_link`].
    hard_link, "linking", fs::hard_link;

    /// Makes `to` a symbolic link that refers to `from`: [`std::os::unix::fs::symlink`].
    symlink, "linking", std::os::unix::fs::symlink;
}

/// Changes what may be done to a file: [`std::fs::set_permissions`].
///
/// This is a [checkpoint](crate::checkpoint()): if it is cancelled, it has not happened.
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path.
#[track_caller]
pub fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> Call<()> {
    let doing = Doing::new("setting the permissions of", path.as_ref());
    let place = Location::caller();
    Call::one(doing, place, |doing| -> io::Result<()> {
        fs::set_permissions(&doing.path, permissions)
    })
}
