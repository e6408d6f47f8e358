//! A connection with a reader and a writer, and a stop that loses nothing that was read.
//!
//! ```text
//! cargo run --example reader_and_writer
//! ```
//!
//! For each line it reads, the reader puts an answer into a queue, from which a slower writer sends
//! them. When the server is stopped, the reader ends with a value instead of an error, and the
//! writer still sends what is in the queue.

use std::time::Duration;

use seedbed::net::{TcpListener, TcpStream};
use seedbed::{Event, Result, Server, channel, nursery, sleep, until_stopped};

/// Answers lines in upper case. A server treats the whole of a handler as finishing its work: a
/// graceful stop reaches it only where it asks for that.
async fn connection(stream: TcpStream, pause: Duration) -> Result<()> {
    let (queue, answers) = channel::<String>(100);
    let stream = &stream;
    nursery(async |n| {
        n.spawn(async move {
            while let Some(answer) = answers.recv().await? {
                sleep(pause).await?;
                stream.write_all(answer.as_bytes()).await?;
            }
            Ok(()) // the queue has ended, and is empty
        });
        let (mut buffer, mut text) = ([0; 1024], String::new());
        // `None` once the server is stopped.
        while let Some(read) = until_stopped(stream.read(&mut buffer)).await? {
            if read == 0 {
                break; // the client has finished
            }
            text += &String::from_utf8_lossy(&buffer[..read]);
            while let Some(end) = text.find('\n') {
                let line: String = text.drain(..=end).collect();
                queue.send(line.to_uppercase()).await?;
            }
        }
        drop(queue); // the writer ends once the queue is empty
        Ok(())
    })
    .await
}

/// Returns what the client reads. It sends ten lines at once, and stops the server when it has the
/// first answer.
pub fn demonstrate(pause: Duration) -> Result<String> {
    seedbed::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let stop = Event::new();
        let server = Server::new(listener).shutdown_on(stop.wait()).grace(Duration::from_secs(30));
        nursery(async |n| {
            n.spawn(server.serve(async |stream, _| connection(stream, pause).await));

            let client = TcpStream::connect(address).await?;
            client.write_all(&b"hello\n".repeat(10)).await?;
            let mut answers = vec![0; 6];
            client.read_exact(&mut answers).await?;
            stop.set();
            client.read_to_end(&mut answers).await?;
            Ok(String::from_utf8_lossy(&answers).into_owned())
        })
        .await
    })
}

pub fn main() -> Result<()> {
    let answers = demonstrate(Duration::from_millis(100))?;
    println!("{} answers, nine of them after the stop", answers.lines().count());
    Ok(())
}
