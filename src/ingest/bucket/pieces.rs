//! The bytes of one object: a stretch at a time, the next ones asked for while one is read, all of them of one and the same state
//! of the object.

use super::super::error::Trouble;
use super::super::object::{Bytes, Pieces};
use super::trouble::{self, Doing};
use futures_util::StreamExt as _;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// Bytes of a stretch: few enough to come within the time that a request has, and to be tried again.
const STRETCH: u64 = 4 << 20;

/// Stretches that are asked for ahead.
const AHEAD: usize = 4;

/// An object as it was found.
#[derive(Debug)]
pub struct Found {
    /// What does the work.
    pub runtime: &'static Runtime,
    /// The bucket.
    pub store: Arc<dyn ObjectStore>,
    /// What was said of it.
    pub meta: ObjectMeta,
}

impl Bytes for Found {
    fn pieces(&self) -> Pieces<'_> {
        Box::new(Reading {
            object: self,
            next: 0,
            tag: None,
            coming: VecDeque::new(),
            over: self.meta.size == 0,
        })
    }
}

/// What came of a stretch: its bytes, and the tag of the state that they are of.
type Came = Result<(Vec<u8>, Option<String>), Trouble>;

struct Reading<'a> {
    object: &'a Found,
    /// Where the next stretch begins that is to be asked for.
    next: u64,
    /// The state that the first stretch is of, and all others have to be of.
    tag: Option<String>,
    coming: VecDeque<JoinHandle<Came>>,
    over: bool,
}

impl Reading<'_> {
    /// The next stretch, asked for.
    fn ask(&mut self) -> impl Future<Output = Came> + Send + 'static {
        let end = (self.next + STRETCH).min(self.object.meta.size);
        let range = self.next..end;
        self.next = end;
        let (store, meta) = (Arc::clone(&self.object.store), self.object.meta.clone());
        stretch(store, meta, self.tag.clone(), range)
    }

    fn ask_ahead(&mut self) {
        while self.coming.len() < AHEAD && self.next < self.object.meta.size {
            let stretch = self.ask();
            self.coming.push_back(self.object.runtime.spawn(stretch));
        }
    }
}

impl Iterator for Reading<'_> {
    type Item = Result<Vec<u8>, Trouble>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let came = if self.next == 0 {
            let first = self.ask();
            self.object.runtime.block_on(first)
        } else {
            let next = self.coming.pop_front()?;
            self.object.runtime.block_on(next).unwrap_or_else(|_| {
                Err(Trouble {
                    why: "the task that read it ended before its time".to_owned(),
                    hint: "try again",
                })
            })
        };
        match came {
            Ok((bytes, tag)) => {
                self.tag = tag;
                self.ask_ahead();
                Some(Ok(bytes))
            }
            Err(trouble) => {
                self.over = true;
                Some(Err(trouble))
            }
        }
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        for task in &self.coming {
            task.abort();
        }
    }
}

/// The first bytes of an object, at most so many.
pub async fn beginning(store: &Arc<dyn ObjectStore>, meta: &ObjectMeta, most: u64) -> Result<Vec<u8>, Trouble> {
    if meta.size == 0 {
        return Ok(Vec::new());
    }
    let range = 0..most.min(meta.size);
    stretch(Arc::clone(store), meta.clone(), None, range)
        .await
        .map(|(bytes, _)| bytes)
}

/// Reads one stretch of the object as it was found, or of the state that has the tag.
async fn stretch(store: Arc<dyn ObjectStore>, meta: ObjectMeta, tag: Option<String>, range: Range<u64>) -> Came {
    let wrong = |error| trouble::of(&error, Doing::Reading);
    let length = range.end - range.start;
    let options = GetOptions {
        // A weak tag never matches.
        if_match: tag.clone().filter(|tag| !tag.starts_with("W/")),
        range: Some(GetRange::Bounded(range)),
        ..GetOptions::default()
    };
    let got = store.get_opts(&meta.location, options).await.map_err(wrong)?;
    let is = got.meta.e_tag.clone();
    if got.meta.size != meta.size || !is_same(is.as_deref(), tag.as_deref().or(meta.e_tag.as_deref())) {
        return Err(trouble::changed());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    let mut stream = got.into_stream();
    while let Some(some) = stream.next().await {
        bytes.extend_from_slice(&some.map_err(wrong)?);
        if bytes.len() as u64 > length {
            break;
        }
    }
    if bytes.len() as u64 != length {
        return Err(trouble::cut(bytes.len(), length));
    }
    Ok((bytes, is))
}

/// Whether two tags are of one state: lists and answers do not write them alike. Where one of them is lacking nothing is known.
fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
    let bare = |tag: &str| tag.trim_start_matches("W/").trim_matches('"').to_owned();
    match (one, other) {
        (Some(one), Some(other)) => bare(one) == bare(other),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_however_they_are_written() {
        assert!(
            is_same(Some("\"a\""), Some("a")) && is_same(Some("W/\"a\""), Some("\"a\"")) && is_same(None, Some("a"))
        );
        assert!(!is_same(Some("\"a\""), Some("\"b\"")));
    }
}
