//! Values of flags, as they are typed: a time, a share, a severity with a number.

use crate::advice::Severity;
use crate::ingest::Envelope;
use crate::optimize::foresight::{parse_days, parse_ratio};
use crate::units::{self, UnitError};
use crate::vault::{Capability, Operation};
use clap::builder::{PossibleValuesParser, TypedValueParser};

/// A time that is kept as it was typed.
pub(super) fn time_as_typed(text: &str) -> Result<String, UnitError> {
    units::time(text).map(|_| text.to_owned())
}

/// A duration that is kept as it was typed.
pub(super) fn duration_as_typed(text: &str) -> Result<String, UnitError> {
    units::waiting(text).map(|_| text.to_owned())
}

/// A share of all uses.
pub(super) fn share(text: &str) -> Result<f64, String> {
    parse_ratio(text)
        .ok_or_else(|| format!("`{text}` is not a share from 0 to 1: write wrong denials for uses, such as 10/10000"))
}

/// Whole days.
pub(super) fn whole_days(text: &str) -> Result<i32, String> {
    parse_days(text)
        .ok_or_else(|| format!("`{text}` is not a number of whole days: write 90d, or 0 to look at the past alone"))
}

/// The most findings of a severity: `high=3`.
pub(super) fn most_findings(text: &str) -> Result<(Severity, usize), String> {
    let parts = text.split_once('=').and_then(|(severity, most)| {
        let severity = Severity::ALL.into_iter().find(|s| s.as_str() == severity)?;
        Some((severity, most.parse().ok()?))
    });
    parts.ok_or_else(|| format!("`{text}` is not a severity and a number, such as medium=10"))
}

/// The envelopes, by their words.
pub(super) fn envelope() -> impl TypedValueParser<Value = Envelope> {
    PossibleValuesParser::new(Envelope::words()).try_map(|word| word.parse::<Envelope>())
}

/// The operation of a request, by the word of the audit log.
pub(super) fn operation(word: &str) -> Result<Operation, String> {
    match Operation::from_word(word) {
        Operation::Other => Err(match word {
            "write" | "put" | "post" => format!("`{word}` is `create` where nothing is there yet, else `update`"),
            "get" => "`get` is `read`".to_owned(),
            "ls" => "`ls` is `list`".to_owned(),
            _ => "use create, read, update, patch, delete, list, scan, recover or help".to_owned(),
        }),
        operation => Ok(operation),
    }
}

/// A capability that somebody may have.
pub(super) fn capability(word: &str) -> Result<Capability, String> {
    word.parse()
        .map_err(|_| "use create, read, update, patch, delete, list, scan, recover, subscribe or sudo".to_owned())
}
