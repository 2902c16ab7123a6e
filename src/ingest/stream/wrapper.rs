//! Objects that carry entries: at which places in them, and what they are where they carry none.

use super::{Found, MOST_PLACES, Outside, Reading, trim};
use crate::ingest::place::{self, Leaf, Place};
use crate::ingest::{attributes, entry, envelope, flat, header};
use crate::usage::Skip;

impl Reading<'_> {
    /// An object at its place that is no entry as it is.
    pub(super) fn nested(&mut self, object: &[u8], outside: Outside<'_>) -> Found {
        if let Some(nested) = flat::nested(object)
            && let Ok((Some(mut entry), _)) = entry::parse(nested.as_bytes(), 0)
        {
            // Where a name of the data ends is not known.
            entry.request.cut = true;
            self.entry(&entry, outside);
            return Found::Done;
        }
        Found::Nothing(if place::is_server_log(object) {
            Skip::ServerLog
        } else {
            Skip::NotAudit
        })
    }

    /// An object that is no entry: the entry may be inside.
    pub(super) fn wrapper(&mut self, object: &[u8], outside: Outside<'_>) -> Found {
        if place::is_server_log(object) {
            return Found::Nothing(Skip::ServerLog);
        }
        let plain = attributes::plain(object);
        let object = plain.as_deref().map_or(object, str::as_bytes);
        let asked = self.wrapping.pointer.as_deref().map(Place::of);
        if asked.is_none() && !self.wrapping.envelope.wrapped() {
            return Found::Nothing(Skip::NotAudit);
        }
        if let Some(place) = asked {
            let there = self.at(object, &place, outside);
            return self.held(there, object);
        }
        let mut places = std::mem::take(&mut self.stream.places);
        let mut there = false;
        for group in &places {
            for place in group {
                there |= self.at(object, place, outside);
            }
            if there {
                break;
            }
        }
        if !there && places.len() < MOST_PLACES {
            let found = place::find(object, self.wrapping.envelope.pointers());
            for place in &found {
                there |= self.at(object, place, outside);
            }
            if !found.is_empty() {
                places.push(found);
            }
        }
        // Where entries stand and nothing does, one was too long for whoever wrote this.
        let known = places.iter().flatten();
        let emptied = known.map(ToString::to_string).chain(envelope::journal(object));
        let emptied = emptied
            .filter(|_| !there)
            .any(|place| envelope::follow(object, &place) == Some(b"null"));
        self.stream.places = places;
        if emptied {
            return Found::Nothing(Skip::TooLong);
        }
        self.held(there, object)
    }

    /// What an object is where others hold entries, by whether something stood at their place in it.
    fn held(&mut self, there: bool, object: &[u8]) -> Found {
        if there {
            self.stream.sample(object);
            return Found::Done;
        }
        if self.stream.lacks_its_text(object) {
            return Found::Nothing(Skip::Unsaid);
        }
        self.stream.mixed = true;
        Found::Nothing(Skip::NotAudit)
    }

    /// Reads what stands at a place in an object; false if the place is not there.
    fn at(&mut self, object: &[u8], place: &Place, outside: Outside<'_>) -> bool {
        let mut name = outside.place.to_vec();
        name.extend_from_slice(place.to_string().as_bytes());
        place::leaves(object, place, &mut |leaf: Leaf<'_>| {
            let inside = Outside {
                depth: outside.depth + 1,
                place: &name,
                stream: b"",
                marks: None,
                holder: leaf.holder,
                whole: object,
                placed: true,
                ..outside
            };
            let stood = self.stream.stood(&name);
            let found = if stood && header::is_mark(leaf.value, leaf.text) {
                Found::Nothing(Skip::TooLong)
            } else if stood
                && leaf.text
                && !self.stream.mixed
                && (trim(leaf.value).is_empty() || header::says_it_is_gone(leaf.value))
            {
                Found::Nothing(Skip::Unsaid)
            } else if leaf.text {
                self.text(leaf.value, inside)
            } else {
                let entry = entry::parse(leaf.value, 0).ok().and_then(|(entry, _)| entry);
                self.object(entry, leaf.value, inside)
            };
            self.stream.mixed |= matches!(found, Found::Nothing(Skip::ServerLog | Skip::NotJson | Skip::NotAudit));
            self.settle(found);
        })
    }
}
