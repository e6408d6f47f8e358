//! A chart of the ratios: a line for each row with a dot for each subject, to the right of 1 where
//! seedbed is better. The axis is logarithmic; ratios below 1/8 or above 64 are drawn at its ends.

use std::fmt::Write;

use crate::measure::Measured;
use crate::subjects::{SEEDBED, SUBJECTS};

const LABELS: f64 = 210.0;
const WIDTH: f64 = 560.0;
const LINE: f64 = 20.0;
const MARGIN: f64 = 16.0;
/// A colour for each subject except seedbed, distinct on white and on black.
const COLOURS: &[&str] = &[
    "#d62728", "#e8837f", "#8c2d2d", "#1f77b4", "#2ca02c", "#98b544", "#9467bd", "#c5a3e0",
    "#e08214", "#f5b76b", "#8c564b", "#17a2b8", "#e377c2", "#bcbd22", "#5b5bd6", "#7f7f7f",
];

/// The chart, as the text of an SVG file.
pub fn svg(measured: &[Measured]) -> String {
    let mut rows: Vec<&str> = Vec::new();
    let mut subjects: Vec<&str> = Vec::new();
    let others: Vec<_> = measured
        .iter()
        .filter(|m| m.subject != SEEDBED)
        .filter_map(|m| {
            Some((m, m.ratio_to_seedbed.filter(|ratio| ratio.is_finite() && *ratio > 0.0)?))
        })
        .collect();
    for (m, _) in &others {
        if !rows.contains(&m.case.as_str()) {
            rows.push(&m.case);
        }
        if !subjects.contains(&m.subject) {
            subjects.push(m.subject);
        }
    }
    let most = others.iter().map(|(_, ratio)| *ratio).fold(2.0, f64::max).min(64.0).log2().ceil();
    let least =
        others.iter().map(|(_, ratio)| *ratio).fold(0.5, f64::min).max(1.0 / 8.0).log2().floor();
    let x = |ratio: f64| {
        let place = (ratio.log2().clamp(least, most) - least) / (most - least);
        LABELS + place * WIDTH
    };
    let legend = (subjects.len() as f64 / 4.0).ceil() * LINE;
    let top = MARGIN + legend + 2.0 * LINE;
    let bottom = top + rows.len() as f64 * LINE;
    let (width, height) = (LABELS + WIDTH + 2.0 * MARGIN, bottom + 2.0 * LINE);

    let mut svg = String::new();
    let mut put = |text: String| writeln!(svg, "{text}").expect("a string takes everything");
    put(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">"
    ));
    put(format!("<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>"));
    for (index, subject) in subjects.iter().enumerate() {
        let (left, y) =
            (MARGIN + (index % 4) as f64 * (width / 4.0 - 6.0), MARGIN + (index / 4) as f64 * LINE);
        put(format!(
            "<circle cx=\"{left}\" cy=\"{y}\" r=\"4.5\" fill=\"{}\"/>\
             <text x=\"{}\" y=\"{}\">{subject}</text>",
            colour(subject),
            left + 9.0,
            y + 4.0
        ));
    }
    put(format!(
        "<text x=\"{}\" y=\"{}\" font-weight=\"bold\">seedbed is this many times better</text>",
        x(1.0) + 6.0,
        top - LINE
    ));
    for power in least as i32..=most as i32 {
        let (ratio, at) = (2f64.powi(power), x(2f64.powi(power)));
        let (colour, stroke) = if power == 0 { ("#000", 1.5) } else { ("#ddd", 1.0) };
        put(format!(
            "<line x1=\"{at}\" x2=\"{at}\" y1=\"{}\" y2=\"{bottom}\" stroke=\"{colour}\" \
             stroke-width=\"{stroke}\"/>",
            top - LINE / 2.0
        ));
        put(format!(
            "<text x=\"{at}\" y=\"{}\" text-anchor=\"middle\">{ratio}×</text>",
            bottom + LINE
        ));
    }
    for (index, row) in rows.iter().enumerate() {
        let y = top + (index as f64 + 0.5) * LINE;
        put(format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{row}</text>",
            LABELS - 12.0,
            y + 4.0
        ));
        put(format!(
            "<line x1=\"{LABELS}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\" stroke=\"#eee\"/>",
            LABELS + WIDTH
        ));
        for (m, ratio) in others.iter().filter(|(m, _)| m.case == *row) {
            put(format!(
                "<circle cx=\"{:.1}\" cy=\"{y}\" r=\"4.5\" fill=\"{}\" fill-opacity=\"0.85\">\
                 <title>{}: {ratio:.2}</title></circle>",
                x(*ratio),
                colour(m.subject),
                m.subject
            ));
        }
    }
    put("</svg>".to_owned());
    svg
}

/// A subject's colour, the same in every chart.
fn colour(subject: &str) -> &'static str {
    let others = SUBJECTS.iter().filter(|(name, _)| *name != SEEDBED);
    let index = others.map(|(name, _)| *name).position(|name| name == subject);
    COLOURS[index.expect("it is a subject") % COLOURS.len()]
}
