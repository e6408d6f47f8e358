//! Programs of generators, context managers, nurseries and scopes, with drops and panics at any
//! time. `tests/random_generators/main.rs` says what must hold.

#[path = "../random_generators/program.rs"]
mod program;

use std::sync::Once;

use program::{Choices, Totals, silence_planned, try_program};

pub fn run(bytes: &[u8]) {
    static SILENCE: Once = Once::new();
    SILENCE.call_once(silence_planned);
    if let Err(why) = try_program(Choices::Given(bytes), false, &mut Totals::default()) {
        panic!("{why}");
    }
}
