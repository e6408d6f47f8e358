//! The queue and the results, in JetStream.
//!
//! | stream | its messages | kept |
//! |---|---|---|
//! | `JOBS` | jobs; what is sent twice within two minutes is one job | until a worker has acknowledged the job |
//! | `RESULTS` | a result for each job, on a subject of its own | always; the first one stays |
//!
//! Who takes a job has it for the time of a *lease*. If it is neither acknowledged nor prolonged within
//! that time, the job is given to somebody else. So a job may be done twice, by a worker that had been
//! taken for dead, and has one result all the same.

use std::pin::pin;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::{AckKind, PublishMessage};
use async_nats::jetstream::stream::{self, RetentionPolicy};
use async_nats::jetstream::{self, Context, Message};
use futures::StreamExt;
use futures::future::try_join_all;
use seedbed::tokio::call;
use seedbed::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::job::Job;

/// How long a request for a job waits in the server, before it is made anew.
const WAITS: Duration = Duration::from_secs(30);

/// How many jobs are sent to the server before it has confirmed the first.
const AT_ONCE: usize = 500;

pub(crate) struct Queue {
    jetstream: Context,
    consumer: PullConsumer,
    lease: Duration,
}

/// What is kept of a job that was done.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) steps: u64,
    /// The name of the worker.
    pub(crate) by: String,
}

/// Whether a result is the first of its job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Recorded {
    Now,
    /// Another worker has done the job as well, and was faster.
    Before,
}

impl Queue {
    pub(crate) async fn open(server: &str, lease: Duration) -> Result<Queue> {
        let connected = call(async_nats::connect(server)).output().await?;
        let client =
            connected.map_err(|error| Error::msg(format!("connecting to {server}: {error}")))?;
        let jetstream = jetstream::new(client);
        let jobs = stream::Config {
            name: "JOBS".into(),
            subjects: vec!["jobs".into()],
            retention: RetentionPolicy::WorkQueue,
            ..Default::default()
        };
        let results = stream::Config {
            name: "RESULTS".into(),
            subjects: vec!["results.*".into()],
            ..Default::default()
        };
        call(jetstream.get_or_create_stream(results)).await?;
        let jobs = call(jetstream.get_or_create_stream(jobs)).await?;
        let workers = pull::Config {
            durable_name: Some("workers".into()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: lease,
            // All acknowledgements can be watched.
            sample_frequency: 100,
            ..Default::default()
        };
        let consumer = call(jobs.get_or_create_consumer("workers", workers)).await?;
        // What the first worker has set is true of all.
        let lease = consumer.cached_info().config.ack_wait;
        Ok(Queue { jetstream, consumer, lease })
    }

    /// How long a job belongs to whoever has taken it.
    pub(crate) fn lease(&self) -> Duration {
        self.lease
    }

    pub(crate) async fn submit(&self, jobs: &[Job]) -> Result<()> {
        for jobs in jobs.chunks(AT_ONCE) {
            let mut confirmed = Vec::with_capacity(jobs.len());
            for job in jobs {
                let message = PublishMessage::build()
                    .message_id(job.number.to_string())
                    .payload(serde_json::to_vec(job)?.into());
                let sent = call(self.jetstream.send_publish("jobs", message)).await?;
                confirmed.push(sent.into_future());
            }
            call(try_join_all(confirmed)).await?;
        }
        Ok(())
    }

    /// Waits for a job. If this is cancelled, a job that was on its way comes to somebody else when its
    /// lease is over.
    pub(crate) async fn next(&self) -> Result<Leased> {
        loop {
            let request = self.consumer.batch().max_messages(1).expires(WAITS);
            let mut answers = pin!(call(request.messages()).await?);
            let Some(message) = call(answers.next()).output().await? else { continue };
            let message = message.map_err(Error::msg)?;
            match serde_json::from_slice(&message.payload) {
                Ok(job) => return Ok(Leased { job, message }),
                Err(error) => {
                    tracing::error!(%error, "no job: thrown away");
                    acknowledge(&message, AckKind::Term).await?;
                }
            }
        }
    }

    /// Records the result of a job, unless there is one already.
    pub(crate) async fn record(&self, job: &Job, outcome: &Outcome) -> Result<Recorded> {
        let message = PublishMessage::build()
            .expected_last_subject_sequence(0) // there is none
            .payload(serde_json::to_vec(outcome)?.into());
        let subject = format!("results.{}", job.number);
        let sent = call(self.jetstream.send_publish(subject, message)).await?;
        match call(sent.into_future()).output().await? {
            Ok(_) => Ok(Recorded::Now),
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => {
                Ok(Recorded::Before)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// A job that belongs to this worker for the time of a lease.
pub(crate) struct Leased {
    pub(crate) job: Job,
    message: Message,
}

impl Leased {
    /// Has the lease begin anew.
    pub(crate) async fn prolong(&self) -> Result<()> {
        let prolonged =
            async { self.message.ack_with(AckKind::Progress).await.map_err(Error::msg) };
        call(prolonged).await
    }

    /// Acknowledges the job: nobody is to do it any more.
    pub(crate) async fn acknowledge(&self) -> Result<()> {
        acknowledge(&self.message, AckKind::Ack).await
    }

    /// Leaves the job to others, after this long.
    pub(crate) async fn give_back(&self, after: Duration) -> Result<()> {
        acknowledge(&self.message, AckKind::Nak(Some(after))).await
    }
}

/// Answers a message, and waits until the server has heard it.
async fn acknowledge(message: &Message, kind: AckKind) -> Result<()> {
    call(async { message.double_ack_with(kind).await.map_err(Error::msg) }).await
}
