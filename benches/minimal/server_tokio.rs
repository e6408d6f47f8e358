//! The README's first program as one writes it for tokio.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::time::timeout;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let greeting: Arc<str> = "hello\n".into();
    let listener = TcpListener::bind("127.0.0.1:7000").await?;
    loop {
        let (mut stream, peer) = listener.accept().await?;
        let greeting = greeting.clone();
        tokio::spawn(async move {
            let greet = stream.write_all(greeting.as_bytes());
            if let Err(error) =
                timeout(Duration::from_secs(5), greet).await.unwrap_or_else(|late| Err(late.into()))
            {
                eprintln!("{peer}: {error}");
            }
        });
    }
}
