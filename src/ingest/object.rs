//! Logs that are no files: the reader knows of such an object its name, its size, and how to ask for its bytes, and nothing of
//! where they come from.

use super::error::{IngestError, Trouble};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io::{self, Read};
use std::sync::{Arc, OnceLock};

/// Pieces of bytes in order, to the end or to the first trouble.
pub type Pieces<'a> = Box<dyn Iterator<Item = Result<Vec<u8>, Trouble>> + Send + 'a>;

/// Where the bytes of an object come from.
pub trait Bytes: fmt::Debug + Send + Sync {
    /// All of them, from the beginning.
    fn pieces(&self) -> Pieces<'_>;
}

/// One object. Two of one name are the same.
#[derive(Debug, Clone)]
pub struct Object {
    name: String,
    size: u64,
    bytes: Arc<dyn Bytes>,
}

impl Object {
    /// An object whose bytes come from there. The name holds no secret.
    pub fn new(name: String, size: u64, bytes: impl Bytes + 'static) -> Self {
        Self {
            name,
            size,
            bytes: Arc::new(bytes),
        }
    }

    /// Its name in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its size as stored.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Has its bytes read. Bytes that could not be had are an error, whatever was made of those before them.
    pub(super) fn read<T>(&self, with: impl FnOnce(Opened<'_>) -> io::Result<T>) -> Result<io::Result<T>, IngestError> {
        let trouble = Arc::new(OnceLock::new());
        let read = with(Opened {
            pieces: self.bytes.pieces(),
            piece: io::Cursor::default(),
            trouble: Arc::clone(&trouble),
        });
        match trouble.get() {
            Some(trouble) => Err(IngestError::Object {
                name: self.name.clone(),
                trouble: Trouble::clone(trouble),
            }),
            None => Ok(read),
        }
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Object {}

impl Hash for Object {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl PartialOrd for Object {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Object {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(&other.name)
    }
}

/// An object that is being read. Trouble is kept beside it too: what unpacks the bytes may take an error for the end.
pub(super) struct Opened<'a> {
    pieces: Pieces<'a>,
    piece: io::Cursor<Vec<u8>>,
    trouble: Arc<OnceLock<Trouble>>,
}

impl Read for Opened<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let got = self.piece.read(into)?;
            if got > 0 || into.is_empty() {
                return Ok(got);
            }
            if let Some(trouble) = self.trouble.get() {
                return Err(io::Error::new(io::ErrorKind::ConnectionAborted, trouble.clone()));
            }
            match self.pieces.next() {
                None => return Ok(0),
                Some(Ok(piece)) => self.piece = io::Cursor::new(piece),
                Some(Err(trouble)) => {
                    let _ = self.trouble.set(trouble);
                }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Pieces that are there, and whether they end in trouble.
    #[derive(Debug)]
    pub struct Given(pub Vec<Vec<u8>>, pub bool);

    impl Bytes for Given {
        fn pieces(&self) -> Pieces<'_> {
            let trouble = Trouble {
                why: "the line went dead".to_owned(),
                hint: "try again",
            };
            let end = self.1.then_some(Err(trouble));
            Box::new(self.0.iter().cloned().map(Ok).chain(end))
        }
    }

    fn text(mut from: Opened<'_>) -> io::Result<String> {
        let mut text = String::new();
        from.read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn pieces_are_read_one_after_the_other() {
        let given = Given(vec![b"one ".to_vec(), Vec::new(), b"two".to_vec()], false);
        let object = Object::new("s3://b/a".to_owned(), 7, given);
        assert_eq!(object.read(text).unwrap().unwrap(), "one two");
    }

    #[test]
    fn trouble_is_an_error_even_for_those_who_take_it_for_the_end() {
        let object = Object::new("s3://b/a".to_owned(), 7, Given(vec![b"one".to_vec()], true));
        assert!(object.read(text).is_err());
        let shrugged = object.read(|from| text(from).or_else(|_| Ok(String::new())));
        let said = shrugged.unwrap_err().to_string();
        assert_eq!(said, "cannot read `s3://b/a`: the line went dead");
    }
}
