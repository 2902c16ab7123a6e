//! Tables: the head names the columns, and each row becomes an object, in which the entry is looked for as in any other.
//!
//! What exports differ in is found out by the first lines: what separates columns (spreadsheets say it in a line of its own, `sep=;`),
//! whether quotes in a cell are doubled or behind a backslash, blanks before a quote, and whether there is a head at all.

use super::scan;
use serde_json::{Map, Value};

/// The most bytes of one row.
const MOST_BYTES: usize = 64 << 20;

/// What separates columns.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Columns by which a head is known: those in which exports keep the text, and the dotted name of what makes an entry.
const TELLING: [&str; 15] = [
    "_raw",
    "message",
    "@message",
    "msg",
    "log",
    "line",
    "event",
    "content",
    "logmessage",
    "log_s",
    "textpayload",
    "jsonpayload",
    "event.original",
    "log entry",
    "request.path",
];

/// What a line of a table is.
#[derive(Debug)]
pub enum Row {
    /// No line of a table.
    None,
    /// The head.
    Head,
    /// The beginning of a row that goes on in the next line, or what may be a head, as the next line tells.
    Held,
    /// A row, which may have stood on further lines.
    Record {
        /// The row as an object.
        object: String,
        /// How many lines more than one.
        further: u64,
    },
    /// So many lines that were taken for a row and are none.
    Broken(u64),
}

/// A table as it is read. A log is one if its first line is a head.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    /// Whether the first line was seen.
    begun: bool,
    delimiter: u8,
    /// Quotes within a cell stand behind a backslash; else they are doubled.
    escaped: bool,
    /// None: it is no table.
    names: Vec<String>,
    /// What may be a head, if the next line holds an entry in a column.
    maybe: Option<(u8, Vec<String>)>,
    /// The line of that.
    aside: Vec<u8>,
    /// The beginning of a row.
    open: Vec<u8>,
    /// How its end stands.
    quotes: Quotes,
    lines: u64,
}

/// Whether a place in a row stands within quotes, and behind a backslash.
#[derive(Debug, Clone, Copy, Default)]
struct Quotes {
    quoted: bool,
    behind: bool,
}

impl Quotes {
    fn pass(&mut self, c: u8, escaped: bool) {
        match c {
            _ if self.behind => self.behind = false,
            b'\\' => self.behind = escaped,
            b'"' => self.quoted = !self.quoted,
            _ => {}
        }
    }
}

impl Columns {
    /// Whether a row waits for its rest.
    #[must_use]
    pub const fn waits(&self) -> bool {
        !self.open.is_empty() || self.maybe.is_some()
    }

    /// The line that waited to be known for a head, and whether it was one; nothing where none waited.
    pub fn waited(&mut self) -> Option<(Vec<u8>, bool)> {
        let is_known = self.maybe.is_none() && !self.aside.is_empty();
        is_known.then(|| (std::mem::take(&mut self.aside), !self.names.is_empty()))
    }

    /// Reads a line.
    pub fn line(&mut self, raw: &[u8]) -> Row {
        if !self.begun {
            let text = raw.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(raw).trim_ascii();
            if text.is_empty() {
                return Row::None;
            }
            if says_the_delimiter(text) {
                return Row::Head;
            }
            self.begun = true;
            if let Some((delimiter, names)) = head(text) {
                (self.delimiter, self.names) = (delimiter, names);
                return Row::Head;
            }
            let Some((delimiter, width)) = no_head(text) else {
                self.maybe = any_head(text);
                if self.maybe.is_none() {
                    return Row::None;
                }
                self.aside = raw.to_vec();
                return Row::Held;
            };
            (self.delimiter, self.escaped) = (delimiter, is_escaped(text));
            self.names = (1..=width).map(|column| column.to_string()).collect();
        } else if let Some((delimiter, names)) = self.maybe.take() {
            let fields = record(raw, delimiter, is_escaped(raw)).map_or(0, |fields| fields.len());
            let is_row = match cell(raw) {
                Some(Cell::Whole) => fields == names.len(),
                Some(Cell::Begun) => (1..=names.len()).contains(&fields),
                None => false,
            };
            if is_row {
                (self.delimiter, self.names) = (delimiter, names);
            }
        }
        if self.names.is_empty() || (self.open.is_empty() && !self.is_row(raw)) {
            return Row::None;
        }
        self.escaped |= self.open.is_empty() && is_escaped(raw);
        self.open.extend_from_slice(raw);
        self.lines += 1;
        if self.open.len() > MOST_BYTES {
            return Row::Broken(self.end());
        }
        raw.iter().for_each(|c| self.quotes.pass(*c, self.escaped));
        if self.quotes.quoted {
            self.open.push(b'\n');
            self.quotes.pass(b'\n', self.escaped);
            return Row::Held;
        }
        let row = std::mem::take(&mut self.open);
        self.quotes = Quotes::default();
        let lines = std::mem::take(&mut self.lines);
        match record(&row, self.delimiter, self.escaped) {
            Some(fields) => {
                let named = self.names.iter().cloned().zip(fields.into_iter().map(Value::String));
                Row::Record {
                    object: Value::Object(named.collect::<Map<_, _>>()).to_string(),
                    further: lines - 1,
                }
            }
            None => Row::Broken(lines),
        }
    }

    /// Blank lines and bare entries are no rows.
    fn is_row(&self, raw: &[u8]) -> bool {
        !matches!(raw.trim_ascii().first(), None | Some(b'{' | b'['))
    }

    /// The log ends: so many lines of a row have no end.
    pub fn end(&mut self) -> u64 {
        self.maybe = None;
        self.open.clear();
        self.quotes = Quotes::default();
        std::mem::take(&mut self.lines)
    }
}

/// The columns, if a line looks like the head of any table; of two columns where the row that follows has as many. A name holds no value:
/// nothing of JSON is one.
#[must_use]
pub fn names(line: &[u8], row: Option<&[u8]>) -> Option<Vec<String>> {
    let is_name = |name: &String| {
        let name = name.trim();
        (1..=64).contains(&name.len()) && name.split_whitespace().count() <= 3 && !name.contains(['{', '}', '"'])
    };
    DELIMITERS.into_iter().find_map(|delimiter| {
        let names = record(line, delimiter, false)?;
        let as_many = || {
            row.and_then(|row| record(row, delimiter, false))
                .is_some_and(|row| row.len() == names.len())
        };
        let is_table = names.len() > 2 || names.len() == 2 && as_many();
        (is_table && names.iter().all(is_name)).then_some(names)
    })
}

/// The columns, if a line is a head.
fn head(text: &[u8]) -> Option<(u8, Vec<String>)> {
    if text.len() > 64 << 10 || text.contains(&b'{') {
        return None;
    }
    DELIMITERS.into_iter().find_map(|delimiter| {
        let names = record(text, delimiter, false)?;
        let is_known = |name: &String| TELLING.iter().any(|known| name.trim().eq_ignore_ascii_case(known));
        let is_dotted = |name: &String| name.ends_with(".request.path");
        let telling = names.iter().any(|name| is_known(name) || is_dotted(name));
        let whole = names.len() > 1
            || names
                .first()
                .is_some_and(|name| name == "_raw" || text.first() == Some(&b'"'));
        let short = names.iter().all(|name| name.len() <= 256);
        (telling && whole && short).then_some((delimiter, names))
    })
}

/// What may be the head of a table whose columns say nothing by their names.
fn any_head(text: &[u8]) -> Option<(u8, Vec<String>)> {
    if text.len() > 64 << 10 || text.contains(&b'{') {
        return None;
    }
    let named = DELIMITERS
        .into_iter()
        .filter_map(|delimiter| Some((delimiter, record(text, delimiter, false)?)));
    named.max_by_key(|(_, names)| names.len())
}

/// Whether a first line says what separates columns, as spreadsheets write it.
fn says_the_delimiter(text: &[u8]) -> bool {
    let inner = text.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    matches!(inner.unwrap_or(text), [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter] if DELIMITERS.contains(delimiter))
}

/// The delimiter and the number of columns, if a first line is a row already: one of its cells is a whole object, in quotes.
fn no_head(text: &[u8]) -> Option<(u8, usize)> {
    cell(text)?;
    let is_object = |field: &String| field.starts_with('{') && scan::container(field.as_bytes(), 0) == Ok(field.len());
    DELIMITERS.into_iter().find_map(|delimiter| {
        let fields = record(text, delimiter, is_escaped(text))?;
        // A text alone in its line is one of JSON.
        let is_row = fields.iter().any(is_object) && !(fields.len() == 1 && is_escaped(text));
        is_row.then_some((delimiter, fields.len()))
    })
}

/// How an object stands in a cell of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    /// With its first member.
    Whole,
    /// It goes on in the next line.
    Begun,
}

/// Whether an object stands in a cell.
fn cell(line: &[u8]) -> Option<Cell> {
    let has = |begin: &[u8]| memchr::memmem::find(line, begin).is_some();
    if has(b"\"{\"\"") || is_escaped(line) {
        Some(Cell::Whole)
    } else {
        line.trim_ascii_end().ends_with(b"\"{").then_some(Cell::Begun)
    }
}

/// Whether the quotes of an object in a cell stand behind backslashes.
fn is_escaped(line: &[u8]) -> bool {
    memchr::memmem::find(line, b"\"{\\\"").is_some()
}

/// A row without the blanks between what separates columns and a quote.
fn without_blanks(text: &[u8], delimiter: u8, escaped: bool) -> Vec<u8> {
    let mut kept: Vec<u8> = Vec::with_capacity(text.len());
    let mut quotes = Quotes::default();
    for &c in text {
        if c == b'"' && !quotes.quoted && !quotes.behind {
            let blanks = kept.iter().rev().take_while(|c| **c == b' ').count();
            let before = kept.len() - blanks;
            if kept.get(..before).is_some_and(|kept| kept.ends_with(&[delimiter])) {
                kept.truncate(before);
            }
        }
        quotes.pass(c, escaped);
        kept.push(c);
    }
    kept
}

fn record(text: &[u8], delimiter: u8, escaped: bool) -> Option<Vec<String>> {
    let has_blanks = memchr::memmem::find(text, &[delimiter, b' ', b'"']).is_some();
    let closed_up = has_blanks.then(|| without_blanks(text, delimiter, escaped));
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .escape(escaped.then_some(b'\\'))
        .double_quote(!escaped)
        .from_reader(closed_up.as_deref().unwrap_or(text));
    let mut record = csv::ByteRecord::new();
    reader.read_byte_record(&mut record).ok()?.then_some(())?;
    Some(
        record
            .iter()
            .map(|field| String::from_utf8_lossy(field).into_owned())
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_known_by_its_head() {
        let mut table = Columns::default();
        assert!(matches!(table.line(b"\xef\xbb\xbfDate,\"Message\""), Row::Head));
        assert!(matches!(table.line(b"{\"bare\":1}"), Row::None));
        let Row::Record { object, further: 0 } = table.line(br#"2026,"{""a"":1}""#) else {
            panic!("no row");
        };
        assert_eq!(object, r#"{"Date":"2026","Message":"{\"a\":1}"}"#);
        assert!(matches!(table.line(br#"2026,"two"#), Row::Held));
        assert!(table.waits());
        let Row::Record { object, further: 1 } = table.line(br#"lines""#) else {
            panic!("no row");
        };
        assert_eq!(object, r#"{"Date":"2026","Message":"two\nlines"}"#);
        assert!(matches!(table.line(br#"2026,"no end"#), Row::Held));
        assert_eq!(table.end(), 1);
        let mut table = Columns::default();
        assert!(matches!(table.line(b"when;what"), Row::Held));
        assert!(table.waits() && table.waited().is_none());
        assert!(matches!(table.line(br#"now;"{""a"":1}""#), Row::Record { .. }));
        assert_eq!(table.waited(), Some((b"when;what".to_vec(), true)));
        for first in ["sep=;", "\"sep=;\""] {
            let mut table = Columns::default();
            assert!(matches!(table.line(first.as_bytes()), Row::Head), "{first}");
            assert!(matches!(table.line(b"when;message"), Row::Head));
        }
        for text in [r#"{"message":1,"x":2}"#, ""] {
            assert!(matches!(Columns::default().line(text.as_bytes()), Row::None), "{text}");
        }
        for text in ["hello, world", "message"] {
            let mut table = Columns::default();
            assert!(matches!(table.line(text.as_bytes()), Row::Held), "{text}");
            assert!(matches!(table.line(b"{}"), Row::None), "{text}");
            assert_eq!(table.waited(), Some((text.as_bytes().to_vec(), false)));
        }
    }

    #[test]
    fn what_tables_differ_in_is_found_out() {
        let whole = r#"{"a":"b\\c","d":[1,2]}"#;
        let doubled = whole.replace('"', "\"\"");
        let escaped = whole.replace('\\', "\\\\").replace('"', "\\\"");
        for (lines, column) in [
            (vec![format!("1,h,\"{doubled}\",z")], "3"),
            (vec![format!("1;h;\"{escaped}\"")], "3"),
            (vec![format!("\"{doubled}\"")], "1"),
            (vec!["when,what".to_owned(), format!("1, \"{doubled}\"")], "what"),
            (vec!["when,what,z".to_owned(), format!("1,\"{escaped}\",2")], "what"),
            (vec!["time, msg".to_owned(), format!("1, \"{doubled}\"")], "msg"),
            (
                vec![
                    "when,what,z".to_owned(),
                    "1,\"{".to_owned(),
                    format!("{}\",2", &doubled[1..]),
                ],
                "what",
            ),
        ] {
            let mut table = Columns::default();
            let row = lines.iter().map(|line| table.line(line.as_bytes())).last();
            let Some(Row::Record { object, .. }) = row else {
                panic!("{lines:?}: {row:?}");
            };
            let object: Value = serde_json::from_str(&object).unwrap();
            let cell = object
                .as_object()
                .unwrap()
                .iter()
                .find(|(name, _)| name.trim() == column)
                .unwrap();
            let cell: Value = serde_json::from_str(cell.1.as_str().unwrap()).unwrap();
            assert_eq!(cell, serde_json::from_str::<Value>(whole).unwrap(), "{lines:?}");
        }
        // A text of JSON alone in its line is read as that.
        assert!(matches!(
            Columns::default().line(format!("\"{escaped}\"").as_bytes()),
            Row::None
        ));
    }
}
