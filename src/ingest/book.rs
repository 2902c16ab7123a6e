//! What was understood before of those who ask, known again by bytes: whole `auth` objects, and essences of such.
//!
//! A token that lives brings the same object, byte for byte, with each of its requests. A match of the bytes tells who asks and also
//! where the object ends, so that it need not be read. A token of its own for each request brings an object that is always new;
//! its essence is not.

use super::essence::Essence;
use crate::usage::interner::TextId;
use crate::usage::table::{AuthId, NamesId};
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// Where in an object the bytes stand that tell tokens apart: behind the first key and `hmac-sha256:`.
const TELLING: std::ops::Range<usize> = 28..60;

const SLOTS: usize = 1 << 14;

/// Objects with the same telling bytes: one token, granted by different policies.
const LONGEST_CHAIN: usize = 12;

/// The most bytes that are remembered, of whole objects and of essences; beyond it all are forgotten and learnt again.
const MOST_BYTES: usize = 8 << 20;

/// No token, and no object.
const NONE: u32 = u32::MAX;

/// What an `auth` object means.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// The auth, or none if the server says that nobody had to show a token.
    pub auth: Option<AuthId>,
    /// Whether nobody is named by it: it is that of somebody.
    pub unnamed: bool,
    /// What `policy_results` says, as bits of a record.
    pub flags: u8,
    /// A token that only unwraps a response.
    pub wrapping: bool,
    /// The policies that the server names as those that allowed it, where the ACL was asked.
    pub granting: Option<NamesId>,
    /// The one namespace that this is so in, or none if it is so in all.
    pub only_in: Option<TextId>,
}

/// What is known of who asks before the request is read.
#[derive(Debug, Clone, Copy, Default)]
pub enum Asker {
    /// Nothing.
    #[default]
    Unread,
    /// The essence of its `auth` object was read, and the object is not known.
    Read,
    /// The object is known.
    Known(Remembered),
}

/// A whole object that is known.
#[derive(Debug, Clone, Copy)]
pub struct Remembered {
    /// What it means.
    pub known: Known,
    /// Where it ends.
    pub end: usize,
    /// Which it is: no other object has or had this number.
    pub number: u64,
}

impl Known {
    /// Whether it is so in this namespace.
    #[must_use]
    pub fn holds_in(&self, namespace: TextId) -> bool {
        self.only_in.is_none_or(|only| only == namespace)
    }
}

/// Essences and what they mean.
#[derive(Debug, Clone, Default)]
pub struct Meanings {
    hasher: RandomState,
    index: HashTable<Meaning>,
    /// The bytes of all of them.
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Meaning {
    hash: u64,
    begin: usize,
    length: usize,
    known: Known,
}

impl Meanings {
    /// What an essence means to a request in this namespace, if that is known.
    #[must_use]
    pub fn find(&self, essence: &Essence, namespace: TextId) -> Option<Known> {
        let (hash, bytes) = (self.hasher.hash_one(essence.bytes()), &self.bytes);
        let is_it = |known: &Meaning| {
            known.hash == hash
                && known.known.holds_in(namespace)
                && bytes.get(known.begin..known.begin + known.length) == Some(essence.bytes())
        };
        Some(self.index.find(hash, is_it)?.known)
    }

    /// Remembers what an essence means.
    pub fn add(&mut self, essence: &Essence, known: Known) {
        let text = essence.bytes();
        if self.bytes.len() + text.len() + self.index.len() * size_of::<Meaning>() > MOST_BYTES {
            self.clear();
        }
        let meaning = Meaning {
            hash: self.hasher.hash_one(text),
            begin: self.bytes.len(),
            length: text.len(),
            known,
        };
        if text.len() <= MOST_BYTES {
            self.bytes.extend_from_slice(text);
            self.index.insert_unique(meaning.hash, meaning, |known| known.hash);
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.index.clear();
        self.bytes.clear();
    }
}

#[derive(Debug, Clone)]
struct Sheet {
    bytes: Box<[u8]>,
    known: Known,
    next: u32,
}

/// Where the objects with the same telling bytes begin.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The last token of which an object was to be remembered. That of a token which came once may never come again.
    token: u32,
    first: u32,
}

/// Whole objects and what they mean.
#[derive(Debug, Clone, Default)]
pub struct Book {
    hasher: RandomState,
    slots: Vec<Slot>,
    sheets: Vec<Sheet>,
    bytes: usize,
    /// How many were forgotten.
    forgotten: u64,
}

impl Book {
    /// The object at `at`, if it is remembered.
    #[must_use]
    pub fn find(&self, text: &[u8], at: usize) -> Option<Remembered> {
        let text_here = text.get(at..)?;
        let (slot, _) = self.place(text_here)?;
        let mut number = self.slots.get(slot)?.first;
        while let Some(sheet) = self.sheets.get(number as usize) {
            if text_here.starts_with(&sheet.bytes) {
                return Some(Remembered {
                    known: sheet.known,
                    end: at + sheet.bytes.len(),
                    number: self.forgotten + u64::from(number),
                });
            }
            number = sheet.next;
        }
        None
    }

    /// Remembers a whole object, once its token comes for the second time. Short ones, which are quickly read, are not worth it.
    pub fn add(&mut self, object: &[u8], known: Known) {
        let Some((slot, token)) = self.place(object) else {
            return;
        };
        if self.bytes + object.len() > MOST_BYTES {
            self.clear();
        }
        if self.slots.is_empty() {
            let none = Slot {
                token: NONE,
                first: NONE,
            };
            self.slots = vec![none; SLOTS];
        }
        let Some(slot) = self.slots.get_mut(slot) else { return };
        if std::mem::replace(&mut slot.token, token) != token {
            return;
        }
        let mut length = 0;
        let mut number = slot.first;
        while let Some(sheet) = self.sheets.get(number as usize) {
            number = sheet.next;
            length += 1;
        }
        // A full chain gives up what it holds: it may be of no use any more, as with tokens whose uses are counted.
        let next = if length < LONGEST_CHAIN { slot.first } else { NONE };
        slot.first = u32::try_from(self.sheets.len()).unwrap_or(NONE);
        self.bytes += object.len() + size_of::<Sheet>();
        self.sheets.push(Sheet {
            bytes: Box::from(object),
            known,
            next,
        });
    }

    /// The number of an object's slot, and what tells its token from others there.
    fn place(&self, object: &[u8]) -> Option<(usize, u32)> {
        let telling: &[u8; 32] = object.get(TELLING)?.try_into().ok()?;
        let hash = self.hasher.hash_one(telling);
        Some((hash as usize & (SLOTS - 1), (hash >> 32) as u32))
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.forgotten += self.sheets.len() as u64;
        self.sheets.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Idx;

    fn known(auth: usize) -> Known {
        Known {
            auth: Some(Idx::nth(auth)),
            unnamed: false,
            flags: 0,
            wrapping: false,
            granting: None,
            only_in: None,
        }
    }

    #[test]
    fn an_object_is_known_by_all_its_bytes() {
        let object = |end: &str| format!(r#"{{"client_token":"hmac-sha256:{:064x}","end":"{end}"}}"#, 7);
        let mut book = Book::default();
        for _ in 0..2 {
            assert!(book.find(object("a").as_bytes(), 0).is_none());
            book.add(object("a").as_bytes(), known(1));
        }
        book.add(object("b").as_bytes(), known(2));
        let text = format!("xx{},more", object("b"));
        let found = book.find(text.as_bytes(), 2);
        let number = found.map(|found| found.number);
        let found = found.map(|found| (found.known.auth, found.end));
        assert_eq!(found, Some((Some(Idx::nth(2)), 2 + object("b").len())));
        assert!(book.find(object("c").as_bytes(), 0).is_none());
        book.add(b"{}", known(3));
        assert!(book.find(b"{}", 0).is_none());
        for n in 0..100 {
            book.add(object(&n.to_string()).as_bytes(), known(n));
        }
        assert!(book.find(object("99").as_bytes(), 0).is_some());
        // Numbers of what was forgotten are given to nothing else.
        book.clear();
        for _ in 0..3 {
            book.add(object("b").as_bytes(), known(2));
        }
        let found = book.find(object("b").as_bytes(), 0);
        assert!(found.is_some_and(|found| Some(found.number) > number));
    }

    #[test]
    fn a_token_that_came_once_is_not_remembered() {
        let object =
            |token: usize| format!(r#"{{"client_token":"hmac-sha256:{token:020}{token:044}","display_name":"d"}}"#);
        let mut book = Book::default();
        for token in 0..100 {
            book.add(object(token).as_bytes(), known(token));
        }
        assert_eq!(book.bytes, 0);
    }

    #[test]
    fn essences_are_known_within_a_bound() {
        let essence = |name: &str| {
            let mut essence = Essence::default();
            let auth = format!(r#"{{"display_name":"{name}"}}"#);
            essence.read(auth.as_bytes(), &crate::usage::GroupBy::Entity);
            essence
        };
        let mut meanings = Meanings::default();
        let here = Known {
            only_in: Some(Idx::nth(7)),
            ..known(1)
        };
        meanings.add(&essence("a"), here);
        assert!(meanings.find(&essence("a"), Idx::nth(8)).is_none());
        meanings.add(
            &essence("a"),
            Known {
                only_in: Some(Idx::nth(8)),
                ..known(2)
            },
        );
        let found = |meanings: &Meanings, name: &str, at| {
            let known = meanings.find(&essence(name), Idx::nth(at))?;
            known.auth.map(Idx::number)
        };
        assert_eq!((found(&meanings, "a", 7), found(&meanings, "a", 8)), (Some(1), Some(2)));
        assert!(found(&meanings, "b", 7).is_none());
        for n in 0..40 {
            meanings.add(&essence(&n.to_string().repeat(1 << 19)), known(n));
            assert!(meanings.bytes.len() <= MOST_BYTES);
        }
        assert_eq!(found(&meanings, &"39".repeat(1 << 19), 0), Some(39));
        meanings.add(&essence(&"x".repeat(MOST_BYTES)), known(3));
        assert!(meanings.bytes.len() <= MOST_BYTES);
    }
}
