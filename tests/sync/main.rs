//! What passes between tasks: C2, C10 and D1 to D3, and what its own documentation promises.

#[path = "../support/mod.rs"]
mod support;

mod broadcast;
mod channel;
mod end;
mod event;
mod kinds;
mod locks;
mod loss;
mod meetings;
mod random;
mod reserve;
mod streams;

use std::cell::Cell;

/// SplitMix64.
struct Random(Cell<u64>);

impl Random {
    fn new(seed: u64) -> Random {
        Random(Cell::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d)))
    }

    fn below(&self, n: usize) -> usize {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut bits = self.0.get();
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % n as u64) as usize
    }

    fn one_in(&self, n: usize) -> bool {
        self.below(n) == 0
    }
}
