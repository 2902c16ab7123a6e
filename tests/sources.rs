//! Policies where people keep them: each source read with its places, each way back into the file it came from.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use vault_advisor::advice::FileChange;
use vault_advisor::policy::load::Names;
use vault_advisor::policy::model::Policy;
use vault_advisor::policy::profile::Profile;
use vault_advisor::report::diff;
use vault_advisor::sources::back::{self, Wanted};
use vault_advisor::sources::{self, Options, Read, SourceSettings};

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn read_with(path: &Path, options: &Options) -> Read {
    sources::read(
        &[path.to_path_buf()],
        &Profile::default().dialect(),
        Names::Path,
        options,
    )
    .unwrap()
}

fn read(path: &Path) -> Read {
    read_with(path, &Options::default())
}

fn policies(read: &Read) -> Vec<&Policy> {
    read.files.iter().map(|(_, policy)| policy.as_ref().unwrap()).collect()
}

/// Namespace and name, then each stanza with its capabilities and its place.
fn told(read: &Read, root: &Path) -> Vec<String> {
    let root = format!("{}/", root.display());
    let mut all: Vec<String> = policies(read)
        .iter()
        .map(|policy| {
            let stanzas: Vec<String> = policy
                .stanzas
                .iter()
                .map(|s| {
                    let words: Vec<&str> = s.capabilities.iter().map(|c| c.as_str()).collect();
                    format!(
                        "{} {} @{}",
                        s.path,
                        words.join(","),
                        s.origin.to_string().replace(&root, "")
                    )
                })
                .collect();
            format!("{}{}: {}", policy.namespace, policy.name, stanzas.join("; "))
        })
        .collect();
    all.sort();
    all
}

fn unread(read: &Read) -> Vec<String> {
    read.unread.iter().map(|p| format!("{}: {}", p.what, p.why)).collect()
}

#[track_caller]
fn check(files: &[(&str, &str)], want: &[&str]) {
    let folder = folder(files);
    let read = read(folder.path());
    assert_eq!(unread(&read), Vec::<String>::new());
    assert_eq!(told(&read, folder.path()), want);
}

#[track_caller]
fn refuse(files: &[(&str, &str)], want: &[&str]) {
    let folder = folder(files);
    let read = read(folder.path());
    let told = unread(&read);
    assert_eq!(told.len(), want.len(), "{told:#?}");
    for (told, want) in told.iter().zip(want) {
        assert!(told.contains(want), "{told:?} lacks {want:?}");
    }
}

#[test]
fn literal_texts_are_read_in_their_places() {
    check(
        &[(
            "main.tf",
            "resource \"vault_policy\" \"a\" {\n  name = \"A\"\n  policy = <<-EOT\n    # so\n    path \"secret/data/$${x}\" {\n      capabilities = [\"read\"]\n    }\n\n    path \"b\" { capabilities = [\"list\"] }\n  EOT\n}\nresource \"vault_policy\" \"one\" {\n  name = \"one\"\n  namespace = \"team\"\n  policy = \"path \\\"a\\\" { capabilities = [\\\"read\\\"] }\"\n}\n",
        )],
        &[
            "a: secret/data/${x} read @main.tf:5:5; b list @main.tf:9:5",
            "team/one: a read @main.tf:15:13",
        ],
    );
}

#[test]
fn files_and_templates_are_followed() {
    check(
        &[
            (
                "main.tf",
                "resource \"vault_policy\" \"web\" {\n  name = \"team-web\"\n  policy = file(\"policies/web.hcl\")\n}\nresource \"vault_policy\" \"t\" {\n  for_each = toset([\"pay\", \"web\"])\n  name = \"t-${each.key}\"\n  policy = templatefile(\"${path.module}/t.tpl\", { team = each.key, more = each.key == \"pay\" })\n}\nresource \"vault_policy\" \"all\" {\n  for_each = fileset(path.module, \"more/*.hcl\")\n  name = trimsuffix(basename(each.value), \".hcl\")\n  policy = file(\"${path.module}/${each.value}\")\n}\n",
            ),
            ("policies/web.hcl", "\npath \"w\" { capabilities = [\"read\"] }\n"),
            ("more/x.hcl", "path \"x\" { capabilities = [\"read\"] }\n"),
            (
                "t.tpl",
                "path \"secret/data/${team}/*\" {\n  capabilities = [\"read\"]\n}\n%{ if more ~}\npath \"more\" { capabilities = [\"list\"] }\n%{ endif ~}\n",
            ),
        ],
        &[
            "t-pay: secret/data/pay/* read @t.tpl:1:1; more list @t.tpl:5:1",
            "t-web: secret/data/web/* read @t.tpl:1:1",
            "team-web: w read @policies/web.hcl:2:1",
            "x: x read @more/x.hcl:1:1",
        ],
    );
}

#[test]
fn loops_locals_variables_and_functions_are_worked_out() {
    check(
        &[
            (
                "main.tf",
                r#"
variable "env" { default = "dev" }
variable "names" { type = list(string) }
locals {
  teams = { alpha = ["read"], beta = ["read", "list"] }
  rules = [for name, words in local.teams : format("path \"%s/%s\" { capabilities = %s }", var.env, name, jsonencode(words))]
  extra = merge({ x = "one" }, { y = "two" })
}
resource "vault_policy" "joined" {
  name   = join("-", ["all", lower("X")])
  policy = join("\n", local.rules)
}
resource "vault_policy" "named" {
  count  = length(var.names)
  name   = var.names[count.index]
  policy = "path \"n/${count.index}\" { capabilities = [\"read\"] }"
}
resource "vault_policy" "extra" {
  for_each = { for k, v in local.extra : upper(k) => v if k != "x" }
  name     = "e-${each.key}"
  policy   = replace("path \"@/a\" { capabilities = [\"read\"] }", "@", each.value)
}
resource "vault_policy" "no" {
  count  = var.env == "prod" ? 1 : 0
  name   = "no"
  policy = ""
}
resource "vault_policy" "js" {
  name   = "js"
  policy = jsonencode({ path = { "j/*" = { capabilities = ["read", "sudo"] } } })
}
"#,
            ),
            ("terraform.tfvars", "names = [\"first\", \"second\"]\nenv = \"test\"\n"),
        ],
        &[
            "all-x: test/alpha read @main.tf:6:53; test/beta read,list @main.tf:6:53",
            "e-y: two/a read @main.tf:21:23",
            "first: n/0 read @main.tf:16:13",
            "js: j/* read,sudo @main.tf:30:12",
            "second: n/1 read @main.tf:16:13",
        ],
    );
}

#[test]
fn documents_are_written_as_the_provider_writes_them() {
    let folder = folder(&[(
        "main.tf",
        "data \"vault_policy_document\" \"d\" {\n  rule {\n    path         = \"auth/*\"\n    capabilities = [\"create\", \"sudo\"]\n    description  = \"all of it\"\n    required_parameters = [\"a\", \"b\"]\n    allowed_parameter {\n      key = \"z\"\n      value = []\n    }\n    allowed_parameter {\n      key = \"b\"\n      value = [\"1\", \"2\"]\n    }\n    max_wrapping_ttl = \"1h\"\n  }\n  dynamic \"rule\" {\n    for_each = [\"x\", \"y\"]\n    content {\n      path = \"kv/${rule.value}\"\n      capabilities = [\"read\"]\n    }\n  }\n}\nresource \"vault_policy\" \"p\" {\n  name = \"p\"\n  policy = data.vault_policy_document.d.hcl\n}\n",
    )]);
    let read = read(folder.path());
    assert_eq!(unread(&read), Vec::<String>::new());
    assert_eq!(
        &*policies(&read)[0].source,
        "# all of it\npath \"auth/*\" {\n  capabilities = [\"create\", \"sudo\"]\n  required_parameters = [\"a\", \"b\"]\n  allowed_parameters = {\n    \"b\" = [\"1\", \"2\"]\n    \"z\" = []\n  }\n  max_wrapping_ttl = \"1h\"\n}\n\npath \"kv/x\" {\n  capabilities = [\"read\"]\n}\n\npath \"kv/y\" {\n  capabilities = [\"read\"]\n}\n"
    );
}

#[test]
fn modules_and_endpoints_and_the_json_form_are_read() {
    check(
        &[
            (
                "main.tf",
                "provider \"vault\" {\n  namespace = \"admin\"\n}\nmodule \"m\" {\n  source = \"./mod\"\n  policies = { x = \"path \\\"x\\\" { capabilities = [\\\"sudo\\\"] }\" }\n}\nresource \"vault_generic_endpoint\" \"g\" {\n  path = \"sys/policies/acl/gen\"\n  data_json = jsonencode({ policy = \"path \\\"g\\\" { capabilities = [\\\"read\\\"] }\" })\n}\n",
            ),
            (
                "mod/main.tofu",
                "variable \"policies\" { type = map(string) }\nresource \"vault_policy\" \"p\" {\n  for_each = var.policies\n  name = each.key\n  policy = each.value\n}\n",
            ),
            (
                "j/x.tf.json",
                "{\"locals\": {\"n\": \"jj\"}, \"resource\": {\"vault_policy\": {\"a\": {\"name\": \"${local.n}\", \"policy\": \"path \\\"j\\\" { capabilities = [\\\"read\\\"] }\"}}}}",
            ),
        ],
        &[
            "admin/gen: g read @main.tf:10:38",
            "admin/x: x sudo @main.tf:6:21",
            "jj: j read @j/x.tf.json:1:94",
        ],
    );
}

#[test]
fn what_is_found_and_not_known_is_named() {
    refuse(
        &[(
            "main.tf",
            "variable \"p\" {}\nresource \"vault_policy\" \"v\" {\n  name = \"v\"\n  policy = var.p\n}\nresource \"vault_policy\" \"d\" {\n  name = \"d\"\n  policy = data.http.x.body\n}\nresource \"vault_policy\" \"e\" {\n  for_each = var.p\n  name = each.key\n  policy = \"\"\n}\nmodule \"gone\" {\n  source = \"./gone\"\n}\nmodule \"far\" {\n  source = \"acme/policies/vault\"\n}\nresource \"vault_policy\" \"o\" {\n  name = \"o\"\n  policy = file(\"../../../../etc/passwd\")\n}\nresource \"vault_policy\" \"l\" {\n  name = local.a\n  policy = \"\"\n}\nlocals {\n  a = local.b\n  b = local.a\n}\n",
        )],
        &[
            "vault_policy.v: its text cannot be worked out: variable `p` has no value here",
            "vault_policy.d: its text cannot be worked out: `data.http.x.body`",
            "vault_policy.e: its instances need variable `p`",
            "module.gone: the folder of its module is not there",
            "module.far: its module is not in this repository",
            "vault_policy.o: its text cannot be worked out: `file(\"../../../../etc/passwd\")`",
            "vault_policy.l: its name cannot be worked out: `local.a` leads to itself",
        ],
    );
    let broken = folder(&[("main.tf", "resource \"vault_policy\" \"v\" {\n  name = \n}\n")]);
    assert_eq!(read(broken.path()).unread.len(), 1);
}

#[test]
fn a_namespace_that_is_not_known_is_not_root() {
    let policy = |provider: &str| {
        format!(
            "resource \"vault_policy\" \"web\" {{\n{provider}  name = \"web\"\n  policy = \"path \\\"a\\\" {{ capabilities = [\\\"read\\\"] }}\"\n}}\n"
        )
    };
    let of_a = policy("  provider = vault.a\n");
    for (text, why) in [
        (
            format!("variable \"ns\" {{}}\nprovider \"vault\" {{\n  namespace = var.ns\n}}\n{}", policy("")),
            "variable `ns` has no value here",
        ),
        (
            format!("variable \"ns\" {{}}\nprovider \"vault\" {{\n  namespace = \"admin/${{var.ns}}\"\n}}\n{}", policy("")),
            "variable `ns` has no value here",
        ),
        (
            format!("provider \"vault\" {{\n  namespace = terraform.workspace\n}}\n{}", policy("")),
            "`terraform.workspace` is not known",
        ),
        (
            format!("provider \"vault\" {{\n  alias = \"a\"\n  namespace = data.x.y.path\n}}\n{of_a}"),
            "`data.x.y.path` is not known",
        ),
        (of_a.clone(), "provider `vault.a` is not known"),
        (
            format!("provider \"vault\" {{\n  set_namespace_from_token = true\n}}\n{}", policy("")),
            "it is that of the token",
        ),
        (
            format!("provider \"vault\" {{\n  auth_login {{\n    path = \"auth/x/login\"\n    namespace = \"team\"\n  }}\n}}\n{}", policy("")),
            "it is that of the token",
        ),
        (
            "variable \"ns\" {}\nprovider \"vault\" {\n  namespace = var.ns\n}\nresource \"vault_generic_endpoint\" \"web\" {\n  path = \"sys/policies/acl/web\"\n  data_json = jsonencode({ policy = \"path \\\"a\\\" { capabilities = [\\\"read\\\"] }\" })\n}\n".to_owned(),
            "variable `ns` has no value here",
        ),
    ] {
        let folder = folder(&[("main.tf", &text)]);
        let read = read(folder.path());
        assert!(read.files.is_empty(), "{text}");
        let told = unread(&read);
        let [told] = &told[..] else { panic!("{text}\n{told:?}") };
        assert!(told.contains("its namespace cannot be worked out") && told.contains(why), "{told}");
    }
    // One that says nothing of namespaces has none.
    for provider in [
        "",
        "provider \"vault\" {\n}\n",
        "provider \"vault\" {\n  namespace = null\n  set_namespace_from_token = false\n  auth_login {\n    path = \"auth/x/login\"\n  }\n}\n",
    ] {
        let text = format!("{provider}{}", policy(""));
        let line = 3 + provider.lines().count();
        check(&[("main.tf", &text)], &[&format!("web: a read @main.tf:{line}:13")]);
    }
}

#[test]
fn a_crossplane_policy_lives_where_its_provider_config_says() {
    let policy = |reference: &str, own: &str| {
        format!(
            "apiVersion: vault.vault.upbound.io/v1alpha1\nkind: Policy\nmetadata: {{name: web}}\nspec:\n{reference}  forProvider:\n{own}    name: web\n    policy: 'path \"a\" {{ capabilities = [\"read\"] }}'\n"
        )
    };
    let config = |name: &str, spec: &str| {
        format!(
            "apiVersion: vault.upbound.io/v1beta1\nkind: ProviderConfig\nmetadata: {{name: {name}}}\nspec:\n  address: https://vault\n{spec}"
        )
    };
    let of_a = policy("  providerConfigRef: {name: a}\n", "");
    let team = config("a", "  namespace: team\n");
    let names = |files: &[(&str, &str)]| {
        let folder = folder(files);
        let read = read(folder.path());
        let ids: Vec<String> = policies(&read).iter().map(|policy| policy.id().to_string()).collect();
        (ids, unread(&read))
    };
    let none = Vec::<String>::new();
    // In whatever file it stands, and below it what the policy says itself.
    assert_eq!(
        names(&[("p.yaml", &of_a), ("z.yaml", &team)]),
        (vec!["team/web".to_owned()], none.clone())
    );
    let below = policy("  providerConfigRef: {name: a}\n", "    namespace: sub\n");
    let same = format!("{team}---\n{below}");
    assert_eq!(
        names(&[("p.yaml", &same)]),
        (vec!["team/sub/web".to_owned()], none.clone())
    );
    // The default one, which may have none.
    let default = config("default", "  namespace: team\n");
    assert_eq!(
        names(&[("c.yaml", &default), ("p.yaml", &policy("", ""))]).0,
        ["team/web"]
    );
    assert_eq!(names(&[("p.yaml", &policy("", ""))]), (vec!["web".to_owned()], none));
    assert_eq!(names(&[("c.yaml", &config("a", "")), ("p.yaml", &of_a)]).0, ["web"]);
    // What is not there, said in two ways, put in by something else or taken from the token is not known.
    let (other, template) = (
        config("a", "  namespace: other\n"),
        config("a", "  namespace: \"${NS}\"\n"),
    );
    let of_token = config("a", "  setNamespaceFromToken: true\n");
    let strange = policy("", "    namespace: 12\n");
    for files in [
        vec![("p.yaml", &of_a)],
        vec![("a.yaml", &team), ("b.yaml", &other), ("p.yaml", &of_a)],
        vec![("a.yaml", &template), ("p.yaml", &of_a)],
        vec![("a.yaml", &of_token), ("p.yaml", &of_a)],
        vec![("p.yaml", &strange)],
    ] {
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let (ids, unread) = names(&files);
        assert_eq!(ids, Vec::<String>::new());
        assert!(
            unread.len() == 1 && unread[0].contains("its namespace cannot be worked out"),
            "{unread:?}"
        );
    }
}

#[test]
fn depth_and_work_are_bounded() {
    let started = std::time::Instant::now();
    let nested = format!("locals {{\n  a = {}1{}\n}}\n", "[".repeat(10_000), "]".repeat(10_000));
    refuse(&[("main.tf", &nested)], &["it cannot be read"]);
    let mut laughs = String::from("locals {\n  a0 = \"ha\"\n");
    for n in 1..60 {
        laughs.push_str(&format!("  a{n} = \"${{local.a{}}}${{local.a{}}}\"\n", n - 1, n - 1));
    }
    laughs.push_str("}\nresource \"vault_policy\" \"a\" {\n  name = \"a\"\n  policy = local.a59\n}\n");
    refuse(
        &[("main.tf", &laughs)],
        &["its texts are longer than is read", "some of it was not read"],
    );
    let many: String = (0..50_000).map(|n| format!("  a{n} = \"{{\"\n")).collect();
    refuse(&[("main.tf", &format!("locals {{\n{many}}}\n"))], &["too many entries"]);
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

#[test]
fn plans_and_states_say_what_will_be_and_what_was() {
    let text = r#"path \"a\" { capabilities = [\"read\"] }"#;
    let plan = format!(
        r#"{{"format_version":"1.2","terraform_version":"1.9.5","planned_values":{{}},"resource_changes":[
{{"address":"vault_policy.t[\"x\"]","type":"vault_policy","change":{{"before":{{"name":"x","policy":"path \"b\" {{ capabilities = [\"read\"] }}"}},"after":{{"name":"x","policy":"{text}","namespace":"ns"}},"after_unknown":{{}}}}}},
{{"address":"vault_policy.u","type":"vault_policy","change":{{"before":null,"after":{{"name":"u"}},"after_unknown":{{"policy":true}}}}}}]}}"#
    );
    let folder1 = folder(&[("plan.json", &plan)]);
    let read1 = read(folder1.path());
    assert_eq!(told(&read1, folder1.path()), ["ns/x: a read @plan.json:2:172"]);
    assert_eq!(
        unread(&read1),
        ["vault_policy.u: its `policy` is known only after the plan is applied"]
    );
    assert_eq!(&*read1.before.as_ref().unwrap()[0].stanzas[0].path, "b");
    let state = format!(
        r#"{{"format_version":"1.0","terraform_version":"1.9","values":{{"root_module":{{"child_modules":[{{"resources":[{{"address":"module.m.vault_policy.s","type":"vault_policy","values":{{"name":"s","policy":"{text}"}}}}]}}]}}}}}}"#
    );
    let answer = format!(r#"{{"request_id":"1","data":{{"name":"r","policy":"{text}"}}}}"#);
    let folder2 = folder(&[("s.json", &state), ("r.json", &answer)]);
    let read2 = read(folder2.path());
    let names: Vec<&str> = policies(&read2).iter().map(|p| &*p.name).collect();
    assert_eq!(names, ["r", "s"]);
    assert!(read2.before.is_none());
}

/// A plan of resources of one policy each: module address, name and key of the provider; with these settings of providers and calls of
/// modules.
fn plan(resources: &[(&str, &str)], root: &str, calls: &str, providers: &str) -> String {
    let change = |(module, name): &(&str, &str)| {
        let address = if module.is_empty() {
            String::new()
        } else {
            format!("{module}.")
        };
        format!(
            r#"{{"address":{:?},"module_address":{module:?},"mode":"managed","type":"vault_policy","name":"{name}","change":{{"actions":["create"],"before":null,"after":{{"name":"{name}","policy":"path \"a\" {{ capabilities = [\"read\"] }}","namespace":null}},"after_unknown":{{}}}}}}"#,
            format!("{address}vault_policy.{name}"),
        )
    };
    let changes: Vec<String> = resources.iter().map(change).collect();
    format!(
        r#"{{"format_version":"1.2","terraform_version":"1.9.5","planned_values":{{}},"resource_changes":[{}],"configuration":{{"provider_config":{{{providers}}},"root_module":{{"resources":[{root}],"module_calls":{{{calls}}}}}}}}}"#,
        changes.join(",")
    )
}

#[test]
fn a_plan_tells_the_namespace_of_its_providers() {
    let of = |name: &str, key: &str| {
        format!(r#"{{"mode":"managed","type":"vault_policy","name":"{name}","provider_config_key":"{key}"}}"#)
    };
    let providers = concat!(
        r#""vault":{"name":"vault","expressions":{"address":{"constant_value":"https://v"}}},"#,
        r#""vault.team":{"name":"vault","alias":"team","expressions":{"namespace":{"constant_value":"admin/team/"}}},"#,
        r#""vault.made":{"name":"vault","alias":"made","expressions":{"namespace":{"references":["var.ns"]}}},"#,
        r#""vault.header":{"name":"vault","alias":"header","expressions":{"headers":[{"name":{"constant_value":"X-Vault-Namespace"},"value":{"constant_value":"of/header"}}]}},"#,
        r#""vault.token":{"name":"vault","alias":"token","expressions":{"auth_login":[{"namespace":{"constant_value":"x"}}]}}"#,
    );
    let root = [
        of("own", "vault"),
        of("team", "vault.team"),
        of("header", "vault.header"),
        of("made", "vault.made"),
        of("token", "vault.token"),
        of("other", "module.b:vault.lost"),
    ]
    .join(",");
    let inner = format!(r#""resources":[{}]"#, of("deep", "vault.team"));
    let calls = format!(r#""a":{{"module":{{"module_calls":{{"b":{{"module":{{{inner}}}}}}}}}}}"#);
    let resources = [
        ("", "own"),
        ("", "team"),
        ("", "header"),
        ("", "made"),
        ("", "token"),
        ("", "other"),
        (r#"module.a["x].\"y"].module.b[0]"#, "deep"),
        ("module.gone", "deep"),
    ];
    let folder = folder(&[("plan.json", &plan(&resources, &root, &calls, providers))]);
    let read = read(folder.path());
    let names: Vec<String> = policies(&read).iter().map(|policy| policy.id().to_string()).collect();
    assert_eq!(names, ["own", "admin/team/team", "of/header/header", "admin/team/deep"]);
    let not_told = "the plan does not say by which provider it is written";
    let unknown = |address: &str, why: &str| format!("{address}: its namespace cannot be worked out: {why}");
    assert_eq!(
        unread(&read),
        [
            unknown(
                "vault_policy.made",
                "a plan does not tell the `namespace` of its provider, which is made from others"
            ),
            unknown("vault_policy.token", "it is that of the token that its provider gets"),
            unknown("vault_policy.other", not_told),
            unknown("module.gone.vault_policy.deep", not_told),
        ]
    );
}

#[test]
fn a_resource_of_a_plan_or_a_state_without_a_text_is_named() {
    let state = r#"{"terraform_version":"1.9","lineage":"l","resources":[
{"type":"vault_policy","name":"a","provider":"provider[\"r/hashicorp/vault\"].team","instances":[{"attributes":{"name":"a","policy":"path \"a\" { capabilities = [\"read\"] }"}}]},
{"type":"vault_policy","name":"b","provider":"provider[\"r/hashicorp/vault\"]","instances":[{"attributes":{"name":"b","policy":null}}]},
{"type":"vault_generic_endpoint","name":"c","instances":[{"attributes":{"path":"sys/policies/acl/c","data_json":"{}"}}]},
{"type":"vault_policy","name":"e","instances":[{}]},
{"type":"vault_generic_endpoint","name":"d","instances":[{"attributes":{"path":"auth/userpass/users/d","data_json":"{}"}}]}]}"#;
    let folder = folder(&[("x.tfstate.json", state)]);
    let read = read(folder.path());
    assert_eq!(policies(&read).len(), 0);
    assert_eq!(
        unread(&read),
        [
            "vault_policy.a: its namespace cannot be worked out: a state does not tell where its provider `team` writes",
            "vault_policy.b: its `policy` is no text",
            "vault_generic_endpoint.c: its `data_json` holds no text of a policy",
            "vault_policy.e: it has no values",
        ]
    );
}

#[test]
fn kubernetes_resources_are_read_line_by_line() {
    check(
        &[
            (
                "vco.yaml",
                "apiVersion: redhatcop.redhat.io/v1alpha1\nkind: Policy\nmetadata:\n  name: reader\nspec:\n  authentication:\n    namespace: team\n  policy: |\n    # Configure\n    path \"/{{identity.entity.aliases.${auth/kubernetes/@accessor}.name}}/+\" {\n      capabilities = [\"read\"]\n    }\n---\napiVersion: vault.vault.upbound.io/v1beta1\nkind: Policy\nmetadata:\n  name: cross\nspec:\n  forProvider:\n    name: crossed\n    policy: |\n      path \"c\" {\n        capabilities = [\"list\"]\n      }\n",
            ),
            (
                "bank.yml",
                "apiVersion: vault.banzaicloud.com/v1alpha1\nkind: Vault\nspec:\n  externalConfig:\n    policies:\n      - name: some\n        rules: path \"s/*\" {\n          capabilities = [\"read\"]\n          }\n      - name: more\n        rules: |\n          path \"m\" { capabilities = [\"sudo\"] }\n",
            ),
        ],
        &[
            "crossed: c list @vco.yaml:22:7",
            "more: m sudo @bank.yml:12:11",
            "some: s/* read @bank.yml:7:16",
            "team/reader: /{{identity.entity.aliases.${auth/kubernetes/@accessor}.name}}/+ read @vco.yaml:10:5",
        ],
    );
}

#[test]
fn settings_name_other_files() {
    let folder = folder(&[
        (
            "k/cm.yaml",
            "kind: ConfigMap\ndata:\n  web.hcl: |\n    path \"w\" { capabilities = [\"read\"] }\n  pay.hcl: |\n    path \"p\" { capabilities = [\"read\"] }\n",
        ),
        ("skip/x.hcl", "path \"x\" { capabilities = [\"read\"] }\n"),
        (
            "skip/terragrunt.hcl",
            "terraform {\n  source = \"git::https://x/y.git\"\n}\ninputs = {\n  a = \"b\"\n}\n",
        ),
        ("ignored/y.hcl", "path \"y\" { capabilities = [\"read\"] }\n"),
        (".gitignore", "ignored/\n"),
    ]);
    // Without settings what looks like a policy is named, once for a document.
    assert_eq!(read(folder.path()).unread.len(), 1);
    let gate = Options {
        every_way: true,
        ..Options::default()
    };
    assert_eq!(unread(&read_with(folder.path(), &gate)).len(), 2);
    let options = Options {
        sources: vec![SourceSettings {
            files: "k/*.yaml".to_owned(),
            policy: "/data/*".to_owned(),
            name: None,
            namespace: None,
        }],
        exclude: vec!["skip/**".to_owned()],
        every_way: true,
        ..Options::default()
    };
    let read = read_with(folder.path(), &options);
    assert_eq!(unread(&read), Vec::<String>::new());
    assert_eq!(
        told(&read, folder.path()),
        ["pay: p read @k/cm.yaml:6:5", "web: w read @k/cm.yaml:4:5"]
    );
    let mut left: Vec<PathBuf> = read
        .excluded
        .iter()
        .map(|p| p.strip_prefix(folder.path()).unwrap().to_path_buf())
        .collect();
    left.sort();
    assert_eq!(
        left,
        ["ignored/y.hcl", "skip/terragrunt.hcl", "skip/x.hcl"].map(Path::new)
    );
}

#[test]
fn files_without_policies_are_counted() {
    let folder = folder(&[
        (
            "main.tf",
            "resource \"vault_policy\" \"a\" {\n  name = \"a\"\n  policy = \"path \\\"a\\\" { capabilities = [\\\"read\\\"] }\"\n}\n",
        ),
        ("terraform.tfvars.json", "{\"env\":\"prod\"}\n"),
        ("agent.hcl", "auto_auth {\n  method \"kubernetes\" {}\n}\n"),
        (
            "terragrunt.hcl",
            "inputs = {\n  x = <<EOT\npath \"s\" { capabilities = [\"read\"] }\nEOT\n}\n",
        ),
        ("package.json", "{\"name\":\"x\"}\n"),
        ("ci.yaml", "steps: []\n"),
        ("templates/x.yaml", "{{ if .Values.x }}\na: b\n{{ end }}\n"),
    ]);
    let read1 = read(folder.path());
    assert_eq!(unread(&read1), Vec::<String>::new());
    assert_eq!(told(&read1, folder.path()), ["a: a read @main.tf:3:13"]);
    let count = read1.others.len() + read1.skipped.len();
    assert_eq!(count, 6, "{:?} {:?}", read1.others, read1.skipped);
    refuse(
        &[(
            "templates/p.yaml",
            "kind: Policy\nspec:\n  policy: |\n{{ .Values.policy | indent 4 }}\n",
        )],
        &["it is a template, and was not rendered"],
    );
}

/// Changes policies by name, and tells the files as they become, and what stays out of them.
fn back(files: &[(&str, &str)], change: impl Fn(&str, &str) -> String) -> (Vec<(String, String)>, Vec<String>) {
    let folder = folder(files);
    let read1 = read(folder.path());
    let all = policies(&read1);
    let texts: Vec<String> = all.iter().map(|p| change(&p.name, &p.source)).collect();
    let wanted: Vec<Wanted> = all
        .iter()
        .zip(&texts)
        .map(|(p, new)| Wanted {
            name: &p.name,
            written: p.written.as_ref().unwrap(),
            old: &p.source,
            new: Some(new),
        })
        .collect();
    let edited = back::edited(&wanted);
    // Read again, the changed policies say what they were to say.
    let overlay = edited
        .files
        .iter()
        .map(|f| (PathBuf::from(&*f.file), f.new.as_str().into()))
        .collect();
    let again = read_with(
        folder.path(),
        &Options {
            overlay,
            ..Options::default()
        },
    );
    let changed: Vec<usize> = edited.files.iter().flat_map(|f| f.policies.clone()).collect();
    for (n, (before, after)) in all.iter().zip(policies(&again)).enumerate() {
        let want = if changed.contains(&n) {
            texts[n].as_str()
        } else {
            &*before.source
        };
        let dialect = Profile::default().dialect();
        let want = vault_advisor::policy::syntax::parse(&before.name, "", want, &dialect).unwrap();
        let said = |p: &Policy| -> Vec<_> {
            p.stanzas
                .iter()
                .map(|s| (s.path.clone(), s.capabilities.clone(), s.constraints.clone()))
                .collect()
        };
        assert_eq!(said(after), said(&want), "{}", before.name);
    }
    applies(folder.path(), &edited);
    let root = format!("{}/", folder.path().display());
    let files = edited
        .files
        .into_iter()
        .map(|f| (f.file.replace(&root, ""), f.new))
        .collect();
    (files, edited.left.into_iter().map(|(_, why)| why).collect())
}

/// Each file as a diff, applied by git to the folder that it came from, says what it is to say, byte for byte; and Terraform's
/// own formatter takes what it took before.
#[track_caller]
fn applies(folder: &Path, edited: &back::Edited) {
    let git = |arguments: &[&str]| {
        let done = std::process::Command::new("git")
            .current_dir(folder)
            .args(arguments)
            .output()
            .unwrap();
        assert!(done.status.success(), "{arguments:?}: {done:?}");
    };
    let formatted = |file: &str| {
        let done = std::process::Command::new("terraform")
            .args(["fmt", "-check", file])
            .output();
        done.ok().map(|done| done.status.success())
    };
    git(&["init", "-q"]);
    for edit in &edited.files {
        let before = edit.file.ends_with(".tf").then(|| formatted(&edit.file)).flatten();
        let change = FileChange {
            file: edit.file.clone(),
            old: edit.old.clone(),
            new: edit.new.clone(),
            policies: vec!["p".to_owned()],
        };
        let (_, diff) = diff::of_file(&change, folder.to_str().unwrap());
        fs::write(folder.join("a.diff"), diff).unwrap();
        git(&["-c", "core.autocrlf=false", "apply", "--whitespace=nowarn", "a.diff"]);
        assert_eq!(fs::read_to_string(&*edit.file).unwrap(), edit.new);
        if before == Some(true) {
            assert_eq!(formatted(&edit.file), Some(true), "{}", edit.new);
        }
    }
}

#[test]
fn every_patch_applies_to_the_repository_that_it_came_from() {
    let policy =
        "path \"a\" {\n  capabilities = [\"read\", \"delete\"]\n}\n\npath \"gone\" {\n  capabilities = [\"read\"]\n}\n";
    let indented = |text: &str, margin: &str| -> String {
        let line = |line: &str| {
            if line.trim().is_empty() {
                line.to_owned()
            } else {
                format!("{margin}{line}")
            }
        };
        text.split_inclusive('\n').map(line).collect()
    };
    let resource = |name: &str, text: &str| {
        format!("resource \"vault_policy\" \"{name}\" {{\n  name   = \"{name}\"\n  policy = {text}\n}}\n")
    };
    let manifest = |name: &str, text: &str| {
        format!(
            "apiVersion: redhatcop.redhat.io/v1alpha1\nkind: Policy\nmetadata: {{ name: {name} }}\nspec:\n  policy: |\n{text}"
        )
    };
    let heredoc = |margin: &str| format!("<<-EOT\n{}{margin}EOT", indented(policy, margin));
    let windows = |text: String| text.replace('\n', "\r\n");
    let files = [
        ("file.tf", resource("file", "file(\"p.txt\")")),
        ("p.txt", windows(policy.to_owned())),
        ("windows.tf", windows(resource("windows", &heredoc("    ")))),
        ("windows.yaml", windows(manifest("w", &indented(policy, "    ")))),
        ("tabs.tf", resource("tabs", &heredoc("\t\t"))),
        ("end.tf", resource("end", &heredoc("  ")).trim_end().to_owned()),
        ("end.yaml", manifest("e", indented(policy, "      ").trim_end())),
        ("a b/\u{f6} \"x\".yaml", manifest("odd", &indented(policy, "    "))),
        ("quoted.tf", resource("quoted", &format!("{policy:?}"))),
        (
            "p.tf.json",
            format!("{{\"resource\": {{\"vault_policy\": {{\"j\": {{\"name\": \"j\", \"policy\": {policy:?}}}}}}}}}"),
        ),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let gone = |text: &str| {
        let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let gone = "\npath \"gone\" {\n  capabilities = [\"read\"]\n}".replace('\n', end);
        text.replace(&format!("{gone}{end}"), "").replace(&gone, "")
    };
    let (done, left) = back(&files, |name, text| {
        // Where the file ends without a line end, the last line has no place to go on.
        if name == "e" {
            return without_delete(name, text);
        }
        let kept = gone(&without_delete(name, text));
        let end = if kept.ends_with('\n') { "" } else { "\n" };
        format!("{kept}{end}path \"new/${{x}}\" {{\n  capabilities = [\"list\"]\n}}\n")
    });
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(done.len(), 9, "{done:#?}");
    let text = |name: &str| &done.iter().find(|(file, _)| file == name).unwrap().1;
    for name in ["p.txt", "windows.tf", "windows.yaml"] {
        assert_eq!(
            text(name).matches('\n').count(),
            text(name).matches("\r\n").count(),
            "{name}"
        );
    }
    assert!(text("tabs.tf").contains("\n\t\tpath \"new/$${x}\" {\n\t\t  capabilities = [\"list\"]\n\t\t}\n\t\tEOT"));
    assert!(text("p.tf.json").contains("new/$${x}"));
}

fn without_delete(_: &str, text: &str) -> String {
    text.replace(", \"delete\"", "")
}

#[test]
fn heredocs_and_quoted_texts_are_changed_in_place() {
    let main = "# kept\nresource \"vault_policy\" \"a\" {\n  name   = \"a\"\n  policy = <<-EOT\n    # one\n    path \"x/$${y}\" {\n      capabilities = [\"read\", \"delete\"]\n    }\n\n    # two\n    path \"gone\" {\n      capabilities = [\"read\"]\n    }\n    path \"z\" { capabilities = [\"list\"] } # end\n  EOT\n}\nresource \"vault_policy\" \"q\" {\n  name   = \"q\" # q\n  policy = \"path \\\"q\\\" { capabilities = [\\\"read\\\", \\\"delete\\\"] }\"\n}\n";
    let gone = "# two\npath \"gone\" {\n  capabilities = [\"read\"]\n}\n";
    let (files, left) = back(&[("main.tf", main)], |name, text| {
        without_delete(name, text).replace(gone, "")
    });
    assert_eq!(left, Vec::<String>::new());
    let want = main
        .replace("[\"read\", \"delete\"]", "[\"read\"]")
        .replace(", \\\"delete\\\"", "")
        .replace(
            "    # two\n    path \"gone\" {\n      capabilities = [\"read\"]\n    }\n",
            "",
        );
    assert_eq!(files, [("main.tf".to_owned(), want)]);
}

#[test]
fn a_new_stanza_gets_the_indentation_of_its_neighbours() {
    let main = "resource \"vault_policy\" \"a\" {\n  name = \"a\"\n  policy = <<-EOT\n    path \"x\" {\n      capabilities = [\"read\"]\n    }\n  EOT\n}\n";
    let (files, left) = back(&[("main.tf", main)], |_, text| {
        format!(
            "path \"new/${{x}}\" {{\n  capabilities = [\"list\"]\n}}\n\n{text}path \"last\" {{\n  capabilities = [\"list\"]\n}}\n"
        )
    });
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(
        files[0].1,
        "resource \"vault_policy\" \"a\" {\n  name = \"a\"\n  policy = <<-EOT\n    path \"new/$${x}\" {\n      capabilities = [\"list\"]\n    }\n\n    path \"x\" {\n      capabilities = [\"read\"]\n    }\n    path \"last\" {\n      capabilities = [\"list\"]\n    }\n  EOT\n}\n"
    );
}

#[test]
fn files_documents_and_block_scalars_are_changed_in_place() {
    let tf = "resource \"vault_policy\" \"f\" {\n  name = \"f\"\n  policy = file(\"p/f.hcl\")\n}\ndata \"vault_policy_document\" \"d\" {\n  # about auth\n  rule {\n    path         = \"auth/*\"\n    capabilities = [\"create\", \"delete\"]\n  }\n\n  rule {\n    path = \"gone\"\n    capabilities = [ \"read\" ]\n    description = \"so\"\n  }\n\n  # last\n  rule {\n    path = \"odd\"\n    capabilities = [\n      \"read\",\n      \"delete\",\n    ]\n  }\n}\nresource \"vault_policy\" \"d\" {\n  name = \"d\"\n  policy = data.vault_policy_document.d.hcl\n}\n";
    let hcl = "path \"f\" {\n  capabilities = [\"read\", \"delete\"] # so\n}\n";
    let yaml = "kind: Policy\napiVersion: redhatcop.redhat.io/v1alpha1\nmetadata: { name: y }\nspec:\n  policy: |\n    path \"y\" {\n      capabilities = [\"read\", \"delete\"]\n    }\n\n    path \"gone\" {\n      capabilities = [\"read\"]\n    }\n  type: acl\n";
    let (files, left) = back(&[("main.tf", tf), ("p/f.hcl", hcl), ("y.yaml", yaml)], |name, text| {
        without_delete(name, text)
            .replace("# so\npath \"gone\" {\n  capabilities = [\"read\"]\n}\n\n", "")
            .replace("\npath \"gone\" {\n  capabilities = [\"read\"]\n}\n", "")
    });
    assert_eq!(left, Vec::<String>::new());
    let tf = tf
        .replace("[\"create\", \"delete\"]", "[\"create\"]")
        .replace(
            "  rule {\n    path = \"gone\"\n    capabilities = [ \"read\" ]\n    description = \"so\"\n  }\n\n",
            "",
        )
        .replace("[\n      \"read\",\n      \"delete\",\n    ]", "[\"read\"]");
    assert_eq!(files[0], ("main.tf".to_owned(), tf));
    assert_eq!(files[1], ("p/f.hcl".to_owned(), hcl.replace(", \"delete\"", "")));
    let yaml = yaml
        .replace(", \"delete\"", "")
        .replace("\n    path \"gone\" {\n      capabilities = [\"read\"]\n    }\n", "");
    assert_eq!(files[2], ("y.yaml".to_owned(), yaml));
}

#[test]
fn one_text_of_many_policies_changes_only_where_all_agree() {
    let main = "resource \"vault_policy\" \"t\" {\n  for_each = toset([\"pay\", \"web\"])\n  name = each.key\n  policy = templatefile(\"t.tpl\", { team = each.key })\n}\n";
    let tpl = "path \"secret/${team}/*\" {\n  capabilities = [\"read\", \"delete\"]\n}\npath \"gone/${team}\" {\n  capabilities = [\"read\"]\n}\n";
    let sources = [("main.tf", main), ("t.tpl", tpl)];
    let gone = |name: &str, text: &str| {
        without_delete(name, text).replace(
            &format!("path \"gone/{name}\" {{\n  capabilities = [\"read\"]\n}}\n"),
            "",
        )
    };
    let (files, left) = back(&sources, gone);
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(
        files,
        [(
            "t.tpl".to_owned(),
            "path \"secret/${team}/*\" {\n  capabilities = [\"read\"]\n}\n".to_owned()
        )]
    );
    let (files, left) = back(&sources, |name, text| {
        if name == "pay" {
            without_delete(name, text)
        } else {
            text.to_owned()
        }
    });
    assert_eq!(files, []);
    assert!(left[0].contains("`web` is made of the same text"), "{left:?}");
    // What a name was put into cannot be written otherwise.
    let (files, left) = back(&sources, |_, text| {
        text.replace("secret/pay", "secret/p").replace("secret/web", "secret/w")
    });
    assert_eq!(files, []);
    assert!(left.iter().all(|why| why.contains("worked out")), "{left:?}");
}

/// A policy whose text is an expression.
fn policy_of(text: &str) -> String {
    format!("resource \"vault_policy\" \"a\" {{\n  name   = \"a\"\n  policy = {text}\n}}\n")
}

#[test]
fn values_that_share_their_parts_are_not_walked_through_for_ever() {
    let mut shared = String::from("locals {\n  a0 = [\"x\", \"x\", \"x\", \"x\"]\n");
    for n in 1..60 {
        let below = format!("local.a{}", n - 1);
        shared.push_str(&format!("  a{n} = [{below}, {below}, {below}, {below}]\n"));
    }
    shared.push_str("}\n");
    for text in [
        "jsonencode(local.a59)",
        "try(local.a59, \"\")",
        "local.a59 == local.a58 ? \"a\" : \"b\"",
        "length(flatten(local.a59)) == 0 ? \"a\" : \"b\"",
        "contains(local.a59, local.a59) ? \"a\" : \"b\"",
        "format(\"%v\", local.a59)",
    ] {
        refuse(
            &[("main.tf", &format!("{shared}{}", policy_of(text)))],
            &["a list or map is larger than is made"],
        );
    }
}

#[test]
fn ranges_and_regular_expressions_are_those_of_terraform() {
    for (text, path) in [
        // As `terraform console` says them: down where the end is below, by the step where there is one.
        ("join(\",\", range(3, 0))", "3,2,1"),
        ("join(\",\", range(-2))", "0,-1"),
        ("join(\",\", range(0, -1, -1))", "0"),
        ("join(\",\", range(1, 8, 2))", "1,3,5,7"),
        ("join(\",\", range(1, 1))", ""),
        (
            "replace(\"team_web/app_1\", \"/_([a-z])/\", \"-$1-\")",
            "team-w-eb/app_1",
        ),
        ("replace(\"abc\", \"/b*/\", \"x\")", "xaxcx"),
        ("replace(\"a1b22\", \"/(?P<n>\\\\d+)/\", \"<$${n}>\")", "a<1>b<22>"),
        ("replace(\"a/b/c\", \"//\", \"-\")", "-a-/-b-/-c-"),
        ("replace(\"a/b\", \"/\", \"-\")", "a-b"),
    ] {
        let policy = format!("\"path \\\"${{{text}}}.\\\" {{ capabilities = [\\\"read\\\"] }}\"");
        let folder = folder(&[("main.tf", &policy_of(&policy))]);
        let read = read(folder.path());
        let paths: Vec<String> = policies(&read)
            .iter()
            .flat_map(|policy| policy.stanzas.iter().map(|stanza| stanza.path.to_string()))
            .collect();
        assert_eq!(paths, [format!("{path}.")], "{text}: {:?}", unread(&read));
    }
}

#[test]
fn what_functions_make_and_look_at_is_bounded() {
    let big = "locals {\n  n = range(0, 90000)\n  t = join(\"\", [for n in local.n : \"ab\"])\n}\n";
    for (text, why) in [
        ("replace(local.t, \"\", local.t)", "longer than is read"),
        ("join(\",\", range(0, 1000000000))", "longer than is made"),
        ("join(\",\", range(0, 3, -1))", "does not lead to its end"),
        ("join(\",\", range(0, 3, 0))", "does not lead to its end"),
        (
            "replace(local.t, \"/(.*)/\", join(\"\", [for n in local.n : \"$1\"]))",
            "longer than is read",
        ),
        (
            "replace(\"a\", \"/(x{1000}){1000}/\", \"\")",
            "not understood, or large",
        ),
        ("replace(\"é\", \"/./\", \"\")", "not ASCII alone"),
        (
            "[for x in local.n : replace(\"a\", \"/(a|b)*c/\", \"\")][0]",
            "more steps than are made",
        ),
        (
            "[for x in local.n : contains(local.n, -1)][0] ? \"\" : \"\"",
            "more steps than are made",
        ),
        (
            "[for x in local.n : length(values({ a = 1 })) + length(split(\"a\", local.t))][0] ? \"\" : \"\"",
            "than",
        ),
        (
            "[for x in local.n : length(fileset(\".\", \"**\"))][0] > 1000000 ? \"\" : \"\"",
            "a text needs",
        ),
    ] {
        let folder = folder(&[("main.tf", &format!("{big}{}", policy_of(text)))]);
        let read = read(folder.path());
        let told = unread(&read);
        if why == "a text needs" {
            // One file: that is little work, and comes to an end.
            assert!(told.len() == 1 && told[0].contains("is not known"), "{told:?}");
        } else {
            assert!(told.len() <= 2 && told[0].contains(why), "{text}: {told:?}");
        }
    }
    // What does not advance by one comes to an end.
    let far = policy_of("join(\",\", range(100000000000000, 100000000000100))");
    assert_eq!(read(folder(&[("main.tf", &far)]).path()).files.len(), 1);
    // Modules that call themselves, and many policies of one text.
    let fan: String = (0..10)
        .map(|n| format!("module \"m{n}\" {{\n  source = \"./\"\n}}\n"))
        .collect();
    let told = unread(&read(folder(&[("main.tf", &fan)]).path()));
    assert!(!told.is_empty() && told.len() < 200, "{}", told.len());
    let one = format!(
        "path \"a\" {{\n  capabilities = [\"read\"]\n}}\n#{}\n",
        "x".repeat(20_000_000)
    );
    let many = "resource \"vault_policy\" \"a\" {\n  count  = 100\n  name   = \"a${count.index}\"\n  policy = file(\"x.txt\")\n}\n";
    let folder = folder(&[("main.tf", many), ("x.txt", &one)]);
    let read = read(folder.path());
    assert!(read.files.len() < 20, "{}", read.files.len());
    assert!(
        unread(&read)
            .iter()
            .any(|told| told.contains("some of it was not read"))
    );
}

#[test]
fn aliases_and_endless_documents_are_named() {
    let text = format!("path capabilities {}", "x".repeat(100_000));
    let aliased = format!("a: &a \"{text}\"\nb: [{}]\n", "*a,".repeat(1000));
    refuse(&[("p.yaml", &aliased)], &["its aliases stand for too much"]);
    let long = format!("[{}1]", "1,".repeat(2_000_000));
    refuse(&[("p.json", &long)], &["it holds more than is read"]);
    let deep = format!("{}1{}", "{\"a\":".repeat(70), "}".repeat(70));
    refuse(&[("p.json", &deep)], &["it is nested too deep"]);
    let many: String = (0..20_000).map(|n| format!("k{n}: path capabilities\n")).collect();
    refuse(&[("p.yaml", &many)], &["20000 parts of it, of which this is the first"]);
}

#[test]
fn nothing_outside_of_the_repository_and_nothing_of_git_is_read() {
    let outside = tempfile::tempdir().unwrap();
    let secret = "hvs.canary-of-this-machine";
    fs::write(outside.path().join("secret"), secret).unwrap();
    for (expression, link) in [
        ("file(\".git/config\")", None),
        ("file(\"x/../.git/config\")", None),
        ("file(\"link\")", Some(".git/config")),
        ("file(\"link/config\")", Some(".git")),
        ("file(\"link\")", Some("/outside/secret")),
        ("file(\"link/secret\")", Some("/outside")),
        ("templatefile(\"link\", {})", Some("/outside/secret")),
        (
            "fileexists(\"link\") ? \"hvs.canary\" : \"no\"",
            Some("/outside/secret"),
        ),
        ("fileexists(\".git/config\") ? \"hvs.canary\" : \"no\"", None),
        ("fileexists(\"gone/x\") ? \"hvs.canary\" : \"no\"", None),
        ("fileexists(\"../x\") ? \"hvs.canary\" : \"no\"", None),
        ("join(\"\", fileset(\".git\", \"*\"))", None),
        ("join(\"\", fileset(\"link\", \"*\"))", Some("/outside")),
        ("file(\"../secret\")", None),
        ("file(\"/dev/zero\")", None),
        ("file(\"zero\")", Some("/dev/zero")),
        ("file(\"pipe\")", None),
        ("file(\"bytes\")", None),
    ] {
        let text = format!(
            "resource \"vault_policy\" \"a\" {{\n  name   = {expression}\n  policy = \"path \\\"x\\\" {{}}\"\n}}\n"
        );
        let folder = folder(&[
            ("main.tf", &text),
            ("x/y", ""),
            (".git/config", secret),
            (".git/HEAD", ""),
        ]);
        fs::write(folder.path().join("bytes"), [0xff, 0xfe, 0]).unwrap();
        let pipe = std::process::Command::new("mkfifo")
            .arg(folder.path().join("pipe"))
            .status();
        assert!(pipe.unwrap().success());
        for (name, target) in [("zero", Some("/dev/zero")), ("link", link)] {
            let Some(target) = target else { continue };
            let target = target.replace("/outside", outside.path().to_str().unwrap());
            std::os::unix::fs::symlink(target, folder.path().join(name)).unwrap();
        }
        let read = read(folder.path());
        let names: Vec<&str> = policies(&read).iter().map(|p| &*p.name).collect();
        let told = format!("{names:?} {:?}", unread(&read));
        assert!(
            !told.contains("hvs.canary") && !told.contains("config\", "),
            "{expression}: {told}"
        );
        assert_eq!(read.unread.len(), 1, "{expression}: {told}");
    }
    // A module below a link out of it is none.
    let folder = folder(&[
        ("main.tf", "module \"m\" {\n  source = \"./out\"\n}\n"),
        (".git/HEAD", ""),
    ]);
    std::os::unix::fs::symlink(outside.path(), folder.path().join("out")).unwrap();
    fs::write(outside.path().join("m.tf"), policy_of("\"path \\\"x\\\" {}\"")).unwrap();
    let read = read(folder.path());
    assert_eq!(unread(&read), ["module.m: the folder of its module is not there"]);
    assert!(read.files.is_empty());
}

#[test]
fn a_link_within_the_repository_leads_to_the_file_that_changes() {
    let folder = folder(&[
        ("main.tf", &policy_of("file(\"link.txt\")")),
        ("shared/p.txt", "path \"x\" { capabilities = [\"read\"] }\n"),
        (".git/HEAD", ""),
    ]);
    std::os::unix::fs::symlink("shared/p.txt", folder.path().join("link.txt")).unwrap();
    let read = read(folder.path());
    assert_eq!(told(&read, folder.path()), ["a: x read @shared/p.txt:1:1"]);
}

#[test]
fn what_is_read_by_its_own_path_and_through_a_link_is_read_once() {
    let folder = folder(&[
        (
            "n/n.tf",
            &policy_of("\"path \\\"x\\\" { capabilities = [\\\"read\\\"] }\""),
        ),
        ("e.tf", "module \"m\" {\n  source = \"./lm\"\n}\n"),
        ("n/p.txt", "path \"y\" { capabilities = [\"list\"] }\n"),
        (
            "q.tf",
            "locals {\n  both = [file(\"n/p.txt\"), file(\"lm/p.txt\")]\n}\nresource \"vault_policy\" \"q\" {\n  name = \"q\"\n  policy = local.both[1]\n}\n",
        ),
        (".git/HEAD", ""),
    ]);
    std::os::unix::fs::symlink("n", folder.path().join("lm")).unwrap();
    let read = read(folder.path());
    let told = told(&read, folder.path());
    assert!(told.contains(&"q: y list @n/p.txt:1:1".to_owned()), "{told:?}");
    assert!(
        told.iter().any(|one| one.starts_with("a: x read @n/n.tf:3:")),
        "{told:?}"
    );
}

#[test]
fn override_files_override() {
    check(
        &[
            (
                "main.tf",
                "locals {\n  who = \"a\"\n}\nresource \"vault_policy\" \"p\" {\n  name   = \"p-${local.who}\"\n  policy = data.vault_policy_document.d.hcl\n}\ndata \"vault_policy_document\" \"d\" {\n  rule {\n    path = \"a\"\n    capabilities = [\"read\"]\n  }\n}\n",
            ),
            ("a_override.tf", "locals {\n  who = \"b\"\n}\n"),
            (
                "override.tf",
                "data \"vault_policy_document\" \"d\" {\n  rule {\n    path = \"*\"\n    capabilities = [\"sudo\"]\n  }\n}\n",
            ),
        ],
        &["p-b: * sudo @override.tf:2:1"],
    );
    refuse(
        &[("main.tf", ""), ("x_override.tf", &policy_of("\"\""))],
        &["it overrides what is not there"],
    );
}

#[test]
fn a_policy_cannot_hide_behind_terraform_that_reads_it() {
    let evil = "path \"*\" {\n  capabilities = [\"sudo\"]\n}\n";
    let hidden = format!("path \"a\" {{ capabilities = [\"read\"] }}\n# %{{ if false }}\n{evil}# %{{ endif }}\n");
    let either =
        format!("# %{{ if true }}\npath \"a\" {{ capabilities = [\"read\"] }}\n# %{{ else }}\n{evil}# %{{ endif }}\n");
    for (file, text) in [
        (
            evil,
            "file(\"evil.hcl\") == \"\" ? \"\" : \"path \\\"b\\\" { capabilities = [\\\"read\\\"] }\"",
        ),
        (evil, "replace(file(\"evil.hcl\"), \"sudo\", \"read\")"),
        (&hidden, "templatefile(\"evil.hcl\", {})"),
        (&either, "templatefile(\"evil.hcl\", {})"),
    ] {
        refuse(
            &[("main.tf", &policy_of(text)), ("evil.hcl", file)],
            &["whether it is a policy by itself is not known"],
        );
    }
    // What is said as it is, or with words put in, is no second policy.
    check(
        &[
            ("main.tf", &policy_of("templatefile(\"p.hcl\", { x = \"b\" })")),
            ("p.hcl", "path \"a/${x}\" {\n  capabilities = [\"read\"]\n}\n"),
        ],
        &["a: a/b read @p.hcl:1:1"],
    );
}

#[test]
fn a_policy_that_goes_takes_its_resource_along_where_nothing_else_names_it() {
    let resource = |name: &str, more: &str| {
        format!(
            "resource \"vault_policy\" \"{name}\" {{\n  name   = \"{name}\"{more}\n  policy = <<-EOT\n    path \"a\" {{\n      capabilities = [\"read\"]\n    }}\n  EOT\n}}\n"
        )
    };
    let main = format!(
        "# All policies.\n\n{}\n# Nobody holds it.\n// Nobody.\n{}\n{}\n{}\noutput \"x\" {{\n  value = vault_policy.named.name\n}}\n",
        resource("stays", ""),
        resource("gone", ""),
        resource("counted", "\n  count  = 1"),
        resource("named", ""),
    );
    let (files, left) = without(&[("main.tf", &main)], &Options::default(), |name| name != "stays");
    assert_eq!(left.len(), 2, "{left:?}");
    assert_eq!(
        files[0].1,
        main.replace(
            &format!("# Nobody holds it.\n// Nobody.\n{}\n", resource("gone", "")),
            ""
        )
    );
}

/// Takes policies out, and tells the files as they become, and what stays in them. Read again, the others are as they were.
fn without(
    files: &[(&str, &str)],
    options: &Options,
    gone: impl Fn(&str) -> bool,
) -> (Vec<(String, String)>, Vec<String>) {
    let folder = folder(files);
    let read1 = read_with(folder.path(), options);
    let all = policies(&read1);
    let wanted: Vec<Wanted> = all
        .iter()
        .map(|p| Wanted {
            name: &p.name,
            written: p.written.as_ref().unwrap(),
            old: &p.source,
            new: (!gone(&p.name)).then_some(&*p.source),
        })
        .collect();
    let edited = back::edited(&wanted);
    let overlay = edited
        .files
        .iter()
        .map(|f| (PathBuf::from(&*f.file), f.new.as_str().into()))
        .collect();
    let options = Options {
        overlay,
        ..options.clone()
    };
    let again = read_with(folder.path(), &options);
    assert!(again.unread.is_empty(), "{:?}", again.unread);
    let out: Vec<usize> = edited.files.iter().flat_map(|f| f.policies.clone()).collect();
    let stay = all.iter().enumerate().filter(|(n, _)| !out.contains(n));
    let texts = |p: &&Policy| (p.name.clone(), p.source.clone());
    let want: Vec<_> = stay.map(|(_, p)| texts(p)).collect();
    assert_eq!(policies(&again).iter().map(texts).collect::<Vec<_>>(), want);
    applies(folder.path(), &edited);
    let root = format!("{}/", folder.path().display());
    let files = edited.files.into_iter().map(|f| (f.file.replace(&root, ""), f.new));
    (files.collect(), edited.left.into_iter().map(|(_, why)| why).collect())
}

#[test]
fn a_policy_that_goes_takes_its_document_or_its_item_along() {
    let text = |margin: &str| format!("{margin}path \"a\" {{\n{margin}  capabilities = [\"read\"]\n{margin}}}\n");
    let manifest = |name: &str| {
        format!(
            "apiVersion: redhatcop.redhat.io/v1alpha1\nkind: Policy\nmetadata:\n  name: {name}\nspec:\n  policy: |\n{}",
            text("    ")
        )
    };
    let other = "kind: Other\ndata: 1 # so\n";
    let many = format!(
        "# about all\n\n{}---\n# nobody's\n{}\n--- # kept\n{other}---\n{}",
        manifest("first"),
        manifest("gone"),
        manifest("last")
    );
    let item = |margin: &str, name: &str| {
        format!(
            "{margin}- name: {name}\n{margin}  rules: |\n{}",
            text(&format!("{margin}    "))
        )
    };
    let bank = format!(
        "externalSecrets: 1\npolicies:\n# about all\n{}\n# about gone\n{}# about last\n{}other: [1,  2]\n",
        item("", "kept"),
        item("", "bank-gone"),
        item("", "bank-last"),
    );
    let map = format!(
        "kind: ConfigMap\ndata:\n  map-kept.hcl: |\n{}  # about gone\n  map-gone.hcl: |\n{}",
        text("    "),
        text("    ")
    );
    let listed = |name: &str| {
        let indented = manifest(name).replace('\n', "\n  ");
        format!("- {}\n", indented.trim_end())
    };
    let list = format!("kind: List\nitems:\n{}{}", listed("list-gone"), listed("list-kept"));
    let files = [
        ("bank.yaml", &*bank),
        ("list.yaml", &list),
        ("many.yaml", &many),
        ("map.yaml", &map),
    ];
    let options = Options {
        sources: vec![SourceSettings {
            files: "map.yaml".to_owned(),
            policy: "/data/*".to_owned(),
            name: None,
            namespace: None,
        }],
        ..Options::default()
    };
    let (done, left) = without(&files, &options, |name| name.contains("gone"));
    assert_eq!(left, Vec::<String>::new());
    let want = [
        (
            "bank.yaml",
            bank.replace(&format!("# about gone\n{}", item("", "bank-gone")), ""),
        ),
        ("list.yaml", list.replace(&listed("list-gone"), "")),
        (
            "many.yaml",
            many.replace(&format!("---\n# nobody's\n{}\n", manifest("gone")), ""),
        ),
        (
            "map.yaml",
            map.replace(&format!("  # about gone\n  map-gone.hcl: |\n{}", text("    ")), ""),
        ),
    ];
    assert_eq!(done, want.map(|(name, text)| (name.to_owned(), text)));
    let (done, left) = without(&files, &options, |_| true);
    assert_eq!((done.len(), left), (4, Vec::new()));
    assert_eq!(done[2].1, format!("# about all\n\n--- # kept\n{other}"));
}

#[test]
fn what_others_are_made_of_too_stays_where_it_is() {
    let text = "|\n    path \"a\" {\n      capabilities = [\"read\"]\n    }\n";
    let shared = format!("policies:\n- name: a\n  rules: &text {text}- name: b\n  rules: *text\n");
    let merged = format!("base: &base\n  rules: {text}policies:\n- name: c\n  <<: *base\n- {{name: d, <<: *base}}\n");
    let (done, left) = without(
        &[("merged.yaml", &merged), ("shared.yaml", &shared)],
        &Options::default(),
        |_| true,
    );
    assert_eq!(done, []);
    assert_eq!(left.len(), 4, "{left:?}");
}

#[test]
fn a_policy_of_a_loop_takes_what_makes_it_along() {
    let loops = |name: &str, each: &str| {
        format!(
            "resource \"vault_policy\" \"{name}\" {{\n  for_each = {each}\n  name     = \"{name}-${{each.key}}\"\n  policy   = \"path \\\"a/${{each.key}}\\\" {{ capabilities = [\\\"read\\\"] }}\"\n}}\n"
        )
    };
    let set = "toset([\"gone\", \"kept\", \"gone2\"])";
    let lines = "toset([\n    # about all\n    \"kept\",\n    # about it\n    \"gone\", # gone\n    \"last\"\n  ])";
    let map = "{\n    kept = { a = 1 }\n    gone = {\n      a = 2\n    }\n    \"gone-2\" = {}\n  }";
    let local = "toset(local.teams)";
    let main = [
        loops("set", set),
        loops("lines", lines),
        loops("map", map),
        loops("known", "toset([\"gone\"])"),
        loops("local", local),
        "locals { teams = [\"gone\"] }\noutput \"o\" { value = [for p in vault_policy.known : p.name] }\n".to_owned(),
    ]
    .concat();
    let (done, left) = without(&[("main.tf", &main)], &Options::default(), |name| name.contains("gone"));
    assert_eq!(left.len(), 2, "{left:?}");
    let want = main
        .replace(set, "toset([\"kept\"])")
        .replace("    # about it\n    \"gone\", # gone\n", "")
        .replace("    gone = {\n      a = 2\n    }\n    \"gone-2\" = {}\n", "");
    assert_eq!(done, [("main.tf".to_owned(), want)]);
    // All of them, also where each takes along what parts it from the other.
    let main = loops("all", "[\"a\", \"b\", \"c\"]")
        .replace("for_each = ", "for_each = toset(")
        .replace("]\n", "])\n");
    let (done, left) = without(&[("main.tf", &main)], &Options::default(), |_| true);
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(done[0].1, main.replace("\"a\", \"b\", \"c\"", ""));
}

/// A policy whose text is `read` where a condition holds, else another.
fn where_so(condition: &str) -> String {
    policy_of(&format!(
        "{condition} ? \"path \\\"a\\\" {{}}\" : \"path \\\"b\\\" {{}}\""
    ))
}

#[test]
fn what_only_the_machine_knows_that_terraform_runs_on_is_not_known() {
    for condition in [
        "fileexists(\".terraform.lock.hcl\")",
        "fileexists(\"gone.hcl\")",
        "fileexists(\"prod.tfvars\")",
        "length(fileset(path.module, \"*.tfstate\")) > 0",
        "length(fileset(path.module, \".terraform/**\")) > 0",
        "length(fileset(path.module, \"**/*.hcl\")) > 1",
        "length(fileset(path.module, \"*\")) > 5",
        "length(fileset(\"policies\", \"*.out\")) > 0",
        "length(fileset(\"policies\", \"*.tmp\")) > 1",
        "endswith(path.cwd, \"apply\")",
        "terraform.workspace == \"prod\"",
        "can(timestamp())",
        "try(plantimestamp(), \"\") == \"\"",
        "length(compact([uuid()])) == 0",
        "index([uuid(), \"x\"], \"x\") == 1",
        "length(pathexpand(\"~\")) > 6",
        "filebase64(\"main.tf\") == \"\"",
        "can(data.vault_policy_document.d.rule)",
        "can(data.http.x.body)",
        "coalesce(data.http.x.body, \"x\") == \"x\"",
        "lookup(data.external.x.result, \"a\", \"b\") == \"b\"",
        "each.value == \"x\"",
    ] {
        let folder = folder(&[
            ("main.tf", &where_so(condition)),
            (
                "doc.tf",
                "data \"vault_policy_document\" \"d\" {\n  rule {\n    path = \"a\"\n    capabilities = [\"read\"]\n  }\n}\n",
            ),
            (".gitignore", "*.tmp\n"),
            ("policies/a.hcl", "path \"x\" {}\n"),
            ("policies/a.tmp", "x"),
            ("prod.tfvars", "x = 1\n"),
        ]);
        let read = read(folder.path());
        let told = unread(&read);
        assert!(
            told.len() == 1 && told[0].starts_with("vault_policy."),
            "{condition}: {told:?}"
        );
    }
    // What the repository holds is there wherever Terraform runs.
    for condition in [
        "fileexists(\"policies/a.hcl\")",
        "length(fileset(path.module, \"policies/*.hcl\")) == 1",
        "length(fileset(\"${path.module}/policies\", \"**\")) == 1",
    ] {
        let folder = folder(&[("main.tf", &where_so(condition)), ("policies/a.hcl", "path \"x\" {}\n")]);
        let read = read(folder.path());
        assert_eq!(unread(&read), Vec::<String>::new(), "{condition}");
        let all = told(&read, folder.path());
        assert!(all.iter().any(|one| one.contains(": a ")), "{condition}: {all:?}");
    }
}

#[test]
fn values_are_what_the_types_of_their_variables_make_them() {
    for (variable, condition) in [
        (
            "type = object({ a = optional(string, \"x\") })\n  default = {}",
            "try(var.v.a, \"y\") == \"x\"",
        ),
        (
            "type = object({ a = optional(string) })\n  default = {}",
            "can(var.v.a)",
        ),
        (
            "type = object({ a = string })\n  default = { a = 1, b = 2 }",
            "!can(var.v.b) && var.v.a == \"1\"",
        ),
        ("type = string\n  default = 1", "var.v == \"1\""),
        ("type = \"string\"\n  default = true", "var.v == \"true\""),
        ("type = number\n  default = \"1\"", "var.v == 1"),
        (
            "type = set(string)\n  default = [\"b\", \"a\", \"b\"]",
            "length(var.v) == 2",
        ),
        (
            "type = list(object({ a = optional(bool, true) }))\n  default = [{}]",
            "var.v[0].a",
        ),
        (
            "type = map(tuple([string, number]))\n  default = { x = [1, \"2\"] }",
            "var.v.x[0] == \"1\" && var.v.x[1] == 2",
        ),
        ("default = { a = 1 }", "var.v.a == 1"),
    ] {
        let text = format!("variable \"v\" {{\n  {variable}\n}}\n{}", where_so(condition));
        let folder = folder(&[("main.tf", &text)]);
        let read = read(folder.path());
        let all = told(&read, folder.path());
        assert!(
            all.iter().any(|one| one.contains(": a ")),
            "{condition}: {all:?} {:?}",
            unread(&read)
        );
    }
    let nullable = "variable \"v\" {\n  default = \"x\"\n  nullable = false\n}\n";
    let folder = folder(&[
        ("main.tf", &format!("{nullable}{}", where_so("var.v == \"x\""))),
        ("terraform.tfvars", "v = null\n"),
    ]);
    assert!(told(&read(folder.path()), folder.path())[0].contains(": a "));
}

#[test]
fn what_is_said_twice_or_for_one_program_alone_is_named() {
    let main = policy_of("local.text");
    let locals = |path: &str| format!("locals {{\n  text = \"path \\\"{path}\\\" {{}}\"\n}}\n");
    refuse(
        &[("main.tf", &main), ("a.tf", &locals("*")), ("z.tf", &locals("x"))],
        &["`local.text` is said twice"],
    );
    refuse(
        &[("main.tf", &main), ("a.tf", &locals("*")), ("a.tofu", &locals("x"))],
        &["OpenTofu reads `a.tofu` in its place"],
    );
    refuse(
        &[
            ("main.tf", &main),
            ("a.tf", &locals("*")),
            ("a_override.tofu", &locals("x")),
        ],
        &["OpenTofu alone reads what it overrides"],
    );
    // Neither program reads it.
    check(
        &[("main.tf", &main), ("a.tf", &locals("*")), ("z.TF", &locals("x"))],
        &["a: *  @a.tf:2:11"],
    );
}

#[test]
fn files_of_variables_are_read_as_terraform_reads_them() {
    let main = format!(
        "variable \"v\" {{\n  default = \"x\"\n}}\n{}",
        where_so("var.v == \"x\"")
    );
    let of = |files: &[(&str, &str)]| {
        let mut all = vec![("main.tf", main.as_str())];
        all.extend(files);
        let folder = folder(&all);
        let read = read(folder.path());
        let names: Vec<String> = policies(&read).iter().map(|p| p.stanzas[0].path.to_string()).collect();
        (names, unread(&read))
    };
    // A name that begins with a dot counts, and of several the last by name.
    assert_eq!(of(&[(".z.auto.tfvars", "v = \"y\"\n")]).0, ["b"]);
    let several = [
        ("a.auto.tfvars", "v = \"x\"\n"),
        ("terraform.tfvars.auto.tfvars", "v = \"y\"\n"),
    ];
    assert_eq!(of(&several).0, ["b"]);
    // What cannot be read may say anything, whatever others say.
    let (names, told) = of(&[("a.auto.tfvars", "v = \"x\"\n"), ("b.auto.tfvars", "v = {\n")]);
    assert!(
        names.is_empty() && told[0].contains("`b.auto.tfvars` cannot be read"),
        "{told:?}"
    );
}
