//! Reads what others wrote: the files of a folder that a stranger's change may have filled. No link is followed, nothing but
//! regular files is opened, sizes and depths have bounds, and whatever is not read is named with the reason.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// How many folders deep is looked.
pub const MAX_DEPTH: usize = 32;
/// How many files of one folder are listed.
pub const MAX_FILES: usize = 100_000;

/// A regular file below a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The file.
    pub path: PathBuf,
    /// Its path below the folder.
    pub below: PathBuf,
    /// Whether its name, or that of a folder between, begins with a dot.
    pub hidden: bool,
}

/// Why something below a folder is not among its files.
#[derive(Debug, thiserror::Error)]
pub enum Left {
    /// A symbolic link: what it leads to may be anywhere.
    #[error("a link, which is not followed")]
    Link,
    /// A device, a pipe or a socket.
    #[error("no regular file")]
    Special,
    /// More than [`MAX_DEPTH`] folders deep.
    #[error("more than {MAX_DEPTH} folders deep")]
    TooDeep,
    /// There are more than [`MAX_FILES`].
    #[error("the folder has more than {MAX_FILES} files")]
    TooMany,
    /// The file system said no.
    #[error("it cannot be read: {0}")]
    Unreadable(io::Error),
}

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Listing {
    /// Its regular files, those of folders below too, sorted by name folder by folder.
    pub found: Vec<Found>,
    /// What is not among them.
    pub left: Vec<(PathBuf, Left)>,
}

/// Lists the files below `folder`. What git keeps for itself (`.git`) is left out: no change can bring it.
#[must_use]
pub fn below(folder: &Path) -> Listing {
    let mut listing = Listing::default();
    walk(folder, Path::new(""), false, 0, &mut listing);
    listing
}

fn walk(folder: &Path, below: &Path, hidden: bool, depth: usize, listing: &mut Listing) {
    let entries = fs::read_dir(folder).and_then(|all| all.collect::<io::Result<Vec<_>>>());
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(error) => return listing.left.push((folder.to_path_buf(), Left::Unreadable(error))),
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        if name == ".git" {
            continue;
        }
        let path = entry.path();
        let below = below.join(&name);
        let hidden = hidden || name.as_encoded_bytes().starts_with(b".");
        // Of the entry itself: a link is not followed.
        let left = match entry.file_type() {
            Err(error) => Left::Unreadable(error),
            Ok(kind) if kind.is_symlink() => Left::Link,
            Ok(kind) if kind.is_dir() && depth >= MAX_DEPTH => Left::TooDeep,
            Ok(kind) if kind.is_dir() => {
                walk(&path, &below, hidden, depth + 1, listing);
                continue;
            }
            Ok(kind) if !kind.is_file() => Left::Special,
            Ok(_) if listing.found.len() >= MAX_FILES => {
                // Once is enough: there may be millions.
                if !listing.left.iter().any(|(_, left)| matches!(left, Left::TooMany)) {
                    listing.left.push((folder.to_path_buf(), Left::TooMany));
                }
                return;
            }
            Ok(_) => {
                listing.found.push(Found { path, below, hidden });
                continue;
            }
        };
        listing.left.push((path, left));
    }
}

/// The bytes of a regular file of at most `most` bytes. A link is an error: of what a folder holds none is followed.
///
/// # Errors
/// Where it is no regular file, larger, or can't be read.
pub fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    bounded(open(path, OpenOptions::new().read(true))?, most)
}

/// The last bytes of a regular file, at most `most`; no link is followed.
///
/// # Errors
/// Where it is no regular file, or can't be read.
pub fn tail(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut file = open(path, OpenOptions::new().read(true))?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Hands on the bytes of a regular file of any size, piece by piece; no link is followed.
///
/// # Errors
/// Where it is no regular file, or can't be read.
pub fn pass(path: &Path, mut to: impl FnMut(&[u8])) -> io::Result<()> {
    let mut file = BufReader::with_capacity(64 * 1024, open(path, OpenOptions::new().read(true))?);
    loop {
        let piece = file.fill_buf()?;
        let len = piece.len();
        if len == 0 {
            return Ok(());
        }
        to(piece);
        file.consume(len);
    }
}

/// Appends to a regular file, which is made where there is none; no link is followed.
///
/// # Errors
/// Where it is no regular file, or can't be written.
pub fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    open(path, OpenOptions::new().create(true).append(true))?.write_all(bytes)
}

/// Opens a regular file, and nothing that a link leads to.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = options.open(path).map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => io::Error::new(io::ErrorKind::InvalidInput, "it is a link, which is not followed"),
        _ => error,
    })?;
    if !file.metadata()?.is_file() {
        return Err(no_file());
    }
    Ok(file)
}

/// The bytes of what a user named: a link is followed, a pipe is read, a device never; at most `most` bytes.
///
/// # Errors
/// Where it is a device or a folder, larger, or can't be read.
pub fn read_named(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    use std::os::unix::fs::FileTypeExt as _;
    // Before it is opened: some devices act on that alone.
    let kind = fs::metadata(path)?.file_type();
    if kind.is_char_device() || kind.is_block_device() || kind.is_socket() {
        return Err(no_file());
    }
    bounded(File::open(path)?, most)
}

/// What is wrong with JSON, without a word of it: the file may be another than it seems.
#[must_use]
pub fn json_fault(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let place = format!("line {}, column {}", error.line(), error.column());
    match error.classify() {
        Category::Io => error.to_string(),
        Category::Syntax | Category::Eof => format!("it is no JSON ({place})"),
        Category::Data => {
            let text = error.to_string();
            let wanted = text.rsplit_once("expected ").map(|(_, rest)| rest);
            // Of a missing or unknown field the name is ours or the file's; a value never shows.
            let wanted = wanted
                .and_then(|rest| rest.split(" at line ").next())
                .map(|w| format!(", expected {w}"));
            let missing = text
                .starts_with("missing field")
                .then(|| text.split(" at line ").next())
                .flatten();
            let what = missing.map_or_else(
                || format!("something else stands there{}", wanted.unwrap_or_default()),
                str::to_owned,
            );
            format!("{what} ({place})")
        }
    }
}

fn no_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")
}

fn bounded(file: File, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is larger than {most} bytes"),
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_and_devices_are_named_and_never_opened() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("a/.b")).unwrap();
        fs::write(at("a/.b/x"), "1").unwrap();
        fs::write(at("y"), "22").unwrap();
        fs::create_dir(at(".git")).unwrap();
        fs::write(at(".git/config"), "").unwrap();
        symlink("/dev/zero", at("zero")).unwrap();
        symlink("a", at("folder")).unwrap();
        symlink(at("y"), at("z")).unwrap();
        let listing = below(folder.path());
        let found: Vec<_> = listing
            .found
            .iter()
            .map(|f| (f.below.to_str().unwrap(), f.hidden))
            .collect();
        assert_eq!(found, [("a/.b/x", true), ("y", false)]);
        assert_eq!(listing.left.len(), 3);
        assert!(listing.left.iter().all(|(_, left)| matches!(left, Left::Link)));
        assert_eq!(read(&at("y"), 2).unwrap(), b"22");
        assert_eq!(read(&at("y"), 1).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        for no in ["zero", "z", "folder", "a"] {
            assert!(read(&at(no), 9).is_err(), "{no}");
        }
        assert!(read(Path::new("/dev/zero"), 9).is_err());
        assert!(read_named(&at("zero"), 9).is_err());
        assert_eq!(read_named(&at("z"), 9).unwrap(), b"22");
    }

    #[test]
    fn no_value_of_json_is_told() {
        let fault =
            |text: &str| json_fault(&serde_json::from_str::<std::collections::BTreeMap<String, u8>>(text).unwrap_err());
        assert_eq!(fault("{"), "it is no JSON (line 1, column 1)");
        assert_eq!(
            fault(r#""hvs.secret""#),
            "something else stands there, expected a map (line 1, column 12)"
        );
        assert!(fault(r#"{"a": "hvs.expected secret"}"#).contains("expected u8"));
    }

    #[test]
    fn what_is_too_deep_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let deep: PathBuf = std::iter::repeat_n("d", MAX_DEPTH + 1).collect();
        fs::create_dir_all(folder.path().join(&deep)).unwrap();
        fs::write(folder.path().join(&deep).join("x"), "").unwrap();
        let listing = below(folder.path());
        assert!(listing.found.is_empty());
        assert_eq!(listing.left[0].1.to_string(), "more than 32 folders deep");
    }
}
