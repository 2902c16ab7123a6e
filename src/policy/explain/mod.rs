//! One decision told in words: which stanza won, in which policy, what it beat and why; for a denial, the smallest change.

mod change;
mod tell;
mod text;

pub use change::Change;
pub use tell::{Beaten, Explanation, Nearest, NotInForce, Question, RuleView, StanzaView, explain};
