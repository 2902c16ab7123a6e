//! What outlives the process: usage and positions, committed together.
//!
//! A commit writes the usage under a new name, then one small file that names it and holds all positions; the rename of
//! that file is the commit. Whoever is killed in between leaves the old pair whole.

use super::events::Event;
use super::hook::Undelivered;
use super::log::Position;
use crate::hint::{Cause, Hint};
use crate::staged;
use crate::usage::Usage;
use crate::usage::store::StoreError;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The version of the file.
const VERSION: u32 = 2;
const FILE_NAME: &str = "state.json";
const LOCK_NAME: &str = "lock";

/// How usage is kept in a file.
pub trait Store {
    /// Writes.
    ///
    /// # Errors
    /// As the store says.
    fn save(&self, usage: &Usage, path: &Path) -> Result<(), StoreError>;
    /// Reads.
    ///
    /// # Errors
    /// As the store says.
    fn load(&self, path: &Path) -> Result<Usage, StoreError>;
    /// How the files end.
    fn extension(&self) -> &'static str;
}

/// All but the usage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// How lines are read and principals told apart: what is in the usage was read so.
    pub reading: String,
    /// Up to where each log was read.
    pub positions: Vec<Position>,
    /// The time of the last entry of what was there at first, once all of it was read: what comes later is news.
    pub learned: Option<Timestamp>,
    /// Events so far.
    pub events: u64,
    /// Events that may not have been told yet.
    pub outbox: Vec<Event>,
    /// Events that the webhook did not take yet.
    #[serde(default)]
    pub undelivered: Undelivered,
    /// What the waves of an applied report did.
    #[serde(default)]
    pub rollout: super::rollout::Kept,
}

#[derive(Debug, Serialize, Deserialize)]
struct StateFile {
    version: u32,
    generation: u64,
    usage: Option<String>,
    #[serde(flatten)]
    kept: Kept,
}

/// Why the state can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another watcher.
    #[error("the state in `{}` is in use by another watcher", .0.display())]
    Locked(PathBuf),
    /// A file.
    #[error("cannot {what} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The content.
    #[error("`{}` is not a state that `watch` wrote: {why}", path.display())]
    Content {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        why: Cause,
    },
    /// The usage.
    #[error(transparent)]
    Usage(#[from] StoreError),
    /// Read another way.
    #[error("the state in `{}` was read with {before}, and now it is to be {now}", path.display())]
    Reading {
        /// Where.
        path: PathBuf,
        /// Then.
        before: String,
        /// Now.
        now: String,
    },
}

impl Hint for StateError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match self {
            Self::Locked(_) => "end the other watcher, or give this one a state of its own with `--state`",
            Self::Io { .. } | Self::Usage(_) => "check that the folder exists, may be written to and has room",
            Self::Content { .. } => "name an empty folder with `--state`; what is in the logs is then read again",
            Self::Reading { .. } => "use the same flags as before, or another folder with `--state`",
        }))
    }
}

/// A state folder, held by this process alone.
pub struct StateDir<S> {
    dir: PathBuf,
    store: S,
    generation: u64,
    usage: Option<String>,
    /// The lock goes when the process goes, however it ends.
    _lock: File,
}

impl<S: Store> StateDir<S> {
    /// Opens a folder, or makes it, and reads what was committed last.
    ///
    /// # Errors
    /// When another watcher has it, or it can't be read.
    pub fn open(dir: &Path, store: S, reading: &str) -> Result<(Self, Usage, Kept), StateError> {
        let io = |what, path: &Path| {
            let path = path.to_owned();
            move |source| StateError::Io { what, path, source }
        };
        // Who used what is nobody else's business.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(io("make", dir))?;
        let lock_path = dir.join(LOCK_NAME);
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock_path)
            .map_err(io("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateError::Locked(dir.to_owned())),
            Err(TryLockError::Error(source)) => return Err(io("lock", &lock_path)(source)),
        }
        let path = dir.join(FILE_NAME);
        let file = match fs::read(&path) {
            Ok(text) => Some(parse(&path, &text)?),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(io("read", &path)(e)),
        };
        let mut usage = Usage::default();
        let mut state = Self {
            dir: dir.to_owned(),
            store,
            generation: 0,
            usage: None,
            _lock: lock,
        };
        let mut kept = Kept {
            reading: reading.to_owned(),
            ..Kept::default()
        };
        if let Some(file) = file {
            if file.kept.reading != reading {
                return Err(StateError::Reading {
                    path: dir.to_owned(),
                    before: file.kept.reading,
                    now: reading.to_owned(),
                });
            }
            if let Some(name) = &file.usage {
                usage = state.store.load(&dir.join(name))?;
            }
            state.generation = file.generation;
            state.usage = file.usage;
            kept = file.kept;
        }
        state.sweep();
        Ok((state, usage, kept))
    }

    /// Commits. With no usage, that of the last commit stays.
    ///
    /// # Errors
    /// When it can't be written; then what was committed before is whole.
    pub fn commit(&mut self, usage: Option<&Usage>, kept: &Kept) -> Result<(), StateError> {
        let generation = self.generation + 1;
        let mut name = self.usage.clone();
        if let Some(usage) = usage {
            let new = format!("usage-{generation}.{}", self.store.extension());
            let path = self.dir.join(&new);
            self.store.save(usage, &path)?;
            sync(&path)?;
            name = Some(new);
        }
        let file = StateFile {
            version: VERSION,
            generation,
            usage: name.clone(),
            kept: kept.clone(),
        };
        let path = self.dir.join(FILE_NAME);
        let io = |source| StateError::Io {
            what: "write",
            path: path.clone(),
            source,
        };
        let text = serde_json::to_vec(&file).map_err(|e| io(e.into()))?;
        let mut temporary = tempfile::Builder::new()
            .prefix(".state-")
            .tempfile_in(&self.dir)
            .map_err(io)?;
        temporary.write_all(&text).map_err(io)?;
        temporary.as_file().sync_all().map_err(io)?;
        temporary.persist(&path).map_err(|e| io(e.error))?;
        sync(&self.dir)?;
        let old = std::mem::replace(&mut self.usage, name);
        self.generation = generation;
        if let Some(old) = old.filter(|old| Some(old) != self.usage.as_ref()) {
            let _ = fs::remove_file(self.dir.join(old));
        }
        Ok(())
    }

    /// Removes what a process that was killed left half done.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let ours = ["usage-", ".state-", staged::PREFIX]
                .iter()
                .any(|start| name.starts_with(start));
            if ours && Some(&name) != self.usage.as_ref() {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Makes sure that a file or folder is on the disk.
fn sync(path: &Path) -> Result<(), StateError> {
    File::open(path)
        .and_then(|f| f.sync_all())
        .map_err(|source| StateError::Io {
            what: "write",
            path: path.to_owned(),
            source,
        })
}

fn parse(path: &Path, text: &[u8]) -> Result<StateFile, StateError> {
    let wrong = |why: Cause| StateError::Content {
        path: path.to_owned(),
        why,
    };
    let file: StateFile = serde_json::from_slice(text).map_err(|e| wrong(e.into()))?;
    if file.version == VERSION {
        Ok(file)
    } else {
        Err(wrong(
            format!(
                "it has version {}, and this program reads version {VERSION}",
                file.version
            )
            .into(),
        ))
    }
}
