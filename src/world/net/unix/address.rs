//! Names of sockets in the Unix domain: paths, and abstract names.
//!
//! Every way in goes through here, so that a name means the same everywhere. The libraries below
//! differ: one silently cuts off whatever follows a NUL byte, another rejects abstract names, and
//! the system replaces an empty path with a name of its own.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use socket2::SockAddr;

/// The name in the system's form.
///
/// A name that begins with a NUL byte is abstract, on systems with such names, and may contain more
/// of them.
pub(super) fn address(name: &Path) -> io::Result<SockAddr> {
    let bytes = name.as_os_str().as_bytes();
    let refuse = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    match bytes {
        [] => return refuse("the path is empty"),
        [0] => return refuse("the abstract name is empty"),
        [0, ..] if cfg!(any(target_os = "linux", target_os = "android")) => {}
        [0, ..] => return refuse("this system has no abstract names"),
        _ if bytes.contains(&0) => return refuse("the path contains a NUL byte"),
        _ => {}
    }
    // It fails for no other reason.
    SockAddr::unix(name).or_else(|_| {
        refuse(&format!("it has {} bytes, more than fit in the address of a socket", bytes.len()))
    })
}

/// The name of an address of the standard library, in the form that [`address`] takes.
pub(super) fn name_of(address: &SocketAddr) -> std::path::PathBuf {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt;

    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = address.as_abstract_name() {
        let bytes = [b"\0", name].concat();
        return std::ffi::OsStr::from_bytes(&bytes).into();
    }
    address.as_pathname().unwrap_or(Path::new("")).to_owned()
}
