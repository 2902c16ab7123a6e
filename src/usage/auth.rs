//! What an entry says of the one who asks: kept once for each different meaning.

use super::held::Held;
use crate::vault::PrincipalKind;
use std::sync::Arc;

/// The meaning of an `auth` object: who, known how, holding which policies.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Auth {
    /// How the principal is known.
    pub kind: PrincipalKind,
    /// Its key.
    pub id: Arc<str>,
    /// The human's word for it.
    pub name: Arc<str>,
    /// The auth mount, empty where it is not known.
    pub mount: Arc<str>,
    /// Whether the mount comes from a login, which knows, and not from the display name, which hints.
    pub login: bool,
    /// The role, user or group of the login at that mount, as the server vouches for it; empty where it does not.
    pub role: Arc<str>,
    /// Policies in force.
    pub held: Arc<Held>,
    /// The identity entity, or empty.
    pub entity_id: Arc<str>,
    /// The token's display name.
    pub display_name: Arc<str>,
    /// Names of the metadata, sorted.
    pub metadata_keys: Arc<[Arc<str>]>,
}

impl Auth {
    /// What its texts take.
    pub(crate) fn bytes(&self) -> usize {
        let texts = [
            &self.id,
            &self.name,
            &self.mount,
            &self.role,
            &self.entity_id,
            &self.display_name,
        ];
        let lists = self.metadata_keys.iter().chain(&*self.held.own);
        let placed = self.held.placed.iter().map(|policy| &policy.name);
        let own = texts.into_iter().map(|text| text.len()).sum::<usize>();
        own + lists.chain(placed).map(|text| 32 + text.len()).sum::<usize>()
    }

    /// Whoever needs no token.
    #[must_use]
    pub fn nobody() -> Self {
        let empty: Arc<str> = Arc::from("");
        Self {
            kind: PrincipalKind::Unauthenticated,
            id: Arc::from("unauthenticated"),
            name: Arc::from("unauthenticated"),
            mount: Arc::clone(&empty),
            login: false,
            role: Arc::clone(&empty),
            held: Arc::new(Held::nothing()),
            entity_id: Arc::clone(&empty),
            display_name: empty,
            metadata_keys: Arc::from([]),
        }
    }
}
