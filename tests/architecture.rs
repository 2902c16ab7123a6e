//! The house, held: floors by the `crate::` paths in use, heavy packages in one file each, every file says what it is for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms by floor, the lowest first. A room sees only rooms of lower floors, and itself.
const FLOORS: [&[&str]; 9] = [
    &[
        "origin", "random", "files", "index", "shown", "staged", "vault", "units",
    ],
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
    ("petgraph::", &["analysis/access_graph.rs"]),
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

#[test]
fn every_file_opens_with_what_it_is_for() {
    for (file, text) in sources() {
        assert!(text.starts_with("//! "), "{file} does not open with what it is for");
    }
}
