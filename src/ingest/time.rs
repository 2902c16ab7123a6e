//! Times of entries: RFC 3339 with any fraction, and what databases and pipelines make of it, as nanoseconds since 1970.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Nanoseconds since 1970 of a time; none if it is no time or outside of what 64 bits hold.
#[must_use]
pub fn parse(raw: &[u8]) -> Option<i64> {
    utc(raw).or_else(|| general(raw))
}

/// The form the servers write: UTC, a fraction of up to nine digits.
fn utc(raw: &[u8]) -> Option<i64> {
    let (head, tail) = raw.split_at_checked(19)?;
    let head: &[u8; 19] = head.try_into().ok()?;
    let [
        y0,
        y1,
        y2,
        y3,
        b'-',
        m0,
        m1,
        b'-',
        d0,
        d1,
        b'T',
        h0,
        h1,
        b':',
        i0,
        i1,
        b':',
        s0,
        s1,
    ] = *head
    else {
        return None;
    };
    let date = eight([y0, y1, y2, y3, m0, m1, d0, d1])?;
    let clock = eight([b'0', b'0', h0, h1, i0, i1, s0, s1])?;
    let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100);
    let (hour, minute, second) = (clock / 10_000, clock / 100 % 100, clock % 100);
    if !(1..=12).contains(&month)
        || !(1..=days_in(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }
    let nanos = match tail {
        [b'Z'] => 0,
        [b'.', fraction @ .., b'Z'] => nanos_of(fraction)?,
        _ => return None,
    };
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// The number that eight digits are.
fn eight(digits: [u8; 8]) -> Option<i64> {
    const ONES: u64 = u64::MAX / 255;
    // Above nine the low half of a byte overflows into the high one.
    let word = u64::from_le_bytes(digits) ^ (ONES * 0x30);
    if (word | word.wrapping_add(ONES * 6)) & (ONES * 0xf0) != 0 {
        return None;
    }
    // Digits to pairs, pairs to fours, fours to the whole: the first is the lowest byte, and weighs most.
    let pairs = word.wrapping_mul(2_561) >> 8 & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(6_553_601) >> 16 & 0x0000_ffff_0000_ffff;
    i64::try_from(fours.wrapping_mul(42_949_672_960_001) >> 32).ok()
}

/// Nanoseconds of a fraction of up to nine digits.
fn nanos_of(fraction: &[u8]) -> Option<i64> {
    if let [first @ .., last] = fraction
        && let Ok(first) = <[u8; 8]>::try_from(first)
        && last.is_ascii_digit()
    {
        return Some(eight(first)? * 10 + i64::from(last - b'0'));
    }
    let mut digits = [b'0'; 8];
    let (filled, _) = digits.split_at_mut_checked(fraction.len())?;
    filled.copy_from_slice(fraction);
    (!fraction.is_empty())
        .then(|| eight(digits))
        .flatten()
        .map(|nanos| nanos * 10)
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the proleptic Gregorian calendar, counted in years that begin in March.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Any other form, offsets and long fractions included.
fn general(raw: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(raw).ok()?.trim();
    if text.len() > 64 {
        return None;
    }
    if let Some(nanos) = since_1970(text) {
        return Some(nanos);
    }
    let parsed = text
        .parse::<Timestamp>()
        .ok()
        .or_else(|| shortened(text)?.parse().ok())
        .or_else(|| without_offset(text))?;
    i64::try_from(parsed.as_nanosecond()).ok()
}

/// A time as a number since 1970: of seconds, milliseconds, microseconds or nanoseconds, by its size.
fn since_1970(text: &str) -> Option<i64> {
    const SECOND: i64 = 1_000_000_000;
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(part) {
        return None;
    }
    let unit = match whole.len() {
        9..=10 => SECOND,
        12..=13 => SECOND / 1_000,
        15..=16 => SECOND / 1_000_000,
        18..=19 => 1,
        _ => return None,
    };
    let mut nanos = whole.parse::<i64>().ok()?.checked_mul(unit)?;
    let mut digit = unit;
    for b in part.bytes() {
        digit /= 10;
        nanos = nanos.checked_add(i64::from(b - b'0') * digit)?;
    }
    Some(nanos)
}

/// A time as databases export it: in UTC, which they say in words or not at all.
fn without_offset(text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix("UTC").map_or(text, str::trim_end);
    let civil: DateTime = text.contains(':').then(|| text.parse().ok())??;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// A time whose fraction is cut to nine digits.
fn shortened(text: &str) -> Option<String> {
    let dot = text.find(['.', ','])?;
    let digits = text.get(dot + 1..)?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let kept = digits.get(..end.min(9))?;
    Some(format!("{}.{kept}{}", text.get(..dot)?, digits.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn any_fraction_and_offset() {
        for (text, want) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01T00:00:00.5Z", Some(500_000_000)),
            ("1970-01-01T00:00:00.000000001Z", Some(1)),
            ("1970-01-01T00:00:00.0000000019Z", Some(1)),
            ("1970-01-01T02:00:00+02:00", Some(0)),
            ("1970-01-01 00:00:01Z", Some(1_000_000_000)),
            ("1970-01-01 00:00:01 UTC", Some(1_000_000_000)),
            ("1970-01-01 00:00:01.5", Some(1_500_000_000)),
            ("1970-01-01T00:00:01", Some(1_000_000_000)),
            ("1970-01-01", None),
            ("1780300800", Some(1_780_300_800_000_000_000)),
            ("1780300800.25", Some(1_780_300_800_250_000_000)),
            ("1780300800250", Some(1_780_300_800_250_000_000)),
            ("1780300800250.5", Some(1_780_300_800_250_500_000)),
            ("1780300800250000", Some(1_780_300_800_250_000_000)),
            ("1780300800250000001", Some(1_780_300_800_250_000_001)),
            ("9999999999999999999", None),
            ("20260601", None),
            ("1780300800.x", None),
            ("2016-02-29T12:00:00Z", Some(1_456_747_200_000_000_000)),
            ("2015-02-29T12:00:00Z", None),
            ("0001-01-01T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(parse(text.as_bytes()), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_quick_way_agrees_with_jiff(nanos in any::<i64>()) {
            let time = Timestamp::from_nanosecond(i128::from(nanos)).unwrap();
            let text = time.to_string();
            prop_assert_eq!(parse(text.as_bytes()), Some(nanos));
            prop_assert_eq!(general(text.as_bytes()), Some(nanos));
        }
    }
}
