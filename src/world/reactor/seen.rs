//! Showing the sources that are registered.

use crate::schedule::current;
use crate::world::reactor::Reactor;
use crate::world::reactor::readiness::Kind;
use crate::world::seen::{Ends, Opened, Seen};

impl Reactor {
    /// The sources of the present run, if they can be looked at.
    pub(crate) fn seen(&self) -> Option<Vec<Seen>> {
        let chunks = self.chunks.try_borrow().ok()?;
        let run = current::current_run();
        let descriptors = if self.has_sources() { self.descriptors() } else { Vec::new() };
        let registered = chunks.all().filter(|(key, readiness)| {
            readiness.run.get() == run && Some(*key) != self.quiet.get()
        });
        let seen = registered.map(|(key, readiness)| Seen {
            descriptor: descriptors.get(key as usize).copied().flatten(),
            ends: Ends::Unknown,
            opened: match readiness.kind.get() {
                Kind::Accepted => Opened::ByPeer,
                Kind::Listener | Kind::Other => Opened::Here,
            },
            waits: readiness.waits(),
        });
        Some(seen.collect())
    }

    /// The descriptors of the sources, by their keys. The reactor does not know them, and need not:
    /// Linux does.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn descriptors(&self) -> Vec<Option<i32>> {
        use std::os::fd::{AsFd, AsRawFd};
        let number = self.registry.as_fd().as_raw_fd();
        // There may be no `/proc`, or no descriptor left to read it with.
        let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}"));
        by_key(&text.unwrap_or_default())
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn descriptors(&self) -> Vec<Option<i32>> {
        Vec::new()
    }
}

/// Reads what Linux says of an epoll: a line `tfd: 5 events: 19 data: 1a …` for each descriptor in
/// it, whose data is the key.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn by_key(text: &str) -> Vec<Option<i32>> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let mut after = |name| words.find(|&word| word == name).and_then(|_| words.next());
        let (Some(descriptor), Some(data)) = (after("tfd:"), after("data:")) else { continue };
        let Ok(key) = u32::from_str_radix(data, 16) else { continue }; // that of no source
        let key = key as usize;
        if found.len() <= key {
            found.resize(key + 1, None);
        }
        found[key] = descriptor.parse().ok();
    }
    found
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    #[test]
    fn what_linux_says_of_an_epoll() {
        let text = "pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t1057\n\
            tfd:        5 events: 80000019 data: ffffffffffffffff  pos:0 ino:421 sdev:f\n\
            tfd:        7 events: 8000201f data:                2  pos:0 ino:2b4f sdev:8\n\
            tfd:       12 events: 8000201f data:                0  pos:0 ino:2b50 sdev:8\n";
        assert_eq!(by_key(text), [Some(12), None, Some(7)]);
        assert_eq!(by_key("tfd: x data: 0\n\ntfd: 1"), [None]);
    }
}
