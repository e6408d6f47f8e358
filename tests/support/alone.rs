//! Tests that concern the whole process: how many descriptors it may have, and what its signals do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Runs this test, whose name this is (`module::function`), in a process of its own.
pub fn alone(name: &str, test: impl FnOnce()) {
    const VARIABLE: &str = "SEEDBED_TEST_ALONE";
    if std::env::var_os(VARIABLE).is_some_and(|alone| alone == name) {
        return test();
    }
    let mut process = std::process::Command::new(std::env::current_exe().unwrap());
    process.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    let output = process.env(VARIABLE, name).output().unwrap();
    let [said, errors] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{errors}");
    print!("{errors}");
}

/// The descriptors that are open, and what each leads to.
pub fn descriptors() -> BTreeMap<u64, PathBuf> {
    let listed = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let listed: Vec<PathBuf> = listed.map(|entry| entry.path()).collect();
    // That by which they were listed is closed by now.
    let open = listed.into_iter().filter_map(|path| Some((std::fs::read_link(&path).ok()?, path)));
    let number = |path: &Path| path.file_name()?.to_str()?.parse().ok();
    open.map(|(to, path)| (number(&path).unwrap(), to)).collect()
}

/// Lets this process have only so many descriptors beside those that it has.
pub fn with_descriptors<T>(more: usize, f: impl FnOnce() -> T) -> T {
    let before = getrlimit(Resource::Nofile);
    // The limit is on the numbers, and the lowest free one is given out.
    let open = descriptors();
    let current = (0..).filter(|number| !open.contains_key(number)).nth(more);
    setrlimit(Resource::Nofile, Rlimit { current, ..before }).unwrap();
    let value = f();
    setrlimit(Resource::Nofile, before).unwrap();
    value
}

/// While `f` runs, a signal that means nothing comes all the time, and interrupts whatever waits.
pub fn interrupted_all_the_time<T>(f: impl FnOnce() -> T) -> T {
    extern "C" fn nothing(_: i32) {}
    // SAFETY: the handler does nothing; without SA_RESTART, calls are interrupted.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(i32) as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()), 0);
    }
    let done = Arc::new(AtomicBool::new(false));
    // SAFETY: this thread waits for the other, and so is there as long as it.
    let this = unsafe { libc::pthread_self() } as usize;
    let interrupting = std::thread::spawn({
        let done = done.clone();
        move || {
            let mut sent = 0_u64;
            while !done.load(Ordering::Relaxed) {
                // SAFETY: as above.
                unsafe { libc::pthread_kill(this as libc::pthread_t, libc::SIGUSR1) };
                sent += 1;
                std::thread::yield_now();
            }
            sent
        }
    });
    let value = f();
    done.store(true, Ordering::Relaxed);
    assert!(interrupting.join().unwrap() > 0);
    value
}
