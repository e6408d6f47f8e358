//! Metrics as text that Prometheus scrapes.
//!
//! All samples of one name come together, after a line that says what it is and one that says of
//! which type. Times are in seconds, and the name says so. What counts up has a name that ends with
//! `_total`.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use crate::inspect::metrics::Metrics;
use crate::schedule::seen::numbers::{Kind, Number, Value};

/// The media type of what [`Metrics::to_prometheus`] writes, for the header `Content-Type`.
pub const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes the metrics of several runs, as [`Metrics::to_prometheus`] writes those of one. Each
/// sample has a label `run`, whose value is the text that is given with the metrics: the number of
/// a core, say.
///
/// ```
/// use seedbed::inspect;
///
/// seedbed::run(async {
///     let metrics = inspect::metrics()?;
///     let text = inspect::to_prometheus([("0", &metrics), ("1", &metrics)]);
///     assert!(text.contains("seedbed_tasks{run=\"0\"} 1\nseedbed_tasks{run=\"1\"} 1\n"));
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[must_use]
pub fn to_prometheus<'a>(runs: impl IntoIterator<Item = (&'a str, &'a Metrics)>) -> String {
    let runs: Vec<_> = runs.into_iter().map(|(run, metrics)| (Some(run), metrics)).collect();
    text(&runs)
}

/// All samples of one name.
struct Family {
    number: Number,
    samples: Vec<(String, Value)>,
}

/// Writes the metrics of runs, each with its label if it has one.
pub(super) fn text(runs: &[(Option<&str>, &Metrics)]) -> String {
    let mut families = Families::default();
    for &(run, metrics) in runs {
        for number in metrics.numbers() {
            families.add(number, labels(run, None));
        }
        let Some(counted) = &metrics.counted else { continue };
        for number in counted.numbers() {
            let name = if number.name == "elapsed" { "counted" } else { number.name };
            families.add(Number { name, ..number }, labels(run, None));
        }
        for reason in counted.cancellations.numbers() {
            let number = Number {
                name: "cancellations",
                help: "How often scopes were cancelled, by the reason.",
                ..reason
            };
            families.add(number, labels(run, Some(reason.name)));
        }
    }
    let mut text = String::new();
    for family in families.all {
        let _ = family.write(&mut text); // a string takes everything
    }
    text
}

/// The families, in the order in which the first sample of each came.
#[derive(Default)]
struct Families {
    all: Vec<Family>,
    by_name: BTreeMap<&'static str, usize>,
}

impl Families {
    fn add(&mut self, number: Number, labels: String) {
        let at = *self.by_name.entry(number.name).or_insert_with(|| {
            self.all.push(Family { number, samples: Vec::new() });
            self.all.len() - 1
        });
        self.all[at].samples.push((labels, number.value));
    }
}

impl Family {
    fn write(&self, to: &mut String) -> fmt::Result {
        let Number { help, kind, .. } = self.number;
        let name = name(&self.number);
        let kind = match kind {
            Kind::Count | Kind::Sum => "counter",
            Kind::Present | Kind::Longest => "gauge",
        };
        writeln!(to, "# HELP {name} {}", Escaped(help.trim()))?;
        writeln!(to, "# TYPE {name} {kind}")?;
        for (labels, value) in &self.samples {
            match value {
                Value::Whole(value) => writeln!(to, "{name}{labels} {value}")?,
                // As many digits as there are, so that nothing is rounded.
                Value::Time(time) => {
                    let (seconds, nanos) = (time.as_secs(), time.subsec_nanos());
                    writeln!(to, "{name}{labels} {seconds}.{nanos:09}")?;
                }
            }
        }
        Ok(())
    }
}

fn name(number: &Number) -> String {
    let unit = match number.value {
        Value::Whole(_) => "",
        Value::Time(_) => "_seconds",
    };
    let total = match number.kind {
        Kind::Count | Kind::Sum => "_total",
        Kind::Present | Kind::Longest => "",
    };
    format!("seedbed_{}{unit}{total}", number.name)
}

/// The labels of a sample, in braces, if there are any.
fn labels(run: Option<&str>, reason: Option<&str>) -> String {
    let labels = [("run", run), ("reason", reason)];
    let labels = labels.iter().filter_map(|(name, value)| Some((name, (*value)?)));
    let labels: Vec<_> =
        labels.map(|(name, value)| format!("{name}=\"{}\"", EscapedLabel(value))).collect();
    if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) }
}

/// A text after `# HELP`, on one line.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(f, self.0, "\\\n")
    }
}

/// The value of a label, between quotation marks.
struct EscapedLabel<'a>(&'a str);

impl fmt::Display for EscapedLabel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(f, self.0, "\\\n\"")
    }
}

fn escape(f: &mut fmt::Formatter<'_>, text: &str, special: &str) -> fmt::Result {
    for c in text.chars() {
        match c {
            '\n' => f.write_str("\\n")?,
            c if special.contains(c) => write!(f, "\\{c}")?,
            c => f.write_char(c)?,
        }
    }
    Ok(())
}
