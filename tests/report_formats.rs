//! The formats of the report: valid by their schemas, loadable again, and proof against hostile names.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed"
)]

#[path = "support/skip.rs"]
mod skip;

#[path = "support/advice.rs"]
mod advice;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use advice::{HOSTILE, hostile, sample};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use vault_advisor::advice::{Advice, Change};
use vault_advisor::report::json_model::Document;
use vault_advisor::report::{self, Options, OutputFile, escape, json, layout};

fn manifest(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn rendered(advice: &Advice) -> Vec<OutputFile> {
    report::render(advice, &Options::default()).unwrap()
}

fn text<'a>(files: &'a [OutputFile], path: &str) -> &'a str {
    let file = files
        .iter()
        .find(|file| file.path == path)
        .unwrap_or_else(|| panic!("no {path}"));
    std::str::from_utf8(&file.bytes).unwrap()
}

fn schema(path: &str) -> Value {
    serde_json::from_slice(&fs::read(manifest(path)).unwrap()).unwrap()
}

fn assert_valid(schema: &Value, instance: &Value) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(instance)
        .take(5)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// The schema with every object closed: a field that it does not describe is an error.
fn closed(mut schema: Value) -> Value {
    fn close(value: &mut Value) {
        if let Value::Object(map) = value {
            if map.contains_key("properties") {
                map.insert(String::from("additionalProperties"), Value::Bool(false));
            }
            map.values_mut().for_each(close);
        }
    }
    close(&mut schema);
    schema
}

fn every_advice() -> Vec<Advice> {
    vec![Advice::default(), sample(1), sample(60), hostile()]
}

#[test]
fn advice_json_is_what_its_schema_says() {
    let schema = schema("docs/schema/advice.v2.schema.json");
    for advice in every_advice() {
        let value: Value = serde_json::from_str(text(&rendered(&advice), "advice.json")).unwrap();
        assert_valid(&closed(schema.clone()), &value);
    }
}

#[test]
fn advice_json_loads_again_as_it_was() {
    for advice in every_advice() {
        let written = json::render(&Document::from(&advice)).unwrap();
        let again = json::load(written.as_bytes()).unwrap();
        assert_eq!(json::render(&again).unwrap(), written);
    }
}

/// The file was written by the first version and is never written again.
#[test]
fn a_stored_document_of_the_first_version_still_loads() {
    let stored = fs::read(manifest("tests/stored/advice.v1.json")).unwrap();
    let document = json::load(&stored).unwrap();
    assert_eq!(document.principals.len(), 3);
    assert_eq!(document.proposals.len(), 2);
    assert!(document.proposals[0].proof.holds);
    assert_eq!(document.findings[0].fingerprint, "3f7a91c2d4e8b605");
    assert_valid(
        &schema("docs/schema/advice.v1.schema.json"),
        &serde_json::from_slice(&stored).unwrap(),
    );
}

#[test]
fn a_document_with_fields_missing_loads() {
    let document = json::load(b"{\"version\":1,\"totals\":{\"granted\":7},\"a later field\":{}}").unwrap();
    assert_eq!(document.totals.granted, 7);
    assert!(document.findings.is_empty());
}

#[test]
fn sarif_is_valid() {
    let mut schema = schema("tests/schema/sarif-2.1.0.json");
    // The pattern as published is none that every engine of regular expressions takes.
    for part in ["run", "toolComponent"] {
        schema["definitions"][part]["properties"]["language"]
            .as_object_mut()
            .unwrap()
            .remove("pattern");
    }
    for advice in every_advice() {
        let value: Value = serde_json::from_str(text(&rendered(&advice), "findings.sarif")).unwrap();
        assert_valid(&schema, &value);
        let run = &value["runs"][0];
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), advice.findings.len());
        for (result, finding) in results.iter().zip(&advice.findings) {
            assert_eq!(
                result["partialFingerprints"]["vaultAdvisor/v1"],
                finding.fingerprint.as_str()
            );
            let rule = &run["tool"]["driver"]["rules"][usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
            assert_eq!(rule["id"], result["ruleId"]);
            assert_eq!(
                result["locations"].as_array().unwrap().len(),
                finding.origins.len().max(1)
            );
        }
    }
}

/// A small reader of RFC 4180.
fn csv_rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            c => field.push(c),
        }
    }
    assert!(!quoted && row.is_empty() && field.is_empty());
    rows
}

#[test]
fn csv_has_its_rows_and_no_formula() {
    let advice = hostile();
    let files = rendered(&advice);
    let stanzas: usize = advice
        .policies
        .iter()
        .flat_map(|policy| &policy.stanzas)
        .map(|stanza| stanza.capabilities.len())
        .sum();
    for (path, lines) in [
        ("findings.csv", advice.findings.len()),
        ("principals.csv", advice.principals.len()),
        ("policies.csv", stanzas),
    ] {
        let rows = csv_rows(text(&files, path));
        assert_eq!(rows.len(), lines + 1, "{path}");
        for row in &rows {
            assert_eq!(row.len(), rows[0].len(), "{path}");
            for field in row {
                let number = field.parse::<f64>().is_ok();
                assert!(
                    number || !field.trim_start().starts_with(['=', '+', '-', '@']),
                    "{path}: {field:?}"
                );
                assert!(
                    !field.chars().any(|c| escape::is_deceptive(c) && c != '\n' && c != '\t'),
                    "{path}: {field:?}"
                );
            }
        }
    }
}

#[test]
fn the_terminal_sees_no_control_character() {
    for color in [false, true] {
        let shown = report::text::render(&hostile(), color);
        let own = [
            "\u{1b}[0m",
            "\u{1b}[1m",
            "\u{1b}[2m",
            "\u{1b}[31m",
            "\u{1b}[32m",
            "\u{1b}[33m",
            "\u{1b}[36m",
            "\u{1b}[1;31m",
        ];
        let rest = own.iter().fold(shown.clone(), |rest, code| rest.replace(code, ""));
        assert_eq!(rest.chars().find(|c| escape::is_deceptive(*c) && *c != '\n'), None);
        assert_eq!(shown.contains('\u{1b}'), color);
    }
}

#[test]
fn markdown_has_no_html_link_or_mention_of_others() {
    let files = rendered(&hostile());
    for path in ["summary.md", "roles/README.md"] {
        let whole = text(&files, path);
        assert!(whole.len() < 65_536, "{path}");
        assert_eq!(
            whole
                .chars()
                .find(|c| escape::is_deceptive(*c) && !matches!(c, '\n' | '\t')),
            None,
            "{path}"
        );
        let mut fence: Option<String> = None;
        for line in whole.lines() {
            if let Some(end) = &fence {
                if line.trim() == end {
                    fence = None;
                }
                continue;
            }
            if line.starts_with("```") {
                fence = Some(line.chars().take_while(|c| *c == '`').collect());
                continue;
            }
            let line = match line.split_once("<summary><code>") {
                Some((_, name)) => {
                    assert!(!name.replace("</code></summary>", "").contains('<'), "{path}: {line}");
                    continue;
                }
                None => line,
            };
            let plain = without_code(line).replace("\\]", "");
            for bad in ["<script", "<img", "<svg", "](", "@everyone", "javascript:alert(1))]"] {
                assert!(!plain.contains(bad), "{path}: {line}");
            }
            let columns = plain.matches('|').count() - plain.matches("\\|").count();
            if line.starts_with('|') {
                assert!([4, 5, 6, 7].contains(&columns), "{path}: {columns} in {line}");
            }
        }
        assert_eq!(fence, None, "{path}");
    }
}

/// A line of Markdown without its code spans, told apart by the length of their marks. `\|` inside them stays escaped.
fn without_code(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        let before = &rest[..start];
        if before.ends_with('\\') {
            out.push_str(&rest[..=start]);
            rest = &rest[start + 1..];
            continue;
        }
        out.push_str(before);
        let ticks: String = rest[start..].chars().take_while(|c| *c == '`').collect();
        let inside = &rest[start + ticks.len()..];
        let mut end = None;
        let mut from = 0;
        while let Some(at) = inside[from..].find('`') {
            let run: usize = inside[from + at..].chars().take_while(|c| *c == '`').count();
            if run == ticks.len() {
                end = Some(from + at);
                break;
            }
            from += at + run;
        }
        let Some(end) = end else {
            panic!("an open code span in {line}");
        };
        rest = &inside[end + ticks.len()..];
    }
    out + rest
}

#[test]
fn html_holds_names_as_text_only() {
    let files = rendered(&hostile());
    let page = text(&files, "report.html");
    assert_eq!(page.matches("<script").count(), 2, "the data and the page's own script");
    assert_eq!(page.matches("</script>").count(), 2);
    assert_eq!(page.matches("<style").count(), 1);
    assert_eq!(page.matches("</style>").count(), 1);
    for bad in [
        "<img",
        "<svg/onload",
        " onerror=\"",
        "<!--<",
        "</title><script",
        "https://",
        "@import",
        "url(",
    ] {
        assert!(!page.contains(bad), "{bad}");
    }
    let visible_only = page
        .chars()
        .find(|c| escape::is_deceptive(*c) && *c != '\n' && *c != '\t');
    assert_eq!(visible_only, None);
    let data = page
        .split("id=\"data\">")
        .nth(1)
        .unwrap()
        .split("</script>")
        .next()
        .unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["principals"].as_array().unwrap().len(), HOSTILE.len());
    assert_eq!(data["findings"].as_array().unwrap().len(), HOSTILE.len());
}

#[test]
fn html_says_what_matters_without_its_script() {
    let page = String::from_utf8(report::html::render(&sample(60), 7_500_000).unwrap().into_bytes()).unwrap();
    for words in [
        "0 newly denied, 0 newly granted",
        "operator-jane",
        "Nothing that was seen to work breaks",
        "A demand is one principal, one path and one capability",
        "of them are allowed by a stanza and decided again",
        "without root tokens",
        "100 % where every line was used",
        "the redesign shows how for 60 principals",
        "1 other way to the same",
        "secret/data/prod/web/*",
        "3f7a91c2d4e8b605",
        "default-src &#x27;none&#x27;",
    ] {
        assert!(
            page.contains(words) || page.contains(&words.replace('/', "&#x2f;")),
            "{words}"
        );
    }
}

#[test]
fn html_stays_small_and_says_what_it_left_out() {
    let says = |page: &str| page.contains("To stay small, this page holds");
    assert!(!says(&report::html::render(&sample(60), 7_500_000).unwrap()));
    // Of many principals each tells less of what it used, before any of them is left out.
    assert!(!says(&report::html::render(&sample(2_000), 7_500_000).unwrap()));
    let advice = sample(4_000);
    for most in [400_000, 1_500_000, 7_500_000] {
        let page = report::html::render(&advice, most).unwrap();
        assert!(page.len() <= most, "{} of {most}", page.len());
        assert!(says(&page) || most > 1_600_000, "{most}");
    }
}

#[test]
fn diffs_turn_what_was_read_into_what_is_proposed() {
    if Command::new("git").arg("--version").output().is_err() {
        skip::skipped("no git");
        return;
    }
    for (advice, in_a_repository) in [(sample(20), false), (sample(20), true), (hostile(), false)] {
        let files = rendered(&advice);
        let dir = tempfile::tempdir().unwrap();
        // In a repository, from a folder below its root: that is where people work.
        let work = if in_a_repository {
            dir.path().join("below")
        } else {
            dir.path().to_owned()
        };
        fs::create_dir_all(&work).unwrap();
        if in_a_repository {
            assert!(
                Command::new("git")
                    .args(["init", "-q"])
                    .current_dir(dir.path())
                    .status()
                    .unwrap()
                    .success()
            );
        }
        let tighten = &advice.proposals[0];
        for policy in &tighten.policies {
            if let (Some(file), Some(original)) = (&policy.file, &policy.original) {
                let path = work.join(&**file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, &**original).unwrap();
            }
        }
        let out = tempfile::tempdir().unwrap();
        let placed = layout::place(&advice.run, tighten);
        for placed in &placed {
            let Some(diff) = files.iter().find(|file| file.path == format!("diffs/{}", placed.diff)) else {
                assert_eq!(placed.policy.change, Change::Keep, "{}", placed.file);
                continue;
            };
            let path = out.path().join("x.diff");
            fs::write(&path, &diff.bytes).unwrap();
            let output = Command::new("git")
                .args(["apply", "--whitespace=nowarn"])
                .arg(&path)
                .current_dir(&work)
                .env("GIT_CEILING_DIRECTORIES", std::env::temp_dir())
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{}\n{}",
                String::from_utf8_lossy(&output.stderr),
                String::from_utf8_lossy(&diff.bytes)
            );
            let now = fs::read_to_string(work.join(&placed.header)).ok();
            let want = match placed.policy.change {
                Change::Delete => None,
                _ => placed.policy.text.clone(),
            };
            assert_eq!(now, want, "{}", placed.file);
        }
    }
}

#[test]
fn terraform_is_laid_out_and_means_the_same() {
    if Command::new("terraform").arg("version").output().is_err() {
        skip::skipped("no terraform");
        return;
    }
    for advice in [sample(20), hostile()] {
        let dir = tempfile::tempdir().unwrap();
        let files: Vec<OutputFile> = rendered(&advice)
            .into_iter()
            .filter(|file| file.path.starts_with("terraform/"))
            .collect();
        report::write::write(&files, &dir.path().join("out")).unwrap();
        let output = Command::new("terraform")
            .args(["fmt", "-check", "-diff", "-recursive"])
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    // What Terraform reads is what was written, byte for byte.
    let mut texts: Vec<String> = HOSTILE.iter().map(|text| (*text).to_owned()).collect();
    texts.extend(HOSTILE.iter().map(|text| format!("a\n{text}\n")));
    texts.extend(HOSTILE.iter().map(|text| format!("{text}\nb")));
    texts.retain(|text| !text.contains('\0'));
    let list: Vec<String> = texts
        .iter()
        .flat_map(|text| [escape::terraform_string(text), escape::terraform_text(text)])
        .collect();
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("main.tf"),
        format!("locals {{\n  texts = [\n{}\n  ]\n}}\n", list.join("\n,\n")),
    )
    .unwrap();
    fs::write(
        dir.path().join("ask"),
        "join(\" \", [for text in local.texts : sha256(text)])\n",
    )
    .unwrap();
    let output = Command::new("terraform")
        .arg("console")
        .current_dir(dir.path())
        .stdin(fs::File::open(dir.path().join("ask")).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let read: Vec<&str> = printed.trim().trim_matches('"').split(' ').collect();
    assert_eq!(read.len(), list.len());
    for (text, pair) in texts.iter().zip(read.chunks(2)) {
        let want: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(pair, [want.as_str(), want.as_str()], "{text:?}");
    }
}

#[test]
fn every_proposed_file_is_the_proposed_text() {
    for advice in [sample(20), hostile()] {
        let files = rendered(&advice);
        for placed in layout::place(&advice.run, &advice.proposals[0]) {
            let file = files
                .iter()
                .find(|file| file.path == format!("policies/{}", placed.file));
            match (placed.policy.change, file) {
                (Change::Delete, None) => {}
                (Change::Add, Some(file)) => {
                    assert!(file.bytes.ends_with(placed.policy.text.as_ref().unwrap().as_bytes()))
                }
                (_, Some(file)) => assert_eq!(file.bytes, placed.policy.text.as_ref().unwrap().as_bytes()),
                (change, file) => panic!("{change:?} {file:?}"),
            }
        }
        let mut paths: Vec<String> = files.iter().map(|file| file.path.to_lowercase()).collect();
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), files.len(), "no two files have one name");
        let dir = tempfile::tempdir().unwrap();
        report::write::write(&files, &dir.path().join("out")).unwrap();
    }
}
