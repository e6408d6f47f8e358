//! Taking jobs until asked to stop; one job under a lease, with a limit.

use std::cell::Cell;
use std::time::Duration;

use seedbed::{
    CancelScope, Result, fail_after, finishing, interval, nursery, sleep, until_stopped,
};

use crate::options::Working;
use crate::queue::{Leased, Outcome, Queue, Recorded};

/// How long to wait after a failure that is not the job's fault, such as a server that is not there.
const PAUSE: Duration = Duration::from_secs(1);

/// How long others leave a job alone that has failed here.
const BEFORE_ANOTHER_TRY: Duration = Duration::from_secs(5);

pub(crate) struct Worker<'a> {
    queue: &'a Queue,
    working: &'a Working,
    begun: Cell<u64>,
    /// How many of those were acknowledged.
    done: Cell<u64>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(queue: &'a Queue, working: &'a Working) -> Worker<'a> {
        Worker { queue, working, begun: Cell::new(0), done: Cell::new(0) }
    }

    pub(crate) fn summary(&self) -> String {
        format!("begun: {}, done: {}", self.begun.get(), self.done.get())
    }

    /// Does one job after the other, until a graceful stop. What has been begun by then is finished.
    pub(crate) async fn take_jobs(&self) -> Result<()> {
        finishing(async {
            while let Some(next) = until_stopped(self.queue.next()).await.transpose() {
                let worked = match next {
                    Ok(job) => self.work_on(&job).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = worked {
                    if error.is_cancelled() {
                        return Err(error);
                    }
                    tracing::warn!(%error, "going on in a moment");
                    until_stopped(sleep(PAUSE)).await?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Does a job, records its result, and then acknowledges it, in this order: whatever happens in
    /// between, the job is done again by somebody else, and never left.
    async fn work_on(&self, leased: &Leased) -> Result<()> {
        let number = leased.job.number;
        tracing::debug!(number, "begun");
        self.begun.set(self.begun.get() + 1);
        match self.do_and_record(leased).await {
            Ok(recorded) => {
                tracing::debug!(number, ?recorded, "done");
                leased.acknowledge().await?;
                self.done.set(self.done.get() + 1);
                Ok(())
            }
            // The grace is over. Nobody has to wait for the lease.
            Err(error) if error.is_cancelled() => {
                let scope = CancelScope::new().with_shield().with_timeout(PAUSE);
                scope.enter(async |_| leased.give_back(Duration::ZERO).await).await?;
                Err(error)
            }
            Err(error) => {
                tracing::warn!(number, %error, "the job has failed");
                leased.give_back(BEFORE_ANOTHER_TRY).await
            }
        }
    }

    async fn do_and_record(&self, leased: &Leased) -> Result<Recorded> {
        nursery(async |n| {
            n.service(self.keep(leased));
            let steps = fail_after(self.working.limit, leased.job.steps()).await?;
            let outcome = Outcome { steps, by: self.working.name.clone() };
            self.queue.record(&leased.job, &outcome).await
        })
        .await
    }

    /// Keeps a job for this worker, for as long as it is being done: the heartbeat.
    async fn keep(&self, leased: &Leased) -> Result<()> {
        let mut beats = interval(self.queue.lease() / 3);
        loop {
            beats.tick().await?;
            leased.prolong().await?;
        }
    }
}
