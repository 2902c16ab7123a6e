//! The `auth` objects that were understood before: a token's comes again, byte for byte, with each of its requests.
//!
//! A match of the bytes tells who asks and also where the object ends, so that it need not be read.

use foldhash::fast::RandomState;
use std::hash::BuildHasher;

/// Where in an object the bytes stand that tell tokens apart: behind the first key and `hmac-sha256:`.
const TELLING: std::ops::Range<usize> = 28..60;

const SLOTS: usize = 1 << 14;

/// Objects with the same telling bytes: one token, granted by different policies.
const LONGEST_CHAIN: usize = 12;

/// The most bytes that are remembered; beyond it all are forgotten and learnt again.
const MOST_BYTES: usize = 8 << 20;

const NONE: u32 = u32::MAX;

/// What an `auth` object means.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// The number of the auth, or none if the server says that nobody had to show a token.
    pub auth: u32,
    /// Whether nobody is named by it: it is that of somebody.
    pub unnamed: bool,
    /// What `policy_results` says, as bits of a record.
    pub flags: u8,
    /// A token that only unwraps a response.
    pub wrapping: bool,
    /// The number of the one namespace that this is so in, or none if it is so in all.
    pub only_in: u32,
}

#[derive(Debug, Clone)]
struct Sheet {
    bytes: Box<[u8]>,
    known: Known,
    next: u32,
}

/// All that is remembered.
#[derive(Debug, Clone, Default)]
pub struct Book {
    hasher: RandomState,
    slots: Vec<u32>,
    sheets: Vec<Sheet>,
    bytes: usize,
}

impl Book {
    /// The object at `at`, if it is remembered, and where it ends.
    #[must_use]
    pub fn find(&self, text: &[u8], at: usize) -> Option<(Known, usize)> {
        let text_here = text.get(at..)?;
        let mut number = *self.slots.get(self.slot(text_here)?)?;
        while let Some(sheet) = self.sheets.get(number as usize) {
            if text_here.starts_with(&sheet.bytes) {
                return Some((sheet.known, at + sheet.bytes.len()));
            }
            number = sheet.next;
        }
        None
    }

    /// Remembers a whole object. Short ones, which are quickly read, are not worth it.
    pub fn add(&mut self, object: &[u8], known: Known) {
        let Some(slot) = self.slot(object) else { return };
        if self.bytes + object.len() > MOST_BYTES {
            self.clear();
        }
        if self.slots.is_empty() {
            self.slots = vec![NONE; SLOTS];
        }
        let Some(first) = self.slots.get_mut(slot) else { return };
        let mut length = 0;
        let mut number = *first;
        while let Some(sheet) = self.sheets.get(number as usize) {
            number = sheet.next;
            length += 1;
        }
        // A full chain gives up what it holds: it may be of no use any more, as with tokens whose uses are counted.
        let next = if length < LONGEST_CHAIN { *first } else { NONE };
        *first = u32::try_from(self.sheets.len()).unwrap_or(NONE);
        self.bytes += object.len() + size_of::<Sheet>();
        self.sheets.push(Sheet {
            bytes: Box::from(object),
            known,
            next,
        });
    }

    fn slot(&self, object: &[u8]) -> Option<usize> {
        let telling: &[u8; 32] = object.get(TELLING)?.try_into().ok()?;
        Some(self.hasher.hash_one(telling) as usize & (SLOTS - 1))
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.sheets.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(auth: u32) -> Known {
        Known {
            auth,
            unnamed: false,
            flags: 0,
            wrapping: false,
            only_in: NONE,
        }
    }

    #[test]
    fn an_object_is_known_by_all_its_bytes() {
        let object = |end: &str| format!(r#"{{"client_token":"hmac-sha256:{:064x}","end":"{end}"}}"#, 7);
        let mut book = Book::default();
        assert!(book.find(object("a").as_bytes(), 0).is_none());
        book.add(object("a").as_bytes(), known(1));
        book.add(object("b").as_bytes(), known(2));
        let text = format!("xx{},more", object("b"));
        let found = book.find(text.as_bytes(), 2).map(|(k, end)| (k.auth, end));
        assert_eq!(found, Some((2, 2 + object("b").len())));
        assert!(book.find(object("c").as_bytes(), 0).is_none());
        book.add(b"{}", known(3));
        assert!(book.find(b"{}", 0).is_none());
        for n in 0..100 {
            book.add(object(&n.to_string()).as_bytes(), known(n));
        }
        assert!(book.find(object("99").as_bytes(), 0).is_some());
    }
}
