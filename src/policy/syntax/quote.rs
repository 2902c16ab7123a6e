//! What stands between the quotes: the value of a string or heredoc token, by the servers' own rules, and a value put between them.

use super::ast::Kind;
use super::cursor::RESERVED;
use super::error::hidden;
use std::borrow::Cow;
use std::fmt::Write as _;

/// The value of a token that is a bare word, a string, a heredoc or JSON's null.
///
/// # Errors
///
/// Where the servers fail on the text of a string that their scanner let through.
pub(super) fn value(kind: Kind, text: &str, json: bool) -> Result<String, &'static str> {
    match kind {
        Kind::Str if json => go_string(text),
        Kind::Str => hcl_string(text),
        Kind::Heredoc => Ok(heredoc(text)),
        Kind::Null => Ok(String::new()),
        _ => Ok(text.to_owned()),
    }
}

fn unfolded(text: &str) -> Cow<'_, str> {
    if text.contains("\r\n") {
        Cow::Owned(text.replace("\r\n", "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

fn inside_quotes(text: &str) -> Result<&str, &'static str> {
    text.strip_prefix('"')
        .and_then(|t| t.strip_suffix('"'))
        .ok_or("string without quotes")
}

/// Bytes to text; each byte that is no UTF-8 becomes U+FFFD, as the servers show it.
fn text_of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

/// HCL 1: escapes outside of `${ }`, everything as it is inside.
fn hcl_string(text: &str) -> Result<String, &'static str> {
    let text = unfolded(text);
    let body = inside_quotes(&text)?;
    if !body.contains(['\\', '$', '"']) {
        return Ok(body.to_owned());
    }
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(ch) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("${") {
            let length = interpolation(after)?;
            let (inner, tail) = after.split_at_checked(length).ok_or("broken interpolation")?;
            out.extend_from_slice(b"${");
            out.extend_from_slice(inner.as_bytes());
            rest = tail;
            continue;
        }
        match ch {
            '\n' => return Err("line end in a string"),
            '"' => return Err("quote in a string"),
            '\\' => rest = unescape(rest, &mut out, false)?,
            _ => {
                let (head, tail) = rest.split_at_checked(ch.len_utf8()).unwrap_or((rest, ""));
                out.extend_from_slice(head.as_bytes());
                rest = tail;
            }
        }
    }
    Ok(text_of(&out))
}

/// How many bytes to the `}` that closes an interpolation.
fn interpolation(text: &str) -> Result<usize, &'static str> {
    let mut braces = 1_usize;
    for (at, ch) in text.char_indices() {
        match ch {
            char::REPLACEMENT_CHARACTER => return Err("U+FFFD inside of `${ }`"),
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces == 0 {
                    return Ok(at + 1);
                }
            }
            _ => {}
        }
    }
    Err("`${` without its `}`")
}

/// JSON, read with Go's rules for strings, not with JSON's: no `\/`, no surrogate pairs.
fn go_string(text: &str) -> Result<String, &'static str> {
    let body = inside_quotes(text)?;
    if !body.contains(['\\', '"', '\n']) {
        return Ok(body.to_owned());
    }
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(ch) = rest.chars().next() {
        match ch {
            '\n' => return Err("line end in a string"),
            '"' => return Err("quote in a string"),
            '\\' => rest = unescape(rest, &mut out, true)?,
            _ => {
                let (head, tail) = rest.split_at_checked(ch.len_utf8()).unwrap_or((rest, ""));
                out.extend_from_slice(head.as_bytes());
                rest = tail;
            }
        }
    }
    Ok(text_of(&out))
}

/// Reads the escape at the start of `text`; gives back what follows it.
fn unescape<'a>(text: &'a str, out: &mut Vec<u8>, strict: bool) -> Result<&'a str, &'static str> {
    const BROKEN: &str = "broken escape in a string";
    let mut chars = text.chars();
    chars.next();
    let ch = chars.next().ok_or(BROKEN)?;
    let after = chars.as_str();
    let simple = match ch {
        'a' => Some(7),
        'b' => Some(8),
        'f' => Some(12),
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        'v' => Some(11),
        '\\' | '"' => u8::try_from(ch).ok(),
        _ => None,
    };
    if let Some(byte) = simple {
        out.push(byte);
        return Ok(after);
    }
    let (base, digits, from) = match ch {
        '0'..='7' => (8, 3, text.strip_prefix('\\').unwrap_or("")),
        'x' => (16, 2, after),
        'u' => (16, 4, after),
        'U' => (16, 8, after),
        _ => return Err(BROKEN),
    };
    let (number, rest) = from.split_at_checked(digits).ok_or(BROKEN)?;
    if !number.chars().all(|c| c.is_digit(base)) {
        return Err(BROKEN);
    }
    let value = u32::from_str_radix(number, base).map_err(|_| BROKEN)?;
    if matches!(ch, 'u' | 'U') {
        let c = match char::from_u32(value) {
            Some(c) => c,
            // HCL turns a lone surrogate into U+FFFD, Go's own rules refuse it; both refuse what lies beyond Unicode.
            None if !strict && value <= 0x0010_ffff => char::REPLACEMENT_CHARACTER,
            None => return Err("escape outside of Unicode"),
        };
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        out.push(u8::try_from(value).map_err(|_| "octal escape above 377")?);
    }
    Ok(rest)
}

/// The value of a heredoc, cut as the servers cut it: by the length of the first line, not by the last line itself.
fn heredoc(text: &str) -> String {
    let text = unfolded(text);
    let bytes = text.as_bytes();
    let Some(line_end) = bytes.iter().position(|b| *b == b'\n') else {
        return String::new();
    };
    let body = |keep: usize| {
        let end = (bytes.len() + keep).saturating_sub(line_end);
        bytes.get(line_end + 1..end).unwrap_or(&[])
    };
    if bytes.get(2) != Some(&b'-') {
        return text_of(body(1));
    }
    let lines: Vec<&[u8]> = body(2).split(|b| *b == b'\n').collect();
    let indent = lines.last().copied().unwrap_or(&[]);
    if lines.iter().all(|line| line.starts_with(indent)) {
        let mut out = Vec::new();
        for line in lines.iter().take(lines.len().saturating_sub(1)) {
            out.extend_from_slice(line.strip_prefix(indent).unwrap_or(line));
            out.push(b'\n');
        }
        return text_of(&out);
    }
    let mut whole = body(1);
    while let Some((last, head)) = whole.split_last()
        && matches!(last, b' ' | b'\t')
    {
        whole = head;
    }
    text_of(whole)
}

/// A text as an HCL string, quotes included. Reads back as the same text whatever it holds.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' if rest.as_str().starts_with('{') && !harmless_interpolation(rest.as_str()) => out.push_str("\\x24"),
            c if hidden(c) || c == RESERVED => {
                let code = u32::from(c);
                let _ = if code <= 0xffff {
                    write!(out, "\\u{code:04x}")
                } else {
                    write!(out, "\\U{code:08x}")
                };
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether the `{...}` after a `$` holds a plain name only.
fn harmless_interpolation(text: &str) -> bool {
    text.strip_prefix('{')
        .and_then(|inner| inner.split_once('}'))
        .is_some_and(|(name, _)| {
            name.chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        })
}
