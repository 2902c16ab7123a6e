//! What `terraform show -json` says of a plan or a state, what a state file holds, and what `vault read -format=json` answers.

use super::node::{Kind, MAX_DEPTH, Node};
use super::terraform::{HOLDS, RUNS, shows, unpacked};
use super::text::{Text, digest};
use super::{Found, Problem};
use crate::origin::SourceText;
use crate::vault::path;
use std::sync::Arc;

/// The policies of a document.
#[derive(Debug, Default)]
pub struct Content {
    /// As they will be, or are.
    pub found: Vec<Found>,
    /// As they were before the plan; none where the document is no plan.
    pub before: Option<Vec<Found>>,
    /// What is not known before the plan is applied.
    pub unread: Vec<Problem>,
}

const PLAN: &str = "a plan is made from other files: change those";
const STATE: &str = "a state is made from other files: change those";
const ANSWER: &str = "it is the answer of a server";

/// Reads a document; none where it is nothing of all that.
#[must_use]
pub fn read(source: &Arc<SourceText>, root: &Node) -> Option<Content> {
    if root.get("format_version").is_some() && root.get("planned_values").is_some() {
        return Some(plan(source, root));
    }
    if root.get("format_version").is_some() && root.get("terraform_version").is_some() {
        let mut content = Content::default();
        if let Some(module) = root.at("/values/root_module") {
            values((source, STATE), module, &Ok(String::new()), &mut content, 0);
        }
        return Some(content);
    }
    if root.get("terraform_version").is_some() && root.get("lineage").is_some() {
        return Some(state_file(source, root));
    }
    answer(source, root)
}

fn plan(source: &Arc<SourceText>, root: &Node) -> Content {
    let mut content = Content {
        before: Some(Vec::new()),
        ..Content::default()
    };
    let providers = Providers::of(root);
    content.unread.extend(not_whole(source, root));
    let mut external = Vec::new();
    if let Some(module) = root.at("/configuration/root_module") {
        runs_programs(module, 0, &mut external);
    }
    content
        .unread
        .extend(external.iter().map(|one| problem_of(source, one, RUNS)));
    for deferred in root.get("deferred_changes").map(Node::items).unwrap_or_default() {
        content.unread.extend(put_off(source, deferred));
    }
    for action in root.get("action_invocations").map(Node::items).unwrap_or_default() {
        content.unread.push(problem_of(source, action, RUNS));
    }
    let Some(changes) = root.get("resource_changes") else {
        if let Some(module) = root.at("/planned_values/root_module") {
            values((source, PLAN), module, &providers.of_all(), &mut content, 0);
        }
        return content;
    };
    for resource in changes.items() {
        content.unread.extend(providers.runs(source, resource));
        if is_external(resource) && external.is_empty() {
            content.unread.push(problem_of(source, resource, RUNS));
        }
        let Some(said) = Said::of(source, resource, PLAN) else {
            content.unread.extend(other(source, resource));
            continue;
        };
        let Some(change) = resource.get("change") else {
            content
                .unread
                .push(said.problem("it does not say what changes".to_owned(), None));
            continue;
        };
        let base = providers.namespace(resource);
        let before = change.get("before").filter(|values| !values.is_null());
        let before = before.map_or(Ok(None), |values| said.policy(values, &base));
        let read = said.after(change, &base);
        // What cannot be told of it as it is, and as it will be, is said once.
        if let Err(problem) = &before
            && read.as_ref().err() != Some(problem)
        {
            content.unread.push(problem.clone());
        }
        content.before.get_or_insert_default().extend(before.ok().flatten());
        content.take(read);
    }
    content
}

/// Why a plan that says so of itself is not all that will be done.
fn not_whole(source: &Arc<SourceText>, root: &Node) -> Vec<Problem> {
    let is =
        |name: &str, wanted: bool| matches!(root.get(name), Some(Node { kind: Kind::Bool(is), .. }) if *is == wanted);
    let why = [
        is("errored", true).then_some("making it failed (`errored`): what was not come to is not in it"),
        is("complete", false).then_some(
            "it leaves something out (`complete` is false, as with `-target`): what a later one does is not in it",
        ),
    ];
    let problem = |why: &str| Problem {
        what: source.file.to_string(),
        why: why.to_owned(),
        origin: source.place(root.range.start),
        policy: None,
        same: None,
    };
    why.into_iter().flatten().map(problem).collect()
}

/// A change that is put off until more is known, where it may write a policy.
fn put_off(source: &Arc<SourceText>, deferred: &Node) -> Option<Problem> {
    let resource = deferred.get("resource_change").unwrap_or(deferred);
    let said = Said::of(source, resource, PLAN);
    let is_one = said.is_some() || is_external(resource) || resource.says(shows);
    is_one.then(|| Problem {
        what: address_of(resource),
        why: "it is put off until more is known (`deferred_changes`)".to_owned(),
        origin: source.place(resource.range.start),
        policy: None,
        same: None,
    })
}

/// Whether a resource of a plan is data that a program gives, which Terraform runs.
fn is_external(resource: &Node) -> bool {
    let is = |name: &str, wanted: &str| resource.get(name).and_then(Node::str) == Some(wanted);
    is("type", "external") && is("mode", "data")
}

/// The data of a configuration that programs give: they run when it is planned.
fn runs_programs<'a>(module: &'a Node, depth: usize, found: &mut Vec<&'a Node>) {
    let all = module.get("resources").map(Node::items).unwrap_or_default();
    found.extend(all.iter().filter(|one| is_external(one)));
    if depth < MAX_DEPTH {
        for (_, call) in module.get("module_calls").map(Node::entries).unwrap_or_default() {
            if let Some(module) = call.get("module") {
                runs_programs(module, depth + 1, found);
            }
        }
    }
}

/// What a change of another kind says, where it shows a policy that it did not before.
fn other(source: &Arc<SourceText>, resource: &Node) -> Option<Problem> {
    let change = resource.get("change")?;
    let after = change.get("after").filter(|after| after.says(shows))?;
    let written = |side: &Node| source.text.get(side.range.clone());
    let is_as_before = change.get("before").and_then(written) == written(after);
    (!is_as_before).then(|| problem_of(source, resource, HOLDS))
}

/// A part of a plan that may write policies and is not read. The very same in another plan is no news.
fn problem_of(source: &Arc<SourceText>, said: &Node, why: &str) -> Problem {
    Problem {
        what: address_of(said),
        why: why.to_owned(),
        origin: source.place(said.range.start),
        policy: None,
        same: Some(digest(source.text.get(said.range.clone()).unwrap_or(""))),
    }
}

/// The address of a resource; older documents leave it to its type and its name.
fn address_of(resource: &Node) -> String {
    let text = |name: &str| resource.get(name).and_then(Node::str);
    let address = text("address").map(str::to_owned);
    address.unwrap_or_else(|| format!("{}.{}", text("type").unwrap_or(""), text("name").unwrap_or("")))
}

impl Content {
    fn take(&mut self, read: Result<Option<Found>, Problem>) {
        match read {
            Ok(found) => self.found.extend(found),
            Err(problem) => self.unread.push(problem),
        }
    }
}

/// What a policy may be written by.
#[derive(Clone, Copy)]
enum Kept {
    /// `vault_policy`
    Policy,
    /// `vault_generic_endpoint`, which writes policies among other things.
    Endpoint,
}

/// A resource of a document.
struct Said<'a> {
    source: &'a Arc<SourceText>,
    kept: Kept,
    address: String,
    at: usize,
    fixed: &'a str,
}

impl<'a> Said<'a> {
    /// A resource; none of a kind that writes no policies.
    fn of(source: &'a Arc<SourceText>, resource: &Node, fixed: &'a str) -> Option<Self> {
        let kept = match resource.get("type").and_then(Node::str) {
            Some("vault_policy") => Kept::Policy,
            Some("vault_generic_endpoint") => Kept::Endpoint,
            _ => return None,
        };
        Some(Self {
            source,
            kept,
            address: address_of(resource),
            at: resource.range.start,
            fixed,
        })
    }

    /// The fields that a policy is made of.
    const fn fields(&self) -> [&'static str; 3] {
        match self.kept {
            Kept::Policy => ["name", "policy", "namespace"],
            Kept::Endpoint => ["path", "data_json", "namespace"],
        }
    }

    fn problem(&self, why: String, policy: Option<(Arc<str>, Arc<str>)>) -> Problem {
        Problem {
            what: self.address.clone(),
            why,
            origin: self.source.place(self.at),
            policy,
            same: None,
        }
    }

    /// The namespace of the resource, below that of its provider.
    fn namespace(&self, values: &Node, base: &Result<String, String>) -> Result<String, String> {
        let own = match values.get("namespace") {
            Some(own) if !own.is_null() => own.str().ok_or("its `namespace` is no text")?,
            _ => "",
        };
        Ok(path::below(base.as_ref()?, own))
    }

    /// The policy as it will be; none where it goes.
    fn after(&self, change: &Node, base: &Result<String, String>) -> Result<Option<Found>, Problem> {
        let unknown = change.get("after_unknown");
        let all_unknown = unknown.is_some_and(|unknown| matches!(unknown.kind, Kind::Bool(true)));
        let Some(after) = change.get("after").filter(|values| !values.is_null()) else {
            return match all_unknown {
                true => Err(self.problem("what it says is known only after the plan is applied".to_owned(), None)),
                false => Ok(None),
            };
        };
        let is_unknown = |name: &&str| {
            let unknown = unknown.and_then(|unknown| unknown.get(name));
            all_unknown || unknown.is_some_and(|unknown| matches!(unknown.kind, Kind::Bool(true)))
        };
        let Some(field) = self.fields().into_iter().find(is_unknown) else {
            return self.policy(after, base);
        };
        let why = format!("its `{field}` is known only after the plan is applied");
        let name = after.get("name").and_then(Node::str);
        let space = self.namespace(after, base).ok().filter(|_| field != "namespace");
        let id = space.zip(name).map(|(space, name)| (space.into(), name.into()));
        Err(self.problem(why, id))
    }

    /// The policy of a resource, as far as it has values.
    fn of_values(&self, values: Option<&Node>, base: &Result<String, String>) -> Result<Option<Found>, Problem> {
        let values = values.ok_or_else(|| self.problem("it has no values".to_owned(), None))?;
        self.policy(values, base)
    }

    /// The policy of the values of a resource; none where it writes something else.
    fn policy(&self, values: &Node, base: &Result<String, String>) -> Result<Option<Found>, Problem> {
        let text = |name: &'static str| {
            let text = values.get(name).and_then(Node::text);
            text.ok_or_else(|| self.problem(format!("its `{name}` is no text"), None))
        };
        let (above, name) = match self.kept {
            Kept::Policy => (String::new(), text("name")?.text.to_string()),
            Kept::Endpoint => match path::policy_written_at(&text("path")?.text) {
                Some(written) => written,
                None => return Ok(None),
            },
        };
        let namespace = self.namespace(values, base);
        let namespace =
            namespace.map_err(|why| self.problem(format!("its namespace cannot be worked out: {why}"), None))?;
        let namespace = path::below(&namespace, &above);
        let id = || Some((namespace.as_str().into(), name.as_str().into()));
        let (text, at) = match self.kept {
            Kept::Policy => (unpacked(text("policy")?), values.range.start),
            Kept::Endpoint => {
                let written: Option<serde_json::Value> = serde_json::from_str(&text("data_json")?.text).ok();
                let written = written
                    .as_ref()
                    .and_then(|data| data.get("policy").or_else(|| data.get("rules")));
                let Some(written) = written.and_then(serde_json::Value::as_str) else {
                    // Below a mount that is called like the system backend's paths there may be anything else.
                    if !above.is_empty() {
                        return Ok(None);
                    }
                    return Err(self.problem("its `data_json` holds no text of a policy".to_owned(), id()));
                };
                (unpacked(&Text::made(written.to_owned())), values.range.start)
            }
        };
        Ok(Some(Found {
            name,
            namespace,
            server: Arc::default(),
            text,
            address: self.address.clone(),
            source: Arc::clone(self.source),
            at,
            fixed: Some(self.fixed.into()),
            whole: None,
            asked: Default::default(),
            way: Default::default(),
        }))
    }
}

/// The providers of a plan, by the keys that its resources name them with.
struct Providers<'a> {
    configuration: Option<&'a Node>,
    known: Vec<(&'a str, Result<String, String>)>,
}

impl<'a> Providers<'a> {
    fn of(root: &'a Node) -> Self {
        let configuration = root.get("configuration");
        let all = configuration.and_then(|node| node.get("provider_config"));
        let known = all.map(Node::entries).unwrap_or_default().iter();
        Self {
            configuration,
            known: known.map(|(key, said)| (&**key, written_to(said))).collect(),
        }
    }

    /// The namespace that the provider of a changed resource writes to.
    fn namespace(&self, resource: &Node) -> Result<String, String> {
        let key = self.key(resource);
        let of_key = self.known.iter().find(|(known, _)| Some(*known) == key);
        if let Some((_, namespace)) = of_key {
            return namespace.clone();
        }
        // A provider without settings; or one handed to a module, of which older versions do not say which it is.
        match key.is_some_and(|key| !key.contains([':', '.'])) {
            true => Ok(String::new()),
            false => self.of_all(),
        }
    }

    /// The namespace where the provider is not known: the root one where no provider names another.
    fn of_all(&self) -> Result<String, String> {
        match self.known.iter().all(|(_, namespace)| namespace.as_deref() == Ok("")) {
            true => Ok(String::new()),
            false => Err("the plan does not say by which provider it is written".to_owned()),
        }
    }

    /// The key of a resource's provider, from the configuration of its module.
    fn key(&self, resource: &Node) -> Option<&'a str> {
        self.configured(resource)?.get("provider_config_key")?.str()
    }

    /// A command that runs where a resource is made or goes, by its configuration.
    fn runs(&self, source: &Arc<SourceText>, resource: &Node) -> Option<Problem> {
        let actions = resource.get("change").and_then(|change| change.get("actions"));
        let changes = actions.map(Node::items).unwrap_or_default();
        let is_made = changes
            .iter()
            .any(|action| matches!(action.str(), Some("create" | "delete")));
        let provisioners = self.configured(resource)?.get("provisioners")?.items();
        let is_run = |one: &Node| matches!(one.get("type").and_then(Node::str), Some("local-exec" | "remote-exec"));
        (is_made && provisioners.iter().any(is_run)).then(|| problem_of(source, resource, RUNS))
    }

    /// What the configuration says of a resource.
    fn configured(&self, resource: &Node) -> Option<&'a Node> {
        let text = |name: &str| resource.get(name).and_then(Node::str);
        let mut module = self.configuration?.get("root_module")?;
        for call in calls(text("module_address").unwrap_or(""))? {
            module = module.get("module_calls")?.get(call)?.get("module")?;
        }
        let is_it = |own: &&Node| {
            let same = |name: &str| own.get(name).and_then(Node::str) == text(name);
            same("type") && same("name") && own.get("mode").and_then(Node::str) != Some("data")
        };
        module.get("resources")?.items().iter().find(is_it)
    }
}

/// The namespace that a provider writes to by its settings.
fn written_to(provider: &Node) -> Result<String, String> {
    let Some(settings) = provider.get("expressions") else {
        return Ok(String::new());
    };
    let constant = |name: &str| settings.get(name).map(|said| said.get("constant_value"));
    match constant("namespace") {
        Some(Some(said)) if said.is_null() => {}
        Some(Some(said)) => {
            let said = said.str().ok_or("the `namespace` of its provider is no text")?;
            return Ok(said.trim_matches('/').to_owned());
        }
        Some(None) => {
            return Err("a plan does not tell the `namespace` of its provider, which is made from others".to_owned());
        }
        None => {}
    }
    // A header of its own names it as well.
    for header in settings.get("headers").map(Node::items).unwrap_or_default() {
        let said = |name: &str| {
            header
                .get(name)
                .and_then(|said| said.get("constant_value"))
                .and_then(Node::str)
        };
        let is_known = said("name").is_some_and(|name| !name.eq_ignore_ascii_case("x-vault-namespace"));
        match (is_known, said("name").and(said("value"))) {
            (true, _) => {}
            (false, Some(namespace)) => return Ok(namespace.trim_matches('/').to_owned()),
            (false, None) => {
                return Err("a plan does not tell a header of its provider, which is made from others".to_owned());
            }
        }
    }
    let logs_in = |(name, said): &(Arc<str>, Node)| {
        let names_one = |said: &Node| said.get("namespace").is_some();
        name.starts_with("auth_login") && (names_one(said) || said.items().iter().any(names_one))
    };
    let of_token = match constant("set_namespace_from_token") {
        Some(Some(said)) if matches!(said.kind, Kind::Bool(false)) => false,
        Some(Some(said)) if !said.is_null() => true,
        Some(None) => true,
        _ => settings.entries().iter().any(logs_in),
    };
    match of_token {
        true => Err("it is that of the token that its provider gets".to_owned()),
        false => Ok(String::new()),
    }
}

/// The modules on the way to a resource, such as `a` and `b` of `module.a[0].module.b["x.y"]`; none where that is not understood.
fn calls(address: &str) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    let mut rest = address;
    while !rest.is_empty() {
        rest = rest.strip_prefix("module.")?;
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        found.push(name);
        rest = after.strip_prefix('[').map_or(Some(after), past_key)?;
        rest = match rest.strip_prefix('.') {
            Some(next) if !next.is_empty() => next,
            Some(_) => return None,
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    Some(found)
}

/// What follows the key of an instance, behind its bracket.
fn past_key(text: &str) -> Option<&str> {
    let Some(quoted) = text.strip_prefix('"') else {
        return text.split_once(']').map(|(_, after)| after);
    };
    let mut escaped = false;
    let end = quoted.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    quoted.get(end + 1..)?.strip_prefix(']')
}

/// The resources of a module and of those below it.
fn values(
    (source, fixed): (&Arc<SourceText>, &str),
    module: &Node,
    base: &Result<String, String>,
    content: &mut Content,
    depth: usize,
) {
    for resource in module.get("resources").map(Node::items).unwrap_or_default() {
        match Said::of(source, resource, fixed) {
            Some(said) => content.take(said.of_values(resource.get("values"), base)),
            None if fixed == PLAN && resource.get("values").is_some_and(|values| values.says(shows)) => {
                content.unread.push(problem_of(source, resource, HOLDS));
            }
            None => {}
        }
    }
    if depth < MAX_DEPTH {
        for below in module.get("child_modules").map(Node::items).unwrap_or_default() {
            values((source, fixed), below, base, content, depth + 1);
        }
    }
}

fn state_file(source: &Arc<SourceText>, root: &Node) -> Content {
    let mut content = Content::default();
    for resource in root.get("resources").map(Node::items).unwrap_or_default() {
        let Some(said) = Said::of(source, resource, STATE) else {
            continue;
        };
        // `provider["registry.terraform.io/hashicorp/vault"].team`
        let provider = resource.get("provider").and_then(Node::str).unwrap_or("");
        let base = match provider.rsplit_once("].") {
            Some((_, alias)) => Err(format!("a state does not tell where its provider `{alias}` writes")),
            None => Ok(String::new()),
        };
        for instance in resource.get("instances").map(Node::items).unwrap_or_default() {
            content.take(said.of_values(instance.get("attributes"), &base));
        }
    }
    content
}

/// `vault read -format=json sys/policies/acl/NAME`
fn answer(source: &Arc<SourceText>, root: &Node) -> Option<Content> {
    let data = root.get("data").filter(|_| root.get("request_id").is_some())?;
    let name = data.get("name")?.str()?;
    let text = data.get("policy").or_else(|| data.get("rules"))?.text()?;
    Some(Content {
        found: vec![Found {
            name: name.to_owned(),
            namespace: String::new(),
            server: Arc::default(),
            text: unpacked(text),
            address: format!("the answer that holds `{name}`"),
            source: Arc::clone(source),
            at: data.range.start,
            fixed: Some(ANSWER.into()),
            whole: None,
            asked: Default::default(),
            way: Default::default(),
        }],
        ..Content::default()
    })
}
