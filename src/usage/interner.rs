//! Texts and small sets kept once and named by a number: what keeps a table small and its look-ups free of allocation.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::sync::{Arc, LazyLock};

/// How texts are hashed in this process, and in no other: who writes the texts must not be able to choose such that collide.
/// The numbers that are given out do not depend on it.
pub(crate) static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// A number for each different text.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    index: HashTable<u32>,
    texts: Vec<Arc<str>>,
}

impl Texts {
    /// Makes room for so many texts more, so that those that are there need not be hashed again on the way.
    pub fn reserve(&mut self, texts: usize) {
        let known = &self.texts;
        self.index.reserve(texts, |&id| {
            known.get(id as usize).map_or(0, |t| HASHER.hash_one(t.as_bytes()))
        });
        self.texts.reserve(texts);
    }

    /// The number of `text`, which is kept if it is new.
    pub fn intern(&mut self, text: &str) -> u32 {
        let hash = HASHER.hash_one(text.as_bytes());
        if let Some(id) = self.index.find(hash, |&id| self.is(id, text)) {
            return *id;
        }
        let id = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.push(Arc::from(text));
        let texts = &self.texts;
        self.index.insert_unique(hash, id, |&id| {
            texts.get(id as usize).map_or(0, |t| HASHER.hash_one(t.as_bytes()))
        });
        id
    }

    fn is(&self, id: u32, text: &str) -> bool {
        self.texts.get(id as usize).is_some_and(|t| **t == *text)
    }

    /// The text of a number; empty for a number that was never given out.
    #[must_use]
    pub fn get(&self, id: u32) -> &str {
        self.texts.get(id as usize).map_or("", |t| t)
    }

    /// The text of a number, shared.
    #[must_use]
    pub fn shared(&self, id: u32) -> Arc<str> {
        self.texts.get(id as usize).map_or_else(|| Arc::from(""), Arc::clone)
    }

    /// All texts in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<str>> {
        self.texts.iter()
    }

    /// How many texts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}

/// A number for each different value.
#[derive(Debug, Clone)]
pub struct Values<T> {
    index: HashTable<u32>,
    values: Vec<T>,
}

impl<T> Default for Values<T> {
    fn default() -> Self {
        Self {
            index: HashTable::new(),
            values: Vec::new(),
        }
    }
}

impl<T: std::hash::Hash + Eq> Values<T> {
    /// The number of `value`, which is kept if it is new.
    pub fn intern(&mut self, value: T) -> u32 {
        let hash = HASHER.hash_one(&value);
        let values = &self.values;
        if let Some(id) = self.index.find(hash, |&id| values.get(id as usize) == Some(&value)) {
            return *id;
        }
        let id = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.values.push(value);
        let values = &self.values;
        self.index.insert_unique(hash, id, |&id| {
            values.get(id as usize).map_or(0, |v| HASHER.hash_one(v))
        });
        id
    }

    /// The value of a number.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<&T> {
        self.values.get(id as usize)
    }

    /// All values in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.values.iter()
    }

    /// How many values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
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
        assert_eq!(texts.get(99), "");
        assert_eq!(texts.len(), 2);
        let mut values: Values<Vec<u32>> = Values::default();
        let one = values.intern(vec![1]);
        assert_eq!(values.intern(vec![1]), one);
        assert_eq!(values.get(one), Some(&vec![1]));
    }
}
