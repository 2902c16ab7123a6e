//! What a person can do about an error, said by the error itself; and an error told with its causes.

use std::borrow::Cow;
use std::error::Error;

/// An error of any kind, kept as the cause of another.
pub type Cause = Box<dyn Error + Send + Sync>;

/// An error that ends a command.
pub trait Hint: Error {
    /// What can be done about it.
    fn hint(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// Whether nothing is wrong but that there is nothing to go by.
    fn found_nothing(&self) -> bool {
        false
    }
}

// A document that cannot be written as JSON is a fault of the program, and nothing can be done about it.
impl Hint for serde_json::Error {}

/// The error with its causes, joined by colons; a cause that is told already is not told again.
#[must_use]
pub fn whole(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !message.ends_with(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        source = cause.source();
    }
    message
}

/// The error with its causes and what can be done about it, in one line.
#[must_use]
pub fn with_hint<E: Hint + 'static>(error: &E) -> String {
    let told = whole(error);
    match error.hint() {
        Some(hint) => format!("{told} ({hint})"),
        None => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[derive(Debug, thiserror::Error)]
    enum Wrong {
        #[error("cannot read `x`")]
        Apart(#[source] io::Error),
        #[error("cannot read `x`: {0}")]
        Within(#[source] io::Error),
    }

    #[test]
    fn a_cause_is_told_once() {
        for wrong in [Wrong::Apart, Wrong::Within] {
            assert_eq!(whole(&wrong(io::Error::other("gone"))), "cannot read `x`: gone");
        }
    }
}
