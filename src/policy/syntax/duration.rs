//! Times as policies give them: seconds as a number, or Go's durations (`"90s"`, `"1h30m"`).

use super::value::Any;

const SECOND: i64 = 1_000_000_000;

/// Nanoseconds; none where the servers refuse the value.
pub(super) fn nanoseconds(value: &Any, days: bool) -> Option<i64> {
    match value {
        Any::Int(seconds) => seconds.checked_mul(SECOND),
        #[allow(clippy::cast_possible_truncation, reason = "the servers cut the fraction off too")]
        Any::Float(seconds) if seconds.abs() < 9e9 => (*seconds as i64).checked_mul(SECOND),
        Any::Text(text) if text.is_empty() => Some(0),
        Any::Text(text) => {
            if let Ok(seconds) = text.parse::<i64>() {
                return seconds.checked_mul(SECOND);
            }
            if let Some(count) = text.strip_suffix('d') {
                let count = count.parse::<i64>().ok().filter(|_| days)?;
                return count.checked_mul(24 * 3600 * SECOND);
            }
            go_duration(text)
        }
        _ => None,
    }
}

fn unit(word: &str) -> Option<u64> {
    Some(match word {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// Go's `time.ParseDuration`.
fn go_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    if rest.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits_end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (whole, after) = rest.split_at_checked(digits_end)?;
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => {
                let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
                after.split_at_checked(end)?
            }
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let unit_end = after
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(after.len());
        let (word, after) = after.split_at_checked(unit_end)?;
        let unit = unit(word)?;
        let value = if whole.is_empty() {
            0
        } else {
            whole.parse::<u64>().ok()?
        };
        let mut part = value.checked_mul(unit)?;
        part = part.checked_add(fraction_of(fraction, unit))?;
        total = total.checked_add(part)?;
        rest = after;
    }
    if negative {
        0_i64.checked_sub_unsigned(total)
    } else {
        i64::try_from(total).ok()
    }
}

/// The fraction's share of the unit, its digits beyond 18 left out.
fn fraction_of(digits: &str, unit: u64) -> u64 {
    let mut value: u64 = 0;
    let mut scale: f64 = 1.0;
    for digit in digits.chars().take(18).filter_map(|c| c.to_digit(10)) {
        value = value * 10 + u64::from(digit);
        scale *= 10.0;
    }
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "Go computes it so"
    )]
    {
        (value as f64 * (unit as f64 / scale)) as u64
    }
}

/// The shortest text that reads back as these nanoseconds: `"90s"`, `"1h"`, `"1500ms"`.
pub(super) fn text(nanoseconds: i64) -> String {
    const UNITS: [(i64, &str); 6] = [
        (3600 * SECOND, "h"),
        (60 * SECOND, "m"),
        (SECOND, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    UNITS.iter().find(|(size, _)| nanoseconds % size == 0).map_or_else(
        || format!("{nanoseconds}ns"),
        |(size, word)| format!("{}{word}", nanoseconds / size),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_the_servers_read_them() {
        let text = |t: &str| Any::Text(t.to_owned());
        for (value, want) in [
            (text("90s"), Some(90 * SECOND)),
            (text("90"), Some(90 * SECOND)),
            (text("1h30m"), Some(5400 * SECOND)),
            (text("1.5s"), Some(SECOND * 3 / 2)),
            (text("-5s"), Some(-5 * SECOND)),
            (text(""), Some(0)),
            (text("1d"), None),
            (text("soon"), None),
            (text("5"), Some(5 * SECOND)),
            (text("h"), None),
            (text("9999999999999h"), None),
            (Any::Int(90), Some(90 * SECOND)),
            (Any::Int(i64::MAX), None),
            (Any::Float(1.9), Some(SECOND)),
            (Any::Bool(true), None),
        ] {
            assert_eq!(nanoseconds(&value, false), want, "{value:?}");
        }
        assert_eq!(nanoseconds(&text("2d"), true), Some(48 * 3600 * SECOND));
    }

    #[test]
    fn times_are_written_so_that_they_read_back() {
        for ns in [
            0,
            1,
            -1,
            1_500_000_000,
            90 * SECOND,
            3600 * SECOND,
            i64::MAX,
            86_400 * SECOND,
        ] {
            assert_eq!(nanoseconds(&Any::Text(super::text(ns)), false), Some(ns));
        }
    }
}
