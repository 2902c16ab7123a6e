//! Usage: who asked for what, folded into demands, with the account of what was read and the coverage that it gives.
//!
//! A [`Usage`] is a part of the whole. Parts merge in any order and grouping to the same result as reading all their
//! logs at once, since each carries the requests that may still meet a partner in another part.

pub mod answer;
pub mod ask;
pub mod auth;
mod best;
pub mod bounds;
pub mod coverage;
pub mod demand;
pub mod example;
pub mod facts;
pub mod frame;
pub mod group;
pub mod held;
pub mod interner;
pub mod ledger;
mod listing;
mod parquet;
pub mod part;
mod state;
mod state_tables;
pub mod store;
pub mod table;
pub mod tally;
pub mod window;

pub use bounds::Bounds;
pub use coverage::{AuditSwitch, Coverage, Gap};
pub use demand::{Demand, Lost, Principal, PrincipalSeen, Untold};
pub use facts::Facts;
pub use group::GroupBy;
pub use held::{Granting, Held, Namespaces, Placed, Space};
pub use part::{Overlap, Unlike, Unpaired, Usage};
pub use tally::{Skip, Skipped, Tally};
pub use window::Window;
