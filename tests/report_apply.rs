//! `apply.sh` and `rollback/`: run against a stand-in for the server's command, and against a real OpenBao where there is one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed"
)]

#[path = "server/mod.rs"]
mod server;

#[path = "support/advice.rs"]
mod advice;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use server::Server;
use vault_advisor::advice::{Advice, Assignment, Change, Proposal, ProposedPolicy, Run, Step, Text, Wave};
use vault_advisor::report::{self, Options};

/// A stand-in for `bao`: policies are files, with versions where VERSIONS is set; lists are files of JSON, records files of
/// JSON laid out as the command does. A namespace is in front of the file's name. A value that begins with `@` is the text of
/// a file, `-` alone is JSON from the standard input. Before each write it runs the hook RACE, before each look at a text or a list
/// the hook LOOK with its number among those at this one, if there are such. What else is known of a policy lies in `.data` beside it.
const STAND_IN: &str = r#"#!/usr/bin/env bash
set -u
verb=$1; shift
format=table field= path= pairs=() stdin=no
for a in "$@"; do
  case $a in -format=*) format=${a#*=} ;; -field=*) field=${a#*=} ;; -) stdin=yes ;; *=*) pairs+=("$a") ;; *) path=$a ;; esac
done
ns=${VAULT_NAMESPACE:-}
[[ $ns == "${BAO_NAMESPACE:-}" ]] || { echo "two namespaces" >&2; exit 2; }
file=$STORE/${ns:+${ns//\//%}%%}${path//\//%}
echo "${ns:+$ns }$verb $path" >>"$STORE.log"
none() { echo "No value found at $path" >&2; exit 2; }
case $verb in
  read)
    case $field in
      policy | policies | token_policies)
        echo "$path" >>"$STORE.looks"
        [[ -z ${LOOK:-} ]] || path=$path nth=$(grep -cFx "$path" "$STORE.looks") bash -c "$LOOK" ;;
    esac
    case $path in
      sys/policies/acl/default) [[ -n ${VERSIONS:-} && $field == version ]] && { printf 0; exit 0; }; exit 2 ;;
      sys/policies/acl/*)
        [[ -e $file ]] || none
        case $field in
          policy) cat "$file" ;;
          data) cat "$file.data" 2>/dev/null || exit 2 ;;
          version) [[ -n ${VERSIONS:-} ]] || exit 2; printf '%s' "$(cat "$file.version")" ;;
          *) exit 2 ;;
        esac ;;
      *) [[ -e $file ]] || none
         if [[ $field != data && $(head -c 1 "$file") == '{' ]]; then sed -n "s/^  \"$field\": \(.*[]]\),*\$/\1/p" "$file"; else cat "$file"; fi ;;
    esac ;;
  write)
    [[ -z ${RACE:-} ]] || path=$path bash -c "$RACE"
    [[ -z ${REFUSE:-} || $path != *"$REFUSE" ]] || { echo denied >&2; exit 2; }
    case $path in
      sys/policies/acl/*)
        now=-1; [[ -e $file ]] && now=$(cat "$file.version" 2>/dev/null || echo 0)
        for p in "${pairs[@]}"; do
          case $p in
            cas=*) [[ ${p#cas=} == "$now" ]] || { echo "check-and-set" >&2; exit 2; } ;;
            policy=@*) new=${p#policy=@} ;;
          esac
        done
        cp "$new" "$file"; echo $((now + 1)) >"$file.version" ;;
      *)
        if [[ $stdin == yes ]]; then
          new=$(cat); echo "$new" >>"$STORE.log"
          if [[ $(head -c 2 <<<"$new") == '{' ]]; then
            # A record as a whole: of two fields of one name the last one counts.
            field=$(sed -n '$s/^,"\([a-z_]*\)":.*/\1/p' <<<"$new")
            list=$(sed -n '$s/^,"[a-z_]*":\(.*\)}$/\1/p' <<<"$new")
            sed "\$d; s/^  \"$field\": .*[]]/  \"$field\": $list/" <<<"$new" >"$file.new"; echo '}' >>"$file.new"; mv "$file.new" "$file"
          else sed 's/^{"[a-z_]*"://; s/}$//' <<<"$new" >"$file"
          fi
        else
          for p in "${pairs[@]}"; do
            v=${p#*=}
            if [[ $v == @* ]]; then v=$(cat "${v#@}") || exit 1; fi
            printf '["%s"]' "${v//,/\",\"}" | sed 's/\[""\]/[]/' >"$file"
          done
        fi ;;
    esac ;;
  delete) rm -f "$file" "$file.version" ;;
esac
"#;

fn policy(name: &str, change: Change, original: Option<&str>, text: Option<&str>) -> ProposedPolicy {
    ProposedPolicy {
        name: name.to_owned(),
        file: original.map(|_| format!("policies/{name}.hcl").into()),
        original: original.map(Into::into),
        text: text.map(str::to_owned),
        change,
        ..ProposedPolicy::default()
    }
}

const OLD: &str = "\n# web ${x} '\"\npath \"secret/*\" {\n  capabilities = [\"read\", \"list\"]\n}";
const NEW: &str = "path \"secret/a\" {\n  capabilities = [\"read\"]\n}\n";

fn tighten() -> Advice {
    Advice {
        run: Run {
            policies_dir: String::from("policies"),
            ..Run::default()
        },
        proposals: vec![Proposal {
            kind: String::from("tighten"),
            policies: vec![
                policy("team-web", Change::Edit, Some(OLD), Some(NEW)),
                policy("ns/pay", Change::Edit, Some(OLD), Some(NEW)),
                policy("legacy", Change::Delete, Some(OLD), None),
                policy("fresh", Change::Add, None, Some(NEW)),
                policy("kept", Change::Keep, Some(OLD), Some(OLD)),
            ],
            ..Proposal::default()
        }],
        ..Advice::default()
    }
}

struct Place {
    dir: tempfile::TempDir,
    env: Vec<(&'static str, String)>,
}

impl Place {
    fn new(advice: &Advice) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = report::render(advice, &Options::default()).unwrap();
        report::write::write(&files, &dir.path().join("out")).unwrap();
        fs::create_dir(dir.path().join("store")).unwrap();
        let cli = dir.path().join("stand-in");
        fs::write(&cli, STAND_IN).unwrap();
        fs::set_permissions(&cli, fs::Permissions::from_mode(0o755)).unwrap();
        let env = vec![
            ("VAULT_CLI", cli.display().to_string()),
            ("STORE", dir.path().join("store").display().to_string()),
        ];
        Self { dir, env }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.env.push((name, value.to_owned()));
        self
    }

    fn out(&self, path: &str) -> PathBuf {
        self.dir.path().join("out").join(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir
            .path()
            .join("store")
            .join(format!("sys%policies%acl%{}", name.replace('/', "%")))
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).unwrap();
        fs::write(format!("{}.version", self.file(name).display()), "3").unwrap();
    }

    fn live(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.file(name)).ok()
    }

    fn run(&self, script: &str, arguments: &[&str]) -> Output {
        run(&self.out(script), arguments, &self.env)
    }

    /// The report of another advice comes to the same folder.
    fn advised_again(&self, advice: &Advice) {
        let files = report::render(advice, &Options::default()).unwrap();
        report::write::write(&files, &self.dir.path().join("out")).unwrap();
    }

    fn stored(&self, path: &str) -> PathBuf {
        self.dir.path().join("store").join(path.replace('/', "%"))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("store.log")).unwrap_or_default()
    }
}

fn run(script: &Path, arguments: &[&str], env: &[(&'static str, String)]) -> Output {
    Command::new("bash")
        .arg(script)
        .args(arguments)
        .envs(env.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap()
}

fn ok(output: Output) -> String {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{text}");
    text
}

fn stopped(output: Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("STOPPED"), "{text}");
    text
}

/// A server as it was analysed: white space around a text does not count.
fn as_analysed(place: &Place) {
    place.put("team-web", &format!("{OLD}\n\n"));
    place.put("ns/pay", OLD.trim_start());
    place.put("legacy", OLD);
    place.put("kept", OLD);
}

#[test]
fn by_itself_it_asks_and_writes_nothing() {
    let place = Place::new(&tighten());
    as_analysed(&place);
    let text = ok(place.run("apply.sh", &[]));
    for words in [
        "edit      policy team-web",
        "delete    policy legacy",
        "add       policy fresh",
        "--yes",
    ] {
        assert!(text.contains(words), "{text}");
    }
    assert!(!text.contains("kept"), "{text}");
    assert_eq!(place.log(), "");
    assert!(ok(place.run("apply.sh", &["--help"])).contains("--rollback"));
    assert_eq!(place.run("apply.sh", &["--no"]).status.code(), Some(2));
}

#[test]
fn it_applies_and_takes_back_byte_for_byte() {
    for versions in ["", "yes"] {
        let place = Place::new(&tighten()).with("VERSIONS", versions);
        as_analysed(&place);
        ok(place.run("apply.sh", &["--check"]));
        assert!(!place.log().contains("write"));
        ok(place.run("apply.sh", &["--yes"]));
        assert_eq!(place.live("team-web").as_deref(), Some(NEW));
        assert_eq!(place.live("ns/pay").as_deref(), Some(NEW));
        assert_eq!(place.live("legacy"), None);
        assert!(place.live("fresh").unwrap().ends_with(NEW));
        assert_eq!(place.live("kept").as_deref(), Some(OLD));
        // Again: all is done already.
        let again = ok(place.run("apply.sh", &["--yes"]));
        assert!(!again.contains("edited"), "{again}");
        ok(place.run("rollback/restore.sh", &[]));
        assert_eq!(place.live("team-web").as_deref(), Some(NEW));
        ok(place.run("rollback/restore.sh", &["--yes"]));
        assert_eq!(place.live("team-web"), Some(format!("{OLD}\n\n")));
        assert_eq!(place.live("ns/pay").as_deref(), Some(OLD.trim_start()));
        assert_eq!(place.live("legacy").as_deref(), Some(OLD));
        assert_eq!(place.live("fresh"), None);
    }
}

#[test]
fn it_stops_before_the_first_write_if_anything_is_not_as_analysed() {
    type Spoil = fn(&Place);
    let spoil: [(&str, Spoil); 4] = [
        ("ns/pay", |place| place.put("ns/pay", "path \"x\" {}")),
        ("legacy", |place| place.put("legacy", NEW)),
        ("team-web", |place| fs::remove_file(place.file("team-web")).unwrap()),
        ("fresh", |place| place.put("fresh", OLD)),
    ];
    for (name, spoil) in spoil {
        let place = Place::new(&tighten());
        as_analysed(&place);
        spoil(&place);
        let text = stopped(place.run("apply.sh", &["--yes"]));
        assert!(text.contains(name), "{text}");
        assert!(
            !place.log().contains("write") && !place.log().contains("delete"),
            "{}",
            place.log()
        );
    }
}

#[test]
fn a_change_between_the_look_and_the_write_makes_it_stop() {
    let place = Place::new(&tighten()).with("VERSIONS", "yes").with(
        "RACE",
        "[[ $path != *team-web ]] || echo 9 >\"$STORE/sys%policies%acl%team-web.version\"",
    );
    as_analysed(&place);
    stopped(place.run("apply.sh", &["--yes"]));
    assert_eq!(place.live("team-web"), Some(format!("{OLD}\n\n")));
}

#[test]
fn where_there_are_no_versions_a_last_look_comes_right_before_the_write() {
    // The first look is that of the check, the second that of the step, the third the last one.
    let at_the_last_look = |path: &str| {
        format!("[[ $path != {path} || $nth != 3 ]] || echo 'path \"theirs\" {{}}' >\"$STORE/${{path//\\//%}}\"")
    };
    let theirs = Some("path \"theirs\" {}\n");
    for name in ["team-web", "legacy", "fresh"] {
        let path = format!("sys/policies/acl/{name}");
        let place = Place::new(&tighten()).with("LOOK", &at_the_last_look(&path));
        as_analysed(&place);
        let text = stopped(place.run("apply.sh", &["--yes"]));
        assert!(text.contains("changed by somebody else just now"), "{text}");
        assert_eq!(place.live(name).as_deref(), theirs);
        assert!(!place.log().contains(&format!("write {path}")), "{}", place.log());
        assert!(!place.log().contains(&format!("delete {path}")), "{}", place.log());
    }
    let place = Place::new(&redesign()).with(
        "LOOK",
        // Two looks of the check: the role has a step in either half.
        "[[ $path != auth/approle/role/app || $nth != 4 ]] || echo '[\"theirs\"]' >\"$STORE/${path//\\//%}\"",
    );
    place.put("legacy", OLD);
    for path in ["auth/approle/role/app", "identity/entity/id/6d1f"] {
        fs::write(place.stored(path), "[\"kept\",\"legacy\"]").unwrap();
    }
    let text = stopped(place.run("roles/apply.sh", &["--yes"]));
    assert!(
        text.contains("auth/approle/role/app was changed by somebody else just now"),
        "{text}"
    );
    let role = fs::read_to_string(place.stored("auth/approle/role/app")).unwrap();
    assert_eq!(role, "[\"theirs\"]\n");
}

#[test]
fn what_may_be_overwritten_unseen_is_said() {
    for (versions, says) in [("", true), ("yes", false)] {
        let place = Place::new(&tighten()).with("VERSIONS", versions);
        as_analysed(&place);
        let text = ok(place.run("apply.sh", &["--yes"]));
        assert_eq!(
            text.matches("is overwritten unseen").count(),
            usize::from(says),
            "{text}"
        );
    }
}

#[test]
fn a_setting_of_a_policy_that_a_write_would_lose_stops_it() {
    for name in ["team-web", "legacy"] {
        for setting in [
            "\"expiration\": \"2030-01-01T00:00:00Z\"",
            "\"allow_slashes_in_identity_templates\": true",
            "\"allow_wildcards_in_identity_templates\": true",
        ] {
            let place = Place::new(&tighten()).with("VERSIONS", "yes");
            as_analysed(&place);
            let data = format!("{{\n  \"cas_required\": false,\n  {setting},\n  \"name\": \"x\"\n}}\n");
            fs::write(format!("{}.data", place.file(name).display()), &data).unwrap();
            let text = stopped(place.run("apply.sh", &["--yes"]));
            assert!(text.contains("would lose"), "{text}");
            let path = format!("sys/policies/acl/{name}");
            assert!(!place.log().contains(&format!("write {path}")), "{}", place.log());
            assert!(!place.log().contains(&format!("delete {path}")), "{}", place.log());
        }
    }
    // What is not set is nothing that could be lost.
    let place = Place::new(&tighten()).with("VERSIONS", "yes");
    as_analysed(&place);
    let data =
        "{\n  \"allow_slashes_in_identity_templates\": false,\n  \"policy\": \"\\n  \\\"expiration\\\": 1\"\n}\n";
    fs::write(format!("{}.data", place.file("team-web").display()), data).unwrap();
    ok(place.run("apply.sh", &["--yes"]));
}

#[test]
fn what_a_run_did_not_come_to_is_left_alone_when_it_is_taken_back() {
    let theirs = "path \"theirs\" {}";
    let stopped_early = || {
        let place = Place::new(&tighten()).with("REFUSE", "ns/pay");
        as_analysed(&place);
        stopped(place.run("apply.sh", &["--yes"]));
        place.put("legacy", theirs);
        place.put("ns/pay", theirs);
        place
    };
    let place = stopped_early();
    let text = ok(place.run("apply.sh", &["--rollback", "--yes"]));
    for name in ["legacy", "ns/pay"] {
        assert!(text.contains(&format!("left      policy {name}")), "{text}");
        assert_eq!(place.live(name).as_deref(), Some(theirs));
    }
    assert_eq!(place.live("team-web"), Some(format!("{OLD}\n\n")));
    // What it wrote, and somebody else after it, is a surprise.
    let place = stopped_early();
    place.put("team-web", theirs);
    let text = stopped(place.run("apply.sh", &["--rollback", "--yes"]));
    assert!(text.contains("policy team-web on the server"), "{text}");
    assert_eq!(place.live("team-web").as_deref(), Some(theirs));
    // So is anything where nothing says what was written.
    let place = stopped_early();
    fs::remove_file(place.out("rollback/written")).unwrap();
    stopped(place.run("apply.sh", &["--rollback", "--yes"]));
    assert_eq!(place.live("team-web").as_deref(), Some(NEW));
}

#[test]
fn who_was_quicker_keeps_what_they_wrote_also_when_it_is_taken_back() {
    let place = Place::new(&tighten()).with("VERSIONS", "yes").with(
        "RACE",
        "[[ $path != *pay ]] || { echo theirs >\"$STORE/${path//\\//%}\"; echo 9 >\"$STORE/${path//\\//%}.version\"; }",
    );
    as_analysed(&place);
    stopped(place.run("apply.sh", &["--yes"]));
    assert_eq!(place.live("ns/pay").as_deref(), Some("theirs\n"));
    assert_eq!(place.live("team-web").as_deref(), Some(NEW));
    ok(place.run("apply.sh", &["--rollback", "--yes"]));
    assert_eq!(place.live("ns/pay").as_deref(), Some("theirs\n"));
    assert_eq!(place.live("team-web"), Some(format!("{OLD}\n\n")));
}

#[test]
fn lists_that_a_run_did_not_come_to_are_left_alone_when_it_is_taken_back() {
    let place = Place::new(&redesign()).with("REFUSE", "6d1f");
    place.put("legacy", OLD);
    for path in ["auth/approle/role/app", "identity/entity/id/6d1f"] {
        fs::write(place.stored(path), "[\"kept\",\"legacy\"]").unwrap();
    }
    stopped(place.run("roles/apply.sh", &["--yes"]));
    let lists = || {
        ["auth/approle/role/app", "identity/entity/id/6d1f"]
            .map(|path| fs::read_to_string(place.stored(path)).unwrap().trim().to_owned())
    };
    assert_eq!(lists()[0], "[\"fresh\",\"kept\",\"legacy\"]");
    fs::write(place.stored("identity/entity/id/6d1f"), "[\"theirs\"]").unwrap();
    let text = ok(place.run("roles/apply.sh", &["--rollback", "--yes"]));
    assert!(text.contains("left      identity/entity/id/6d1f"), "{text}");
    assert_eq!(lists(), ["[\"kept\",\"legacy\"]", "[\"theirs\"]"]);
}

#[test]
fn a_refusal_stops_it_and_what_was_done_can_be_taken_back() {
    let place = Place::new(&tighten()).with("REFUSE", "ns/pay");
    as_analysed(&place);
    let text = stopped(place.run("apply.sh", &["--yes"]));
    assert!(text.contains("ns/pay"), "{text}");
    assert_eq!(place.live("team-web").as_deref(), Some(NEW));
    assert_eq!(place.live("legacy").as_deref(), Some(OLD), "nothing after it was done");
    ok(place.run("apply.sh", &["--rollback", "--yes"]));
    assert_eq!(place.live("team-web"), Some(format!("{OLD}\n\n")));
    assert_eq!(place.live("fresh"), None);
}

#[test]
fn a_dry_run_is_what_it_does_by_itself() {
    let place = Place::new(&tighten());
    as_analysed(&place);
    let plain = ok(place.run("apply.sh", &[]));
    assert_eq!(ok(place.run("apply.sh", &["--dry-run"])), plain);
    assert_eq!(place.run("apply.sh", &["--dry-run", "--yes"]).status.code(), Some(2));
    assert_eq!(place.log(), "");
}

#[test]
fn what_was_not_proposed_is_not_written() {
    let place = Place::new(&tighten());
    as_analysed(&place);
    fs::write(
        place.out("policies/team-web.hcl"),
        "path \"*\" { capabilities = [\"sudo\"] }",
    )
    .unwrap();
    let text = stopped(place.run("apply.sh", &["--yes"]));
    assert!(text.contains("policies/team-web.hcl"), "{text}");
    assert!(!place.log().contains("write"), "{}", place.log());
    // Nor is a text that was put in while it was at work.
    let place = Place::new(&tighten()).with(
        "RACE",
        "[[ $path != *fresh ]] || echo 'path \"*\" {}' >\"$OUT/policies/ns%2Fpay.hcl\" && echo 'path \"*\" {}' >\"$OUT/policies/ns/pay.hcl\"",
    );
    let out = place.out("").display().to_string();
    let place = place.with("OUT", &out);
    as_analysed(&place);
    let text = stopped(place.run("apply.sh", &["--yes"]));
    assert!(text.contains("is not the one that was proposed"), "{text}");
    assert_eq!(place.live("ns/pay").as_deref(), Some(OLD.trim_start()));
}

#[test]
fn what_it_was_not_is_not_restored() {
    let place = Place::new(&tighten());
    as_analysed(&place);
    ok(place.run("apply.sh", &["--yes"]));
    for kept in ["live", "policies"] {
        for file in walk(&place.out("rollback").join(kept)) {
            fs::write(file, "path \"*\" { capabilities = [\"sudo\"] }").unwrap();
        }
    }
    let text = stopped(place.run("apply.sh", &["--rollback", "--yes"]));
    assert!(text.contains("holds the text"), "{text}");
    assert_eq!(place.live("team-web").as_deref(), Some(NEW));
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] })
        .collect()
}

#[test]
fn a_second_run_never_restores_what_the_first_one_found() {
    let advice = |original: &str, text: &str| Advice {
        proposals: vec![Proposal {
            kind: String::from("tighten"),
            policies: vec![policy("app", Change::Edit, Some(original), Some(text))],
            ..Proposal::default()
        }],
        ..tighten()
    };
    let changed = OLD.replace(", \"list\"", "");
    let place = Place::new(&advice(OLD, &changed));
    place.put("app", OLD);
    ok(place.run("apply.sh", &["--yes"]));
    // Somebody takes more away on purpose; the next advice starts from there.
    let on_purpose = "path \"secret/+\" {\n  capabilities = [\"read\"]\n}\n";
    place.put("app", on_purpose);
    place.advised_again(&advice(on_purpose, NEW));
    ok(place.run("apply.sh", &["--yes"]));
    assert_eq!(place.live("app").as_deref(), Some(NEW));
    ok(place.run("apply.sh", &["--rollback", "--yes"]));
    assert_eq!(place.live("app").as_deref(), Some(on_purpose));
}

#[test]
fn each_step_is_in_its_namespace() {
    let in_namespace = |namespace: &str, text: &str| ProposedPolicy {
        namespace: namespace.into(),
        file: Some(match namespace.trim_end_matches('/') {
            "" => "policies/policies/web.hcl".into(),
            inner => format!("policies/namespaces/{}/policies/web.hcl", inner.replace('/', "%2F")).into(),
        }),
        ..policy("web", Change::Edit, Some(OLD), Some(text))
    };
    let role = Assignment {
        namespace: "team/a/".into(),
        kind: String::from("approle"),
        name: String::from("app"),
        mount: String::from("auth/approle/"),
        before: vec![String::from("old")],
        after: vec![String::from("new")],
        ..Assignment::default()
    };
    let narrower = NEW.replace("secret/a", "secret/b");
    let proposal = |kind: &str, assignments| Proposal {
        kind: kind.to_owned(),
        policies: vec![in_namespace("", NEW), in_namespace("team/a/", &narrower)],
        assignments,
        ..Proposal::default()
    };
    let advice = Advice {
        proposals: vec![proposal("tighten", Vec::new()), proposal("redesign", vec![role])],
        ..tighten()
    };
    // The caller's own namespace is no reason to write anywhere else.
    let place = Place::new(&advice).with("VAULT_NAMESPACE", "elsewhere");
    let [root, inner] = ["sys/policies/acl/web", "team/a%%sys/policies/acl/web"].map(|path| place.stored(path));
    fs::write(&root, OLD).unwrap();
    fs::write(&inner, OLD).unwrap();
    ok(place.run("apply.sh", &["--yes"]));
    assert_eq!(fs::read_to_string(&root).unwrap(), NEW);
    assert_eq!(fs::read_to_string(&inner).unwrap(), narrower);
    assert!(!place.log().contains("elsewhere"), "{}", place.log());
    ok(place.run("apply.sh", &["--rollback", "--yes"]));
    assert_eq!(fs::read_to_string(&root).unwrap(), OLD);
    assert_eq!(fs::read_to_string(&inner).unwrap(), OLD);
    let role = place.stored("team/a%%auth/approle/role/app");
    fs::write(&role, "[\"old\"]").unwrap();
    ok(place.run("roles/apply.sh", &["--yes"]));
    assert_eq!(fs::read_to_string(&role).unwrap(), "[\"new\",\"old\"]");
    // What lies in the folder is read again as it was meant.
    for folder in ["policies", "roles"] {
        for file in [
            "snapshot.json",
            "policies/web.hcl",
            "namespaces/team%2Fa/policies/web.hcl",
        ] {
            assert!(place.out(folder).join(file).is_file(), "{folder}/{file}");
        }
    }
    let terraform = fs::read_to_string(place.out("terraform/policies.tf")).unwrap();
    assert!(
        terraform
            .contains("resource \"vault_policy\" \"team_a_web\" {\n  namespace = \"team/a\"\n  name      = \"web\""),
        "{terraform}"
    );
    assert!(
        terraform.contains("TERRAFORM_VAULT_NAMESPACE_IMPORT='team/a' terraform import vault_policy.team_a_web 'web'"),
        "{terraform}"
    );
    assert_eq!(terraform.matches("import {").count(), 1, "{terraform}");
}

#[test]
fn without_namespaces_the_caller_says_where() {
    let place = Place::new(&tighten())
        .with("VAULT_NAMESPACE", "admin")
        .with("BAO_NAMESPACE", "admin");
    for name in ["team-web", "ns/pay", "legacy"] {
        fs::write(place.stored(&format!("admin%%sys/policies/acl/{name}")), OLD).unwrap();
    }
    ok(place.run("apply.sh", &["--yes"]));
    assert_eq!(
        fs::read_to_string(place.stored("admin%%sys/policies/acl/team-web")).unwrap(),
        NEW
    );
}

#[test]
fn waves_go_one_by_one_and_say_when() {
    let step = |policy| Step::Policy {
        policy,
        to: Text::Proposed,
        free: false,
    };
    let between = "# half\npath \"secret/*\" {\n  capabilities = [\"read\"]\n}\n";
    let mut advice = tighten();
    advice.proposals[0].waves = vec![
        Wave {
            title: String::from("first"),
            steps: vec![
                step(2),
                Step::Policy {
                    policy: 0,
                    to: Text::Between(between.into()),
                    free: false,
                },
            ],
            ..Wave::default()
        },
        Wave {
            title: String::from("second"),
            steps: vec![step(0), step(1), step(3)],
            ..Wave::default()
        },
    ];
    let place = Place::new(&advice);
    as_analysed(&place);
    let text = ok(place.run("apply.sh", &[]));
    assert!(
        text.contains("Wave 1: first") && text.contains("Wave 2: second"),
        "{text}"
    );
    for wrong in [
        &["--wave"][..],
        &["--wave", "3"],
        &["--until", "x"],
        &["--rollback", "0"],
    ] {
        assert_eq!(place.run("apply.sh", wrong).status.code(), Some(2), "{wrong:?}");
    }
    let text = stopped(place.run("apply.sh", &["--wave", "2", "--yes"]));
    assert!(text.contains("wave 1 is not in force"), "{text}");
    ok(place.run("apply.sh", &["--wave", "1", "--yes"]));
    assert_eq!(place.live("team-web").as_deref(), Some(between));
    assert_eq!(place.live("ns/pay").as_deref(), Some(OLD.trim_start()));
    ok(place.run("apply.sh", &["--until", "2", "--yes"]));
    assert_eq!(place.live("team-web").as_deref(), Some(NEW));
    let events = || {
        let lines = fs::read_to_string(place.out("applied.jsonl")).unwrap();
        let event = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            format!("{} {}", line["wave"], line["event"].as_str().unwrap())
        };
        lines.lines().map(event).collect::<Vec<_>>()
    };
    let applied = ["1 begun", "1 applied", "2 begun", "2 applied"];
    assert_eq!(events(), applied);
    ok(place.run("apply.sh", &["--yes"]));
    assert_eq!(events(), applied, "what is done already is not done again");
    ok(place.run("apply.sh", &["--rollback", "2", "--yes"]));
    assert_eq!(place.live("team-web").as_deref(), Some(between));
    assert_eq!(place.live("legacy"), None);
    ok(place.run("apply.sh", &["--rollback", "--yes"]));
    assert_eq!(place.live("team-web"), Some(format!("{OLD}\n\n")));
    assert_eq!(place.live("legacy").as_deref(), Some(OLD));
    assert_eq!(
        events()[4..],
        ["2 taking back", "2 taken back", "1 taking back", "1 taken back"]
    );
    // A state that is no step of the way was proven by nobody.
    place.put("ns/pay", NEW);
    let text = stopped(place.run("apply.sh", &["--yes"]));
    assert!(text.contains("comes before it"), "{text}");
}

#[test]
fn a_value_that_begins_with_an_at_sign_is_no_file() {
    let mut advice = redesign();
    let role = &mut advice.proposals[0].assignments;
    role.truncate(1);
    role[0].before = vec![String::from("@etc/passwd")];
    role[0].after = vec![String::from("@etc/shadow")];
    let place = Place::new(&advice);
    place.put("legacy", OLD);
    let role = place.stored("auth/approle/role/app");
    fs::write(&role, "[\"@etc/passwd\"]").unwrap();
    ok(place.run("roles/apply.sh", &["--yes"]));
    assert_eq!(
        fs::read_to_string(&role).unwrap().trim(),
        "[\"@etc/passwd\",\"@etc/shadow\"]"
    );
    ok(place.run("roles/apply.sh", &["--finish", "--yes"]));
    ok(place.run("roles/apply.sh", &["--rollback", "--yes"]));
    assert_eq!(fs::read_to_string(&role).unwrap().trim(), "[\"@etc/passwd\"]");
}

#[test]
fn a_role_that_the_server_replaces_keeps_its_other_fields() {
    let mut advice = redesign();
    let roles = &mut advice.proposals[0].assignments;
    roles.truncate(1);
    roles[0].kind = String::from("oidc");
    roles[0].mount = String::from("auth/oidc/");
    let place = Place::new(&advice);
    place.put("legacy", OLD);
    let role = place.stored("auth/oidc/role/app");
    let before = "{\n  \"allowed_redirect_uris\": [\"https://x\"],\n  \"token_policies\": [\"kept\",\"legacy\"],\n  \"user_claim\": \"sub\"\n}\n";
    fs::write(&role, before).unwrap();
    ok(place.run("roles/apply.sh", &["--yes"]));
    let after = before.replace("[\"kept\",\"legacy\"]", "[\"fresh\",\"kept\",\"legacy\"]");
    assert_eq!(fs::read_to_string(&role).unwrap(), after);
    ok(place.run("roles/apply.sh", &["--rollback", "--yes"]));
    assert_eq!(fs::read_to_string(&role).unwrap(), before);
}

#[test]
fn whose_tokens_end_is_said_before() {
    let mut advice = redesign();
    advice.proposals[0].assignments[0].kind = String::from("userpass");
    let place = Place::new(&advice);
    let text = ok(place.run("roles/apply.sh", &[]));
    assert!(text.contains("cannot be renewed"), "{text}");
}

fn redesign() -> Advice {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut advice = tighten();
    let holder = |kind: &str, id: &str, name: &str, mount: &str| Assignment {
        namespace: std::sync::Arc::default(),
        kind: kind.to_owned(),
        id: id.to_owned(),
        name: name.to_owned(),
        mount: mount.to_owned(),
        before: list(&["legacy", "kept"]),
        after: list(&["fresh"]),
    };
    if let Some(proposal) = advice.proposals.first_mut() {
        proposal.kind = String::from("redesign");
        proposal
            .policies
            .retain(|policy| matches!(policy.name.as_str(), "legacy" | "fresh"));
        proposal.assignments = vec![
            holder("approle", "", "app", "auth/approle/"),
            holder("entity", "entity:6d1f", "jane", ""),
            holder("approle", "", "$(touch pwned)", "auth/approle/"),
            holder("token", "x", "y", "auth/token/"),
        ];
    }
    advice
}

#[test]
fn assignments_change_in_two_halves() {
    let place = Place::new(&redesign());
    place.put("legacy", OLD);
    let role = place.dir.path().join("store/auth%approle%role%app");
    let entity = place.dir.path().join("store/identity%entity%id%6d1f");
    for file in [&role, &entity] {
        fs::write(file, "[\n  \"kept\",\n  \"legacy\"\n]\n").unwrap();
    }
    let lists = || [&role, &entity].map(|file| fs::read_to_string(file).unwrap());
    let text = ok(place.run("roles/apply.sh", &["--yes"]));
    assert!(text.contains("by hand"), "{text}");
    assert_eq!(lists(), ["[\"fresh\",\"kept\",\"legacy\"]"; 2]);
    assert_eq!(place.live("legacy").as_deref(), Some(OLD), "tokens may still need it");
    ok(place.run("roles/apply.sh", &["--finish", "--yes"]));
    assert_eq!(lists(), ["[\"fresh\"]"; 2]);
    assert_eq!(place.live("legacy"), None);
    ok(place.run("roles/apply.sh", &["--rollback", "--yes"]));
    assert_eq!(lists(), ["[\"kept\",\"legacy\"]"; 2]);
    assert_eq!(place.live("legacy").as_deref(), Some(OLD));
    assert_eq!(place.live("fresh"), None);
    fs::write(&role, "[\"other\"]").unwrap();
    let text = stopped(place.run("roles/apply.sh", &["--yes"]));
    assert!(text.contains("auth/approle/role/app"), "{text}");
}

#[test]
fn hostile_names_are_words_and_no_more() {
    let place = Place::new(&advice::hostile());
    for script in ["apply.sh", "roles/apply.sh"] {
        for arguments in [&[][..], &["--finish"], &["--rollback"]] {
            let output = Command::new("bash")
                .arg(place.out(script))
                .args(arguments)
                .current_dir(place.dir.path())
                .output()
                .unwrap();
            let text = ok(output);
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        }
    }
    let names: Vec<String> = fs::read_dir(place.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().display().to_string())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(!Path::new("/tmp/pwned").exists());
}

/// A certificate that was made for this test; its key is gone.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\n\
    MIIBfzCCASWgAwIBAgIUZ1KgQqWsvcB0a5duCdCg881Uf+owCgYIKoZIzj0EAwIw\n\
    FDESMBAGA1UEAwwJYS5leGFtcGxlMCAXDTI2MTEyOTE2MDAzNFoYDzIxMjYxMTA1\n\
    MTYwMDM0WjAUMRIwEAYDVQQDDAlhLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjO\n\
    PQMBBwNCAASYJZB2NKPc96PbSoNwZyMX50dkIDwDbdrPSisGMBOr81G7F4CqYQHm\n\
    tkTeL4iv+mCv2VBHlbn8zj1hqlwim1P3o1MwUTAdBgNVHQ4EFgQUNrMRl+Cjtzzs\n\
    TUXMuRflzp/0ALgwHwYDVR0jBBgwFoAUNrMRl+CjtzzsTUXMuRflzp/0ALgwDwYD\n\
    VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiAM8jVSKDzk/KKfm6/nhxCk\n\
    uAsxUNnKHWYsyW5/yhKevAIhAIwYcUlGKOz2WufarA8Vnro7N2icENaNwY15EjIk\n\
    sbE/\n\
    -----END CERTIFICATE-----\n";

/// The command of the real server, and what it needs to find it.
fn cli_of(server: &Server) -> (PathBuf, Vec<(&'static str, String)>) {
    let cli = server::binary().unwrap();
    let env = vec![
        ("VAULT_CLI", cli.display().to_string()),
        ("VAULT_ADDR", server.address().to_owned()),
        ("BAO_ADDR", server.address().to_owned()),
        ("VAULT_TOKEN", server.token().to_owned()),
        ("BAO_TOKEN", server.token().to_owned()),
    ];
    (cli, env)
}

#[test]
fn a_real_server_keeps_what_it_replaces_as_a_whole() {
    let Some(server) = Server::start() else { return };
    let (_, env) = cli_of(&server);
    let mut advice = redesign();
    let assignments = &mut advice.proposals[0].assignments;
    let one = assignments[0].clone();
    let of = |kind: &str, name: &str, mount: &str| Assignment {
        kind: kind.to_owned(),
        name: name.to_owned(),
        mount: mount.to_owned(),
        ..one.clone()
    };
    *assignments = vec![
        of("jwt", "dev", "auth/jwt/"),
        of("oidc", "web", "auth/jwt/"),
        of("approle", "app", "auth/approle/"),
        of("userpass", "ann", "auth/userpass/"),
        of("kubernetes", "pod", "auth/kubernetes/"),
        of("ldap-user", "eve", "auth/ldap/"),
        of("ldap-group", "ops", "auth/ldap/"),
        of("cert", "host", "auth/cert/"),
    ];
    let place = Place::new(&advice);
    for method in ["jwt", "approle", "userpass", "kubernetes", "ldap", "cert"] {
        server.write(&format!("sys/auth/{method}"), json!({"type": method}));
    }
    server.write("sys/policies/acl/legacy", json!({"policy": OLD}));
    let list = json!(["legacy", "kept"]);
    server.write(
        "auth/jwt/role/dev",
        json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["bao"], "token_ttl": "1h",
            "bound_claims": {"groups": ["a", "b"]}, "claim_mappings": {"mail": "mail"}, "token_policies": list}),
    );
    server.write(
        "auth/jwt/role/web",
        json!({"role_type": "oidc", "user_claim": "sub", "allowed_redirect_uris": ["https://x/cb", "https://y/cb"],
            "oidc_scopes": ["profile"], "groups_claim": "groups", "token_bound_cidrs": ["10.0.0.0/8"], "token_policies": list}),
    );
    server.write(
        "auth/approle/role/app",
        json!({"token_ttl": "1h", "token_policies": list}),
    );
    server.write(
        "auth/userpass/users/ann",
        json!({"password": "pw", "token_policies": list}),
    );
    server.write(
        "auth/kubernetes/role/pod",
        json!({"bound_service_account_names": ["a"], "bound_service_account_namespaces": ["b"], "token_policies": list}),
    );
    server.write("auth/ldap/users/eve", json!({"groups": "x,y", "policies": list}));
    server.write("auth/ldap/groups/ops", json!({"policies": list}));
    let paths = [
        ("auth/jwt/role/dev", "token_policies"),
        ("auth/jwt/role/web", "token_policies"),
        ("auth/approle/role/app", "token_policies"),
        ("auth/userpass/users/ann", "token_policies"),
        ("auth/kubernetes/role/pod", "token_policies"),
        ("auth/ldap/users/eve", "policies"),
        ("auth/ldap/groups/ops", "policies"),
        ("auth/cert/certs/host", "token_policies"),
    ];
    server.write(
        "auth/cert/certs/host",
        json!({"certificate": CERTIFICATE, "allowed_common_names": ["a.example"], "token_policies": list}),
    );
    let state = || paths.map(|(path, _)| server.ok("GET", "", path, None)["data"].clone());
    let before = state();
    let lists = |state: &[Value]| {
        let of = |(value, (_, field)): (&Value, &(&str, &str))| {
            let names = value[*field].as_array().unwrap().iter();
            let mut names: Vec<&str> = names.map(|name| name.as_str().unwrap()).collect();
            names.sort_unstable();
            names.join(",")
        };
        state.iter().zip(&paths).map(of).collect::<Vec<_>>()
    };
    let script = place.out("roles/apply.sh");
    ok(run(&script, &["--yes"], &env));
    assert_eq!(lists(&state()), ["fresh,kept,legacy"; 8]);
    ok(run(&script, &["--finish", "--yes"], &env));
    let after = state();
    assert_eq!(lists(&after), ["fresh"; 8]);
    for ((was, is), (path, field)) in before.iter().zip(&after).zip(&paths) {
        let rest = |value: &Value| {
            let mut value = value.clone();
            value.as_object_mut().unwrap().remove(*field);
            value
        };
        assert_eq!(rest(was), rest(is), "{path}");
    }
    ok(run(&script, &["--rollback", "--yes"], &env));
    let back = state();
    assert_eq!(lists(&back), lists(&before));
}

#[test]
fn a_real_server_takes_it_and_gives_it_back() {
    let Some(server) = Server::start() else { return };
    let place = Place::new(&tighten());
    let (cli, env) = cli_of(&server);
    let bao = |arguments: &[&str]| {
        Command::new(&cli)
            .args(arguments)
            .envs(env.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap()
    };
    let put = |name: &str, text: &str| {
        fs::write(place.dir.path().join("text"), text).unwrap();
        ok(bao(&[
            "write",
            &format!("sys/policies/acl/{name}"),
            &format!("policy=@{}", place.dir.path().join("text").display()),
        ]));
    };
    let live = |name: &str| {
        let output = bao(&[
            "read",
            "-format=table",
            "-field=policy",
            &format!("sys/policies/acl/{name}"),
        ]);
        output
            .status
            .success()
            .then(|| String::from_utf8(output.stdout).unwrap())
    };
    let text = stopped(run(&place.out("apply.sh"), &["--yes"], &env));
    assert!(text.contains("team-web"), "{text}");
    put("team-web", OLD);
    put("ns/pay", &format!("{OLD}\n"));
    put("legacy", OLD);
    ok(run(&place.out("apply.sh"), &["--yes"], &env));
    assert_eq!(live("team-web").as_deref(), Some(NEW));
    assert_eq!(live("legacy"), None);
    assert!(live("fresh").unwrap().ends_with(NEW));
    ok(run(&place.out("rollback/restore.sh"), &["--yes"], &env));
    assert_eq!(live("team-web").as_deref(), Some(OLD));
    assert_eq!(live("ns/pay"), Some(format!("{OLD}\n")));
    assert_eq!(live("legacy").as_deref(), Some(OLD));
    assert_eq!(live("fresh"), None);
    put("ns/pay", NEW);
    put("legacy", NEW);
    let text = stopped(run(&place.out("apply.sh"), &["--yes"], &env));
    assert!(text.contains("legacy"), "{text}");
    assert_eq!(
        live("team-web").as_deref(),
        Some(OLD),
        "nothing was written before the surprise was seen"
    );
}
