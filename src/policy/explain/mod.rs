//! One decision told in words: which stanza won, in which policy, what it beat and why; for a denial, the smallest change.

mod change;
mod kv;
mod tell;
mod text;

pub use change::Change;
pub use kv::{KvMount, value_path};
pub use tell::{Beaten, Explanation, Nearest, NotInForce, Question, RuleView, StanzaView, explain};
