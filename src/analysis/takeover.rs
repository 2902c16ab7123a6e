//! What one request can make of who may send it: the paths of the servers that hand out policies, identities or the barrier,
//! and which of them a list of policies may write.

use crate::access::universe::lead;
use crate::access::{Holder, Joined, PolicyNumber};
use crate::deployment::{AuthRole, Deployment};
use crate::policy::acl::{Acl, Rule, RuleId};
use crate::vault::{Capability, Operation, PrincipalKind, protected};
use std::collections::BTreeSet;

/// Of the known paths under one rule at most so many are looked at.
const MOST_PATHS: usize = 20_000;
/// So many of the holders of a list are asked for by their own entity.
const MOST_ENTITIES: usize = 16;

/// What a chain ends in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// Any policy, so everything.
    Everything,
    /// All data below the servers' barrier.
    Storage,
    /// All that passes, in clear: an audit device of one's own.
    Listening,
    /// The audit trail: what follows would not be seen.
    Unseen,
    /// Another identity: a policy set with a name for it.
    Become(String),
}

impl Target {
    /// What one principal, or several, can do at the end.
    #[must_use]
    pub fn can(&self, several: bool) -> String {
        match self {
            Self::Become(name) => format!("can become `{name}`"),
            Self::Everything if several => "can give themselves any policy".to_owned(),
            Self::Everything => "can give itself any policy".to_owned(),
            Self::Storage => "can read all of the storage".to_owned(),
            Self::Listening => "can listen to all that passes".to_owned(),
            Self::Unseen => "can switch the audit trail off".to_owned(),
        }
    }

    /// In words.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Everything => "any policy".to_owned(),
            Self::Storage => "everything in storage".to_owned(),
            Self::Listening => "every request: an audit device of its own".to_owned(),
            Self::Unseen => "acting unseen: the audit devices".to_owned(),
            Self::Become(name) => format!("`{name}`"),
        }
    }
}

/// One request, in words, and the rule that allows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub text: String,
    /// What allows it.
    pub rule: Option<RuleId>,
}

/// What writing a known path does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lever {
    /// Changes what an identity's tokens get.
    Rule(usize),
    /// Changes a group's members and policies.
    Group,
    /// Hands out a credential of an identity.
    Credential(usize),
    /// Lets any login server vouch for the identities of a mount.
    Mount(usize),
    /// Makes a token by a token role.
    TokenRole(usize),
    /// Changes a policy.
    Policy(PolicyNumber),
}

/// An identity that can be taken over: an auth role or a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// Mount and name, as [`crate::access::holder::AssignedBy`] and principals spell it.
    pub key: String,
    /// Its mount in [`Levers::mounts`].
    pub mount: usize,
}

/// A token role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRole {
    /// Namespace and name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Policies that it may hand out, as globs.
    pub policies: Vec<String>,
}

/// Every known path whose writing makes more of somebody, in order.
#[derive(Debug, Clone, Default)]
pub struct Levers {
    /// Identities.
    pub identities: Vec<Identity>,
    /// Auth mounts, namespace in front.
    pub mounts: Vec<String>,
    /// Token roles.
    pub token_roles: Vec<TokenRole>,
    /// Namespaces known, root not among them.
    pub namespaces: BTreeSet<String>,
    paths: Vec<(String, Lever)>,
}

impl Levers {
    /// From the deployment, and from the names that the logs show.
    #[must_use]
    pub fn of(joined: &Joined, deployment: Option<&Deployment>) -> Self {
        let mut all = Self::default();
        let mut known: BTreeSet<String> = BTreeSet::new();
        for role in deployment.into_iter().flat_map(|d| &d.roles) {
            if role.kind == "token" {
                all.token_role(role);
            } else if known.insert(format!("{}{}{}", role.namespace, role.mount, role.name)) {
                all.identity(&role.namespace, &role.mount, &role.kind, &role.item, &role.name);
            }
        }
        for holder in &joined.holders {
            let (mount, name) = (&*holder.principal.auth_mount, seen_name(holder));
            let at = format!("{}{mount}{name}", holder.namespace);
            let told = mount.starts_with("auth/") && mount != "auth/token/" && !name.is_empty();
            if told && holder.principal.kind != PrincipalKind::Unauthenticated && known.insert(at) {
                all.identity(&holder.namespace, mount, kind_of_mount(mount), "", name);
            }
        }
        for group in deployment.into_iter().flat_map(|d| &d.groups) {
            for (by, word) in [("id", &group.id), ("name", &group.name)] {
                if !word.is_empty() {
                    let path = format!("{}identity/group/{by}/{word}", group.namespace);
                    all.paths.push((path, Lever::Group));
                }
            }
        }
        for (p, policy) in joined.policies.numbered() {
            for folder in ["sys/policies/acl/", "sys/policy/"] {
                let path = format!("{}{folder}{}", policy.namespace, policy.name);
                all.paths.push((path, Lever::Policy(p)));
            }
            if !policy.namespace.is_empty() {
                all.namespaces.insert(policy.namespace.to_string());
            }
        }
        all.namespaces
            .extend(deployment.into_iter().flat_map(|d| d.namespaces.iter().cloned()));
        all.paths.sort_unstable();
        all.paths.dedup();
        all
    }

    fn identity(&mut self, namespace: &str, mount: &str, kind: &str, item: &str, name: &str) {
        let base = format!("{namespace}{mount}");
        let m = self.mounts.iter().rposition(|m| *m == base).unwrap_or_else(|| {
            self.mounts.push(base.clone());
            self.mounts.len() - 1
        });
        let n = self.identities.len();
        let (folder, rules, credentials): (&str, &[&str], &[&str]) = match (kind, item) {
            ("approle", _) => (
                "role",
                &["", "/policies", "/token-policies"],
                &["/secret-id", "/custom-secret-id"],
            ),
            ("userpass", _) => ("users", &["", "/policies"], &["/password"]),
            ("github", "group") => ("map/teams", &[""], &[]),
            ("github", _) => ("map/users", &[""], &[]),
            ("ldap" | "okta" | "kerberos" | "radius", "group") => ("groups", &[""], &[]),
            ("ldap" | "okta" | "radius", _) => ("users", &[""], &[]),
            ("cert", _) => ("certs", &[""], &[]),
            _ => ("role", &[""], &[]),
        };
        let own = format!("{base}{folder}/{name}");
        self.paths
            .extend(rules.iter().map(|end| (format!("{own}{end}"), Lever::Rule(n))));
        self.paths.extend(
            credentials
                .iter()
                .map(|end| (format!("{own}{end}"), Lever::Credential(n))),
        );
        if ["jwt", "oidc", "kubernetes", "ldap", "okta", "radius", "github"].contains(&kind) {
            self.paths.push((format!("{base}config"), Lever::Mount(m)));
        }
        self.identities.push(Identity {
            name: name.to_owned(),
            key: format!("{mount}{name}"),
            mount: m,
        });
    }

    fn token_role(&mut self, role: &AuthRole) {
        let n = self.token_roles.len();
        let path = format!("{}auth/token/create/{}", role.namespace, role.name);
        self.paths.push((path, Lever::TokenRole(n)));
        self.token_roles.push(TokenRole {
            name: role.name.clone(),
            namespace: role.namespace.clone(),
            policies: role.allowed_policies.clone(),
        });
    }

    /// Tells `found` of the known paths that the list may write. Only those that are `wanted` at that moment are asked for.
    pub fn written_by<S>(
        &self,
        power: &Power<'_>,
        state: &mut S,
        wanted: impl Fn(&S, Lever) -> bool,
        mut found: impl FnMut(&mut S, &str, Lever, RuleId),
    ) {
        for rule in power.acl.rules().iter().filter(|r| may_write(r)) {
            let text = lead(&rule.pattern);
            let from = self.paths.partition_point(|(path, _)| path.as_str() < text);
            let under = self.paths.iter().skip(from).take_while(|(path, _)| {
                if rule.pattern.is_exact() {
                    path == text
                } else {
                    path.starts_with(text)
                }
            });
            for (path, lever) in under.take(MOST_PATHS) {
                if !wanted(state, *lever) {
                    continue;
                }
                let namespace = self.namespace_of(path);
                let relative = path.strip_prefix(namespace).unwrap_or(path);
                if let Some(rule) = writes(power.acl, namespace, relative) {
                    found(state, path, *lever, rule);
                }
            }
        }
    }

    /// The longest known namespace that a path lies in.
    fn namespace_of<'p>(&self, path: &'p str) -> &'p str {
        let starts = path.match_indices('/').filter_map(|(at, _)| path.get(..=at));
        let known = starts.filter(|start| self.namespaces.contains(*start));
        known.max_by_key(|start| start.len()).unwrap_or("")
    }
}

/// The name under which an auth method knows a holder that the logs show.
fn seen_name(holder: &Holder) -> &str {
    match holder.principal.kind {
        PrincipalKind::Role => holder
            .principal
            .id
            .strip_prefix(&*holder.principal.auth_mount)
            .unwrap_or(&holder.principal.name),
        PrincipalKind::Entity => &holder.principal.name,
        _ => "",
    }
}

/// The type of an auth mount, guessed by its name; `""` where the name tells nothing.
fn kind_of_mount(mount: &str) -> &'static str {
    const KINDS: [&str; 12] = [
        "approle",
        "userpass",
        "kubernetes",
        "jwt",
        "oidc",
        "ldap",
        "github",
        "cert",
        "aws",
        "gcp",
        "azure",
        "okta",
    ];
    let name = mount.strip_prefix("auth/").unwrap_or(mount);
    KINDS.into_iter().find(|kind| name.starts_with(kind)).unwrap_or("")
}

/// A list of policies, and whose it is.
pub struct Power<'a> {
    /// The list.
    pub acl: &'a Acl,
    /// Names of its policies, those that were not read too, each with its namespace.
    pub own: Vec<(&'a str, &'a str)>,
    /// Its holders' entity ids and names.
    pub entities: Vec<(&'a str, &'a str)>,
    /// Namespaces in which it may do something.
    pub namespaces: Vec<&'a str>,
}

impl<'a> Power<'a> {
    /// Of a list with these policies and holders.
    #[must_use]
    pub fn new(acl: &'a Acl, own: Vec<(&'a str, &'a str)>, holders: &[&'a Holder], levers: &'a Levers) -> Self {
        let mut namespaces: BTreeSet<&str> = BTreeSet::from([""]);
        namespaces.extend(own.iter().map(|(namespace, _)| *namespace));
        if !levers.namespaces.is_empty() {
            for rule in acl.rules() {
                let text = lead(&rule.pattern);
                let starts = text.match_indices('/').filter_map(|(at, _)| text.get(..=at));
                namespaces.extend(starts.filter(|s| levers.namespaces.contains(*s)));
            }
        }
        let mut own = own;
        // To rewrite `default` works too, but is seen by everybody.
        own.sort_by_key(|(_, name)| *name == "default");
        let entities = holders
            .iter()
            .filter_map(|h| h.identity.entity.as_ref())
            .take(MOST_ENTITIES)
            .map(|e| (e.id.as_str(), e.name.as_str()))
            .collect();
        Self {
            acl,
            own,
            entities,
            namespaces: namespaces.into_iter().collect(),
        }
    }

    /// Whether any rule may write below `sys/`, `auth/` or `identity/`: else nothing here comes of it.
    #[must_use]
    pub fn touches_control(&self) -> bool {
        self.acl
            .rules()
            .iter()
            .any(|r| self.is_control(r) && may_write(r) || reads_raw(r))
    }

    /// The rules that matter to control paths, in a form that tells lists apart: two lists with the same control rules do the
    /// same there. An exact path that only takes away is left out, as it touches one object only.
    #[must_use]
    pub fn control_key(&self) -> Vec<(String, u16)> {
        self.acl
            .rules()
            .iter()
            .filter(|r| self.is_control(r) && (may_write(r) || !r.pattern.is_exact()))
            .map(|r| (r.pattern.to_string(), r.capabilities.bits()))
            .collect()
    }

    fn is_control(&self, rule: &Rule) -> bool {
        let text = lead(&rule.pattern);
        self.namespaces.iter().any(|ns| {
            let below = text.strip_prefix(ns);
            let in_one = |own: &str| {
                ["sys/", "auth/", "identity/"]
                    .iter()
                    .any(|c| own.starts_with(c) || c.starts_with(own))
            };
            below.is_some_and(in_one) || ns.starts_with(text)
        })
    }

    /// What is reached in one request, whoever else there is.
    #[must_use]
    pub fn direct(&self) -> Vec<(Target, Step)> {
        let mut found = self.by_own_policies();
        for &ns in &self.namespaces {
            found.extend(self.by_tokens(ns));
            found.extend(self.by_identity(ns));
            found.extend(self.by_roles(ns));
        }
        found.extend(self.by_server());
        found
    }

    fn by_own_policies(&self) -> Vec<(Target, Step)> {
        let one = |namespace: &str, policy: &str| {
            ["sys/policies/acl/", "sys/policy/"].iter().find_map(|folder| {
                let path = format!("{folder}{policy}");
                let rule = writes(self.acl, namespace, &path)?;
                Some(everything(
                    rule,
                    format!("write `{namespace}{path}`: rewrite its own policy"),
                ))
            })
        };
        self.own
            .iter()
            .filter_map(|(namespace, policy)| one(namespace, policy))
            .collect()
    }

    fn by_tokens(&self, ns: &str) -> impl Iterator<Item = (Target, Step)> {
        let made = [
            ("auth/token/create", "a token with any policy, `root` too"),
            ("auth/token/create-orphan", "an orphan token with any policy"),
        ];
        made.into_iter().filter_map(move |(path, what)| {
            let rule = with_sudo(self.acl, Operation::Update, ns, path)?;
            Some(everything(rule, format!("write `{ns}{path}` with sudo: {what}")))
        })
    }

    fn by_identity(&self, ns: &str) -> impl Iterator<Item = (Target, Step)> {
        const GROUP: &str = "make a group with any policy and itself in it";
        let any = [
            (
                "identity/entity",
                "identity/entity",
                "attach any policy to its own entity",
            ),
            ("identity/group", "identity/group", GROUP),
            ("identity/group/name/new", "identity/group/name/…", GROUP),
        ];
        let any = any.into_iter().filter_map(move |(path, shown, what)| {
            let rule = writes(self.acl, ns, path)?;
            Some(everything(rule, format!("write `{ns}{shown}`: {what}")))
        });
        let entities = self.entities.iter();
        let words = entities.flat_map(|&(id, name)| [("id", id), ("name", name)]);
        let words = words.filter(|(_, word)| !word.is_empty());
        let own = words.filter_map(move |(by, word)| {
            let path = format!("identity/entity/{by}/{word}");
            let rule = writes(self.acl, ns, &path)?;
            Some(everything(
                rule,
                format!("write `{ns}{path}`: attach any policy to itself"),
            ))
        });
        any.chain(own)
    }

    fn by_roles(&self, ns: &str) -> impl Iterator<Item = (Target, Step)> {
        let ways = [
            (
                "auth/token/roles/new",
                "auth/token/create/new",
                "auth/token/roles/…`: a token role for any policy, then a token by it",
            ),
            (
                "sys/auth/new",
                "auth/new/role/new",
                "sys/auth/…`: mount an auth method whose roles have any policy",
            ),
        ];
        ways.into_iter().filter_map(move |(makes, then, what)| {
            let rule = writes(self.acl, ns, makes)?;
            writes(self.acl, ns, then)?;
            Some(everything(rule, format!("write `{ns}{what}")))
        })
    }

    /// By the server itself, which only the root namespace has.
    fn by_server(&self) -> impl Iterator<Item = (Target, Step)> {
        let (acl, sudo) = (self.acl, |operation, path| with_sudo(self.acl, operation, "", path));
        let ways = [
            (
                Target::Everything,
                writes(acl, "", "sys/plugins/catalog/secret/new"),
                "write `sys/plugins/catalog/…`: register a program that the server runs",
            ),
            (
                Target::Everything,
                writes(acl, "", "sys/raw/core"),
                "write `sys/raw/…`: change the storage itself",
            ),
            (
                Target::Storage,
                sudo(Operation::Read, "sys/raw/core"),
                "read `sys/raw/…`: all that is stored, decrypted",
            ),
            (
                Target::Listening,
                writes(acl, "", "sys/audit/new"),
                "write `sys/audit/…`: an audit device that writes every secret in clear",
            ),
            (
                Target::Unseen,
                sudo(Operation::Delete, "sys/audit/file"),
                "delete `sys/audit/…`: switch an audit device off",
            ),
        ];
        ways.into_iter().filter_map(|(target, rule, text)| {
            let step = Step {
                text: text.to_owned(),
                rule: Some(rule?),
            };
            Some((target, step))
        })
    }

    /// The request that makes it any other entity.
    #[must_use]
    pub fn any_entity(&self) -> Option<Step> {
        self.namespaces.iter().find_map(|ns| {
            [
                ("identity/entity-alias", "attach its own alias to another entity"),
                ("identity/entity/merge", "merge another entity into its own"),
            ]
            .into_iter()
            .find_map(|(path, what)| {
                let rule = writes(self.acl, ns, path)?;
                Some(Step {
                    text: format!("write `{ns}{path}`: {what}"),
                    rule: Some(rule),
                })
            })
        })
    }
}

fn may_write(rule: &Rule) -> bool {
    [Capability::Create, Capability::Update, Capability::Delete]
        .iter()
        .any(|c| rule.capabilities.contains(*c))
}

fn reads_raw(rule: &Rule) -> bool {
    rule.capabilities.contains(Capability::Sudo) && rule.pattern.matches("sys/raw/core")
}

fn everything(rule: RuleId, text: String) -> (Target, Step) {
    (Target::Everything, Step { text, rule: Some(rule) })
}

/// The rule that allows to write (create or update) a path of a namespace, `sudo` included where it is asked for.
#[must_use]
pub fn writes(acl: &Acl, namespace: &str, path: &str) -> Option<RuleId> {
    let sudo = protected::needs_sudo(mount_type(path), path);
    let full = format!("{namespace}{path}");
    [Operation::Update, Operation::Create]
        .into_iter()
        .find_map(|operation| {
            let check = acl.check(operation, &full);
            check.rule.filter(|_| check.allowed && (!sudo || check.sudo))
        })
}

fn with_sudo(acl: &Acl, operation: Operation, namespace: &str, path: &str) -> Option<RuleId> {
    let check = acl.check(operation, &format!("{namespace}{path}"));
    check.rule.filter(|_| check.allowed && check.sudo)
}

fn mount_type(path: &str) -> &'static str {
    [("sys/", "system"), ("auth/token/", "token"), ("identity/", "identity")]
        .into_iter()
        .find(|(start, _)| path.starts_with(start))
        .map_or("", |(_, kind)| kind)
}
