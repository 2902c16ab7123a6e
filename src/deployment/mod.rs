//! What a server has besides its policies, read from a folder or from a live server.
//!
//! [`folder::read`] takes the folder that `snapshot` writes, or a single JSON file. [`snapshot::take`] reads a live server and
//! [`write::write`] makes the folder of it; [`save::snapshot`] is both.

pub mod connection;
pub mod folder;
pub mod live;
pub mod mark;
pub mod model;
pub mod pace;
pub mod parse;
pub mod required;
pub mod save;
pub mod snapshot;
pub mod write;

pub use folder::{DeploymentError, read};
pub use model::{Alias, AuthRole, Deployment, Entity, Group, Mount};
