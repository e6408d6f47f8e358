//! The crate's examples, for tests that run one as a process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Builds an example, as this test was built, and tells where it is. After a plain `cargo test`
/// there is nothing left to build.
pub fn example(name: &str) -> PathBuf {
    static BUILD: Mutex<()> = Mutex::new(());
    let _build = BUILD.lock();
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).expect("tests are in `deps`");
    let features = [
        ("anyhow", cfg!(feature = "anyhow")),
        ("fs", cfg!(feature = "fs")),
        ("hyper", cfg!(feature = "hyper")),
        ("process", cfg!(feature = "process")),
        ("stdio", cfg!(feature = "stdio")),
        ("tls", cfg!(feature = "tls")),
        ("tokio-io", cfg!(feature = "tokio-io")),
    ];
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--example", name]);
    for (feature, _) in features.iter().filter(|(_, on)| *on) {
        build.args(["--features", feature]);
    }
    build.arg("--target-dir").arg(profile.parent().expect("the profile is in the target folder"));
    if profile.ends_with("release") {
        build.arg("--release");
    }
    assert!(build.status().unwrap().success());
    profile.join("examples").join(name)
}
