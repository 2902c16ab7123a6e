//! Texts: cut, joined, and asked.

use super::{Call, Care, Function, MANY, PIECE, Why, function};
use crate::sources::terraform::value::Value;
use crate::sources::text::{Builder, Cutter, Text};
use std::collections::BTreeSet;

pub(super) const FUNCTIONS: &[Function] = &[
    function("upper", (1, 1), Care::Plain, upper),
    function("lower", (1, 1), Care::Plain, lower),
    function("title", (1, 1), Care::Plain, title),
    function("strrev", (1, 1), Care::Plain, reverse),
    function("trim", (2, 2), Care::Settled, trim),
    function("trimspace", (1, 1), Care::Settled, trim_space),
    function("trimprefix", (2, 2), Care::Settled, trim_prefix),
    function("trimsuffix", (2, 2), Care::Settled, trim_suffix),
    function("chomp", (1, 1), Care::Settled, chomp),
    function("substr", (3, 3), Care::Plain, sub_string),
    function("split", (2, 2), Care::Settled, split),
    function("join", (2, MANY), Care::Any, join),
    function("indent", (2, 2), Care::Settled, indent),
    function("startswith", (2, 2), Care::Settled, starts_with),
    function("endswith", (2, 2), Care::Settled, ends_with),
    function("strcontains", (2, 2), Care::Settled, contains),
    function("basename", (1, 1), Care::Plain, base_name),
    function("dirname", (1, 1), Care::Plain, folder_name),
];

fn upper(call: &Call<'_>) -> Result<Value, Why> {
    call.made(call.text(0)?.to_uppercase())
}

fn lower(call: &Call<'_>) -> Result<Value, Why> {
    call.made(call.text(0)?.to_lowercase())
}

fn title(call: &Call<'_>) -> Result<Value, Why> {
    let text = call.text(0)?;
    let mut out = String::with_capacity(text.len());
    let mut start = true;
    for c in text.chars() {
        out.push(if start { c.to_ascii_uppercase() } else { c });
        start = !c.is_ascii_alphanumeric() && c != '_';
    }
    call.made(out)
}

fn reverse(call: &Call<'_>) -> Result<Value, Why> {
    call.made(call.text(0)?.chars().rev().collect())
}

/// A part of a text, which keeps its places.
fn cut(whole: &Text, kept: &str) -> Value {
    let start = kept.as_ptr() as usize - whole.text.as_ptr() as usize;
    Value::Text(whole.part(start..start + kept.len()))
}

fn trim(call: &Call<'_>) -> Result<Value, Why> {
    let text = call.placed(0)?;
    let off: BTreeSet<char> = call.text(1)?.chars().collect();
    Ok(cut(&text, text.text.trim_matches(|c| off.contains(&c))))
}

fn trim_space(call: &Call<'_>) -> Result<Value, Why> {
    let text = call.placed(0)?;
    Ok(cut(&text, text.text.trim()))
}

fn trim_prefix(call: &Call<'_>) -> Result<Value, Why> {
    let text = call.placed(0)?;
    let prefix = call.text(1)?;
    Ok(cut(&text, text.text.strip_prefix(&*prefix).unwrap_or(&text.text)))
}

fn trim_suffix(call: &Call<'_>) -> Result<Value, Why> {
    let text = call.placed(0)?;
    let suffix = call.text(1)?;
    Ok(cut(&text, text.text.strip_suffix(&*suffix).unwrap_or(&text.text)))
}

fn chomp(call: &Call<'_>) -> Result<Value, Why> {
    let text = call.placed(0)?;
    Ok(cut(&text, text.text.trim_end_matches(['\n', '\r'])))
}

fn sub_string(call: &Call<'_>) -> Result<Value, Why> {
    let text = call.text(0)?;
    let (offset, length) = (call.get(1)?.number()?, call.get(2)?.number()?);
    let back = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
    let skipped = if offset < 0 {
        text.len().saturating_sub(back)
    } else {
        back
    };
    let taken = usize::try_from(length).unwrap_or(usize::MAX);
    call.made(text.chars().skip(skipped).take(taken).collect())
}

fn split(call: &Call<'_>) -> Result<Value, Why> {
    let (by, text) = (call.text(0)?, call.placed(1)?);
    if by.is_empty() {
        return letters(call, &text);
    }
    let mut at = 0;
    let mut parts = Vec::new();
    let mut cutter = Cutter::new(&text);
    for part in text.text.split(&*by) {
        call.world.makes(PIECE)?;
        let mut builder = Builder::default();
        cutter.part(&mut builder, at..at + part.len());
        parts.push(Value::Text(builder.finish()));
        at += part.len() + by.len();
    }
    call.list(parts)
}

fn letters(call: &Call<'_>, text: &Text) -> Result<Value, Why> {
    if !text.text.is_ascii() {
        return Err("`split(…)` of the letters of a text that is not ASCII alone".into());
    }
    call.world.makes(text.text.len().saturating_mul(PIECE))?;
    call.list(text.text.chars().map(|c| Value::made(c.to_string())).collect())
}

fn join(call: &Call<'_>) -> Result<Value, Why> {
    let by = call.text(0)?;
    let mut builder = Builder::default();
    let mut first = true;
    for n in 1..call.arguments.len() {
        for item in call.items(n)? {
            if !first {
                builder.made(&by);
            }
            first = false;
            let item = item.text()?;
            call.world.makes(item.cost() + by.len())?;
            builder.text(&item);
        }
    }
    Ok(Value::Text(call.built(builder)?))
}

fn indent(call: &Call<'_>) -> Result<Value, Why> {
    let spaces = " ".repeat(call.place(0)?.min(1000));
    let text = call.placed(1)?;
    let mut builder = Builder::default();
    let mut cutter = Cutter::new(&text);
    let mut at = 0;
    for (found, _) in text.text.match_indices('\n') {
        call.world.makes(spaces.len() + PIECE)?;
        cutter.part(&mut builder, at..found + 1);
        builder.made(&spaces);
        at = found + 1;
    }
    cutter.part(&mut builder, at..text.text.len());
    Ok(Value::Text(call.built(builder)?))
}

fn starts_with(call: &Call<'_>) -> Result<Value, Why> {
    Ok(Value::Bool(call.text(0)?.starts_with(&*call.text(1)?)))
}

fn ends_with(call: &Call<'_>) -> Result<Value, Why> {
    Ok(Value::Bool(call.text(0)?.ends_with(&*call.text(1)?)))
}

fn contains(call: &Call<'_>) -> Result<Value, Why> {
    Ok(Value::Bool(call.text(0)?.contains(&*call.text(1)?)))
}

fn base_name(call: &Call<'_>) -> Result<Value, Why> {
    let text = call.text(0)?;
    call.made(match (&*text, text.trim_end_matches('/')) {
        ("", _) => ".".to_owned(),
        (_, "") => "/".to_owned(),
        (_, path) => path.rsplit('/').next().unwrap_or(path).to_owned(),
    })
}

fn folder_name(call: &Call<'_>) -> Result<Value, Why> {
    let text = call.text(0)?;
    let Some((folder, _)) = text.rsplit_once('/') else {
        return call.made(".".to_owned());
    };
    let below = folder.strip_prefix('/').unwrap_or(folder);
    if below
        .split('/')
        .any(|part| matches!(part, "." | "..") || (part.is_empty() && !below.is_empty()))
    {
        return Err("`dirname(…)` of a path that has a shorter form".into());
    }
    call.made(if folder.is_empty() { "/" } else { folder }.to_owned())
}
