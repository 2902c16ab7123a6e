//! What the join means: findings by rule, the risk of each credential, how well an "unused" is known, and who can become more.

pub mod access_graph;
pub mod evidence;
pub mod risk;
pub mod rule;
pub mod rules;
