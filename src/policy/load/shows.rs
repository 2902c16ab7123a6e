//! Whether a text that can't be read as a policy shows one all the same. Only then its faults are told with its words: any
//! other text may be anybody's, a link to a token among them.

use crate::policy::syntax::packed;

/// What words are quoted by.
const QUOTES: [char; 3] = ['"', '\'', '\\'];

/// Whether the text has a `path` at its top, or a line that opens a `path` block; packed as the servers take it too.
pub(super) fn policy(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    opens_block(&text) || at_top(&text) || packed(bytes).is_some_and(|text| opens_block(&text) || at_top(&text))
}

/// Of a file that is the request around a policy.
pub const REQUEST: &str = "it is a request to the API around a policy: a policy file is the text of its `policy` alone, as `jq -r .policy` writes it";

/// What a text that is no policy looks like instead, and what to do.
pub(super) fn instead(bytes: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(bytes);
    let request = || {
        let value: serde_json::Value = serde_json::from_str(&text).ok()?;
        value
            .get("policy")
            .or_else(|| value.get("rules"))?
            .as_str()
            .map(looks_like_policy)
    };
    let lacks_quotes = |line: &str| {
        let rest = line
            .trim()
            .strip_prefix("path")
            .filter(|rest| rest.starts_with([' ', '\t']));
        let path = rest.and_then(|rest| rest.trim().strip_suffix('{')).map(str::trim);
        path.is_some_and(|path| !path.is_empty() && !path.contains(QUOTES) && !path.contains(['=', ' ']))
    };
    if request() == Some(true) {
        Some(REQUEST)
    } else if text.lines().any(lacks_quotes) {
        Some("the path of a block needs double quotes: `path \"...\" {`")
    } else {
        None
    }
}

/// Whether a text looks like a policy to somebody who does not parse it, packed as the servers take it too: it has a `path`, and what
/// is granted there, also in the old form `policy = "sudo"`, whatever it is quoted by.
#[must_use]
pub fn looks_like_policy(text: &str) -> bool {
    let plain = |text: &str| text.contains("path") && (text.contains("capabilities") || grants_by_a_word(text));
    let unpacked = |text: &str| text.contains("path") && (text.contains("capabilities") || text.contains("policy"));
    plain(text) || packed(text.as_bytes()).is_some_and(|text| unpacked(&text))
}

/// Whether a text of something else holds a policy, as it is or packed: one that only has a path and capabilities, as the settings of a
/// container do, holds none.
#[must_use]
pub fn holds_policy(text: &str) -> bool {
    let shows = |text: &str| {
        looks_like_policy(text) && opens_path(text) && (lists_capabilities(text) || grants_by_a_word(text))
    };
    let escaped = || text.contains(ESCAPE) && shows(&unescaped(text));
    shows(text) || escaped() || packed_in(text).any(|text| shows(&text))
}

/// What a letter may be written by in JSON and in most programs, with four digits behind it.
const ESCAPE: &str = "\\u";

/// A text with the letters that are written by their numbers.
fn unescaped(text: &str) -> String {
    let mut parts = text.split(ESCAPE);
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let letter = part
            .get(..4)
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .and_then(char::from_u32);
        match (letter, part.get(4..)) {
            (Some(letter), Some(rest)) => {
                all.push(letter);
                all.push_str(rest);
            }
            _ => {
                all.push_str(ESCAPE);
                all.push_str(part);
            }
        }
    }
    all
}

/// Whether `path` opens a block, or is a key of a map, anywhere, whatever it is quoted by.
fn opens_path(text: &str) -> bool {
    text.match_indices("path").any(|(at, word)| {
        let after = text.get(at + word.len()..).unwrap_or_default();
        if after.starts_with(QUOTES) {
            // The key of JSON, or a block without blanks.
            return true;
        }
        let mut rest = after.trim_start();
        while let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, rest)| rest).trim_start();
        }
        let value = rest.strip_prefix(['=', ':']).map(str::trim_start);
        let is_block = rest.starts_with(QUOTES) && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        is_block || value.is_some_and(|value| value.starts_with('{'))
    })
}

/// Whether `capabilities` are a list somewhere, or something that is not written out. Those of a container are a map.
fn lists_capabilities(text: &str) -> bool {
    text.match_indices("capabilities").any(|(at, word)| {
        let after = text.get(at + word.len()..).unwrap_or_default();
        let value = after
            .trim_start_matches(QUOTES)
            .trim_start()
            .trim_start_matches(['=', ':']);
        !value.trim_start().starts_with('{') || value.trim_start().starts_with("{{")
    })
}

/// What stands in base64 within a text: in one word, or in lines below each other.
fn packed_in(text: &str) -> impl Iterator<Item = String> {
    /// Less is no policy.
    const LEAST: usize = 20;
    let is_packed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let mut found = Vec::new();
    let mut lines = String::new();
    for line in text.lines().map(str::trim).chain([""]) {
        let whole = !line.is_empty() && line.chars().all(is_packed);
        if whole && line.len() >= LEAST {
            lines.push_str(line);
        } else if !lines.is_empty() {
            // The last line of what is packed may be short; so may be what ends it.
            let more = whole.then(|| format!("{lines}{line}"));
            found.extend(more.iter().chain([&lines]).filter_map(|all| packed(all.as_bytes())));
            lines.clear();
        }
        if !whole {
            let words = line.split(|c| !is_packed(c)).filter(|word| word.len() >= LEAST);
            // A name may stand before a word, as in `policy=`.
            let words = words.flat_map(|word| [Some(word), word.split_once('=').map(|(_, rest)| rest)]);
            found.extend(words.flatten().filter_map(|word| packed(word.as_bytes())));
        }
    }
    found.into_iter()
}

fn grants_by_a_word(text: &str) -> bool {
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
