//! Variables that files may give other values: files that Terraform does not read by itself, such as `prod.tfvars`. Whether it
//! is told to is not known, so each value counts; what depends on none of them is worked out once.

use super::value::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// The most ways that the variables of one root module are set in.
pub const MAX_WAYS: usize = 500;

/// Variables of a root module that something depends on, of those that files may give.
pub type Asked = BTreeSet<Arc<str>>;

/// What a value was made of and does not say itself.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// Variables that files may give other values.
    pub asked: Asked,
    /// Files, and folders with all below them: what each is, where that can be read.
    pub files: BTreeMap<PathBuf, Option<Arc<str>>>,
    /// Blocks of which it is not known what they make: the address of their module, and their names in it.
    pub blocks: BTreeSet<Place>,
}

/// Where a block stands: the address of its module, and its name there.
pub type Place = (Arc<str>, Arc<str>);

impl Needs {
    /// Adds those of something else.
    pub fn add(&mut self, other: &Self) {
        self.asked.extend(other.asked.iter().cloned());
        self.files
            .extend(other.files.iter().map(|(path, is)| (path.clone(), is.clone())));
        self.blocks.extend(other.blocks.iter().cloned());
    }

    /// The variables alone: what is known says the rest itself.
    #[must_use]
    pub fn of_known(self) -> Self {
        Self {
            asked: self.asked,
            ..Self::default()
        }
    }
}

/// Which file gives a variable its value; of all others it is what Terraform itself makes it.
pub type Way = BTreeMap<Arc<str>, Arc<str>>;

/// Which files give which variables, as it is told.
#[must_use]
pub fn said(way: &Way) -> String {
    let set: Vec<String> = way.iter().map(|(name, file)| format!("`{name}` of `{file}`")).collect();
    set.join(" and ")
}

/// What files may give, by variable and file.
#[derive(Debug, Default)]
pub struct Given(BTreeMap<Arc<str>, BTreeMap<Arc<str>, Value>>);

impl Given {
    /// Adds a value that a file gives.
    pub fn add(&mut self, name: Arc<str>, file: &Arc<str>, value: Value) {
        self.0.entry(name).or_default().insert(Arc::clone(file), value);
    }

    /// Whether a file gives the variable a value. One that cannot be read may give any.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name) || self.0.contains_key("*")
    }

    /// The value that a file gives.
    #[must_use]
    pub fn value(&self, name: &str, file: &str) -> Value {
        let of = |name: &str| self.0.get(name).and_then(|files| files.get(file)).cloned();
        of(name)
            .or_else(|| of("*"))
            .unwrap_or_else(|| Value::unknown(format!("`{file}` does not give `{name}`")))
    }

    /// The files that give the variable a value.
    pub fn files(&self, name: &str) -> impl Iterator<Item = &Arc<str>> {
        let of = |name: &str| self.0.get(name).into_iter().flat_map(BTreeMap::keys);
        of(name).chain(of("*"))
    }

    /// All of it as pairs.
    pub fn pairs(&self) -> impl Iterator<Item = (Arc<str>, Arc<str>)> {
        self.0
            .iter()
            .flat_map(|(name, files)| files.keys().map(move |file| (Arc::clone(name), Arc::clone(file))))
    }

    /// The ways that differ from one in what one variable is, of those that something depends on.
    pub fn beside(&self, way: &Way, asked: &Asked) -> Vec<Way> {
        let kept: Way = way
            .iter()
            .filter(|(name, _)| asked.contains(*name))
            .map(|(name, file)| (Arc::clone(name), Arc::clone(file)))
            .collect();
        let mut all = vec![kept.clone()];
        for name in asked {
            for file in self.files(name) {
                let mut other = kept.clone();
                other.insert(Arc::clone(name), Arc::clone(file));
                all.push(other);
            }
        }
        all
    }
}
