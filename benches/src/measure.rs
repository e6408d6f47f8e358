//! Measuring a row. The subjects take turns, round by round, so that whatever else the machine does
//! affects all of them. Each stays in a process of its own throughout.

use crate::arguments::Arguments;
use crate::process::{self, Inside};
use crate::row::{Better, Row};

/// A figure of one subject.
pub struct Measured {
    pub case: String,
    pub subject: &'static str,
    pub unit: String,
    pub better: Better,
    pub median: f64,
    /// The spread of the middle half of the rounds (the interquartile range).
    pub spread: f64,
    /// How many times better seedbed is: 1 for itself, and `None` where it was not measured.
    pub ratio_to_seedbed: Option<f64>,
}

/// Measures a row, after one round that does not count.
pub fn measure(row: &Row, arguments: &Arguments) -> Vec<Measured> {
    let rounds = (arguments.rounds / row.rounds_divisor).max(3);
    let size = arguments.size.name();
    let clock = if arguments.cpu_time { "cpu" } else { "wall" };
    let with_run = row.entries.iter().filter(|entry| entry.run.is_ok());
    let mut runs: Vec<_> = with_run
        .map(|entry| {
            let process = Inside::start(&["row", &row.name, entry.subject, size, clock]);
            (entry.subject, process)
        })
        .collect();
    // The samples, by figure and subject.
    let mut samples = vec![vec![Vec::with_capacity(rounds); runs.len()]; row.figures.len()];
    for round in 0..=rounds {
        for turn in 0..runs.len() {
            // No subject is always first.
            let subject = (turn + round) % runs.len();
            let values = runs[subject].1.ask();
            assert_eq!(values.len(), row.figures.len());
            if round > 0 {
                for (samples, value) in samples.iter_mut().zip(values) {
                    samples[subject].push(value);
                }
            }
        }
    }
    let mut measured = Vec::new();
    for (figure, samples) in row.figures.iter().zip(&mut samples) {
        let medians: Vec<_> = samples.iter_mut().map(|samples| quantile(samples, 0.5)).collect();
        let ours = runs.iter().position(|(subject, _)| *subject == crate::subjects::SEEDBED);
        for (index, (subject, _)) in runs.iter().enumerate() {
            let samples = &mut samples[index];
            measured.push(Measured {
                case: format!("{}{}", row.name, figure.suffix),
                subject,
                unit: figure.unit.clone(),
                better: figure.better,
                median: medians[index],
                spread: quantile(samples, 0.75) - quantile(samples, 0.25),
                ratio_to_seedbed: ours.map(|ours| match figure.better {
                    Better::Less => medians[index] / medians[ours],
                    Better::More => medians[ours] / medians[index],
                }),
            });
        }
    }
    measured
}

/// The inside of a subject's process: does the row's work each time it is asked to.
pub fn inside(row: &Row, subject: &str) {
    let entry = row.entries.iter().find(|entry| entry.subject == subject);
    let run = entry.and_then(|entry| entry.run.as_ref().ok()).expect("it has a part in the row");
    process::answer(run);
}

/// The value below which the given part of the samples lies, interpolated.
fn quantile(samples: &mut [f64], part: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let place = part * (samples.len() - 1) as f64;
    let (below, above) = (samples[place.floor() as usize], samples[place.ceil() as usize]);
    below + (above - below) * place.fract()
}
