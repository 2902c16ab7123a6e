//! Whether a text that can't be read as a policy shows one all the same. Only then its faults are told with its words: any
//! other text may be anybody's, a link to a token among them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Whether the text has a `path` at its top, or a line that opens a `path` block; packed as the servers take it too.
pub(super) fn policy(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    opens_block(&text) || at_top(&text) || packed(bytes).is_some_and(|text| opens_block(&text) || at_top(&text))
}

/// Whether a text looks like a policy to somebody who does not parse it, packed as the servers take it too: it has a `path`, and what
/// is granted there, also in the old form `policy = "sudo"`, whatever it is quoted by.
#[must_use]
pub fn looks_like_policy(text: &str) -> bool {
    let plain = |text: &str| text.contains("path") && (text.contains("capabilities") || grants_by_a_word(text));
    let unpacked = |text: &str| text.contains("path") && (text.contains("capabilities") || text.contains("policy"));
    plain(text) || packed(text.as_bytes()).is_some_and(|text| unpacked(&text))
}

fn grants_by_a_word(text: &str) -> bool {
    const QUOTES: [char; 3] = ['"', '\'', '\\'];
    text.match_indices("policy").any(|(at, key)| {
        let after = text
            .get(at + key.len()..)
            .unwrap_or_default()
            .trim_start_matches(QUOTES)
            .trim_start();
        let Some(value) = after.strip_prefix(['=', ':']) else {
            return false;
        };
        let value = value.trim_start().trim_start_matches(QUOTES);
        let end = value.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(value.len());
        let word = value.get(..end).unwrap_or_default().to_ascii_lowercase();
        ["deny", "read", "write", "sudo"].contains(&&*word)
    })
}

/// The text that a policy in base64 stands for: the servers take it so.
pub fn packed(bytes: &[u8]) -> Option<String> {
    // As they do, line ends within passed over.
    let packed: Vec<u8> = bytes.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    let plain = STANDARD.decode(packed).ok().filter(|plain| !plain.is_empty())?;
    String::from_utf8(plain).ok()
}

/// A line `path "..."`, however deep it seems to be: brackets of a broken text count for nothing.
fn opens_block(text: &str) -> bool {
    text.lines().any(|line| {
        let rest = line.trim_start().strip_prefix("path");
        rest.is_some_and(|rest| rest.trim_start().starts_with('"'))
    })
}

/// The key `path`, quoted or not, outside of all brackets (of HCL), or in the outermost object (of JSON).
fn at_top(text: &str) -> bool {
    let top = usize::from(text.trim_start().starts_with('{'));
    let mut depth = 0_usize;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or("");
        rest = match c {
            '{' | '[' | '(' => {
                depth += 1;
                after
            }
            '}' | ']' | ')' => {
                depth = depth.saturating_sub(1);
                after
            }
            '#' => line(after),
            '/' if after.starts_with('/') => line(after),
            '/' if after.starts_with('*') => after.split_once("*/").map_or("", |(_, rest)| rest),
            '"' => {
                let (inside, rest) = string(after);
                if depth == top && inside.eq_ignore_ascii_case("path") && is_key(rest) {
                    return true;
                }
                rest
            }
            c if c.is_alphanumeric() || c == '_' => {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')));
                let (word, rest) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, ""));
                if depth == top && word.eq_ignore_ascii_case("path") && is_key(rest) {
                    return true;
                }
                rest
            }
            _ => after,
        };
    }
    false
}

fn line(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, rest)| rest)
}

/// The inside of a string that has begun, and what follows it. It ends with its line, whether closed or not.
fn string(text: &str) -> (&str, &str) {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '\n' => return text.split_at_checked(at).unwrap_or((text, "")),
            '"' if !escaped => return (text.get(..at).unwrap_or(""), text.get(at + 1..).unwrap_or("")),
            _ => escaped = c == '\\' && !escaped,
        }
    }
    (text, "")
}

/// Whether what follows the word makes it the key of blocks. `PATH=/usr/bin` of an environment is none.
fn is_key(after: &str) -> bool {
    let after = after.trim_start();
    match after.strip_prefix(['=', ':']) {
        Some(value) => value.trim_start().starts_with(['{', '[']),
        None => after.starts_with(['"', '{']),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grants_below_a_path_looks_like_a_policy() {
        for looks in [
            "path \"a\" { capabilities = [\"read\"] }",
            "path \"a\" { policy = \"sudo\" }",
            "{\"path\":{\"sys/*\":{\"policy\":\"sudo\"}}}",
            "\"path \\\"a\\\" { policy = \\\"write\\\" }\"",
            "path 'a' { policy: 'deny' }",
        ] {
            assert!(looks_like_policy(looks), "{looks}");
        }
        for not in [
            "path = \"a\"",
            "policy = \"sudo\"",
            "path: a\npolicy: readable",
            "path: a\nimagePullPolicy: Always",
        ] {
            assert!(!looks_like_policy(not), "{not}");
        }
    }

    #[test]
    fn only_a_path_at_the_top_shows_a_policy() {
        for shows in [
            "path \"a\" {",
            "}}} path \"a\" {",
            "{\n  path \"a\" {\n",
            "x = 1\npath = {",
            "{\"path\": {",
            "{\"PATH\" : [{",
            "\"path\" \"a\" {",
            "path { }",
            "/* path */ Path \"x\" {}",
        ] {
            assert!(policy(shows.as_bytes()), "{shows}");
        }
        for not in [
            "",
            "hvs.abc",
            "PATH=/usr/bin\0VAULT_TOKEN=x",
            "path=\"/usr/bin\"\n",
            "path/to/it",
            "the path",
            "a {\n  path = \"x\"\n}",
            "{\"a\": {\"path\": 1}}",
            "# path \"a\" {",
            "x = \"path\"",
        ] {
            assert!(!policy(not.as_bytes()), "{not}");
        }
    }
}
