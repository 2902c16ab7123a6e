//! Why a value of JSON could not be stepped over.

/// Why a value could not be stepped over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The text ends inside the value.
    Truncated,
    /// This is no JSON.
    Malformed,
}
