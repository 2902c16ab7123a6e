//! Who can become more than it is: a graph of policy sets, auth roles, entities, groups and policies, and what writing each
//! lets one become. An edge is one request; the shortest chain to a target is what the report shows.
//!
//! Only what a grant of today allows is an edge, decided by the engine, `sudo` included where the path asks for it.

use crate::access::{HolderId, Joined, SetId};
use crate::deployment::Deployment;
use crate::policy::acl::Acl;
use crate::vault::{Operation, protected};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// A chain of steps from what a set of principals is to what it can become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The policy set that starts it.
    pub set: SetId,
    /// Who has it.
    pub holders: Vec<HolderId>,
    /// What it ends in.
    pub target: Target,
    /// The nodes on the way, by name, both ends included.
    pub nodes: Vec<String>,
    /// What is done from each node to the next.
    pub steps: Vec<String>,
}

/// What a chain ends in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// Any policy, so everything.
    Everything,
    /// All data below the servers' barrier.
    Storage,
    /// Another identity: a policy set with a name for it.
    Become(String),
    /// The audit trail: what follows would not be seen.
    Unseen,
}

impl Target {
    /// In words.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Everything => "any policy, so everything".to_owned(),
            Self::Storage => "everything in storage".to_owned(),
            Self::Become(name) => format!("`{name}`"),
            Self::Unseen => "acting unseen: the audit devices".to_owned(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Node {
    Set(SetId),
    Identity(usize),
    Target(Target),
}

/// An identity that can be taken over: an auth role or user, and the set of policies that it gives.
struct Identity {
    name: String,
    /// Requests that change its policies.
    rule: Vec<String>,
    /// Requests that hand out its credential.
    credential: Vec<String>,
    set: Option<SetId>,
}

/// The shortest chains from every policy set in force: to everything, and to other identities.
#[must_use]
pub fn chains(joined: &Joined, deployment: Option<&Deployment>) -> Vec<Chain> {
    let identities = identities(joined, deployment);
    let mut graph: DiGraph<Node, String> = DiGraph::new();
    let mut at: HashMap<Node, NodeIndex> = HashMap::new();
    let mut node = |graph: &mut DiGraph<Node, String>, n: Node| *at.entry(n.clone()).or_insert_with(|| graph.add_node(n));
    let current: Vec<SetId> = {
        let mut sets: Vec<SetId> = joined.current.clone();
        sets.sort_unstable();
        sets.dedup();
        sets
    };
    for &id in &current {
        let Some(set) = joined.sets.get(id) else { continue };
        let from = node(&mut graph, Node::Set(id));
        let names: Vec<&str> = set.policies.iter().filter_map(|&p| joined.policies.get(p)).map(|p| &*p.name).collect();
        for (target, step) in direct(&set.acl, &names) {
            let to = node(&mut graph, Node::Target(target));
            graph.add_edge(from, to, step);
        }
        if !touches_identities(&set.acl) {
            continue;
        }
        for (n, identity) in identities.iter().enumerate() {
            if identity.set == Some(id) {
                continue;
            }
            if let Some(path) = identity.rule.iter().find(|p| writes(&set.acl, p)) {
                let to = node(&mut graph, Node::Target(Target::Everything));
                graph.add_edge(from, to, format!("write `{path}`: give `{}` any policy, then log in as it", identity.name));
            }
            if let Some(path) = identity.credential.iter().find(|p| writes(&set.acl, p)) {
                let to = node(&mut graph, Node::Identity(n));
                graph.add_edge(from, to, format!("write `{path}`: get a credential of `{}`", identity.name));
            }
        }
    }
    for (n, identity) in identities.iter().enumerate() {
        if let Some(set) = identity.set {
            let from = node(&mut graph, Node::Identity(n));
            let to = node(&mut graph, Node::Set(set));
            graph.add_edge(from, to, format!("log in as `{}`", identity.name));
        }
    }
    let mut chains = Vec::new();
    for &id in &current {
        let Some(set) = joined.sets.get(id) else { continue };
        let Some(&start) = at.get(&Node::Set(id)) else { continue };
        let holders: Vec<HolderId> = set
            .holders
            .iter()
            .copied()
            .filter(|&h| joined.current.get(h) == Some(&id))
            .collect();
        if !set.acl.is_root() {
            chains.extend(from(&graph, start, id, &holders, joined, &identities));
        }
    }
    chains
}

/// Breadth first from one set: the shortest chain to each target, and to each identity when nothing greater is reached.
fn from(
    graph: &DiGraph<Node, String>,
    start: NodeIndex,
    set: SetId,
    holders: &[HolderId],
    joined: &Joined,
    identities: &[Identity],
) -> Vec<Chain> {
    let mut came: HashMap<NodeIndex, Option<(NodeIndex, &str)>> = HashMap::from([(start, None)]);
    let mut queue = VecDeque::from([start]);
    let mut ends: Vec<(Target, NodeIndex)> = Vec::new();
    while let Some(here) = queue.pop_front() {
        match graph.node_weight(here) {
            Some(Node::Target(target)) => ends.push((target.clone(), here)),
            Some(Node::Identity(n)) => {
                let name = identities.get(*n).map(|i| i.name.clone()).unwrap_or_default();
                ends.push((Target::Become(name), here));
            }
            Some(Node::Set(_)) | None => {}
        }
        for edge in graph.edges(here) {
            if !came.contains_key(&edge.target()) {
                came.insert(edge.target(), Some((here, edge.weight())));
                queue.push_back(edge.target());
            }
        }
    }
    // Who reaches everything reaches every identity too: those chains would only be noise.
    let everything = ends.iter().any(|(t, _)| *t == Target::Everything);
    ends.retain(|(t, _)| !everything || !matches!(t, Target::Become(_)));
    ends.into_iter()
        .map(|(target, end)| {
            let mut nodes = vec![name(graph, end, joined, identities)];
            let mut steps = Vec::new();
            let mut here = end;
            while let Some(Some((before, step))) = came.get(&here) {
                steps.push((*step).to_owned());
                nodes.push(name(graph, *before, joined, identities));
                here = *before;
            }
            nodes.reverse();
            steps.reverse();
            Chain {
                set,
                holders: holders.to_vec(),
                target,
                nodes,
                steps,
            }
        })
        .collect()
}

fn name(graph: &DiGraph<Node, String>, at: NodeIndex, joined: &Joined, identities: &[Identity]) -> String {
    match graph.node_weight(at) {
        Some(Node::Target(target)) => target.describe(),
        Some(Node::Identity(n)) => identities.get(*n).map(|i| i.name.clone()).unwrap_or_default(),
        Some(Node::Set(set)) => joined
            .sets
            .get(*set)
            .and_then(|s| s.holders.first())
            .and_then(|&h| joined.holders.get(h))
            .map(|h| h.display().to_owned())
            .unwrap_or_default(),
        None => String::new(),
    }
}

/// Whether a write (create or update) of `path` is allowed, with `sudo` where the path is root-protected.
fn writes(acl: &Acl, path: &str) -> bool {
    let sudo = protected::needs_sudo(mount_type(path), path);
    [Operation::Update, Operation::Create].into_iter().any(|o| {
        let check = acl.check(o, path);
        check.allowed && (!sudo || check.sudo)
    })
}

fn mount_type(path: &str) -> &'static str {
    if path.starts_with("sys/") {
        "system"
    } else if path.starts_with("auth/token/") {
        "token"
    } else if path.starts_with("identity/") {
        "identity"
    } else {
        ""
    }
}

/// What a set reaches in one request, whoever else there is.
fn direct(acl: &Acl, own: &[&str]) -> Vec<(Target, String)> {
    let mut found = Vec::new();
    for policy in own {
        for path in [format!("sys/policies/acl/{policy}"), format!("sys/policy/{policy}")] {
            if writes(acl, &path) {
                found.push((Target::Everything, format!("write `{path}`: rewrite its own policy")));
            }
        }
    }
    let create = acl.check(Operation::Update, "auth/token/create");
    if create.allowed && create.sudo {
        found.push((
            Target::Everything,
            "write `auth/token/create` with sudo: a token with any policy, `root` too".to_owned(),
        ));
    }
    for path in ["auth/token/create-orphan"] {
        let check = acl.check(Operation::Update, path);
        if check.allowed && check.sudo {
            found.push((Target::Everything, format!("write `{path}` with sudo: an orphan token with any policy")));
        }
    }
    for path in ["identity/entity", "identity/group"] {
        if writes(acl, path) {
            found.push((Target::Everything, format!("write `{path}`: attach any policy to itself")));
        }
    }
    for path in ["sys/raw/core", "sys/storage/raft/snapshot"] {
        let check = acl.check(Operation::Read, path);
        let sudo = protected::needs_sudo("system", path);
        if check.allowed && (!sudo || check.sudo) {
            found.push((Target::Storage, format!("read `{path}`")));
        }
    }
    if writes(acl, "sys/auth/new") && writes(acl, "auth/new/role/new") {
        found.push((
            Target::Everything,
            "write `sys/auth/…`: mount an auth method whose roles have any policy".to_owned(),
        ));
    }
    let off = acl.check(Operation::Delete, "sys/audit/file");
    if off.allowed && off.sudo {
        found.push((Target::Unseen, "delete `sys/audit/…`: switch an audit device off".to_owned()));
    }
    found
}

/// Whether any rule of the list reaches below `auth/`, or everywhere: only then are identities worth asking for.
fn touches_identities(acl: &Acl) -> bool {
    acl.rules().iter().any(|rule| {
        let lead = crate::access::universe::lead(&rule.pattern);
        let own = lead.starts_with("auth/token/");
        !own && (lead.starts_with("auth/") || "auth/".starts_with(lead)) && !rule.pattern.text.is_empty()
            || rule.pattern.text.is_empty()
    })
}

/// Auth roles and users, from the deployment.
fn identities(joined: &Joined, deployment: Option<&Deployment>) -> Vec<Identity> {
    let mut set_of: BTreeMap<&str, SetId> = BTreeMap::new();
    for (h, holder) in joined.holders.iter().enumerate() {
        if let Some(&set) = joined.current.get(h) {
            for place in &holder.assigned {
                set_of.insert(place.id.as_str(), set);
            }
        }
    }
    deployment
        .into_iter()
        .flat_map(|d| &d.roles)
        .filter(|r| r.kind != "token")
        .map(|role| {
            let base = format!("{}{}", role.namespace, role.mount);
            let folder = match (role.kind.as_str(), role.item.as_str()) {
                ("userpass", _) => "users",
                ("ldap", "group") => "groups",
                ("ldap", _) => "users",
                ("cert", _) => "certs",
                _ => "role",
            };
            let rule = format!("{base}{folder}/{}", role.name);
            let credential = match role.kind.as_str() {
                "approle" => vec![format!("{rule}/secret-id")],
                "userpass" => vec![format!("{rule}/password")],
                _ => Vec::new(),
            };
            Identity {
                name: role.name.clone(),
                rule: vec![rule],
                credential,
                set: set_of.get(format!("{}{}", role.mount, role.name).as_str()).copied(),
            }
        })
        .collect()
}
