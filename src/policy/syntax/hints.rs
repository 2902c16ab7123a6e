//! What the writer probably meant: near misses of keys and capabilities.

use super::dialect::{Dialect, Key};
use crate::vault::Capability;

/// A hint for an unknown key of a stanza.
pub(super) fn stanza_key(word: &str, dialect: &Dialect) -> Option<String> {
    if let Some(key) = Key::from_word(word) {
        return Some(match key.known_to() {
            Some(server) => format!("only {server} knows `{word}`, not {}", dialect.server),
            None => format!("{} does not know `{word}`", dialect.server),
        });
    }
    if word == "path" {
        return Some("a `path` block can't stand inside of another: close the one above first".to_owned());
    }
    let lower = word.to_lowercase();
    let usual = match lower.as_str() {
        "capability" | "caps" | "cap" | "permissions" | "permission" | "access" | "allow" | "operations" => {
            Some(Key::Capabilities)
        }
        "allowed_params" | "allow_parameters" | "allowed" => Some(Key::AllowedParameters),
        "denied_params" | "deny_parameters" | "denied" => Some(Key::DeniedParameters),
        "required_params" | "required" => Some(Key::RequiredParameters),
        "description" | "note" => Some(Key::Comment),
        _ => None,
    };
    let near = usual.or_else(|| nearest(&lower, dialect.keys.iter().copied(), Key::as_str));
    if let Some(key) = near {
        return Some(format!("did you mean `{}`?", key.as_str()));
    }
    word.contains(['/', '*'])
        .then(|| format!("a path needs a block of its own: `path \"{word}\" {{ ... }}`"))
}

/// A hint for an unknown key at the top.
pub(super) fn top_key(word: &str) -> Option<String> {
    match word {
        "policy" => Some(
            "this may be the request to the API around a policy: the policy is the text inside of `policy`".to_owned(),
        ),
        "request_id" | "lease_id" | "data" | "renewable" | "lease_duration" | "wrap_info" | "warnings" | "auth"
        | "mount_type" => Some(
            "this is the answer of `vault read -format=json` or of the API: the policy is the text in its \
             `data.policy`; `vault policy read NAME > NAME.hcl` writes it alone"
                .to_owned(),
        ),
        "capabilities" | "allowed_parameters" | "denied_parameters" => {
            Some("it belongs inside of a `path` block: is a `}` too early?".to_owned())
        }
        "rule" | "paths" | "resource" => Some("did you mean `path`?".to_owned()),
        _ if word.contains(['/', '*']) => Some(format!("a path needs the word before it: `path \"{word}\" {{ ... }}`")),
        _ => nearest(&word.to_lowercase(), ["path", "name"].into_iter(), |w| w)
            .map(|near| format!("did you mean `{near}`?")),
    }
}

/// A hint for a word that is no capability.
pub(super) fn capability(word: &str, dialect: &Dialect) -> Option<String> {
    if let Ok(known) = word.parse::<Capability>() {
        return Some(match known {
            Capability::Scan => "only OpenBao knows `scan`".to_owned(),
            _ => format!("{} does not know `{known}`; newer versions of Vault do", dialect.server),
        });
    }
    let lower = word.trim().to_lowercase();
    if let Ok(known) = lower.parse::<Capability>() {
        return Some(format!(
            "did you mean `{known}`? Capabilities are lower-case, without spaces: servers say `invalid capability` of all others, and take no such policy"
        ));
    }
    if word.contains(',') {
        return Some("each capability needs quotes of its own: `[\"read\", \"list\"]`".to_owned());
    }
    let usual = match lower.as_str() {
        "write" => Some(
            "did you mean `create` and `update`? Servers know `write` in the old form `policy = \"write\"` alone, and say `invalid capability` of it here",
        ),
        "*" | "all" | "any" => Some("there is no word for all: name each capability"),
        "get" | "view" | "fetch" => Some("did you mean `read`?"),
        "put" | "post" | "modify" | "edit" | "set" => Some("did you mean `create` and `update`?"),
        "remove" | "destroy" => Some("did you mean `delete`?"),
        "ls" => Some("did you mean `list`?"),
        "root" => Some("did you mean `sudo`? Root is a policy, not a capability"),
        "revoke" | "renew" | "rollback" => Some("it is covered by `update`"),
        "none" => Some("did you mean `deny`?"),
        _ => None,
    };
    usual.map(str::to_owned).or_else(|| {
        nearest(&lower, dialect.capabilities.iter(), Capability::as_str).map(|near| format!("did you mean `{near}`?"))
    })
}

/// The word nearest to `word`, if it is near enough to be meant.
#[must_use]
pub fn nearest_word(word: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    nearest(&word.to_lowercase(), known, |word| word)
}

/// The candidate nearest to `word`, if it is near enough to be meant.
fn nearest<T: Copy>(word: &str, candidates: impl Iterator<Item = T>, text: impl Fn(T) -> &'static str) -> Option<T> {
    if word.len() > 64 {
        return None;
    }
    candidates
        .map(|candidate| (distance(word, text(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= text(*candidate).len().div_ceil(4))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Letters to change, add or take away from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let best = (diagonal + usize::from(x != y)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = best;
            left = best;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_named() {
        let vault = Dialect::VAULT;
        for (word, want) in [
            ("capability", "`capabilities`"),
            ("capabilites", "`capabilities`"),
            ("Capabilities", "`capabilities`"),
            ("allowed_parameter", "`allowed_parameters`"),
            ("control_group", "Vault Enterprise"),
            ("secret/*", "block of its own"),
        ] {
            assert!(stanza_key(word, &vault).unwrap().contains(want), "{word}");
        }
        for (word, want) in [
            ("Read", "`read`"),
            ("reed", "`read`"),
            ("write", "`create`"),
            ("scan", "OpenBao"),
            ("read,list", "quotes"),
        ] {
            assert!(capability(word, &vault).unwrap().contains(want), "{word}");
        }
        assert!(top_key("request_id").unwrap().contains("vault policy read"));
        assert!(top_key("pth").unwrap().contains("`path`"));
        assert_eq!(stanza_key("zzzzzz", &vault), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
