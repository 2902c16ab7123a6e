//! What of an `auth` object tells who asks: the members that matter, each behind the other, as bytes.
//!
//! A token that was made for one request brings an `auth` object that never came before, and still says what others said:
//! the same entity, the same policies. Whatever differs from token to token and tells nothing (the token's hash, when it was made,
//! the number of a job among the metadata) is left out here, so that equal bytes mean equal facts: [`super::principal::Facts`]
//! are read from an essence and from nothing else.

use super::scan::{self, Members};
use super::telling::is_telling;
use super::text::decode;
use crate::usage::GroupBy;

/// What a piece of an essence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Piece {
    /// A list of policies that is all of them: a raw array.
    AllPolicies,
    /// Another list of policies: a raw array.
    Policies,
    /// Policies of other namespaces: a raw object.
    External,
    /// What the ACL decided, and by which policies: a raw object.
    Results,
    /// The identity entity: a raw text, as all that follow.
    Entity,
    /// The token's display name.
    DisplayName,
    /// Nothing but that something shows a token.
    Shown,
    /// The token's accessor, where somebody may be known by it.
    Accessor,
    /// The name of a metadatum.
    Key,
    /// The value of the metadatum named before, where it may tell something.
    Value,
    /// The mount of the login that made the token.
    Login,
}

const PIECES: [Piece; 11] = [
    Piece::AllPolicies,
    Piece::Policies,
    Piece::External,
    Piece::Results,
    Piece::Entity,
    Piece::DisplayName,
    Piece::Shown,
    Piece::Accessor,
    Piece::Key,
    Piece::Value,
    Piece::Login,
];

/// What of an `auth` object tells who asks. It is made anew in place for each object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Essence {
    /// Of each piece its kind, its length and its bytes.
    bytes: Vec<u8>,
    by_request: bool,
}

impl Essence {
    /// Reads an `auth` object; what is odd in it counts as absent.
    pub fn read(&mut self, auth: &[u8], group_by: &GroupBy) {
        self.read_with(auth, group_by, false);
    }

    /// Reads the `auth` object at `at` as the servers write it, and says where it ends. None if anything is otherwise: then its end
    /// is to be found first.
    pub fn read_at(&mut self, text: &[u8], at: usize, group_by: &GroupBy) -> Option<usize> {
        self.bytes.clear();
        let mut said = Said::default();
        let end = scan::members(text, at, |key, value| {
            self.take(&mut said, key, value);
        })?;
        self.conclude(said, group_by, false);
        Some(end)
    }

    /// The same, with what tells nothing if `all` is asked for.
    fn read_with(&mut self, auth: &[u8], group_by: &GroupBy, all: bool) {
        self.bytes.clear();
        let mut said = Said::default();
        for (key, value) in raw_members(auth) {
            self.take_any(&mut said, key, value);
        }
        self.conclude(said, group_by, all);
    }

    fn conclude(&mut self, said: Said<'_>, group_by: &GroupBy, all: bool) {
        let Said {
            entity,
            name,
            own,
            metadata,
            shown,
        } = said;
        self.put_if_any(Piece::Entity, entity);
        self.put_if_any(Piece::DisplayName, name);
        // Whoever has another name is not known by the accessor, unless that was asked for.
        let by_accessor = *group_by == GroupBy::Accessor || (entity.is_empty() && name.is_empty());
        self.by_request = by_accessor && own.is_empty();
        if by_accessor || all {
            self.put_if_any(Piece::Accessor, own);
        }
        if shown {
            self.put(Piece::Shown, b"");
        }
        for (key, value) in raw_members(metadata) {
            let Some(text) = scan::unquoted(value).filter(|text| !text.is_empty()) else {
                continue;
            };
            self.put(Piece::Key, key);
            if all || is_telling(&decode(key), group_by) || may_end(name, text) {
                self.put(Piece::Value, text);
            }
        }
    }

    fn take_any<'a>(&mut self, said: &mut Said<'a>, key: &[u8], value: &'a [u8]) {
        if !self.take(said, key, value) && memchr::memchr(b'\\', key).is_some() {
            self.take(said, decode(key).as_bytes(), value);
        }
    }

    /// Takes a member over; false if none of this name matters.
    fn take<'a>(&mut self, said: &mut Said<'a>, key: &[u8], value: &'a [u8]) -> bool {
        let text = scan::unquoted(value).unwrap_or_default();
        match key {
            b"policies" => self.put_if(b'[', Piece::AllPolicies, value),
            b"token_policies" | b"identity_policies" => self.put_if(b'[', Piece::Policies, value),
            b"external_namespace_policies" => self.put_if(b'{', Piece::External, value),
            b"policy_results" => self.put_if(b'{', Piece::Results, value),
            b"entity_id" => said.entity = text,
            b"display_name" => said.name = text,
            b"accessor" => said.own = text,
            b"client_token" => said.shown |= !text.is_empty(),
            b"token_type" => said.shown |= !matches!(&*decode(text), "" | "default"),
            b"metadata" => said.metadata = value,
            _ => return false,
        }
        true
    }

    /// It came with a request whose token has this raw accessor.
    pub fn came_with(&mut self, accessor: &[u8]) {
        if self.by_request {
            self.put_if_any(Piece::Accessor, accessor);
        }
    }

    /// It is that of a token which a login at this mount made.
    pub fn of_login(&mut self, mount: &str) {
        self.put(Piece::Login, mount.as_bytes());
    }

    /// The pieces in their order.
    pub fn pieces(&self) -> impl Iterator<Item = (Piece, &[u8])> {
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || {
            let (head, behind) = rest.split_first_chunk::<HEAD>()?;
            let [kind, length @ ..] = *head;
            let (text, next) = behind.split_at_checked(u32::from_le_bytes(length) as usize)?;
            rest = next;
            Some((*PIECES.get(usize::from(kind))?, text))
        })
    }

    /// Whether the accessor that stands in the request only has, or would have, a part in it: then the object alone does not tell.
    #[must_use]
    pub const fn is_by_request(&self) -> bool {
        self.by_request
    }

    /// All of it: of two objects with the same bytes all facts are the same.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn put(&mut self, piece: Piece, text: &[u8]) {
        // A line is never as long.
        let length = u32::try_from(text.len()).unwrap_or(0);
        let text = text.get(..length as usize).unwrap_or_default();
        self.bytes.push(piece as u8);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(text);
    }

    fn put_if(&mut self, first: u8, piece: Piece, value: &[u8]) {
        if value.first() == Some(&first) {
            self.put(piece, value);
        }
    }

    fn put_if_any(&mut self, piece: Piece, text: &[u8]) {
        if !text.is_empty() {
            self.put(piece, text);
        }
    }
}

/// What is put into an essence once all of its object is read: of members of one name the last holds.
#[derive(Default)]
struct Said<'a> {
    entity: &'a [u8],
    name: &'a [u8],
    own: &'a [u8],
    metadata: &'a [u8],
    shown: bool,
}

/// Bytes before the text of a piece: its kind, and its length.
const HEAD: usize = 5;

/// Whether a display name may end with a text, dashes behind it aside: then the text tells where the name of the mount ends.
fn may_end(name: &[u8], text: &[u8]) -> bool {
    let as_it_stands = |text: &[u8]| text.is_ascii() && memchr::memchr(b'\\', text).is_none();
    if memchr::memchr(b'\\', name).is_some() || !as_it_stands(text) {
        return true;
    }
    let mut name = name;
    while let [rest @ .., b'-'] = name {
        name = rest;
    }
    name.ends_with(text)
}

/// The members of a raw object, as far as they can be read.
pub fn members(raw: &[u8]) -> impl Iterator<Item = (std::borrow::Cow<'_, str>, &[u8])> {
    raw_members(raw).map(|(key, value)| (decode(key), value))
}

fn raw_members(raw: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut walk = Members::of(raw, 0).ok();
    std::iter::from_fn(move || {
        let member = walk.as_mut()?.next().ok()??;
        Some((member.key, member.value))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::principal::Facts;
    use super::*;
    use proptest::prelude::*;

    /// `auth` objects of every kind: of few words, so that they are often alike, with members in any order, twice, odd or absent.
    pub fn auths() -> impl Strategy<Value = String> {
        let word = |words: &'static [&'static str]| prop::sample::select(words).prop_map(|word| format!("{word:?}"));
        let name = word(&[
            "",
            "root",
            "approle",
            "userpass-eve",
            "userpass-eve-",
            "k8s-prod-ns-app",
            "token-ci",
            "a-b-7",
            "\u{e9}-eve",
            "eve@x",
        ]);
        let escaped =
            prop::sample::select(&[r#""userpass-\u0065ve""#, "7", "null", r#""a\\-eve""#][..]).prop_map(str::to_owned);
        let value = word(&["", "eve", "7", "ns", "app", "b-7", "main", "\u{e9}"]);
        let odd = prop::sample::select(&[r#""\u0065ve""#, "7", "{}"][..]).prop_map(str::to_owned);
        let key = word(&[
            "role_name",
            "username",
            "org",
            "name",
            "team",
            "job",
            "service_account_namespace",
            "service_account_name",
            "us\\u0065r",
        ])
        .prop_map(|key| key.replace("\\\\", "\\"));
        let metadata = prop::collection::vec((key, prop_oneof![2 => value, 1 => odd]), 0..5).prop_map(|pairs| {
            let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}:{value}")).collect();
            format!("{{{}}}", pairs.join(","))
        });
        let policies = prop::collection::vec(word(&["p", "q", "root", "response-wrapping"]), 0..3)
            .prop_map(|names| format!("[{}]", names.join(",")));
        let results = prop::sample::select(
            &[
                r#"{"allowed":true}"#,
                r#"{"allowed":false}"#,
                r#"{"allowed":true,"granting_policies":[{"name":"p","namespace_id":"root","type":"acl"}]}"#,
                r#"{"allowed":true,"granting_policies":[{"name":"p","namespace_id":"x1","namespace_path":"team/","type":"acl"}]}"#,
                r#"{"granting_policies":[{"type":""},{"name":"root","namespace_id":"root","type":"acl"}],"allowed":true}"#,
            ][..],
        )
        .prop_map(str::to_owned);
        let member =
            |key: &'static str, value: BoxedStrategy<String>| value.prop_map(move |value| format!("{key:?}:{value}"));
        let members = prop_oneof![
            member("display_name", prop_oneof![3 => name, 1 => escaped].boxed()),
            member("entity_id", word(&["", "e-1", "e-2"]).boxed()),
            member("accessor", word(&["", "hmac-sha256:1", "hmac-sha256:2"]).boxed()),
            member("client_token", word(&["", "hmac-sha256:3", "hmac-sha256:4"]).boxed()),
            member("token_type", word(&["", "default", "service"]).boxed()),
            member("policies", policies.clone().boxed()),
            member("identity_policies", policies.clone().boxed()),
            member("token_poli\u{63}ies", policies.boxed()),
            member(
                "external_namespace_policies",
                word(&["p", "q"])
                    .prop_map(|name| format!(r#"{{"x1":[{name}]}}"#))
                    .boxed()
            ),
            member("policy_results", results.boxed()),
            member("metadata", metadata.clone().boxed()),
            member("metadata", metadata.boxed()),
            member(
                "token_issue_time",
                word(&["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"]).boxed()
            ),
        ];
        prop::collection::vec(members, 0..9).prop_map(|members| format!("{{{}}}", members.join(",")))
    }

    pub fn groupings() -> impl Strategy<Value = GroupBy> {
        let words = [
            "entity",
            "role",
            "display-name",
            "accessor",
            "metadata.team",
            "metadata.job",
        ];
        prop::sample::select(words.to_vec()).prop_map(|word| word.parse().unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn what_is_left_out_tells_nothing(
            auth in auths(),
            accessor in prop::sample::select(&["", "hmac-sha256:5"][..]),
            group_by in groupings(),
            namespace in prop::sample::select(&["", "team/", "x1:", "?:"][..]),
            login in any::<bool>(),
        ) {
            let (mut short, mut whole) = (Essence::default(), Essence::default());
            short.read(auth.as_bytes(), &group_by);
            whole.read_with(auth.as_bytes(), &group_by, true);
            // Both ways through the object take the same from it.
            let mut at = Essence::default();
            if at.read_at(auth.as_bytes(), 0, &group_by).is_some() {
                prop_assert_eq!(&at, &short);
            }
            for essence in [&mut short, &mut whole] {
                essence.came_with(accessor.as_bytes());
            }
            if login {
                short.of_login("auth/m/");
                whole.of_login("auth/m/");
            }
            let (short, whole) = (Facts::of(&short), Facts::of(&whole));
            let named = short.auth(&group_by, namespace).map(|(auth, _)| (auth.login, auth.mount.starts_with("auth/m/")));
            prop_assert!(named.is_none_or(|named| named == (login, login)));
            prop_assert_eq!(short.auth(&group_by, namespace), whole.auth(&group_by, namespace));
            if whole.auth(&group_by, namespace).is_none() {
                prop_assert_eq!(short.somebody(namespace), whole.somebody(namespace));
            }
            prop_assert_eq!((short.allowed, short.wrapping()), (whole.allowed, whole.wrapping()));
            prop_assert!(short.namespaces().eq(whole.namespaces()));
        }
    }

    #[test]
    fn tokens_of_one_job_after_the_other_have_one_essence() {
        let token = |n: u32, job: &str| {
            format!(
                r#"{{"client_token":"hmac-sha256:{n}","accessor":"hmac-sha256:{n}","display_name":"jwt-app","policies":["p"],"metadata":{{"role":"deploy","job_id":"{job}"}},"entity_id":"e","token_issue_time":"2026-01-01T00:00:{n:02}Z"}}"#
            )
        };
        let essence = |auth: &str| {
            let mut essence = Essence::default();
            essence.read(auth.as_bytes(), &GroupBy::Entity);
            essence
        };
        assert_eq!(essence(&token(1, "17")), essence(&token(2, "18")));
        assert_ne!(
            essence(&token(1, "17")),
            essence(&token(2, "18").replace("deploy", "build"))
        );
        // The end of a display name tells the mount, however it is written.
        assert_ne!(essence(&token(1, "17")), essence(&token(2, "app")));
        let escaped = |job: &str| token(1, job).replace("jwt-app", r"jwt-\u0061pp");
        assert_ne!(essence(&escaped("17")), essence(&escaped("app")));
    }
}
