//! The text that Prometheus scrapes. (`companion-tests` has a real parser read it.)

use std::collections::HashSet;
use std::time::Duration;

use seedbed::inspect::{self, Metrics};
use seedbed::{nursery, sleep, yield_now};

use super::run;

fn metrics() -> Metrics {
    run(async {
        inspect::enable()?;
        nursery(async |n| {
            n.spawn(sleep(Duration::from_millis(1500)));
            Ok(())
        })
        .await?;
        inspect::metrics()
    })
}

#[test]
fn l04_each_name_has_its_help_its_type_and_its_unit() {
    let text = metrics().to_prometheus();
    assert!(text.ends_with('\n'));
    let mut names = HashSet::new();
    let mut lines = text.lines().peekable();
    while let Some(help) = lines.next() {
        let (name, help) = help.strip_prefix("# HELP ").unwrap().split_once(' ').unwrap();
        assert!(help.ends_with('.') && !help.contains(['[', '`']), "{help}");
        assert!(names.insert(name.to_owned()), "{name} comes twice");
        let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} ")).unwrap();
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        assert!(["counter", "gauge"].contains(&kind));
        let mut samples = 0;
        while let Some(sample) = lines.next_if(|line| !line.starts_with('#')) {
            let (labelled, value) = sample.rsplit_once(' ').unwrap();
            assert_eq!(labelled.split('{').next(), Some(name));
            assert_eq!(value.contains('.'), name.contains("_seconds"), "{sample}");
            value.parse::<f64>().unwrap();
            samples += 1;
        }
        assert!(samples > 0, "{name}");
    }
    for sample in [
        "seedbed_tasks 1",
        "seedbed_elapsed_seconds 1.500000000",
        "seedbed_parked_seconds_total 1.500000000",
        "seedbed_polls_total 2",
        "seedbed_longest_poll_seconds 0.000000000",
        "seedbed_cancellations_total{reason=\"deadline\"} 0",
    ] {
        assert!(text.lines().any(|line| line == sample), "no {sample} in\n{text}");
    }
}

#[test]
fn l04_what_is_not_counted_is_left_out() {
    let text = run(async {
        yield_now().await?;
        Ok(inspect::metrics()?.to_prometheus())
    });
    assert!(text.contains("\nseedbed_tasks 1\n"));
    assert!(!text.contains("_total"), "{text}");
}

#[test]
fn l04_labels_are_escaped_and_runs_stand_side_by_side() {
    let (one, mut other) = (metrics(), metrics());
    other.counted = None;
    let text = inspect::to_prometheus([("0", &one), ("a \"b\"\\\n{c}", &other)]);
    let tasks = "# TYPE seedbed_tasks gauge\n\
                 seedbed_tasks{run=\"0\"} 1\n\
                 seedbed_tasks{run=\"a \\\"b\\\"\\\\\\n{c}\"} 1\n# ";
    assert!(text.contains(tasks), "{text}");
    let polls = text.lines().filter(|line| line.starts_with("seedbed_polls_total")).count();
    assert_eq!(polls, 1, "only one of them counts");
    assert!(text.contains("seedbed_cancellations_total{run=\"0\",reason=\"grace_over\"} 0\n"));
}
