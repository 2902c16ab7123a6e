//! What users type with units: durations (`90d`, `12h`, `30s`), times (RFC 3339, or a day), sizes; and numbers as they read them.

use crate::hint::Hint;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// A text that is no such value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// No duration.
    #[error("`{0}` is not a duration: write a number and a unit, such as 90d, 12h, 30m or 45s")]
    Duration(String),
    /// No time.
    #[error("`{0}` is not a time: write a day (2026-01-31) or an RFC 3339 time (2026-01-31T12:00:00Z)")]
    Time(String),
}

impl Hint for UnitError {}

/// A number with its thousands set apart.
#[must_use]
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// "1 policy", "3 policies": the number with the word that goes with it.
#[must_use]
pub fn count(value: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(value), if value == 1 { one } else { many })
}

/// A duration such as `90d`. A number without unit is none: nobody knows whether days or seconds were meant.
///
/// # Errors
/// When the text is no number with a unit of s, m, h, d or w.
pub fn duration(text: &str) -> Result<SignedDuration, UnitError> {
    let wrong = || UnitError::Duration(text.to_owned());
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(split).ok_or_else(wrong)?;
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit.trim() {
        "" if number == 0.0 => 1.0,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        "w" => 604_800.0,
        _ => return Err(wrong()),
    };
    SignedDuration::try_from_secs_f64(number * seconds).map_err(|_| wrong())
}

/// A duration to wait or last, as the standard library has it.
///
/// # Errors
/// As [`duration`].
pub fn waiting(text: &str) -> Result<Duration, UnitError> {
    Duration::try_from(duration(text)?).map_err(|_| UnitError::Duration(text.to_owned()))
}

/// A time: RFC 3339, or a day, which begins at midnight UTC.
///
/// # Errors
/// When the text is neither.
pub fn time(text: &str) -> Result<Timestamp, UnitError> {
    let wrong = |_| UnitError::Time(text.to_owned());
    if let Ok(day) = text.parse::<Date>()
        && text.len() <= 10
    {
        return day.to_zoned(TimeZone::UTC).map(|z| z.timestamp()).map_err(wrong);
    }
    text.parse().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in [
            ("90d", 7_776_000),
            ("1.5h", 5_400),
            ("45s", 45),
            ("0", 0),
            ("2w", 1_209_600),
        ] {
            assert_eq!(duration(text).unwrap().as_secs(), seconds, "{text}");
        }
        for text in ["", "d", "5 parsecs", "-3d", "1e400d", "ä", "10", "90"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(time("2026-01-31").unwrap().to_string(), "2026-01-31T00:00:00Z");
        assert_eq!(
            time("2026-01-31T12:00:00+02:00").unwrap().to_string(),
            "2026-01-31T10:00:00Z"
        );
        for text in ["", "yesterday", "2026-13-01", "31.01.2026"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
