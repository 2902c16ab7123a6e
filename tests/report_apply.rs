//! `apply.sh` and `rollback/`: run against a stand-in for the server's command, and against a real OpenBao where there is one.

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
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use vault_advisor::advice::{Advice, Assignment, Change, Proposal, ProposedPolicy, Run};
use vault_advisor::report::{self, Options};

/// A stand-in for `bao`: policies are files, with versions where VERSIONS is set; lists are files of JSON. Before each write
/// it runs the hook RACE, if there is one.
const STAND_IN: &str = r#"#!/usr/bin/env bash
set -u
verb=$1; shift
format=table field= path= pairs=()
for a in "$@"; do
  case $a in -format=*) format=${a#*=} ;; -field=*) field=${a#*=} ;; *=*) pairs+=("$a") ;; *) path=$a ;; esac
done
file=$STORE/${path//\//%}
echo "$verb $path" >>"$STORE.log"
none() { echo "No value found at $path" >&2; exit 2; }
case $verb in
  read)
    case $path in
      sys/policies/acl/default) [[ -n ${VERSIONS:-} && $field == version ]] && { printf 0; exit 0; }; exit 2 ;;
      sys/policies/acl/*)
        [[ -e $file ]] || none
        case $field in
          policy) cat "$file" ;;
          version) [[ -n ${VERSIONS:-} ]] || exit 2; printf '%s' "$(cat "$file.version")" ;;
          *) exit 2 ;;
        esac ;;
      *) [[ -e $file ]] || none; cat "$file" ;;
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
      *) for p in "${pairs[@]}"; do v=${p#*=}; printf '["%s"]' "${v//,/\",\"}" | sed 's/\[""\]/[]/' >"$file"; done ;;
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

fn redesign() -> Advice {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut advice = tighten();
    let holder = |kind: &str, id: &str, name: &str, mount: &str| Assignment {
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

/// A real server, where one was built: `bao` on the PATH, or in the cache of the project.
fn real_cli() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let known = [home.join(".cache/vault-advisor/server/bao")];
    let on_path = std::env::var_os("PATH").map(|paths| {
        std::env::split_paths(&paths)
            .map(|dir| dir.join("bao"))
            .collect::<Vec<_>>()
    });
    known
        .into_iter()
        .chain(on_path.unwrap_or_default())
        .find(|path| path.is_file())
}

struct Server(std::process::Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_real_server_takes_it_and_gives_it_back() {
    let Some(cli) = real_cli() else {
        skip::skipped("no OpenBao server binary");
        return;
    };
    let place = Place::new(&tighten());
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let address = format!("http://127.0.0.1:{port}");
    let _server = Server(
        Command::new(&cli)
            .args(["server", "-dev", "-dev-no-store-token", "-dev-root-token-id=root"])
            .arg(format!("-dev-listen-address=127.0.0.1:{port}"))
            .current_dir(place.dir.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap(),
    );
    let env: Vec<(&'static str, String)> = vec![
        ("VAULT_CLI", cli.display().to_string()),
        ("VAULT_ADDR", address.clone()),
        ("BAO_ADDR", address),
        ("VAULT_TOKEN", String::from("root")),
        ("BAO_TOKEN", String::from("root")),
    ];
    let bao = |arguments: &[&str]| {
        Command::new(&cli)
            .args(arguments)
            .envs(env.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap()
    };
    for _ in 0..100 {
        if bao(&["status"]).status.success() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
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
