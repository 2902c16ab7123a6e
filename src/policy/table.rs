//! Policies by number. Numbers of policies and stanzas come from the table that holds them, and each table counts something of its
//! own: a number of the policies read is none of the policies proposed, and one that was given out is always found.

use super::acl::{Skip, Source};
use super::model::{Policy, Stanza};
use crate::index::{Idx, IndexVec};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Index;

/// The number of a stanza: that of its policy in a table of `T`, and its place in it.
pub struct StanzaIdx<T> {
    policy: Idx<T>,
    place: usize,
}

impl<T> StanzaIdx<T> {
    /// The policy that it stands in.
    #[must_use]
    pub const fn policy(self) -> Idx<T> {
        self.policy
    }

    /// The how manieth of its policy it is, from 0.
    #[must_use]
    pub const fn place(self) -> usize {
        self.place
    }

    const fn key(self) -> (Idx<T>, usize) {
        (self.policy, self.place)
    }
}

impl<T> Clone for StanzaIdx<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for StanzaIdx<T> {}

impl<T> PartialEq for StanzaIdx<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for StanzaIdx<T> {}

impl<T> PartialOrd for StanzaIdx<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for StanzaIdx<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl<T> Hash for StanzaIdx<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl<T> fmt::Debug for StanzaIdx<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key().fmt(f)
    }
}

/// What a compiled list says of a stanza: the how manieth policy of the list, and the how manieth stanza of that.
pub trait InList {
    /// The how manieth of each.
    fn places(&self) -> (usize, usize);
}

impl InList for Source {
    fn places(&self) -> (usize, usize) {
        (self.policy, self.stanza)
    }
}

impl InList for Skip {
    fn places(&self) -> (usize, usize) {
        (self.policy, self.stanza)
    }
}

/// The stanza that a list means which was compiled from these policies of a table.
#[must_use]
pub fn stanza_in<T>(list: &[Idx<T>], found: &impl InList) -> StanzaIdx<T> {
    let (policy, place) = found.places();
    // INVARIANT: what a compiled list finds is of the policies that it was compiled from. Were it asked of another list, that is a
    // fault of ours: the run ends before anything is proposed.
    #[allow(clippy::indexing_slicing, reason = "the invariant above")]
    let policy = list[policy];
    StanzaIdx { policy, place }
}

/// Policies by their numbers.
pub struct Table<T = Policy>(IndexVec<T, Policy>);

impl<T> Table<T> {
    /// Adds one, and gives its number.
    pub fn push(&mut self, policy: Policy) -> Idx<T> {
        self.0.push(policy)
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Policy> {
        self.0.iter()
    }

    /// All of them, without their numbers.
    #[must_use]
    pub fn as_slice(&self) -> &[Policy] {
        self.0.as_slice()
    }

    /// All numbers, in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = Idx<T>> + ExactSizeIterator + use<T> {
        self.0.ids()
    }

    /// All of them, each with its number.
    pub fn numbered(&self) -> impl DoubleEndedIterator<Item = (Idx<T>, &Policy)> + ExactSizeIterator {
        self.0.numbered()
    }

    /// The number of the first that this holds of.
    pub fn position(&self, is: impl FnMut(&Policy) -> bool) -> Option<Idx<T>> {
        self.0.position(is)
    }

    /// Something for each, made from it.
    pub fn map<W>(&self, made: impl FnMut(&Policy) -> W) -> IndexVec<T, W> {
        self.0.map(made)
    }

    /// The policies of a list, in its order.
    #[must_use]
    pub fn listed<'t, 'l>(&'t self, list: impl IntoIterator<Item = &'l Idx<T>>) -> Vec<&'t Policy>
    where
        T: 'l,
    {
        list.into_iter().map(|&id| &self[id]).collect()
    }

    /// The numbers of the stanzas of a policy, in order.
    pub fn stanzas_of(&self, policy: Idx<T>) -> impl DoubleEndedIterator<Item = StanzaIdx<T>> + use<T> {
        (0..self[policy].stanzas.len()).map(move |place| StanzaIdx { policy, place })
    }

    /// The numbers of all stanzas, in order.
    pub fn stanzas(&self) -> impl Iterator<Item = StanzaIdx<T>> + '_ {
        self.ids().flat_map(|policy| self.stanzas_of(policy))
    }

    /// The stanza of a policy at this place, where it has so many.
    #[must_use]
    pub fn stanza(&self, policy: Idx<T>, place: usize) -> Option<StanzaIdx<T>> {
        (place < self[policy].stanzas.len()).then_some(StanzaIdx { policy, place })
    }
}

impl<T> Index<Idx<T>> for Table<T> {
    type Output = Policy;

    fn index(&self, id: Idx<T>) -> &Policy {
        &self.0[id]
    }
}

impl<T> Index<StanzaIdx<T>> for Table<T> {
    type Output = Stanza;

    fn index(&self, id: StanzaIdx<T>) -> &Stanza {
        // INVARIANT: the place was counted in this very policy, and tables give out no policy to be changed.
        #[allow(clippy::indexing_slicing, reason = "the invariant above")]
        &self[id.policy].stanzas[id.place]
    }
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(IndexVec::new())
    }
}

impl<T> FromIterator<Policy> for Table<T> {
    fn from_iter<I: IntoIterator<Item = Policy>>(policies: I) -> Self {
        Self(policies.into_iter().collect())
    }
}

impl<T> From<Vec<Policy>> for Table<T> {
    fn from(policies: Vec<Policy>) -> Self {
        Self(policies.into())
    }
}

impl<T> From<Table<T>> for Vec<Policy> {
    fn from(table: Table<T>) -> Self {
        table.0.into()
    }
}

impl<'a, T> IntoIterator for &'a Table<T> {
    type Item = &'a Policy;
    type IntoIter = std::slice::Iter<'a, Policy>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::acl::Acl;
    use crate::policy::profile::Profile;
    use crate::policy::syntax;
    use crate::policy::template::Identity;
    use crate::vault::Operation;

    fn policy(name: &str, paths: &[&str]) -> Policy {
        let stanzas = paths
            .iter()
            .map(|path| format!("path \"{path}\" {{ capabilities = [\"read\"] }}\n"));
        let text: String = stanzas.collect();
        syntax::parse(name, &format!("{name}.hcl"), &text, &Profile::default().dialect()).unwrap()
    }

    #[test]
    fn what_a_list_finds_is_found_in_the_table_it_was_taken_from() {
        let table: Table = [policy("a", &["x"]), policy("b", &["y", "z"])].into_iter().collect();
        let all: Vec<_> = table.stanzas().map(|id| &*table[id].path).collect();
        assert_eq!(all, ["x", "y", "z"]);
        let b = table.position(|policy| &*policy.name == "b").unwrap();
        // The list has `b` first, so that its number there is not that of the table.
        let list = [b, table.ids().next().unwrap()];
        let acl = Acl::compile(Profile::default(), &table.listed(&list), &Identity::default(), None);
        let rule = acl
            .winner(Operation::Read, "z")
            .and_then(|rule| acl.rule(rule))
            .unwrap();
        let found = stanza_in(&list, &rule.sources[0]);
        assert_eq!((found.policy(), found.place(), &*table[found].path), (b, 1, "z"));
        assert_eq!((table.stanza(b, 1), table.stanza(b, 2)), (Some(found), None));
    }
}
