//! Follows logs through whatever rotation does to them.
//!
//! A log is known by its content, not by its name: the same text may be renamed, copied, truncated away or compressed, and
//! is read once. Only whole lines are taken, and only where no entry is open over several lines, so that a position is
//! always a point from which another process can go on.

use super::content::{FileId, Head, Kinship, look_into};
use super::list::{list, siblings};
use super::log::{Log, Place, Position, Step};
use crate::ingest::{Options, Stored};
use crate::usage::Usage;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File, Metadata};
use std::io;
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
}

/// A file as it was when it was looked at.
struct Looked {
    file: FileId,
    size: u64,
    modified: Option<std::time::SystemTime>,
    /// Which log it holds; none where there is too little in it to tell.
    log: Option<u64>,
    /// Found beside a log that went from its name, not named by the user.
    adopted: bool,
}

impl Looked {
    fn is_as(&self, meta: &Metadata) -> bool {
        self.file == FileId::of(meta) && self.size == meta.len() && self.modified == meta.modified().ok()
    }
}

/// Which log a beginning is of.
enum Found {
    Known(u64),
    New,
    /// Nothing in it yet that was not read, or no whole line.
    Later,
}

/// All the logs that are followed.
pub struct Tail {
    names: Vec<String>,
    options: Options,
    logs: BTreeMap<u64, Log>,
    next: u64,
    files: HashMap<PathBuf, Looked>,
    /// What is named, as of the last look at all, by the name from the root on.
    listed: HashMap<PathBuf, PathBuf>,
    /// Logs that are at no place, and where they were: they may be beside it.
    homeless: BTreeMap<u64, (Vec<PathBuf>, Instant)>,
    /// Files that can't be read, told already.
    refused: BTreeSet<PathBuf>,
    dirty: BTreeSet<u64>,
    ready: Option<Usage>,
    counts: Counts,
    notes: Vec<String>,
    chunk: Vec<u8>,
    grace: Duration,
    /// Whether the first look at all is done.
    started: bool,
}

impl Tail {
    /// Follows what `names` name (files, folders, globs), from where an earlier run stopped.
    pub fn new(names: Vec<String>, options: Options, positions: Vec<Position>) -> Self {
        let mut tail = Self {
            names,
            options,
            logs: BTreeMap::new(),
            next: 0,
            files: HashMap::new(),
            listed: HashMap::new(),
            homeless: BTreeMap::new(),
            refused: BTreeSet::new(),
            dirty: BTreeSet::new(),
            ready: None,
            counts: Counts::default(),
            notes: Vec::new(),
            chunk: vec![0; CHUNK_BYTES],
            grace: GRACE,
            started: false,
        };
        for mut position in positions {
            let places = std::mem::take(&mut position.places);
            let id = tail.add(Log::resume(position));
            tail.homeless.insert(id, (places, Instant::now()));
        }
        tail.scan();
        tail.started = true;
        tail
    }

    fn add(&mut self, log: Log) -> u64 {
        let id = self.next;
        self.next += 1;
        self.logs.insert(id, log);
        id
    }

    /// Looks at everything that is named: what is new, what went on elsewhere, what is gone.
    pub fn scan(&mut self) {
        let listed = list(&self.names);
        self.listed = listed.iter().map(|path| (whole(path), path.clone())).collect();
        let gone: Vec<PathBuf> = self
            .files
            .iter()
            .filter(|(path, file)| !file.adopted && !listed.contains(*path))
            .map(|(path, _)| path.clone())
            .collect();
        for path in gone {
            self.forget(&path, false);
        }
        self.refused.retain(|path| listed.contains(path));
        // Files in which too little was to tell: their log may be known now.
        let young = |file: &Looked| file.log.is_none() && !file.adopted;
        self.files.retain(|_, file| !young(file));
        let adopted: Vec<PathBuf> = self
            .files
            .iter()
            .filter(|(path, file)| file.adopted && !listed.contains(*path))
            .map(|(path, _)| path.clone())
            .collect();
        for path in adopted {
            self.look(&path);
        }
        for path in &listed {
            self.look(path);
        }
        self.adopt();
        let packed = self.logs.iter().filter(|(_, log)| log.has_packed());
        self.dirty.extend(packed.map(|(id, _)| *id));
    }

    /// Something was heard of a file: it is looked at, if it is one of those named or adopted.
    pub fn heard(&mut self, path: &Path) {
        let path = whole(path);
        let adopted = || {
            let mut adopted = self.files.iter().filter(|(_, file)| file.adopted);
            adopted
                .find(|(name, _)| whole(name) == path)
                .map(|(name, _)| name.clone())
        };
        if let Some(name) = self.listed.get(&path).cloned().or_else(adopted) {
            self.look(&name);
        }
    }

    /// Looks at one file.
    pub fn look(&mut self, path: &Path) {
        let Some(meta) = fs::metadata(path).ok().filter(Metadata::is_file) else {
            self.refused.remove(path);
            self.forget(path, false);
            return;
        };
        let known = self.files.get(path);
        if known.is_some_and(|file| file.is_as(&meta)) {
            return;
        }
        let adopted = known.is_some_and(|file| file.adopted) && !self.listed.contains_key(&whole(path));
        // Of a file that nobody named, only the log for which it was adopted is wanted.
        let only = known.filter(|_| adopted).and_then(|file| file.log);
        match self.identify(path, adopted, only) {
            Ok(true) => {
                self.refused.remove(path);
            }
            Ok(false) => self.forget(path, true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => self.forget(path, false),
            Err(e) => {
                self.forget(path, false);
                // Once, and not again with each look at it.
                if self.refused.insert(path.to_owned()) {
                    self.counts.errors += 1;
                    self.notes.push(format!("cannot read `{}`: {e}", path.display()));
                }
            }
        }
    }

    /// Finds out which log a file holds. With `only`, nothing but that one is wanted.
    fn identify(&mut self, path: &Path, adopted: bool, only: Option<u64>) -> io::Result<bool> {
        let file = File::open(path)?;
        // Before its beginning: if it changes in between, it is looked at again.
        let meta = file.metadata()?;
        let (head, stored) = look_into(&file)?;
        let place = Place {
            file: FileId::of(&meta),
            stored,
            size: meta.len(),
            modified: meta.modified().ok(),
        };
        let found = self.find(&head, &file, place)?;
        if only.is_some_and(|only| !matches!(found, Found::Known(id) if id == only)) {
            return Ok(false);
        }
        let id = match found {
            Found::Known(id) => Some(id),
            Found::New => Some(self.add(Log::new(path.display().to_string(), head.clone()))),
            Found::Later => None,
        };
        let before = self.files.get(path).and_then(|looked| looked.log);
        if before != id {
            let cut = self.files.get(path).is_some_and(|looked| looked.file == place.file);
            self.counts.truncations += u64::from(cut && before.is_some());
            self.forget(path, cut);
            self.counts.rotations += u64::from(self.started && matches!(found, Found::Known(_)));
        }
        let looked = Looked {
            file: place.file,
            size: place.size,
            modified: place.modified,
            log: id,
            adopted,
        };
        self.files.insert(path.to_owned(), looked);
        if let Some((id, log)) = id.and_then(|id| Some((id, self.logs.get_mut(&id)?))) {
            log.settle(path, place, &head);
            self.homeless.remove(&id);
            self.dirty.insert(id);
        }
        Ok(true)
    }

    /// The log that a file with such a beginning holds: of those that it may be, the one that it has most in common with.
    fn find(&self, head: &Head, file: &File, place: Place) -> io::Result<Found> {
        if head.is_empty() {
            return Ok(Found::Later);
        }
        let mut kin: Vec<(usize, bool, u64)> = self
            .logs
            .iter()
            .filter_map(|(id, log)| match log.head().kinship(head) {
                Kinship::Same(common) => Some((common, true, *id)),
                Kinship::Part(common) => Some((common, false, *id)),
                Kinship::Other => None,
            })
            .collect();
        kin.sort_unstable_by(|a, b| b.cmp(a));
        for (_, same, id) in kin {
            if !same {
                return Ok(Found::Later);
            }
            let Some(log) = self.logs.get(&id) else { continue };
            if place.stored != Stored::Plain || log.trail().is_in(file)? != Some(false) {
                return Ok(Found::Known(id));
            }
        }
        Ok(Found::New)
    }

    /// A file is not there any more, or holds something else.
    fn forget(&mut self, path: &Path, cut: bool) {
        let Some(id) = self.files.remove(path).and_then(|looked| looked.log) else {
            return;
        };
        let Some(log) = self.logs.get_mut(&id) else { return };
        let places = log.places().keys().cloned().collect();
        log.leave(path, cut);
        if log.places().is_empty() {
            self.homeless.insert(id, (places, Instant::now()));
        }
        self.dirty.insert(id);
    }

    /// A log that is at none of the places named may be beside the last of them.
    fn adopt(&mut self) {
        let grace = self.grace;
        self.homeless.retain(|_, (_, since)| since.elapsed() <= grace);
        let homeless: Vec<(u64, PathBuf)> = self
            .homeless
            .iter()
            .flat_map(|(id, (places, _))| places.iter().flat_map(|p| siblings(p)).map(|p| (*id, p)))
            .collect();
        for (id, path) in homeless {
            if self.homeless.contains_key(&id) && !self.files.contains_key(&path) {
                // One that can't be read is none that was asked for.
                let _ = self.identify(&path, true, Some(id));
            }
        }
    }

    /// Whether anything waits to be read.
    pub fn is_behind(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Whether what is behind is a compressed file, which does not tell how much is left.
    pub fn reads_packed(&self) -> bool {
        let mut behind = self.dirty.iter().filter_map(|id| self.logs.get(id));
        behind.any(Log::has_packed)
    }

    /// Reads a piece of each log that has more, and returns how many bytes came.
    pub fn read(&mut self) -> u64 {
        let mut total = 0;
        for id in std::mem::take(&mut self.dirty) {
            total += self.read_one(id);
        }
        self.counts.bytes += total;
        self.close_some();
        total
    }

    fn read_one(&mut self, id: u64) -> u64 {
        let Some(log) = self.logs.get_mut(&id) else { return 0 };
        let step = log.step(&mut self.chunk, &self.options);
        self.notes.extend(log.notes());
        match step {
            Ok(Step::Read(bytes)) => {
                self.dirty.insert(id);
                bytes as u64
            }
            Ok(Step::End) => 0,
            Ok(Step::Over) => {
                let part = log.finish();
                self.keep(part);
                0
            }
            Ok(Step::Changed(path)) => {
                self.again(&path);
                self.dirty.insert(id);
                0
            }
            Err(e) => {
                log.close();
                self.counts.errors += 1;
                self.notes.push(format!("cannot read `{}`: {e}", log.name()));
                0
            }
        }
    }

    /// Looks at a file anew, whatever was known of it.
    fn again(&mut self, path: &Path) {
        if let Some(looked) = self.files.get_mut(path) {
            looked.modified = None;
            looked.size = u64::MAX;
        }
        self.look(path);
    }

    fn keep(&mut self, part: Option<Usage>) {
        let Some(part) = part else { return };
        self.ready = Some(match self.ready.take() {
            Some(whole) => whole.join(part),
            None => part,
        });
    }

    /// Closes the files that were idle longest, where there are too many open.
    fn close_some(&mut self) {
        let mut open: Vec<(Instant, u64)> = self
            .logs
            .iter()
            .filter(|(id, log)| log.is_open() && !log.holds_nameless() && !self.dirty.contains(id))
            .map(|(id, log)| (log.active(), *id))
            .collect();
        if open.len() <= MOST_OPEN {
            return;
        }
        open.sort_unstable();
        let many = open.len() - MOST_OPEN;
        for (_, id) in open.into_iter().take(many) {
            if let Some(log) = self.logs.get_mut(&id) {
                log.close();
            }
        }
    }

    /// Ends logs whose file has had no name for a while; returns when to ask again.
    pub fn end_vanished(&mut self) -> Option<Instant> {
        let vanished = |log: &Log| log.holds_nameless() || (log.places().is_empty() && log.is_unfinished());
        let over = |log: &Log| vanished(log) && log.active().elapsed() >= self.grace;
        let ids: Vec<u64> = self
            .logs
            .iter()
            .filter(|(_, log)| over(log))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            // It may have grown a last time.
            let grown = self.read_one(id);
            self.counts.bytes += grown;
            let Some(log) = self.logs.get_mut(&id).filter(|_| grown == 0) else {
                continue;
            };
            if log.places().is_empty() {
                let part = log.finish();
                self.keep(part);
            } else {
                log.close();
                self.dirty.insert(id);
            }
        }
        let gone: Vec<u64> = self
            .logs
            .iter()
            .filter(|(_, log)| log.places().is_empty() && !log.is_unfinished())
            .map(|(id, _)| *id)
            .collect();
        for id in gone.iter().take(gone.len().saturating_sub(MOST_GONE)) {
            self.logs.remove(id);
            self.homeless.remove(id);
        }
        let grace = self.grace;
        let waiting = self.logs.values().filter(|log| vanished(log));
        waiting.map(|log| log.active() + grace).min()
    }

    /// What was read since the last time, up to the last point in each log from which reading can go on.
    pub fn take(&mut self) -> Option<Usage> {
        let parts: Vec<Usage> = self.logs.values_mut().filter_map(Log::take).collect();
        for part in parts {
            self.keep(Some(part));
        }
        self.ready.take()
    }

    /// Up to where each log is in what was taken.
    pub fn positions(&self) -> Vec<Position> {
        let positions = self.logs.iter().filter_map(|(id, log)| Some((id, log.position()?)));
        positions
            .map(|(id, mut position)| {
                if let Some((places, _)) = self.homeless.get(id) {
                    position.places.clone_from(places);
                }
                position
            })
            .collect()
    }

    /// Bytes that are there and not read yet, as far as they were seen.
    pub fn lag_bytes(&self) -> u64 {
        self.logs.values().map(Log::lag_bytes).sum()
    }

    /// Whether something of a log that ended waits to be taken.
    pub const fn is_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// Files that cannot be read now.
    pub fn unreadable(&self) -> usize {
        self.refused.len()
    }

    /// Files that are looked at.
    pub fn files(&self) -> usize {
        self.files.len()
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

/// A name from the root on, as the system tells it.
fn whole(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod simulation;
