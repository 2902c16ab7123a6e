//! Where entries stand in the objects that carry them: a JSON pointer, with `*` for each element of an array.
//!
//! The place is found once, by looking for an entry at any depth, and then kept to: what looks like an entry elsewhere is a
//! part of something else, which whoever is watched may have written. Texts are read through: JSON in a string, bytes as a
//! list of numbers, and what was packed into base64.

use super::entry;
use super::fault::Fault;
use super::flat;
use super::header;
use super::scan::{self, Members};
use super::text::decode;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Read;

/// Wrappings inside of each other that are looked through.
const DEEPEST: usize = 12;

/// Elements of one array that are looked at to find the place.
const MOST_ELEMENTS: usize = 64;

/// The most bytes that are unpacked from one text.
const MOST_UNPACKED: u64 = 128 << 20;

/// A step from a value to one inside of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The member of an object; of an array the element with this number.
    Member(Box<str>),
    /// Each element of an array, each member of an object.
    Each,
}

/// The way to the entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place(Vec<Step>);

impl Place {
    /// From a JSON pointer in which `*` stands for each element. Lists on the way and at its end are gone through without it.
    #[must_use]
    pub fn of(pointer: &str) -> Self {
        let steps = pointer.split('/').skip(1).map(|step| match step {
            "*" => Step::Each,
            _ => Step::Member(step.replace("~1", "/").replace("~0", "~").into()),
        });
        Self(steps.collect())
    }

    /// The pointer without its stars, to compare it.
    fn plain(&self) -> String {
        let members = self.0.iter().filter_map(|step| match step {
            Step::Member(name) => Some(format!("/{}", escaped(name))),
            Step::Each => None,
        });
        members.collect()
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for step in &self.0 {
            match step {
                Step::Member(name) => write!(f, "/{}", escaped(name))?,
                Step::Each => f.write_str("/*")?,
            }
        }
        Ok(())
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// What stands at a place.
#[derive(Debug, Clone, Copy)]
pub struct Leaf<'a> {
    /// An object, or a text, decoded.
    pub value: &'a [u8],
    /// Whether it is a text.
    pub text: bool,
    /// The object that holds it.
    pub holder: &'a [u8],
}

/// Hands out what stands at a place in a value; false if the place is not there.
pub fn leaves(value: &[u8], place: &Place, sink: &mut dyn FnMut(Leaf<'_>)) -> bool {
    walk(value, &place.0, value, 0, sink)
}

fn walk(value: &[u8], steps: &[Step], holder: &[u8], depth: usize, sink: &mut dyn FnMut(Leaf<'_>)) -> bool {
    if depth > DEEPEST {
        return false;
    }
    if let Some(text) = text_of(value) {
        return walk_text(&text, steps, holder, depth, sink);
    }
    match (value.first(), steps.split_first()) {
        (Some(b'{'), None) => {
            sink(Leaf {
                value,
                text: false,
                holder,
            });
            true
        }
        (Some(b'{'), Some((Step::Member(name), rest))) => {
            member(value, name).is_some_and(|inner| walk(inner, rest, value, depth + 1, sink))
        }
        (Some(b'{'), Some((Step::Each, rest))) => {
            let mut there = false;
            let mut members = Members::of(value, 0).ok();
            while let Some(Ok(Some(member))) = members.as_mut().map(Members::next) {
                there |= walk(member.value, rest, value, depth + 1, sink);
            }
            there
        }
        (Some(b'['), step) => {
            let Ok((elements, _)) = scan::elements(value, 0) else {
                return false;
            };
            match step {
                Some((Step::Member(name), rest)) if name.parse::<usize>().is_ok() => {
                    let element = name.parse().ok().and_then(|n: usize| elements.get(n));
                    element.is_some_and(|element| walk(element, rest, holder, depth + 1, sink))
                }
                Some((Step::Each, rest)) => each(&elements, rest, holder, depth, sink),
                _ => each(&elements, steps, holder, depth, sink),
            }
        }
        _ => false,
    }
}

/// The elements of an array. Of a row of plain values, or of pairs of a field and its value, those are meant that look as an
/// entry does; where none does, the row counts once.
fn each(elements: &[&[u8]], rest: &[Step], holder: &[u8], depth: usize, sink: &mut dyn FnMut(Leaf<'_>)) -> bool {
    let is_pair = |element: &[u8]| member(element, "field").is_some() && member(element, "value").is_some();
    let is_row = match rest {
        [] => elements.iter().any(|e| e.first() == Some(&b'"')) && !elements.iter().any(|e| e.first() == Some(&b'{')),
        [Step::Member(_)] => elements.len() > 1 && elements.iter().all(|element| is_pair(element)),
        _ => false,
    };
    let mut there = false;
    if !is_row {
        for element in elements {
            there |= walk(element, rest, holder, depth + 1, sink);
        }
        return there;
    }
    let mut texts: Vec<Vec<u8>> = Vec::new();
    for element in elements {
        walk(element, rest, holder, depth + 1, &mut |leaf| {
            texts.push(leaf.value.to_vec())
        });
    }
    let looks = |text: &[u8]| header::entry_begins(text).is_some();
    let any = texts.iter().any(|text| looks(text));
    let count = texts.len();
    for (n, text) in texts.iter().enumerate() {
        if (any && looks(text)) || (!any && n + 1 == count) {
            there = true;
            sink(Leaf {
                value: text,
                text: true,
                holder,
            });
        }
    }
    there
}

fn walk_text(text: &[u8], steps: &[Step], holder: &[u8], depth: usize, sink: &mut dyn FnMut(Leaf<'_>)) -> bool {
    let inner = text.trim_ascii();
    if let Some(unpacked) = unpacked(inner) {
        return walk_text(&unpacked, steps, holder, depth + 1, sink);
    }
    if steps.is_empty() {
        sink(Leaf {
            value: text,
            text: true,
            holder,
        });
        return true;
    }
    let mut there = false;
    let mut rest = inner;
    // Several values may stand in one text.
    while let Some(b'{' | b'[') = rest.first() {
        let Ok(end) = scan::container(rest, 0) else { break };
        there |= walk(rest.get(..end).unwrap_or_default(), steps, holder, depth + 1, sink);
        rest = rest.get(end..).unwrap_or_default().trim_ascii_start();
    }
    there
}

/// The text that a raw value stands for: of a string, or of a list of bytes, as journald writes what is not all printable.
fn text_of(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    if let Some(raw) = scan::unquoted(value) {
        return Some(match decode(raw) {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        });
    }
    let inner = value.strip_prefix(b"[")?.strip_suffix(b"]")?;
    let number = |n: &[u8]| std::str::from_utf8(n.trim_ascii()).ok()?.parse::<u8>().ok();
    number(inner.split(|c| *c == b',').next()?)?;
    let bytes: Option<Vec<u8>> = inner.split(|c| *c == b',').map(number).collect();
    bytes.map(Cow::Owned)
}

/// What was packed into base64: JSON, or gzip of it.
fn unpacked(text: &[u8]) -> Option<Vec<u8>> {
    if !text.starts_with(b"H4sI") && !text.starts_with(b"eyJ") {
        return None;
    }
    let bytes = BASE64_STANDARD.decode(text).ok()?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Some(bytes);
    }
    let mut plain = Vec::new();
    let unpacked = super::gunzip::Gunzip::new(&bytes[..]);
    unpacked.take(MOST_UNPACKED).read_to_end(&mut plain).ok()?;
    Some(plain)
}

/// Whether an object is a line of the server's own log. Such lines may quote what callers sent, so nothing in them is an entry.
#[must_use]
pub fn is_server_log(object: &[u8]) -> bool {
    memchr::memmem::find(object, b"\"@level\"").is_some()
        && ["@level", "@message"].iter().all(|name| member(object, name).is_some())
}

/// Where an object has a `request` with a path, and whether it is an entry.
#[must_use]
pub fn request(value: &[u8]) -> Option<(String, bool)> {
    let mut found = None;
    seek_request(value, &mut Vec::new(), &mut found, 0);
    found.map(|(steps, whole)| (Place(steps).to_string(), whole))
}

fn seek_request(value: &[u8], path: &mut Vec<Step>, found: &mut Option<(Vec<Step>, bool)>, depth: usize) {
    if depth > DEEPEST || found.as_ref().is_some_and(|(_, whole)| *whole) {
        return;
    }
    if let Some(text) = text_of(value) {
        let text = text.trim_ascii();
        if matches!(text.first(), Some(b'{' | b'[')) && scan::container(text, 0) == Ok(text.len()) {
            seek_request(text, path, found, depth + 1);
        }
        return;
    }
    match value.first() {
        Some(b'{') => {
            let asked = member(value, "request").and_then(|request| member(request, "path"));
            if asked.is_some() {
                let whole = matches!(entry::parse(value, 0), Ok((Some(_), _)));
                if whole || found.is_none() {
                    *found = Some((path.clone(), whole));
                }
                return;
            }
            let mut members = Members::of(value, 0).ok();
            while let Some(Ok(Some(member))) = members.as_mut().map(Members::next) {
                path.push(Step::Member(decode(member.key).into()));
                seek_request(member.value, path, found, depth + 1);
                path.pop();
            }
        }
        Some(b'[') => {
            path.push(Step::Each);
            for element in scan::elements(value, 0).map_or_else(|_| Vec::new(), |(e, _)| e) {
                seek_request(element, path, found, depth + 1);
            }
            path.pop();
        }
        _ => {}
    }
}

/// The raw value of an object's member; of several of one name the last.
#[must_use]
pub fn member<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut members = Members::of(object, 0).ok()?;
    let mut found = None;
    while let Ok(Some(member)) = members.next() {
        if member.key == name.as_bytes() || (member.key.contains(&b'\\') && decode(member.key) == name) {
            found = Some(member.value);
        }
    }
    found
}

/// The names of an object's members, as they are written; nothing of what is no object.
pub fn names(object: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut members = Members::of(object, 0).ok();
    std::iter::from_fn(move || members.as_mut()?.next().ok()?.map(|member| member.key))
}

/// The places at which a value holds entries, of which `preferred` come first. Where the same entries stand at several, as
/// text and parsed, one is kept.
#[must_use]
pub fn find<'p>(value: &[u8], preferred: impl Iterator<Item = &'p str> + Clone) -> Vec<Place> {
    let mut found = Vec::new();
    search(value, &mut Vec::new(), &mut found, 0);
    let rank = |place: &Place| {
        let plain = place.plain();
        preferred
            .clone()
            .position(|pointer| pointer == plain)
            .unwrap_or(usize::MAX)
    };
    found.sort_by_cached_key(rank);
    let counted = |place: Place| {
        let entries = entries_at(value, &place);
        (place, entries)
    };
    let mut found: Vec<(Place, Entries)> = found.into_iter().map(counted).collect();
    found.sort_by_key(|(_, entries)| std::cmp::Reverse(entries.len()));
    let mut kept: Vec<(Place, Entries)> = Vec::new();
    for (place, entries) in found {
        let known = kept.iter().any(|(_, known)| !known.is_disjoint(&entries));
        // Pieces of entries have no id yet.
        let first = kept.is_empty();
        if first || (!known && !entries.is_empty()) {
            kept.push((place, entries));
        }
    }
    kept.into_iter().map(|(place, _)| place).collect()
}

/// Entries by what tells them apart: whether it is a response, and the request.
type Entries = BTreeSet<(bool, Vec<u8>)>;

/// The entries at a place.
fn entries_at(value: &[u8], place: &Place) -> Entries {
    let mut entries = BTreeSet::new();
    leaves(value, place, &mut |leaf| {
        let text = leaf.value.trim_ascii();
        let at = header::entry_begins(text).unwrap_or(0);
        if let Ok((Some(entry), _)) = entry::parse(text, at) {
            entries.insert((entry.response, entry.request.id.to_vec()));
        } else if let Some(nested) = flat::nested(text)
            && let Ok((Some(entry), _)) = entry::parse(nested.as_bytes(), 0)
        {
            entries.insert((entry.response, entry.request.id.to_vec()));
        }
    });
    entries
}

fn search(value: &[u8], path: &mut Vec<Step>, found: &mut Vec<Place>, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    if let Some(text) = text_of(value) {
        search_text(&text, path, found, depth);
        return;
    }
    match value.first() {
        Some(b'{') if is_server_log(value) => {}
        Some(b'{') => {
            if matches!(entry::parse(value, 0), Ok((Some(_), _))) || flat::nested(value).is_some() {
                note(path, found);
                return;
            }
            let mut members = Members::of(value, 0).ok();
            while let Some(Ok(Some(member))) = members.as_mut().map(Members::next) {
                if !matches!(member.value.first(), Some(b'{' | b'[' | b'"')) {
                    continue;
                }
                path.push(Step::Member(decode(member.key).into()));
                search(member.value, path, found, depth + 1);
                path.pop();
            }
        }
        Some(b'[') => {
            let Ok((elements, _)) = scan::elements(value, 0) else {
                return;
            };
            path.push(Step::Each);
            for element in elements.into_iter().take(MOST_ELEMENTS) {
                search(element, path, found, depth + 1);
            }
            path.pop();
        }
        _ => {}
    }
}

fn search_text(text: &[u8], path: &mut Vec<Step>, found: &mut Vec<Place>, depth: usize) {
    let text = text.trim_ascii();
    if let Some(unpacked) = unpacked(text) {
        search_text(&unpacked, path, found, depth + 1);
        return;
    }
    if text.first() == Some(&b'[') && scan::elements(text, 0).is_ok() {
        search(text, path, found, depth + 1);
        return;
    }
    let Some(at) = header::entry_begins(text) else {
        return;
    };
    if at > 0 && text.get(..at).and_then(header::shape).is_none() {
        return;
    }
    let rest = text.get(at..).unwrap_or_default();
    match entry::parse(rest, 0) {
        Ok((Some(_), _)) => note(path, found),
        Ok((None, end)) if at == 0 => search(rest.get(..end).unwrap_or_default(), path, found, depth + 1),
        // The first piece of a container log's line.
        Err(Fault::Truncated) if begins_as_entry(rest) => note(path, found),
        _ => {}
    }
}

/// Whether a text begins with a key with which entries begin.
fn begins_as_entry(text: &[u8]) -> bool {
    ["time", "type", "auth", "request", "error"].iter().any(|key| {
        text.strip_prefix(b"{\"")
            .is_some_and(|rest| rest.starts_with(key.as_bytes()))
    })
}

fn note(path: &[Step], found: &mut Vec<Place>) {
    if !found.iter().any(|place| place.0 == path) {
        found.push(Place(path.to_vec()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = r#"{"type":"request","request":{"id":"1","path":"a"}}"#;

    fn places(value: &str) -> Vec<String> {
        find(value.as_bytes(), ["/message"].into_iter())
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn texts(value: &str, pointer: &str) -> Vec<String> {
        let mut texts = Vec::new();
        leaves(value.as_bytes(), &Place::of(pointer), &mut |leaf| {
            texts.push(String::from_utf8(leaf.value.to_vec()).unwrap());
        });
        texts
    }

    #[test]
    fn entries_are_found_at_any_depth_and_in_texts() {
        let quoted = serde_json::to_string(ENTRY).unwrap();
        let bytes = format!("{:?}", ENTRY.as_bytes());
        let packed = BASE64_STANDARD.encode(ENTRY);
        for (value, place) in [
            (format!(r#"{{"data":[{{"a":{{"a":{ENTRY}}}}}]}}"#), "/data/*/a/a"),
            (
                format!(r#"{{"tables":[{{"rows":[["2026",{quoted}]]}}]}}"#),
                "/tables/*/rows/*/*",
            ),
            (format!(r#"{{"x/y":{{"MESSAGE":{bytes}}}}}"#), "/x~1y/MESSAGE"),
            (format!(r#"{{"Records":[{{"data":"{packed}"}}]}}"#), "/Records/*/data"),
            (format!(r#"{{"parsed":{ENTRY},"message":{quoted}}}"#), "/message"),
        ] {
            assert_eq!(places(&value), [place], "{value}");
            assert_eq!(texts(&value, place), [ENTRY], "{value}");
        }
        assert!(places(r#"{"message":"said {\"type\":\"x\"}"}"#).is_empty());
    }

    #[test]
    fn other_entries_at_another_place_are_kept_too() {
        let other = ENTRY.replace("\"1\"", "\"2\"");
        let found = places(&format!(r#"{{"first":[{ENTRY}],"second":[{other}]}}"#));
        assert_eq!(found, ["/first/*", "/second/*"]);
    }

    #[test]
    fn lists_on_the_way_need_no_star_and_elements_have_numbers() {
        let value = r#"{"a":[{"b":["x","y"]},{"b":"z"}]}"#;
        assert_eq!(texts(value, "/a/b"), ["y", "z"]);
        assert_eq!(texts(value, "/a/*/b"), ["y", "z"]);
        assert_eq!(texts(value, "/a/0/b/0"), ["x"]);
        assert!(texts(value, "/a/none").is_empty());
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "{\"a\":".repeat(10_000) + "1" + &"}".repeat(10_000);
        assert!(places(&deep).is_empty());
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        assert!(places(&format!("{{\"a\":{deep}}}")).is_empty());
    }
}
