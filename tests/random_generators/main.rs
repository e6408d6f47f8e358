//! Random programs of generators, context managers, nurseries and scopes, with cancellations,
//! errors, panics and drops at any time. Of each of them must hold:
//!
//! - It ends, without a deadlock, and no error shows that the crate itself is confused.
//! - When `run` returns, every body that had begun has ended or was dropped. The body of a
//!   generator or context manager has ended, unless the program drops futures half-way.
//! - A yield is refused exactly if something is open in its frame: the counters are always right.
//! - Every value is dropped exactly once.
//!
//! `SEEDBED_FUZZ_SECONDS=3600 cargo test --release --test random_generators -- --nocapture` goes on
//! for that long. `SEEDBED_FUZZ_SEED=N` begins with that program, and says more about it.

mod program;

use std::time::{Duration, Instant};

use program::{Choices, Totals, silence_planned, try_program};

#[test]
fn f03_random_programs_leave_nothing_behind() {
    silence_planned();
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let time = number("SEEDBED_FUZZ_SECONDS").map(Duration::from_secs);
    let one = number("SEEDBED_FUZZ_SEED");
    let begun = Instant::now();
    let mut totals = Totals::default();
    let mut failures = 0;
    // Long runs try other programs each time.
    let first = one.unwrap_or(if time.is_some() { u64::from(std::process::id()) << 32 } else { 0 });
    for seed in first.. {
        let over = match time {
            _ if one.is_some() => seed > first,
            Some(time) => begun.elapsed() >= time,
            None => seed >= first + 3000,
        };
        if over {
            break;
        }
        if let Err(why) = try_program(Choices::Drawn(seed), one.is_some(), &mut totals) {
            println!("SEEDBED_FUZZ_SEED={seed}: {why}");
            failures += 1;
            if failures >= 10 {
                break;
            }
        }
        if time.is_some() && seed % 100_000 == 99_999 {
            println!("seed {seed}, after {} s", begun.elapsed().as_secs());
        }
    }
    let Totals { programs, bodies, yields, refusals, cut_short } = totals;
    println!(
        "{programs} programs from seed {first}: {bodies} bodies, {yields} yields, of which \
         {refusals} refused; {cut_short} bodies dropped half-way"
    );
    assert_eq!(failures, 0, "programs failed: run each with its seed to see more");
    assert!(one.is_some() || yields > 0 && refusals > 0 && cut_short > 0, "they do something");
}
