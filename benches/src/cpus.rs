//! The CPUs of threads that talk to each other. Whether they share one makes more of a difference
//! than anything that is measured here, so it is not left to the system.
//!
//! The subject has the first CPU, and whatever keeps it busy has the second. Where they take turns,
//! one always waiting for the other, they share the first. On two CPUs the measurement would mostly
//! be of how long an idle CPU takes to wake up, which on a virtual machine is ten times as long as
//! all the rest.

use std::mem;
use std::sync::OnceLock;

/// One of the CPUs that this process may use.
#[derive(Clone, Copy)]
pub enum Cpu {
    First,
    Second,
}

/// Keeps a thread on one CPU until it is dropped.
pub struct Pinned(());

/// Keeps this thread, and the threads it starts, on this CPU, if there are two.
pub fn pin(cpu: Cpu) -> Pinned {
    let all = all();
    let mut usable = (0..libc::CPU_SETSIZE as usize).filter(|cpu| {
        // SAFETY: the number is one of the set's.
        unsafe { libc::CPU_ISSET(*cpu, all) }
    });
    let first_two = [usable.next(), usable.next()];
    if let [Some(_), Some(_)] = first_two {
        let cpu = first_two[cpu as usize].expect("there are two");
        // SAFETY: a set of none is all zeros, and the number is one of the set's.
        let set = unsafe {
            let mut set = mem::zeroed();
            libc::CPU_SET(cpu, &mut set);
            set
        };
        restrict(&set);
    }
    Pinned(())
}

impl Drop for Pinned {
    fn drop(&mut self) {
        restrict(all());
    }
}

/// The CPUs that this process was allowed to use when this was first called.
fn all() -> &'static libc::cpu_set_t {
    static ALL: OnceLock<libc::cpu_set_t> = OnceLock::new();
    ALL.get_or_init(|| {
        // SAFETY: a set of none is all zeros, and only the set is written to.
        unsafe {
            let mut set = mem::zeroed();
            libc::sched_getaffinity(0, mem::size_of_val(&set), &mut set);
            set
        }
    })
}

/// If it fails, the thread stays where it is, which is no worse than without.
fn restrict(set: &libc::cpu_set_t) {
    // SAFETY: it only reads the set.
    unsafe { libc::sched_setaffinity(0, mem::size_of_val(set), set) };
}
