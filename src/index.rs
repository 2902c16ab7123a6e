//! Numbers that know what they count: an index of one table is no index of another, and one that a table gave out is always in it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::iter::FromIterator;
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::ops::{Index, IndexMut};

/// The number of a `T` in the table of all of them. It takes four bytes, also where it may be that of none.
pub struct Idx<T>(NonZeroU32, PhantomData<fn() -> T>);

impl<T> Idx<T> {
    /// The number as such, for what keeps its own arrays.
    #[must_use]
    pub const fn number(self) -> usize {
        self.0.get() as usize - 1
    }

    /// A number that no table gave out.
    #[cfg(test)]
    pub(crate) fn nth(number: usize) -> Self {
        Self::new(number)
    }

    /// INVARIANT: no table holds four thousand million things; memory ends before.
    fn new(number: usize) -> Self {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        Self(NonZeroU32::MIN.saturating_add(number), PhantomData)
    }
}

impl<T> Clone for Idx<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Idx<T> {}

impl<T> PartialEq for Idx<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Idx<T> {}

impl<T> PartialOrd for Idx<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Idx<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl<T> Hash for Idx<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<T> fmt::Debug for Idx<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

/// One `V` for each `T`, by the number of the `T`; the table of all `T` themselves where nothing else is said.
pub struct IndexVec<T, V = T>(Vec<V>, PhantomData<fn() -> T>);

impl<T, V> IndexVec<T, V> {
    /// An empty table.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new(), PhantomData)
    }

    /// Adds one, and gives its number.
    pub fn push(&mut self, value: V) -> Idx<T> {
        self.0.push(value);
        Idx::new(self.0.len() - 1)
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
    pub fn iter(&self) -> std::slice::Iter<'_, V> {
        self.0.iter()
    }

    /// All of them, to be changed.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, V> {
        self.0.iter_mut()
    }

    /// All of them, without their numbers.
    #[must_use]
    pub fn as_slice(&self) -> &[V] {
        &self.0
    }

    /// All of them, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [V] {
        &mut self.0
    }

    /// The one of this number, which was stored elsewhere; none where there are not so many.
    #[must_use]
    pub fn id(&self, number: usize) -> Option<Idx<T>> {
        (number < self.0.len()).then(|| Idx::new(number))
    }

    /// Makes room for so many more.
    pub fn reserve(&mut self, more: usize) {
        self.0.reserve(more);
    }

    /// All numbers, in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = Idx<T>> + ExactSizeIterator + use<T, V> {
        (0..self.0.len()).map(Idx::new)
    }

    /// All of them, each with its number.
    pub fn numbered(&self) -> impl DoubleEndedIterator<Item = (Idx<T>, &V)> + ExactSizeIterator {
        self.0.iter().enumerate().map(|(n, value)| (Idx::new(n), value))
    }

    /// Those from the nth on, each with its number, without a walk over those before.
    pub fn numbered_from(&self, first: usize) -> impl Iterator<Item = (Idx<T>, &V)> {
        let rest = self.0.get(first..).unwrap_or_default();
        rest.iter()
            .enumerate()
            .map(move |(n, value)| (Idx::new(first + n), value))
    }

    /// The number of the first that this holds of.
    pub fn position(&self, is: impl FnMut(&V) -> bool) -> Option<Idx<T>> {
        self.0.iter().position(is).map(Idx::new)
    }

    /// Another value for each, made from this one.
    pub fn map<W>(&self, made: impl FnMut(&V) -> W) -> IndexVec<T, W> {
        self.0.iter().map(made).collect()
    }
}

impl<T, V> Index<Idx<T>> for IndexVec<T, V> {
    type Output = V;

    fn index(&self, id: Idx<T>) -> &V {
        // INVARIANT: a number is given out by a table when it takes something in, and tables never shrink. One that is not there
        // is a fault of ours: the run ends before anything is proposed.
        #[allow(clippy::indexing_slicing, reason = "the invariant above")]
        &self.0[id.number()]
    }
}

impl<T, V> IndexMut<Idx<T>> for IndexVec<T, V> {
    fn index_mut(&mut self, id: Idx<T>) -> &mut V {
        // INVARIANT: as above.
        #[allow(clippy::indexing_slicing, reason = "the invariant above")]
        &mut self.0[id.number()]
    }
}

impl<T, V> Default for IndexVec<T, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, V> FromIterator<V> for IndexVec<T, V> {
    fn from_iter<I: IntoIterator<Item = V>>(values: I) -> Self {
        Self(values.into_iter().collect(), PhantomData)
    }
}

impl<T, V> From<Vec<V>> for IndexVec<T, V> {
    fn from(values: Vec<V>) -> Self {
        Self(values, PhantomData)
    }
}

impl<T, V> From<IndexVec<T, V>> for Vec<V> {
    fn from(table: IndexVec<T, V>) -> Self {
        table.0
    }
}

impl<T, V> Extend<V> for IndexVec<T, V> {
    fn extend<I: IntoIterator<Item = V>>(&mut self, values: I) {
        self.0.extend(values);
    }
}

impl<'a, T, V> IntoIterator for &'a IndexVec<T, V> {
    type Item = &'a V;
    type IntoIter = std::slice::Iter<'a, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T, V> IntoIterator for IndexVec<T, V> {
    type Item = V;
    type IntoIter = std::vec::IntoIter<V>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<T, V: Clone> Clone for IndexVec<T, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<T, V: fmt::Debug> fmt::Debug for IndexVec<T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T, V: PartialEq> PartialEq for IndexVec<T, V> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T, V: Eq> Eq for IndexVec<T, V> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_of_what_was_taken_in() {
        let mut words: IndexVec<&str> = IndexVec::new();
        let (a, b) = (words.push("a"), words.push("b"));
        assert_eq!((words[a], words[b]), ("a", "b"));
        assert_eq!(words.ids().collect::<Vec<_>>(), [a, b]);
        let lengths: IndexVec<&str, usize> = words.map(|word| word.len());
        assert_eq!(lengths[b], 1);
        assert_eq!(words.position(|word| *word == "b"), Some(b));
        assert_eq!(words.numbered().map(|(id, _)| id.number()).collect::<Vec<_>>(), [0, 1]);
        assert_eq!((words.id(1), words.id(2)), (Some(b), None));
        assert_eq!(size_of::<Option<Idx<&str>>>(), 4);
    }
}
