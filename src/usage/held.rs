//! What a log says of the policies in force for a token: names of the token's own namespace, policies of other namespaces, and
//! which namespace the token's own is, where the log tells it.
//!
//! Names become identities ([`crate::vault::PolicyId`]) only where policies and deployment are known, in `access`: until then
//! whatever the log leaves open stays open here.

use crate::vault::PolicyId;
use crate::vault::path;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a log names a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Space {
    /// By its path: `""` or `a/b/`.
    Path(Arc<str>),
    /// By its id alone.
    Id(Arc<str>),
}

impl Space {
    /// A namespace as `namespace_id` and `namespace_path` name it; none where neither is there.
    #[must_use]
    pub fn of(id: &str, at: &str) -> Option<Self> {
        match (id, at) {
            ("", "") => None,
            ("root", _) => Some(Self::Path(Arc::from(""))),
            (id, "") => Some(Self::Id(Arc::from(id))),
            (_, at) => Some(Self::Path(Arc::from(path::namespace(at)))),
        }
    }
}

/// A policy that the log places in a namespace by itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Placed {
    /// Where.
    pub space: Space,
    /// Its name there.
    pub name: Arc<str>,
}

/// A policy that the server names as one that allowed a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Granting {
    /// Its namespace, where the server says it.
    pub space: Option<Space>,
    /// Its name.
    pub name: Arc<str>,
}

impl Granting {
    /// As one text.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.space {
            None => format!("?\n{}", self.name),
            Some(Space::Path(path)) => format!("/{path}\n{}", self.name),
            Some(Space::Id(id)) => format!("#{id}\n{}", self.name),
        }
    }

    /// From its text.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        let (space, name) = text.split_once('\n')?;
        let space = match space.split_at_checked(1)? {
            ("/", path) => Some(Space::Path(Arc::from(path))),
            ("#", id) => Some(Space::Id(Arc::from(id))),
            _ => None,
        };
        let name = Arc::from(name);
        Some(Self { space, name })
    }
}

/// The policies in force for a token.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Held {
    /// Names of policies of the token's own namespace, sorted.
    pub own: Arc<[Arc<str>]>,
    /// Policies that the log places by itself: those of other namespaces, and those that granted something without being listed.
    pub placed: Arc<[Placed]>,
    /// The token's own namespace; none where the log leaves it open.
    pub space: Option<Space>,
    /// Whether the entry lists the token's policies. Where it does not, the token may hold any.
    pub listed: bool,
}

impl Held {
    /// Nothing, and that is known.
    #[must_use]
    pub fn nothing() -> Self {
        Self::named(Arc::from([]))
    }

    /// Names of the token's own namespace, wherever that is.
    #[must_use]
    pub fn named(own: Arc<[Arc<str>]>) -> Self {
        Self {
            own,
            placed: Arc::from([]),
            space: None,
            listed: true,
        }
    }

    /// Whether no policy is named, and none can be meant.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.own.is_empty() && self.placed.is_empty() && self.listed
    }

    /// Whether it is the policy `root` that is held.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.own.iter().any(|name| &**name == crate::vault::identity::ROOT)
    }

    /// The policies for people, sorted: each with its namespace in front, where that is known and not the root namespace.
    #[must_use]
    pub fn labels(&self, namespaces: &Namespaces) -> Vec<Arc<str>> {
        let space = self.space.as_ref().and_then(|space| namespaces.path(space));
        let own = self.own.iter().map(|name| match &space {
            Some(space) if !space.is_empty() => Arc::from(PolicyId::new(space.clone(), name.clone()).to_string()),
            _ => name.clone(),
        });
        let placed = self
            .placed
            .iter()
            .map(|policy| match (&policy.space, namespaces.path(&policy.space)) {
                (_, Some(space)) => Arc::from(PolicyId::new(space, policy.name.clone()).to_string()),
                (Space::Id(id), None) => Arc::from(format!("{id}:{}", policy.name)),
                (Space::Path(space), None) => Arc::from(PolicyId::new(space.clone(), policy.name.clone()).to_string()),
            });
        let mut labels: Vec<Arc<str>> = own.chain(placed).collect();
        labels.sort_unstable();
        labels.dedup();
        labels
    }
}

/// Namespaces by id, as far as the log shows id and path together. An id that comes with two paths (a namespace that was renamed, one
/// text in the place of each id) stands for neither.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Namespaces(BTreeMap<Arc<str>, Arc<str>>);

/// In the place of the path of an id that came with several.
const SEVERAL: &str = "";

/// The most namespaces that are kept: far more than servers can have.
const MOST_NAMESPACES: usize = 1 << 16;

impl Namespaces {
    /// Notes that id and path are one namespace. A namespace that was made anew at the same path has another id.
    pub fn note(&mut self, id: &str, at: &str) {
        if id.is_empty() || id == "root" || at.is_empty() {
            return;
        }
        self.note_path(id, &path::namespace(at));
    }

    fn note_path(&mut self, id: &str, at: &str) {
        match self.0.get_mut(id) {
            Some(known) if **known == *at || **known == *SEVERAL => {}
            Some(known) => *known = Arc::from(SEVERAL),
            None => {
                self.0.insert(Arc::from(id), Arc::from(at));
                self.keep(MOST_NAMESPACES);
            }
        }
    }

    /// Keeps the first ones by id: the same in whatever order they come.
    fn keep(&mut self, most: usize) {
        while self.0.len() > most {
            self.0.pop_last();
        }
    }

    /// The path of a namespace.
    #[must_use]
    pub fn path(&self, space: &Space) -> Option<Arc<str>> {
        match space {
            Space::Path(path) => Some(path.clone()),
            Space::Id(id) if &**id == "root" => Some(Arc::from("")),
            Space::Id(id) => self.path_of(id).cloned(),
        }
    }

    /// The path of the namespace with this id.
    #[must_use]
    pub fn path_of(&self, id: &str) -> Option<&Arc<str>> {
        self.0.get(id).filter(|path| ***path != *SEVERAL)
    }

    /// Whether id and path are known together.
    #[must_use]
    pub fn is_noted(&self, id: &str, at: &str) -> bool {
        self.0.get(id).is_some_and(|path| **path == *at || **path == *SEVERAL)
    }

    /// All paths.
    pub fn paths(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.values().filter(|path| ***path != *SEVERAL)
    }

    /// Adds what another part saw.
    pub fn merge(&mut self, other: &Self) {
        for (id, path) in &other.0 {
            self.note_path(id, path);
        }
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Arc<[Arc<str>]> {
        names.iter().map(|name| Arc::from(*name)).collect()
    }

    #[test]
    fn labels_carry_the_namespace_where_it_is_known() {
        let mut namespaces = Namespaces::default();
        namespaces.note("aB3xY", "team1/");
        let placed = |id: &str| Placed {
            space: Space::Id(Arc::from(id)),
            name: Arc::from("cross"),
        };
        let mut held = Held::named(names(&["app", "default"]));
        held.placed = Arc::from([placed("aB3xY"), placed("zzzzz")]);
        let labels =
            |held: &Held| -> Vec<String> { held.labels(&namespaces).iter().map(ToString::to_string).collect() };
        assert_eq!(labels(&held), ["app", "default", "team1/cross", "zzzzz:cross"]);
        held.space = Space::of("aB3xY", "");
        assert_eq!(
            labels(&held),
            ["team1/app", "team1/cross", "team1/default", "zzzzz:cross"]
        );
    }

    #[test]
    fn a_namespace_is_named_by_path_or_id() {
        assert_eq!(Space::of("", ""), None);
        assert_eq!(Space::of("root", ""), Some(Space::Path(Arc::from(""))));
        assert_eq!(Space::of("x", "a/b"), Some(Space::Path(Arc::from("a/b/"))));
        assert_eq!(Space::of("x", ""), Some(Space::Id(Arc::from("x"))));
        let (mut one, mut other) = (Namespaces::default(), Namespaces::default());
        one.note("x", "b/");
        one.note("x", "a/");
        other.note("x", "a/");
        other.note("x", "b/");
        assert_eq!(one, other);
        assert_eq!(one.path_of("x"), None);
        let mut whole = Namespaces::default();
        whole.note("x", "a/");
        whole.merge(&one);
        assert_eq!(whole, one);
    }

    #[test]
    fn of_too_many_namespaces_the_same_ones_stay_whatever_the_order() {
        let ids: Vec<String> = (0..=MOST_NAMESPACES + 3).map(|n| format!("{n:06}")).collect();
        let of = |ids: &mut dyn Iterator<Item = &String>| {
            let mut namespaces = Namespaces::default();
            ids.for_each(|id| namespaces.note(id, "a/"));
            namespaces
        };
        let (up, down) = (of(&mut ids.iter()), of(&mut ids.iter().rev()));
        assert_eq!(up.0.len(), MOST_NAMESPACES);
        assert!(up == down);
    }
}
