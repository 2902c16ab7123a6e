//! Holders with what they have today: together, so that none is without it.

use super::holder::Holder;
use super::sets::SetId;
use std::ops::Deref;

/// A holder of whom it is decided what it has today.
#[derive(Debug, Clone)]
pub struct Today {
    holder: Holder,
    /// The set in force: what it has when it logs in, where the deployment says so; else what it was seen with last.
    pub current: SetId,
}

impl Today {
    pub(super) const fn new(holder: Holder, current: SetId) -> Self {
        Self { holder, current }
    }
}

impl Deref for Today {
    type Target = Holder;

    fn deref(&self) -> &Holder {
        &self.holder
    }
}
