//! What calls leave behind.

use std::fmt::Debug;
use std::fs;

use seedbed::{Result, yield_now};
use tokio::runtime::Handle;

use super::alone::descriptors;

/// How often one asks. Each time everybody else has a turn.
const MOST: usize = 100_000;

/// What libraries have at the moment.
#[derive(PartialEq, Eq, Clone, Copy, Debug)]
pub struct Left {
    /// tokio's tasks.
    pub tasks: usize,
    /// Connections, as their server sees them.
    pub connections: usize,
    /// Descriptors of this process, beyond those that it had at first.
    pub descriptors: usize,
}

/// Nothing at all.
pub const NOTHING: Left = Left { tasks: 0, connections: 0, descriptors: 0 };

/// What this process has while nothing has been called.
pub struct Before {
    descriptors: usize,
}

impl Before {
    pub fn now() -> Before {
        Before { descriptors: descriptors().len() }
    }

    /// Waits until this is what there is, however long that takes the others: tokio's worker, and
    /// the server, which `connections` asks.
    pub async fn until(
        &self,
        left: Left,
        connections: impl AsyncFn() -> Result<usize>,
    ) -> Result<()> {
        until((left, Some(left.connections)), async || {
            let own = Left { tasks: tasks(), descriptors: self.descriptors(), ..left };
            // The server is asked when there is some prospect.
            let connections = if own == left { Some(connections().await?) } else { None };
            Ok((own, connections))
        })
        .await
    }

    /// How many more there are now.
    pub fn descriptors(&self) -> usize {
        descriptors().len().saturating_sub(self.descriptors)
    }
}

/// How many tasks there are in tokio's runtime.
pub fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Asks until the answer is the one that is expected.
pub async fn until<T: PartialEq + Debug>(
    expected: T,
    ask: impl AsyncFn() -> Result<T>,
) -> Result<()> {
    let mut answer = ask().await?;
    for _ in 0..MOST {
        if answer == expected {
            return Ok(());
        }
        yield_now().await?;
        std::thread::yield_now(); // tokio's worker may want this processor
        answer = ask().await?;
    }
    panic!("expected {expected:?}, and it stays {answer:?}; open: {:#?}", descriptors());
}

/// The connections that a TCP server of this machine has, as the kernel lists them.
pub fn connections(port: u16) -> usize {
    const LISTENS: &str = "0A";
    let own = |line: &str| {
        let mut columns = line.split_whitespace().skip(1);
        let local = columns.next()?;
        let (state, inode) = (columns.nth(1)?, columns.nth(5)?);
        let is_its = local.ends_with(&format!(":{port:04X}"));
        // What has been closed stays in the list for a while, without an owner.
        Some(is_its && state != LISTENS && inode != "0")
    };
    let list = fs::read_to_string("/proc/self/net/tcp").unwrap();
    list.lines().skip(1).filter(|line| own(line) == Some(true)).count()
}
