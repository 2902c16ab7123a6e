//! What a file is of which nothing could be read, and what would read it.

use super::columns;
use super::entry;
use super::envelope::Envelope;
use super::header;
use super::place;
use super::read;
use super::scan;
use super::source::{Form, LogInput};

/// As much of a file is looked at.
const LOOKED_AT: u64 = 1 << 18;

/// Beginnings of files that are packed in ways that are not read, what they are, and what unpacks them.
const PACKED: [(&[u8], &str, &str); 8] = [
    (b"\x04\x22\x4d\x18", "compressed with LZ4", "lz4 -dc"),
    (b"\xff\x06\x00\x00sNaPpY", "compressed with Snappy", "snzip -dc"),
    (b"LZIP", "compressed with lzip", "lzip -dc"),
    (b"\x1f\x9d", "compressed with compress", "uncompress -c"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "7z x -so"),
    (b"Rar!\x1a\x07", "a RAR archive", "unrar p -inul"),
    (b"\xff\xfe\x00\x00", "UTF-32", "iconv -f UTF-32 -t UTF-8"),
    (b"\x00\x00\xfe\xff", "UTF-32", "iconv -f UTF-32 -t UTF-8"),
];

/// Beginnings of other files.
const OTHERS: [(&[u8], &str); 6] = [
    (
        b"PAR1",
        "Apache Parquet: usage of an earlier run is named with `--usage`",
    ),
    (b"Obj\x01", "Apache Avro, which is not read: export it as JSON"),
    (b"ORC", "Apache ORC, which is not read: export it as JSON"),
    (b"age-encryption.org", "encrypted with age: decrypt it first"),
    (b"-----BEGIN PGP", "encrypted with PGP: decrypt it first"),
    (
        b"SQLite format 3\0",
        "an SQLite database, which is not read: export it as JSON",
    ),
];

/// What a log is, in words, with the flag or the command that would read it where there is one; none if it cannot be told.
#[must_use]
pub fn what_is(log: &LogInput) -> Option<String> {
    let raw = log.beginning(LOOKED_AT)?;
    if raw.is_empty() {
        return Some("empty".to_owned());
    }
    if let Some((_, what, unpack)) = PACKED.iter().find(|(magic, _, _)| raw.starts_with(magic)) {
        return Some(format!(
            "{what}, which is not read: `{unpack} FILE | vault-advisor ... --logs -`"
        ));
    }
    if let Some((_, what)) = OTHERS.iter().find(|(magic, _)| raw.starts_with(magic)) {
        return Some((*what).to_owned());
    }
    let text = match read::beginning(&raw) {
        Ok(text) => text,
        Err(what) => return Some(what.to_owned()),
    };
    of_text(&text)
}

/// What a log is that cannot be followed while it grows, by the beginning of its bytes, and what to do; none for text, and for what
/// [`Stored`](super::Stored) names.
#[must_use]
pub fn not_followed(head: &[u8]) -> Option<String> {
    let whole =
        "which is read whole or not at all: unpack it beside the logs that are watched, or read it with `usage --logs`";
    if let Some((_, what, unpack)) = PACKED.iter().find(|(magic, _, _)| head.starts_with(magic)) {
        return Some(format!("it is {what}, which is not read: unpack it with `{unpack}`"));
    }
    match Form::of(head) {
        Form::Text { utf16: None } | Form::Stored(_) => None,
        Form::Text { utf16: Some(_) } => Some(
            "it is UTF-16, which is not followed: write the log as UTF-8, or read it with `usage --logs`".to_owned(),
        ),
        Form::Zip => Some(format!("it is a zip archive, {whole}")),
        Form::Tar => Some(format!("it is a tar archive, {whole}")),
    }
}

fn of_text(text: &[u8]) -> Option<String> {
    let mut lines = text
        .split(|c| *c == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty());
    let first = lines.next()?;
    if memchr::memmem::find(text, b"<json:object").is_some() {
        return Some(
            "written with `format=jsonx` (XML), which is not read: set `format=json` for the audit device".to_owned(),
        );
    }
    if first.starts_with(b"<?xml") || first.starts_with(b"<html") || first.starts_with(b"<!DOCTYPE") {
        return Some("XML or HTML, not a log: export it as JSON".to_owned());
    }
    let whole = text.trim_ascii();
    let value = match whole.first() {
        Some(b'{' | b'[') if scan::container(whole, 0) == Ok(whole.len()) => whole,
        _ => first,
    };
    if matches!(value.first(), Some(b'{' | b'[')) && !is_behind_other_text(value) {
        return Some(of_json(value));
    }
    if let Some(names) = columns::names(first, lines.next()) {
        return Some(format!(
            "a table with the columns {}, and no audit entry in any of them",
            names
                .iter()
                .take(8)
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ")
        ));
    }
    if !is_behind_other_text(first) {
        return None;
    }
    let before = header::first_entry(first).and_then(|at| first.get(..at));
    Some(match before.is_some_and(|before| before.contains(&b'{')) {
        false => format!(
            "lines with an entry behind other text: `--envelope {}`",
            Envelope::Prefix
        ),
        true => "lines with an entry behind other text that is not understood, since a brace stands in it: take it away, so that each line begins \
                 with its entry"
            .to_owned(),
    })
}

/// Whether an entry stands behind other text, to the end of the line.
fn is_behind_other_text(line: &[u8]) -> bool {
    header::first_entry(line).is_some_and(|at| {
        let entry = entry::parse(line, at);
        at > 0 && matches!(entry, Ok((Some(_), end)) if end == line.len())
    })
}

fn of_json(value: &[u8]) -> String {
    match place::request(value) {
        Some((pointer, true)) if pointer.is_empty() => {
            format!(
                "JSON with audit entries that nothing wraps: `--envelope {}`",
                Envelope::Json
            )
        }
        Some((pointer, true)) => {
            let quoted = pointer.replace('\'', r"'\''");
            format!("JSON with an audit entry at `{pointer}`: `--unwrap '{quoted}'`")
        }
        Some((pointer, false)) => format!(
            "JSON with a `request` in the object at `{pointer}`, which is no audit entry: `type` (`request` or `response`) is missing beside it"
        ),
        None => "JSON without any object that has a `request`: is it the audit log, or the server's own?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(bytes: &[u8]) -> Option<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        what_is(&LogInput::File(file.path().to_owned()))
    }

    #[test]
    fn a_file_says_what_it_is() {
        for (bytes, says) in [
            (&b""[..], "empty"),
            (b"\x04\x22\x4d\x18xx", "LZ4"),
            (b"7z\xbc\xaf\x27\x1cxx", "7z x -so"),
            (b"PAR1xx", "--usage"),
            (br#"{"a":{"b/c":[{"request":{"path":"x"}}]}}"#, "at `/a/b~1c/*`"),
            (
                br#"{"a":{"b":{"type":"request","request":{"path":"x"}}}}"#,
                "--unwrap '/a/b'",
            ),
            (br#"{"type":"request","request":{"path":"x"}}"#, "--envelope json"),
            (br#"{"level":"info","msg":"x"}"#, "without any object"),
            (b"one,two,three\n1,2,3\n", "columns `one`, `two`, `three`"),
            (
                br#"say "x" {"type":"request","request":{"path":"x"}}"#,
                "--envelope prefix",
            ),
            (
                br#"["a"] {"type":"request","request":{"path":"x"}}"#,
                "--envelope prefix",
            ),
            (
                br#"[a{b] {"type":"request","auth":{"a":"b"},"request":{"path":"x"}}"#,
                "not understood",
            ),
            (b"one,two\n1,2\n", "columns `one`, `two`"),
            (b"\"time\",\"message\"\n\"a\",\"b\"\n", "columns `time`, `message`"),
            (b"<?xml version=\"1.0\"?>", "XML"),
            (b"<json:object name=\"auth\">", "jsonx"),
        ] {
            let said = what(bytes).unwrap_or_default();
            assert!(said.contains(says), "{said}");
        }
        assert_eq!(what(b"just words"), None);
        assert_eq!(what(b"well, words\nand more\n"), None);
        let zip = include_bytes!("../../fixtures/shapes/audit.zip");
        assert!(what(&zip[..60]).unwrap().contains("archive"));
    }
}
