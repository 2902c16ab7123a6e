//! One decision told in words: which stanza won, in which policy, what it beat and why; for a denial, the smallest change.

mod change;
mod kv;
mod question;
mod tell;
mod text;

pub use change::Change;
pub use kv::{names_values_below, value_path};
pub use question::{KvMount, Question};
pub use tell::{Beaten, Explanation, Nearest, NotInForce, RuleView, StanzaView, explain};
