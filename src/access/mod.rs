//! Joins usage with grants: who holds which policies, which stanza allowed which demand, and what is reachable besides.
//!
//! [`join()`] is the meeting point of the four readers; analysis and optimisation both build on its [`Joined`] and never see
//! the readers themselves.

mod attribute;
mod besides;
mod by_name;
pub mod closures;
pub mod compared;
pub mod contradiction;
pub mod demand;
pub mod doubt;
pub mod everybody;
pub mod grants;
mod handed_out;
pub mod holder;
mod in_force;
pub mod infer;
pub mod join;
pub mod joined;
mod lists;
mod logged;
pub mod logins;
pub mod meant;
pub mod mounts;
mod names;
mod people;
mod present;
mod same;
pub mod sets;
mod shown;
pub mod today;
pub mod universe;
pub mod unseen;
pub mod weight;

pub use by_name::PolicyNumber;
pub use contradiction::{Contradicted, Contradiction, agree, contradictions};
pub use demand::{DemandId, Holding, JoinedDemand, Outcome, SeenWith, StanzaUse};
pub use doubt::Doubt;
pub use grants::{Reach, Right, askable, granted_on, reach, rights_on};
pub use handed_out::HandedOut;
pub use holder::{Holder, HolderId};
pub use join::{Inputs, join};
pub use joined::{Apart, Gaps, Joined, Login, NotRead, Stays};
pub use lists::MayHold;
pub use meant::HeldSet;
pub use mounts::{Mounted, mounts};
pub use names::names_held;
pub use sets::{AccessSet, SetId, StanzaId};
pub use today::Today;
pub use universe::Universe;
