//! A task that says hello.

use tokio::runtime::Builder;

fn main() {
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        tokio::spawn(async { println!("hello") }).await.unwrap();
    });
}
