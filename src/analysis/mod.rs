//! What the join means: findings by rule, the risk of each credential, how well an "unused" is known, and who can become more.
//!
//! [`takeover`] knows the servers' paths that hand out power, [`access_graph`] strings them into chains; [`evidence`] says how
//! far an "unused" can be believed and [`risk`] what a leaked credential would expose. The rules of [`rules`] look at all of
//! it through one [`rule::Context`] and say what a person should know.

pub mod access_graph;
pub mod evidence;
pub mod lately;
mod made;
pub mod newcomers;
pub mod risk;
pub mod rule;
pub mod rules;
mod since;
pub mod takeover;
pub mod window;
mod words;
