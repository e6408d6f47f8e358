//! Asking the run what it is doing, as long as somebody wants to know.

use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::error::Result;
use crate::inspect::metrics::{Metrics, metrics};
use crate::operation::sync::{Notify, watch};
use crate::operation::time::sleep;
use crate::run::blocked::asked::Held;
use crate::scope::move_on_after;
use crate::snapshot::dump::{Dump, dump_without_sockets};
use crate::threads::{ThreadReceiver, Token, thread_channel};

/// How much of the run's time is left to the run for each part that a dump takes. What a dump does
/// to the caches costs the run about as much again.
const SHARE: u32 = 200;

/// After how long it is said, again and again, that the run does not answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// The run that is looked at, and what was last seen of it.
pub(super) struct Looking {
    token: Token,
    held: Held,
    interval: Duration,
    /// Told when somebody wants a newer dump.
    pub(super) wanted: Notify,
    shown: watch::Sender<Shown>,
}

/// What is seen of a run.
#[derive(Clone)]
pub(super) enum Shown {
    Nothing,
    Taken(Rc<Taken>),
    /// It has not answered for so long.
    Held(Duration),
    /// It has ended.
    Over,
}

/// What was taken of a run at one moment.
pub(super) struct Taken {
    pub(super) dump: Dump,
    pub(super) metrics: Metrics,
}

impl Looking {
    pub(super) fn new(token: Token, held: Held, interval: Duration) -> Looking {
        let (shown, _) = watch::channel(Shown::Nothing);
        Looking { token, held, interval, wanted: Notify::new(), shown }
    }

    /// The token of the run that is looked at.
    pub(super) fn token(&self) -> Token {
        self.token
    }

    /// What to say of a run that does not answer: what holds up its thread, as far as is known.
    pub(super) fn holder(&self) -> String {
        self.held.holder().map_or_else(|| "a task".into(), |holder| holder.to_string())
    }

    /// What is seen from now on.
    pub(super) fn subscribe(&self) -> watch::Receiver<Shown> {
        self.shown.subscribe()
    }

    /// Has the run called between two of its tasks, and returns what receives the answer. There is
    /// none if the run has ended.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce() -> Option<T> + Send + 'static,
    ) -> ThreadReceiver<T> {
        let (answer, answered) = thread_channel(1);
        let asked = self.token.call(Box::new(move || {
            if answer.is_closed() {
                return; // it was too late, and the run has better things to do
            }
            if let Some(given) = question() {
                let _ = answer.try_send(given); // there is room
            }
        }));
        drop(asked); // if it came back, there is no answer
        answered
    }

    /// Takes dumps while they are wanted.
    pub(super) async fn look(&self) -> Result<()> {
        loop {
            self.wanted.notified().await?;
            let Some((taken, cost)) = self.take().await? else {
                drop(self.shown.send_replace(Shown::Over));
                continue;
            };
            drop(self.shown.send_replace(Shown::Taken(Rc::new(taken))));
            sleep(self.interval.max(cost * SHARE)).await?;
        }
    }

    /// What is taken now, and how long that kept the run; `None` if the run has ended.
    async fn take(&self) -> Result<Option<(Taken, Duration)>> {
        let asked = Instant::now();
        let answered = self.ask(|| {
            let began = time_at_work();
            let taken = Taken { dump: dump_without_sockets().ok()?, metrics: metrics().ok()? };
            Some((taken, time_at_work().saturating_sub(began)))
        });
        loop {
            match move_on_after(PATIENCE, answered.recv()).await? {
                Some(answer) => return Ok(answer),
                None => drop(self.shown.send_replace(Shown::Held(asked.elapsed()))),
            }
        }
    }
}

/// How long this thread has been at work. Unlike that of a clock, this does not grow because others
/// need the machine.
fn time_at_work() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nursery::nursery;
    use crate::platform::virtual_clock::VirtualClock;
    use crate::run::Builder;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn nothing_is_taken_unless_somebody_wants_it() {
        let look = async {
            let looking = &Looking::new(Token::current()?, Held::here(), Duration::from_secs(1));
            nursery(async |n| {
                n.service(looking.look());
                let mut shown = looking.subscribe();
                for _ in 0..2 {
                    sleep(HOUR).await?;
                    assert!(!shown.has_changed());
                    looking.wanted.notify_one();
                    assert_eq!(shown.changed().await?, Some(()));
                    assert!(matches!(*shown.borrow_and_update(), Shown::Taken(_)));
                }
                sleep(HOUR).await?;
                assert!(!shown.has_changed());
                Ok(())
            })
            .await
        };
        Builder::new().clock(&VirtualClock::new()).run(look).unwrap();
    }
}
