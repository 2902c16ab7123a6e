//! Takes a snapshot of a live server: asks for all that says who may do what, takes what the token may read, and names
//! what is missing. No secret value is ever asked for.

use super::live::{Answer, Client, LiveError};
use super::model::{Deployment, Group, Mount};
use super::parse;
use super::required::{self, Items};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// Folders inside folders of names are followed this far.
const MAX_DEPTH: usize = 64;
/// Folders of one list that are asked, before it is taken for one without an end.
const MAX_FOLDERS: usize = 100_000;
/// Namespaces that are followed, and how deep.
const MAX_NAMESPACES: usize = 10_000;
const MAX_NAMESPACE_DEPTH: usize = 32;
/// A namespace that lists the same as the two above it lists itself.
const MOST_ALIKE: usize = 3;

/// What to take, and how gently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wishes {
    /// Whether to list the names of secrets under KV mounts.
    pub list_secrets: bool,
    /// No more than this many names under one mount.
    pub max_secrets: usize,
    /// Requests under way at once.
    pub concurrency: usize,
}

/// What a server was found to have.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// All but the policies.
    pub deployment: Deployment,
    /// ACL policies, by namespace and name.
    pub policies: Vec<PolicyText>,
    /// What could not be read.
    pub missing: Vec<Missing>,
    /// The server's version, where it says it.
    pub version: Option<String>,
    /// `openbao` or `vault`, where it can be told.
    pub product: Option<String>,
    /// Whether names of secrets were asked for.
    pub secrets_listed: bool,
}

/// A policy as the server has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyText {
    /// Namespace, `""` or `a/`.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// The text, byte for byte.
    pub text: String,
    /// OpenBao's `allow_slashes_in_identity_templates`.
    pub slashes: bool,
    /// OpenBao's `allow_wildcards_in_identity_templates`.
    pub wildcards: bool,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Missing {
    /// Namespace, `""` or `a/`.
    pub namespace: String,
    /// The path, `+` for each of many names.
    pub path: String,
    /// The capability that it takes: `read` or `list`.
    pub capability: String,
    /// Why: `denied`, or the server's words.
    pub reason: String,
    /// How many times.
    pub count: u64,
}

/// How far a snapshot has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Namespace, `""` or `a/`.
    pub namespace: &'a str,
    /// The path being read.
    pub path: &'a str,
    /// Answers so far.
    pub done: usize,
    /// Questions in all.
    pub total: usize,
}

/// Takes a snapshot of what `client` can see, from the namespace `base` downwards.
///
/// # Errors
/// When the server can't be reached, keeps failing, or lets the token read nothing at all. What is merely denied is not
/// an error: it is named in [`Snapshot::missing`].
pub fn take(
    client: &Client,
    base: &str,
    wishes: &Wishes,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Snapshot, LiveError> {
    let mut reader = Reader {
        client,
        workers: wishes.concurrency.clamp(1, 256),
        missing: BTreeMap::new(),
        found: false,
        progress,
    };
    let about = client.about()?;
    let mut snapshot = Snapshot {
        version: about.version,
        secrets_listed: wishes.list_secrets,
        ..Snapshot::default()
    };
    snapshot.deployment.as_of = about.time;
    snapshot.deployment.lists_entities = true;
    let namespaces = reader.namespaces(base)?;
    for namespace in &namespaces {
        reader.namespace(namespace, wishes, &mut snapshot)?;
    }
    if !reader.found {
        return Err(LiveError::NothingReadable);
    }
    snapshot.deployment.namespaces = namespaces.into_iter().filter(|n| !n.is_empty()).collect();
    snapshot.missing = reader
        .missing
        .into_iter()
        .map(|((namespace, path, capability, reason), count)| Missing {
            namespace,
            path,
            capability: capability.to_owned(),
            reason,
            count,
        })
        .collect();
    snapshot.deployment = snapshot.deployment.without_secrets();
    sort(&mut snapshot);
    Ok(snapshot)
}

/// One order for everything, so that an unchanged server gives an identical folder but for the time.
fn sort(snapshot: &mut Snapshot) {
    let d = &mut snapshot.deployment;
    let by_path = |a: &Mount, b: &Mount| (&a.namespace, &a.path).cmp(&(&b.namespace, &b.path));
    d.mounts.sort_by(by_path);
    d.auth_mounts.sort_by(by_path);
    d.roles
        .sort_by(|a, b| (&a.namespace, &a.mount, &a.item, &a.name).cmp(&(&b.namespace, &b.mount, &b.item, &b.name)));
    d.entities
        .sort_by(|a, b| (&a.namespace, &a.name, &a.id).cmp(&(&b.namespace, &b.name, &b.id)));
    let group = |g: &Group| (g.namespace.clone(), g.name.clone(), g.id.clone());
    d.groups.sort_by_cached_key(group);
    d.secrets.sort();
    d.secrets.dedup();
    d.namespaces.sort();
    snapshot
        .policies
        .sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
}

/// Whether a namespace can be called so: the name goes into a header and into paths.
fn is_namespace(name: &str) -> bool {
    let plain = |c: char| !c.is_control() && !c.is_whitespace();
    !name.is_empty() && name.chars().all(plain) && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// What is missing, counted: namespace, path, capability, reason.
type MissingKey = (String, String, &'static str, String);

struct Reader<'a> {
    client: &'a Client,
    workers: usize,
    missing: BTreeMap<MissingKey, u64>,
    /// Whether anything at all could be read.
    found: bool,
    progress: &'a mut dyn FnMut(Progress<'_>),
}

impl Reader<'_> {
    /// `base` and all namespaces below it. Servers without namespaces do not know the path.
    fn namespaces(&mut self, base: &str) -> Result<Vec<String>, LiveError> {
        let mut all = vec![base.to_owned()];
        // How deep each is, and for how many levels the same names came.
        let mut levels: Vec<(usize, usize, Arc<[String]>)> = vec![(0, 0, Arc::default())];
        let mut next = 0;
        while let (Some(namespace), Some((depth, alike, above))) = (all.get(next).cloned(), levels.get(next).cloned()) {
            next += 1;
            let answer = self.client.list(&namespace, required::NAMESPACES)?;
            match answer {
                Answer::Found(data) => {
                    let (names, odd): (Vec<String>, Vec<String>) = parse::keys(&data)
                        .into_iter()
                        .map(|name| name.trim_matches('/').to_owned())
                        .partition(|name| is_namespace(name));
                    if !odd.is_empty() {
                        self.miss(
                            &namespace,
                            required::NAMESPACES,
                            "list",
                            "names that no namespace can have",
                        );
                    }
                    let alike = if !names.is_empty() && *names == *above {
                        alike + 1
                    } else {
                        1
                    };
                    let too_many = all.len() + names.len() > MAX_NAMESPACES;
                    if alike >= MOST_ALIKE || depth >= MAX_NAMESPACE_DEPTH || too_many {
                        if !names.is_empty() {
                            let reason = if alike >= MOST_ALIKE {
                                "stopped: it lists itself"
                            } else {
                                "stopped: too many namespaces"
                            };
                            self.miss(&namespace, required::NAMESPACES, "list", reason);
                        }
                        continue;
                    }
                    let names: Arc<[String]> = names.into();
                    for name in names.iter() {
                        all.push(format!("{namespace}{name}/"));
                        levels.push((depth + 1, alike, Arc::clone(&names)));
                    }
                }
                Answer::Denied => self.miss(&namespace, required::NAMESPACES, "list", "denied"),
                Answer::Absent | Answer::Refused(_) => {}
            }
        }
        Ok(all)
    }

    fn namespace(&mut self, namespace: &str, wishes: &Wishes, snapshot: &mut Snapshot) -> Result<(), LiveError> {
        let mounts = self.mounts(namespace, required::MOUNTS)?;
        let auth_mounts = self.mounts(namespace, required::AUTH_MOUNTS)?;
        for (_, value) in mounts.iter().chain(&auth_mounts) {
            if snapshot.product.is_none() {
                snapshot.product = parse::product(value).map(str::to_owned);
            }
        }
        let mounts = parse::mounts(namespace, "", &mounts);
        let auth_mounts = parse::mounts(namespace, "auth/", &auth_mounts);
        self.policies(namespace, snapshot)?;
        for mount in &auth_mounts {
            let mut known = false;
            for items in required::items_of(&mount.kind) {
                known = true;
                self.roles(mount, items, &mut snapshot.deployment)?;
            }
            for config in required::configs_of(&mount.kind) {
                self.config(mount, config, &mut snapshot.deployment)?;
            }
            if !known {
                let reason = format!("the auth method `{}` is not known", mount.kind);
                self.miss(namespace, &mount.path, "list", &reason);
            }
        }
        for (id, value) in self.all(namespace, required::ENTITIES, required::ENTITIES)? {
            snapshot.deployment.entities.push(parse::entity(namespace, &id, &value));
        }
        for (id, value) in self.all(namespace, required::GROUPS, required::GROUPS)? {
            snapshot.deployment.groups.push(parse::group(namespace, &id, &value));
        }
        if wishes.list_secrets {
            for mount in mounts.iter().filter(|m| m.kv_version.is_some()) {
                self.secrets(mount, wishes.max_secrets, &mut snapshot.deployment.secrets)?;
            }
        }
        snapshot.deployment.mounts.extend(mounts);
        snapshot.deployment.auth_mounts.extend(auth_mounts);
        Ok(())
    }

    /// A table of mounts. Without the permission, what the server shows of them to anybody who can use them.
    fn mounts(&mut self, namespace: &str, path: &str) -> Result<Vec<(String, Value)>, LiveError> {
        let table = match self.client.read(namespace, path)? {
            Answer::Found(table) => {
                self.found = true;
                table
            }
            other => {
                self.note(namespace, path, "read", other);
                let part = if path == required::AUTH_MOUNTS {
                    "auth"
                } else {
                    "secret"
                };
                match self.client.read(namespace, "sys/internal/ui/mounts")? {
                    Answer::Found(mut both) => both.get_mut(part).map(Value::take).unwrap_or_default(),
                    _ => Value::Null,
                }
            }
        };
        let Value::Object(table) = table else {
            return Ok(Vec::new());
        };
        Ok(table.into_iter().filter(|(_, v)| v.is_object()).collect())
    }

    fn policies(&mut self, namespace: &str, snapshot: &mut Snapshot) -> Result<(), LiveError> {
        let mut names = self.names(namespace, required::POLICIES)?;
        let mut missed = self.missing.keys();
        let is_whole = !missed.any(|(of, path, ..)| of == namespace && path.starts_with(required::POLICIES));
        if is_whole && !names.is_empty() {
            let all = names.iter().cloned().collect();
            snapshot.deployment.policies.insert(namespace.to_owned(), all);
        }
        // `root` has no text: it allows all, whatever it says.
        names.retain(|name| name != "root");
        for (name, value) in self.values(namespace, required::POLICIES, names)? {
            if let Some(text) = value.get("policy").and_then(Value::as_str) {
                let switch = |key: &str| value.get(key).and_then(Value::as_bool) == Some(true);
                snapshot.policies.push(PolicyText {
                    namespace: namespace.to_owned(),
                    name,
                    text: text.to_owned(),
                    slashes: switch("allow_slashes_in_identity_templates"),
                    wildcards: switch("allow_wildcards_in_identity_templates"),
                });
            }
        }
        Ok(())
    }

    fn roles(&mut self, mount: &Mount, items: &Items, deployment: &mut Deployment) -> Result<(), LiveError> {
        let list = format!("{}{}", mount.path, items.list);
        let read = format!("{}{}", mount.path, items.read);
        for (name, value) in self.all(&mount.namespace, &list, &read)? {
            deployment.roles.push(parse::role(mount, items.item, &name, &value));
        }
        Ok(())
    }

    /// What the settings of a method give to each login.
    fn config(&mut self, mount: &Mount, config: &str, deployment: &mut Deployment) -> Result<(), LiveError> {
        let path = format!("{}{config}", mount.path);
        match self.client.read(&mount.namespace, &path)? {
            Answer::Found(value) => {
                let role = parse::role(mount, "config", config, &value);
                if !role.policies.is_empty() {
                    deployment.roles.push(role);
                }
            }
            // Nothing was set yet: then nobody can log in.
            Answer::Absent => {}
            other => self.note(&mount.namespace, &path, "read", other),
        }
        Ok(())
    }

    /// Everything that `list` lists, each read below `read`, in the order of the names.
    fn all(&mut self, namespace: &str, list: &str, read: &str) -> Result<Vec<(String, Value)>, LiveError> {
        let names = self.names(namespace, list)?;
        self.values(namespace, read, names)
    }

    /// Each of `names` read below `read`, in their order.
    fn values(&mut self, namespace: &str, read: &str, names: Vec<String>) -> Result<Vec<(String, Value)>, LiveError> {
        let client = self.client;
        let answers = self.each(namespace, read, &names, |name| {
            client.read(namespace, &format!("{read}/{name}"))
        })?;
        let mut values = Vec::with_capacity(names.len());
        for (name, answer) in names.into_iter().zip(answers) {
            match answer {
                Answer::Found(value) => values.push((name, value)),
                // Gone between the list and now.
                Answer::Absent => {}
                other => self.note(namespace, &format!("{read}/+"), "read", other),
            }
        }
        Ok(values)
    }

    /// The names below `list`, folders inside it followed.
    fn names(&mut self, namespace: &str, list: &str) -> Result<Vec<String>, LiveError> {
        let mut names = Vec::new();
        let mut folders = vec![String::new()];
        let mut asked = 0;
        for depth in 0.. {
            asked += folders.len();
            if depth >= MAX_DEPTH || asked > MAX_FOLDERS {
                self.miss(namespace, list, "list", "stopped: too many folders");
                break;
            }
            let mut deeper = Vec::new();
            for folder in &folders {
                let path = format!("{list}/{folder}");
                let path = path.trim_end_matches('/');
                match self.client.list(namespace, path)? {
                    Answer::Found(data) => {
                        self.found = true;
                        for key in parse::keys(&data) {
                            let name = format!("{folder}{key}");
                            if name.ends_with('/') { &mut deeper } else { &mut names }.push(name);
                        }
                    }
                    Answer::Absent => {}
                    other => self.note(namespace, path, "list", other),
                }
            }
            folders = deeper;
            if folders.is_empty() {
                break;
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The names of the secrets of one KV mount, as the paths that requests have, level by level.
    fn secrets(&mut self, mount: &Mount, limit: usize, secrets: &mut Vec<String>) -> Result<(), LiveError> {
        let namespace = mount.namespace.as_str();
        let list = required::kv_list(mount);
        let data = match mount.kv_version {
            Some(2) => format!("{namespace}{}data/", mount.path),
            _ => format!("{namespace}{}", mount.path),
        };
        let client = self.client;
        let mut taken = 0;
        let mut asked = 0;
        let mut folders = vec![String::new()];
        let mut depth = 0;
        while !folders.is_empty() {
            asked += folders.len();
            if depth >= MAX_DEPTH || taken >= limit || asked > limit.max(MAX_FOLDERS) {
                let reason = format!("stopped after {taken} names");
                self.miss(namespace, &list, "list", &reason);
                break;
            }
            depth += 1;
            let answers = self.each(namespace, &list, &folders, |folder| {
                client.list(namespace, format!("{list}{folder}").trim_end_matches('/'))
            })?;
            let mut deeper = Vec::new();
            let mut names = Vec::new();
            for (folder, answer) in folders.iter().zip(answers) {
                match answer {
                    Answer::Found(keys) => {
                        self.found = true;
                        for key in parse::keys(&keys) {
                            let name = format!("{folder}{key}");
                            if name.ends_with('/') { &mut deeper } else { &mut names }.push(name);
                        }
                    }
                    Answer::Absent => {}
                    other => self.note(namespace, &format!("{list}{folder}"), "list", other),
                }
            }
            names.sort();
            let room = limit - taken;
            if names.len() > room {
                let reason = format!("stopped after {limit} names");
                self.miss(namespace, &list, "list", &reason);
                names.truncate(room);
                deeper.clear();
            }
            taken += names.len();
            secrets.extend(names.iter().map(|name| format!("{data}{name}")));
            deeper.sort();
            folders = deeper;
        }
        Ok(())
    }

    fn note(&mut self, namespace: &str, path: &str, capability: &'static str, answer: Answer) {
        match answer {
            Answer::Denied => self.miss(namespace, path, capability, "denied"),
            Answer::Refused(words) if words.is_empty() => {
                self.miss(namespace, path, capability, "the server cannot do it");
            }
            Answer::Refused(words) => self.miss(namespace, path, capability, &words),
            Answer::Absent => self.miss(namespace, path, capability, "not there"),
            Answer::Found(_) => {}
        }
    }

    fn miss(&mut self, namespace: &str, path: &str, capability: &'static str, reason: &str) {
        let key = (namespace.to_owned(), path.to_owned(), capability, reason.to_owned());
        *self.missing.entry(key).or_default() += 1;
    }

    /// Asks a question about each name, several at a time; the answers come in the order of the names. The first error
    /// ends it.
    fn each(
        &mut self,
        namespace: &str,
        path: &str,
        names: &[String],
        ask: impl Fn(&str) -> Result<Answer, LiveError> + Sync,
    ) -> Result<Vec<Answer>, LiveError> {
        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let mut answers: BTreeMap<usize, Answer> = BTreeMap::new();
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..self.workers.min(names.len()) {
                let sender = sender.clone();
                scope.spawn(|| {
                    let sender = sender;
                    while !stop.load(Ordering::Relaxed) {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(name) = names.get(at) else { break };
                        if sender.send((at, ask(name))).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            let mut outcome = Ok(());
            for (at, answer) in receiver {
                match answer {
                    Ok(answer) => {
                        answers.insert(at, answer);
                        (self.progress)(Progress {
                            namespace,
                            path,
                            done: answers.len(),
                            total: names.len(),
                        });
                    }
                    Err(error) => {
                        stop.store(true, Ordering::Relaxed);
                        if outcome.is_ok() {
                            outcome = Err(error);
                        }
                    }
                }
            }
            outcome
        })?;
        Ok(answers.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::connection::{Connection, Given};
    use std::collections::BTreeSet;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    /// A server that lists `namespaces` in each namespace, `folders` in each list of policies, and has nothing else.
    fn server(namespaces: &'static str, folders: &'static str) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let given = Given {
            address: Some(format!("http://{}", listener.local_addr().unwrap())),
            ..Given::default()
        };
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = String::new();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                while reader.read_line(&mut head).unwrap_or(0) > 2 {}
                let keys = match &head {
                    head if head.starts_with("GET /v1/sys/namespaces") => namespaces,
                    head if head.starts_with("GET /v1/sys/policies/acl") => folders,
                    _ => "",
                };
                let (status, body) = match keys {
                    "" => ("404 No", "{}".to_owned()),
                    keys => ("200 OK", format!("{{\"data\":{{\"keys\":[{keys}]}}}}")),
                };
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        let variable = |name: &str| (name == "VAULT_TOKEN").then(|| "t".to_owned());
        Client::new(&Connection::resolve(&given, &variable, None).unwrap()).unwrap()
    }

    fn taken(client: &Client) -> Snapshot {
        let wishes = Wishes {
            list_secrets: false,
            max_secrets: 10,
            concurrency: 1,
        };
        take(client, "", &wishes, &mut |_| {}).unwrap()
    }

    fn reasons(snapshot: &Snapshot) -> Vec<&str> {
        snapshot.missing.iter().map(|m| m.reason.as_str()).collect()
    }

    #[test]
    fn namespaces_that_list_themselves_come_to_an_end() {
        let snapshot = taken(&server("\"a/\",\"b/\"", "\"root\""));
        assert_eq!(snapshot.deployment.namespaces.len(), 6);
        assert!(
            reasons(&snapshot).contains(&"stopped: it lists itself"),
            "{:?}",
            reasons(&snapshot)
        );
    }

    #[test]
    fn names_that_no_namespace_has_are_not_asked_for() {
        let snapshot = taken(&server("\"../../x/\",\"\",\"a\\r\\nX-Evil: 1/\"", "\"root\""));
        assert!(snapshot.deployment.namespaces.is_empty());
        assert!(reasons(&snapshot).contains(&"names that no namespace can have"));
    }

    #[test]
    fn names_of_policies_are_kept_where_all_were_listed() {
        let listed = |folders| taken(&server("", folders)).deployment.policies;
        let all = BTreeSet::from(["default".to_owned(), "root".to_owned()]);
        assert_eq!(listed("\"default\",\"root\""), BTreeMap::from([(String::new(), all)]));
        assert!(listed("\"default\",\"d/\"").is_empty());
    }

    #[test]
    fn folders_without_end_come_to_an_end() {
        let snapshot = taken(&server("", "\"d/\""));
        assert!(
            reasons(&snapshot).contains(&"stopped: too many folders"),
            "{:?}",
            reasons(&snapshot)
        );
    }
}
