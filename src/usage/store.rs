//! Usage on disk: Parquet, which holds all that a merge needs. What people read of it is written by `report`.

use super::frame::{self, FrameError};
use super::part::Usage;
use crate::hint::Hint;
use crate::staged::{self, Readers};
use std::borrow::Cow;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Usage could not be stored or loaded.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The content.
    #[error("`{}` is not usage: {source}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// Why.
        source: FrameError,
    },
    /// Making the content.
    #[error("cannot store usage: {0}")]
    Frame(#[from] FrameError),
    /// Whoever should take it.
    #[error("cannot write usage: {0}")]
    Stream(#[source] io::Error),
}

impl Hint for StoreError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self {
            Self::Write { .. } | Self::Frame(_) => Some("check that the folder exists, is writable and has room"),
            Self::Read { .. } => None,
            Self::Content { .. } => Some("give a .parquet file that `usage -o` wrote"),
            Self::Stream(_) => None,
        };
        hint.map(Cow::Borrowed)
    }
}

/// Writes usage to a stream, as Parquet.
pub fn write_to(usage: &Usage, to: &mut dyn Write) -> Result<(), StoreError> {
    let mut whole = Vec::new();
    frame::write(usage, &mut whole)?;
    to.write_all(&whole)
        .and_then(|()| to.flush())
        .map_err(StoreError::Stream)
}

/// Writes usage to a file, as Parquet, whatever its name. The file appears whole or not at all.
pub fn write(usage: &Usage, path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::Write {
        path: path.to_owned(),
        source,
    };
    staged::write_for(path, Readers::Owner, failed, |file| Ok(frame::write(usage, file)?))
}

/// Reads a part that [`write()`] stored as Parquet.
pub fn read_parquet(path: &Path) -> Result<Usage, StoreError> {
    let file = std::fs::File::open(path).map_err(|source| StoreError::Read {
        path: path.to_owned(),
        source,
    })?;
    // The reader of Parquet is not made for files that are damaged on purpose: where it panics, that is an answer too.
    let read = quietly(|| frame::read(file)).unwrap_or(Err(FrameError::Damaged));
    read.map_err(|source| StoreError::Content {
        path: path.to_owned(),
        source,
    })
}

/// What `work` gives; nothing where it panics, which is told to nobody else.
fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    static QUIET: AtomicUsize = AtomicUsize::new(0);
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if QUIET.load(Ordering::SeqCst) == 0 {
                usual(info);
            }
        }));
    });
    // It reads with several threads: the hook hears of a panic there, and it comes to us as one of this thread.
    QUIET.fetch_add(1, Ordering::SeqCst);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    QUIET.fetch_sub(1, Ordering::SeqCst);
    done.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_answer() {
        assert_eq!(quietly(|| 1), Some(1));
        assert_eq!(quietly(|| -> i32 { panic!("on purpose") }), None);
    }
}
