//! A text that a policy has somewhere on its way from today's to the proposed one.

use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// A text that a policy has somewhere on its way: its hash and its file, `-` where there is no policy.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) hash: String,
    pub(super) file: String,
    pub(super) text: Option<String>,
}

impl State {
    pub(super) fn none() -> Self {
        Self {
            hash: String::from("-"),
            file: String::from("-"),
            text: None,
        }
    }

    pub(super) fn of(text: String, file: String) -> Self {
        Self {
            hash: trimmed_sha256(&text),
            file,
            text: Some(text),
        }
    }
}

impl AsRef<str> for State {
    fn as_ref(&self) -> &str {
        &self.hash
    }
}

/// A hash as it is written.
pub(super) fn sha256(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// The hash of a text without the white space around the text, as the script's own `digest` has it.
pub fn trimmed_sha256(text: &str) -> String {
    sha256(text.trim_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_around_a_policy_does_not_count() {
        assert_eq!(trimmed_sha256("\n a b \r\n"), sha256(b"a b"));
    }
}
