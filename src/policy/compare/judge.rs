//! Judges the rules that decide one path in both lists: each pair of rules once for each kind of operation.

use super::conditions::{self, Extras, Gap};
use super::outcome::{Asked, Aspect, Decider, Difference, Open, holds};
use super::table::{Grant, Mask, NEW, OLD, Side, Winner};
use crate::policy::model::Constraints;
use crate::policy::profile::Profile;
use crate::vault::{Capability, Operation};
use std::collections::HashSet;

/// How a path is asked for, which decides how it is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Way {
    /// As it is.
    Plain,
    /// A LIST, or a SCAN, of the path with a slash behind it, as servers ask.
    Slashed(bool),
    /// A LIST or a SCAN of the path as it is.
    Bare,
}

/// Operations that look a path up as it is. Revoke stands for renew and rollback too: they need `update` and look at no
/// parameter.
const PLAIN: [Operation; 7] = [
    Operation::Create,
    Operation::Read,
    Operation::Update,
    Operation::Patch,
    Operation::Delete,
    Operation::Recover,
    Operation::Revoke,
];

/// What the one list gives beyond the other.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) differences: Vec<Difference>,
    /// Those that only a LIST without its slash shows, which no server asks by itself.
    bare: Vec<Difference>,
    pub(super) open: Vec<Open>,
}

impl Tally {
    /// Puts the differences that only a LIST without its slash shows behind the others, but for those shown already.
    pub(super) fn settle(&mut self) {
        if self.bare.is_empty() {
            return;
        }
        let key = |d: &Difference| {
            let pattern = |decider: &Option<Decider>| decider.as_ref().map(|d| d.pattern.clone());
            (d.asked.operation, d.aspect.clone(), pattern(&d.old), pattern(&d.new))
        };
        let told: HashSet<_> = self.differences.iter().map(key).collect();
        let untold = std::mem::take(&mut self.bare)
            .into_iter()
            .filter(|d| !told.contains(&key(d)));
        self.differences.extend(untold);
    }

    pub(super) const fn shows_any(&self) -> bool {
        !self.differences.is_empty() || !self.bare.is_empty()
    }
}

/// See the module.
pub(super) struct Judge<'a, 's> {
    profile: Profile,
    old: &'s Side<'a>,
    new: &'s Side<'a>,
    beyond: Mask,
    bare_lists: bool,
    seen: HashSet<(Way, Winner, Winner)>,
    pub(super) gained: Tally,
    pub(super) lost: Tally,
}

impl<'a, 's> Judge<'a, 's> {
    pub(super) fn new(profile: Profile, old: &'s Side<'a>, new: &'s Side<'a>, beyond: Mask, bare_lists: bool) -> Self {
        Self {
            profile,
            old,
            new,
            beyond,
            bare_lists,
            seen: HashSet::new(),
            gained: Tally::default(),
            lost: Tally::default(),
        }
    }

    /// Judges all that can be asked of `path`, and a LIST and a SCAN of `path/`.
    pub(super) fn visit(&mut self, path: &str) {
        let plain = (
            self.old.winner(Operation::Read, path),
            self.new.winner(Operation::Read, path),
        );
        if self.is_first(Way::Plain, plain) {
            self.operations(&PLAIN, path, plain);
            self.subscribe(path, plain);
        }
        if self.bare_lists && !path.ends_with('/') && self.is_first(Way::Bare, plain) {
            self.operations(&[Operation::List, Operation::Scan], path, plain);
        }
        if !path.is_empty() {
            let slashed = format!("{path}/");
            for (operation, scan) in [(Operation::List, false), (Operation::Scan, true)] {
                if self.profile.capability(operation).is_none() {
                    continue;
                }
                let pair = (
                    self.old.winner(operation, &slashed),
                    self.new.winner(operation, &slashed),
                );
                if self.is_first(Way::Slashed(scan), pair) {
                    self.operations(&[operation], &slashed, pair);
                }
            }
        }
    }

    /// What no rule decides: `help`, and operations that no policy can name. With a root policy the answer hangs on its
    /// namespace alone, without one it is the same on both sides.
    pub(super) fn beside_rules(&mut self) {
        if !self.old.is_special() && !self.new.is_special() {
            return;
        }
        let mut paths = vec!["x".to_owned()];
        paths.extend(
            [self.old, self.new]
                .into_iter()
                .filter_map(Side::reach)
                .map(|reach| format!("{reach}x")),
        );
        for path in paths {
            self.beside_rules_of(&path);
        }
    }

    fn is_first(&mut self, way: Way, (old, new): (Winner, Winner)) -> bool {
        self.seen.insert((way, old, new))
    }

    fn operations(&mut self, operations: &[Operation], path: &str, pair: (Winner, Winner)) {
        for side in [NEW, OLD] {
            if self.beyond & side == 0 {
                continue;
            }
            let (more, less) = self.grants(side, pair);
            let mut update_told = false;
            for &operation in operations {
                if operation == Operation::Revoke && update_told {
                    continue;
                }
                match conditions::gap(self.profile, operation, more, less) {
                    Gap::Shown(extras) => {
                        update_told |= operation == Operation::Update;
                        self.shown(side, Aspect::Access, asked(operation, path, extras), pair);
                    }
                    Gap::Open(reason) => self.open(side, asked(operation, path, Extras::default()), pair, reason),
                    Gap::None => {}
                }
            }
            if let (Some(more), Some(less)) = (more, less) {
                self.besides(side, operations, path, pair, (more, less));
            }
        }
    }

    /// What both allow, and the one with `sudo`, or on fewer conditions.
    fn besides(
        &mut self,
        side: Mask,
        operations: &[Operation],
        path: &str,
        pair: (Winner, Winner),
        (more, less): (Grant<'_>, Grant<'_>),
    ) {
        let sudo = more.capabilities.contains(Capability::Sudo) && !less.capabilities.contains(Capability::Sudo);
        let mut told_sudo = false;
        let mut told_condition = false;
        for &operation in operations {
            let dropped = dropped_condition(operation, more.constraints, less.constraints);
            if (!sudo || told_sudo) && (dropped.is_none() || told_condition) {
                continue;
            }
            let Some(capability) = self
                .profile
                .capability(operation)
                .filter(|c| less.capabilities.contains(*c))
            else {
                continue;
            };
            if !more.capabilities.contains(capability) {
                continue;
            }
            let mut both = None;
            for grant in [more, less] {
                match conditions::some_request(self.profile, operation, grant) {
                    Gap::Shown(extras) => {
                        let asked = asked(operation, path, extras);
                        let allowed = |s: &Side<'_>| s.acl.decide(&asked.request()).allowed;
                        // Where the other denies it, that is told as access already.
                        if allowed(self.old) && allowed(self.new) {
                            both = Some(asked);
                            break;
                        }
                    }
                    Gap::Open(reason) => self.open(side, asked(operation, path, Extras::default()), pair, reason),
                    Gap::None => {}
                }
            }
            let Some(asked) = both else {
                continue;
            };
            if sudo && !told_sudo {
                told_sudo = true;
                self.shown(side, Aspect::Sudo, asked.clone(), pair);
            }
            if let Some(condition) = dropped.filter(|_| !told_condition) {
                told_condition = true;
                self.shown(side, Aspect::Condition(condition), asked, pair);
            }
        }
    }

    fn subscribe(&mut self, path: &str, pair: (Winner, Winner)) {
        if self.profile.is_openbao() {
            return;
        }
        for side in [NEW, OLD] {
            let (Some(more), less) = self.grants(side, pair) else {
                continue;
            };
            if self.beyond & side == 0 || !more.capabilities.contains(Capability::Subscribe) {
                continue;
            }
            let less = less.filter(|g| g.capabilities.contains(Capability::Subscribe));
            let within = less.is_some_and(|less| {
                let (here, there) = (
                    &more.constraints.subscribe_event_types,
                    &less.constraints.subscribe_event_types,
                );
                there.is_empty() || (!here.is_empty() && here.iter().all(|t| there.contains(t)))
            });
            if !within {
                self.shown(
                    side,
                    Aspect::Subscribe,
                    asked(Operation::Read, path, Extras::default()),
                    pair,
                );
            }
        }
    }

    fn beside_rules_of(&mut self, path: &str) {
        for operation in [Operation::Help, Operation::Other] {
            let request = asked(operation, path, Extras::default());
            let allowed = |side: &Side<'_>| side.acl.decide(&request.request()).allowed;
            let side = match (allowed(self.old), allowed(self.new)) {
                (false, true) => NEW,
                (true, false) => OLD,
                _ => continue,
            };
            let tally = if side == NEW { &self.gained } else { &self.lost };
            let told = tally.differences.iter().any(|d| d.asked.operation == operation);
            if self.beyond & side != 0 && !told {
                let pair = (self.old.winner(operation, path), self.new.winner(operation, path));
                self.shown(side, Aspect::Access, request, pair);
            }
        }
    }

    fn grants(&self, side: Mask, (old, new): (Winner, Winner)) -> (Option<Grant<'a>>, Option<Grant<'a>>) {
        let (old, new) = (self.old.grant(old), self.new.grant(new));
        if side == NEW { (new, old) } else { (old, new) }
    }

    fn shown(&mut self, side: Mask, aspect: Aspect, asked: Asked, pair: (Winner, Winner)) {
        let (more, less) = if side == NEW {
            (self.new, self.old)
        } else {
            (self.old, self.new)
        };
        if !holds(&aspect, &asked, more.acl, less.acl) {
            self.open(side, asked, pair, "the example found does not hold with the engine");
            return;
        }
        let difference = Difference {
            aspect,
            old: decider(self.old, pair.0),
            new: decider(self.new, pair.1),
            asked,
            when: Vec::new(),
        };
        let tally = if side == NEW { &mut self.gained } else { &mut self.lost };
        let lists = matches!(difference.asked.operation, Operation::List | Operation::Scan);
        if lists && !difference.asked.path.ends_with('/') {
            tally.bare.push(difference);
        } else {
            tally.differences.push(difference);
        }
    }

    fn open(&mut self, side: Mask, asked: Asked, pair: (Winner, Winner), reason: &str) {
        let open = Open {
            asked,
            old: decider(self.old, pair.0),
            new: decider(self.new, pair.1),
            reason: reason.to_owned(),
        };
        let tally = if side == NEW { &mut self.gained } else { &mut self.lost };
        tally.open.push(open);
    }
}

fn asked(operation: Operation, path: &str, extras: Extras) -> Asked {
    Asked {
        operation,
        path: path.to_owned(),
        data: extras.data,
        wrap_ttl_ns: extras.wrap_ttl_ns,
    }
}

fn decider(side: &Side<'_>, winner: Winner) -> Option<Decider> {
    let grant = side.grant(winner)?;
    let rule = side.rule(winner);
    let sources = rule.map_or(&[][..], |r| &r.sources);
    Some(Decider {
        pattern: rule.map_or_else(|| "root".to_owned(), |r| r.pattern.to_string()),
        capabilities: grant.capabilities,
        sources: sources
            .iter()
            .filter_map(|s| Some((side.acl.policies().get(s.policy)?.name.clone(), s.origin.clone())))
            .collect(),
    })
}

/// What `less` asks of an allowed request besides, and `more` does not, in words.
fn dropped_condition(operation: Operation, more: &Constraints, less: &Constraints) -> Option<String> {
    if let Some(method) = less.mfa_methods.iter().find(|m| !more.mfa_methods.contains(m)) {
        return Some(format!("MFA by `{method}`"));
    }
    // Only the same is known to ask for as much.
    if less
        .control_groups
        .iter()
        .any(|group| !more.control_groups.contains(group))
    {
        return Some("the approval of a control group".to_owned());
    }
    let lists = matches!(operation, Operation::List | Operation::Scan);
    match &less.list_filter {
        Some(_) if lists && more.list_filter != less.list_filter => {
            Some("the filter `list_scan_response_keys_filter_path`".to_owned())
        }
        _ => None,
    }
}
