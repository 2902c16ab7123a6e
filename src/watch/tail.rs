//! Follows logs through whatever rotation does to them.
//!
//! A log is known by its content, not by its name: the same text may be renamed, copied, truncated away or compressed, and
//! is read once. Where it is read from is a place; while the file that it grows in is there, its copies are left alone.
//! Only whole lines are taken, and only where no entry is open over several lines, so that a position is always a point
//! from which another process can go on.

use super::content::{FileId, Head, head_of, plain_head};
use super::list::{list, siblings, stem_of};
use crate::ingest::{Options, Reader, Stored, decoder};
use crate::usage::Usage;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes read at once.
const CHUNK_BYTES: usize = 1 << 20;
/// Files held open: the others are opened again when they grow.
const MOST_OPEN: usize = 400;
/// How long a file that has no name any more may still grow, by a writer that has not noticed.
const GRACE: Duration = Duration::from_secs(30);
/// Logs that are gone and still known, for their copies to be told from new logs.
const MOST_GONE: usize = 2_000;

/// Up to where a log was read, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The name under which it was found first.
    pub name: String,
    /// Where it was last.
    pub places: Vec<PathBuf>,
    /// The file that it is read from.
    pub file: Option<FileId>,
    /// How it begins.
    pub head: Head,
    /// Bytes of plain text that are in the usage.
    pub bytes: u64,
    /// Lines that are in the usage.
    pub lines: u64,
    /// A compressed file that was read to its end.
    pub done: Option<(FileId, u64)>,
}

/// What was seen and done, for the metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes of plain text read.
    pub bytes: u64,
    /// Logs that went on under another name or in a copy.
    pub rotations: u64,
    /// Logs that were cut to nothing.
    pub truncations: u64,
    /// Files that could not be read.
    pub errors: u64,
    /// Bytes that were seen and are gone before they were read.
    pub lost_bytes: u64,
}

/// Where a log's text is.
#[derive(Debug, Clone)]
struct Place {
    file: FileId,
    stored: Stored,
    size: u64,
    modified: (i64, i64),
    content: Option<u64>,
    /// Found beside a log that went from its name, not named by the user.
    adopted: bool,
}

enum Source {
    Plain(File),
    Packed(Box<dyn Read + Send>, FileId, u64),
}

struct Content {
    name: String,
    head: Head,
    /// Bytes given to the reader.
    read: u64,
    /// Bytes and lines in the usage.
    taken: u64,
    lines: u64,
    reader: Option<Reader>,
    file: Option<FileId>,
    source: Option<Source>,
    places: BTreeSet<PathBuf>,
    done: Option<(FileId, u64)>,
    active: Instant,
}

impl Content {
    fn position(&self) -> Position {
        Position {
            name: self.name.clone(),
            places: self.places.iter().cloned().collect(),
            file: self.file,
            head: self.head.clone(),
            bytes: self.taken,
            lines: self.lines,
            done: self.done,
        }
    }
}

/// All the logs that are followed.
pub struct Tail {
    names: Vec<String>,
    options: Options,
    contents: BTreeMap<u64, Content>,
    next: u64,
    places: HashMap<PathBuf, Place>,
    dirty: BTreeSet<u64>,
    ready: Option<Usage>,
    counts: Counts,
    notes: Vec<String>,
    chunk: Vec<u8>,
}

impl Tail {
    /// Follows what `names` name (files, folders, globs), from where an earlier run stopped.
    pub fn new(names: Vec<String>, options: Options, positions: Vec<Position>) -> Self {
        let contents = positions
            .into_iter()
            .zip(0..)
            .map(|(p, id)| {
                let content = Content {
                    name: p.name,
                    head: p.head,
                    read: p.bytes,
                    taken: p.bytes,
                    lines: p.lines,
                    reader: None,
                    file: p.file,
                    source: None,
                    places: BTreeSet::new(),
                    done: p.done,
                    active: Instant::now(),
                };
                (id, content, p.places)
            })
            .collect::<Vec<_>>();
        let next = contents.len() as u64;
        let mut tail = Self {
            names,
            options,
            contents: BTreeMap::new(),
            next,
            places: HashMap::new(),
            dirty: BTreeSet::new(),
            ready: None,
            counts: Counts::default(),
            notes: Vec::new(),
            chunk: vec![0; CHUNK_BYTES],
        };
        let mut last_places = Vec::new();
        for (id, content, places) in contents {
            tail.contents.insert(id, content);
            last_places.push((id, places));
        }
        tail.scan();
        for (id, places) in last_places {
            tail.adopt(id, &places);
        }
        tail
    }

    /// Looks at everything that is named: what is new, what went on elsewhere, what is gone.
    pub fn scan(&mut self) {
        let listed = list(&self.names);
        let mut lost: BTreeMap<u64, Vec<PathBuf>> = BTreeMap::new();
        for (id, content) in &self.contents {
            lost.insert(*id, content.places.iter().cloned().collect());
        }
        let gone: Vec<(PathBuf, bool)> = self
            .places
            .iter()
            .filter(|(path, _)| !listed.contains(*path))
            .map(|(path, place)| (path.clone(), place.adopted))
            .collect();
        for (path, adopted) in gone {
            if adopted {
                self.look(&path);
            } else {
                self.forget(&path);
            }
        }
        for path in &listed {
            self.look(path);
        }
        for (id, places) in lost {
            if !places.is_empty() && self.contents.get(&id).is_some_and(|c| c.places.is_empty()) {
                self.adopt(id, &places);
            }
        }
    }

    /// Looks at one file of which something was heard.
    pub fn look(&mut self, path: &Path) {
        let meta = match fs::metadata(path) {
            Ok(meta) if meta.is_file() => meta,
            _ => {
                self.forget(path);
                return;
            }
        };
        let mut adopted = false;
        if let Some(place) = self.places.get(path) {
            adopted = place.adopted;
            let same = place.file == FileId::of(&meta);
            if same && place.size == meta.len() && place.modified == modified(&meta) {
                return;
            }
            if same && place.content.is_some_and(|id| self.grown(path, id, &meta)) {
                return;
            }
            self.forget(path);
        }
        self.identify(path, &meta, adopted, None);
    }

    /// Whether the log in `path` is still the same, only longer.
    fn grown(&mut self, path: &Path, id: u64, meta: &fs::Metadata) -> bool {
        let (Some(place), Some(content)) = (self.places.get_mut(path), self.contents.get_mut(&id)) else {
            return false;
        };
        let primary = content.file == Some(place.file);
        if place.stored == Stored::Plain {
            let truncated = primary && meta.len() < content.read;
            let head = match &content.source {
                Some(Source::Plain(file)) if primary => plain_head(file),
                _ => head_of(path).map(|(head, _)| head),
            };
            let fits = head
                .as_ref()
                .is_ok_and(|h| content.head.begins(h) || (!primary && h.len() < content.head.bytes));
            if truncated || !fits {
                if primary {
                    self.counts.truncations += 1;
                    let seen = place.size.saturating_sub(content.read);
                    content.source = None;
                    content.file = None;
                    if seen > 0 {
                        self.dirty.insert(id);
                    }
                }
                return false;
            }
            if let (true, Ok(head)) = (primary, head)
                && head.len() > content.head.bytes
            {
                content.head = Head::of(&head);
            }
        }
        place.size = meta.len();
        place.modified = modified(meta);
        self.dirty.insert(id);
        true
    }

    /// Finds out which log a file holds. With `only`, nothing but that one is wanted.
    fn identify(&mut self, path: &Path, meta: &fs::Metadata, adopted: bool, only: Option<u64>) -> bool {
        let file = FileId::of(meta);
        let mut place = Place {
            file,
            stored: Stored::Plain,
            size: meta.len(),
            modified: modified(meta),
            content: None,
            adopted,
        };
        let (text, stored) = match head_of(path) {
            Ok(head) => head,
            Err(e) => {
                if only.is_none() {
                    self.counts.errors += 1;
                    self.notes.push(format!("cannot read `{}`: {e}", path.display()));
                    // It is tried again when it changes.
                    self.places.insert(path.to_owned(), place);
                }
                return false;
            }
        };
        place.stored = stored;
        if text.is_empty() {
            if only.is_none() {
                self.places.insert(path.to_owned(), place);
            }
            return false;
        }
        let found = self.find(path, file, &text);
        if only.is_some() && found != only {
            return false;
        }
        let id = found.unwrap_or_else(|| {
            let id = self.next;
            self.next += 1;
            self.contents.insert(
                id,
                Content {
                    name: path.display().to_string(),
                    head: Head::of(&text),
                    read: 0,
                    taken: 0,
                    lines: 0,
                    reader: None,
                    file: Some(file),
                    source: None,
                    places: BTreeSet::new(),
                    done: None,
                    active: Instant::now(),
                },
            );
            id
        });
        if found.is_some() {
            self.counts.rotations += 1;
        }
        place.content = Some(id);
        self.places.insert(path.to_owned(), place);
        if let Some(content) = self.contents.get_mut(&id) {
            content.places.insert(path.to_owned());
        }
        self.dirty.insert(id);
        true
    }

    /// The log that begins with this text.
    fn find(&self, path: &Path, file: FileId, text: &[u8]) -> Option<u64> {
        let same_file = self
            .contents
            .iter()
            .find(|(_, c)| c.file == Some(file) && c.head.begins(text));
        if let Some((id, _)) = same_file {
            return Some(*id);
        }
        let mut by_length: HashMap<usize, Head> = HashMap::new();
        let telling = self.contents.iter().filter(|(_, c)| c.head.telling);
        let mut copies = telling.filter(|(_, c)| match text.get(..c.head.bytes) {
            Some(begin) => by_length.entry(begin.len()).or_insert_with(|| Head::of(begin)).hash == c.head.hash,
            None => self.copy_under_way(path, text, c),
        });
        copies.next().map(|(id, _)| *id)
    }

    /// Whether a shorter text is the beginning of a copy of a log that is there.
    fn copy_under_way(&self, path: &Path, text: &[u8], content: &Content) -> bool {
        let beside = |original: &PathBuf| {
            let name = path
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default();
            original != path && original.parent() == path.parent() && name.starts_with(&stem_of(original))
        };
        content
            .places
            .iter()
            .filter(|original| beside(original))
            .any(|original| head_of(original).is_ok_and(|(head, _)| head.starts_with(text)))
    }

    /// A file is not there any more, or holds something else.
    fn forget(&mut self, path: &Path) {
        let Some(place) = self.places.remove(path) else {
            return;
        };
        let Some(content) = place.content.and_then(|id| self.contents.get_mut(&id)) else {
            return;
        };
        content.places.remove(path);
        if content.source.is_none() && content.file == Some(place.file) && place.stored == Stored::Plain {
            // Nobody holds it open: if it turns up nowhere, this is gone.
            content.active = Instant::now();
        }
        self.dirty.extend(place.content);
    }

    /// A log that is at none of the places named may be beside the last of them.
    fn adopt(&mut self, id: u64, last_places: &[PathBuf]) {
        if self.contents.get(&id).is_none_or(|c| !c.places.is_empty()) {
            return;
        }
        for path in last_places.iter().flat_map(|p| siblings(p)) {
            if self.places.contains_key(&path) {
                continue;
            }
            if let Ok(meta) = fs::metadata(&path)
                && self.identify(&path, &meta, true, Some(id))
            {
                return;
            }
        }
    }

    /// Whether anything waits to be read.
    pub fn is_behind(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Reads a chunk of each log that has more, and returns how many bytes came.
    pub fn read(&mut self) -> u64 {
        let mut total = 0;
        for id in std::mem::take(&mut self.dirty) {
            match self.read_one(id) {
                Ok(0) => {}
                Ok(n) => {
                    total += n;
                    self.dirty.insert(id);
                }
                Err(e) => {
                    self.counts.errors += 1;
                    if let Some(content) = self.contents.get_mut(&id) {
                        content.source = None;
                        self.notes.push(format!("cannot read `{}`: {e}", content.name));
                    }
                }
            }
        }
        self.counts.bytes += total;
        self.close_some();
        total
    }

    fn read_one(&mut self, id: u64) -> io::Result<u64> {
        // A source at its end may be followed by another place of the same log.
        for _ in 0..3 {
            if !self.open(id)? {
                return Ok(0);
            }
            let Some(content) = self.contents.get_mut(&id) else {
                return Ok(0);
            };
            let got = match &mut content.source {
                Some(Source::Plain(file)) => file.read_at(&mut self.chunk, content.read)?,
                Some(Source::Packed(text, file, size)) => {
                    let done = (*file, *size);
                    match text.read(&mut self.chunk) {
                        Ok(0) => {
                            content.done = Some(done);
                            content.source = None;
                            self.finish(id);
                            continue;
                        }
                        Ok(n) => n,
                        Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                        Err(_) => {
                            // It is still being written; it is read on when it has changed.
                            content.source = None;
                            return Ok(0);
                        }
                    }
                }
                None => return Ok(0),
            };
            if got > 0 {
                let reader = content.reader.get_or_insert_with(|| {
                    let mut reader = Reader::new(&self.options);
                    reader.resume(&content.name, content.lines);
                    reader
                });
                reader.feed(&content.name, self.chunk.get(..got).unwrap_or_default());
                content.read += got as u64;
                content.active = Instant::now();
                return Ok(got as u64);
            }
            if content.places.is_empty() || self.at_primary(id) {
                return Ok(0);
            }
            // All of a file that has no name any more is read: the log may go on in a copy.
            if let Some(content) = self.contents.get_mut(&id) {
                content.source = None;
                content.file = None;
            }
        }
        Ok(0)
    }

    /// Whether the file that a log is read from still has a name.
    fn at_primary(&self, id: u64) -> bool {
        let Some(content) = self.contents.get(&id) else {
            return false;
        };
        content
            .places
            .iter()
            .any(|p| self.places.get(p).is_some_and(|p| Some(p.file) == content.file))
    }

    /// Opens the place that a log is to be read from.
    fn open(&mut self, id: u64) -> io::Result<bool> {
        let at_primary = self.at_primary(id);
        let Some(content) = self.contents.get_mut(&id) else {
            return Ok(false);
        };
        if content.source.is_some() {
            return Ok(true);
        }
        let places = || {
            content
                .places
                .iter()
                .filter_map(|path| self.places.get(path).map(|place| (path, place)))
        };
        let chosen = if at_primary {
            places().find(|(_, place)| Some(place.file) == content.file)
        } else {
            let plain = places().filter(|(_, p)| p.stored == Stored::Plain && p.size >= content.read);
            plain
                .max_by_key(|(_, p)| p.size)
                .or_else(|| places().find(|(_, p)| p.stored != Stored::Plain))
        };
        let Some((path, place)) = chosen else {
            return Ok(false);
        };
        if place.stored != Stored::Plain && content.done == Some((place.file, place.size)) {
            return Ok(false);
        }
        let file = File::open(path)?;
        if FileId::of(&file.metadata()?) != place.file {
            // It was exchanged just now; the next look tells.
            return Ok(false);
        }
        content.file = Some(place.file);
        content.source = Some(match place.stored {
            Stored::Plain => Source::Plain(file),
            packed => {
                let mut text = decoder(packed, file)?;
                // An error here means that it is being written still: it is looked at again later.
                let behind = io::copy(&mut text.by_ref().take(content.read), &mut io::sink()).unwrap_or_default();
                if behind < content.read {
                    return Ok(false);
                }
                Source::Packed(text, place.file, place.size)
            }
        });
        Ok(true)
    }

    /// A log has ended: its last line counts even without an end.
    fn finish(&mut self, id: u64) {
        let Some(content) = self.contents.get_mut(&id) else {
            return;
        };
        let Some(mut reader) = content.reader.take() else {
            return;
        };
        if let Some(rest) = reader.rest(&content.name) {
            content.lines = rest.lines + u64::from(rest.unfinished > 0);
        }
        reader.finish_file(&content.name);
        content.taken = content.read;
        add(&mut self.ready, reader.take());
    }

    /// Closes the files that were idle longest, where there are too many open.
    fn close_some(&mut self) {
        let mut open: Vec<(Instant, u64)> = self
            .contents
            .iter()
            .filter(|(id, c)| matches!(c.source, Some(Source::Plain(_))) && !self.dirty.contains(id))
            .map(|(id, c)| (c.active, *id))
            .collect();
        if open.len() <= MOST_OPEN {
            return;
        }
        open.sort_unstable();
        let many = open.len() - MOST_OPEN;
        for (_, id) in open.into_iter().take(many) {
            if let Some(content) = self.contents.get_mut(&id) {
                content.source = None;
            }
        }
    }

    /// Ends logs whose file has had no name for a while; returns when to ask again.
    pub fn end_vanished(&mut self) -> Option<Instant> {
        let mut next = None;
        let mut over = Vec::new();
        for (id, content) in &self.contents {
            if !content.places.is_empty() || (content.source.is_none() && content.reader.is_none()) {
                continue;
            }
            let end = content.active + GRACE;
            if end <= Instant::now() {
                over.push(*id);
            } else {
                next = Some(next.map_or(end, |n: Instant| n.min(end)));
            }
        }
        for id in over {
            self.finish(id);
            if let Some(content) = self.contents.get_mut(&id) {
                content.source = None;
            }
        }
        let gone: Vec<u64> = self
            .contents
            .iter()
            .filter(|(_, c)| c.places.is_empty() && c.source.is_none() && c.reader.is_none())
            .map(|(id, _)| *id)
            .collect();
        for id in gone.iter().take(gone.len().saturating_sub(MOST_GONE)) {
            self.contents.remove(id);
        }
        next
    }

    /// What was read since the last time, up to the last point in each log from which reading can go on.
    pub fn take(&mut self) -> Option<Usage> {
        for content in self.contents.values_mut() {
            let Some(reader) = &mut content.reader else { continue };
            let Some(rest) = reader.rest(&content.name) else {
                continue;
            };
            let up_to = content.read.saturating_sub(rest.unfinished as u64);
            if up_to > content.taken {
                add(&mut self.ready, reader.take());
                content.taken = up_to;
                content.lines = rest.lines;
            }
            if rest.unfinished == 0 {
                content.reader = None;
            }
        }
        self.ready.take()
    }

    /// Up to where each log is in what was taken.
    pub fn positions(&self) -> Vec<Position> {
        self.contents.values().map(Content::position).collect()
    }

    /// Bytes that are there and not read yet, as far as they were seen.
    pub fn lag_bytes(&self) -> u64 {
        self.contents
            .values()
            .filter_map(|c| {
                let sizes = c.places.iter().filter_map(|p| self.places.get(p));
                let size = sizes
                    .filter(|p| Some(p.file) == c.file && p.stored == Stored::Plain)
                    .map(|p| p.size)
                    .max();
                size.map(|s| s.saturating_sub(c.read))
            })
            .sum()
    }

    /// Logs that are there.
    pub fn files(&self) -> usize {
        self.places.len()
    }

    /// The places to be told about when they change.
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        self.places
            .keys()
            .filter_map(|p| p.parent().map(Path::to_path_buf))
            .collect()
    }

    /// What was done so far.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// What the person should know, since the last time.
    pub fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }
}

fn add(whole: &mut Option<Usage>, part: Usage) {
    *whole = Some(match whole.take() {
        Some(whole) => whole.merge(part),
        None => part,
    });
}

fn modified(meta: &fs::Metadata) -> (i64, i64) {
    (meta.mtime(), meta.mtime_nsec())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
