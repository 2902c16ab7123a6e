//! Values of JSON and YAML with their places: one tree for both.

use super::text::Text;
use crate::origin::SourceText;
use std::ops::Range;
use std::sync::Arc;

/// How deep values may be nested.
pub const MAX_DEPTH: usize = 64;

/// A value.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub range: Range<usize>,
    /// Where the first line begins that holds it and nothing else, with its name or its dash, where it can go by itself: in YAML, where
    /// it is written in lines and no other value stands for a part of it.
    pub line: Option<usize>,
    /// Whether another reader of YAML may take it, or a name in it, for something else.
    pub odd: bool,
}

/// What a value is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number, as it is written.
    Number(Arc<str>),
    /// A text.
    Text(Text),
    /// Values in order.
    List(Vec<Node>),
    /// Values by name, in the order of the file; of a name that comes twice the last counts.
    Map(Vec<(Arc<str>, Node)>),
}

/// A document that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Where.
    pub offset: usize,
    /// Why, in words.
    pub why: String,
}

/// How many values, and pieces of texts, a document may hold.
const MAX_VALUES: usize = 2_000_000;
/// Why a document is not read further.
pub const TOO_MUCH: &str = "it holds more than is read";
/// Why a document is not read further down.
pub const TOO_DEEP: &str = "it is nested too deep";

impl Trouble {
    /// Whether the document may be a good one all the same, and is only more than is read.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.why == TOO_MUCH || self.why == TOO_DEEP
    }
}

/// Counts the values and the pieces of texts that a document holds.
#[derive(Debug, Default)]
pub struct Count(usize);

impl Count {
    /// One value more.
    ///
    /// # Errors
    /// Where that is too much.
    pub fn add(&mut self, values: usize, at: usize) -> Result<(), Trouble> {
        self.0 = self.0.saturating_add(values);
        if self.0 > MAX_VALUES {
            return Err(Trouble {
                offset: at,
                why: TOO_MUCH.to_owned(),
            });
        }
        Ok(())
    }
}

impl Node {
    /// A value of a map.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Map(entries) => entries
                .iter()
                .rev()
                .find(|(name, _)| **name == *key)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// What a JSON pointer leads to.
    #[must_use]
    pub fn at(&self, pointer: &str) -> Option<&Self> {
        let mut here = self;
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            here = match &here.kind {
                Kind::List(items) => items.get(part.parse::<usize>().ok()?)?,
                _ => here.get(&part)?,
            };
        }
        Some(here)
    }

    /// Whether it is nothing.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// The entries of a map.
    #[must_use]
    pub fn entries(&self) -> &[(Arc<str>, Self)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// The text, where it is one.
    #[must_use]
    pub fn text(&self) -> Option<&Text> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether a text in it is such a one.
    #[must_use]
    pub fn says(&self, such: fn(&str) -> bool) -> bool {
        match &self.kind {
            Kind::Text(text) => such(&text.text),
            Kind::List(items) => items.iter().any(|item| item.says(such)),
            Kind::Map(entries) => entries.iter().any(|(_, value)| value.says(such)),
            _ => false,
        }
    }

    /// Says of it and of all in it that it stands for more than what is around it.
    pub fn share(&mut self) {
        self.line = None;
        match &mut self.kind {
            Kind::List(items) => items.iter_mut().for_each(Self::share),
            Kind::Map(entries) => entries.iter_mut().for_each(|(_, value)| value.share()),
            _ => {}
        }
    }

    /// The letters of the text, where it is one.
    #[must_use]
    pub fn str(&self) -> Option<&str> {
        self.text().map(|t| &*t.text)
    }
}

/// Reads JSON.
///
/// # Errors
/// Where it is none, or nested too deep.
pub fn json(source: &Arc<SourceText>, spelling: crate::origin::Spelling) -> Result<Node, Trouble> {
    let mut reader = Json::of(source, spelling);
    let node = reader.value(0)?;
    reader.space();
    if reader.at < source.text.len() {
        return Err(reader.trouble("something follows the JSON"));
    }
    Ok(node)
}

/// Reads all values of JSON that a file holds, one below the other, with or without a mark of the byte order before them: many
/// programs take such a file.
///
/// # Errors
/// Where something of it is none, or nested too deep.
pub fn stream(source: &Arc<SourceText>, spelling: crate::origin::Spelling) -> Result<Vec<Node>, Trouble> {
    let mut reader = Json::of(source, spelling);
    if source.text.starts_with(BYTE_ORDER) {
        reader.at = BYTE_ORDER.len_utf8();
    }
    let mut all = Vec::new();
    loop {
        all.push(reader.value(0)?);
        reader.space();
        if reader.at >= source.text.len() {
            return Ok(all);
        }
    }
}

/// What may stand before a text, and means nothing.
const BYTE_ORDER: char = '\u{feff}';

struct Json<'s> {
    source: &'s Arc<SourceText>,
    spelling: crate::origin::Spelling,
    at: usize,
    count: Count,
}

impl<'s> Json<'s> {
    fn of(source: &'s Arc<SourceText>, spelling: crate::origin::Spelling) -> Self {
        Self {
            source,
            spelling,
            at: 0,
            count: Count::default(),
        }
    }

    fn rest(&self) -> &[u8] {
        self.source.text.as_bytes().get(self.at..).unwrap_or(&[])
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn trouble(&self, why: &str) -> Trouble {
        Trouble {
            offset: self.at,
            why: why.to_owned(),
        }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, Trouble> {
        self.space();
        if depth > MAX_DEPTH {
            return Err(self.trouble(TOO_DEEP));
        }
        let start = self.at;
        self.count.add(1, start)?;
        let kind = match self.peek() {
            Some(b'{') => self.map(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Kind::Text(self.string()?),
            Some(b't') => self.word("true", Kind::Bool(true))?,
            Some(b'f') => self.word("false", Kind::Bool(false))?,
            Some(b'n') => self.word("null", Kind::Null)?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => return Err(self.trouble("a value is missing")),
        };
        Ok(Node {
            kind,
            range: start..self.at,
            line: None,
            odd: false,
        })
    }

    fn word(&mut self, word: &str, kind: Kind) -> Result<Kind, Trouble> {
        if self.rest().starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(kind);
        }
        Err(self.trouble("a value is missing"))
    }

    fn number(&mut self) -> Result<Kind, Trouble> {
        let start = self.at;
        while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
            self.at += 1;
        }
        let text = self.source.text.get(start..self.at).unwrap_or("");
        match text.parse::<f64>() {
            Ok(_) => Ok(Kind::Number(text.into())),
            Err(_) => Err(self.trouble("it is no number")),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Kind, Trouble> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.space();
            match self.peek() {
                Some(b']') if items.is_empty() => {
                    self.at += 1;
                    return Ok(Kind::List(items));
                }
                _ => items.push(self.value(depth + 1)?),
            }
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Kind::List(items));
                }
                _ => return Err(self.trouble("`,` or `]` is missing")),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Kind, Trouble> {
        self.at += 1;
        let mut entries = Vec::new();
        loop {
            self.space();
            match self.peek() {
                Some(b'}') if entries.is_empty() => {
                    self.at += 1;
                    return Ok(Kind::Map(entries));
                }
                Some(b'"') => {}
                _ => return Err(self.trouble("a name in quotes is missing")),
            }
            let key = self.string()?.text;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.trouble("`:` is missing"));
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            entries.push((key, value));
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Kind::Map(entries));
                }
                _ => return Err(self.trouble("`,` or `}` is missing")),
            }
        }
    }

    fn string(&mut self) -> Result<Text, Trouble> {
        let mut builder = super::text::Builder::default();
        self.at += 1;
        loop {
            let run = self
                .rest()
                .iter()
                .position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f))
                .unwrap_or(self.rest().len());
            builder.exact(self.source, self.spelling, self.at..self.at + run);
            self.at += run;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(builder.finish());
                }
                Some(b'\\') => {
                    let start = self.at;
                    let c = self.escape()?;
                    // It, and what follows it.
                    self.count.add(2, start)?;
                    let mut buffer = [0; 4];
                    builder.whole(
                        c.encode_utf8(&mut buffer),
                        self.source,
                        self.spelling,
                        start..self.at,
                        crate::origin::Hold::Whole,
                    );
                }
                _ => return Err(self.trouble("a text does not end")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Trouble> {
        self.at += 1;
        let c = match self.peek() {
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'u') => {
                self.at += 1;
                let high = self.hex()?;
                return self.char_of(high);
            }
            _ => return Err(self.trouble("there is no such escape")),
        };
        self.at += 1;
        Ok(c)
    }

    fn char_of(&mut self, high: u32) -> Result<char, Trouble> {
        if (0xd800..0xdc00).contains(&high) {
            if !self.rest().starts_with(b"\\u") {
                return Err(self.trouble("half a character"));
            }
            self.at += 2;
            let low = self.hex()?;
            let low = low.wrapping_sub(0xdc00);
            if low >= 0x400 {
                return Err(self.trouble("half a character"));
            }
            let code = 0x1_0000 + ((high - 0xd800) << 10) + low;
            return char::from_u32(code).ok_or_else(|| self.trouble("half a character"));
        }
        char::from_u32(high).ok_or_else(|| self.trouble("half a character"))
    }

    fn hex(&mut self) -> Result<u32, Trouble> {
        let digits = self.source.text.get(self.at..self.at + 4).unwrap_or("");
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(self.trouble("four digits are missing"));
        }
        let value = u32::from_str_radix(digits, 16).map_err(|_| self.trouble("four digits are missing"))?;
        self.at += 4;
        Ok(value)
    }
}
