//! Who can become more than it is: a graph of policy combinations, identities, auth mounts and token roles, and what writing
//! each lets one become. An edge is one request; the shortest chain to a target is what the report shows.
//!
//! Only what a grant of today allows is an edge, decided by the engine, `sudo` included where the path asks for it. Holders
//! whose lists say the same about control paths are one node, so the graph grows with the number of different lists and of
//! identities, not with their product; chains to the great targets are found by one walk backwards from each.

use super::takeover::{Lever, Levers, Power, Step, TokenRole};
use crate::access::{Holder, HolderId, Joined, PolicyNumber, SetId, StanzaId};
use crate::deployment::Deployment;
use crate::policy::acl::{Acl, RuleId};
use crate::policy::model::Policy;
use crate::policy::template;
use crate::vault::{PolicyId, PrincipalKind};
use petgraph::Direction;
use petgraph::graph::{DiGraph, EdgeIndex, NodeIndex};
use petgraph::visit::EdgeRef;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

pub use super::takeover::Target;

/// At most so many other identities are told of one combination, the nearest first.
const MOST_IDENTITIES: usize = 20;
/// Of identities that lead no further so many are enough to choose those from.
const MOST_LEAVES: usize = 64;
/// At most so many nodes are walked to find them.
const MOST_WALKED: usize = 5_000;

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
    /// The stanzas that allow the first step.
    pub via: Vec<StanzaId>,
    /// Other single steps to the same end.
    pub also: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Node {
    Class(usize),
    Identity(usize),
    Mount(usize),
    TokenRole(usize),
    AnyEntity,
    Target(Target),
}

/// Holders whose policies are the same and whose lists say the same about control paths.
struct Class<'a> {
    /// The first of their sets; none for what a token role hands out.
    set: Option<SetId>,
    acl: &'a Acl,
    policies: Vec<PolicyNumber>,
    holders: Vec<HolderId>,
    name: String,
    key: ClassKey<'a>,
}

/// Policies, names without policy, and the rules that matter to control paths.
type ClassKey<'a> = (Vec<PolicyNumber>, &'a [PolicyId], Vec<(String, u16)>);

/// The shortest chains from every policy set in force: to everything, and to other identities.
#[must_use]
pub fn chains(joined: &Joined, deployment: Option<&Deployment>) -> Vec<Chain> {
    let levers = Levers::of(joined, deployment);
    let handed_out: Vec<(Vec<PolicyNumber>, Acl)> =
        levers.token_roles.iter().map(|role| handed_out(joined, role)).collect();
    let (classes, class_of_set) = classes(joined, &levers, &handed_out);
    let mut graph = Graph {
        joined,
        levers: &levers,
        classes: &classes,
        graph: DiGraph::new(),
        at: HashMap::new(),
        writable: HashMap::new(),
    };
    graph.build(&class_of_set);
    graph.chains()
}

/// The policies that a token role may hand out, and their list.
fn handed_out(joined: &Joined, role: &TokenRole) -> (Vec<PolicyNumber>, Acl) {
    let fits = |policy: &Policy| {
        *policy.namespace == *role.namespace
            && !policy.is_root()
            && role.policies.iter().any(|glob| match glob.split_once('*') {
                Some((start, end)) => policy.name.starts_with(start) && policy.name.ends_with(end),
                None => *policy.name == **glob,
            })
    };
    let fitting = joined.policies.numbered().filter(|(_, policy)| fits(policy));
    let found: Vec<PolicyNumber> = fitting.map(|(number, _)| number).collect();
    let acl = Acl::compile(
        joined.profile,
        &joined.policies.listed(&found),
        &template::Identity::default(),
        joined.now,
    );
    (found, acl)
}

fn power<'a>(
    joined: &'a Joined,
    levers: &'a Levers,
    policies: &[PolicyNumber],
    missing: &'a [PolicyId],
    acl: &'a Acl,
    holders: &[HolderId],
) -> Power<'a> {
    let holders: Vec<&Holder> = holders.iter().map(|&h| &*joined.holders[h]).collect();
    let read = policies
        .iter()
        .map(|&p| &joined.policies[p])
        .map(|p| (&*p.namespace, &*p.name));
    // Who writes a policy that it holds and that does not exist yet decides what it says.
    let own = read
        .chain(missing.iter().map(|policy| (&*policy.namespace, &*policy.name)))
        .collect();
    Power::new(acl, own, &holders, levers)
}

fn classes<'a>(
    joined: &'a Joined,
    levers: &'a Levers,
    handed_out: &'a [(Vec<PolicyNumber>, Acl)],
) -> (Vec<Class<'a>>, HashMap<SetId, usize>) {
    let mut classes: Vec<Class<'a>> = Vec::new();
    let mut by_key: HashMap<ClassKey<'a>, usize> = HashMap::new();
    let mut class_of_set = HashMap::new();
    for (id, set) in joined.sets.numbered().filter(|(_, s)| s.current) {
        let holders: Vec<HolderId> = set
            .holders
            .iter()
            .copied()
            .filter(|&h| joined.holders[h].current == id)
            .collect();
        let control = power(joined, levers, &set.policies, &set.missing, &set.acl, &holders).control_key();
        let key = (set.policies.clone(), set.missing.as_slice(), control);
        let n = *by_key.entry(key.clone()).or_insert_with(|| {
            classes.push(Class {
                set: Some(id),
                acl: &set.acl,
                policies: set.policies.clone(),
                holders: Vec::new(),
                name: holders
                    .first()
                    .map(|&h| joined.holders[h].display().to_owned())
                    .unwrap_or_default(),
                key,
            });
            classes.len() - 1
        });
        if let Some(class) = classes.get_mut(n) {
            class.holders.extend(holders);
        }
        class_of_set.insert(id, n);
    }
    for ((policies, acl), role) in handed_out.iter().zip(&levers.token_roles) {
        classes.push(Class {
            set: None,
            acl,
            policies: policies.clone(),
            holders: Vec::new(),
            name: format!("a token by role {}", role.name),
            key: ClassKey::default(),
        });
    }
    (classes, class_of_set)
}

/// What a class has been seen to reach.
#[derive(Default)]
struct Reached {
    identity_rules: bool,
    groups: bool,
    classes: HashSet<usize>,
    leaves: usize,
    others: HashSet<Lever>,
}

impl Reached {
    fn wants(&self, lever: Lever, class_of: &HashMap<usize, usize>, powerful: &HashSet<usize>) -> bool {
        match lever {
            Lever::Rule(_) => !self.identity_rules,
            Lever::Group => !self.groups,
            Lever::Credential(n) => class_of.get(&n).is_some_and(|class| {
                !self.classes.contains(class) && (self.leaves < MOST_LEAVES || powerful.contains(class))
            }),
            Lever::Mount(_) | Lever::TokenRole(_) | Lever::Policy(_) => !self.others.contains(&lever),
        }
    }

    fn note(&mut self, lever: Lever, class_of: &HashMap<usize, usize>, powerful: &HashSet<usize>) {
        match lever {
            Lever::Rule(_) => self.identity_rules = true,
            Lever::Group => self.groups = true,
            Lever::Credential(n) => {
                let class = class_of.get(&n);
                self.classes.extend(class);
                self.leaves += usize::from(class.is_some_and(|class| !powerful.contains(class)));
            }
            Lever::Mount(_) | Lever::TokenRole(_) | Lever::Policy(_) => {
                self.others.insert(lever);
            }
        }
    }
}

struct Graph<'a> {
    joined: &'a Joined,
    levers: &'a Levers,
    classes: &'a [Class<'a>],
    graph: DiGraph<Node, Step>,
    at: HashMap<Node, NodeIndex>,
    /// Policies that a class may write, with the path.
    writable: HashMap<usize, BTreeMap<PolicyNumber, String>>,
}

impl<'a> Graph<'a> {
    fn node(&mut self, node: Node) -> NodeIndex {
        let graph = &mut self.graph;
        *self
            .at
            .entry(node)
            .or_insert_with_key(|node| graph.add_node(node.clone()))
    }

    fn edge(&mut self, from: Node, to: Node, text: String, rule: Option<RuleId>) {
        let (from, to) = (self.node(from), self.node(to));
        self.graph.add_edge(from, to, Step { text, rule });
    }

    fn build(&mut self, class_of_set: &HashMap<SetId, usize>) {
        let class_of = self.class_of_identity(class_of_set);
        let classes = self.classes.iter().enumerate();
        let powerful: HashSet<usize> = classes
            .filter(|(_, class)| {
                power(
                    self.joined,
                    self.levers,
                    &class.policies,
                    class.key.1,
                    class.acl,
                    &class.holders,
                )
                .touches_control()
            })
            .map(|(c, _)| c)
            .collect();
        let first_role = self.classes.len() - self.levers.token_roles.len();
        for (c, class) in self.classes.iter().enumerate().filter(|(_, c)| !c.acl.is_root()) {
            self.class_edges(c, class, &class_of, &powerful);
        }
        for (n, identity) in self.levers.identities.iter().enumerate() {
            if let Some(&class) = class_of.get(&n) {
                self.edge(
                    Node::Identity(n),
                    Node::Class(class),
                    format!("log in as `{}`", identity.name),
                    None,
                );
            }
        }
        // Of a mount's identities one of each class is enough.
        let mut seen: HashSet<(usize, usize)> = HashSet::new();
        for (n, identity) in self.levers.identities.iter().enumerate() {
            let mount = Node::Mount(identity.mount);
            let class = class_of.get(&n).filter(|_| self.at.contains_key(&mount));
            if let Some(&class) = class.filter(|&&class| seen.insert((identity.mount, class))) {
                self.edge(
                    mount,
                    Node::Class(class),
                    format!("log in as `{}`", identity.name),
                    None,
                );
            }
        }
        for n in 0..self.levers.token_roles.len() {
            if self.at.contains_key(&Node::TokenRole(n)) {
                self.edge(
                    Node::TokenRole(n),
                    Node::Class(first_role + n),
                    "use the token".to_owned(),
                    None,
                );
            }
        }
        if self.at.contains_key(&Node::AnyEntity) {
            for (c, class) in self.classes.iter().enumerate() {
                let mut holders = class.holders.iter().map(|&h| &self.joined.holders[h]);
                if let Some(entity) = holders.find(|h| h.principal.kind == PrincipalKind::Entity) {
                    self.edge(
                        Node::AnyEntity,
                        Node::Class(c),
                        format!("act as `{}`", entity.display()),
                        None,
                    );
                }
            }
        }
    }

    /// The class of each identity's tokens, by the places that hand policies to holders, or by the holder that was seen.
    fn class_of_identity(&self, class_of_set: &HashMap<SetId, usize>) -> HashMap<usize, usize> {
        let mut by_key: HashMap<String, usize> = HashMap::new();
        for (h, holder) in self.joined.holders.numbered() {
            let Some(&class) = class_of_set.get(&self.joined.holders[h].current) else {
                continue;
            };
            for place in &holder.assigned {
                by_key.entry(place.id.clone()).or_insert(class);
            }
            let principal = &holder.principal;
            let seen = match principal.kind {
                PrincipalKind::Role => principal.id.to_string(),
                _ => format!("{}{}", principal.auth_mount, principal.name),
            };
            by_key.entry(seen).or_insert(class);
        }
        let identities = self.levers.identities.iter().enumerate();
        identities
            .filter_map(|(n, identity)| Some((n, *by_key.get(&identity.key)?)))
            .collect()
    }

    fn class_edges(
        &mut self,
        c: usize,
        class: &'a Class<'a>,
        class_of: &HashMap<usize, usize>,
        powerful: &HashSet<usize>,
    ) {
        let missing = &class.key.1;
        let power = power(
            self.joined,
            self.levers,
            &class.policies,
            missing,
            class.acl,
            &class.holders,
        );
        if !power.touches_control() {
            return;
        }
        let from = Node::Class(c);
        for (target, step) in power.direct() {
            self.edge(from.clone(), Node::Target(target), step.text, step.rule);
        }
        if let Some(step) = power.any_entity() {
            self.edge(from.clone(), Node::AnyEntity, step.text, step.rule);
        }
        // What is reached already needs no second way: one identity of a class, one policy, one group are as good as all.
        let mut reached = Reached {
            classes: HashSet::from([c]),
            ..Reached::default()
        };
        let levers = self.levers;
        levers.written_by(
            &power,
            &mut reached,
            |reached, lever| reached.wants(lever, class_of, powerful),
            |reached, path, lever, rule| {
                reached.note(lever, class_of, powerful);
                self.lever_edge(c, path, lever, rule);
            },
        );
    }

    fn lever_edge(&mut self, c: usize, path: &str, lever: Lever, rule: RuleId) {
        let (from, everything) = (Node::Class(c), Node::Target(Target::Everything));
        let levers = self.levers;
        let name = |n: usize| levers.identities.get(n).map_or("", |i| i.name.as_str());
        let (to, text) = match lever {
            Lever::Rule(n) => {
                let text = format!("write `{path}`: give `{}` any policy, then log in as it", name(n));
                (everything, text)
            }
            Lever::Group => {
                let text = format!("write `{path}`: give the group any policy, and put itself in it");
                (everything, text)
            }
            Lever::Credential(n) => {
                let text = format!("write `{path}`: get a credential of `{}`", name(n));
                (Node::Identity(n), text)
            }
            Lever::Mount(m) => {
                let text = format!("write `{path}`: let a server of its own vouch for every login there");
                (Node::Mount(m), text)
            }
            Lever::TokenRole(n) => {
                let Some(role) = levers.token_roles.get(n) else { return };
                let text = format!("write `{path}`: make a token with {}", role.policies.join(", "));
                let any = role.policies.iter().any(|p| p == "*");
                (if any { everything } else { Node::TokenRole(n) }, text)
            }
            Lever::Policy(p) => {
                let own = self.writable.entry(c).or_default();
                own.entry(p).or_insert_with(|| path.to_owned());
                return;
            }
        };
        self.edge(from, to, text, Some(rule));
    }

    fn chains(&self) -> Vec<Chain> {
        let mut chains: Vec<Chain> = Vec::new();
        let mut everything: HashSet<usize> = HashSet::new();
        for target in [Target::Everything, Target::Storage, Target::Listening, Target::Unseen] {
            let Some(&end) = self.at.get(&Node::Target(target.clone())) else {
                continue;
            };
            let next = self.backwards(end);
            for c in 0..self.classes.len() {
                // Who reaches everything reaches all else too.
                let Some(&start) = self.at.get(&Node::Class(c)).filter(|_| !everything.contains(&c)) else {
                    continue;
                };
                let mut edges = Vec::new();
                let mut here = start;
                while let Some((edge, after)) = next.get(&here).filter(|_| here != end) {
                    edges.push(*edge);
                    here = *after;
                }
                if here == end && !edges.is_empty() {
                    chains.extend(self.chain(c, target.clone(), start, &edges));
                    if target == Target::Everything {
                        everything.insert(c);
                    }
                }
            }
        }
        for c in (0..self.classes.len()).filter(|c| !everything.contains(c)) {
            self.others(c, &mut chains);
        }
        chains.sort_by(|a, b| (a.set, a.steps.len(), &a.target).cmp(&(b.set, b.steps.len(), &b.target)));
        chains
    }

    /// The next edge towards `end` from every node that reaches it, by a walk backwards.
    fn backwards(&self, end: NodeIndex) -> HashMap<NodeIndex, (EdgeIndex, NodeIndex)> {
        let mut next = HashMap::new();
        let mut queue = VecDeque::from([end]);
        while let Some(here) = queue.pop_front() {
            for edge in self.graph.edges_directed(here, Direction::Incoming) {
                if edge.source() != end && !next.contains_key(&edge.source()) {
                    next.insert(edge.source(), (edge.id(), here));
                    queue.push_back(edge.source());
                }
            }
        }
        // Of several edges side by side the first is the plainest.
        for (node, (edge, after)) in &mut next {
            let first = self.graph.edges_connecting(*node, *after).map(|e| e.id()).min();
            *edge = first.unwrap_or(*edge);
        }
        next
    }

    /// Other identities that hold what this class does not, and everything by way of a policy of theirs.
    fn others(&self, c: usize, chains: &mut Vec<Chain>) {
        let (Some(class), Some(&start)) = (self.classes.get(c), self.at.get(&Node::Class(c))) else {
            return;
        };
        if class.set.is_none() {
            return;
        }
        let own: BTreeSet<PolicyNumber> = class.policies.iter().copied().collect();
        let mut came: HashMap<NodeIndex, Option<(EdgeIndex, NodeIndex)>> = HashMap::from([(start, None)]);
        let mut queue = VecDeque::from([start]);
        let mut found = 0;
        while let Some(here) = queue.pop_front() {
            if let (Some(Node::Class(other)), true) = (self.graph.node_weight(here), here != start) {
                let Some(reached) = self.classes.get(*other) else {
                    continue;
                };
                let edges = trail(&came, here);
                let rewritten = self
                    .writable
                    .get(&c)
                    .and_then(|w| reached.policies.iter().find_map(|p| w.get(p)));
                if let Some(path) = rewritten {
                    if let Some(mut chain) = self.chain(c, Target::Everything, start, &edges) {
                        chain.nodes.push(Target::Everything.describe());
                        chain
                            .steps
                            .push(format!("write `{path}`: rewrite a policy that it now holds"));
                        chains.push(chain);
                    }
                    return;
                }
                if found < MOST_IDENTITIES && reached.policies.iter().any(|p| !own.contains(p)) {
                    found += 1;
                    chains.extend(self.chain(c, Target::Become(reached.name.clone()), start, &edges));
                }
            }
            if came.len() > MOST_WALKED {
                break;
            }
            for edge in self.graph.edges(here) {
                came.entry(edge.target()).or_insert_with(|| {
                    queue.push_back(edge.target());
                    Some((edge.id(), here))
                });
            }
        }
    }

    fn chain(&self, c: usize, target: Target, start: NodeIndex, edges: &[EdgeIndex]) -> Option<Chain> {
        let class = self.classes.get(c)?;
        let set = class.set?;
        let mut nodes = vec![self.name(start)];
        let mut steps = Vec::new();
        for &edge in edges {
            steps.push(self.graph.edge_weight(edge)?.text.clone());
            nodes.push(self.name(self.graph.edge_endpoints(edge)?.1));
        }
        let first = self.graph.edge_weight(*edges.first()?)?;
        let (from, to) = self.graph.edge_endpoints(*edges.first()?)?;
        let also = if edges.len() == 1 {
            let mut beside: Vec<_> = self
                .graph
                .edges_connecting(from, to)
                .filter(|e| Some(&e.id()) != edges.first())
                .collect();
            beside.sort_by_key(|e| e.id());
            beside.into_iter().map(|e| e.weight().text.clone()).collect()
        } else {
            Vec::new()
        };
        Some(Chain {
            set,
            holders: class.holders.clone(),
            target,
            nodes,
            steps,
            via: self.stanzas(set, first.rule),
            also,
        })
    }

    fn stanzas(&self, set: SetId, rule: Option<RuleId>) -> Vec<StanzaId> {
        let set = &self.joined.sets[set];
        rule.into_iter()
            .flat_map(|rule| set.sources(rule))
            .map(|(id, _)| id)
            .collect()
    }

    fn name(&self, at: NodeIndex) -> String {
        match self.graph.node_weight(at) {
            Some(Node::Target(target)) => target.describe(),
            Some(Node::Identity(n)) => self
                .levers
                .identities
                .get(*n)
                .map(|i| i.name.clone())
                .unwrap_or_default(),
            Some(Node::Class(n)) => self.classes.get(*n).map(|c| c.name.clone()).unwrap_or_default(),
            Some(Node::Mount(n)) => self.levers.mounts.get(*n).cloned().unwrap_or_default(),
            Some(Node::TokenRole(n)) => self
                .levers
                .token_roles
                .get(*n)
                .map(|r| r.name.clone())
                .unwrap_or_default(),
            Some(Node::AnyEntity) => "any entity".to_owned(),
            None => String::new(),
        }
    }
}

/// The edges from the start of a walk to `end`.
fn trail(came: &HashMap<NodeIndex, Option<(EdgeIndex, NodeIndex)>>, end: NodeIndex) -> Vec<EdgeIndex> {
    let mut edges = Vec::new();
    let mut here = end;
    while let Some(Some((edge, before))) = came.get(&here) {
        edges.push(*edge);
        here = *before;
    }
    edges.reverse();
    edges
}

#[cfg(test)]
mod tests;
