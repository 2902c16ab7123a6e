//! Parts of usage on disk: a stored part is as good as the logs it came from.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may stop at what it does not expect"
)]

use proptest::prelude::*;
use std::path::{Path, PathBuf};
use vault_advisor::ingest::{Options, Reader};
use vault_advisor::report::usage::{self as rows, Format};
use vault_advisor::usage::answer::{Cells, answer};
use vault_advisor::usage::ask::Question;
use vault_advisor::usage::demand::PolicySet;
use vault_advisor::usage::store::{self, StoreError};
use vault_advisor::usage::{Demand, Skip, Usage};

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/logs").join(name);
    std::fs::read_to_string(path).unwrap()
}

fn feed(text: &str) -> Usage {
    feed_from(0, text, &Options::default())
}

/// Of a log of which so many lines were read before.
fn feed_from(lines: usize, text: &str, options: &Options) -> Usage {
    let mut reader = Reader::new(options);
    reader.resume("log", lines as u64);
    reader.feed("log", text.as_bytes());
    reader.finish_file("log");
    reader.take()
}

fn essence(usage: &Usage) -> String {
    essence_with(usage, &usage.demands(), &usage.policy_sets())
}

/// But for what earlier versions did not store: where requests stand, which policies allowed them, and what they tell of lists.
fn essence_of_old(usage: &Usage) -> String {
    let mut demands = usage.demands();
    for demand in &mut demands {
        demand.example = None;
        demand.granting.clear();
    }
    essence_with(usage, &demands, &[])
}

fn essence_with(usage: &Usage, demands: &[Demand], sets: &[PolicySet]) -> String {
    let tally = usage.tally();
    assert!(tally.balanced(), "{tally:?}");
    let skipped: Vec<u64> = Skip::ALL.map(|reason| tally.skipped(reason)).to_vec();
    format!(
        "{demands:#?} {sets:#?} {:#?} {:?} {:?} {:?} {skipped:?}",
        usage.principals(),
        usage.unpaired(),
        usage.coverage(),
        (tally.lines, tally.used, tally.paired),
    )
}

fn stored(usage: &Usage, dir: &Path, name: &str) -> Usage {
    let path: PathBuf = dir.join(name);
    store::write(usage, &path).unwrap();
    store::read_parquet(&path).unwrap()
}

#[test]
fn a_stored_part_comes_back_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let usage = feed(&fixture("plain.log"));
    let back = stored(&usage, dir.path(), "a.parquet");
    assert_eq!(essence(&back), essence(&usage));
    let again = stored(&back, dir.path(), "b.parquet");
    assert_eq!(essence(&again), essence(&usage));
    assert_eq!(back.window(), usage.window());
}

#[test]
fn a_part_of_the_first_version_is_as_good_as_one_of_this() {
    let dir = tempfile::tempdir().unwrap();
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stored/usage.v1.parquet");
    let usage = feed(&fixture("plain.log"));
    let back = store::read_parquet(&old).unwrap();
    // What it says of lines is by file and line, and of how principals are grouped it says nothing.
    assert_eq!(back.group_by(), None);
    assert_eq!(essence_of_old(&back), essence_of_old(&usage));
    assert!(back.demands().iter().all(|demand| demand.example.is_none()));
    // Nor does it say when a list was first seen, nor who showed a token where none was needed.
    let mut sets = usage.policy_sets();
    assert!(sets.iter().all(|set| set.first_seen.is_some()));
    sets.iter_mut().for_each(|set| set.first_seen = None);
    let told = back.policy_sets();
    assert!(
        !told.is_empty() && told.iter().all(|set| sets.contains(set)),
        "{told:#?}"
    );
    // Nor of what the tokens hold that were made.
    assert_eq!((usage.untold().logins, back.untold().logins), (0, 1));
    let again = stored(&back, dir.path(), "again.parquet");
    assert_eq!(essence(&again), essence(&back));
    assert_eq!(
        essence(&back.merge(usage.clone()).unwrap()),
        essence(&usage.clone().merge(usage).unwrap()),
        "together with one that says it, it is said"
    );
}

#[test]
fn a_part_that_names_no_lines_is_as_good_as_one_that_does() {
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stored/usage.v2.parquet");
    let (old, usage) = (store::read_parquet(&old).unwrap(), feed(&fixture("plain.log")));
    assert_eq!(essence_of_old(&old), essence_of_old(&usage));
    assert!(old.demands().iter().all(|demand| demand.example.is_none()));
    let both = old.clone().merge(usage.clone()).unwrap();
    assert_eq!(both.demands(), usage.demands());
    assert_eq!(usage.merge(old).unwrap().demands(), both.demands());
}

/// Cuts a log before each of its lines; both parts, stored, merge to the whole, whichever comes first, and so once more stored.
fn cut_at_any_line(options: &Options) {
    let dir = tempfile::tempdir().unwrap();
    let text = fixture("plain.log");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let whole = essence(&feed_from(0, &text, options));
    for cut in 0..=lines.len() {
        let (head, tail) = lines.split_at(cut);
        let head = stored(&feed_from(0, &head.concat(), options), dir.path(), "head.parquet");
        let tail = stored(&feed_from(cut, &tail.concat(), options), dir.path(), "tail.parquet");
        assert_eq!(
            essence(&head.clone().merge(tail.clone()).unwrap()),
            whole,
            "cut at {cut}"
        );
        let merged = stored(&tail.merge(head).unwrap(), dir.path(), "merged.parquet");
        assert_eq!(essence(&merged), whole, "cut at {cut}, the other way round, stored");
    }
}

#[test]
fn parts_cut_at_any_line_merge_to_the_whole() {
    cut_at_any_line(&Options::default());
}

#[test]
fn a_part_merged_with_itself_counts_no_request_twice() {
    let dir = tempfile::tempdir().unwrap();
    let usage = feed(&fixture("plain.log"));
    let back = stored(&usage, dir.path(), "a.parquet");
    assert_eq!(usage.clone().merge(back).unwrap().demands(), usage.demands());
}

#[test]
fn the_columns_are_those_of_the_contract() {
    let usage = feed(&fixture("plain.log"));
    let mut text = Vec::new();
    rows::write_jsonl(&usage, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    for line in text.lines() {
        let row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        assert_eq!(row.keys().collect::<Vec<_>>(), rows::COLUMNS.to_vec());
    }
    assert_eq!(text.lines().count(), usage.demands().len());
}

#[test]
fn what_is_no_part_is_refused_and_nothing_is_half_written() {
    let dir = tempfile::tempdir().unwrap();
    let usage = feed(&fixture("plain.log"));
    assert!(rows::format_of(&dir.path().join("usage.xlsx")).is_err());
    let error = store::write(&usage, &dir.path().join("none/usage.parquet")).unwrap_err();
    assert!(matches!(error, StoreError::Write { .. }), "{error}");
    assert_eq!(dir.path().read_dir().unwrap().count(), 0);
    assert!(matches!(rows::format_of(Path::new("u.CSV")), Ok(Format::Csv)));
    let path = dir.path().join("a.parquet");
    assert!(matches!(
        store::read_parquet(&path).unwrap_err(),
        StoreError::Read { .. }
    ));
    for text in ["", "PAR1", "no parquet at all, but long enough to look at twice PAR1"] {
        std::fs::write(&path, text).unwrap();
        let error = store::read_parquet(&path).unwrap_err();
        assert!(error.to_string().contains("a.parquet"), "{error}");
    }
    store::write(&usage, &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for cut in [bytes.len() / 3, bytes.len() - 9] {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        assert!(store::read_parquet(&path).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn stored_parts_merge_in_any_order(cuts in prop::collection::vec(0_usize..28, 3), order in Just([0, 1, 2, 3]).prop_shuffle()) {
        let dir = tempfile::tempdir().unwrap();
        let text = fixture("alphabetical.log");
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(lines.len())).chain([0, lines.len()]).collect();
        cuts.sort_unstable();
        let parts: Vec<Usage> = cuts
            .windows(2)
            .map(|w| {
                let part = feed_from(w[0], &lines[w[0]..w[1]].concat(), &Options::default());
                stored(&part, dir.path(), "part.parquet")
            })
            .collect();
        let merged = order.iter().fold(Usage::default(), |sum, n| sum.merge(parts[*n].clone()).unwrap());
        prop_assert_eq!(essence(&merged), essence(&feed(&text)));
    }
}

/// Runs `usage` with a text on standard input.
fn usage_command(flags: &[&str], input: &[u8]) -> std::process::Output {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_vault-advisor"))
        .arg("usage")
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn parts_go_through_pipes_as_an_engine_hands_them_on() {
    let dir = tempfile::tempdir().unwrap();
    let text = fixture("plain.log");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (head, tail) = lines.split_at(lines.len() / 2);
    let to_part = ["--logs", "-", "--format", "parquet", "--allow-empty", "-o", "-"];
    let mut names = Vec::new();
    for (name, piece) in [
        ("head", head.concat()),
        ("none", String::new()),
        ("skipped", "no JSON\n\n".to_owned()),
        ("tail", tail.concat()),
    ] {
        let output = usage_command(&to_part, piece.as_bytes());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let path = dir.path().join(name);
        std::fs::write(&path, output.stdout).unwrap();
        names.push(path.display().to_string());
    }
    let mut flags = vec!["--usage"];
    flags.extend(names.iter().map(String::as_str));
    let merged = usage_command(&flags, b"");
    let whole = usage_command(&["--logs", "-"], text.as_bytes());
    assert!(!whole.stdout.is_empty() && merged.stdout == whole.stdout);
    let talk = String::from_utf8_lossy(&merged.stderr).into_owned();
    assert!(talk.contains("read 29 lines") && talk.contains("5 skipped"), "{talk}");

    let empty = usage_command(&["--usage", &names[1], &names[2]], b"");
    assert_eq!(empty.status.code(), Some(3), "nothing at all is no basis");
    let csv = usage_command(&["--logs", "-", "--format", "csv"], text.as_bytes());
    assert!(csv.stdout.starts_with(b"principal_id,"));
}

#[test]
fn parts_with_much_outside_of_the_window_keep_their_account() {
    let options = Options {
        since: Some("2030-01-01T00:00:00Z".parse().unwrap()),
        ..Options::default()
    };
    cut_at_any_line(&options);
}

#[test]
fn parts_of_different_groupings_do_not_merge() {
    let dir = tempfile::tempdir().unwrap();
    let log = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/logs/plain.log")
        .display()
        .to_string();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (by_entity, by_role) = (at("entity.parquet"), at("role.parquet"));
    for (by, file) in [("entity", &by_entity), ("role", &by_role)] {
        let output = usage_command(&["--logs", &log, "--group-by", by, "-o", file], b"");
        assert!(output.status.success());
    }
    let said = |flags: &[&str]| {
        let output = usage_command(flags, b"");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
            output.stdout,
        )
    };
    for flags in [
        &["--usage", &by_entity, &by_role][..],
        &["--usage", &by_role, "--group-by", "entity"],
        &["--usage", &by_role, "--group-by", "entity", "--logs", &log],
    ] {
        let (status, talk, out) = said(flags);
        assert_eq!((status, out.len()), (Some(2), 0), "{flags:?}");
        assert!(
            talk.contains("role.parquet` groups principals by role, and not by entity"),
            "{talk}"
        );
    }
    // What is not said is taken from what is stored.
    let (_, _, one) = said(&["--logs", &log, "--usage", &by_role]);
    let (_, _, other) = said(&["--logs", &log, "--usage", &by_role, "--group-by", "role"]);
    let (_, _, alone) = said(&["--usage", &by_role]);
    assert!(one == other && one == alone && !one.is_empty());
    let entity = store::read_parquet(Path::new(&by_entity)).unwrap();
    let role = store::read_parquet(Path::new(&by_role)).unwrap();
    assert!(entity.clone().merge(role).is_err());
    assert!(entity.merge(Usage::default()).is_ok());
}

#[test]
fn a_window_takes_and_leaves_whole_files_of_usage_and_refuses_a_part_of_one() {
    let dir = tempfile::tempdir().unwrap();
    let text = fixture("plain.log");
    let usage = feed(&text);
    let (first, last) = (usage.coverage().first.unwrap(), usage.coverage().last.unwrap());
    let file = dir.path().join("all.parquet").display().to_string();
    store::write(&usage, Path::new(&file)).unwrap();
    let (first, last) = (first.to_string(), last.to_string());
    let run = |flags: &[&str]| {
        let output = usage_command(&[&["--usage", &file][..], flags].concat(), b"");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
            output.stdout,
        )
    };
    let (_, _, all) = run(&[]);
    assert_eq!(run(&["--since", &first, "--until", &last]).2, all);
    for flags in [["--since", &last], ["--until", &first]] {
        let (status, talk, out) = run(&flags);
        assert_eq!((status, out.len()), (Some(2), 0), "{flags:?}: {talk}");
        assert!(talk.contains("all.parquet` is from") && talk.contains(&first), "{talk}");
    }
    for flags in [["--since", "2100-01-01"], ["--until", "1971-01-01"], ["--window", "1s"]] {
        let (status, talk, _) = run(&flags);
        assert_eq!(status, Some(3), "{flags:?}: {talk}");
        assert!(talk.contains("left out") && talk.contains("all.parquet"), "{talk}");
    }
}

/// The usage of a company's log.
fn acme() -> Usage {
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/acme/audit.log.gz");
    let inputs = [vault_advisor::ingest::LogInput::File(log)];
    vault_advisor::ingest::read(&inputs, &Options::default(), &vault_advisor::ingest::Quiet).unwrap()
}

/// The rows of an answer as text, cells joined by bars.
fn asked(usage: &Usage, by: &[&str], condition: Option<&str>, sort: &[&str], top: Option<usize>) -> Vec<String> {
    let words = |words: &[&str]| -> Vec<String> { words.iter().map(ToString::to_string).collect() };
    let question = Question::new(&words(by), condition, &words(sort), top, usage.coverage().last).unwrap();
    let answer = answer(&usage.demands(), &question).unwrap();
    let cell = |cells: &Cells, at: usize| match cells {
        Cells::Texts(texts) => texts[at].clone(),
        Cells::Counts(counts) => counts[at].to_string(),
        Cells::Numbers(numbers) => format!("{:.3}", numbers[at].unwrap_or(-1.0)),
        Cells::Times(times) => times[at].map_or_else(String::new, |time| time.to_string()),
        Cells::Days(days) => days[at].unwrap().to_string(),
    };
    let row = |at: usize| {
        answer
            .columns
            .iter()
            .map(|(_, cells)| cell(cells, at))
            .collect::<Vec<_>>()
            .join("|")
    };
    (0..answer.height).map(row).collect()
}

#[test]
fn a_question_is_answered_as_by_hand() {
    use std::collections::{BTreeMap, BTreeSet};
    use vault_advisor::usage::Demand;
    use vault_advisor::vault::Capability;
    let usage = acme();
    let demands = usage.demands();
    type Key = fn(&Demand) -> String;
    let principal: Key = |d| format!("{}|{}", d.principal.name, d.principal.id);
    let path: Key = |d| d.path.to_string();
    let capability: Key = |d| d.capability.as_str().to_owned();
    for by in [
        &[("principal", principal)][..],
        &[("path", path)],
        &[("capability", capability), ("principal", principal)],
        &[("principal", principal), ("path", path), ("capability", capability)],
    ] {
        let mut groups: BTreeMap<String, Vec<&Demand>> = BTreeMap::new();
        for demand in &demands {
            let key: Vec<String> = by.iter().map(|(_, key)| key(demand)).collect();
            groups.entry(key.join("|")).or_default().push(demand);
        }
        let mut by_hand: Vec<String> = groups
            .iter()
            .map(|(key, demands)| {
                let sum = |of: fn(&Demand) -> u64| demands.iter().map(|d| of(d)).sum::<u64>();
                let is_read = |d: &&&Demand| d.capability == Capability::Read && d.allowed > 0;
                let reads: u64 = demands.iter().filter(is_read).map(|d| d.allowed).sum();
                let days: BTreeSet<i32> = demands.iter().flat_map(|d| d.days.iter().copied()).collect();
                let time = |time: Option<jiff::Timestamp>| time.map_or_else(String::new, |time| time.to_string());
                let requests = sum(|d| d.allowed + d.denied);
                [
                    key.clone(),
                    requests.to_string(),
                    sum(|d| d.allowed).to_string(),
                    sum(|d| d.denied).to_string(),
                    sum(|d| d.failed).to_string(),
                    reads.to_string(),
                    demands
                        .iter()
                        .map(|d| &d.principal)
                        .collect::<BTreeSet<_>>()
                        .len()
                        .to_string(),
                    demands
                        .iter()
                        .map(|d| (&d.namespace, &d.path))
                        .collect::<BTreeSet<_>>()
                        .len()
                        .to_string(),
                    time(demands.iter().filter_map(|d| d.first_seen).min()),
                    time(demands.iter().filter_map(|d| d.last_seen).max()),
                    time(demands.iter().filter(is_read).filter_map(|d| d.last_seen).max()),
                    days.len().to_string(),
                    format!("{:.3}", requests as f64 / days.len() as f64),
                ]
                .join("|")
            })
            .collect();
        let names: Vec<&str> = by.iter().map(|(name, _)| *name).collect();
        let mut answered = asked(&usage, &names, None, &[], None);
        by_hand.sort();
        answered.sort();
        assert!(
            by_hand.len() > 5 && answered == by_hand,
            "{names:?}\n{:?}\n{:?}",
            answered.first(),
            by_hand.first()
        );
    }
}

#[test]
fn conditions_choose_demands_or_rows_and_order_and_number_are_kept() {
    let usage = acme();
    let demands = usage.demands();
    let read_paths = demands
        .iter()
        .filter(|d| d.capability.as_str() == "read")
        .map(|d| &d.path);
    let read_paths: std::collections::BTreeSet<_> = read_paths.collect();
    let told = asked(&usage, &["path"], Some("capability = read"), &[], None);
    let paths: Vec<&str> = told.iter().map(|row| row.split('|').next().unwrap()).collect();
    assert!(told.len() == read_paths.len() && paths.is_sorted());
    let number = |row: &String| -> i64 { row.split('|').nth(1).unwrap().parse().unwrap() };
    let most = asked(&usage, &["path"], Some("requests >= 3"), &["-requests"], Some(4));
    assert_eq!(most.len(), 4);
    assert!(most.iter().map(number).is_sorted_by(|a, b| a >= b) && most.iter().all(|row| number(row) >= 3));
    let all = asked(&usage, &["path"], None, &[], None);
    let some = |condition: &str| asked(&usage, &["path"], Some(condition), &[], None);
    for condition in [
        "denied > 0",
        "last_read > 30d ago",
        "path like 'secret/*'",
        "last_read = none",
    ] {
        let (is, is_not) = (some(condition), some(&format!("not ({condition})")));
        let mut both = [is.clone(), is_not.clone()].concat();
        both.sort();
        let mut whole = all.clone();
        whole.sort();
        assert!(both == whole && !is.is_empty() && !is_not.is_empty(), "{condition}");
    }
    assert!(some("path = 'no such path'").is_empty());
    assert!(
        asked(
            &usage,
            &["path", "principal"],
            Some("capability in ('none')"),
            &[],
            None
        )
        .is_empty()
    );
    let days = asked(&usage, &["day"], None, &[], None);
    let seen: std::collections::BTreeSet<i32> = demands.iter().flat_map(|d| d.days.iter().copied()).collect();
    assert_eq!(days.len(), seen.len());
    let last = asked(&usage, &["day"], Some("day >= 1d ago"), &[], None);
    assert!(!last.is_empty() && last.len() <= 2);
    let name = demands[0].principal.name.clone();
    let id = demands[0].principal.id.clone();
    let by_id = asked(&usage, &["principal"], Some(&format!("principal = '{id}'")), &[], None);
    let by_name = asked(
        &usage,
        &["principal"],
        Some(&format!("principal = '{name}'")),
        &[],
        None,
    );
    assert!(by_id.len() == 1 && by_name.contains(&by_id[0]));
}
