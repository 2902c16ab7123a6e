//! One log that is followed: which files hold its text, where it is read from, and how far.
//!
//! All files of a log hold the same text, some more of it than others (a copy under way, an older copy). It is read from
//! whichever has more than was read. Before a file is read from, and after each piece, it is made sure that it still is
//! this log: a file may be cut to nothing and grow again at any moment, also between two system calls.

use super::content::{FileId, Head, Kinship, TRAIL_BYTES, Trail, plain_head};
use crate::ingest::{Options, Reader, Stored, decoder};
use crate::usage::Usage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// A compressed file that was not touched for so long is one that nobody writes.
const SETTLED: Duration = Duration::from_secs(2);

/// Up to where a log was read, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The name under which it was found first.
    pub name: String,
    /// Where it was last.
    pub places: Vec<PathBuf>,
    /// How it begins.
    pub head: Head,
    /// What is before the position.
    pub trail: Trail,
    /// Bytes of plain text that are in the usage.
    pub bytes: u64,
    /// Lines that are in the usage.
    pub lines: u64,
    /// Compressed files, with their sizes, of which nothing is left to read.
    pub done: Vec<(FileId, u64)>,
}

/// A file that holds a log's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: FileId,
    /// How it is stored.
    pub stored: Stored,
    /// Its size when it was looked at last.
    pub size: u64,
    /// When it was written last.
    pub modified: Option<SystemTime>,
}

/// What came of an attempt to read.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// So many bytes.
    Read(usize),
    /// All that is there was read.
    End,
    /// All that is there was read, and it is a compressed file: nothing comes after it.
    Over,
    /// This file is not what it was: it has to be looked at again.
    Changed(PathBuf),
}

enum Source {
    Plain(Plain),
    Packed {
        text: Box<dyn Read + Send>,
        done: (FileId, u64),
    },
}

/// A plain file that is read from.
struct Plain {
    path: PathBuf,
    file: File,
    id: FileId,
    /// Its first bytes.
    head: Vec<u8>,
}

impl Plain {
    /// Whether the file is still the log that it was, with at least so many bytes. What was read of it before that is good.
    fn is_still(&mut self, bytes: u64) -> io::Result<bool> {
        let head = plain_head(&self.file)?;
        let same = head.starts_with(&self.head) && self.file.metadata()?.len() >= bytes;
        if same {
            self.head = head;
        }
        Ok(same)
    }
}

/// What was read and is not in the usage yet.
struct Reading {
    reader: Reader,
    /// The last bytes read.
    last: Vec<u8>,
    /// The last bytes up to the last end of a line, and where that is.
    line: Vec<u8>,
    line_end: u64,
}

impl Reading {
    fn feed(&mut self, name: &str, read: u64, bytes: &[u8]) {
        if let Some(newline) = memchr::memrchr(b'\n', bytes) {
            let whole = bytes.get(..=newline).unwrap_or_default();
            self.line.clone_from(&self.last);
            keep_last(&mut self.line, whole);
            self.line_end = read + whole.len() as u64;
        }
        keep_last(&mut self.last, bytes);
        self.reader.feed(name, bytes);
    }
}

/// Appends, and keeps no more than the last bytes that are ever looked at.
fn keep_last(kept: &mut Vec<u8>, bytes: &[u8]) {
    let new = bytes.get(bytes.len().saturating_sub(TRAIL_BYTES)..).unwrap_or_default();
    let old = TRAIL_BYTES - new.len();
    kept.drain(..kept.len().saturating_sub(old));
    kept.extend_from_slice(new);
}

/// One log.
pub struct Log {
    name: String,
    head: Head,
    /// Bytes given to the reader.
    read: u64,
    /// Bytes and lines in the usage, and what is before that point.
    taken: u64,
    lines: u64,
    trail: Trail,
    reading: Option<Reading>,
    source: Option<Source>,
    places: BTreeMap<PathBuf, Place>,
    done: Vec<(FileId, u64)>,
    active: Instant,
    /// Files that are not what they should be, told already.
    notes: Vec<String>,
}

impl Log {
    /// A log that was not known before.
    pub fn new(name: String, head: Head) -> Self {
        Self {
            name,
            head,
            read: 0,
            taken: 0,
            lines: 0,
            trail: Trail::default(),
            reading: None,
            source: None,
            places: BTreeMap::new(),
            done: Vec::new(),
            active: Instant::now(),
            notes: Vec::new(),
        }
    }

    /// A log that another process has read up to here.
    pub fn resume(position: Position) -> Self {
        Self {
            read: position.bytes,
            taken: position.bytes,
            lines: position.lines,
            trail: position.trail,
            done: position.done,
            ..Self::new(position.name, position.head)
        }
    }

    /// Up to where it is in the usage; none where nothing is.
    pub fn position(&self) -> Option<Position> {
        let head = self.head.up_to(self.taken);
        (self.taken > 0 && !head.is_empty()).then(|| Position {
            name: self.name.clone(),
            places: self.places.keys().cloned().collect(),
            head,
            trail: self.trail.clone(),
            bytes: self.taken,
            lines: self.lines,
            done: self.done.clone(),
        })
    }

    /// The name under which it was found first.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it begins, as far as that is known.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// What is before the point up to which it is in the usage.
    pub const fn trail(&self) -> &Trail {
        &self.trail
    }

    /// When something of it was read last, or it was seen to be gone.
    pub const fn active(&self) -> Instant {
        self.active
    }

    /// The files that hold its text.
    pub const fn places(&self) -> &BTreeMap<PathBuf, Place> {
        &self.places
    }

    /// A file holds its text; the beginning may be longer than what was known.
    pub fn settle(&mut self, path: &Path, place: Place, head: &Head) {
        if head.len() > self.head.len() {
            self.head = head.clone();
        }
        self.places.insert(path.to_owned(), place);
    }

    /// A file is gone or holds something else. With `cut`, the same file holds something else.
    pub fn leave(&mut self, path: &Path, cut: bool) {
        let Some(place) = self.places.remove(path) else { return };
        self.active = Instant::now();
        if cut && self.reads_from(place.file) {
            self.source = None;
        }
    }

    fn reads_from(&self, id: FileId) -> bool {
        matches!(&self.source, Some(Source::Plain(plain)) if plain.id == id)
    }

    /// Whether it is read from a file that has no name any more.
    pub fn holds_nameless(&self) -> bool {
        match &self.source {
            Some(Source::Plain(plain)) => !self.places.values().any(|place| place.file == plain.id),
            _ => false,
        }
    }

    /// Whether a plain file is open.
    pub const fn is_open(&self) -> bool {
        matches!(self.source, Some(Source::Plain(_)))
    }

    /// Closes its file; it is opened again where there is more to read.
    pub fn close(&mut self) {
        self.source = None;
    }

    /// Whether something of it is not finished: a line, or a file that may still grow.
    pub const fn is_unfinished(&self) -> bool {
        self.source.is_some() || self.reading.is_some()
    }

    /// Whether a compressed file of it was not read to its end yet.
    pub fn has_packed(&self) -> bool {
        self.places
            .values()
            .any(|p| p.stored != Stored::Plain && !self.done.contains(&(p.file, p.size)))
    }

    /// Bytes that are there and not read, as far as plain files tell.
    pub fn lag_bytes(&self) -> u64 {
        self.plain_size().map_or(0, |size| size.saturating_sub(self.read))
    }

    /// The size of the longest plain file of it.
    fn plain_size(&self) -> Option<u64> {
        let plain = self.places.values().filter(|p| p.stored == Stored::Plain);
        plain.map(|p| p.size).max()
    }

    /// What should be said, once.
    pub fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Reads a piece, no more than `chunk` holds.
    pub fn step(&mut self, chunk: &mut [u8], options: &Options) -> io::Result<Step> {
        loop {
            if self.source.is_none() {
                match self.open()? {
                    Step::Read(_) => {}
                    other => return Ok(other),
                }
            }
            let got = match &mut self.source {
                None => return Ok(Step::End),
                Some(Source::Plain(plain)) => {
                    let got = plain.file.read_at(chunk, self.read)?;
                    if got == 0 {
                        let id = plain.id;
                        let elsewhere = |p: &Place| p.file != id && p.stored == Stored::Plain && p.size > self.read;
                        let longer = self.places.values().any(elsewhere);
                        if longer || (!self.holds_nameless() && self.packed().is_some()) {
                            self.source = None;
                            continue;
                        }
                        return Ok(Step::End);
                    }
                    if !plain.is_still(self.read + got as u64)? {
                        let path = plain.path.clone();
                        self.source = None;
                        return Ok(Step::Changed(path));
                    }
                    let head = Head::of(&plain.head);
                    if head.len() > self.head.len() {
                        self.head = head;
                    }
                    got
                }
                Some(Source::Packed { text, done }) => match text.read(chunk) {
                    Ok(0) => {
                        self.done.push(*done);
                        self.source = None;
                        // Where there is a plain file, the log may go on there: this was a copy of a part of it.
                        if self.plain_size().is_none_or(|size| size < self.read) {
                            return Ok(Step::Over);
                        }
                        continue;
                    }
                    Ok(got) => got,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                    Err(_) => {
                        // It is still being written; it is read on when it has changed.
                        self.source = None;
                        return Ok(Step::End);
                    }
                },
            };
            let reading = self.reading.get_or_insert_with(|| {
                let mut reader = Reader::new(options);
                reader.resume(&self.name, self.lines);
                Reading {
                    reader,
                    last: Vec::new(),
                    line: Vec::new(),
                    line_end: 0,
                }
            });
            reading.feed(&self.name, self.read, chunk.get(..got).unwrap_or_default());
            self.read += got as u64;
            self.active = Instant::now();
            return Ok(Step::Read(got));
        }
    }

    /// Opens a file that has more than was read.
    fn open(&mut self) -> io::Result<Step> {
        let plain = self.places.iter().filter(|(_, p)| p.stored == Stored::Plain);
        let longest = plain.max_by_key(|(_, place)| place.size);
        if let Some((path, place)) = longest.filter(|(_, p)| p.size > self.read) {
            return self.open_plain(path.clone(), *place);
        }
        match self.packed() {
            Some((path, place)) => self.open_packed(path, place),
            None => Ok(Step::End),
        }
    }

    /// A compressed file that may have more. One that is being written would be read from its beginning again and again:
    /// while there is a plain file, it has time.
    fn packed(&self) -> Option<(PathBuf, Place)> {
        let complete = self.plain_size().is_some_and(|size| size >= self.read);
        let packed = self.places.iter().find(|(_, p)| {
            p.stored != Stored::Plain && !self.done.contains(&(p.file, p.size)) && (!complete || settled(p))
        });
        packed.map(|(path, place)| (path.clone(), *place))
    }

    fn open_plain(&mut self, path: PathBuf, place: Place) -> io::Result<Step> {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Step::Changed(path)),
            Err(e) => return Err(e),
        };
        let id = FileId::of(&file.metadata()?);
        let head = plain_head(&file)?;
        let same = matches!(self.head.kinship(&Head::of(&head)), Kinship::Same(_));
        if id != place.file || !same || self.trail.is_in(&file)? != Some(true) {
            return Ok(Step::Changed(path));
        }
        self.source = Some(Source::Plain(Plain { path, file, id, head }));
        Ok(Step::Read(0))
    }

    fn open_packed(&mut self, path: PathBuf, place: Place) -> io::Result<Step> {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Step::Changed(path)),
            Err(e) => return Err(e),
        };
        let done = (place.file, place.size);
        let meta = file.metadata()?;
        if (FileId::of(&meta), meta.len()) != done {
            return Ok(Step::Changed(path));
        }
        let mut text = decoder(place.stored, file)?;
        match skip(&mut text, self.read, &self.trail) {
            Skipped::There => {
                self.source = Some(Source::Packed { text, done });
                Ok(Step::Read(0))
            }
            // It is being written: it is looked at again when it has changed.
            Skipped::Broken => Ok(Step::End),
            Skipped::Short => {
                self.done.push(done);
                self.open()
            }
            Skipped::Other => {
                self.done.push(done);
                self.notes.push(format!(
                    "`{}` begins as `{}` does and goes on differently: it is left out",
                    path.display(),
                    self.name
                ));
                self.open()
            }
        }
    }

    /// The log has ended: its last line counts even without an end.
    pub fn finish(&mut self) -> Option<Usage> {
        self.source = None;
        let mut reading = self.reading.take()?;
        if let Some(rest) = reading.reader.rest(&self.name) {
            self.lines = rest.lines + u64::from(rest.unfinished > 0);
        }
        if reading.line_end > 0 {
            self.trail = Trail::of(reading.line_end, &reading.line);
        }
        reading.reader.finish_file(&self.name);
        self.taken = self.read;
        Some(reading.reader.take())
    }

    /// What was read since the last time, up to the last point from which reading can go on.
    pub fn take(&mut self) -> Option<Usage> {
        let reading = self.reading.as_mut()?;
        let rest = reading.reader.rest(&self.name)?;
        let up_to = self.read.saturating_sub(rest.unfinished as u64);
        let mut part = None;
        if up_to > self.taken {
            part = Some(reading.reader.take());
            self.taken = up_to;
            self.lines = rest.lines;
            if reading.line_end == up_to {
                self.trail = Trail::of(up_to, &reading.line);
            }
        }
        if rest.unfinished == 0 {
            self.reading = None;
        }
        part
    }
}

/// Whether nobody writes the file any more.
fn settled(place: &Place) -> bool {
    place
        .modified
        .is_none_or(|at| at.elapsed().is_ok_and(|age| age >= SETTLED))
}

enum Skipped {
    /// All of it, and it is the text that was read.
    There,
    /// The text ends before.
    Short,
    /// It can't be read so far.
    Broken,
    /// It is another text.
    Other,
}

/// Passes over what was read already, and makes sure that it is that.
fn skip(text: &mut dyn Read, bytes: u64, trail: &Trail) -> Skipped {
    let mut pass = |bytes: u64| io::copy(&mut text.take(bytes), &mut io::sink()).map(|n| n == bytes);
    match pass(trail.from()) {
        Ok(true) => {}
        Ok(false) => return Skipped::Short,
        Err(_) => return Skipped::Broken,
    }
    let mut before = Vec::new();
    match text.take(trail.at - trail.from()).read_to_end(&mut before) {
        Ok(n) if (n as u64) < trail.at - trail.from() => return Skipped::Short,
        Ok(_) if !trail.is(&before) => return Skipped::Other,
        Ok(_) => {}
        Err(_) => return Skipped::Broken,
    }
    match io::copy(&mut text.take(bytes - trail.at), &mut io::sink()) {
        Ok(n) if n == bytes - trail.at => Skipped::There,
        Ok(_) => Skipped::Short,
        Err(_) => Skipped::Broken,
    }
}
