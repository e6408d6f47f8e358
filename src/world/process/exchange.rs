//! Input and both outputs of a process that goes through at the same time, so that neither side
//! waits for the other.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::process::Output;
use std::task::{Context, Poll};

use crate::error::{Error, Result};
use crate::scope::CancelScope;
use crate::scope::tree::pool::ScopeRef;
use crate::world::pipe::Receiver;
use crate::world::process::running::Process;
use crate::world::process::stdin::ChildStdin;

/// The pipes that lead to a process and back, as far as there are any.
pub(super) struct Pipes {
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: Option<Receiver>,
    pub(super) stderr: Option<Receiver>,
}

/// What becomes of what a process writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Kept,
    ThrownAway,
}

/// Gives the process its input and reads its outputs until these end and the process has ended, and
/// reaps it.
///
/// If this is cancelled, the process is put to an end. Until then its outputs are still read, so
/// that it can write what it has left to say; after that they are not, whoever else has them open.
///
/// The process is reaped when its outputs have ended. As long as others of its group hold them, a
/// cancellation can end those, too.
pub(super) async fn exchange(
    process: &Process,
    pipes: Pipes,
    input: &[u8],
    written: Written,
) -> Result<Output> {
    let Pipes { stdin, stdout, stderr } = pipes;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let scope = CancelScope::of(ScopeRef::new(process.place)).with_shield();
    let exchanged = {
        let mut transfer = pin!(scope.enter(async |_| {
            let feeding = pin!(feed(stdin, input));
            let out = pin!(drain(stdout, &mut out, written));
            let err = pin!(drain(stderr, &mut err, written));
            all([feeding, out, err]).await
        }));
        let mut beside = Beside { future: transfer.as_mut(), outcome: None };
        match beside.until(process.exited()).await {
            Ok(()) => {
                scope.set_shield(false);
                match beside.rest().await {
                    Ok(_) => Ok(()),
                    // The process has ended, but perhaps not all of its group.
                    Err(error) => Err(process.stop_because(error).await),
                }
            }
            Err(error) => Err(beside.during(process.stop_because(error)).await),
        }
    };
    exchanged?;
    Ok(Output { status: process.reap()?, stdout: out, stderr: err })
}

/// Writes all input, and closes the pipe. A process need not read it all.
pub(super) async fn feed(stdin: Option<ChildStdin>, input: &[u8]) -> Result<()> {
    let Some(stdin) = stdin else { return Ok(()) };
    match stdin.write_all(input).await.map_err(Error::downcast::<io::Error>) {
        Err(Ok(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Err(Err(other)) => Err(other),
        _ => Ok(()),
    }
}

async fn drain(output: Option<Receiver>, bytes: &mut Vec<u8>, written: Written) -> Result<()> {
    /// How much is thrown away at a time: what a pipe holds.
    const AT_ONCE: usize = 64 * 1024;
    let Some(output) = output else { return Ok(()) };
    match written {
        Written::Kept => drop(output.read_to_end(bytes).await?),
        Written::ThrownAway => {
            let mut buffer = vec![0; AT_ONCE];
            while output.read(&mut buffer).await? > 0 {}
        }
    }
    Ok(())
}

/// Drives several futures to their ends, or to the first failure.
async fn all<const N: usize>(
    mut futures: [Pin<&mut dyn Future<Output = Result<()>>>; N],
) -> Result<()> {
    let mut ended = [false; N];
    poll_fn(|cx| {
        for (future, ended) in futures.iter_mut().zip(&mut ended) {
            if !*ended && let Poll::Ready(outcome) = future.as_mut().poll(cx) {
                outcome?;
                *ended = true;
            }
        }
        if ended.iter().all(|ended| *ended) { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

/// A future that is driven while something else is waited for.
struct Beside<'a, F: Future> {
    future: Pin<&'a mut F>,
    outcome: Option<F::Output>,
}

impl<T, F: Future<Output = Result<T>>> Beside<'_, F> {
    fn go_on(&mut self, cx: &mut Context<'_>) {
        if self.outcome.is_none()
            && let Poll::Ready(outcome) = self.future.as_mut().poll(cx)
        {
            self.outcome = Some(outcome);
        }
    }

    /// Waits for another future, and drives this one meanwhile.
    async fn during<G: Future>(&mut self, other: G) -> G::Output {
        let mut other = pin!(other);
        poll_fn(|cx| {
            self.go_on(cx);
            other.as_mut().poll(cx)
        })
        .await
    }

    /// The same until either the other has ended or this has failed.
    async fn until(&mut self, other: impl Future<Output = Result<()>>) -> Result<()> {
        let mut other = pin!(other);
        poll_fn(|cx| {
            self.go_on(cx);
            match self.outcome {
                Some(Err(_)) => Poll::Ready(Ok(())),
                _ => other.as_mut().poll(cx),
            }
        })
        .await
    }

    /// Drives this to its end.
    async fn rest(&mut self) -> Result<T> {
        poll_fn(|cx| {
            self.go_on(cx);
            self.outcome.take().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}
