//! A clock that can be told to say something else. The commands are read by a thread, and come
//! through a channel of another crate. Ctrl-C ends the clock, but not the program.

use std::cell::RefCell;
use std::io::stdin;
use std::thread;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use seedbed::signal::{Signal, Signals};
use seedbed::{Result, nursery, sleep};

pub async fn main() -> Result<()> {
    let signals = Signals::new([Signal::INT, Signal::TERM])?;
    let (sender, commands) = unbounded();
    // A thread that waits for input cannot be stopped. It ends with the process.
    thread::spawn(move || {
        for line in stdin().lines().map_while(|line| line.ok()) {
            let _nobody_listens = sender.unbounded_send(line);
        }
        thread::park(); // there may be more to come
    });
    let text = RefCell::new(String::from("tick"));
    nursery(async |n| {
        n.named("clock").spawn(tick(&text));
        n.named("commands").spawn(obey(commands, &text));
        let signal = signals.recv().await?;
        println!("{signal:?}: it ends");
        n.scope().cancel_with(format!("{signal:?}"));
        Ok(())
    })
    .await?;
    println!("it has ended");
    Ok(())
}

async fn tick(text: &RefCell<String>) -> Result<()> {
    loop {
        println!("{}", text.borrow());
        sleep(Duration::from_secs(1)).await?;
    }
}

async fn obey(mut commands: UnboundedReceiver<String>, text: &RefCell<String>) -> Result<()> {
    // Here it hangs: this channel knows nothing of scopes, and goes on waiting.
    while let Some(command) = commands.next().await {
        text.replace(command);
    }
    Ok(())
}
