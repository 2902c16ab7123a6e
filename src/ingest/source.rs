//! Where logs come from: files, folders, globs, objects and standard input, plain, compressed or in archives.

use super::error::IngestError;
use super::gunzip::Gunzip;
use super::header;
use super::object::Object;
use super::utf16;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// One log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogInput {
    /// A file.
    File(PathBuf),
    /// What is no file, such as an object of a bucket.
    Object(Object),
    /// Standard input.
    Stdin,
}

impl LogInput {
    /// The name in messages.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Object(object) => object.name().to_owned(),
            Self::Stdin => "<stdin>".to_owned(),
        }
    }

    /// Its size as stored, where that is known.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::File(path) => path.metadata().ok().filter(|m| m.is_file()).map(|m| m.len()),
            Self::Object(object) => Some(object.size()),
            Self::Stdin => None,
        }
    }

    /// Its first bytes, at most so many; none where they can be read only once, or not at all.
    pub(super) fn beginning(&self, most: u64) -> Option<Vec<u8>> {
        let mut head = Vec::new();
        let read = match self {
            Self::File(path) => std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut head)),
            Self::Object(object) => object.read(|from| from.take(most).read_to_end(&mut head)).ok()?,
            Self::Stdin => return None,
        };
        read.ok().map(|_| head)
    }
}

/// What the user named, as logs.
#[derive(Debug, Default)]
pub struct Named {
    /// The logs.
    pub logs: Vec<LogInput>,
    /// Files of folders that show no entry.
    pub left_out: Vec<String>,
    /// Links to folders that are read already.
    pub passed: Vec<String>,
    /// What could not be read of what they stand for: links that lead nowhere, folders that a pattern cannot look into.
    pub unread: Vec<IngestError>,
}

/// As many first bytes tell whether a file of any name is a log.
pub(super) const TELLING: u64 = 64 << 10;

/// Whether a file of any name is a log, by its first bytes: it is compressed, an archive, or shows an entry.
pub(super) fn shows_entries(head: &[u8]) -> bool {
    let shows = |mark: &&[u8]| memchr::memmem::find(head, mark).is_some();
    match Form::of(head) {
        Form::Text { utf16: None } => {
            let mut beginnings = header::BEGINNINGS_OF_ENTRIES.iter();
            let marks = header::MARKS_OF_ENTRIES.iter().filter(|mark| shows(mark));
            beginnings.any(shows) || marks.take(2).count() == 2
        }
        _ => true,
    }
}

/// Whether a file of a folder is one to read, by its name: rotation leaves many forms behind.
pub(super) fn is_log(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let bare = [".gz", ".zst", ".bz2", ".xz"]
        .into_iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(&name);
    !name.starts_with('.')
        && (bare.contains(".log")
            || [
                ".json", ".jsonl", ".ndjson", ".txt", ".csv", ".zip", ".tar", ".tgz", "audit", ".example",
            ]
            .iter()
            .any(|end| bare.ends_with(end)))
}

/// How a log is stored, told by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// As it is.
    Plain,
    /// gzip, of one or more members.
    Gzip,
    /// Zstandard, of one or more frames.
    Zstd,
    /// bzip2, of one or more streams.
    Bzip2,
    /// xz, of one or more streams.
    Xz,
}

impl Stored {
    /// From the first bytes.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        if head.starts_with(&[0x1f, 0x8b]) {
            Self::Gzip
        } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) {
            // It may begin with a frame that is to be skipped.
            Self::Zstd
        } else if matches!(head, [b'B', b'Z', b'h', b'1'..=b'9', ..]) {
            Self::Bzip2
        } else if head.starts_with(&[0xfd, b'7', b'z', b'X']) {
            Self::Xz
        } else {
            Self::Plain
        }
    }
}

/// What the plain bytes of a log are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Text, as it is or in UTF-16.
    Text {
        /// Whether it is UTF-16, with the high byte first or not.
        utf16: Option<bool>,
    },
    /// Compressed text, or whatever else.
    Stored(Stored),
    /// A zip archive.
    Zip,
    /// A tar archive.
    Tar,
}

/// As many bytes tell all forms.
const HEAD: usize = 512;

impl Form {
    /// From the first bytes.
    pub fn of(head: &[u8]) -> Self {
        match Stored::of(head) {
            Stored::Plain if head.starts_with(b"PK\x03\x04") => Self::Zip,
            Stored::Plain if head.get(257..262) == Some(b"ustar") => Self::Tar,
            Stored::Plain => Self::Text {
                utf16: utf16::begins(head),
            },
            stored => Self::Stored(stored),
        }
    }
}

/// A source whose beginning was looked at.
pub type Looked<R> = io::Chain<io::Cursor<Vec<u8>>, R>;

/// What a log is, by its beginning, and the whole of it to read. Pipes are read once, so nothing is sought.
pub(super) fn begin<R: Read>(mut from: R) -> io::Result<(Form, Looked<R>)> {
    let mut head = Vec::with_capacity(HEAD);
    from.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    Ok((Form::of(&head), io::Cursor::new(head).chain(from)))
}

/// Reads the plain text of a stored log.
pub(super) enum Decoder<R: Read> {
    Plain(R),
    Gzip(Gunzip<R>),
    Zstd(zstd::stream::read::Decoder<'static, io::BufReader<R>>),
    Bzip2(bzip2::read::MultiBzDecoder<R>),
    Xz(Box<lzma_rust2::XzReader<R>>),
}

impl<R: Read> Decoder<R> {
    /// Of a log that is stored so.
    pub fn new(stored: Stored, from: R) -> io::Result<Self> {
        Ok(match stored {
            Stored::Plain => Self::Plain(from),
            Stored::Gzip => Self::Gzip(Gunzip::new(from)),
            Stored::Zstd => Self::Zstd(zstd::stream::read::Decoder::new(from)?),
            Stored::Bzip2 => Self::Bzip2(bzip2::read::MultiBzDecoder::new(from)),
            Stored::Xz => Self::Xz(Box::new(lzma_rust2::XzReader::new(from, true))),
        })
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(from) => from.read(into),
            Self::Gzip(from) => from.read(into),
            Self::Zstd(from) => from.read(into),
            Self::Bzip2(from) => from.read(into),
            Self::Xz(from) => from.read(into),
        }
    }
}

/// The plain text of a stored log.
pub fn decoder<'a>(stored: Stored, from: impl Read + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
    Ok(Box::new(Decoder::new(stored, from)?))
}
