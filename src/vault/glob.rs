//! Names in which `*` stands for any text: those that a token role allows, that a question about usage names, and that settings
//! name.

/// Whether a text is this one, where only a `*` at the end stands for any rest: what settings name.
#[must_use]
pub fn is_named(entry: &str, text: &str) -> bool {
    entry
        .strip_suffix('*')
        .map_or_else(|| text == entry, |lead| text.starts_with(lead))
}

/// Whether a text matches a pattern.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}
