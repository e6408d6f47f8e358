//! L4: what is written for Prometheus is read by a parser of its format, with the same numbers.

use std::time::Duration;

use prometheus_parse::{Scrape, Value};
use seedbed::inspect::{self, Metrics};
use seedbed::testing::VirtualClock;
use seedbed::{Builder, nursery, sleep};

fn metrics() -> Metrics {
    let run = Builder::new().clock(&VirtualClock::new()).run(async {
        inspect::enable()?;
        nursery(async |n| {
            n.spawn(sleep(Duration::from_millis(1500)));
            Ok(())
        })
        .await?;
        inspect::metrics()
    });
    run.unwrap()
}

fn parse(text: &str) -> Scrape {
    Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap()
}

fn value(scrape: &Scrape, name: &str, labels: &[(&str, &str)]) -> Value {
    let is_it = |sample: &&prometheus_parse::Sample| {
        sample.metric == name
            && sample.labels.len() == labels.len()
            && labels.iter().all(|(name, value)| sample.labels.get(name) == Some(value))
    };
    let found: Vec<_> = scrape.samples.iter().filter(is_it).collect();
    let [sample] = found[..] else { panic!("{name} {labels:?}: {found:?}") };
    sample.value.clone()
}

#[test]
fn l04_a_parser_reads_the_same_numbers() {
    let metrics = metrics();
    let scrape = parse(&metrics.to_prometheus());
    let counted = metrics.counted.unwrap();
    assert_eq!(value(&scrape, "seedbed_tasks", &[]), Value::Gauge(1.0));
    assert_eq!(value(&scrape, "seedbed_elapsed_seconds", &[]), Value::Gauge(1.5));
    assert_eq!(value(&scrape, "seedbed_polls_total", &[]), Value::Counter(counted.polls as f64));
    assert_eq!(value(&scrape, "seedbed_parked_seconds_total", &[]), Value::Counter(1.5));
    let deadline = [("reason", "deadline")];
    assert_eq!(value(&scrape, "seedbed_cancellations_total", &deadline), Value::Counter(0.0));
    for sample in &scrape.samples {
        assert!(scrape.docs.contains_key(&sample.metric), "{} has no help", sample.metric);
        assert!(!matches!(sample.value, Value::Untyped(_)), "{} has no type", sample.metric);
    }
    assert!(scrape.samples.len() > 30);
}

#[test]
fn l04_a_parser_tells_runs_apart() {
    let (one, other) = (metrics(), metrics());
    let scrape = parse(&inspect::to_prometheus([("core 0", &one), ("core 1", &other)]));
    for core in ["core 0", "core 1"] {
        assert_eq!(value(&scrape, "seedbed_tasks", &[("run", core)]), Value::Gauge(1.0));
    }
}
