//! Child processes.

use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use seedbed::process::{Command, NotStarted, Stdio};
use seedbed::{CapacityLimiter, Error, Result, nursery, yield_now};

use super::Kind;
use crate::world::{Life, Random, is_exhaustion};

/// How many processes there are at once, each of which a thread may have to reap.
const AT_ONCE: usize = 4;

thread_local! {
    static PLACES: CapacityLimiter = CapacityLimiter::new(AT_ONCE);
}

pub struct Processes {
    seed: u64,
    pause: u8,
    group: bool,
    /// It is killed at once when it is not wanted any more, in place of being asked to end.
    kill: bool,
    what: What,
}

enum What {
    /// All its input comes back as its output.
    Whole { length: usize },
    /// It answers, line by line, in the background.
    Talk { lines: u64 },
    /// It ends when it is told to.
    Endless,
    /// The same, and it does not listen when it is asked.
    Deaf,
    /// There is no such program.
    Missing,
}

impl Kind for Processes {
    const NAME: &'static str = "processes";

    fn draw(random: &mut Random) -> Processes {
        let what = match random.below(8) {
            0..3 => {
                let most = if random.one_in(8) { 1 << 20 } else { 1 << 12 };
                What::Whole { length: random.of_magnitude(most) as usize }
            }
            3 | 4 => What::Talk { lines: random.below(8) },
            5 => What::Endless,
            6 => What::Deaf,
            _ => What::Missing,
        };
        let (seed, pause) = (random.next(), random.next() as u8);
        Processes { seed, pause, group: random.one_in(3), kill: random.one_in(3), what }
    }

    async fn run(&self, life: &Life) -> Result<()> {
        let places = PLACES.with(CapacityLimiter::clone);
        let _place = places.acquire().await?;
        match self.what {
            What::Whole { length } => self.whole(length).await,
            What::Talk { lines } => self.talk(life, lines).await,
            What::Endless => self.endless(life, "echo ready; exec cat").await,
            What::Deaf => self.endless(life, "trap '' TERM; echo ready; exec cat").await,
            What::Missing => {
                let error = self.command("/no/such/program").status().await.unwrap_err();
                let number = error.find().map(|error: &NotStarted| error.io_error().raw_os_error());
                if number == Some(Some(Errno::NOENT.raw_os_error())) { Ok(()) } else { Err(error) }
            }
        }
    }

    async fn make_room() -> Result<()> {
        let places = &PLACES.with(CapacityLimiter::clone);
        nursery(async |n| {
            for seed in 0..512 {
                let what = What::Whole { length: 1 << 20 };
                let piece = Processes { seed, pause: 0, group: true, kill: false, what };
                n.spawn(async move {
                    let _place = places.acquire().await?;
                    if seed < AT_ONCE as u64 { piece.whole(1 << 20).await } else { Ok(()) }
                });
            }
            Ok(())
        })
        .await
    }

    /// Those that were dropped are reaped by threads.
    async fn settle() -> Result<()> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        while waitid(WaitId::All, options).err() != Some(Errno::CHILD) {
            yield_now().await?;
        }
        Ok(())
    }

    fn is_starved(error: &Error) -> bool {
        let system = error.find().map(NotStarted::io_error).or_else(|| error.find());
        system.is_some_and(is_exhaustion)
    }
}

impl Processes {
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        if self.group {
            command.own_group();
        }
        if self.kill {
            command.grace(Duration::ZERO);
        }
        command
    }

    async fn whole(&self, length: usize) -> Result<()> {
        let mut random = Random(self.seed);
        let input: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        let output = self.command("cat").input(input.clone()).run().await?;
        assert!(output.stdout == input, "`cat` is not what it was");
        Ok(())
    }

    async fn talk(&self, life: &Life, lines: u64) -> Result<()> {
        let mut cat = self.command("cat");
        cat.stdin(Stdio::piped()).stdout(Stdio::piped());
        nursery(async |n| {
            let mut cat = cat.spawn(n)?;
            let (stdin, stdout) = (cat.stdin.take().unwrap(), cat.stdout.take().unwrap());
            for line in 0..lines {
                let line = format!("{line} {}\n", self.seed);
                stdin.write_all(line.as_bytes()).await?;
                let mut answer = vec![0; line.len()];
                let mut read = 0;
                while read < line.len() {
                    read += stdout.read(&mut answer[read..]).await?;
                }
                assert_eq!(answer, line.as_bytes());
                life.rest(self.pause).await?;
            }
            drop(stdin);
            assert!(cat.wait().await?.success());
            assert_eq!(stdout.read(&mut [0]).await?, 0);
            Ok(())
        })
        .await
    }

    async fn endless(&self, life: &Life, script: &str) -> Result<()> {
        let mut shell = self.command("sh");
        shell.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        nursery(async |n| {
            let mut child = shell.spawn(n)?;
            // It reads until this is closed.
            let stdin = child.stdin.take();
            assert_ne!(child.stdout.as_ref().unwrap().read(&mut [0; 8]).await?, 0);
            life.rest(self.pause).await?;
            child.cancel();
            assert!(!child.wait().await?.success());
            drop(stdin);
            Ok(())
        })
        .await
    }
}
