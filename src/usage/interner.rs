//! Texts and small sets kept once and named by a number: what keeps a table small and its look-ups free of allocation.

use crate::index::{Idx, IndexVec};
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::sync::{Arc, LazyLock};

/// How texts are hashed in this process, and in no other: who writes the texts must not be able to choose such that collide.
/// The numbers that are given out do not depend on it.
pub(crate) static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// What the number of a text counts.
#[derive(Debug)]
pub struct Text;

/// The number of a text.
pub type TextId = Idx<Text>;

/// A number for each different text.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    index: HashTable<TextId>,
    texts: IndexVec<Text, Arc<str>>,
}

impl Texts {
    /// Makes room for so many texts more, so that those that are there need not be hashed again on the way.
    pub fn reserve(&mut self, more: usize) {
        let texts = &self.texts;
        self.index.reserve(more, |&id| HASHER.hash_one(texts[id].as_bytes()));
        self.texts.reserve(more);
    }

    /// The number of `text`, which is kept if it is new.
    pub fn intern(&mut self, text: &str) -> TextId {
        let hash = HASHER.hash_one(text.as_bytes());
        if let Some(id) = self.index.find(hash, |&id| *self.texts[id] == *text) {
            return *id;
        }
        let id = self.texts.push(Arc::from(text));
        let texts = &self.texts;
        self.index
            .insert_unique(hash, id, |&id| HASHER.hash_one(texts[id].as_bytes()));
        id
    }

    /// The number of `text`, where it is there.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<TextId> {
        let hash = HASHER.hash_one(text.as_bytes());
        self.index.find(hash, |&id| *self.texts[id] == *text).copied()
    }

    /// The text of a number.
    #[must_use]
    pub fn get(&self, id: TextId) -> &str {
        &self.texts[id]
    }

    /// The text of a number, shared.
    #[must_use]
    pub fn shared(&self, id: TextId) -> Arc<str> {
        Arc::clone(&self.texts[id])
    }

    /// All texts in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<str>> {
        self.texts.iter()
    }

    /// How many texts.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}

/// A number for each different value.
#[derive(Debug, Clone)]
pub struct Values<T> {
    index: HashTable<Idx<T>>,
    values: IndexVec<T>,
}

impl<T> Default for Values<T> {
    fn default() -> Self {
        Self {
            index: HashTable::new(),
            values: IndexVec::new(),
        }
    }
}

impl<T: std::hash::Hash + Eq> Values<T> {
    /// The number of `value`, which is kept if it is new.
    pub fn intern(&mut self, value: T) -> Idx<T> {
        let hash = HASHER.hash_one(&value);
        if let Some(id) = self.index.find(hash, |&id| self.values[id] == value) {
            return *id;
        }
        let id = self.values.push(value);
        let values = &self.values;
        self.index.insert_unique(hash, id, |&id| HASHER.hash_one(&values[id]));
        id
    }

    /// The number of `value`, where it is there.
    pub fn find(&self, value: &T) -> Option<Idx<T>> {
        let hash = HASHER.hash_one(value);
        self.index.find(hash, |&id| self.values[id] == *value).copied()
    }

    /// Other values for the same numbers.
    pub fn change(&mut self, to: impl Fn(&mut T)) {
        self.index.clear();
        for id in self.values.ids() {
            to(&mut self.values[id]);
            let values = &self.values;
            let hash = |&id: &Idx<T>| HASHER.hash_one(&values[id]);
            self.index.insert_unique(hash(&id), id, hash);
        }
    }

    /// The value of a number.
    #[must_use]
    pub fn get(&self, id: Idx<T>) -> &T {
        &self.values[id]
    }

    /// All values, each with its number.
    pub fn numbered(&self) -> impl Iterator<Item = (Idx<T>, &T)> {
        self.values.numbered()
    }

    /// All values in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.values.iter()
    }

    /// How many values.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_stable_and_shared() {
        let mut texts = Texts::default();
        let a = texts.intern("a");
        let b = texts.intern("b");
        assert_ne!(a, b);
        assert_eq!(texts.intern("a"), a);
        assert_eq!(texts.get(b), "b");
        assert_eq!(texts.len(), 2);
        let mut values: Values<Vec<u8>> = Values::default();
        let one = values.intern(vec![1]);
        assert_eq!(values.intern(vec![1]), one);
        assert_eq!(values.get(one), &[1]);
    }
}
