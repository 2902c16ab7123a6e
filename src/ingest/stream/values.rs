//! The values of a text: objects, several of them, a list; and what stands behind and between them.

use super::{Found, MOST_WRAPPINGS, Outside, Reading, trim};
use crate::ingest::entry::{self, Entry};
use crate::ingest::fault::Fault;
use crate::ingest::grammar::{self, Progress};
use crate::ingest::header;
use crate::ingest::scan;
use crate::ingest::text::decode;
use crate::usage::Skip;

/// Beginnings of entries that are tried behind what is none, in one line.
const MOST_BEGINNINGS: usize = 16;

impl Reading<'_> {
    pub(super) fn judge(&mut self, text: &[u8], outside: Outside<'_>) -> Found {
        match text.first() {
            None => Found::Nothing(Skip::Blank),
            Some(b'{') if header::begins_in_braces(text) => self.prefixed(text, outside),
            Some(b'{') => self.objects(text, outside),
            Some(b'[') if text != b"[]" && (self.wrapping.envelope.bare() || outside.depth > 0) => {
                self.array(text, outside)
            }
            Some(b']' | b',') if matches!(text, b"]" | b"]," | b",") => {
                self.join(1);
                Found::Done
            }
            Some(b'"') if scan::string(text, 0) == Ok(text.len()) => {
                let inner = decode(scan::unquoted(text).unwrap_or_default());
                let outside = Outside {
                    depth: outside.depth + 1,
                    ..outside
                };
                self.text(inner.as_bytes(), outside)
            }
            Some(_) if matches!(text, b"null" | b"[]") => self.left(outside),
            Some(_) => self.prefixed(text, outside),
        }
    }

    /// One object, or several one after the other, with nothing between them that would show them to be inside of another.
    fn objects(&mut self, text: &[u8], outside: Outside<'_>) -> Found {
        let first = entry::parse(text, 0);
        match &first {
            Ok((_, end)) if text.get(*end..).is_some_and(|rest| trim(rest).is_empty()) => {
                return self.object(first.ok().and_then(|(entry, _)| entry), text, outside);
            }
            Err(Fault::Truncated) => return Found::Nothing(Skip::Truncated),
            _ => {}
        }
        let mut ends = Vec::new();
        let mut at = 0;
        let rest = loop {
            let Ok((_, end)) = entry::parse(text, at) else {
                break text.get(at..).unwrap_or_default();
            };
            ends.push((at, end));
            let gap = text.get(end..).unwrap_or_default();
            let between = |c: &u8| matches!(c, b' ' | b'\t' | b'\r' | b'\n' | b',' | b'|' | b';' | 0 | 0x1e);
            let blank = gap.iter().take_while(|c| between(c)).count();
            let behind = gap.get(blank..).unwrap_or_default();
            match behind.first() {
                None => break &[][..],
                Some(b'{') => at = end + blank,
                Some(b']') if matches!(behind, b"]" | b"],") && std::mem::take(&mut self.stream.listed) => {
                    break &[][..];
                }
                // A whole value at the beginning of a line has no bracket to close, and is no member.
                Some(b'}' | b']' | b':' | b'"') => {
                    self.bin(Skip::Truncated, 1);
                    return Found::Done;
                }
                Some(_) => match header::entry_begins(behind) {
                    None => break behind,
                    Some(begin) if behind.get(..begin).and_then(header::shape).is_some() => at = end + blank + begin,
                    Some(begin) => break behind.get(begin..).unwrap_or_default(),
                },
            }
        };
        if ends.is_empty() {
            return self.behind_a_cut(text, outside);
        }
        for (at, end) in ends {
            let object = text.get(at..end).unwrap_or_default();
            let entry = entry::parse(object, 0).ok().and_then(|(entry, _)| entry);
            let found = self.object(entry, object, outside);
            self.settle(found);
        }
        self.leftover(rest, outside);
        Found::Done
    }

    /// An entry that stands, to the end of its line, behind one that a crash cut: where the text stops to be JSON.
    fn behind_a_cut(&mut self, text: &[u8], outside: Outside<'_>) -> Found {
        let Progress::Malformed(fault) = grammar::of(text) else {
            return Found::Nothing(Skip::NotJson);
        };
        for at in (fault.saturating_sub(2)..=fault).rev().filter(|at| *at > 0) {
            let (cut, rest) = text.split_at(at);
            if let Ok((entry @ Some(_), end)) = entry::parse(rest, 0)
                && trim(rest.get(end..).unwrap_or_default()).is_empty()
            {
                self.cut(cut, Skip::Truncated, outside.doubtful);
                return self.object(entry, rest, outside);
            }
        }
        Found::Nothing(Skip::NotJson)
    }

    /// What is left of a line behind good entries: each beginning in it counts as a line of its own that was not used.
    fn leftover(&mut self, mut rest: &[u8], outside: Outside<'_>) {
        for _ in 0..MOST_BEGINNINGS {
            let Some(at) = memchr::memmem::find(rest, b"{\"") else {
                return;
            };
            rest = rest.get(at..).unwrap_or_default();
            match entry::parse(rest, 0) {
                Ok((_, end)) => {
                    self.bin(Skip::NotAudit, 1);
                    rest = rest.get(end..).unwrap_or_default();
                }
                Err(Fault::Truncated) => return self.cut(rest, Skip::Truncated, outside.doubtful),
                Err(Fault::Malformed) => {
                    self.bin(Skip::NotJson, 1);
                    rest = rest.get(1..).unwrap_or_default();
                }
            }
        }
    }

    /// A whole object, read as an entry if it is one.
    pub(super) fn object(&mut self, entry: Option<Entry<'_>>, object: &[u8], outside: Outside<'_>) -> Found {
        let found = match entry {
            Some(entry) if outside.depth > 0 || self.wrapping.bare() => {
                self.entry(&entry, outside);
                Found::Done
            }
            _ if outside.placed => self.nested(object, outside),
            _ => self.wrapper(object, outside),
        };
        match found {
            Found::Nothing(Skip::NotAudit) if entry::is_what_is_left(object) => self.left(outside),
            found => found,
        }
    }

    fn array(&mut self, text: &[u8], outside: Outside<'_>) -> Found {
        match scan::elements(text, 0) {
            Ok((first, end)) => {
                let Some(further) = elements_of_all(text.get(end..).unwrap_or_default()) else {
                    return self.prefixed(text, outside);
                };
                let outside = Outside {
                    depth: outside.depth + u32::from(outside.depth > 0),
                    ..outside
                };
                let mut any = false;
                for element in first.into_iter().chain(further) {
                    if !matches!(element.first(), Some(b'{' | b'[' | b'"')) {
                        continue;
                    }
                    any = true;
                    let found = if outside.depth > MOST_WRAPPINGS || element.first() == Some(&b'[') {
                        Found::Nothing(Skip::NotAudit)
                    } else {
                        self.judge(element, outside)
                    };
                    self.settle(found);
                }
                if any {
                    Found::Done
                } else {
                    Found::Nothing(Skip::NotAudit)
                }
            }
            Err(Fault::Truncated) if outside.depth == 0 => {
                let rest = trim(text.get(1..).unwrap_or_default());
                match rest.first() {
                    None => {
                        self.stream.listed = true;
                        self.join(1);
                        Found::Done
                    }
                    Some(b'{') => {
                        self.stream.listed = true;
                        self.text(rest, outside)
                    }
                    Some(_) => self.prefixed(text, outside),
                }
            }
            Err(_) => self.prefixed(text, outside),
        }
    }
}

/// The elements of the arrays of which all of a text is made; none where something else stands in it.
fn elements_of_all(text: &[u8]) -> Option<Vec<&[u8]>> {
    let mut all = Vec::new();
    let mut rest = without_comma(text);
    while !rest.is_empty() {
        let (elements, end) = scan::elements(rest, 0).ok().filter(|_| rest.first() == Some(&b'['))?;
        all.extend(elements);
        rest = without_comma(rest.get(end..).unwrap_or_default());
    }
    Some(all)
}

/// A text without blanks around it, and without a comma at its beginning.
fn without_comma(text: &[u8]) -> &[u8] {
    let text = trim(text);
    trim(text.strip_prefix(b",").unwrap_or(text))
}
