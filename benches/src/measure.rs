//! Measuring a row: the subjects take turns, round by round, so that whatever else the machine
//! does meets all of them.

use crate::row::{Better, Row};

/// A figure of one subject.
pub struct Measured {
    pub case: String,
    pub subject: &'static str,
    pub unit: String,
    pub better: Better,
    pub median: f64,
    /// How far the middle half of the rounds is apart (the interquartile range).
    pub spread: f64,
    /// How many times better seedbed is; 1 for itself, and nothing where it was not measured.
    pub ratio_to_seedbed: Option<f64>,
}

/// Measures a row in so many rounds after one that does not count.
pub fn measure(row: &Row, rounds: usize) -> Vec<Measured> {
    let rounds = (rounds / row.rounds_divisor).max(3);
    let runs: Vec<_> = row
        .entries
        .iter()
        .filter_map(|e| e.run.as_ref().ok().map(|run| (e.subject, run)))
        .collect();
    // By figure and subject.
    let mut samples = vec![vec![Vec::with_capacity(rounds); runs.len()]; row.figures.len()];
    for round in 0..=rounds {
        for turn in 0..runs.len() {
            // Nobody is always first, or always after the same.
            let subject = (turn + round) % runs.len();
            let values = runs[subject].1();
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

/// The value below which so much of the samples is, interpolated.
fn quantile(samples: &mut [f64], part: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let place = part * (samples.len() - 1) as f64;
    let (below, above) = (samples[place.floor() as usize], samples[place.ceil() as usize]);
    below + (above - below) * place.fract()
}
