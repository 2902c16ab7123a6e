//! Secrets that stand in paths and names: tokens, accessors, lease ids, secret ids. Old endpoints take them in the path, and
//! people put them where they do not belong. What is read goes through here before it is kept, so that no output can have
//! them: in their place stands a mark that says what it was.

use sha2::{Digest as _, Sha256};
use std::borrow::Cow;

/// In the place of a token.
pub const TOKEN: &str = "(token)";
/// In the place of an accessor.
pub const ACCESSOR: &str = "(accessor)";
/// In the place of what makes a lease's id of its path.
pub const LEASE: &str = "(lease)";
/// In the place of a secret id of AppRole, or its accessor.
pub const SECRET_ID: &str = "(secret-id)";

/// Whether a mark stands in a path, so that not all of it is known.
#[must_use]
pub fn is_marked(path: &str) -> bool {
    path.contains('(') && path.split('/').any(is_mark)
}

/// Whether a segment of a path is such a mark.
#[must_use]
pub fn is_mark(segment: &str) -> bool {
    [TOKEN, ACCESSOR, LEASE, SECRET_ID].contains(&segment)
}

/// Whether a segment of a path is what somebody else put in the place of it, or of a part of it, on the way to us: brackets with a
/// word, the name of a parameter, a hash, a row of one sign; what is left of a text that is cut, or of letters that another encoding does
/// not have.
#[must_use]
pub fn is_replaced(segment: &str) -> bool {
    const WORDS: [&str; 13] = [
        "redacted",
        "scrubbed",
        "masked",
        "filtered",
        "hidden",
        "removed",
        "anonymized",
        "none",
        "null",
        "nil",
        "undefined",
        "-",
        "--",
    ];
    let opens = |c: char| matches!(c, '[' | '<');
    let mut signs = segment.chars();
    let first = signs.next().filter(|c| {
        matches!(
            c.to_ascii_lowercase(),
            'x' | '*' | '#' | '•' | '█' | '?' | '.' | '-' | '_'
        )
    });
    let is_row = first.is_some_and(|first| {
        let least = if matches!(first, '*' | '#' | '•' | '█') {
            0
        } else {
            2
        };
        signs.clone().count() >= least && signs.all(|c| c == first)
    });
    let is_bracketed = match segment.as_bytes() {
        [b'(', .., b')'] => !is_marked(segment),
        [b'{', .., b'}'] => !segment.starts_with("{{"),
        [b'%', .., b'%'] | [b'%'] => true,
        // As routes name their parameters.
        [b'$' | b':', _, ..] => true,
        _ => false,
    };
    segment.contains(opens)
        || segment.contains("***")
        || is_cut(segment)
        || segment.contains(['\0', char::REPLACEMENT_CHARACTER, '?'])
        || segment
            .as_bytes()
            .windows(6)
            .any(|six| six.eq_ignore_ascii_case(b"%2a%2a"))
        || is_hash(segment)
        || is_row
        || is_bracketed
        || WORDS
            .iter()
            .any(|word| between_signs(segment).eq_ignore_ascii_case(word))
}

/// Whether a segment is a hash with the name of what made it in front: `sha256:...`, `HMAC-SHA512:...`, `md5(...)`.
fn is_hash(segment: &str) -> bool {
    const MADE_BY: [&str; 5] = ["hmac", "sha", "md", "blake", "hash"];
    let Some((name, rest)) = segment.split_once([':', '(']) else {
        return false;
    };
    let name = name.to_ascii_lowercase();
    let is_size = |word: &str| word.len() <= 3 && word.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'b' | b's'));
    let is_maker = |word: &str| {
        let mut sizes = MADE_BY.iter().filter_map(|by| word.strip_prefix(by));
        sizes.any(is_size)
    };
    let is_made = name.split(['-', '_']).any(is_maker);
    let digits = rest.strip_suffix(')').unwrap_or(rest);
    is_made
        && name.split(['-', '_']).all(|word| is_maker(word) || is_size(word))
        && digits.len() >= 16
        && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

/// What stands between signs such as `__` or `#` that a word is put between.
fn between_signs(segment: &str) -> &str {
    let is_sign = |c: char| matches!(c, '_' | '#' | '@' | '!' | '~' | '=' | '|' | '"' | '\'');
    let inner = segment.trim_matches(is_sign);
    let whole = segment.starts_with(is_sign) && segment.ends_with(is_sign);
    if whole { inner } else { segment }
}

/// Whether a segment is the end of what is left of a path that was cut: what came after it is not known.
#[must_use]
pub fn is_cut(segment: &str) -> bool {
    segment.contains('…') || segment.ends_with("...")
}

/// A path, with a mark for each segment that is a secret by its form or by its place.
#[must_use]
pub fn path(path: &str) -> Cow<'_, str> {
    if may_hold_one(path) {
        marked(path)
    } else {
        Cow::Borrowed(path)
    }
}

fn marked(path: &str) -> Cow<'_, str> {
    let segments: Vec<&str> = path.split('/').collect();
    let mut marks: Vec<Option<&str>> = segments.iter().map(|s| is_token(s).then_some(TOKEN)).collect();
    for from in 0..segments.len() {
        mark_places(
            segments.get(from..).unwrap_or(&[]),
            marks.get_mut(from..).unwrap_or(&mut []),
        );
    }
    if marks.iter().all(Option::is_none) {
        return Cow::Borrowed(path);
    }
    let masked: Vec<&str> = segments
        .iter()
        .zip(&marks)
        .map(|(segment, mark)| mark.unwrap_or(segment))
        .collect();
    Cow::Owned(masked.join("/"))
}

/// What somebody is known by: a hash where a token stands in it, the same for the same token, so that two stay two. What stands
/// before the token stays: it may tell what kind of name it is.
#[must_use]
pub fn identity(text: Cow<'_, str>) -> Cow<'_, str> {
    if memchr::memchr(b'.', text.as_bytes()).is_none() || !is_token(&text) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for (n, segment) in text.split('/').enumerate() {
        if n > 0 {
            out.push('/');
        }
        match token_at(segment) {
            Some(at) => {
                out.push_str(segment.get(..at).unwrap_or(""));
                let token = segment.get(at..).unwrap_or(segment);
                out.push_str(&format!("(token-{})", hash(token)));
            }
            None => out.push_str(segment),
        }
    }
    Cow::Owned(out)
}

/// The name of a policy. That of one is in small letters; a token in its place is not, and is known by its hash.
#[must_use]
pub fn policy(name: Cow<'_, str>) -> Cow<'_, str> {
    if name.bytes().any(|c| c.is_ascii_uppercase()) {
        identity(name)
    } else {
        name
    }
}

/// A sentence with a mark for each word that is a token.
#[must_use]
pub fn words(text: &str) -> String {
    let marked: Vec<&str> = text
        .split_inclusive(char::is_whitespace)
        .flat_map(|word| {
            let bare = word.trim_end();
            let space = word.get(bare.len()..).unwrap_or("");
            [if is_token(bare) { TOKEN } else { bare }, space]
        })
        .collect();
    marked.concat()
}

/// A message in which addresses have neither user nor query: a password or a signature may be in there.
#[must_use]
pub fn addresses(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(":/") {
        // A path that was cleaned has one slash of the two.
        let slashes = if rest.get(at + 2..).is_some_and(|rest| rest.starts_with('/')) {
            3
        } else {
            2
        };
        let (before, after) = rest.split_at(at + slashes);
        let is_of_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let begins = before.get(..at).unwrap_or("").trim_end_matches(is_of_scheme);
        let scheme = before.get(begins.len()..at).unwrap_or("").to_ascii_lowercase();
        // A code of a terminal's colour may stand before it.
        let is_web = ["http", "https", "ftp"].iter().any(|web| scheme.ends_with(web));
        out.push_str(before);
        rest = after;
        if is_web || slashes == 3 {
            let (address, left) = after.split_at(end_of_address(after, begins.chars().next_back()));
            out.push_str(address_alone(is_web, address));
            rest = left;
        }
    }
    if out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Where an address ends in a sentence: where a quote that was opened before it is closed, else at the next space.
fn end_of_address(text: &str, before: Option<char>) -> usize {
    let quote = before.filter(|c| matches!(c, '`' | '\'' | '"'));
    let mut chars = text.char_indices();
    let ends = chars.find(|(at, c)| {
        let follows = text.get(at + c.len_utf8()..).and_then(|rest| rest.chars().next());
        let closes = quote == Some(*c) && follows.is_none_or(|c| c.is_whitespace() || ":,.;)\u{1b}\\".contains(c));
        closes || *c == '\u{1b}' || (c.is_whitespace() && quote.is_none())
    });
    ends.map_or(text.len(), |(at, _)| at)
}

/// What follows the scheme, without what may be a secret. In object storage a `?` may be a pattern's, and a name before an
/// `@` that of a container.
fn address_alone(is_web: bool, address: &str) -> &str {
    let end = address
        .find(['?', '#'])
        .filter(|&at| is_web || address.get(at..).is_some_and(|query| query.contains('=')))
        .unwrap_or(address.len());
    let address = address.get(..end).unwrap_or("");
    let host = address.find('/').unwrap_or(address.len());
    let user = address.get(..host).and_then(|host| host.rfind('@'));
    let user = user.filter(|&at| is_web || address.get(..at).is_some_and(|user| user.contains(':')));
    address.get(user.map_or(0, |at| at + 1)..).unwrap_or("")
}

/// What a token is known by in the place of its accessor: always the same, and nothing can be done with it. A log that
/// hashes accessors has said it already.
#[must_use]
pub fn accessor(accessor: &str) -> Cow<'_, str> {
    if accessor.is_empty() || accessor.starts_with("hmac-sha256:") {
        return Cow::Borrowed(accessor);
    }
    Cow::Owned(format!("accessor-{}", hash(accessor)))
}

/// What two secrets are told apart by.
fn hash(secret: &str) -> String {
    let digest = Sha256::digest(secret.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Cheap, and true of every path that [`path`] changes.
fn may_hold_one(path: &str) -> bool {
    let path = path.as_bytes();
    let begins = |from: usize| {
        let rest = path.get(from..).unwrap_or_default();
        rest.starts_with(b"sys/") || rest.starts_with(b"auth/token/") || rest.starts_with(b"secret-id")
    };
    // Paths are short: what is called for each slash costs more than looking at each byte.
    begins(0)
        || (1..)
            .zip(path)
            .any(|(next, c)| *c == b'.' || (*c == b'/' && begins(next)))
}

/// Whether a text is a token, or has one in it.
fn is_token(text: &str) -> bool {
    token_at(text).is_some()
}

/// Where the first token in a text begins.
fn token_at(text: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find('.')).map(|at| from + at) {
        let (before, after) = (text.get(..at).unwrap_or(""), text.get(at + 1..).unwrap_or(""));
        let body = after
            .bytes()
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
            .count();
        let alone = |kind: &str| {
            let lead = before.strip_suffix(kind)?;
            (!lead.ends_with(|c: char| c.is_alphanumeric())).then_some(lead.len())
        };
        if body >= 4
            && let Some(begins) = ["hvs", "hvb", "hvr"].into_iter().find_map(alone)
        {
            return Some(begins);
        }
        // `s.conf` is a file; a token has 24 characters of which some are capital letters.
        let plain = after.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let capital = after.bytes().take(plain).any(|b| b.is_ascii_uppercase());
        if plain >= 12
            && capital
            && let Some(begins) = ["s", "b", "r"].into_iter().find_map(alone)
        {
            return Some(begins);
        }
        from = at + 1;
    }
    None
}

/// Whether a segment has the form of what ends a lease's id: 20 letters and digits or more, a UUID, a hash.
fn is_id(segment: &str) -> bool {
    let body = segment.split('.').next().unwrap_or(segment);
    let letters = body.bytes().filter(u8::is_ascii_alphanumeric).count();
    let plain = body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    letters >= 20 && plain && body.bytes().any(|b| b.is_ascii_digit())
}

/// Marks what stands where the servers take a secret, of the endpoint that `segments` begin with.
fn mark_places(segments: &[&str], marks: &mut [Option<&'static str>]) {
    // A segment that is empty says that the path is of a list.
    let mut mark = |at: usize, with: &'static str| {
        if let (Some(place), Some(segment)) = (marks.get_mut(at), segments.get(at))
            && !segment.is_empty()
        {
            *place = Some(with);
        }
    };
    match segments {
        ["auth", "token", "lookup" | "renew" | "revoke" | "revoke-orphan", ..] => mark(3, TOKEN),
        [
            "auth",
            "token",
            "lookup-accessor" | "renew-accessor" | "revoke-accessor",
            ..,
        ] => mark(3, ACCESSOR),
        ["sys", "leases", "lookup" | "renew" | "revoke", rest @ ..] => {
            // A list is asked below a prefix, and anything else of a lease.
            if rest.last().is_some_and(|last| !last.is_empty()) {
                mark(segments.len() - 1, LEASE);
            }
            ids(segments, 3).for_each(|at| mark(at, LEASE));
        }
        ["sys", "renew" | "revoke", .., last] if !last.is_empty() => mark(segments.len() - 1, LEASE),
        ["sys", "leases", "revoke-prefix" | "revoke-force", ..] => ids(segments, 3).for_each(|at| mark(at, LEASE)),
        ["sys", "revoke-prefix" | "revoke-force", ..] => ids(segments, 2).for_each(|at| mark(at, LEASE)),
        ["sys", "raw", "sys", "expire" | "token", ..] => ids(segments, 4).for_each(|at| mark(at, LEASE)),
        ["role", _, "secret-id" | "secret-id-accessor", "lookup" | "destroy" | ""] => {}
        ["role", _, "secret-id" | "secret-id-accessor", ..] => mark(3, SECRET_ID),
        _ => {}
    }
}

/// The places from `from` on of what has the form of an id.
fn ids<'a>(segments: &'a [&str], from: usize) -> impl Iterator<Item = usize> + 'a {
    let places = segments.iter().enumerate().skip(from);
    places.filter(|(_, segment)| is_id(segment)).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn secrets_in_paths_are_marked() {
        for (asked, want) in [
            ("auth/token/lookup/hvs.CAESIJ", "auth/token/lookup/(token)"),
            ("auth/token/revoke/whatever", "auth/token/revoke/(token)"),
            ("auth/token/renew/s.abc/", "auth/token/renew/(token)/"),
            (
                "team/auth/token/lookup-accessor/8609694a",
                "team/auth/token/lookup-accessor/(accessor)",
            ),
            (
                "sys/leases/lookup/database/creds/x/2f6a",
                "sys/leases/lookup/database/creds/x/(lease)",
            ),
            (
                "sys/leases/lookup/database/creds/x/",
                "sys/leases/lookup/database/creds/x/",
            ),
            (
                "sys/leases/lookup/auth/token/create/h0123456789abcdef0123456789abcdef01234567/",
                "sys/leases/lookup/auth/token/create/(lease)/",
            ),
            (
                "sys/renew/aws/creds/a/27e1b9a1-27b8-83d9-9fe0-d99d786bdc83",
                "sys/renew/aws/creds/a/(lease)",
            ),
            (
                "sys/leases/revoke-prefix/aws/creds",
                "sys/leases/revoke-prefix/aws/creds",
            ),
            ("secret/data/hvs.CAESIJabc_d-e", "secret/data/(token)"),
            ("secret/data/s.ABCDEFGHijkl1234mnop5678", "secret/data/(token)"),
            ("secret/data/x?token=hvb.AAAAAQ", "secret/data/(token)"),
            (
                "auth/approle/role/ci/secret-id/84896a0c",
                "auth/approle/role/ci/secret-id/(secret-id)",
            ),
            (
                "auth/approle/role/ci/secret-id-accessor/84896a0c",
                "auth/approle/role/ci/secret-id-accessor/(secret-id)",
            ),
        ] {
            assert_eq!(path(asked), want);
        }
    }

    #[test]
    fn other_paths_stay_as_they_are() {
        for asked in [
            "",
            "secret/data/s.conf",
            "secret/data/app.example.com/tls",
            "secret/data/services.CONFIGURATION12",
            "auth/token/lookup-self",
            "auth/token/lookup",
            "auth/token/create/ci",
            "auth/approle/role/ci/secret-id",
            "auth/approle/role/ci/secret-id/lookup",
            "sys/leases/lookup",
            "sys/policies/acl/a.b",
        ] {
            assert!(matches!(path(asked), Cow::Borrowed(same) if same == asked), "{asked}");
        }
    }

    #[test]
    fn a_token_in_the_place_of_a_name_is_known_by_its_hash() {
        let known = |text: &'static str| identity(Cow::Borrowed(text)).into_owned();
        assert_eq!(known("alice@example.com"), "alice@example.com");
        let one = known("hvs.CAESIJabcd");
        assert_eq!(one, known("hvs.CAESIJabcd"));
        assert_ne!(one, known("hvs.CAESIJabce"));
        assert_eq!(known("team/token-hvs.CAESIJabcd"), format!("team/token-{one}"));
        for token in [
            "s.ABCDEFGHijkl1234",
            "hvb.AAAAAQ",
            "b.ABCDEFGHijkl1234",
            "x.y hvr.CAES/z",
        ] {
            let told = known(token);
            assert!(
                !told.contains("AAAA") && !told.contains("ABCD") && !told.contains("CAES"),
                "{told}"
            );
            assert_eq!(identity(Cow::Borrowed(&told)), told);
        }
    }

    #[test]
    fn addresses_lose_users_and_queries() {
        for (said, want) in [
            (
                "cannot read `https://h/a?sig=S`: none",
                "cannot read `https://h/a`: none",
            ),
            (
                "cannot read `https://h/a?s=a b`c'd\"S`: none",
                "cannot read `https://h/a`: none",
            ),
            ("`HTTPS://u:S@h:1/a#S`", "`HTTPS://h:1/a`"),
            ("see https://S@h/a?S and http://h/b", "see https://h/a and http://h/b"),
            ("'https://h?S' found", "'https://h' found"),
            ("\u{1b}[33mhttps://h/?S\u{1b}[0m x", "\u{1b}[33mhttps://h/\u{1b}[0m x"),
            ("`s3://b/a-?.log` `s3://b/a?sig=S`", "`s3://b/a-?.log` `s3://b/a`"),
            (
                "`abfss://c@a.dfs.net/x` `az://u:S@h/x`",
                "`abfss://c@a.dfs.net/x` `az://h/x`",
            ),
            (
                "`https:/u:S@h` [\"/tmp/https:/u:S@h/a?S\"]",
                "`https:/h` [\"/tmp/https:/h/a",
            ),
            ("`/a?b`: none, c:/x@y?a=b", "`/a?b`: none, c:/x@y?a=b"),
        ] {
            assert_eq!(addresses(said), want);
        }
    }

    #[test]
    fn an_accessor_is_known_by_its_hash() {
        assert_eq!(accessor("abc"), accessor("abc"));
        assert_ne!(accessor("abc"), accessor("abd"));
        assert!(!accessor("abc").contains("abc"));
        assert_eq!(accessor("hmac-sha256:1"), "hmac-sha256:1");
        assert_eq!(accessor(""), "");
    }

    #[test]
    fn what_a_pipeline_puts_in_the_place_of_a_segment_is_told_from_a_name() {
        for segment in [
            "[REDACTED]",
            "<email>",
            "(hidden)",
            "{name}",
            "xxxx",
            "***",
            "a***b",
            "####",
            "...",
            "None",
            "-",
            "%USER%",
            "*",
            "**",
            "#",
            "%",
            ":id",
            "$id",
            "$name$",
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "HMAC-SHA512:9f86d081884c7d659a2feaa0c55ad015",
            "hmac:9f86d081884c7d659a2feaa0c55ad015",
            "SHA256(9f86d081884c7d659a2feaa0c55ad015)",
            "md5:d41d8cd98f00b204e9800998ecf8427e",
            "blake2b-256:d41d8cd98f00b204e9800998ecf8427e",
            "__MASKED__",
            "__scrubbed__",
            "#REDACTED#",
            "%2A%2a%2A",
        ] {
            assert!(is_replaced(segment), "{segment}");
        }
        for segment in [
            "",
            "a",
            "data",
            "app-1",
            "xx",
            "x-y",
            "team (eu)",
            "(token)",
            "{{identity.entity.name}}",
            "hmac-sha256",
            "a.b",
            "+",
            "a:b",
            "a$",
            "$",
            ":",
            "sha256-sums",
            "md5:notes",
            "sha256:abc",
            "shared:0123456789abcdef",
            "hashicorp:0123456789abcdef",
            "2024-05-06:0123456789abcdef",
            "redacted-docs",
            "__init__",
            "_masked",
        ] {
            assert!(!is_replaced(segment), "{segment}");
        }
    }

    proptest! {
        #[test]
        fn what_is_marked_stays_marked(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("auth".to_owned()), Just("token".to_owned()), Just("lookup".to_owned()), Just("sys".to_owned()),
                    Just("leases".to_owned()), Just("revoke".to_owned()), Just("role".to_owned()), Just("secret-id".to_owned()), Just("raw".to_owned()), Just("lookup-accessor".to_owned()), Just("secret-id-accessor".to_owned()),
                    Just("hvs.CAESIJ".to_owned()), Just(String::new()), "[a-zA-Z0-9.]{0,30}",
                ],
                0..8,
            )
        ) {
            let asked = parts.join("/");
            let once = path(&asked).into_owned();
            prop_assert_eq!(&once, &*marked(&asked));
            prop_assert_eq!(path(&once).into_owned(), once.clone());
            prop_assert_eq!(asked.split('/').count(), once.split('/').count());
            prop_assert!(!once.contains("hvs."));
        }
    }
}
