//! How much memory a process has in use.

use std::fs;

#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// The bytes allocated, including the allocator's own overhead.
    pub heap: f64,
    /// The bytes of the process that are resident.
    pub resident: f64,
}

impl Memory {
    /// The memory of this process.
    pub fn now() -> Memory {
        // SAFETY: it only reads, under the allocator's locks.
        let heap = unsafe { libc::mallinfo2() };
        let pages = fs::read_to_string("/proc/self/statm").expect("Linux has it");
        let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok());
        // SAFETY: it has no preconditions.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        Memory {
            heap: (heap.uordblks + heap.hblkhd) as f64,
            resident: pages.expect("it is the second") * page as f64,
        }
    }

    /// How much more memory each of `n` items has taken since then.
    pub fn each_since(self, before: Memory, n: usize) -> Vec<f64> {
        vec![(self.heap - before.heap) / n as f64, (self.resident - before.resident) / n as f64]
    }
}
