//! Hears from the system which files change, and from a slow clock on disks whose system does not tell.

use super::waker::Waker;
use notify::event::{EventKind, ModifyKind};
use notify::{Config, Event, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Listens while it lives.
pub struct Notice {
    watcher: RecommendedWatcher,
    watched: BTreeMap<PathBuf, bool>,
}

impl Notice {
    /// Begins to listen; nothing is listened to yet.
    ///
    /// # Errors
    /// When the system gives no means to.
    pub fn new(waker: Waker) -> Result<Self, NoticeError> {
        let heard = move |event: notify::Result<Event>| hear(&waker, event);
        let watcher = RecommendedWatcher::new(heard, Config::default()).map_err(NoticeError::Begin)?;
        Ok(Self {
            watcher,
            watched: BTreeMap::new(),
        })
    }

    /// Listens to a folder, and to those below it if asked. What is listened to already is left as it is.
    ///
    /// # Errors
    /// When the folder is not there, or the system's limit is reached.
    pub fn add(&mut self, folder: &Path, below: bool) -> Result<(), NoticeError> {
        if self.watched.get(folder).is_some_and(|b| *b >= below) {
            return Ok(());
        }
        let mode = if below {
            RecursiveMode::Recursive
        } else {
            RecursiveMode::NonRecursive
        };
        self.watcher.watch(folder, mode).map_err(|source| NoticeError::Folder {
            folder: folder.to_owned(),
            source,
        })?;
        self.watched.insert(folder.to_owned(), below);
        Ok(())
    }
}

/// The system does not tell.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// Of anything.
    #[error("{0}")]
    Begin(#[source] notify::Error),
    /// Of a folder.
    #[error("cannot listen to changes in `{}`: {source}", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: notify::Error,
    },
}

fn hear(waker: &Waker, event: notify::Result<Event>) {
    let Ok(event) = event else {
        waker.tell(|news| news.rescan = true);
        return;
    };
    match event.kind {
        EventKind::Access(_) => {}
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) if !event.need_rescan() => {
            waker.tell(|news| news.changed.extend(event.paths));
        }
        EventKind::Modify(ModifyKind::Metadata(_)) if !event.need_rescan() => {}
        _ => waker.tell(|news| news.rescan = true),
    }
}
