//! Watching the server: what is acknowledged, and what there is.

use std::collections::BTreeMap;

use async_nats::datetime::{DateTime, parse_rfc3339};
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::{self, Context};
use async_nats::{Client, Subscriber};
use futures::StreamExt;
use seedbed::tokio::call;
use seedbed::{Error, Result};
use serde_json::Value;

pub struct Watch {
    jetstream: Context,
    acknowledgements: Subscriber,
}

/// That a job was acknowledged.
pub struct Acknowledged {
    /// The job's number in the queue: the first to be submitted is 1.
    pub sequence: u64,
    /// How many times the job had been given to a worker.
    pub deliveries: u64,
    pub at: DateTime,
}

/// The result of a job.
pub struct Outcome {
    pub steps: u64,
    pub by: String,
    pub at: DateTime,
}

impl Watch {
    /// Begins to watch.
    pub async fn begin(url: &str) -> Result<Watch> {
        let client: Client = call(async_nats::connect(url)).await?;
        let acknowledged = client.subscribe("$JS.EVENT.METRIC.CONSUMER.ACK.JOBS.workers");
        let acknowledgements = call(acknowledged).await?;
        call(client.flush()).await?;
        Ok(Watch { jetstream: jetstream::new(client), acknowledgements })
    }

    /// Waits for an acknowledgement.
    pub async fn next(&mut self) -> Result<Acknowledged> {
        let message = call(self.acknowledgements.next()).output().await?;
        let message = message.ok_or_else(|| Error::msg("the connection was closed"))?;
        let event: Value = serde_json::from_slice(&message.payload)?;
        let number = |name: &str| event[name].as_u64().expect("it has numbers");
        let at = event["timestamp"].as_str().expect("it has a time");
        Ok(Acknowledged {
            sequence: number("stream_seq"),
            deliveries: number("deliveries"),
            at: parse_rfc3339(at).map_err(Error::msg)?,
        })
    }

    /// How many jobs are in the queue, done or not, that were not acknowledged.
    pub async fn unacknowledged(&self) -> Result<u64> {
        let jobs = call(self.jetstream.get_stream("JOBS")).await?;
        Ok(jobs.cached_info().state.messages)
    }

    /// All results, by the numbers of their jobs.
    pub async fn results(&self) -> Result<BTreeMap<u64, Outcome>> {
        let stream = call(self.jetstream.get_stream("RESULTS")).await?;
        let all = usize::try_from(stream.cached_info().state.messages)?;
        let all_at_once = pull::Config { ack_policy: AckPolicy::None, ..Default::default() };
        let consumer = call(stream.create_consumer(all_at_once)).await?;
        let mut messages = call(consumer.batch().max_messages(all).messages()).await?;
        let mut results = BTreeMap::new();
        for _ in 0..all {
            let message = call(messages.next()).output().await?;
            let message = message.expect("there are so many").map_err(Error::msg)?;
            let number = message.subject.strip_prefix("results.").expect("a result").parse()?;
            let outcome: Value = serde_json::from_slice(&message.payload)?;
            let outcome = Outcome {
                steps: outcome["steps"].as_u64().expect("there are steps"),
                by: outcome["by"].as_str().expect("there is a worker").to_owned(),
                at: message.info().map_err(Error::msg)?.published,
            };
            assert!(results.insert(number, outcome).is_none(), "{number} has two results");
        }
        Ok(results)
    }
}
