//! The house, held: floors by the paths in use, no circles of files, heavy packages in one file each, every file says what it is for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms by floor, the lowest first. A room sees only rooms of lower floors, and itself.
const FLOORS: [&[&str]; 10] = [
    &["hint", "shown"],
    &["origin", "random", "files", "index", "staged", "vault", "units"],
    &["usage", "policy", "deployment", "advice"],
    &["ingest", "access", "sources"],
    &["analysis", "optimize"],
    &["settings", "report", "version"],
    &["pipeline", "rollout"],
    &["check", "watch", "backtest"],
    &["cli"],
    &["commands"],
];

/// Packages that only these files may name.
const FENCES: [(&str, &[&str]); 16] = [
    (
        "polars::",
        &[
            "usage/answer.rs",
            "usage/frame.rs",
            "usage/parquet.rs",
            "usage/state_tables.rs",
        ],
    ),
    ("polars_arrow::", &["usage/parquet.rs"]),
    ("polars_parquet::", &["usage/parquet.rs"]),
    ("good_lp::", &["optimize/ilp.rs"]),
    ("petgraph::", &["analysis/access_graph.rs", "optimize/tied.rs"]),
    ("minijinja::", &["report/html.rs"]),
    ("notify::", &["watch/notice.rs"]),
    (
        "object_store::",
        &[
            "ingest/bucket.rs",
            "ingest/bucket/client.rs",
            "ingest/bucket/pieces.rs",
            "ingest/bucket/trouble.rs",
        ],
    ),
    ("tokio::", &["ingest/bucket.rs", "ingest/bucket/pieces.rs"]),
    ("futures_util::", &["ingest/bucket.rs", "ingest/bucket/pieces.rs"]),
    ("reqwest::", &["ingest/bucket/client.rs"]),
    ("ureq::", &["deployment/live.rs", "watch/post.rs"]),
    ("httparse::", &["watch/serve.rs"]),
    ("hmac::", &["watch/hook.rs"]),
    ("granit_parser::", &["sources/yaml.rs"]),
    (
        "hcl_edit::",
        &[
            "sources/terraform/document.rs",
            "sources/terraform/each.rs",
            "sources/terraform/eval.rs",
            "sources/terraform/model.rs",
        ],
    ),
];

fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

fn room(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The text without comments and without the tests at the end of the file.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn no_room_sees_a_floor_above_or_a_neighbour() {
    let floor: BTreeMap<&str, usize> = FLOORS
        .iter()
        .enumerate()
        .flat_map(|(n, rooms)| rooms.iter().map(move |r| (*r, n)))
        .collect();
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let from = room(&file);
        let Some(here) = floor.get(from) else {
            assert!(
                ["main", "lib"].contains(&from),
                "{file}: the room `{from}` is on no floor"
            );
            continue;
        };
        for (at, _) in code(&text).match_indices("crate::") {
            let code = code(&text);
            let to: String = code[at + 7..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            if to == from || !floor.contains_key(to.as_str()) {
                continue;
            }
            if floor[to.as_str()] >= *here {
                wrong.push(format!("{file} sees crate::{to}"));
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Readers of different things, which meet in `access` and nowhere before.
const APART: [&str; 3] = ["ingest", "policy", "deployment"];

#[test]
fn the_readers_do_not_see_each_other() {
    let named = |from: &str, to: &str| from != to && APART.contains(&from) && APART.contains(&to);
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let seen = paths(&module(&file), &code(&text));
        let rooms = seen.iter().filter_map(|path| path.first());
        wrong.extend(
            rooms
                .filter(|to| named(room(&file), to))
                .map(|to| format!("{file} sees {to}")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Files that need each other by what they are about, with the reason.
const CIRCLES: [(&[&str], &str); 2] = [
    (
        &["sources::node", "sources::text"],
        "a value may be a text, and a text may hold the value that it says",
    ),
    (
        &[
            "sources::terraform::document",
            "sources::terraform::eval",
            "sources::terraform::functions",
            "sources::terraform::model",
            "sources::terraform::module",
            "sources::terraform::types",
        ],
        "an expression is evaluated in its module, whose locals, variables and types are expressions",
    ),
];

#[test]
fn no_files_need_each_other() {
    let files: Vec<(Vec<String>, String)> = sources()
        .into_iter()
        .map(|(file, text)| (module(&file), code(&text)))
        .collect();
    let names: BTreeMap<&[String], String> = files
        .iter()
        .map(|(module, _)| (module.as_slice(), module.join("::")))
        .collect();
    let mut graph: DiGraph<&str, ()> = DiGraph::new();
    let nodes: BTreeMap<&[String], NodeIndex> = names
        .iter()
        .map(|(module, name)| (*module, graph.add_node(name)))
        .collect();
    for (module, code) in &files {
        let Some(&from) = nodes.get(module.as_slice()) else {
            continue;
        };
        for path in paths(module, code) {
            let there = (1..=path.len()).rev().map(|n| &path[..n]);
            let there = there.into_iter().find(|there| nodes.contains_key(there));
            // What opens a folder names all that is in it, and holds what its files share: with these it is no circle.
            let apart = there.filter(|there| !there.starts_with(module) && !module.starts_with(there));
            if let Some(&to) = apart.and_then(|there| nodes.get(there)) {
                graph.add_edge(from, to, ());
            }
        }
    }
    let named = |circle: Vec<NodeIndex>| circle.into_iter().map(|n| graph[n]).collect::<BTreeSet<&str>>();
    let circles = tarjan_scc(&graph).into_iter().filter(|circle| circle.len() > 1);
    let circles: BTreeSet<BTreeSet<&str>> = circles.map(named).collect();
    let known: BTreeSet<BTreeSet<&str>> = CIRCLES
        .iter()
        .map(|(files, _)| files.iter().copied().collect())
        .collect();
    assert_eq!(circles, known);
}

/// The path of a file's module.
fn module(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

/// All that a text names by `crate::`, `self::` or `super::`, from the crate on.
fn paths(module: &[String], code: &str) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    for word in ["crate::", "self::", "super::"] {
        for (at, _) in code.match_indices(word) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':')) {
                continue;
            }
            let mut rest = &code[at..];
            let mut base = if rest.starts_with("crate::") {
                Vec::new()
            } else {
                module.to_vec()
            };
            while let Some(after) = rest.strip_prefix("super::") {
                base.pop();
                rest = after;
            }
            let rest = rest
                .strip_prefix("crate::")
                .or_else(|| rest.strip_prefix("self::"))
                .unwrap_or(rest);
            follow(&base, &mut rest.chars().peekable(), &mut found);
        }
    }
    found
}

/// Follows a path, and each of several in braces, to its end.
fn follow(base: &[String], rest: &mut std::iter::Peekable<std::str::Chars<'_>>, found: &mut BTreeSet<Vec<String>>) {
    while rest.next_if(|c| c.is_whitespace()).is_some() {}
    if rest.next_if_eq(&'{').is_some() {
        loop {
            follow(base, rest, found);
            while rest.next_if(|c| c.is_whitespace() || *c == ',').is_some() {}
            match rest.peek() {
                Some('}') | None => break,
                Some(c) if c.is_alphanumeric() || matches!(c, '_' | '{') => {}
                // `*`, or what is no path.
                Some(_) => drop(rest.next()),
            }
        }
        rest.next();
        return;
    }
    let mut word = String::new();
    while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
        word.push(c);
    }
    let path: Vec<String> = match word.as_str() {
        "" | "self" => base.to_vec(),
        _ => base.iter().cloned().chain([word]).collect(),
    };
    if rest.next_if_eq(&':').is_some() && rest.next_if_eq(&':').is_some() {
        return follow(&path, rest, found);
    }
    // Another name for it (`x as y`) is none of its parts.
    found.insert(path);
}

#[test]
fn the_picture_and_the_page_show_every_room() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let picture = fs::read_to_string(root.join("docs/images/house.svg")).unwrap();
    for room in FLOORS.concat() {
        assert!(picture.contains(&format!(">{room}<")), "the picture lacks `{room}`");
        let named = [format!("\n{room}/"), format!("\n{room}.rs")];
        assert!(named.iter().any(|n| page.contains(n)), "ARCHITECTURE.md lacks `{room}`");
    }
}

#[test]
fn heavy_packages_are_named_where_they_are_fenced_in() {
    for (package, homes) in FENCES {
        let users: Vec<String> = sources()
            .into_iter()
            .filter(|(_, text)| code(text).contains(package))
            .map(|(file, _)| file)
            .filter(|file| !homes.contains(&file.as_str()))
            .collect();
        assert!(
            users.is_empty(),
            "{package} is for {homes:?} alone, and is named in {users:?}"
        );
    }
}

#[test]
fn covers_and_roles_know_no_vault_word() {
    for (file, text) in sources() {
        let pure = ["optimize/cover", "optimize/roles", "optimize/ilp.rs"]
            .iter()
            .any(|p| file.starts_with(p));
        if pure {
            let code = code(&text).to_lowercase();
            for word in ["vault", "openbao", "stanza", "crate::policy", "crate::access"] {
                assert!(!code.contains(word), "{file} says `{word}`");
            }
        }
    }
}

/// No function is longer: what takes more has parts that have names.
const MOST_LINES: usize = 100;

#[test]
fn no_function_is_longer_than_a_reader_can_follow() {
    let begins = |line: &str| {
        let words = line.trim_start().split(['(', '<']).next().unwrap();
        let mut words = words.split(' ').filter(|word| !word.is_empty());
        words.any(|word| word == "fn")
    };
    let mut long = Vec::new();
    for (file, text) in sources() {
        let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| begins(line)) {
            let indent = &line[..line.len() - line.trim_start().len()];
            let ends = |line: &&str| {
                line.strip_prefix(indent)
                    .is_some_and(|rest| rest == "}" || rest.ends_with(';') && !rest.starts_with(' '))
            };
            let Some(rows) = lines[at..].iter().position(ends) else {
                continue;
            };
            if rows + 1 > MOST_LINES {
                long.push(format!("{file}:{}: {} lines", at + 1, rows + 1));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    for (file, text) in sources() {
        assert!(text.starts_with("//! "), "{file} does not open with what it is for");
    }
}
