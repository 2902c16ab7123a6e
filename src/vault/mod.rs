//! The domain's words as the servers use them: capability, operation, path, principal, and the paths that are special.

pub mod capability;
pub mod glob;
pub mod identity;
pub mod name;
pub mod operation;
pub mod path;
pub mod principal;
pub mod protected;
pub mod secret;

pub use capability::{Capability, CapabilitySet};
pub use identity::{MountId, PolicyId, RoleId};
pub use operation::Operation;
pub use principal::{PrincipalId, PrincipalKind};
