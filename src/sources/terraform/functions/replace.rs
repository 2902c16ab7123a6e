//! `replace`, of words and by regular expressions.

use super::{Call, Care, Function, PIECE, Why, function};
use crate::sources::terraform::value::Value;
use crate::sources::text::{Builder, Cutter, Text};
use regex_automata::meta;

/// How large a regular expression may get, in bytes, and how many steps making one counts for.
const PATTERN_SIZE: usize = 64 * 1024;
const PATTERN_STEPS: usize = 2_000;

const ODD_PATTERN: &str = "`replace(…)` has a regular expression that is not understood";

pub(super) const FUNCTIONS: &[Function] = &[function("replace", (3, 3), Care::Settled, replace)];

fn replace(call: &Call<'_>) -> Result<Value, Why> {
    let whole = call.placed(0)?;
    let what = call.text(1)?;
    if what.is_empty() && !whole.text.is_ascii() {
        return Err("`replace(…)` between the letters of a text that is not ASCII alone".into());
    }
    if what.len() > 1 && what.starts_with('/') && what.ends_with('/') {
        return replace_matches(call, &whole, what.get(1..what.len() - 1).unwrap_or_default());
    }
    let with = call.placed(2)?;
    let mut builder = Builder::default();
    let mut cutter = Cutter::new(&whole);
    let mut at = 0;
    for (found, _) in whole.text.match_indices(&*what) {
        call.world.makes(with.text.len() + PIECE)?;
        cutter.part(&mut builder, at..found);
        builder.made(&with.text);
        at = found + what.len();
    }
    cutter.part(&mut builder, at..whole.text.len());
    Ok(Value::Text(call.built(builder)?))
}

/// `replace` with a regular expression: what is between the matches stays what it was, `$1` and `${name}` are groups.
fn replace_matches(call: &Call<'_>, whole: &Text, pattern: &str) -> Result<Value, Why> {
    let text: &str = &whole.text;
    // Terraform's `\d`, `\w` and `\b` are ASCII alone, those here are not: of other texts nothing is said.
    if !text.is_ascii() {
        return Err("`replace(…)` with a regular expression of a text that is not ASCII alone".into());
    }
    let with = call.placed(2)?;
    if !is_common(pattern) || text.contains('\u{b}') {
        return Err(ODD_PATTERN.into());
    }
    call.world.works(PATTERN_STEPS + text.len())?;
    let regex = compiled(pattern)?;
    // No more than this comes into the place of a match.
    let longest = with.text.len() + with.text.matches('$').count().saturating_mul(text.len());
    let mut builder = Builder::default();
    let mut cutter = Cutter::new(whole);
    let mut at = 0;
    for found in regex.captures_iter(text) {
        let Some(span) = found.get_match().map(|m| m.range()) else {
            continue;
        };
        call.world.makes(longest.saturating_add(PIECE))?;
        let mut made = String::new();
        found.interpolate_string_into(text, &with.text, &mut made);
        cutter.part(&mut builder, at..span.start);
        builder.made(&made);
        at = span.end;
    }
    cutter.part(&mut builder, at..text.len());
    Ok(Value::Text(call.built(builder)?))
}

fn compiled(pattern: &str) -> Result<meta::Regex, Why> {
    let bounds = meta::Config::new()
        .nfa_size_limit(Some(PATTERN_SIZE))
        .onepass_size_limit(Some(PATTERN_SIZE));
    let compiled = meta::Builder::new().configure(bounds).build(pattern);
    compiled.map_err(|_| format!("{ODD_PATTERN}, or large").into())
}

/// Whether a regular expression means the same to Go and here: what only one of them knows is not in it.
fn is_common(pattern: &str) -> bool {
    let mut rest = pattern.chars().peekable();
    let mut class = false;
    while let Some(c) = rest.next() {
        let next = rest.peek().copied();
        let fine = match c {
            '\\' => {
                let escaped = rest.next();
                let letter = matches!(escaped, Some('d' | 'D' | 'w' | 'W' | 's' | 'S' | 'n' | 't' | 'r'));
                let edge = !class && matches!(escaped, Some('b' | 'B')) && rest.peek() != Some(&'{');
                let sign = escaped.is_some_and(|c| c.is_ascii_punctuation() && !matches!(c, '<' | '>'));
                letter || edge || sign
            }
            '[' if class => false,
            '[' => {
                class = true;
                // What a class begins with may stand for itself.
                rest.next_if_eq(&'^');
                next != Some(']') && rest.peek() != Some(&']')
            }
            ']' if class => {
                class = false;
                true
            }
            ']' => false,
            '&' | '-' | '~' if class => next != Some(c),
            '(' if !class && next == Some('?') => {
                rest.next();
                let mut word = String::new();
                while let Some(c) = rest.next_if(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '<' | '>')) {
                    word.push(c);
                }
                let name = word.strip_prefix("P<").and_then(|name| name.strip_suffix('>'));
                matches!(&*word, ":" | "i" | "m" | "s" | "im" | "is" | "ms" | "i:" | "m:" | "s:")
                    || name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
            }
            '{' if !class => {
                let mut word = String::new();
                while let Some(c) = rest.next_if(|c| c.is_ascii_digit() || *c == ',') {
                    word.push(c);
                }
                let closed = rest.next() == Some('}');
                closed && word.starts_with(|c: char| c.is_ascii_digit()) && word.matches(',').count() < 2
            }
            '}' if !class => false,
            c => c.is_ascii(),
        };
        if !fine {
            return false;
        }
    }
    !class
}
