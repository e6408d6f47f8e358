//! The results, for people and for programs.

use std::fmt::Write;

use crate::measure::Measured;
use crate::row::Better;

/// The head of the table.
pub fn head() -> String {
    let head = line("case", "subject", "median", "spread", "unit", "ratio");
    format!("{head}\n{}", "-".repeat(head.len()))
}

/// A table of results, one line for each.
pub fn table(measured: &[Measured]) -> String {
    let mut table = String::new();
    for m in measured {
        let ratio = m.ratio_to_seedbed.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        let spread =
            format!("±{:.0}%", 100.0 * m.spread / 2.0 / m.median.abs().max(f64::MIN_POSITIVE));
        let unit = match m.better {
            Better::Less => m.unit.clone(),
            Better::More => format!("{} (more is better)", m.unit),
        };
        let line = line(&m.case, m.subject, &figure(m.median), &spread, &unit, &ratio);
        writeln!(table, "{line}").expect("a string takes everything");
    }
    table
}

fn line(case: &str, subject: &str, median: &str, spread: &str, unit: &str, ratio: &str) -> String {
    format!("{case:<26} {subject:<18} {median:>12} {spread:>7} {ratio:>8}  {unit}")
}

/// A number with as many digits as are significant.
fn figure(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The results as an array of objects: case, subject, median, unit, and ratio to seedbed, which is
/// above 1 if seedbed is better and `null` if it was not measured.
pub fn json(measured: &[Measured]) -> String {
    let objects: Vec<_> = measured
        .iter()
        .map(|m| {
            let Measured { case, subject, median, unit, .. } = m;
            // None of these texts has characters that must be escaped.
            let ratio = m.ratio_to_seedbed.map_or("null".to_owned(), |ratio| ratio.to_string());
            format!(
                "  {{\"case\": \"{case}\", \"subject\": \"{subject}\", \"median\": {median}, \
                 \"unit\": \"{unit}\", \"ratio_to_seedbed\": {ratio}}}"
            )
        })
        .collect();
    format!("[\n{}\n]\n", objects.join(",\n"))
}
