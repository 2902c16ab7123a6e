//! What functions of Terraform read, and which of it stands in a policy that was found.

use super::Found;
use crate::origin::{Hold, Origin};
use crate::policy::model::Policy;
use crate::policy::syntax;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What functions of Terraform read.
#[derive(Default)]
pub(super) struct Used {
    pub(super) files: BTreeSet<PathBuf>,
    /// Which of their bytes stand in a policy that was found, as they are or as a word put in.
    pub(super) said: HashMap<PathBuf, BTreeSet<(usize, usize)>>,
    /// The policies that were found.
    texts: BTreeSet<Arc<str>>,
}

impl Used {
    pub(super) fn says(&mut self, found: &Found) {
        self.texts.insert(Arc::clone(&found.text.text));
        for level in found.text.pieces.iter().flat_map(|piece| &piece.levels) {
            let as_it_is = level.hold != Hold::Made;
            let word = || {
                level
                    .source
                    .text
                    .get(level.range.clone())
                    .is_some_and(|t| t.starts_with("${"))
            };
            if as_it_is || word() {
                self.said
                    .entry(PathBuf::from(&*level.source.file))
                    .or_default()
                    .insert((level.range.start, level.range.end));
            }
        }
    }

    /// The first stanza of a policy in a file of its own that no policy found says.
    pub(super) fn lacks(&self, file: &Path, policy: &Policy) -> Option<Origin> {
        let said = self.said_of(file);
        let stanza = policy.stanzas.iter().find(|stanza| !said(&stanza.span))?;
        Some(stanza.origin.clone())
    }

    /// Whether each path of a file stands in a policy that was found; where none is written so, all of the file, or what is packed in it.
    pub(super) fn says_all(&self, file: &Path, text: &str) -> bool {
        let said = self.said_of(file);
        let mut paths = text.match_indices("path").peekable();
        if paths.peek().is_none() {
            let packed = syntax::packed(text.as_bytes());
            let is_found = |packed: &str| self.texts.iter().any(|found| found.contains(packed.trim()));
            return said(&(0..text.trim_end().len())) || packed.is_some_and(|packed| is_found(&packed));
        }
        paths.all(|(at, word)| said(&(at..at + word.len())))
    }

    /// Whether a part of a file stands in a policy that was found.
    pub(super) fn said_of(&self, file: &Path) -> impl Fn(&Range<usize>) -> bool {
        let mut whole: Vec<(usize, usize)> = Vec::new();
        for (start, end) in self.said.get(file).into_iter().flatten() {
            match whole.last_mut().filter(|last| *start <= last.1) {
                Some(last) => last.1 = last.1.max(*end),
                None => whole.push((*start, *end)),
            }
        }
        move |span| {
            let before = whole.partition_point(|(start, _)| *start <= span.start);
            before
                .checked_sub(1)
                .and_then(|n| whole.get(n))
                .is_some_and(|(_, end)| *end >= span.end)
        }
    }
}
