//! `dangling-group-or-role`: an auth role, group or entity of the deployment that names what does not exist, or gives nothing.

use super::about;
use crate::advice::Severity;
use crate::analysis::rule::{Context, Draft, Rule, count, quoted};
use crate::deployment::{AuthRole, Deployment, Group};
use std::collections::{HashMap, HashSet};

/// The rule.
pub struct DanglingGroupOrRole;

impl Rule for DanglingGroupOrRole {
    fn id(&self) -> &'static str {
        "dangling-group-or-role"
    }

    fn severity(&self) -> Severity {
        Severity::Low
    }

    fn summary(&self) -> &'static str {
        "a group, role or entity that names a policy that does not exist, or a group without members or policies"
    }

    fn check(&self, context: &Context<'_>) -> Vec<Draft> {
        let Some(deployment) = context.deployment else {
            return Vec::new();
        };
        let known = Known::of(context, deployment);
        let roles = deployment.roles.iter().filter_map(|role| of_role(role, &known));
        let groups = deployment.groups.iter().flat_map(|group| of_group(group, &known));
        let entities = deployment.entities.iter().filter_map(|entity| {
            let gone = known.gone(&entity.namespace, &entity.policies);
            let mut draft = about("principal", &entity.namespace, "entity", &entity.id, &entity.name);
            draft.title = format!(
                "entity `{}` names {} that {} not exist",
                entity.name,
                policies(&gone),
                do_(&gone)
            );
            draft.detail = format!("Nothing was read for {}.", quoted(&gone, 5));
            draft.remedy = REMEDY_POLICY.to_owned();
            (!gone.is_empty()).then_some(draft)
        });
        about::once(roles.chain(groups).chain(entities).collect())
    }
}

const REMEDY_POLICY: &str = "Take the name out, or write the policy: until then whoever may write policies decides what the name gives. If it \
                             exists, export it too.";

/// What exists.
struct Known<'a> {
    policies: HashSet<(&'a str, &'a str)>,
    entities: HashSet<&'a str>,
    groups: HashMap<&'a str, &'a Group>,
    /// Ids of groups that have another group above them.
    nested: HashSet<&'a str>,
}

impl<'a> Known<'a> {
    fn of(context: &Context<'a>, deployment: &'a Deployment) -> Self {
        Self {
            policies: context
                .joined
                .policies
                .iter()
                .map(|p| (&*p.namespace, &*p.name))
                .collect(),
            entities: deployment.entities.iter().map(|e| e.id.as_str()).collect(),
            groups: deployment.groups.iter().map(|g| (g.id.as_str(), g)).collect(),
            nested: deployment
                .groups
                .iter()
                .flat_map(|g| g.member_groups.iter().map(String::as_str))
                .collect(),
        }
    }

    /// Of these names those that no policy of the namespace was read for.
    fn gone<'n>(&self, namespace: &str, names: &'n [String]) -> Vec<&'n str> {
        let exists = |name: &str| self.policies.contains(&(namespace, name));
        let names = names.iter().map(String::as_str);
        names
            .filter(|name| !about::is_built_in(name) && !exists(&name.trim().to_lowercase()))
            .collect()
    }
}

fn of_role(role: &AuthRole, known: &Known<'_>) -> Option<Draft> {
    let named: Vec<String> = role
        .policies
        .iter()
        .chain(role.allowed_policies.iter().filter(|p| !p.contains('*')))
        .cloned()
        .collect();
    let gone = known.gone(&role.namespace, &named);
    let what = if role.item.is_empty() {
        "role"
    } else {
        role.item.as_str()
    };
    let key = format!("{}{}", role.mount, role.name);
    let mut draft = about("role", &role.namespace, what, &key, &role.name);
    let who = format!("{what} `{}` of `{}`", role.name, role.mount);
    if gone.is_empty() {
        return None;
    }
    draft.title = format!("{who} names {} that {} not exist", policies(&gone), do_(&gone));
    if gone.len() == named.len() {
        draft.detail = format!(
            "None of what it names was read: {}. Who logs in by it gets next to nothing.",
            quoted(&gone, 5)
        );
        draft.severity = Some(Severity::Medium);
    } else {
        draft.detail = format!("Nothing was read for {}.", quoted(&gone, 5));
    }
    draft.remedy = REMEDY_POLICY.to_owned();
    Some(draft)
}

fn of_group(group: &Group, known: &Known<'_>) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let new = |what: &str| about("group", &group.namespace, what, group.key(), &group.name);
    let gone = known.gone(&group.namespace, &group.policies);
    if !gone.is_empty() {
        let mut draft = new("group");
        draft.title = format!(
            "group `{}` names {} that {} not exist",
            group.name,
            policies(&gone),
            do_(&gone)
        );
        draft.detail = format!(
            "Nothing was read for {}; it has {}.",
            quoted(&gone, 5),
            count(group.member_entities.len(), "member")
        );
        draft.remedy = REMEDY_POLICY.to_owned();
        drafts.push(draft);
    }
    let nobody = group.member_entities.is_empty() && group.member_groups.is_empty();
    if nobody {
        let mut draft = new("group without members");
        draft.title = format!("group `{}` has no members", group.name);
        draft.detail = if group.external {
            "Its members come from an auth method when they log in; nobody did.".to_owned()
        } else {
            format!("Nobody gets {} through it.", policies_of(group))
        };
        draft.remedy = "Delete the group, or add the members that belong there.".to_owned();
        draft.severity = group.external.then_some(Severity::Info);
        drafts.push(draft);
    }
    let lost: Vec<&str> = group
        .member_entities
        .iter()
        .map(String::as_str)
        .filter(|id| !known.entities.contains(id) && !known.entities.is_empty())
        .chain(
            group
                .member_groups
                .iter()
                .map(String::as_str)
                .filter(|id| !known.groups.contains_key(id)),
        )
        .collect();
    if !lost.is_empty() {
        let mut draft = new("group with lost members");
        draft.title = format!("group `{}` has members that do not exist", group.name);
        draft.detail = format!("No entity or group has the id {}.", quoted(&lost, 3));
        draft.remedy = "Take them out of the group.".to_owned();
        draft.severity = Some(Severity::Info);
        drafts.push(draft);
    }
    if group.policies.is_empty() && !nobody && !known.nested.contains(group.id.as_str()) {
        let mut draft = new("group without policies");
        draft.title = format!("group `{}` gives no policy", group.name);
        draft.detail =
            "It has members, no policy, and is in no other group. Templates may still refer to it by name.".to_owned();
        draft.remedy = "Delete it, unless a template or a control group names it.".to_owned();
        draft.severity = Some(Severity::Info);
        drafts.push(draft);
    }
    drafts
}

fn about(kind: &'static str, namespace: &str, what: &str, id: &str, name: &str) -> Draft {
    Draft {
        kind,
        name: name.to_owned(),
        key: format!("{namespace} {what} {id}"),
        ..Draft::default()
    }
}

fn policies(names: &[&str]) -> &'static str {
    if names.len() == 1 { "a policy" } else { "policies" }
}

fn do_(names: &[&str]) -> &'static str {
    if names.len() == 1 { "does" } else { "do" }
}

fn policies_of(group: &Group) -> String {
    if group.policies.is_empty() {
        "anything".to_owned()
    } else {
        quoted(&group.policies, 5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::rules::testing::{check, titles};

    #[test]
    fn fixtures() {
        let found = check(
            &DanglingGroupOrRole,
            include_str!("../../../fixtures/rules/dangling-group-or-role/found.txt"),
        );
        let titles_found: Vec<&str> = found.iter().map(|d| &*d.title).collect();
        assert_eq!(
            titles_found,
            [
                "role `web` of `auth/approle/` names a policy that does not exist",
                "role `old` of `auth/approle/` names policies that do not exist",
                "group `ops` names a policy that does not exist",
                "group `empty` has no members",
                "group `ghosts` has members that do not exist",
                "group `idle` gives no policy",
                "entity `ann` names a policy that does not exist",
            ]
        );
        assert_eq!(found[1].severity, Some(Severity::Medium));
        let clean = include_str!("../../../fixtures/rules/dangling-group-or-role/clean.txt");
        assert!(titles(&DanglingGroupOrRole, clean).is_empty());
    }
}
