//! The audit entry as the servers write it, in any key order: only what is needed is looked at, as slices of the line.

use super::scan::{self, Fault, Members};
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
    /// The request went from one node to another.
    pub forwarded: bool,
    /// The raw address of the node that forwarded it.
    pub forwarded_from: &'a [u8],
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
}

/// Reads the object at `at`, which may be no audit entry, and says where it ends.
pub fn parse(text: &[u8], at: usize) -> Result<(Option<Entry<'_>>, usize), Fault> {
    let mut entry = Entry::default();
    let mut kind = None;
    let mut asked = false;
    let mut members = Members::of(text, at)?;
    while let Some(member) = members.next()? {
        let value = member.value;
        match member.key {
            b"type" => kind = Kind::of(value),
            b"time" => entry.time = scan::unquoted(value).and_then(time::parse),
            b"auth" => entry.auth = object(value),
            b"request" if value.first() == Some(&b'{') => {
                entry.request = request(value)?;
                asked = true;
            }
            b"response" => entry.answer = object(value),
            b"error" => (entry.error, entry.denied) = error(value),
            b"forwarded" => entry.forwarded = value == b"true",
            b"forwarded_from" => {
                entry.forwarded_from = scan::unquoted(value).unwrap_or_default();
            }
            key if memchr::memchr(b'\\', key).is_some() => match &*decode(key) {
                "type" => kind = Kind::of(value),
                "time" => entry.time = scan::unquoted(value).and_then(time::parse),
                "auth" => entry.auth = object(value),
                "request" if value.first() == Some(&b'{') => {
                    entry.request = request(value)?;
                    asked = true;
                }
                "response" => entry.answer = object(value),
                "error" => (entry.error, entry.denied) = error(value),
                _ => {}
            },
            _ => {}
        }
    }
    let end = members.end();
    let Some(kind) = kind.filter(|_| asked) else {
        return Ok((None, end));
    };
    entry.response = kind == Kind::Response;
    entry.forwarded |= !entry.forwarded_from.is_empty();
    Ok((Some(entry), end))
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

/// Whether a value of `error` tells of an error, and whether of a denial.
pub fn error(value: &[u8]) -> (bool, bool) {
    if matches!(value, b"null" | b"\"\"" | b"false") {
        return (false, false);
    }
    let denied = memchr::memmem::find(value, b"permission denied").is_some()
        || (memchr::memchr(b'\\', value).is_some() && decode(value).contains("permission denied"));
    (true, denied)
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
