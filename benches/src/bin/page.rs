//! What an open page costs the run that it shows: 10,000 tasks, of which 1,000 do something each
//! second, and one that works all the time.
//!
//! ```sh
//! cargo run --release -p seedbed-bench --no-default-features --features page --bin page
//! ```
//!
//! It counts what that one gets done for each second that the run's thread is at work, with a page
//! open and without, in turn.

use std::io::{Read, Write};
use std::net::{self, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use seedbed::net::TcpListener;
use seedbed::{Result, fail_after, inspect, nursery, sleep, yield_now};

const TASKS: u64 = 10_000;
const ROUNDS: usize = 5;
const LASTS: Duration = Duration::from_secs(4);

/// How long this thread has been at work.
fn time_at_work() -> Duration {
    // SAFETY: `usage` is what the call fills in.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &mut usage), 0);
        usage
    };
    let time = |time: libc::timeval| {
        Duration::new(time.tv_sec.unsigned_abs(), 0)
            + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// How often it could yield for each second of work.
async fn work() -> Result<f64> {
    let (began, until) = (time_at_work(), Instant::now() + LASTS);
    let mut count = 0_u32;
    while count % 1024 != 0 || Instant::now() < until {
        yield_now().await?;
        count += 1;
    }
    Ok(f64::from(count) / (time_at_work() - began).as_secs_f64())
}

/// Reads what an open page is told, until the connection is shut down. Returns how many bytes and
/// dumps these were.
fn look(mut stream: net::TcpStream) -> thread::JoinHandle<(usize, usize)> {
    thread::spawn(move || {
        stream.write_all(b"GET /events HTTP/1.0\r\nhost: localhost\r\n\r\n").unwrap();
        let (mut bytes, mut dumps) = (0, 0);
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = stream.read(&mut buffer) {
            bytes += n;
            dumps += buffer[..n].windows(8).filter(|part| part == b"{\"time\":").count();
        }
        (bytes, dumps)
    })
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

async fn measure(address: SocketAddr) -> Result<()> {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(work().await?);
        let stream = net::TcpStream::connect(address)?;
        let page = look(stream.try_clone()?);
        with.push(work().await?);
        stream.shutdown(net::Shutdown::Both)?;
        let (bytes, dumps) = page.join().unwrap();
        println!("a page was told of {dumps} dumps in {LASTS:?}, in {} kB", bytes / 1000);
    }
    let (without, with) = (median(without), median(with));
    let lost = 100.0 * (1.0 - with / without);
    println!("{without:.0} yields a second, {with:.0} with a page open: {lost:.2} % less");
    Ok(())
}

fn main() -> Result<()> {
    seedbed::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        nursery(async |n| {
            n.service(inspect::serve(listener));
            for nth in 0..TASKS {
                let task = async move {
                    sleep(Duration::from_millis(nth % 10_000)).await?;
                    loop {
                        // Twice in twenty seconds, which makes a thousand times a second in all.
                        let first = Duration::from_millis(nth * 37 % 20_000);
                        fail_after(Duration::from_secs(60), sleep(first)).await?;
                        sleep(Duration::from_secs(20) - first).await?;
                    }
                };
                drop(n.named(format!("connection {nth}")).spawn::<_, ()>(task));
            }
            measure(address).await?;
            n.scope().cancel();
            Ok(())
        })
        .await
    })
}
