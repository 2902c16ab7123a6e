//! What a stanza costs: its own existence, and what it opens beyond use.

use super::Chosen;
use crate::access::weight::Weights;
use crate::optimize::parameters::ParameterRule;
use crate::vault::CapabilitySet;
use serde::Deserialize;

/// The price list of a path cover.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Price {
    /// How much one unit of exposure weighs against one stanza: the trade of risk against complexity.
    pub lambda: f64,
    /// How many distinct children must have been used before a glob (or `+`) may stand for them.
    pub min_children: usize,
    /// What an exact path costs more when a segment of it is an id: tomorrow's id will be another.
    pub id_price: f64,
    /// Whether KV version 2 is known: who reads a secret keeps what it has of the secret's metadata and of the listing of its
    /// folder, though it was not used.
    pub kv2_closure: bool,
    /// Whether requests may send only the parameters that were sent.
    pub parameters: ParameterRule,
    /// No constraint where more parameters than these were sent.
    pub most_parameters: usize,
    /// Weights of capabilities and classes of paths.
    #[serde(skip)]
    pub weights: Weights,
}

impl Default for Price {
    fn default() -> Self {
        Self {
            lambda: 0.05,
            min_children: 3,
            id_price: 2.0,
            kv2_closure: false,
            parameters: ParameterRule::Off,
            most_parameters: 8,
            weights: Weights::default(),
        }
    }
}

impl Price {
    /// The whole price of a stanza.
    #[must_use]
    pub fn of(&self, chosen: &Chosen) -> f64 {
        let ids = if chosen.path.split('/').any(looks_like_id) {
            self.id_price
        } else {
            0.0
        };
        1.0 + ids + self.lambda * chosen.exposure
    }

    /// Exposure of `capabilities` on one known path.
    #[must_use]
    pub fn weigh(&self, path: &str, capabilities: CapabilitySet) -> f64 {
        self.weights.of(path, capabilities)
    }

    /// Exposure of an open end under `lead`: what does not exist yet.
    #[must_use]
    pub fn open_end(&self, lead: &str, capabilities: CapabilitySet) -> f64 {
        self.weights.open_end(lead, capabilities)
    }
}

/// Whether a path segment looks like an id: a UUID, a long hexadecimal or decimal number.
#[must_use]
pub fn looks_like_id(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    let hex = bytes.iter().filter(|b| b.is_ascii_hexdigit()).count();
    let digits = bytes.iter().filter(|b| b.is_ascii_digit()).count();
    let dashes = bytes.iter().filter(|b| **b == b'-').count();
    let uuid = bytes.len() == 36 && dashes == 4 && hex == 32;
    let long_hex = bytes.len() >= 16 && hex == bytes.len() && digits > 0;
    let number = bytes.len() >= 6 && digits == bytes.len();
    uuid || long_hex || number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_from_words() {
        for id in ["8b20c92e-a1fb-2f82-3378-f2de1021272e", "20250101", "0123456789abcdef01"] {
            assert!(looks_like_id(id), "{id}");
        }
        for word in ["", "prod", "v1", "deadbeef", "team-pay", "2024"] {
            assert!(!looks_like_id(word), "{word}");
        }
    }
}
