//! A question with a time limit: whoever does not answer within ten seconds gets the default.
//!
//! What is typed too late is not lost: the next question gets it.

use std::time::Duration;

use seedbed::stdio::{self, Input};
use seedbed::{Result, move_on_after};

const LIMIT: Duration = Duration::from_secs(10);

async fn ask(input: &mut Input, question: &str, default: &str) -> Result<String> {
    stdio::stdout()?.write_all(format!("{question} [{default}] ").as_bytes()).await?;
    Ok(match move_on_after(LIMIT, input.next_line()).await? {
        None => {
            println!("\nToo late: {default}");
            default.to_owned()
        }
        Some(None) => default.to_owned(),
        Some(Some(answer)) if answer.is_empty() => default.to_owned(),
        Some(Some(answer)) => answer,
    })
}

fn main() -> Result<()> {
    seedbed::run(async {
        let mut input = stdio::stdin()?;
        let name = ask(&mut input, "Who are you?", "nobody").await?;
        let colour = ask(&mut input, "Which colour do you like?", "red").await?;
        println!("{name} likes {colour}.");
        Ok(())
    })
}
