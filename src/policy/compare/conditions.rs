//! Whether one rule lets a request through that another refuses, by capability, wrapping TTL and parameters.
//!
//! Wrapping TTLs are intervals. Of parameters, each is judged for itself, apart from those required; so two rules differ where
//! a required parameter of the one may be left out under the other, or where a single parameter with some value is let through
//! by the one only. Values are tried from [`values::candidates`], which decides for all profiles but the newest, whose servers
//! take values apart; there a difference is shown by an example, equality by inclusion of the lists, and the rest is not decided.

use super::table::Grant;
use super::values;
use crate::policy::constraints::{self, Data};
use crate::policy::model::Constraints;
use crate::policy::profile::{Profile, ValueRule};
use crate::vault::Operation;
use crate::vault::name::lower;
use serde_json::Value;
use std::collections::BTreeSet;

const SECOND_NS: i64 = 1_000_000_000;

/// What a request carries besides operation and path.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Extras {
    pub(super) data: Option<Data>,
    pub(super) wrap_ttl_ns: Option<i64>,
}

/// Whether there is a request that the one lets through and the other does not.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Gap {
    /// There is none.
    None,
    /// This one.
    Shown(Extras),
    /// It was neither found nor ruled out.
    Open(&'static str),
}

/// Whether `operation` under `more` is allowed for some request for which it is not allowed under `less`.
pub(super) fn gap(profile: Profile, operation: Operation, more: Option<Grant<'_>>, less: Option<Grant<'_>>) -> Gap {
    let Some(capability) = profile.capability(operation) else {
        return Gap::None;
    };
    let able = |grant: Option<Grant<'_>>| {
        grant.filter(|g| g.capabilities.contains(capability)).map(|g| Judge {
            profile,
            operation,
            constraints: relevant(profile, operation, g.constraints),
        })
    };
    let Some(more) = able(more) else {
        return Gap::None;
    };
    match able(less) {
        None => more.some_request(),
        Some(less) if less.constraints == more.constraints => Gap::None,
        Some(less) => more.beyond(&less),
    }
}

/// A request that the operation allows under `grant`, where there is one and it can be found.
pub(super) fn some_request(profile: Profile, operation: Operation, grant: Grant<'_>) -> Gap {
    gap(profile, operation, Some(grant), None)
}

/// Whether the operation looks at parameters.
const fn looks_at_parameters(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Read | Operation::Create | Operation::Update | Operation::Patch | Operation::Recover
    )
}

const fn pages(profile: Profile, operation: Operation) -> bool {
    profile.is_openbao() && matches!(operation, Operation::List | Operation::Scan)
}

/// The constraints that the operation looks at; the rest emptied.
fn relevant(profile: Profile, operation: Operation, all: &Constraints) -> Constraints {
    let mut kept = Constraints {
        min_wrapping_ttl_ns: all.min_wrapping_ttl_ns,
        max_wrapping_ttl_ns: all.max_wrapping_ttl_ns,
        ..Constraints::default()
    };
    if looks_at_parameters(operation) {
        kept.allowed_parameters.clone_from(&all.allowed_parameters);
        kept.denied_parameters.clone_from(&all.denied_parameters);
        let required: BTreeSet<String> = all.required_parameters.iter().map(|p| lower(p).into_owned()).collect();
        kept.required_parameters = required.into_iter().collect();
    } else if pages(profile, operation) && all.pagination_limit > 0 {
        kept.pagination_limit = all.pagination_limit;
        if all.required_parameters.iter().any(|p| lower(p) == "limit") {
            kept.required_parameters.push("limit".to_owned());
        }
    }
    kept
}

struct Judge {
    profile: Profile,
    operation: Operation,
    constraints: Constraints,
}

/// Values of one parameter.
enum Found {
    No,
    Value(Value),
    Unknown,
}

impl Judge {
    fn allows(&self, extras: &Extras) -> bool {
        let data = extras.data.as_ref();
        constraints::check(
            self.profile,
            self.operation,
            &self.constraints,
            data,
            extras.wrap_ttl_ns,
        )
        .is_ok()
    }

    fn some_request(&self) -> Gap {
        let Some(wrap_ttl_ns) = self.some_wrapping() else {
            return Gap::None;
        };
        match self.some_data() {
            Ok(Some(data)) => self.shown(data, wrap_ttl_ns),
            Ok(None) => Gap::None,
            Err(open) => open,
        }
    }

    fn beyond(&self, less: &Self) -> Gap {
        let Some(wrap_ttl_ns) = self.some_wrapping() else {
            return Gap::None;
        };
        let data = match self.some_data() {
            Ok(Some(data)) => data,
            Ok(None) => return Gap::None,
            Err(open) => return open,
        };
        if let Some(further) = self.wrapping_beyond(less) {
            return self.shown(data, further);
        }
        match self.data_beyond(less, &data) {
            Ok(Some(data)) => self.shown(data, wrap_ttl_ns),
            Ok(None) => Gap::None,
            Err(open) => open,
        }
    }

    fn shown(&self, data: Data, wrap_ttl_ns: Option<i64>) -> Gap {
        let extras = Extras {
            data: (!data.is_empty()).then_some(data),
            wrap_ttl_ns,
        };
        if self.allows(&extras) {
            Gap::Shown(extras)
        } else {
            Gap::Open("the example found for its constraints does not satisfy them")
        }
    }

    /// The wrapping TTLs allowed, none where the request may go unwrapped; the outer none where nothing is allowed.
    fn wrapping(&self) -> Option<Wrapping> {
        let (min, max) = (
            self.constraints.min_wrapping_ttl_ns,
            self.constraints.max_wrapping_ttl_ns,
        );
        let (min, max) = (min.max(0), max.max(0));
        if max > 0 && max < min {
            return None;
        }
        Some(Wrapping {
            unwrapped: min == 0 && max == 0,
            least: min.max(1),
            most: if max > 0 { max } else { i64::MAX },
        })
    }

    fn some_wrapping(&self) -> Option<Option<i64>> {
        let allowed = self.wrapping()?;
        Some(if allowed.unwrapped {
            None
        } else {
            Some(round(allowed.least, allowed.most))
        })
    }

    /// A wrapping that is allowed here and not there.
    fn wrapping_beyond(&self, less: &Self) -> Option<Option<i64>> {
        let here = self.wrapping()?;
        let Some(there) = less.wrapping() else {
            return self.some_wrapping();
        };
        if here.unwrapped && !there.unwrapped {
            return Some(None);
        }
        let above = here.least.max(there.most.saturating_add(1));
        if there.most < here.most && above <= here.most {
            return Some(Some(round(above, here.most)));
        }
        let below = here.most.min(there.least - 1);
        (here.least <= below).then(|| Some(round(here.least, below)))
    }

    /// The least data allowed: what is required and nothing else. None where nothing is allowed.
    fn some_data(&self) -> Result<Option<Data>, Gap> {
        let mut data = Data::new();
        if pages(self.profile, self.operation) {
            if !self.constraints.required_parameters.is_empty() {
                data.insert("limit".to_owned(), Value::from(1));
            }
            return Ok(Some(data));
        }
        for name in &self.constraints.required_parameters {
            match self.value_beyond(None, name) {
                Found::Value(value) => {
                    data.insert(name.clone(), value);
                }
                Found::No => return Ok(None),
                Found::Unknown => return Err(OPEN_VALUES),
            }
        }
        Ok(Some(data))
    }

    /// Data allowed here and not there, made of `least`, the least data that is allowed here.
    fn data_beyond(&self, less: &Self, least: &Data) -> Result<Option<Data>, Gap> {
        if pages(self.profile, self.operation) {
            return Ok(self.limit_beyond(less));
        }
        if less
            .constraints
            .required_parameters
            .iter()
            .any(|name| !least.contains_key(name))
        {
            return Ok(Some(least.clone()));
        }
        let mut open = None;
        for name in self.telling_names(less) {
            match self.value_beyond(Some(less), &name) {
                Found::Value(value) => {
                    let mut data = least.clone();
                    data.insert(name, value);
                    return Ok(Some(data));
                }
                Found::No => {}
                Found::Unknown => open = Some(OPEN_VALUES),
            }
        }
        open.map_or(Ok(None), Err)
    }

    /// Every parameter that either names, and one that neither does.
    fn telling_names(&self, less: &Self) -> Vec<String> {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for constraints in [&self.constraints, &less.constraints] {
            names.extend(constraints.allowed_parameters.keys().map(String::as_str));
            names.extend(constraints.denied_parameters.keys().map(String::as_str));
            names.extend(constraints.required_parameters.iter().map(String::as_str));
        }
        names.remove("*");
        let other = ["x", "y", "z"]
            .into_iter()
            .map(str::to_owned)
            .chain((1..).map(|n| format!("x{n}")));
        let other = other.into_iter().find(|name| !names.contains(name.as_str()));
        names.into_iter().map(str::to_owned).chain(other).collect()
    }

    /// A value of the parameter that is let through here, and not there (or, without a there, any that is let through here).
    fn value_beyond(&self, less: Option<&Self>, name: &str) -> Found {
        let elements = self.profile.value_rule() == ValueRule::Elements;
        let (here, there) = (self.about(name), less.map(|l| l.about(name)));
        let mut listed: Vec<&Value> = Vec::new();
        for about in [Some(&here), there.as_ref()].into_iter().flatten() {
            for lists in [&about.allowed_parameters, &about.denied_parameters] {
                listed.extend(lists.get(name).into_iter().flatten());
            }
        }
        if listed.len() > MOST_VALUES {
            return Found::Unknown;
        }
        let candidates = values::candidates(&listed, elements);
        let lets = |about: &Constraints, value: &Value| passes(self.profile, about, name, value);
        let found = candidates
            .iter()
            .find(|v| lets(&here, v) && !there.as_ref().is_some_and(|t| lets(t, v)));
        if let Some(value) = found {
            return Found::Value(value.clone());
        }
        let never = here.denied_parameters.values().any(Vec::is_empty)
            || !(here.allowed_parameters.is_empty() || here.allowed_parameters.contains_key(name));
        let decided = !elements || never || there.is_some_and(|t| lists_within(&here, &t, name, &candidates));
        if decided { Found::No } else { Found::Unknown }
    }

    /// What of the parameter lists touches one parameter.
    fn about(&self, name: &str) -> Constraints {
        let mut about = Constraints::default();
        let denied = &self.constraints.denied_parameters;
        if denied.contains_key("*") {
            about.denied_parameters.insert(name.to_owned(), Vec::new());
        } else if let Some(values) = denied.get(name) {
            about.denied_parameters.insert(name.to_owned(), values.clone());
        }
        let allowed = &self.constraints.allowed_parameters;
        let any = allowed.contains_key("*");
        match allowed.get(name) {
            _ if allowed.is_empty() || (any && allowed.len() == 1) => {}
            Some(values) => {
                about.allowed_parameters.insert(name.to_owned(), values.clone());
            }
            None if any => {}
            // Others are allowed, this one is not.
            None => {
                about.allowed_parameters.insert(format!("not {name}"), Vec::new());
            }
        }
        about
    }

    /// A `limit` that is within `pagination_limit` here and not there.
    fn limit_beyond(&self, less: &Self) -> Option<Data> {
        let limits = [
            None,
            less.constraints.pagination_limit.checked_add(1).map(Value::from),
            Some(Value::from("none")),
        ];
        limits
            .into_iter()
            .map(|limit| limit.map(|l| ("limit".to_owned(), l)).into_iter().collect::<Data>())
            .find(|data| self.pages_with(data) && !less.pages_with(data))
    }

    fn pages_with(&self, data: &Data) -> bool {
        let parts = Constraints {
            pagination_limit: self.constraints.pagination_limit,
            required_parameters: self.constraints.required_parameters.clone(),
            ..Constraints::default()
        };
        constraints::check(self.profile, self.operation, &parts, Some(data), None).is_ok()
    }
}

/// Whether the one parameter with this value passes.
fn passes(profile: Profile, about: &Constraints, name: &str, value: &Value) -> bool {
    let data: Data = [(name.to_owned(), value.clone())].into_iter().collect();
    constraints::check(profile, Operation::Update, about, Some(&data), None).is_ok()
}

/// Whether the allowed values here are among those there, and the denied values there among those here, each list taken value
/// by value. However the servers take values apart, what passes here then passes there.
fn lists_within(here: &Constraints, there: &Constraints, name: &str, candidates: &[Value]) -> bool {
    let only = |about: &Constraints, allowed: bool| {
        let mut part = Constraints::default();
        if allowed {
            part.allowed_parameters.clone_from(&about.allowed_parameters);
        } else {
            part.denied_parameters.clone_from(&about.denied_parameters);
        }
        part
    };
    [true, false].into_iter().all(|allowed| {
        let (here, there) = (only(here, allowed), only(there, allowed));
        let whole = |part: &Constraints, value: &Value| passes(WHOLE, part, name, value);
        candidates.iter().all(|v| !whole(&here, v) || whole(&there, v))
    })
}

/// A profile whose servers compare values as a whole.
const WHOLE: Profile = Profile::Vault113;

/// More values of one parameter than this are not weighed against one another.
const MOST_VALUES: usize = 200;

const OPEN_VALUES: Gap = Gap::Open("the lists of parameter values could not be decided");

struct Wrapping {
    unwrapped: bool,
    least: i64,
    most: i64,
}

/// A TTL of whole seconds between the two, where there is one.
fn round(least: i64, most: i64) -> i64 {
    let seconds = least.div_euclid(SECOND_NS) + i64::from(least.rem_euclid(SECOND_NS) != 0);
    seconds
        .checked_mul(SECOND_NS)
        .filter(|ttl| *ttl <= most)
        .unwrap_or(least)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::{Capability, CapabilitySet};
    use serde_json::json;
    use std::collections::BTreeMap;

    fn lists(value: &Value) -> BTreeMap<String, Vec<Value>> {
        let object = value.as_object().cloned().unwrap_or_default();
        object
            .into_iter()
            .map(|(k, v)| (k, v.as_array().cloned().unwrap_or_default()))
            .collect()
    }

    fn rule(allowed: Value, denied: Value, required: &[&str], ttl: (i64, i64)) -> Constraints {
        Constraints {
            allowed_parameters: lists(&allowed),
            denied_parameters: lists(&denied),
            required_parameters: required.iter().map(|r| (*r).to_owned()).collect(),
            min_wrapping_ttl_ns: ttl.0 * SECOND_NS,
            max_wrapping_ttl_ns: ttl.1 * SECOND_NS,
            ..Constraints::default()
        }
    }

    fn ask(profile: Profile, more: &Constraints, less: &Constraints) -> Gap {
        let grant = |constraints| {
            Some(Grant {
                capabilities: CapabilitySet::of(Capability::Update),
                constraints,
            })
        };
        gap(profile, Operation::Update, grant(more), grant(less))
    }

    #[test]
    fn parameters_and_ttls_are_told_apart() {
        let none = || json!({});
        let free = rule(none(), none(), &[], (0, 0));
        for (more, less, want) in [
            (
                &free,
                rule(none(), json!({"a": []}), &[], (0, 0)),
                Some(json!({"a": "x"})),
            ),
            (
                &free,
                rule(json!({"a": []}), none(), &[], (0, 0)),
                Some(json!({"x": "x"})),
            ),
            (&free, rule(none(), none(), &["Bar"], (0, 0)), Some(Value::Null)),
            (
                &rule(json!({"a": ["b*"]}), none(), &[], (0, 0)),
                rule(json!({"a": ["bc", "b*"]}), none(), &[], (0, 0)),
                None,
            ),
            (
                &rule(json!({"a": ["b*", "c"]}), none(), &[], (0, 0)),
                rule(json!({"a": ["bc", "*c"]}), none(), &[], (0, 0)),
                Some(json!({"a": "bx"})),
            ),
            (&rule(json!({"*": ["q"]}), none(), &[], (0, 0)), free.clone(), None),
            (
                &rule(none(), json!({"*": []}), &[], (0, 0)),
                rule(none(), none(), &["k"], (0, 0)),
                Some(Value::Null),
            ),
            (
                &rule(none(), json!({"*": []}), &["k"], (0, 0)),
                rule(none(), json!({"z": []}), &["q"], (0, 0)),
                None,
            ),
            (
                &rule(none(), json!({"a": ["x*"]}), &["A"], (0, 0)),
                rule(none(), json!({"a": ["x"]}), &["a"], (0, 0)),
                None,
            ),
        ] {
            for profile in Profile::ALL {
                let got = match ask(profile, more, &less) {
                    Gap::None => None,
                    Gap::Shown(extras) => Some(extras.data.map_or(Value::Null, Value::Object)),
                    Gap::Open(why) => panic!("{why}: {more:?} beyond {less:?}"),
                };
                assert_eq!(got, want, "{profile}: {more:?} beyond {less:?}");
            }
        }
        for (more, less, want) in [
            ((0, 0), (0, 60), Some(None)),
            ((0, 60), (0, 0), None),
            ((0, 60), (10, 60), Some(Some(1))),
            ((10, 90), (10, 60), Some(Some(61))),
            ((90, 60), (0, 0), None),
            ((10, 20), (90, 60), Some(Some(10))),
            ((20, 0), (10, 0), None),
        ] {
            let got = match ask(
                Profile::Vault113,
                &rule(none(), none(), &[], more),
                &rule(none(), none(), &[], less),
            ) {
                Gap::Shown(extras) => Some(extras.wrap_ttl_ns.map(|ns| ns / SECOND_NS)),
                _ => None,
            };
            assert_eq!(got, want, "{more:?} beyond {less:?}");
        }
    }

    #[test]
    fn values_taken_apart_are_shown_or_left_open() {
        let denies = rule(json!({"a": ["a*"]}), json!({"a": ["zzz"]}), &[], (0, 0));
        let plain = rule(json!({"a": ["a*"]}), json!({}), &[], (0, 0));
        assert_eq!(ask(Profile::Vault113, &plain, &denies), Gap::None);
        assert!(matches!(ask(Profile::Vault203, &plain, &denies), Gap::Shown(_)));
        assert_eq!(ask(Profile::Vault203, &denies, &plain), Gap::None);
    }
}
