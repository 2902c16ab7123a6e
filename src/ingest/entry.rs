//! The audit entry as the servers write it, in any key order: only what is needed is looked at, as slices of the line.

use super::fault::Fault;
use super::scan::{self, Members};
use super::text::decode;
use super::time;

/// An entry.
#[derive(Debug, Clone, Copy, Default)]
pub struct Entry<'a> {
    /// A response, else a request.
    pub response: bool,
    /// Nanoseconds since 1970.
    pub time: Option<i64>,
    /// The raw `auth` object, empty if there is none.
    pub auth: &'a [u8],
    /// What was asked.
    pub request: Request<'a>,
    /// The raw `response` object, empty if there is none.
    pub answer: &'a [u8],
    /// There is an error.
    pub error: bool,
    /// The error says "permission denied".
    pub denied: bool,
    /// The error is the ACL's own denial, word by word.
    pub denied_by_acl: bool,
    /// The text ends inside the entry: what is absent may have been there.
    pub cut: bool,
    /// It was written by a plugin, in the words of its own, and not by the server.
    pub of_plugin: bool,
    /// The request went from one node to another.
    pub forwarded: bool,
    /// Who asked and for what was taken out: nothing else is left than what entries have, or something stands in its place.
    pub hidden: bool,
}

/// The `request` object: raw texts between their quotes, empty where absent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// The whole object.
    pub raw: &'a [u8],
    /// The request id.
    pub id: &'a [u8],
    /// The operation.
    pub operation: &'a [u8],
    /// The path.
    pub path: &'a [u8],
    /// Path of the namespace.
    pub namespace: &'a [u8],
    /// Id of the namespace.
    pub namespace_id: &'a [u8],
    /// Type of the mount.
    pub mount_type: &'a [u8],
    /// The mount with its namespace.
    pub mount_point: &'a [u8],
    /// Accessor of the token.
    pub accessor: &'a [u8],
    /// The raw data value.
    pub data: &'a [u8],
    /// The text ends inside the object.
    pub cut: bool,
}

impl Request<'_> {
    /// Whether it says what was asked, and where.
    #[must_use]
    pub const fn names_a_demand(&self) -> bool {
        !self.path.is_empty() && !self.operation.is_empty()
    }

    /// Whether it has an id of its own.
    #[must_use]
    pub fn has_id(&self) -> bool {
        is_id(self.id)
    }
}

/// Whether a text is an id, and not a mark that stands in the place of each: servers give UUIDs, which have digits and are not one
/// character over and over.
#[must_use]
pub fn is_id(text: &[u8]) -> bool {
    let mut telling = text.iter().filter(|c| c.is_ascii_alphanumeric());
    let first = telling.next();
    let is_filled = text.len() > 8 && telling.all(|c| Some(c) == first);
    text.iter().any(u8::is_ascii_digit) && !is_filled
}

/// Reads the object at `at`, which may be no audit entry, and says where it ends.
pub fn parse(text: &[u8], at: usize) -> Result<(Option<Entry<'_>>, usize), Fault> {
    let mut draft = Draft::default();
    let mut members = Members::of(text, at)?;
    while let Some(member) = members.next()? {
        draft.take(member.key, member.value)?;
    }
    let end = members.end();
    Ok((draft.whole(), end))
}

/// Reads an entry whose end is missing, as far as it goes: who asks, what and where stand before what makes entries long. None
/// if it does not begin as an entry does.
#[must_use]
pub fn head(text: &[u8]) -> Option<Entry<'_>> {
    let mut draft = Draft::default();
    let mut members = Members::of(text, 0).ok()?;
    while let Ok(Some(member)) = members.next() {
        draft.take(member.key, member.value).ok()?;
    }
    let mut answers = false;
    match members.unfinished() {
        Some((b"request", value)) if !draft.asked => {
            draft.entry.request = request_head(value)?;
            draft.asked = true;
        }
        Some((b"response", _)) => answers = true,
        _ => {}
    }
    if !draft.asked && draft.entry.auth.is_empty() {
        return None;
    }
    let kind = draft
        .kind
        .unwrap_or(if answers { Kind::Response } else { Kind::Request });
    let mut entry = draft.entry(kind);
    entry.cut = true;
    Some(entry)
}

/// Reads a `request` object whose end is missing.
fn request_head(raw: &[u8]) -> Option<Request<'_>> {
    let mut request = Request {
        raw,
        cut: true,
        ..Request::default()
    };
    let mut members = Members::of(raw, 0).ok()?;
    while let Ok(Some(member)) = members.next() {
        set(&mut request, decode(member.key).as_bytes(), member.value).ok()?;
    }
    if let Some((b"data", value)) = members.unfinished() {
        request.data = value;
    }
    Some(request)
}

/// An entry as far as it was read.
#[derive(Debug, Clone, Copy, Default)]
struct Draft<'a> {
    entry: Entry<'a>,
    kind: Option<Kind>,
    /// Whether there is a type, understood or not.
    typed: bool,
    asked: bool,
    answers: bool,
    /// It has members that no entry has.
    more: bool,
    /// A text stands in the place of who asked, or of what.
    masked: bool,
}

impl<'a> Draft<'a> {
    /// The entry, if it is one. Devices leave out what they are told to: without `type` a request that says who asked for what is
    /// one all the same, and so is an entry without `request` of somebody who is named, or of which nothing but the bare entry is left.
    fn whole(mut self) -> Option<Entry<'a>> {
        let named = !matches!(self.entry.auth, b"" | b"{}");
        self.entry.hidden = self.masked || (!self.more && self.entry.time.is_some());
        match (self.kind, self.asked) {
            (Some(kind), true) => Some(self.entry(kind)),
            (Some(kind), false) => ((named || self.entry.hidden) && !self.entry.of_plugin).then(|| self.entry(kind)),
            (None, true) if !self.typed && named && self.entry.request.names_a_demand() => {
                let kind = if self.answers { Kind::Response } else { Kind::Request };
                Some(self.entry(kind))
            }
            (None, _) => None,
        }
    }

    fn take(&mut self, key: &[u8], value: &'a [u8]) -> Result<(), Fault> {
        if memchr::memchr(b'\\', key).is_some() {
            return self.member(decode(key).as_bytes(), value);
        }
        self.member(key, value)
    }

    fn member(&mut self, key: &[u8], value: &'a [u8]) -> Result<(), Fault> {
        let entry = &mut self.entry;
        match key {
            b"type" => {
                self.typed = true;
                self.kind = Kind::of(value);
                entry.of_plugin = self.kind.is_some() && !matches!(value, b"\"request\"" | b"\"response\"");
            }
            b"time" => entry.time = time::parse(scan::unquoted(value).unwrap_or(value)),
            b"auth" => {
                entry.auth = object(value);
                self.masked |= value.first() == Some(&b'"');
            }
            b"request" if value.first() == Some(&b'{') => {
                entry.request = request(value)?;
                self.asked = true;
            }
            b"request" => self.masked |= value.first() == Some(&b'"'),
            b"response" => {
                self.answers = true;
                entry.answer = object(value);
            }
            b"error" => set_error(entry, value),
            b"forwarded" => entry.forwarded |= value == b"true",
            b"forwarded_from" => entry.forwarded |= scan::unquoted(value).is_some_and(|from| !from.is_empty()),
            _ => self.more = true,
        }
        Ok(())
    }

    fn entry(mut self, kind: Kind) -> Entry<'a> {
        self.entry.response = kind == Kind::Response;
        self.entry
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Request,
    Response,
}

impl Kind {
    /// Plugins that audit by themselves put the type of their mount before the word.
    fn of(value: &[u8]) -> Option<Self> {
        let word = scan::unquoted(value)?;
        match word {
            b"request" => Some(Self::Request),
            b"response" => Some(Self::Response),
            _ if word.ends_with(b"-request") => Some(Self::Request),
            _ if word.ends_with(b"-response") => Some(Self::Response),
            _ => None,
        }
    }
}

fn object(value: &[u8]) -> &[u8] {
    if value.first() == Some(&b'{') { value } else { &[] }
}

/// Takes over what a value of `error` tells.
pub fn set_error(entry: &mut Entry<'_>, value: &[u8]) {
    entry.error = !matches!(value, b"null" | b"\"\"" | b"false");
    (entry.denied, entry.denied_by_acl) = (false, false);
    if entry.error {
        let text = decode(value);
        entry.denied = text.contains("permission denied");
        entry.denied_by_acl = entry.denied && is_denial_of_acl(text.trim_matches('"'));
    }
}

/// Whether an error is the text of the ACL's denial: `1 error occurred:` and the denial as its only kind of item, in whatever
/// form the servers gave it over the years. What else says "permission denied" is a backend's, which was asked after the ACL.
fn is_denial_of_acl(text: &str) -> bool {
    let Some((head, items)) = text.trim().split_once(':') else {
        return false;
    };
    let counted = |end: &str| {
        let number = head.strip_suffix(end);
        number.is_some_and(|n| !n.is_empty() && n.bytes().all(|c| c.is_ascii_digit()))
    };
    let mut items = items.split('*').map(str::trim);
    (counted(" error occurred") || counted(" errors occurred") || counted(" error(s) occurred"))
        && items.next() == Some("")
        && items.clone().any(|item| item == "permission denied")
        && items.all(|item| matches!(item, "permission denied" | "invalid token"))
}

/// Whether an object that is no entry has nothing but what entries have, or nothing at all: what is left of one where a device or a
/// pipeline leaves out the rest.
#[must_use]
pub fn is_what_is_left(object: &[u8]) -> bool {
    let mut draft = Draft::default();
    let Ok(mut members) = Members::of(object, 0) else {
        return false;
    };
    loop {
        match members.next() {
            Ok(Some(member)) if draft.take(member.key, member.value).is_ok() && !draft.more => {}
            Ok(None) => return draft.kind.is_some() || !draft.typed,
            Ok(Some(_)) | Err(_) => return false,
        }
    }
}

/// Reads the `request` object.
pub fn request(raw: &[u8]) -> Result<Request<'_>, Fault> {
    let mut request = Request {
        raw,
        ..Request::default()
    };
    let mut members = Members::of(raw, 0)?;
    while let Some(member) = members.next()? {
        if memchr::memchr(b'\\', member.key).is_none() {
            set(&mut request, member.key, member.value)?;
        } else {
            set(&mut request, decode(member.key).as_bytes(), member.value)?;
        }
    }
    Ok(request)
}

/// Takes a member of the `request` object over.
pub fn set<'a>(request: &mut Request<'a>, key: &[u8], value: &'a [u8]) -> Result<(), Fault> {
    let text = |value: &'a [u8]| scan::unquoted(value).unwrap_or_default();
    match key {
        b"id" => request.id = text(value),
        b"operation" => request.operation = text(value),
        b"path" => request.path = text(value),
        b"mount_type" => request.mount_type = text(value),
        b"mount_point" => request.mount_point = text(value),
        b"client_token_accessor" => request.accessor = text(value),
        b"data" => request.data = value,
        b"namespace" if value == br#"{"id":"root"}"# => request.namespace_id = b"root",
        b"namespace" if value.first() == Some(&b'{') => {
            let mut members = Members::of(value, 0)?;
            while let Some(member) = members.next()? {
                match member.key {
                    b"path" => request.namespace = text(member.value),
                    b"id" => request.namespace_id = text(member.value),
                    _ => {}
                }
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Entry<'_> {
        match parse(text.as_bytes(), 0) {
            Ok((Some(entry), end)) => {
                assert_eq!(end, text.len());
                entry
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn order_escapes_and_duplicates_do_not_matter() {
        for text in [
            r#"{"time":"1970-01-01T00:00:01Z","type":"response","request":{"id":"i","operation":"read","path":"a/b"},"error":"1 error occurred:\n\t* permission denied\n\n"}"#,
            r#"{ "error" : "permission denied" , "request":{"path":"a/b","operation":"read","id":"i"},"response":{"x":[1,{"y":"}\"]"}]},"time":"1970-01-01T00:00:01Z","type":"response"}"#,
            r#"{"ty\u0070e":"response","time":"1970-01-01T00:00:01Z","error":"","error":"perm\u0069ssion denied","request":{"pat\u0068":"a/b","operation":"list","operation":"read","id":"i"}}"#,
        ] {
            let entry = entry(text);
            assert!(entry.response && entry.error && entry.denied, "{text}");
            assert_eq!(entry.time, Some(1_000_000_000));
            assert_eq!(entry.request.path, b"a/b");
            assert_eq!(entry.request.operation, b"read");
            assert_eq!(entry.request.id, b"i");
        }
    }

    #[test]
    fn only_the_words_of_the_acl_are_its_denial() {
        for (error, denied, by_acl) in [
            (r"1 error occurred:\n\t* permission denied\n\n", true, true),
            (r"1 error occurred:\n\n* permission denied", true, true),
            (r"1 error(s) occurred:\n\n* permission denied", true, true),
            (
                r"2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n",
                true,
                true,
            ),
            (
                r"1 error occurred:\n\t* failed to execute query: ERROR: permission denied for schema public\n\n",
                true,
                false,
            ),
            (
                r"2 errors occurred:\n\t* permission denied\n\t* pq: no route\n\n",
                true,
                false,
            ),
            (r"permission denied", true, false),
            (
                r"permission denied: 1 error occurred:\n\t* permission denied\n\n",
                true,
                false,
            ),
            (r"1 error occurred:\n\t* invalid token\n\n", false, false),
            (r"1 error occurred:\n\t* unsupported path\n\n", false, false),
        ] {
            let text = format!(r#"{{"type":"response","error":"{error}","request":{{"id":"i"}}}}"#);
            let entry = entry(&text);
            assert!(entry.error);
            assert_eq!((entry.denied, entry.denied_by_acl), (denied, by_acl), "{error}");
        }
    }

    #[test]
    fn what_is_cut_is_read_as_far_as_it_goes() {
        let auth = r#"{"display_name":"d","policies":["p"]}"#;
        let servers = format!(
            r#"{{"time":"1970-01-01T00:00:01Z","type":"response","auth":{auth},"request":{{"id":"i","operation":"update","path":"a/b","data":{{"k":"v","l":{{"m":1}}}},"wrap_ttl":3}},"response":{{"data":{{"x":"y"}}}},"error":"e"}}"#
        );
        for end in 1..servers.len() {
            let cut = &servers[..end];
            let Some(entry) = head(cut.as_bytes()) else {
                assert!(!cut.contains(auth), "{cut}");
                continue;
            };
            assert!(entry.cut && entry.response, "{cut}");
            assert_eq!(entry.time, Some(1_000_000_000));
            assert_eq!(entry.auth, auth.as_bytes());
            assert_eq!(entry.request.path == b"a/b", cut.contains(r#""a/b""#), "{cut}");
            assert_eq!(
                entry.request.cut,
                cut.contains(r#""request":{"#) && !cut.contains("wrap_ttl\":3}"),
                "{cut}"
            );
        }
        let sorted = format!(
            r#"{{"auth":{auth},"error":"e","request":{{"data":{{"k":"v"}},"id":"i","operation":"update","path":"a/b"}},"response":{{"data":{{"#
        );
        let entry = head(sorted.as_bytes()).unwrap();
        assert!(entry.response && entry.error && !entry.request.cut);
        assert_eq!((entry.request.path, entry.request.id), (&b"a/b"[..], &b"i"[..]));
        let entry = head(&sorted.as_bytes()[..sorted.find("\"id\"").unwrap()]).unwrap();
        assert!(!entry.response && entry.request.path.is_empty());
        assert_eq!(entry.request.data, br#"{"k":"v"}"#);
        assert!(head(br#"{"a":{"b"#).is_none());
        assert!(head(b"no entry").is_none());
    }

    #[test]
    fn what_is_left_of_an_entry_has_nothing_else() {
        for (text, is) in [
            ("{}", true),
            (r#"{"time":"2026-05-02T10:00:00Z"}"#, true),
            (
                r#"{"time":"2026-05-02T10:00:00Z","auth":{},"request":{"id":"i"}}"#,
                true,
            ),
            (r#"{"ty\u0070e":"request"}"#, true),
            (r#"{"type":"cron"}"#, false),
            (r#"{"time":"2026-05-02T10:00:00Z","level":"info"}"#, false),
            (r#"{"time":"2026-05-02T10:00:00Z""#, false),
            ("[]", false),
        ] {
            assert_eq!(is_what_is_left(text.as_bytes()), is, "{text}");
        }
    }

    #[test]
    fn what_is_cut_is_truncated_and_what_is_odd_is_malformed() {
        let text = r#"{"type":"request","request":{"id":"i","data":{"n":1e999,"k":[true,null]}}}"#;
        assert!(!entry(text).error);
        for end in 1..text.len() {
            assert_eq!(parse(&text.as_bytes()[..end], 0).err(), Some(Fault::Truncated), "{end}");
        }
        for text in ["{]", r#"{"a" 1}"#, r#"{"a":}"#, r#"{"a":1 "b":2}"#, "{,}"] {
            assert_eq!(parse(text.as_bytes(), 0).err(), Some(Fault::Malformed), "{text}");
        }
        for text in ["{}", r#"{"type":"request"}"#, r#"{"type":"x","request":{}}"#] {
            assert!(matches!(parse(text.as_bytes(), 0), Ok((None, _))));
        }
    }
}
