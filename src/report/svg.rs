//! The plots of the HTML report: SVG without a script, coloured by the classes of its style sheet.

use std::fmt::Write as _;

use super::digest;
use super::escape::svg;
use crate::advice::{FrontierPoint, PrincipalView, Severity};
use jiff::Timestamp;

/// What a name has room for, and what it has on a narrow screen, where letters are larger beside the plot.
const NAME_CHARS: [(&str, usize); 2] = [("name", 26), ("name brief", 18)];

/// Text cut to what a label has room for.
fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(most.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// The principals that policies bind: root is not among them, whatever is proposed.
fn bound(principals: &[PrincipalView]) -> impl Iterator<Item = &PrincipalView> {
    principals.iter().filter(|principal| !digest::is_root(principal))
}

/// Risk of the riskiest principals before and after: a line for each, from one point to the other.
#[must_use]
pub fn dumbbell(principals: &[PrincipalView], most: usize) -> String {
    let rows: Vec<&PrincipalView> = bound(principals).take(most).collect();
    let (left, right, row, top) = (190.0, 600.0, 25.0, 8.0);
    let height = top + row * length(rows.len()) + 26.0;
    let x = |score: f64| left + (right - left) * score.clamp(0.0, 100.0) / 100.0;
    let mut out = open(
        "plot people",
        656.0,
        height,
        "Risk of the riskiest principals, today and as proposed",
    );
    for tick in [0.0, 25.0, 50.0, 75.0, 100.0] {
        let at = x(tick);
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{top}\" y2=\"{:.1}\"/><text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick}</text>",
            height - 22.0,
            height - 6.0,
        );
    }
    for (index, principal) in rows.iter().enumerate() {
        let y = top + row * (length(index) + 0.5);
        let before = x(principal.risk.score);
        let after = principal.risk_after.as_ref().map(|risk| x(risk.score));
        let words = match &principal.risk_after {
            Some(risk) => format!(
                "{}: {} today, {} proposed",
                principal.name,
                digest::decimal(principal.risk.score),
                digest::decimal(risk.score)
            ),
            None => format!("{}: {} today", principal.name, digest::decimal(principal.risk.score)),
        };
        let _ = write!(out, "<g><title>{}</title>", svg(&words),);
        for (class, most) in NAME_CHARS {
            let _ = write!(
                out,
                "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 14.0,
                y + 4.0,
                svg(&short(&principal.name, most)),
            );
        }
        if let Some(after) = after {
            let _ = write!(
                out,
                "<line class=\"link\" x1=\"{after:.1}\" x2=\"{before:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"
            );
        }
        let _ = write!(
            out,
            "<circle class=\"before\" cx=\"{before:.1}\" cy=\"{y:.1}\" r=\"5.5\"/>",
        );
        if let Some(after) = after {
            let _ = write!(
                out,
                "<circle class=\"after\" cx=\"{after:.1}\" cy=\"{y:.1}\" r=\"5.5\"/>"
            );
        }
        let _ = write!(
            out,
            "<text class=\"num\" x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
            before.max(after.unwrap_or(0.0)) + 10.0,
            y + 4.0,
            digest::decimal(principal.risk.score),
        );
    }
    out.push_str("</svg>");
    out
}

/// How many principals have which risk, before and after.
#[must_use]
pub fn histogram(principals: &[PrincipalView]) -> String {
    const BINS: usize = 10;
    let count = |scores: &mut dyn Iterator<Item = f64>| -> Vec<f64> {
        let mut bins = vec![0.0; BINS];
        for score in scores {
            let bin = (0..BINS).rev().find(|bin| score >= length(*bin) * 10.0).unwrap_or(0);
            if let Some(slot) = bins.get_mut(bin) {
                *slot += 1.0;
            }
        }
        bins
    };
    let before = count(&mut bound(principals).map(|principal| principal.risk.score));
    let after = count(
        &mut bound(principals)
            .filter_map(|principal| principal.risk_after.as_ref())
            .map(|risk| risk.score),
    );
    let most = before.iter().chain(&after).copied().fold(1.0, f64::max);
    let (left, width, bottom, tall) = (14.0, 392.0, 312.0, 270.0);
    let step = width / length(BINS);
    let mut out = open("plot", 420.0, 340.0, "Principals by risk, today and as proposed");
    let _ = write!(
        out,
        "<line class=\"axis\" x1=\"{left}\" x2=\"{:.1}\" y1=\"{bottom}\" y2=\"{bottom}\"/>",
        left + width
    );
    for (bin, (today, then)) in before.iter().zip(&after).enumerate() {
        let x = left + step * length(bin);
        let from = bin * 10;
        let _ = write!(
            out,
            "<g><title>risk {from} to {}: {today} today, {then} proposed</title>",
            from + 10
        );
        // What is there can be seen, however little it is.
        let height = |value: f64| {
            if value > 0.0 {
                (tall * value / most).max(2.0)
            } else {
                0.0
            }
        };
        // Two long numbers side by side would run into each other: one stands above the other.
        let long = format!("{today}{then}").len() > 3 && *today > 0.0 && *then > 0.0;
        let collide = long && (height(*today) - height(*then)).abs() < 13.0;
        for (class, value, shift) in [("before", *today, 0.10), ("after", *then, 0.52)] {
            let lift = if collide && class == "after" {
                (height(*today) - height(*then)).max(0.0) + 13.0
            } else {
                0.0
            };
            let height = height(value);
            let _ = write!(
                out,
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\" rx=\"2\"/>",
                x + step * shift,
                bottom - height,
                step * 0.38,
            );
            if value > 0.0 {
                let _ = write!(
                    out,
                    "<text class=\"num\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"10\">{value}</text>",
                    x + step * (shift + 0.19),
                    bottom - height - 5.0 - lift,
                );
            }
        }
        let _ = write!(
            out,
            "</g><text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{from}</text>",
            bottom + 18.0
        );
    }
    let _ = write!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">100</text></svg>",
        left + width,
        bottom + 18.0
    );
    out
}

/// The trade-off curve: excess that is left against the wrong denials that are expected for it.
#[must_use]
pub fn frontier(points: &[FrontierPoint]) -> String {
    if points.is_empty() {
        return String::new();
    }
    let mut sorted: Vec<&FrontierPoint> = points.iter().collect();
    sorted.sort_by(|a, b| a.denied.total_cmp(&b.denied).then(b.open.total_cmp(&a.open)));
    // Few denials are what matters: a tenth more is far between 0 and 1, and near between 100 and 110.
    let size = |point: &FrontierPoint| (1.0 + point.denied).ln();
    let low = 0.0;
    let high = sorted.iter().map(|point| size(point)).fold(0.5, f64::max);
    let most = sorted.iter().map(|point| point.open).fold(1.0, f64::max);
    let (left, right, top, bottom) = (72.0, 500.0, 14.0, 240.0);
    let x = |point: &FrontierPoint| left + (right - left) * (size(point) - low) / (high - low);
    let y = |point: &FrontierPoint| bottom - (bottom - top) * point.open / most;
    let mut out = open(
        "plot",
        530.0,
        290.0,
        "Weight of unused grants left, against expected wrong denials",
    );
    grid(&mut out, (left, right), (top, bottom), most);
    let _ = write!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\">weight of unused grants left</text>",
        left + 10.0,
        top + 4.0
    );
    for value in [low, high] {
        let at = left + (right - left) * (value - low) / (high - low);
        let _ = write!(
            out,
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{:.0}</text>",
            bottom + 20.0,
            value.exp() - 1.0
        );
    }
    let _ = write!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">expected wrong denials</text>",
        f64::midpoint(left, right),
        bottom + 42.0
    );
    let line: Vec<String> = sorted
        .iter()
        .map(|point| format!("{:.1},{:.1}", x(point), y(point)))
        .collect();
    let _ = write!(out, "<polyline class=\"curve\" points=\"{}\"/>", line.join(" "));
    for point in sorted
        .iter()
        .filter(|point| !point.chosen)
        .chain(sorted.iter().filter(|point| point.chosen))
    {
        let (class, radius, word) = if point.chosen {
            ("chosen", 7.0, "proposed: ")
        } else {
            ("point", 4.0, "")
        };
        let _ = write!(
            out,
            "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\"><title>{word}{} wrong denials expected ({} to {}), weight {} left</title></circle>",
            x(point),
            y(point),
            digest::decimal(point.denied),
            digest::decimal(point.denied_low),
            digest::decimal(point.denied_high),
            thousands(point.open),
        );
    }
    out.push_str("</svg>");
    out
}

/// A length on an axis as a whole number.
fn thousands(value: f64) -> String {
    format!("{value:.0}")
        .parse()
        .map_or_else(|_| format!("{value:.0}"), digest::number)
}

/// A number, run by run, with what is said of each.
#[must_use]
pub fn trend(label: &str, points: &[(Timestamp, f64)], words: &dyn Fn(f64) -> String) -> String {
    let (left, right, top, bottom) = (56.0, 326.0, 14.0, 120.0);
    let seconds = |point: &(Timestamp, f64)| point.0.as_second() as f64;
    let first = points.iter().map(seconds).fold(f64::INFINITY, f64::min);
    let last = points.iter().map(seconds).fold(f64::NEG_INFINITY, f64::max);
    let most = points.iter().map(|point| point.1).fold(1.0, f64::max);
    let x = |point: &(Timestamp, f64)| left + (right - left) * (seconds(point) - first) / (last - first).max(1.0);
    let y = |point: &(Timestamp, f64)| bottom - (bottom - top) * point.1 / most;
    let mut out = open("plot", 340.0, 150.0, label);
    grid(&mut out, (left, right), (top, bottom), most);
    let line: Vec<String> = points
        .iter()
        .map(|point| format!("{:.1},{:.1}", x(point), y(point)))
        .collect();
    let _ = write!(out, "<polyline class=\"curve\" points=\"{}\"/>", line.join(" "));
    for point in points {
        let _ = write!(
            out,
            "<circle class=\"dot after\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"><title>{}: {}</title></circle>",
            x(point),
            y(point),
            svg(&digest::moment(point.0)),
            svg(&words(point.1)),
        );
    }
    let ends = [(points.first(), "start"), (points.last(), "end")];
    for (point, anchor) in ends.into_iter().filter_map(|(point, anchor)| Some((point?, anchor))) {
        let _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            x(point),
            bottom + 20.0,
            svg(&digest::day(point.0)),
        );
    }
    out.push_str("</svg>");
    out
}

/// How much of what is granted is used, as a bar.
#[must_use]
pub fn use_bar(used: u64, granted: u64) -> String {
    let share = if granted == 0 {
        0.0
    } else {
        100.0 * int_f64(used) / int_f64(granted)
    };
    format!(
        "<svg class=\"meter\" viewBox=\"0 0 100 6\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"{}\" width=\"100\" height=\"6\"/><rect class=\"f-used\" width=\"{share:.2}\" height=\"6\"/></svg>",
        if granted == 0 { "track" } else { "f-excess" },
    )
}

/// A part of a whole where it stands on the way from all to what is left: `end` is what is left behind it.
#[must_use]
pub fn step_bar(part: u64, end: u64, whole: u64, class: &str) -> String {
    let share = |value: u64| {
        if whole == 0 {
            0.0
        } else {
            100.0 * int_f64(value) / int_f64(whole)
        }
    };
    // What is there can be seen, however little it is.
    let width = if part > 0 { share(part).max(0.6) } else { 0.0 };
    format!(
        "<svg class=\"step\" viewBox=\"0 0 100 6\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"track\" width=\"100\" height=\"6\"/><rect class=\"{class}\" x=\"{:.2}\" width=\"{width:.2}\" height=\"6\"/></svg>",
        share(end).min(100.0 - width),
    )
}

/// Findings by severity, as one bar.
#[must_use]
pub fn severity_bar(counts: &[(Severity, u64)]) -> String {
    let all: u64 = counts.iter().map(|(_, hits)| hits).sum();
    let mut out = String::from(
        "<svg class=\"stack\" viewBox=\"0 0 100 6\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"track\" width=\"100\" height=\"6\"/>",
    );
    let mut at = 0.0;
    for (severity, hits) in counts {
        let width = if all == 0 {
            0.0
        } else {
            100.0 * int_f64(*hits) / int_f64(all)
        };
        let _ = write!(
            out,
            "<rect class=\"s-{}\" x=\"{at:.2}\" width=\"{width:.2}\" height=\"6\"/>",
            severity.as_str()
        );
        at += width;
    }
    out.push_str("</svg>");
    out
}

/// Lines at nothing, half of the most and the most, each with its number.
fn grid(out: &mut String, (left, right): (f64, f64), (top, bottom): (f64, f64), most: f64) {
    for part in [0.0, 0.5, 1.0] {
        let at = bottom - (bottom - top) * part;
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{left}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 8.0,
            at + 4.0,
            tick(most * part),
        );
    }
}

/// A number at an axis: small ones keep the digit that the numbers beside them have.
fn tick(value: f64) -> String {
    if value < 1000.0 {
        digest::decimal(value)
    } else {
        thousands(value)
    }
}

fn open(class: &str, width: f64, height: f64, label: &str) -> String {
    format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">",
        svg(label)
    )
}

/// A number of things as a length.
#[must_use]
pub fn length(value: usize) -> f64 {
    int_f64(u64::try_from(value).unwrap_or(u64::MAX))
}

/// A count as a length on a plot: what a `f64` cannot tell apart, no eye can.
#[allow(clippy::cast_precision_loss)]
fn int_f64(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::Risk;

    #[test]
    fn numbers_of_a_histogram_do_not_run_into_each_other() {
        let person = |score: f64, after: f64| PrincipalView {
            risk: Risk {
                score,
                ..Risk::default()
            },
            risk_after: Some(Risk {
                score: after,
                ..Risk::default()
            }),
            ..PrincipalView::default()
        };
        let plot = histogram(&(0..240).map(|_| person(55.0, 52.0)).collect::<Vec<_>>());
        let place = |label: &str| -> Vec<f64> {
            let at = plot.find(&format!(">{label}</text>")).unwrap_or_default();
            let tag = plot
                .get(..at)
                .and_then(|head| head.rsplit("<text").next())
                .unwrap_or_default();
            tag.split('"').filter_map(|part| part.parse().ok()).take(2).collect()
        };
        let (first, second) = (place("240"), plot.matches(">240</text>").count());
        assert_eq!(second, 2);
        let other = plot.replacen(">240</text>", ">0</text>", 1);
        let at = other.find(">240</text>").unwrap_or_default();
        let tag = other
            .get(..at)
            .and_then(|head| head.rsplit("<text").next())
            .unwrap_or_default();
        let later: Vec<f64> = tag.split('"').filter_map(|part| part.parse().ok()).take(2).collect();
        assert!((first[1] - later[1]).abs() >= 12.0, "{first:?} {later:?}");
    }

    #[test]
    fn a_step_stands_where_it_leads_to() {
        let bar = step_bar(25, 50, 100, "x");
        assert!(bar.contains("x=\"50.00\" width=\"25.00\""), "{bar}");
        assert!(step_bar(0, 0, 0, "x").contains("width=\"0.00\""));
    }
}
