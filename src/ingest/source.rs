//! Where logs come from: files, folders, globs, objects and standard input, plain, compressed or in archives.

#[cfg(feature = "object-storage")]
use super::bucket;
use super::error::{IngestError, pipe_for};
use super::gunzip::Gunzip;
use super::header;
use super::object::Object;
use super::utf16;
use std::collections::BTreeSet;
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

/// What the user named, as logs: a folder stands for the logs in it, a glob for what it matches, `-` for standard input.
/// Each file comes once, in the order named, those of a folder or glob by name.
pub fn expand(names: &[String]) -> Result<Named, IngestError> {
    let mut named = Named::default();
    for name in names {
        if name == "-" {
            named.logs.push(LogInput::Stdin);
            continue;
        }
        if pipe_for(name).is_some() {
            bucket::expand(name, &mut named)?;
            continue;
        }
        let path = PathBuf::from(name);
        let read = |source| IngestError::Read {
            path: path.clone(),
            source,
        };
        match path.metadata() {
            Ok(meta) if meta.is_dir() => {
                let before = named.logs.len();
                folder(&path, &mut named, &mut BTreeSet::new())?;
                if named.logs.len() == before && named.unread.is_empty() {
                    return Err(IngestError::EmptyFolder(name.clone()));
                }
            }
            Ok(_) => named.logs.push(LogInput::File(path)),
            Err(source) if name.contains(['*', '?', '[']) => {
                let Ok(found) = glob::glob(name) else {
                    return Err(read(source));
                };
                let before = named.logs.len();
                let mut read = BTreeSet::new();
                for path in found {
                    match path {
                        Ok(path) if path.is_dir() => folder(&path, &mut named, &mut read)?,
                        Ok(path) if path.is_file() => named.logs.push(LogInput::File(path)),
                        Ok(path) if leads_nowhere(&path) => named.unread.push(IngestError::Gone(path)),
                        Ok(path) => named.left_out.push(path.display().to_string()),
                        Err(error) => named.unread.push(IngestError::Read {
                            path: error.path().to_path_buf(),
                            source: error.into(),
                        }),
                    }
                }
                if named.logs.len() == before && named.unread.is_empty() {
                    return Err(IngestError::NoMatch(name.clone()));
                }
            }
            Err(source) => return Err(read(source)),
        }
    }
    let mut seen = std::collections::HashSet::new();
    named.logs.retain(|input| seen.insert(input.clone()));
    named.left_out.sort();
    named.left_out.dedup();
    Ok(named)
}

/// Without the feature no object is read.
#[cfg(not(feature = "object-storage"))]
mod bucket {
    pub fn expand(name: &str, _: &mut super::Named) -> Result<(), super::IngestError> {
        Err(super::IngestError::Remote(name.to_owned()))
    }
}

/// The logs of a folder and of those below it, each real folder once: links may lead back. Those that were read are in `seen`.
fn folder(path: &Path, named: &mut Named, seen: &mut BTreeSet<PathBuf>) -> Result<(), IngestError> {
    let read = |source| IngestError::Read {
        path: path.to_owned(),
        source,
    };
    if !seen.insert(path.canonicalize().map_err(read)?) {
        named.passed.push(path.display().to_string());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = path
        .read_dir()
        .map_err(read)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<io::Result<_>>()
        .map_err(read)?;
    // A folder comes before links to it.
    entries.sort_by_cached_key(|entry| (entry.is_symlink() && entry.is_dir(), entry.clone()));
    for entry in entries {
        let is_hidden = entry
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if entry.is_dir() {
            folder(&entry, named, seen)?;
        } else if leads_nowhere(&entry) {
            if !is_hidden {
                named.unread.push(IngestError::Gone(entry));
            }
        } else {
            let is_named = is_log(&entry);
            let log = LogInput::File(entry);
            let is_log =
                log.size().is_some() && (is_named || log.beginning(TELLING).is_some_and(|head| shows_entries(&head)));
            if is_log {
                named.logs.push(log);
            } else if !is_hidden {
                // Else it is nothing of a log: editors and tools leave these behind.
                named.left_out.push(log.name());
            }
        }
    }
    Ok(())
}

/// Whether it is a link to nothing.
fn leads_nowhere(path: &Path) -> bool {
    path.is_symlink() && !path.exists()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_logs_each_once() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["audit.log", "audit.log.1.gz", "b.json", "notes.md", ".audit.log"] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        std::fs::write(dir.path().join("sub/vault_audit"), "x").unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let names = |named: Named| -> Vec<String> {
            assert_eq!(named.left_out, [at("notes.md")]);
            named.logs.iter().map(|i| i.name().replace(&at(""), "")).collect()
        };
        let rotated = ["audit-20260501", "audit.1", "audit.old", "messages"];
        for name in rotated {
            std::fs::write(
                dir.path().join(name),
                r#"{"time":"2026-05-01T00:00:00Z","type":"request","auth":{}}"#,
            )
            .unwrap();
        }
        assert_eq!(
            names(expand(&[at(""), at("b.json")]).unwrap()),
            [
                "audit-20260501",
                "audit.1",
                "audit.log",
                "audit.log.1.gz",
                "audit.old",
                "b.json",
                "messages",
                "sub/vault_audit"
            ]
        );
        std::fs::write(
            dir.path().join("sub/.audit.log.1"),
            r#"{"time":"2026-05-01T00:00:00Z","type":"request","auth":{}}"#,
        )
        .unwrap();
        let matched = expand(&[at("s*")]).unwrap();
        let matched: Vec<String> = matched.logs.iter().map(|i| i.name().replace(&at(""), "")).collect();
        assert_eq!(
            matched,
            ["sub/.audit.log.1", "sub/vault_audit"],
            "a folder that is matched stands for its logs, and what shows an entry is one, hidden or not"
        );
        let matched = expand(&[at("audit.l*")]).unwrap();
        assert_eq!((matched.logs.len(), matched.left_out.len()), (2, 0));
        std::os::unix::fs::symlink(dir.path().join("gone"), dir.path().join("sub/audit.log")).unwrap();
        let unread = expand(&[at("")]).unwrap().unread;
        assert!(matches!(&unread[..], [IngestError::Gone(path)] if *path == dir.path().join("sub/audit.log")));
        let matched = expand(&[at("sub/*")]).unwrap();
        assert_eq!((matched.logs.len(), matched.unread.len()), (2, 1));
        assert!(matches!(expand(&[at("none*")]), Err(IngestError::NoMatch(_))));
        assert!(matches!(expand(&[at("none")]), Err(IngestError::Read { .. })));
        // Each real folder once, whatever leads there.
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, dir.path().join(name)).unwrap();
        let before = expand(&[at("")]).unwrap().logs;
        link(".", "sub/back");
        link("..", "sub/up");
        link("sub", "a-link");
        let looped = expand(&[at("")]).unwrap();
        assert_eq!(looped.logs, before);
        assert_eq!(looped.passed, [at("sub/back"), at("sub/up"), at("a-link")]);
        std::fs::create_dir(dir.path().join("empty")).unwrap();
        assert!(matches!(expand(&[at("empty")]), Err(IngestError::EmptyFolder(_))));
    }
}
