//! What stands before an entry in its line: headers of syslog, of containers and of loggers, prefixes that people chose.
//!
//! A header is known by its shape, which is the same in all lines of a log: its words and brackets, whatever the words are.
//! The rest of a line that was cut looks different: it holds quotes, or begins as no header does.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::collections::BTreeMap;

/// The longest header.
const LONGEST: usize = 512;

/// How the entries of the servers begin, old ones and new ones.
pub const BEGINNINGS_OF_ENTRIES: [&[u8]; 4] = [br#"{"time":""#, br#"{"auth":{"#, br#"{"request":{"#, br#"{"type":"re"#];

/// Words of which a text that was an entry shows some, however it was cut and quoted: each stands in entries of the servers and
/// hardly anywhere else.
pub const MARKS_OF_ENTRIES: [&[u8]; 10] = [
    b"hmac-sha256:",
    b"client_token",
    b"token_policies",
    b"policy_results",
    b"granting_policies",
    b"mount_accessor",
    b"mount_type",
    b"mount_point",
    b"entity_id",
    b"remote_address",
];

/// Whether a text that is no entry tells of a request all the same: in another notation (XML, `key=value`, another language's
/// dump, flattened keys, keys in capitals), it has the words of what was asked, and of who asked.
#[must_use]
pub fn tells_of_a_request(text: &[u8]) -> bool {
    let text = text.to_ascii_lowercase();
    let has = |word: &str| memchr::memmem::find(&text, word.as_bytes()).is_some();
    has("operation")
        && has("path")
        && ["policies", "display_name", "accessor", "client_token"]
            .into_iter()
            .any(has)
}

/// Whether a line that is no entry says that others are lost: whoever carried the log dropped so many of them, or the server could not
/// write them.
#[must_use]
pub fn says_that_entries_are_lost(text: &[u8]) -> bool {
    const LONGEST_LINE: usize = 1024;
    /// How many words a number may be away from what it counts, and from what became of that.
    const NEAR: usize = 2;
    const LOST: [&str; 9] = [
        "suppressed",
        "lost",
        "omitted",
        "dropped",
        "discarded",
        "throttled",
        "missed",
        "skipped",
        "dropping",
    ];
    const THINGS: [&str; 9] = [
        "message", "messages", "line", "lines", "entry", "entries", "events", "record", "records",
    ];
    const SAID: [&str; 7] = [
        "messages lost",
        "messages dropped",
        "dropping messages",
        "drop messages",
        "entries were not forwarded",
        "rate limit exceeded",
        "ratelimit exceeded",
    ];
    const FAILED: [&str; 3] = ["failed to audit", "failed to log request", "failed to log response"];
    let line = String::from_utf8_lossy(text.get(..LONGEST_LINE).unwrap_or(text)).to_lowercase();
    // What a server says of itself is about its log only where it could not write it.
    if is_server_log(text) {
        return FAILED.iter().any(|word| line.contains(word));
    }
    if SAID.iter().any(|words| line.contains(words)) {
        return true;
    }
    let words: Vec<&str> = line
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words.iter().enumerate().any(|(n, word)| {
        let is_number = word.bytes().all(|c| c.is_ascii_digit()) && word.bytes().any(|c| c != b'0');
        let near = || words.iter().skip(n.saturating_sub(NEAR)).take(2 * NEAR + 1);
        is_number && near().any(|word| LOST.contains(word)) && near().any(|word| THINGS.contains(word))
    })
}

/// Whether a line among entries says that one is not there: `vault: message too long, dropped`, `[REDACTED]`. What a server says of
/// itself is about something else.
#[must_use]
pub fn says_an_entry_is_gone(text: &[u8]) -> bool {
    const LONGEST: usize = 200;
    /// How many words may stand between what is gone and what became of it.
    const BETWEEN: usize = 2;
    const THINGS: [&str; 7] = ["message", "entry", "event", "record", "line", "payload", "body"];
    const BECAME: [&str; 8] = [
        "too long",
        "too large",
        "too big",
        "truncated",
        "dropped",
        "discarded",
        "omitted",
        "redacted",
    ];
    if text.len() > LONGEST || text.contains(&b'{') || is_server_log(text) {
        return false;
    }
    let line = String::from_utf8_lossy(text).to_lowercase();
    let words: Vec<&str> = line
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    if let [word] = *words {
        return GONE.contains(&word);
    }
    let is_thing = |word: &&str| THINGS.contains(word);
    words
        .iter()
        .enumerate()
        .filter(|(_, word)| is_thing(word))
        .any(|(n, _)| {
            let behind: Vec<&str> = words.iter().skip(n + 1).take(BETWEEN + 2).copied().collect();
            let became = |said: &str| BECAME.iter().any(|words| said.starts_with(words));
            (0..=BETWEEN).any(|skipped| became(&behind.get(skipped..).unwrap_or_default().join(" ")))
        })
}

/// Whether an object says nothing but that an entry is lost, as pipelines write it in the place of what they could not carry:
/// `{"message":"event too large, dropped"}`.
#[must_use]
pub fn is_word_of_loss(text: &[u8]) -> bool {
    const LONGEST: usize = 1024;
    if text.len() > LONGEST || text.first() != Some(&b'{') {
        return false;
    }
    let said: Option<BTreeMap<String, String>> = serde_json::from_slice(text).ok();
    let words = said
        .filter(|said| said.len() == 1)
        .and_then(|said| said.into_values().next());
    words.is_some_and(|words| says_it_is_gone(words.as_bytes()) || says_that_entries_are_lost(words.as_bytes()))
}

/// Words by which pipelines say that a text is not there.
const GONE: [&str; 8] = [
    "truncated",
    "too large",
    "too long",
    "dropped",
    "omitted",
    "redacted",
    "removed",
    "exceeds",
];

/// Whether a text that begins within an entry tells what was asked, which the rest of one whose beginning was read as far as that
/// does not.
#[must_use]
pub fn is_more_than_a_rest(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"\"request\":{").is_some()
}

/// Whether a text in the place of an entry says that it is gone, where nothing but entries stands there: `message too large, dropped`.
#[must_use]
pub fn says_it_is_gone(text: &[u8]) -> bool {
    const LONGEST: usize = 200;
    let says = || {
        let text = String::from_utf8_lossy(text).to_lowercase();
        GONE.iter().any(|word| text.contains(word))
    };
    text.len() <= LONGEST && !text.contains(&b'{') && !is_server_log(text) && says()
}

/// Whether what stands in the place of an entry, a text or not, says that it is gone: `{}`, or a text such as `-`, `[REDACTED]`.
#[must_use]
pub fn is_mark(value: &[u8], is_text: bool) -> bool {
    const LONGEST: usize = 40;
    let bracketed = [(b'[', b']'), (b'<', b'>'), (b'(', b')')];
    let is_one = |(open, close): &(u8, u8)| value.first() == Some(open) && value.last() == Some(close);
    match is_text {
        false => matches!(value, b"{}" | b"[]" | b"null"),
        true => value == b"-" || (value.len() <= LONGEST && bracketed.iter().any(is_one)),
    }
}

/// Whether a line holds what no text does: control characters other than those of terminals and of records that are set apart.
#[must_use]
pub fn is_no_text(line: &[u8]) -> bool {
    const IN_TEXT: [u8; 6] = [b'\t', b'\n', b'\r', 0x0c, 0x1b, 0x1e];
    line.iter().any(|c| (*c < b' ' && !IN_TEXT.contains(c)) || *c == 0x7f)
}

/// What stands in a line that is all base64; nothing where it is not, or too short to be an entry.
#[must_use]
pub fn from_base64(line: &[u8]) -> Option<Vec<u8>> {
    const SHORTEST: usize = 64;
    let is_base64 = line.len() >= SHORTEST && line.iter().all(|c| c.is_ascii_alphanumeric() || b"+/=-_".contains(c));
    is_base64.then(|| STANDARD.decode(line).or_else(|_| URL_SAFE_NO_PAD.decode(line)).ok())?
}

/// Where in a line the entry begins: the first brace that is in no header's brackets and in no set of labels. None if it is
/// further away than a header is long.
#[must_use]
pub fn entry_begins(line: &[u8]) -> Option<usize> {
    let line = line.get(..line.len().min(LONGEST + 1))?;
    let mut at = 0;
    loop {
        let found = at + memchr::memchr2(b'{', b'[', line.get(at..)?)?;
        let rest = line.get(found..)?;
        at = match rest.first() {
            Some(b'[') => structured_data(rest).map_or(found + 1, |end| found + end),
            _ => match labels(rest) {
                Some(end) => found + end,
                None => return Some(found),
            },
        };
    }
}

/// Where an object begins in a line, whatever stands before it.
#[must_use]
pub fn first_entry(line: &[u8]) -> Option<usize> {
    memchr::memmem::find(line, b"{\"")
}

/// The end of structured data (RFC 5424), `[id name="value" ...]`, which may hold anything between its quotes.
fn structured_data(text: &[u8]) -> Option<usize> {
    let head = text.get(..text.len().min(LONGEST))?;
    let id = head.iter().position(|c| matches!(c, b' ' | b']' | b'"' | b'{'))?;
    if head.get(id) != Some(&b' ') || id < 2 {
        return None;
    }
    let name = head.get(id + 1..)?.iter().position(|c| !is_name(*c))?;
    if name == 0 || head.get(id + 1 + name..)?.get(..2) != Some(b"=\"") {
        return None;
    }
    quoted_to(head, id, b']')
}

/// Whether a line begins with a word in braces, as a prefix may be.
#[must_use]
pub fn begins_in_braces(text: &[u8]) -> bool {
    labels(text).is_some()
}

/// The end of a set of labels, `{name="value", ...}`, as in what `logcli` prints; or of a word in braces, which is no JSON.
fn labels(text: &[u8]) -> Option<usize> {
    let head = text.get(..text.len().min(LONGEST))?;
    let name = head.get(1..)?.iter().position(|c| !is_name(*c))?;
    if name > 0 && head.get(1 + name) == Some(&b'}') {
        return Some(name + 2);
    }
    if name == 0 || head.get(1 + name..)?.get(..2) != Some(b"=\"") {
        return None;
    }
    quoted_to(head, 1, b'}')
}

const fn is_name(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.')
}

/// The position after the first `end` that is not quoted.
fn quoted_to(text: &[u8], from: usize, end: u8) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (n, c) in text.iter().enumerate().skip(from) {
        match c {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            c if *c == end && !quoted => return Some(n + 1),
            _ => {}
        }
    }
    None
}

/// The shape of a header; none if the text is no header: the rest of something, or a line of the server's own log.
#[must_use]
pub fn shape(header: &[u8]) -> Option<Vec<u8>> {
    if header.len() > LONGEST || is_server_log(header) {
        return None;
    }
    let mut shape = Vec::with_capacity(32);
    let mut at = 0;
    while let Some(&c) = header.get(at) {
        let rest = header.get(at..).unwrap_or_default();
        let group = match c {
            b'[' => structured_data(rest),
            b'{' => labels(rest),
            _ => None,
        };
        if let Some(end) = group {
            shape.extend_from_slice(b"w");
            at += end;
            continue;
        }
        at += 1;
        match c {
            b'"' | b'\\' | b'{' | b'}' => return None,
            b' ' | b'\t' if shape.last() == Some(&b' ') => {}
            b' ' | b'\t' => shape.push(b' '),
            b'<' | b'>' | b'[' | b']' | b'(' | b')' | b'|' | b'=' => shape.push(c),
            _ if shape.last() == Some(&b'w') => {}
            _ => shape.push(b'w'),
        }
    }
    while shape.last() == Some(&b' ') {
        shape.pop();
    }
    let first = header.iter().find(|c| !c.is_ascii_whitespace());
    let last = header.iter().rfind(|c| !c.is_ascii_whitespace());
    let is_rest = matches!(first, Some(b',' | b':' | b']')) || matches!(last, Some(b',' | b'['));
    (!is_rest).then_some(shape)
}

/// What of a line follows a header of the same shape as `like`: so many words as that has.
#[must_use]
pub fn after<'a>(line: &'a [u8], like: &[u8]) -> Option<&'a [u8]> {
    if line.starts_with(like) {
        return line.get(like.len()..);
    }
    let words = like.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty()).count();
    if !like.last()?.is_ascii_whitespace() {
        return None;
    }
    let mut at = 0;
    for _ in 0..words {
        let word = line.get(at..)?.iter().position(u8::is_ascii_whitespace)?;
        at += word;
        at += line.get(at..)?.iter().position(|c| !c.is_ascii_whitespace())?;
    }
    let header = line.get(..at)?;
    (shape(header)? == shape(like)?).then(|| line.get(at..).unwrap_or_default())
}

/// What tells one writer of a shared log from another: the header without what counts on from line to line. That is numbers, times,
/// and numbers within `name=value`; those of a pod, a host or a process are its name.
#[must_use]
pub fn writer(header: &[u8]) -> Vec<u8> {
    let mut writer = Vec::with_capacity(header.len());
    for word in header.split_inclusive(u8::is_ascii_whitespace) {
        let is_of_time = |c: &u8| c.is_ascii_digit() || b"<>[]()-+:.,TZ/|".contains(c);
        if word.trim_ascii_end().iter().all(is_of_time) {
            continue;
        }
        let is_named = word.contains(&b'=') || word.contains(&b'"');
        writer.extend(word.iter().filter(|c| !(is_named && c.is_ascii_digit())));
    }
    writer
}

/// Whether a line is one of the server's own log: a time, a level in brackets, and words. Such lines may quote what callers
/// sent, so nothing in them is an entry.
#[must_use]
pub fn is_server_log(text: &[u8]) -> bool {
    let text = text.get(..text.len().min(LONGEST)).unwrap_or_default();
    ["[TRACE]", "[DEBUG]", "[INFO]", "[WARN]", "[ERROR]"]
        .iter()
        .any(|level| {
            let Some(at) = memchr::memmem::find(text, level.as_bytes()) else {
                return false;
            };
            let before = text.get(..at).unwrap_or_default();
            let time = before
                .trim_ascii_end()
                .rsplit(|c| *c == b' ')
                .next()
                .unwrap_or_default();
            let is_time = time.len() >= 19 && time.first().is_some_and(u8::is_ascii_digit) && time.contains(&b'T');
            let message = text.get(at + level.len()..).unwrap_or_default();
            let words = message.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            is_time && !before.contains(&b'"') && !before.contains(&b'{') && words.count() >= 2
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(line: &str) -> Option<(&str, String)> {
        let at = entry_begins(line.as_bytes())?;
        let shape = shape(&line.as_bytes()[..at])?;
        Some((&line[at..], String::from_utf8(shape).unwrap()))
    }

    #[test]
    fn headers_have_a_shape() {
        for (line, shape) in [
            (r#"my_cluster{"a":1}"#, "w"),
            (r#"@cee: {"a":1}"#, "w"),
            (r#"<34>Oct  1 22:14:15 host vault[1]: {"a":1}"#, "<w>w w w w w[w]w"),
            (r#"<34>Oct 11 22:14:15 other vault[712]: {"a":1}"#, "<w>w w w w w[w]w"),
            (
                r#"<165>1 2026-03-01T08:00:00Z n vault 8 - [m@1 a="{x}" b="\"]"] {"a":1}"#,
                "<w>w w w w w w w",
            ),
            (
                r#"<165>1 2026-03-01T08:00:00Z n vault 8 - - {"a":1}"#,
                "<w>w w w w w w w",
            ),
            (
                r#"676 <134>1 2026-10-01T08:00:00Z v vault 1 - - {"a":1}"#,
                "w <w>w w w w w w w",
            ),
            (r#"[pod/vault-0/vault] {"a":1}"#, "[w]"),
            (r#"2026-10-01T08:00:00Z {app="vault", c="{x}"} {"a":1}"#, "w w"),
            (r#"vault-1  | {"a":1}"#, "w |"),
            (r#"{cluster} {"a":1}"#, "w"),
            (r#"{my_cluster}{"a":1}"#, "w"),
            (r#"2026-10-01T08:00:00.000Z [INFO]  vault-audit: {"a":1}"#, "w [w] w"),
        ] {
            assert_eq!(parts(line), Some((r#"{"a":1}"#, shape.to_owned())), "{line}");
        }
        for line in [
            r#"xxx","z":{"a":1}"#,
            r#":{"a":1}"#,
            r#",{"a":1}"#,
            r#"1,[{"a":1}"#,
            r#"}},{"a":1}"#,
            r#"\n{"a":1}"#,
            r#"2026-03-02T00:00:00.000Z [ERROR] core: could not parse {"a":1}"#,
            r#"[pod/v/v] 2026-03-02T00:00:00.000Z [WARN]  core: got {"a":1}"#,
        ] {
            assert_eq!(parts(line), None, "{line}");
        }
    }

    #[test]
    fn a_writer_is_known_by_what_does_not_count_on() {
        for (one, other, same) in [
            ("[pod/v-0/vault] ", "[pod/v-1/vault] ", false),
            (
                "2026-05-02T10:00:00.1Z vault-0 ",
                "2026-05-02T10:00:07.25+02:00 vault-0 ",
                true,
            ),
            (
                "<34>Oct  1 22:14:15 n1 vault[71]: ",
                "<34>Oct 11 22:14:16 n1 vault[71]: ",
                true,
            ),
            (
                "<34>Oct  1 22:14:15 n1 vault[71]: ",
                "<34>Oct  1 22:14:15 n2 vault[71]: ",
                false,
            ),
            (
                "676 <134>1 2026-10-01T08:00:00Z v ",
                "9 <134>1 2026-10-01T08:00:01Z v ",
                true,
            ),
            ("v - [m seq=\"1\"] ", "v - [m seq=\"20\"] ", true),
        ] {
            assert_eq!(writer(one.as_bytes()) == writer(other.as_bytes()), same, "{one}{other}");
        }
    }

    #[test]
    fn the_rest_of_a_line_stands_after_a_header_of_the_same_shape() {
        let like = b"<34>Oct  1 22:14:15 host vault[1]: ";
        assert_eq!(
            after(b"<34>Oct 11 22:14:16 host vault[1]: abc d", like),
            Some(&b"abc d"[..])
        );
        assert_eq!(after(b"not of this shape at all: abc d", like), None);
        assert_eq!(after(b"my_clusterabc", b"my_cluster"), Some(&b"abc"[..]));
        assert_eq!(after(b"otherabc", b"my_cluster"), None);
    }

    #[test]
    fn a_line_may_say_that_an_entry_is_gone() {
        for (line, is) in [
            ("2026-06-01T00:00:00Z vault: message too long, dropped", true),
            ("Jun  1 00:00:00 node vault[7]: [log line was truncated]", true),
            ("event is too large", true),
            ("[REDACTED]", true),
            ("<truncated>", true),
            ("==> Vault server started! Log data will stream in below:", false),
            (
                "May 02 10:00:00 node-1 backup[7]: context deadline lost after 30 s",
                false,
            ),
            ("2026-05-02T10:00:00.000Z [INFO]  events: event dropped", false),
            ("postfix/qmgr[7]: message removed from the queue", false),
            ("old files dropped", false),
            ("(none)", false),
        ] {
            assert_eq!(says_an_entry_is_gone(line.as_bytes()), is, "{line}");
        }
    }

    #[test]
    fn an_object_may_say_nothing_but_that_an_entry_is_lost() {
        for (text, is) in [
            (r#"{"message":"event too large, dropped"}"#, true),
            (r#"{"log": "12 messages lost"}"#, true),
            (r#"{"message":"started"}"#, false),
            (r#"{"message":"connection dropped","app":"web"}"#, false),
            (r#"{"dropped":3}"#, false),
            ("{}", false),
            ("event too large, dropped", false),
        ] {
            assert_eq!(is_word_of_loss(text.as_bytes()), is, "{text}");
        }
    }

    #[test]
    fn the_servers_own_lines_are_known() {
        assert!(is_server_log(
            b"2026-03-02T00:00:00.000Z [INFO]  core: post-unseal setup complete"
        ));
        assert!(is_server_log(
            b"2026-03-02T00:00:00.000+0100 [WARN]  no cluster address"
        ));
        assert!(!is_server_log(b"[INFO] vault: something else"));
        assert!(!is_server_log(b"2026-03-02T00:00:00.000Z [INFO] audit: "));
    }
}
