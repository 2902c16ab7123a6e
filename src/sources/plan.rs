//! What `terraform show -json` says of a plan or a state, what a state file holds, and what `vault read -format=json` answers.

use super::node::Node;
use super::terraform::unpacked;
use super::{Found, Problem};
use crate::origin::SourceText;
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
            values(source, module, &mut content, 0);
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
    let Some(changes) = root.get("resource_changes") else {
        if let Some(module) = root.at("/planned_values/root_module") {
            values(source, module, &mut content, 0);
        }
        return content;
    };
    for resource in changes.items() {
        let Some(change) = resource.get("change") else { continue };
        let address = resource.get("address").and_then(Node::str).unwrap_or("");
        let kind = resource.get("type").and_then(Node::str).unwrap_or("");
        if let Some(before) = change.get("before")
            && let (Some(found), Some(all)) = (policy(source, kind, address, before, PLAN), content.before.as_mut())
        {
            all.push(found);
        }
        let Some(after) = change.get("after") else { continue };
        let unknown = |name: &str| {
            change
                .get("after_unknown")
                .and_then(|u| u.get(name))
                .is_some_and(|u| matches!(u.kind, super::node::Kind::Bool(true)))
        };
        let fields = match kind {
            "vault_policy" => ["name", "policy", "namespace"],
            "vault_generic_endpoint" => ["path", "data_json", "namespace"],
            _ => continue,
        };
        if let Some(field) = fields.into_iter().find(|field| unknown(field)) {
            let name = after.get("name").and_then(Node::str);
            let namespace = after.get("namespace").and_then(Node::str).unwrap_or("");
            content.unread.push(Problem {
                what: address.to_owned(),
                why: format!("its `{field}` is known only after the plan is applied"),
                origin: source.place(resource.range.start),
                policy: name.map(|name| (namespace.into(), name.into())),
                same: None,
            });
            continue;
        }
        content.found.extend(policy(source, kind, address, after, PLAN));
    }
    content
}

/// A policy of the values of a resource.
fn policy(source: &Arc<SourceText>, kind: &str, address: &str, values: &Node, fixed: &str) -> Option<Found> {
    let (name, text) = match kind {
        "vault_policy" => (
            values.get("name")?.str()?.to_owned(),
            values.get("policy")?.text()?.clone(),
        ),
        "vault_generic_endpoint" => {
            let path = values.get("path")?.str()?.trim_matches('/');
            let name = crate::vault::path::policy_at(path)?;
            let data: serde_json::Value = serde_json::from_str(values.get("data_json")?.str()?).ok()?;
            let text = data.get("policy").or_else(|| data.get("rules"))?.as_str()?.to_owned();
            (name.to_owned(), super::text::Text::made(text))
        }
        _ => return None,
    };
    Some(Found {
        name,
        namespace: values.get("namespace").and_then(Node::str).unwrap_or("").to_owned(),
        server: Arc::default(),
        text: unpacked(&text),
        address: address.to_owned(),
        source: Arc::clone(source),
        at: values.range.start,
        fixed: Some(fixed.into()),
        whole: None,
        asked: Default::default(),
        way: Default::default(),
    })
}

/// The resources of a module and of those below it.
fn values(source: &Arc<SourceText>, module: &Node, content: &mut Content, depth: usize) {
    for resource in module.get("resources").map(Node::items).unwrap_or_default() {
        let address = resource.get("address").and_then(Node::str).unwrap_or("");
        let kind = resource.get("type").and_then(Node::str).unwrap_or("");
        if let Some(values) = resource.get("values") {
            content.found.extend(policy(source, kind, address, values, STATE));
        }
    }
    if depth < super::node::MAX_DEPTH {
        for below in module.get("child_modules").map(Node::items).unwrap_or_default() {
            values(source, below, content, depth + 1);
        }
    }
}

fn state_file(source: &Arc<SourceText>, root: &Node) -> Content {
    let mut content = Content::default();
    for resource in root.get("resources").map(Node::items).unwrap_or_default() {
        let kind = resource.get("type").and_then(Node::str).unwrap_or("");
        let name = resource.get("name").and_then(Node::str).unwrap_or("");
        for instance in resource.get("instances").map(Node::items).unwrap_or_default() {
            if let Some(values) = instance.get("attributes") {
                let address = format!("{kind}.{name}");
                content.found.extend(policy(source, kind, &address, values, STATE));
            }
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
