//! What an access weighs: capability × class of path, and what an open end adds for paths that do not exist yet.
//!
//! Units are arbitrary: one is the list of one secret. The defaults can be changed in the settings.

use super::universe::Universe;
use crate::policy::pattern::Pattern;
use crate::vault::{Capability, CapabilitySet};
use rayon::prelude::*;
use serde::Deserialize;

/// The weight at which the risk score is 50.
pub const HALF: f64 = 300.0;

/// The risk score of a weight: 0 to 100, monotone, 0 only for no weight.
#[must_use]
pub fn score(weight: f64) -> f64 {
    if weight <= 0.0 {
        0.0
    } else {
        100.0 * weight / (weight + HALF)
    }
}

/// Weights of capabilities.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CapabilityWeights {
    /// `list` and `scan`
    pub list: f64,
    /// `read`, `subscribe` and `recover`
    pub read: f64,
    /// `create`, `update` and `patch`
    pub write: f64,
    /// `delete`
    pub delete: f64,
    /// `sudo`
    pub sudo: f64,
}

impl Default for CapabilityWeights {
    fn default() -> Self {
        Self {
            list: 1.0,
            read: 3.0,
            write: 3.0,
            delete: 4.0,
            sudo: 8.0,
        }
    }
}

impl CapabilityWeights {
    /// Weight of one capability; `deny` weighs nothing.
    #[must_use]
    pub const fn of(&self, capability: Capability) -> f64 {
        match capability {
            Capability::List | Capability::Scan => self.list,
            Capability::Read | Capability::Subscribe | Capability::Recover => self.read,
            Capability::Create | Capability::Update | Capability::Patch => self.write,
            Capability::Delete => self.delete,
            Capability::Sudo => self.sudo,
            Capability::Deny => 0.0,
        }
    }
}

/// A class of paths: the first class with a matching pattern decides.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathClass {
    /// Its name in reports.
    pub name: String,
    /// Factor on the capability's weight.
    pub factor: f64,
    /// Policy patterns.
    pub paths: Vec<String>,
}

/// All weights. Build with [`Weights::new`], which parses the patterns once.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    capability: CapabilityWeights,
    classes: Vec<(String, f64, Vec<Pattern>)>,
    open_end: f64,
}

/// The settings of the weights, as written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WeightSettings {
    /// Weights of capabilities.
    pub capability: CapabilityWeights,
    /// Classes of paths, the first match decides; all else is `secrets` with factor 1.
    pub classes: Vec<PathClass>,
    /// How many paths an open end counts for.
    pub open_end: f64,
}

impl Default for WeightSettings {
    fn default() -> Self {
        let class = |name: &str, factor: f64, paths: &[&str]| PathClass {
            name: name.to_owned(),
            factor,
            paths: paths.iter().map(|p| (*p).to_owned()).collect(),
        };
        Self {
            capability: CapabilityWeights::default(),
            classes: vec![
                class(
                    "own token",
                    0.02,
                    &[
                        "auth/token/lookup-self",
                        "auth/token/renew-self",
                        "auth/token/revoke-self",
                        "sys/capabilities-self",
                        "sys/internal/ui/*",
                        "sys/leases/renew",
                        "sys/leases/lookup",
                        "sys/renew",
                        "sys/wrapping/*",
                        "sys/tools/*",
                        "sys/control-group/request",
                        "cubbyhole/*",
                        "identity/oidc/provider/+/authorize",
                    ],
                ),
                class("control", 5.0, &["sys/*", "auth/*", "identity/*"]),
                class(
                    "signing and issuing",
                    3.0,
                    &[
                        "+/sign/*",
                        "+/issue/*",
                        "+/decrypt/*",
                        "+/sign-verbatim/*",
                        "+/creds/*",
                        "+/static-creds/*",
                        "+/root/*",
                        "+/export/*",
                        "+/sts/*",
                    ],
                ),
            ],
            open_end: 10.0,
        }
    }
}

/// A class whose path is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("class `{class}` has a path that is no policy pattern: `{path}`")]
pub struct BadClass {
    /// The class.
    pub class: String,
    /// The path.
    pub path: String,
}

impl Default for Weights {
    fn default() -> Self {
        // INVARIANT: the default classes parse; a test holds it. Were one not to, its class would be left out.
        let settings = WeightSettings::default();
        Self::new(&settings).unwrap_or(Self {
            capability: settings.capability,
            classes: Vec::new(),
            open_end: settings.open_end,
        })
    }
}

impl Weights {
    /// Weights from settings.
    ///
    /// # Errors
    /// When a class has a path that is no policy pattern.
    pub fn new(settings: &WeightSettings) -> Result<Self, BadClass> {
        let mut classes = Vec::new();
        for class in &settings.classes {
            let mut patterns = Vec::new();
            for path in &class.paths {
                patterns.push(Pattern::parse(path, "").map_err(|_| BadClass {
                    class: class.name.clone(),
                    path: path.clone(),
                })?);
            }
            classes.push((class.name.clone(), class.factor, patterns));
        }
        Ok(Self {
            capability: settings.capability.clone(),
            classes,
            open_end: settings.open_end,
        })
    }

    /// The class of a path: its name and factor.
    #[must_use]
    pub fn class(&self, path: &str) -> (&str, f64) {
        self.named(self.class_number(path))
    }

    /// The place of a path's class in the settings; one more than there are for all else.
    fn class_number(&self, path: &str) -> usize {
        let matches = |(_, _, patterns): &(String, f64, Vec<Pattern>)| patterns.iter().any(|p| p.matches(path));
        self.classes.iter().position(matches).unwrap_or(self.classes.len())
    }

    fn named(&self, class: usize) -> (&str, f64) {
        let class = self.classes.get(class);
        class.map_or(("secrets", 1.0), |(name, factor, _)| (name, *factor))
    }

    /// Weight of `capabilities` on `path`.
    #[must_use]
    pub fn of(&self, path: &str, capabilities: CapabilitySet) -> f64 {
        if capabilities.is_empty() {
            return 0.0;
        }
        self.sum(capabilities) * self.class(path).1
    }

    /// Weight of these capabilities on a path of the class with factor one.
    #[must_use]
    pub fn of_capabilities(&self, capabilities: CapabilitySet) -> f64 {
        self.sum(capabilities)
    }

    /// Weight of an open end whose literal lead is `lead`: for what does not exist yet.
    #[must_use]
    pub fn open_end(&self, lead: &str, capabilities: CapabilitySet) -> f64 {
        self.open_end * self.sum(capabilities) * self.class(lead).1
    }

    fn sum(&self, capabilities: CapabilitySet) -> f64 {
        capabilities.iter().map(|c| self.capability.of(c)).sum()
    }
}

/// All known paths with their classes, each found out once: many holders reach the same paths.
#[derive(Debug, Clone)]
pub struct Weighed<'a> {
    weights: &'a Weights,
    universe: &'a Universe,
    classes: Vec<usize>,
}

impl<'a> Weighed<'a> {
    /// Classifies the paths of a universe.
    #[must_use]
    pub fn new(weights: &'a Weights, universe: &'a Universe) -> Self {
        Self {
            weights,
            universe,
            classes: universe.paths().par_iter().map(|p| weights.class_number(p)).collect(),
        }
    }

    /// The weights.
    #[must_use]
    pub const fn weights(&self) -> &'a Weights {
        self.weights
    }

    /// The known paths.
    #[must_use]
    pub const fn universe(&self) -> &'a Universe {
        self.universe
    }

    /// The class of the path of that number: its name and factor.
    #[must_use]
    pub fn class(&self, path: u32) -> (&'a str, f64) {
        let class = self.classes.get(path as usize).copied();
        self.weights.named(class.unwrap_or(usize::MAX))
    }

    /// Weight of `capabilities` on the path of that number.
    #[must_use]
    pub fn of(&self, path: u32, capabilities: CapabilitySet) -> f64 {
        if capabilities.is_empty() {
            return 0.0;
        }
        self.weights.sum(capabilities) * self.class(path).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_classes_are_patterns() {
        Weights::new(&WeightSettings::default()).unwrap();
    }

    #[test]
    fn a_path_weighs_the_same_known_or_not() {
        let weights = Weights::default();
        let paths = ["sys/mounts", "pki/issue/web", "secret/data/a", "auth/token/lookup-self"];
        let universe = Universe::new(paths.map(str::to_owned).to_vec());
        let weighed = Weighed::new(&weights, &universe);
        let both: CapabilitySet = [Capability::Read, Capability::Delete].into_iter().collect();
        for n in 0..4 {
            assert_eq!(weighed.class(n), weights.class(universe.path(n)));
            assert_eq!(weighed.of(n, both), weights.of(universe.path(n), both));
        }
    }

    #[test]
    fn control_paths_outweigh_secrets_and_own_token_paths_hardly_weigh() {
        let w = Weights::default();
        let read = CapabilitySet::of(Capability::Read);
        assert!(w.of("sys/mounts", read) > w.of("pki/issue/web", read));
        assert!(w.of("pki/issue/web", read) > w.of("secret/data/a", read));
        assert!(w.of("auth/token/lookup-self", read) < 0.1);
        assert!(w.of("auth/token/lookup-self", read) > 0.0);
        assert_eq!(w.of("secret/data/a", CapabilitySet::EMPTY), 0.0);
    }
}
