//! Four programs that hang, as real ones do, to practise on. The guide's chapter *What is it doing?*
//! goes from what one sees of each to the line that is to blame.
//!
//! ```text
//! cargo run -p hangs -- futurelock          # then Ctrl-\, for a dump
//! cargo run -p hangs -- ignored             # Ctrl-C does not end it; Ctrl-\ says why
//! cargo run -p hangs -- blocked | sleep 99  # nobody reads what it prints
//! cargo run -p hangs -- leak                # goes on, and grows
//! ```

mod blocked;
mod futurelock;
mod ignored;
mod leak;

use seedbed::signal::Signal;
use seedbed::{Builder, Error, Result};

fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let builder = Builder::new().dump_on(Signal::QUIT);
    match std::env::args().nth(1).as_deref() {
        Some("futurelock") => builder.run(futurelock::main()),
        Some("ignored") => builder.run(ignored::main()),
        Some("blocked") => builder.run(blocked::main()),
        Some("leak") => builder.run(leak::main()),
        _ => Err(Error::msg("usage: hangs futurelock|ignored|blocked|leak")),
    }
}
