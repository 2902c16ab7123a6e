//! Entries behind other text: the header of a container, of syslog, of whatever the user said.

use super::held::Marks;
use super::{Found, Outside, Reading, trim};
use crate::ingest::envelope::{self, Envelope};
use crate::ingest::{attributes, entry, header};
use crate::usage::Skip;

impl Reading<'_> {
    /// Text before the entry.
    pub(super) fn prefixed(&mut self, text: &[u8], outside: Outside<'_>) -> Found {
        if memchr::memmem::find(text, b"<json:object").is_some() {
            return Found::Nothing(Skip::Jsonx);
        }
        if header::is_server_log(text) && header::entry_begins(text).is_none_or(|at| is_quoted(text, at)) {
            return Found::Nothing(Skip::ServerLog);
        }
        if !self.wrapping.envelope.prefixed() {
            return Found::Nothing(Skip::NotJson);
        }
        if let Some(line) = envelope::cri(text) {
            let inside = Outside {
                depth: outside.depth + 1,
                place: b"cri",
                stream: line.stream,
                marks: Some(Marks {
                    more: Some(line.more),
                    ordinal: None,
                }),
                ..outside
            };
            return self.text(line.text, inside);
        }
        if let Some(found) = self.rest(text, outside) {
            return found;
        }
        if self.wrapping.envelope.wrapped()
            && let Some(object) = attributes::of_pairs(text)
        {
            let inside = Outside {
                depth: outside.depth + 1,
                ..outside
            };
            return self.wrapper(object.as_bytes(), inside);
        }
        let Some(at) = header::entry_begins(text) else {
            return Found::Nothing(Skip::NotJson);
        };
        let (head, inner) = text.split_at(at);
        let Some(shape) = header::shape(head) else {
            return self.behind_any_text(text, outside);
        };
        let (mut place, stream) = (outside.place.to_vec(), header::writer(head));
        place.extend_from_slice(b" ");
        place.extend_from_slice(&shape);
        self.stream.header.clear();
        self.stream.header.extend_from_slice(head);
        let inside = Outside {
            depth: outside.depth + 1,
            place: &place,
            stream: if outside.placed { outside.stream } else { &stream },
            header: head,
            ..outside
        };
        self.text(inner, inside)
    }

    /// An entry behind what is no header, up to the end of its line: read only where the user said that text stands before it.
    fn behind_any_text(&mut self, text: &[u8], outside: Outside<'_>) -> Found {
        if self.wrapping.envelope != Envelope::Prefix {
            return Found::Nothing(Skip::NotJson);
        }
        let begins = header::first_entry(text).map(|at| text.get(at..).unwrap_or_default());
        match begins.map(|rest| (rest, entry::parse(rest, 0))) {
            Some((rest, Ok((Some(entry), end)))) if trim(rest.get(end..).unwrap_or_default()).is_empty() => {
                self.entry(&entry, outside);
                Found::Done
            }
            _ => Found::Nothing(Skip::NotJson),
        }
    }

    /// A line that goes on with a text that is held for its writer.
    fn rest(&mut self, text: &[u8], outside: Outside<'_>) -> Option<Found> {
        if self.stream.open.is_empty() || outside.placed {
            return None;
        }
        let rest = header::after(text, &self.stream.header)?;
        let head = text.get(..text.len() - rest.len())?;
        let stream = header::writer(head);
        if rest.first() == Some(&b'{') || !self.stream.open.iter().any(|open| open.stream == stream) {
            return None;
        }
        let inside = Outside {
            depth: outside.depth + 1,
            stream: &stream,
            header: head,
            ..outside
        };
        Some(self.text(rest, inside))
    }
}

/// Whether words stand between the level of a line of the server's log and an object in it.
fn is_quoted(text: &[u8], at: usize) -> bool {
    text.get(..at).is_some_and(header::is_server_log)
}
