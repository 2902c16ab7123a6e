//! Random pairs of policies, weird patterns included, and random requests.

use crate::plain::Ask;
use proptest::prelude::*;
use serde_json::json;
use vault_advisor::policy::model::Policy;
use vault_advisor::policy::profile::Profile;
use vault_advisor::policy::syntax;
use vault_advisor::vault::Operation;

/// Where a stanza stands: in the old policies, the new, both, or both with other capabilities.
#[derive(Debug, Clone)]
pub enum Fate {
    Both,
    Old,
    New,
    Changed(Vec<&'static str>, String),
}

/// A stanza, and on which sides it stands.
#[derive(Debug, Clone)]
pub struct Draft {
    path: String,
    words: Vec<&'static str>,
    constraints: String,
    fate: Fate,
}

/// A path that may hold templates.
fn templated_path() -> impl Strategy<Value = String> {
    let hole = prop::sample::select(vec!["{{identity.entity.name}}", "{{ identity.entity.metadata.k }}"]);
    let around = prop::sample::select(vec!["*", "*", "*", "a*", "*b"]);
    (path_text(true), hole, around, 0usize..4).prop_map(|(path, hole, around, at)| {
        let mut segments: Vec<String> = path.split('/').map(str::to_owned).collect();
        let place = at % segments.len();
        let end = if segments[place].ends_with('*') { "*" } else { "" };
        segments[place] = around.replace('*', hole) + if place + 1 == segments.len() { end } else { "" };
        segments.join("/")
    })
}

/// Values for templates, those among them that not every server lets into a path.
pub fn value() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "a", "b", "ab", "x", "a/b", "b/ab/", "", "+", "a/+", "a*", "*", "v9",
    ])
    .prop_map(str::to_owned)
}

fn path_text(long: bool) -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "ab"]),
        3 => Just("+"),
        1 => prop::sample::select(vec!["", "a+", "+b", "abc", "x", "a*c", "A", "Ab", "aB", "ABC"]),
    ];
    let end = prop_oneof![5 => Just(""), 4 => Just("/*"), 3 => Just("*"), 1 => Just("/")];
    (
        prop::collection::vec(segment, 1..if long { 5 } else { 4 }),
        end,
        prop::bool::weighted(0.05),
    )
        .prop_map(|(segments, end, lead)| {
            let path = segments.join("/");
            let end = if path.ends_with('+') && end == "*" { "" } else { end };
            format!("{}{path}{end}", if lead { "/" } else { "" })
        })
}

fn words() -> impl Strategy<Value = Vec<&'static str>> {
    let few = vec!["read", "list", "update", "sudo", "scan", "delete"];
    prop_oneof![
        1 => Just(Vec::new()),
        2 => Just(vec!["deny"]),
        8 => prop::sample::subsequence(few, 1..4),
    ]
}

fn constraints() -> impl Strategy<Value = String> {
    let values = prop::sample::subsequence(
        vec![
            "\"x\"", "\"x*\"", "\"*y\"", "\"*m*\"", "true", "1", "\"xy\"", "\"*\"", "\"a,b\"",
        ],
        0..3,
    );
    let names = prop::sample::subsequence(vec!["k", "Bar", "z", "*"], 1..3);
    let lists = (
        prop::sample::select(vec!["allowed_parameters", "denied_parameters"]),
        names,
        prop::collection::vec(values, 3),
    )
        .prop_map(|(key, names, values)| {
            let entries: Vec<String> = names
                .iter()
                .zip(values)
                .map(|(n, v)| format!("\"{n}\" = [{}]", v.join(", ")))
                .collect();
            format!("{key} = {{ {} }}\n", entries.join("\n"))
        });
    let required = prop::sample::subsequence(vec!["\"k\"", "\"Bar\""], 1..3)
        .prop_map(|names| format!("required_parameters = [{}]\n", names.join(", ")));
    let wrapping = prop::sample::select(vec![
        "min_wrapping_ttl = \"1s\"\n",
        "min_wrapping_ttl = 60\n",
        "max_wrapping_ttl = 90\n",
        "max_wrapping_ttl = \"10s\"\n",
    ])
    .prop_map(str::to_owned);
    prop_oneof![
        7 => Just(String::new()),
        3 => lists.clone(),
        1 => required.clone(),
        1 => wrapping,
        1 => (lists, required).prop_map(|(a, b)| a + &b),
    ]
}

/// Stanzas, some of them with templates where these are wanted.
pub fn drafts(most: usize, templates: bool) -> impl Strategy<Value = Vec<Draft>> {
    let fate = prop_oneof![
        5 => Just(Fate::Both),
        1 => Just(Fate::Old),
        1 => Just(Fate::New),
        1 => (words(), constraints()).prop_map(|(w, c)| Fate::Changed(w, c)),
    ];
    let bare = prop_oneof![constraints(), Just(String::new())];
    let path = if templates {
        prop_oneof![2 => path_text(true).boxed(), 1 => templated_path().boxed()].boxed()
    } else {
        path_text(true).boxed()
    };
    let draft = (path, words(), bare, fate)
        .prop_map(|(path, words, constraints, fate)| Draft {
            path,
            words,
            constraints,
            fate,
        })
        .boxed();
    prop_oneof![
        4 => prop::collection::vec(draft.clone(), 1..most),
        1 => prop::collection::vec(draft, most..4 * most),
    ]
}

pub fn asks(count: usize) -> impl Strategy<Value = Vec<Ask>> {
    let operation = prop::sample::select(vec![
        Operation::Read,
        Operation::Update,
        Operation::List,
        Operation::List,
        Operation::Scan,
        Operation::Delete,
        Operation::Revoke,
    ]);
    let segment = prop_oneof![
        6 => prop::sample::select(vec!["a", "b", "ab"]),
        3 => prop::sample::select(vec!["x", "", "+", "a+", "+b", "abc", "abcd", "a*c", "q", "A", "AB", "aB", "Ab", "B", "aBC"]),
    ];
    let value = prop::sample::select(vec![
        json!("x"),
        json!("xy"),
        json!("qmq"),
        json!("*"),
        json!("a,b"),
        json!("x,q"),
        json!(["x", "xy"]),
        json!([]),
        json!(true),
        json!(1),
    ]);
    let data = prop::collection::vec(
        (prop::sample::select(vec!["k", "bar", "Bar", "z", "other"]), value),
        0..3,
    );
    let ask = (
        prop::bool::weighted(0.2),
        operation,
        prop::collection::vec(segment, 1..6),
        data,
        prop::option::weighted(0.3, prop::sample::select(vec![1, 5, 60, 90, 100])),
    )
        .prop_map(|(bare, operation, segments, data, wrap_s)| {
            let lists = matches!(operation, Operation::List | Operation::Scan);
            let slash = if lists && !bare { "/" } else { "" };
            Ask {
                operation,
                path: (segments.join("/") + slash).trim_start_matches('/').to_owned(),
                data: data.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
                wrap_s,
            }
        });
    prop::collection::vec(ask, count)
}

/// The old and the new policies.
pub fn texts(profile: Profile, drafts: &[Draft]) -> (Vec<Policy>, Vec<Policy>) {
    let openbao = profile.is_openbao();
    let block = |path: &str, words: &[&str], constraints: &str| {
        let words: Vec<String> = words
            .iter()
            .filter(|w| openbao || **w != "scan")
            .map(|w| format!("\"{w}\""))
            .collect();
        format!(
            "path \"{path}\" {{\ncapabilities = [{}]\n{constraints}}}\n",
            words.join(", ")
        )
    };
    let (mut old, mut new) = (String::new(), String::new());
    for draft in drafts {
        let plain = block(&draft.path, &draft.words, &draft.constraints);
        match &draft.fate {
            Fate::Both => {
                old.push_str(&plain);
                new.push_str(&plain);
            }
            Fate::Old => old.push_str(&plain),
            Fate::New => new.push_str(&plain),
            Fate::Changed(words, constraints) => {
                old.push_str(&plain);
                new.push_str(&block(&draft.path, words, constraints));
            }
        }
    }
    (vec![policy(profile, "p", &old)], vec![policy(profile, "p", &new)])
}

fn policy(profile: Profile, name: &str, text: &str) -> Policy {
    syntax::parse(name, name, text, &profile.dialect()).unwrap_or_else(|e| panic!("{}: {text}", e.one_line()))
}
