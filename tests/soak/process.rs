//! What the process as a whole has in use: memory and descriptors, and how many descriptors it may
//! have.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::OsString;
use std::fs::{DirEntry, File};
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, getpid, getrlimit, kill_process, setrlimit};
use signal_hook::consts::SIGUSR1;

static LIVE: AtomicIsize = AtomicIsize::new(0);

/// The system's allocator, and how many bytes of it are in use.
pub struct Counting;

fn count(bytes: usize, sign: isize) {
    LIVE.fetch_add(sign * bytes.cast_signed(), Ordering::Relaxed);
}

// SAFETY: it is the system's, except for a number that needs no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

/// How many bytes are allocated.
pub fn memory() -> isize {
    LIVE.load(Ordering::Relaxed)
}

/// The numbers of the descriptors that are open.
fn open() -> Vec<u64> {
    let listed = std::fs::read_dir("/dev/fd").expect("a process may look at its descriptors");
    let number = |name: OsString| name.to_str().and_then(|name| name.parse().ok());
    let listed = listed.map(|entry| entry.expect("it is there").file_name());
    let listed: Vec<u64> = listed.map(|name| number(name).expect("a number")).collect();
    // The one by which they were listed, which has gone, had the lowest number there was.
    let lowest = File::open("/dev/null").expect("one more").as_raw_fd();
    listed.into_iter().filter(|number| *number != u64::from(lowest.cast_unsigned())).collect()
}

/// How many descriptors are open.
pub fn descriptors() -> usize {
    open().len()
}

/// Waits until all of the crate's threads sleep, and returns how many there are; `None` where nobody
/// tells. One that has reported to a run has things of the run for another moment, and one that has
/// ended takes a moment to go.
pub fn wait_for_threads() -> Option<usize> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    loop {
        let states = threads();
        if states.iter().all(|state| *state == 'S') {
            return Some(states.len());
        }
        std::thread::yield_now();
    }
}

/// The states of the crate's threads, such as `S` for one that sleeps.
fn threads() -> Vec<char> {
    let listed = std::fs::read_dir("/proc/self/task").expect("a process may look at its threads");
    let state = |thread: io::Result<DirEntry>| {
        // It may have gone by now.
        let stat = std::fs::read_to_string(thread.ok()?.path().join("stat")).ok()?;
        stat.split_once("(seedbed worker) ")?.1.chars().next()
    };
    listed.filter_map(state).collect()
}

/// Waits until the main thread sleeps, because the run on it has nothing to do. To be called on
/// another thread, the only one that does anything.
pub fn wait_for_main_thread() {
    if !cfg!(target_os = "linux") {
        // Nobody tells. This will nearly always do.
        return std::thread::sleep(Duration::from_millis(1));
    }
    let sleeps = || {
        let stat = std::fs::read_to_string("/proc/self/stat").expect("it is there");
        stat.rsplit_once(") ").expect("its name is in parentheses").1.starts_with('S')
    };
    while !sleeps() {
        std::thread::yield_now();
    }
}

/// Interrupts the main thread's system calls, again and again, with a signal that means nothing.
pub fn interrupt() {
    let seen = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGUSR1, seen).expect("it may have a handler");
    loop {
        std::thread::sleep(Duration::from_millis(1));
        kill_process(getpid(), Signal::USR1).expect("a process may signal itself");
    }
}

/// Lets the process have only that many more descriptors than there are, until it is dropped.
pub struct Scarcity(Rlimit);

impl Scarcity {
    pub fn new(left: usize) -> Scarcity {
        let before = getrlimit(Resource::Nofile);
        // The limit is on the numbers, and the lowest free one is given out.
        let open = open();
        let current = (0..).filter(|number| !open.contains(number)).nth(left);
        setrlimit(Resource::Nofile, Rlimit { current, ..before }).expect("a limit may be lowered");
        Scarcity(before)
    }
}

impl Drop for Scarcity {
    fn drop(&mut self) {
        setrlimit(Resource::Nofile, self.0).expect("it was so before");
    }
}
