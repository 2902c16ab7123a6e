//! What of a file makes one policy and no other: a block, or one entry of a `for_each` that is written out.

use crate::origin::SourceText;
use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, ObjectKey};
use std::ops::Range;

/// The lines of a block, with the comment right above it; none where it shares them.
#[must_use]
pub fn lines(source: &SourceText, range: &Range<usize>) -> Option<Range<usize>> {
    let text = &source.text;
    let blank = |range: Range<usize>| text.get(range).is_some_and(|t| t.trim().is_empty());
    let start = source.line_start(range.start);
    let end = source.line_end(range.end.saturating_sub(1));
    let alone = blank(start..range.start) && blank(range.end..end);
    alone.then(|| with_comment(source, start)..end)
}

/// Where the comment begins that stands right above a line, and is not what a file or a list begins with.
fn with_comment(source: &SourceText, start: usize) -> usize {
    let mut above = start;
    while above > 0 {
        let line = source.line_start(above - 1);
        let said = source.text.get(line..above).unwrap_or("").trim();
        if !said.starts_with('#') && !said.starts_with("//") {
            return if said.ends_with(['{', '[', '(']) { start } else { above };
        }
        above = line;
    }
    start
}

/// What of a `for_each` makes one instance: an entry of a map that is written out, or a text of a set; none where another entry may make
/// it too.
#[must_use]
pub fn one(source: &SourceText, each: &Expression, key: &str) -> Option<Range<usize>> {
    let entries = entries(each)?;
    let mut of_key = entries.iter().enumerate().filter(|(_, entry)| entry.key == key);
    let (Some((number, entry)), None) = (of_key.next(), of_key.next()) else {
        return None;
    };
    if let Some(range) = own_lines(source, &entry.range) {
        return Some(range);
    }
    // On one line with others, which each take what parts them along.
    let next = entries.get(number + 1).map(|next| next.range.start);
    let before = number.checked_sub(1).and_then(|n| entries.get(n));
    Some(match (next, before) {
        (Some(next), _) => entry.range.start..next,
        (None, Some(before)) => before.range.end..entry.range.end,
        (None, None) => entry.range.clone(),
    })
}

/// One of the entries that are written out.
struct Entry {
    key: String,
    range: Range<usize>,
}

/// The entries of a map, a set or a list of texts, all of them written out.
fn entries(each: &Expression) -> Option<Vec<Entry>> {
    match each {
        Expression::Parenthesis(inner) => entries(inner.inner()),
        Expression::FuncCall(call)
            if call.name.namespace.is_empty() && matches!(call.name.name.as_str(), "toset" | "tomap") =>
        {
            let mut arguments = call.args.iter();
            entries(arguments.next().filter(|_| arguments.next().is_none())?)
        }
        Expression::Array(items) => items
            .iter()
            .map(|item| {
                let key = item.as_str()?.to_owned();
                Some(Entry {
                    key,
                    range: item.span()?,
                })
            })
            .collect(),
        Expression::Object(object) => object
            .iter()
            .map(|(key, value)| {
                let (name, begin) = match key {
                    ObjectKey::Ident(name) => (name.as_str().to_owned(), name.span()?.start),
                    ObjectKey::Expression(name) => (name.as_str()?.to_owned(), name.span()?.start),
                };
                Some(Entry {
                    key: name,
                    range: begin..value.expr().span()?.end,
                })
            })
            .collect(),
        _ => None,
    }
}

/// The lines of an entry, with its comma and the comments above and behind it; none where it shares them.
fn own_lines(source: &SourceText, range: &Range<usize>) -> Option<Range<usize>> {
    let text = &source.text;
    let start = source.line_start(range.start);
    let end = source.line_end(range.end.saturating_sub(1));
    let before = text.get(start..range.start)?;
    let after = text.get(range.end..end)?.trim();
    let after = after.strip_prefix(',').unwrap_or(after).trim_start();
    let alone = before.trim().is_empty() && (after.is_empty() || after.starts_with('#') || after.starts_with("//"));
    alone.then(|| with_comment(source, start)..end)
}
