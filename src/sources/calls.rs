//! What writes policies when somebody runs it: scripts, workflows and programs that call a server. Their words are looked for, and
//! nothing is worked out, so this finds what is said plainly; a program that hides its words is found by nobody who does not run it.

use std::collections::BTreeSet;
use std::path::Path;

/// The longest text that is shown to write nothing but what is checked, and the most commands and names of files in it. What is more
/// is no script that somebody reads.
const MAX_PLAIN: usize = 1024 * 1024;
const MAX_NAMES: usize = 1_000;
/// How far around a word is looked within its line, in letters.
const AROUND: usize = 200;

/// A call of the command line to write a policy: what it names it, and the file it takes it from, as they are written.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Write<'t> {
    name: &'t str,
    file: &'t str,
}

/// What the files of a call are known to be.
pub(super) trait Known {
    /// Whether a file is read as the policy of a name.
    fn is_policy(&self, file: &str, name: &str) -> bool;
    /// Whether a file is there and is no policy.
    fn is_other(&self, file: &str) -> bool;
    /// Whether a pattern finds policies that are named as their files, and nothing else.
    fn are_policies(&self, pattern: &str) -> bool;
}

/// Whether a text writes policies that are not read: as it stands, or by what it makes of files.
#[must_use]
pub(super) fn writes(text: &str, known: &dyn Known) -> bool {
    // What each of the ways below has to say.
    let lower = text.to_ascii_lowercase();
    if !lower.contains("polic") {
        return false;
    }
    let lines = || lines(text);
    let commands: BTreeSet<Option<Write<'_>>> = lines().filter_map(command).take(MAX_NAMES).collect();
    let is_known = |write: &Option<Write<'_>>| write.as_ref().is_some_and(|write| write.is_known(text, known));
    let is_short = text.len() <= MAX_PLAIN && commands.len() < MAX_NAMES;
    let runs_others = || names(text).is_none_or(|names| names.iter().any(|name| known.is_other(name)));
    let plainly =
        commands.is_empty() || is_short && commands.iter().all(is_known) && !rewrites(&lower) && !runs_others();
    let is_about = ["vault", "bao", "hvac"].iter().any(|word| lower.contains(word));
    !plainly || lines().any(calls_the_api) || is_about && lines().any(calls_a_method)
}

/// The lines of a text, but those that are remarks in most languages of scripts.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| {
        let line = line.trim_start();
        !line.starts_with('#') || line.starts_with("#!")
    })
}

/// The command `policy write` (`policy-write`, as it once was) in a line, spelt as a list too; with its arguments, where
/// they are a name and a file.
fn command(line: &str) -> Option<Option<Write<'_>>> {
    let is_between = |c: char| !c.is_alphanumeric() && !matches!(c, '_' | '/' | '.');
    let after = line.match_indices("policy").find_map(|(at, word)| {
        let after = line.get(at + word.len()..)?;
        let rest = after.trim_start_matches(is_between).strip_prefix("write")?;
        let ends = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        // `policy: write` grants, and `policywrite` is another word.
        let is_value = after
            .trim_start_matches(['"', '\'', '\\'])
            .trim_start()
            .starts_with([':', '=']);
        (ends && !is_value && after.starts_with(is_between)).then_some(rest)
    })?;
    let mut words = after.split_whitespace().filter(|word| !word.starts_with("--"));
    let write = match (words.next(), words.next(), words.next(), words.next()) {
        (Some(name), Some(file), None, None) => Some(Write {
            name: unquoted(name),
            file: unquoted(file),
        }),
        // The name is what comes of the variable of a loop: `"$(basename "$f" .hcl)" "$f"`.
        (Some("\"$(basename" | "$(basename"), Some(_), Some(_), Some(file)) if words.next().is_none() => Some(Write {
            name: "",
            file: unquoted(file),
        }),
        _ => None,
    };
    Some(write)
}

fn unquoted(word: &str) -> &str {
    let inside = |quote: char| word.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inside('"').or_else(|| inside('\'')).unwrap_or(word)
}

impl Write<'_> {
    /// Whether what it writes is read as a policy of that name.
    fn is_known(&self, text: &str, known: &dyn Known) -> bool {
        let variable = self.file.strip_prefix('$').map(|name| name.trim_matches(['{', '}']));
        match variable {
            None => !self.name.contains('$') && known.is_policy(self.file, self.name),
            // Each file of a loop by its own name.
            Some(variable) => {
                self.name.is_empty() && loops(text, variable).is_some_and(|over| known.are_policies(over))
            }
        }
    }
}

/// What a variable stands for, where one loop says it and nothing else.
fn loops<'t>(text: &'t str, variable: &str) -> Option<&'t str> {
    let head = format!("for {variable} in ");
    let mut heads = text.match_indices(&head);
    let (at, _) = heads.next()?;
    let is_set = text.contains(&format!("{variable}=")) || text.contains(&format!("read {variable}"));
    if heads.next().is_some() || is_set {
        return None;
    }
    let over = text.get(at + head.len()..)?.lines().next()?;
    let over = over.split(';').next()?.trim();
    (!over.contains(char::is_whitespace) && !over.contains('$')).then(|| unquoted(over))
}

/// Whether a text may make other files of those that are there.
fn rewrites(lower: &str) -> bool {
    const WORDS: [&str; 34] = [
        "awk", "base64", "cat", "chmod", "cp", "curl", "dd", "ed", "envsubst", "eval", "ex", "gawk", "git", "gomplate",
        "install", "jq", "ln", "m4", "make", "mv", "node", "patch", "perl", "printf", "python", "python3", "rsync",
        "ruby", "sed", "sponge", "tar", "tee", "wget", "yq",
    ];
    let mut words = lower.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    lower.contains('>') || words.any(|word| WORDS.contains(&word))
}

/// Whether a line calls the API of policies. One that only reads them does not.
fn calls_the_api(line: &str) -> bool {
    const CHANGES: [&str; 14] = [
        "write",
        "put",
        "post",
        "patch",
        "create",
        "update",
        "upsert",
        "-d",
        "-t",
        "--data",
        "--json",
        "--data-binary",
        "--data-raw",
        "--upload-file",
    ];
    let spelt = line.to_ascii_lowercase().replace("\\/", "/").replace("%2f", "/");
    let says = |words: &[&str]| {
        let mut all = spelt.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')));
        all.any(|word| words.contains(&word))
    };
    let changes = says(&CHANGES);
    let only_reads = !changes && says(&["read", "list", "get"]);
    let names = places(&spelt).any(|at| {
        let before = spelt.get(..at).unwrap_or_default();
        let after = spelt.get(at..).unwrap_or_default();
        // What a policy grants on them is no call: the path of a block, or a key of JSON.
        let opened = before.trim_end_matches(['"', '\'', '\\']);
        let is_block = opened.len() < before.len() && opened.trim_end().ends_with("path");
        let is_key = first(after)
            .split_once(['"', '\''])
            .is_some_and(|(_, rest)| rest.trim_start().starts_with(':'));
        !is_block && !is_key
    });
    names && !only_reads || says(&["write"]) && (spelt.contains(" policy=") || spelt.contains(" rules="))
}

/// Where a text says the place of policies, as clients make the path of it.
pub(super) fn places(text: &str) -> impl Iterator<Item = usize> {
    let leads = |at: &usize| {
        let mut rest = text.get(at + "sys/".len()..).unwrap_or_default();
        while let Some(next) = rest.strip_prefix('/').or_else(|| rest.strip_prefix("./")) {
            rest = next;
        }
        rest.starts_with("polic")
    };
    text.match_indices("sys/").map(|(at, _)| at).filter(leads)
}

/// The beginning of a text, as far as is looked.
fn first(text: &str) -> &str {
    text.char_indices()
        .nth(AROUND)
        .map_or(text, |(at, _)| text.get(..at).unwrap_or_default())
}

/// The end of a text, as far as is looked.
fn last(text: &str) -> &str {
    text.char_indices()
        .rev()
        .nth(AROUND)
        .map_or(text, |(at, _)| text.get(at..).unwrap_or_default())
}

/// Whether a line calls a method of a client that writes policies: its name says so, and a bracket follows.
fn calls_a_method(line: &str) -> bool {
    const VERBS: [&str; 10] = [
        "write", "put", "set", "add", "create", "update", "upsert", "apply", "sync", "upload",
    ];
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices('(').any(|(at, _)| {
        let before = last(line.get(..at).unwrap_or_default());
        // Of a generic method the types stand between.
        let before = match before.strip_suffix('>') {
            Some(typed) => typed
                .rsplit_once('<')
                .map_or(typed, |(name, _)| name.trim_end_matches(':')),
            None => before,
        };
        let begins = before.rfind(|c: char| !is_word(c)).map_or(0, |at| at + 1);
        let name = before.get(begins..).unwrap_or_default().to_ascii_lowercase();
        let called = before.get(..begins).unwrap_or_default().to_ascii_lowercase();
        let says = |text: &str| VERBS.iter().any(|verb| text.contains(verb));
        // `client.sys.policy.set(`, `policy::set(` and `new vault.Policy(` as well.
        let of_policies = called.ends_with("policy.") || called.ends_with("policies.") || called.ends_with("policy::");
        let is_resource = name == "policy"
            && called
                .trim_end_matches(|c: char| is_word(c) || c == '.')
                .ends_with("new ");
        name.contains("polic") && (says(&name) || is_resource || called.ends_with("vault."))
            || of_policies && says(&name)
    })
}

/// The words of a text that may be names of files; none where these are too many to look up.
pub(super) fn names(text: &str) -> Option<BTreeSet<&str>> {
    let cut = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '~' | '+'));
    let mut names = BTreeSet::new();
    for word in text.split(cut).map(|word| word.trim_end_matches('.')) {
        if word.contains(['.', '/']) && Path::new(word).file_name().is_some() {
            names.insert(word);
        }
        if names.len() > MAX_NAMES {
            return None;
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Here;

    impl Known for Here {
        fn is_policy(&self, file: &str, name: &str) -> bool {
            file == "policies/web.hcl" && name == "web"
        }

        fn is_other(&self, file: &str) -> bool {
            file == "./prepare"
        }

        fn are_policies(&self, pattern: &str) -> bool {
            pattern == "policies/*.hcl"
        }
    }

    #[test]
    fn what_writes_a_policy_that_is_not_read_is_found() {
        for text in [
            "vault policy write web -",
            "sed s/read/sudo/ policies/web.hcl | vault policy write web -\n",
            "sed -i s/read/sudo/ policies/web.hcl\nvault policy write web policies/web.hcl\n",
            "./prepare\nvault policy write web policies/web.hcl\n",
            "bao  policy   write admin policies/web.hcl",
            "vault policy write web /srv/web.hcl",
            "vault policy-write web x",
            "vault policy write web $FILE",
            "for f in gen/*.hcl; do\nvault policy write \"$(basename \"$f\" .hcl)\" \"$f\"\ndone",
            "for f in policies/*.hcl; do\nvault policy write \"admin-$f\" \"$f\"\ndone",
            "f=x\nfor f in policies/*.hcl; do\nvault policy write \"$(basename \"$f\" .hcl)\" \"$f\"\ndone",
            "subprocess.run([\"vault\", \"policy\", \"write\", name, \"-\"])",
            "exec.Command(\"bao\", \"policy\", \"write\", n, \"-\")",
            "curl -X PUT -d @p.json $VAULT_ADDR/v1/sys/policies/acl/web",
            "curl --data @p.json https://x/v1/sys/policy/web",
            "vault write sys/policy/web policy=@x",
            "vault write sys//policy/web @x",
            "vault write \"$P\" policy=@x",
            "  path: sys/policies/acl/web",
            "url = base + '/v1/sys/policies/acl/' + name",
            "u = \"v1\\/sys\\/policy\\/web\"",
            "client = hvac.Client()\nclient.sys.create_or_update_policy(name='web', policy=text)",
            "// vault\nclient.Sys().PutPolicyWithContext(ctx, name, rules)",
            "use vaultrs::sys;\nsys::policy::set(&client, name, text)",
            "const vault = require('node-vault')()\nvault.addPolicy({ name, rules })",
            "import * as vault from '@pulumi/vault'\nnew vault.Policy('x', {policy})",
            "var vault\nclient.V1.System.WriteACLPolicyAsync<T>(policy)",
        ] {
            assert!(writes(text, &Here), "{text}");
        }
    }

    #[test]
    fn what_reads_policies_or_writes_one_that_is_read_is_passed_over() {
        for text in [
            "",
            "echo hello",
            "vault policy list",
            "vault policy read web",
            "vault policy fmt policies/web.hcl",
            "vault policy write web policies/web.hcl",
            "vault policy write web \"policies/web.hcl\"",
            "for f in policies/*.hcl; do\nvault policy write \"$(basename \"$f\" .hcl)\" \"$f\"\ndone",
            "# vault policy write web x",
            "vault read sys/policies/acl/web",
            "vault list sys/policies/acl",
            "client.read('sys/policies/acl/web')  # vault",
            "path \"sys/policies/acl/*\" {\n  capabilities = [\"read\"]\n}",
            "{\"path\": {\"sys/policies/acl/*\": {\"capabilities\": [\"create\"]}}}",
            "\"path \\\"sys/policies/acl/*\\\" { capabilities = [\\\"read\\\"] }\"",
            "imagePullPolicy: Always",
            "policy: write",
            "policy = \"write\"",
            "aws iam put-role-policy --policy-document x",
            "iam.put_role_policy(x)",
            "vault write auth/kubernetes/role/web policies=web",
            "the policy is written down",
        ] {
            assert!(!writes(text, &Here), "{text}");
        }
    }

    #[test]
    fn words_that_may_be_files_are_told_from_others() {
        let text = "sh ./gen.sh a/b.py --x=y > \"/srv/z\"; echo done.";
        assert_eq!(names(text), Some(BTreeSet::from(["./gen.sh", "a/b.py", "/srv/z"])));
        let many: String = (0..=MAX_NAMES).map(|n| format!("a/{n} ")).collect();
        assert_eq!(names(&many), None);
    }

    #[test]
    fn long_lines_take_no_more_than_their_length() {
        // Each would be gone through from its beginning to its end, once for each bracket or place.
        for (part, does) in [
            ("a(", false),
            ("x>(", false),
            ("sys/policies ", true),
            ("policy   ", false),
        ] {
            let text = format!("vault {} policy", part.repeat(200_000));
            assert_eq!(writes(&text, &Here), does, "{part}");
        }
        let loops =
            "for f in policies/*.hcl; do vault policy write \"$(basename \"$f\" .hcl)\" \"$f\"\n".repeat(100_000);
        assert!(writes(&loops, &Here), "nobody reads a script of this length");
    }
}
