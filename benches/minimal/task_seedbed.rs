//! A task that says hello.

use seedbed::{Result, nursery};

fn main() -> Result<()> {
    seedbed::run(nursery(async |n| {
        n.spawn(async {
            println!("hello");
            Ok(())
        });
        Ok(())
    }))
}
