//! Names as the servers keep them.

use std::borrow::Cow;

/// Lower case as the servers do it: rune by rune, each to one rune. The standard library's has two for `İ`, and another sigma at the
/// end of a word.
#[must_use]
pub fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    let one = |c: char| c.to_lowercase().next().unwrap_or(c);
    Cow::Owned(text.chars().map(one).collect())
}

/// A policy's name: in small letters, trimmed.
#[must_use]
pub fn policy(name: &str) -> String {
    lower(name.trim()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_servers_make_of_them() {
        // Each on the right is what `strings.ToLower` makes of the left one.
        for (name, kept) in [
            ("Web", "web"),
            (" admin\u{a0}", "admin"),
            ("adm\u{130}n", "admin"),
            ("\u{212a}v", "kv"),
            ("ADMIN\u{3a3}", "admin\u{3c3}"),
        ] {
            assert_eq!(policy(name), kept);
        }
    }
}
