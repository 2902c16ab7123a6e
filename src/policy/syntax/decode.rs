//! The tree of a policy to its stanzas, checked in the order in which the servers check.

use super::ast::{Fault, Item, Kind, Node, Pos, Token};
use super::dialect::{Dialect, Key};
use super::value::{self, Any, Given, Source};
use super::{duration, hints};
use crate::origin::Origin;
use crate::policy::model::{Constraints, KeySpan, Stanza};
use crate::vault::Capability;
use crate::vault::name::lower;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, btree_map};
use std::ops::Range;
use std::sync::Arc;

/// The stanzas of a text.
pub(super) fn stanzas(
    file: &Arc<str>,
    text: &str,
    json: bool,
    items: &[Item],
    dialect: &Dialect,
) -> Result<Vec<Stanza>, Fault> {
    let decoder = Decoder {
        file,
        source: Source { text, json },
        dialect,
    };
    decoder.top_level(items)?;
    if !dialect.repeated_keys && !json {
        decoder.no_key_twice(items)?;
    }
    let mut stanzas = Vec::new();
    for item in items {
        let Some((first, labels)) = item.keys.split_first() else {
            continue;
        };
        if decoder.source.word(first)? == "path" {
            stanzas.push(decoder.stanza(item, *first, labels.first().copied())?);
        }
    }
    Ok(stanzas)
}

struct Decoder<'a> {
    file: &'a Arc<str>,
    source: Source<'a>,
    dialect: &'a Dialect,
}

/// A key of a stanza with what was given for it.
struct Entry<'t> {
    token: Token,
    labelled: bool,
    item: &'t Item,
}

impl<'t> Entry<'t> {
    fn value<'v>(&self, slot: &'v mut Option<(&'t Item, usize)>) -> Given<'v>
    where
        't: 'v,
    {
        if self.labelled {
            *slot = Some((self.item, 1));
            Given::Labelled(slot.as_slice())
        } else {
            Given::Node(&self.item.value)
        }
    }
}

impl<'a> Decoder<'a> {
    fn origin(&self, pos: Pos) -> Origin {
        Origin::new(Arc::clone(self.file), pos.line, pos.column)
    }

    fn top_level(&self, items: &[Item]) -> Result<(), Fault> {
        for item in items {
            let Some(first) = item.keys.first() else { continue };
            let word = self.source.word(first)?;
            if word != "path" && word != "name" {
                let fault =
                    Fault::new(first.pos, format!("unknown key `{word}`")).expected("`path \"...\" {` or `name`");
                return Err(match hints::top_key(&word) {
                    Some(hint) => fault.hint(hint),
                    None => fault,
                });
            }
        }
        self.unquote_all(items)?;
        for item in items {
            let Some(first) = item.keys.first() else { continue };
            if self.source.word(first)? == "name" {
                let name = if item.keys.len() > 1 {
                    Err(Fault::new(first.pos, "`name` with a label"))
                } else {
                    value::text(self.source, Given::Node(&item.value))
                };
                name.map_err(|fault| fault.expected("`name = \"...\"`"))?;
            }
        }
        Ok(())
    }

    /// Newer servers refuse an HCL text that sets a key twice in one block, at any depth; keys of JSON, and blocks, may repeat.
    fn no_key_twice(&self, items: &[Item]) -> Result<(), Fault> {
        let mut seen: HashMap<&str, u32> = HashMap::with_capacity(items.len());
        for item in items {
            if let (true, [key]) = (item.assigned, &item.keys[..]) {
                // As written: the servers compare the tokens, so that `read` and `"read"` are two.
                let word = self.source.raw(key);
                if let Some(line) = seen.insert(word, key.pos.line) {
                    let name = self.source.word(key)?;
                    return Err(
                        Fault::new(key.pos, format!("key `{name}` stands in line {line} already"))
                            .hint("put both into one: Vault from 1.21 refuses policies with a key twice"),
                    );
                }
            }
            self.no_key_twice_in(&item.value)?;
        }
        Ok(())
    }

    fn no_key_twice_in(&self, value: &Node) -> Result<(), Fault> {
        match value {
            Node::Literal(_) => Ok(()),
            Node::List(list) => list.items.iter().try_for_each(|item| self.no_key_twice_in(item)),
            Node::Object(object) => self.no_key_twice(&object.items),
        }
    }

    /// The servers' decoder takes the value of nearly every JSON key, used or not, and fails on a broken one.
    fn unquote_all(&self, items: &[Item]) -> Result<(), Fault> {
        if self.source.json {
            for (at, item) in items.iter().enumerate() {
                if at == 0 || item.keys.len() == 1 {
                    for key in &item.keys {
                        self.source.word(key)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn stanza(&self, item: &Item, word: Token, label: Option<Token>) -> Result<Stanza, Fault> {
        let at = if self.source.json { label.unwrap_or(word) } else { word };
        let path = match label {
            Some(label) => self.source.word(&label)?,
            // The servers take the keyword itself for the path of a block without one.
            None => "path".to_owned(),
        };
        let path_pos = label.map_or(word.pos, |label| label.pos);
        let templated = is_templated(&path).map_err(|()| {
            Fault::new(path_pos, format!("unbalanced `{{{{` and `}}}}` in path `{path}`"))
                .expected("`{{` and `}}` in pairs, none inside of another")
        })?;
        let Node::Object(block) = &item.value else {
            return Err(
                Fault::new(item.value.pos(), format!("`path` is {}", item.value.describe()))
                    .expected("`path \"...\" { ... }`"),
            );
        };
        let mut entries = self.entries(&path, &block.items)?;
        let keys = entries.iter().map(|(key, entry)| self.key_span(*key, entry)).collect();
        // Labelled blocks of a key are decoded before its plain values.
        entries.sort_by_key(|(_, entry)| !entry.labelled);
        let (capabilities, constraints, in_two_cases) = self.decode(&path, path_pos, &entries)?;
        Ok(Stanza {
            capabilities_span: entries
                .iter()
                .find(|(key, _)| *key == Key::Capabilities)
                .map(|(_, entry)| entry.item.value.span()),
            path: path.into(),
            templated,
            capabilities,
            constraints,
            origin: self.origin(at.pos),
            span: at.pos.offset..block.end,
            comment: item.lead.clone().map_or_else(Vec::new, |lead| self.comment_lines(lead)),
            comment_span: item.lead.clone(),
            keys,
            in_two_cases,
        })
    }

    fn key_span(&self, key: Key, entry: &Entry<'_>) -> KeySpan {
        KeySpan {
            name: key.as_str().into(),
            origin: self.origin(entry.token.pos),
            key: entry.token.span(),
            value: entry.item.value.span(),
        }
    }

    /// The keys of a block, each one known to the server.
    fn entries<'t>(&self, path: &str, items: &'t [Item]) -> Result<Vec<(Key, Entry<'t>)>, Fault> {
        let mut entries = Vec::with_capacity(items.len());
        for item in items {
            let Some(token) = item.keys.first().copied() else {
                continue;
            };
            let word = self.source.word(&token)?;
            let known = Key::from_word(&word).filter(|key| self.dialect.keys.contains(key));
            let Some(key) = known else {
                let fault = Fault::new(token.pos, format!("unknown key `{word}` in path `{path}`"))
                    .expected("`capabilities` or another key of a `path` block");
                return Err(match hints::stanza_key(&word, self.dialect) {
                    Some(hint) => fault.hint(hint),
                    None => fault,
                });
            };
            let labelled = item.keys.len() > 1;
            entries.push((key, Entry { token, labelled, item }));
        }
        self.unquote_all(items)?;
        Ok(entries)
    }

    fn decode(
        &self,
        path: &str,
        path_pos: Pos,
        entries: &[(Key, Entry<'_>)],
    ) -> Result<(Vec<Capability>, Constraints, Vec<String>), Fault> {
        let raw = self.raw(entries).map_err(|mut fault| {
            fault.message = format!("{} in path `{path}`", fault.message);
            fault
        })?;
        if self.dialect.segment_wildcards && path.contains("+*") {
            return Err(Fault::new(path_pos, format!("`+*` in path `{path}`"))
                .expected("`+` as a whole segment, or `*` at the end")
                .hint("`+*` is refused by the servers; `*` alone matches the rest of the path, `+/*` one segment and the rest"));
        }
        let capabilities = self.capabilities(path, &raw)?;
        if capabilities == [Capability::Deny] {
            // The servers look at nothing else of a stanza that denies.
            return Ok((capabilities, Constraints::default(), Vec::new()));
        }
        let in_two_cases = in_two_cases(&raw.allowed).chain(in_two_cases(&raw.denied)).collect();
        let constraints = self.constraints(path, raw, &capabilities)?;
        Ok((capabilities, constraints, in_two_cases))
    }

    /// Each key by its type; repeated keys add up as the servers add them.
    fn raw<'t>(&self, entries: &[(Key, Entry<'t>)]) -> Result<Raw<'t>, Fault> {
        let mut raw = Raw::default();
        let source = self.source;
        for (key, entry) in entries {
            let mut slot = None;
            let given = entry.value(&mut slot);
            match key {
                Key::Comment => {}
                Key::Policy => raw.policy = Some((value::text(source, given)?, entry.item.value.pos())),
                Key::Capabilities => match given {
                    Given::Node(_) => self.capability_words(entry.item, &mut raw.capabilities)?,
                    Given::Labelled(_) => return Err(given.fault("expected a list")),
                },
                Key::AllowedParameters => value::lists(source, given, &mut raw.allowed)?,
                Key::DeniedParameters => value::lists(source, given, &mut raw.denied)?,
                Key::RequiredParameters => self.plain_words(given, &mut raw.required)?,
                Key::MfaMethods => self.plain_words(given, &mut raw.mfa_methods)?,
                Key::SubscribeEventTypes => self.plain_words(given, &mut raw.event_types)?,
                Key::MinWrappingTtl => raw.min = Some((self.time(given, raw.min.take())?, entry.item.value.pos())),
                Key::MaxWrappingTtl => raw.max = Some((self.time(given, raw.max.take())?, entry.item.value.pos())),
                Key::ControlGroup => match given {
                    Given::Node(node @ Node::Object(_)) => {
                        let mut text = String::new();
                        value::write_hcl(source, node, 0, &mut text)?;
                        raw.control_group = Some(text);
                    }
                    _ => return Err(given.fault("expected a block")),
                },
                Key::PaginationLimit => raw.pagination_limit = value::int(source, given)?,
                Key::Expiration => raw.expiration = Some((value::text(source, given)?, entry.item.value.pos())),
                Key::ListFilter => raw.list_filter = Some((value::text(source, given)?, entry.item.value.pos())),
            }
        }
        Ok(raw)
    }

    fn capability_words<'t>(&self, item: &'t Item, into: &mut Vec<(String, Option<&'t Token>)>) -> Result<(), Fault> {
        value::texts(self.source, Given::Node(&item.value), into).map_err(|fault| match &item.value {
            Node::Literal(token) if matches!(token.kind, Kind::Str | Kind::Heredoc) => {
                let word = self.source.raw(token);
                fault.hint(format!("write `[{word}]`"))
            }
            _ => fault,
        })
    }

    fn plain_words(&self, given: Given<'_>, into: &mut Vec<String>) -> Result<(), Fault> {
        let mut words = Vec::new();
        value::texts(self.source, given, &mut words)?;
        into.extend(words.into_iter().map(|(word, _)| word));
        Ok(())
    }

    /// What a time is given as; whether it is one is asked only where the stanza does not deny.
    fn time(&self, given: Given<'_>, old: Option<(Any, Pos)>) -> Result<Any, Fault> {
        value::any(self.source, given, old.map(|(any, _)| any), false)
    }

    fn capabilities(&self, path: &str, raw: &Raw<'_>) -> Result<Vec<Capability>, Fault> {
        let old_style: &[Capability] = match &raw.policy {
            None => &[],
            Some((word, pos)) => match word.as_str() {
                "" => &[],
                "deny" => return Ok(vec![Capability::Deny]),
                "read" => &[Capability::Read, Capability::List],
                "write" => &WRITE,
                "sudo" => &SUDO,
                _ => {
                    return Err(
                        Fault::new(*pos, format!("unknown word `{word}` for `policy` in path `{path}`"))
                            .expected("`read`, `write`, `sudo` or `deny`")
                            .hint("`policy` is the old form: `capabilities = [...]` says it in full"),
                    );
                }
            },
        };
        let mut capabilities = Vec::with_capacity(raw.capabilities.len() + old_style.len());
        for (word, token) in &raw.capabilities {
            let known = word
                .parse::<Capability>()
                .ok()
                .filter(|known| self.dialect.capabilities.contains(*known));
            match known {
                Some(Capability::Deny) => return Ok(vec![Capability::Deny]),
                Some(known) => capabilities.push(known),
                None => {
                    let pos = token.map_or_else(Pos::default, |token| token.pos);
                    let fault = Fault::new(pos, format!("unknown capability `{word}` in path `{path}`"))
                        .expected(format!("one of {}", self.dialect.capabilities));
                    return Err(match hints::capability(word, self.dialect) {
                        Some(hint) => fault.hint(hint),
                        None => fault,
                    });
                }
            }
        }
        capabilities.extend_from_slice(old_style);
        Ok(capabilities)
    }

    fn constraints(&self, path: &str, raw: Raw<'_>, capabilities: &[Capability]) -> Result<Constraints, Fault> {
        let min = self.nanoseconds(path, "min_wrapping_ttl", raw.min.as_ref())?;
        let max = self.nanoseconds(path, "max_wrapping_ttl", raw.max.as_ref())?;
        if min != 0 && max != 0 && max < min {
            let pos = raw.max.as_ref().map_or_else(Pos::default, |(_, pos)| *pos);
            return Err(Fault::new(
                pos,
                format!("`max_wrapping_ttl` is less than `min_wrapping_ttl` in path `{path}`"),
            )
            .expected(format!("at least `{}`", duration::text(min))));
        }
        let expiration = match &raw.expiration {
            Some((text, pos)) if !text.is_empty() => Some(seconds_since_epoch(text).ok_or_else(|| {
                Fault::new(*pos, format!("`{text}` is no time in path `{path}`"))
                    .expected("a time such as `\"2030-01-31T12:00:00Z\"`")
            })?),
            _ => None,
        };
        if let Some((filter, pos)) = &raw.list_filter
            && !filter.is_empty()
        {
            if !capabilities.contains(&Capability::List) {
                return Err(Fault::new(
                    *pos,
                    format!("`list_scan_response_keys_filter_path` without `list` in path `{path}`"),
                ));
            }
            if !(filter.contains("{{") && filter.contains("key")) {
                return Err(Fault::new(
                    *pos,
                    format!("`list_scan_response_keys_filter_path` does not use the key in path `{path}`"),
                )
                .expected("a template with `{{ .key }}`"));
            }
        }
        Ok(Constraints {
            allowed_parameters: lower_keys(raw.allowed, allows_either),
            denied_parameters: lower_keys(raw.denied, denies_each),
            required_parameters: raw.required,
            min_wrapping_ttl_ns: min,
            max_wrapping_ttl_ns: max,
            mfa_methods: raw.mfa_methods,
            control_groups: raw.control_group.into_iter().collect(),
            pagination_limit: raw.pagination_limit,
            expiration,
            list_filter: raw.list_filter.map(|(text, _)| text).filter(|text| !text.is_empty()),
            subscribe_event_types: raw.event_types,
        })
    }

    fn nanoseconds(&self, path: &str, key: &str, given: Option<&(Any, Pos)>) -> Result<i64, Fault> {
        let Some((value, pos)) = given else { return Ok(0) };
        duration::nanoseconds(value, self.dialect.days).ok_or_else(|| {
            Fault::new(*pos, format!("`{key}` is no time in path `{path}`"))
                .expected("seconds as a number, or `\"90s\"`, `\"10m\"`, `\"1h\"`")
        })
    }

    /// The text of comment lines without their markers.
    fn comment_lines(&self, span: Range<usize>) -> Vec<String> {
        let text = self.source.text.get(span).unwrap_or("");
        let mut inside = false;
        let mut lines = Vec::new();
        for line in text.lines() {
            let mut line = line.trim();
            if !inside {
                if let Some(rest) = line.strip_prefix("/*") {
                    inside = true;
                    line = rest;
                } else {
                    line = line
                        .trim_start_matches('#')
                        .strip_prefix("//")
                        .unwrap_or_else(|| line.trim_start_matches('#'));
                }
            }
            if inside {
                if let Some(rest) = line.strip_suffix("*/") {
                    inside = false;
                    line = rest;
                }
                line = line.trim_start().strip_prefix('*').unwrap_or(line);
            }
            lines.push(line.trim().to_owned());
        }
        lines
    }
}

const WRITE: [Capability; 5] = [
    Capability::Create,
    Capability::Read,
    Capability::Update,
    Capability::Delete,
    Capability::List,
];

const SUDO: [Capability; 6] = [
    Capability::Create,
    Capability::Read,
    Capability::Update,
    Capability::Delete,
    Capability::List,
    Capability::Sudo,
];

/// The keys of a block before they are looked at.
#[derive(Default)]
struct Raw<'t> {
    policy: Option<(String, Pos)>,
    capabilities: Vec<(String, Option<&'t Token>)>,
    allowed: BTreeMap<String, Vec<Any>>,
    denied: BTreeMap<String, Vec<Any>>,
    required: Vec<String>,
    mfa_methods: Vec<String>,
    event_types: Vec<String>,
    min: Option<(Any, Pos)>,
    max: Option<(Any, Pos)>,
    control_group: Option<String>,
    pagination_limit: i64,
    expiration: Option<(String, Pos)>,
    list_filter: Option<(String, Pos)>,
}

/// The keys in small letters. Of two that are one then, the servers keep either, another one each time they read the policy: what may be
/// in force is what `both` says.
fn lower_keys(
    map: BTreeMap<String, Vec<Any>>,
    both: fn(Vec<Value>, Vec<Value>) -> Option<Vec<Value>>,
) -> BTreeMap<String, Vec<Value>> {
    let mut lowered: BTreeMap<String, Option<Vec<Value>>> = BTreeMap::new();
    for (key, values) in map {
        let values: Vec<Value> = values.into_iter().map(Any::into_json).collect();
        match lowered.entry(lower(&key).into_owned()) {
            btree_map::Entry::Vacant(place) => {
                place.insert(Some(values));
            }
            btree_map::Entry::Occupied(mut place) => {
                let first = place.get_mut().take();
                place.insert(first.and_then(|first| both(first, values)));
            }
        }
    }
    let kept = lowered.into_iter().filter_map(|(key, values)| Some((key, values?)));
    kept.collect()
}

/// The values that one of two lists allows; an empty list allows all.
fn allows_either(mut first: Vec<Value>, second: Vec<Value>) -> Option<Vec<Value>> {
    if first.is_empty() || second.is_empty() {
        return Some(Vec::new());
    }
    first.extend(second);
    Some(first)
}

/// The values that each of two lists denies; an empty list denies all. None where there is none.
fn denies_each(first: Vec<Value>, second: Vec<Value>) -> Option<Vec<Value>> {
    if first.is_empty() {
        return Some(second);
    }
    if second.is_empty() {
        return Some(first);
    }
    let both: Vec<Value> = first.into_iter().filter(|value| second.contains(value)).collect();
    (!both.is_empty()).then_some(both)
}

/// The keys that come twice once they are in small letters.
fn in_two_cases(map: &BTreeMap<String, Vec<Any>>) -> impl Iterator<Item = String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for key in map.keys() {
        *seen.entry(lower(key).into_owned()).or_default() += 1;
    }
    seen.into_iter().filter(|(_, count)| *count > 1).map(|(key, _)| key)
}

/// Whether a path holds a template; an error where its braces are not in pairs.
fn is_templated(path: &str) -> Result<bool, ()> {
    let mut pieces = path.split("{{");
    if pieces.next().is_some_and(|head| head.contains("}}")) {
        return Err(());
    }
    let mut found = false;
    for piece in pieces {
        if piece.matches("}}").count() != 1 {
            return Err(());
        }
        found = true;
    }
    Ok(found)
}

fn seconds_since_epoch(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(seconds);
    }
    if text.contains('[') || text.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}
