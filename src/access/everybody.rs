//! Everybody and everything that holds policies, for the question who reaches a path.

use super::joined::Joined;
use crate::deployment::Deployment;
use crate::policy::model::Policy;
use crate::policy::template::Identity;
use crate::policy::who_can::Holder;
use crate::vault::PrincipalKind;
use std::sync::Arc;

/// Principals, then what hands out policies, then the policies themselves.
#[must_use]
pub fn everybody<'p>(joined: &'p Joined, deployment: Option<&Deployment>, root: &'p Policy) -> Vec<Holder<'p>> {
    let mut all = Vec::new();
    // Without logs nobody was there to be seen.
    let seen_any = !joined.demands.is_empty() || joined.holders.iter().any(|holder| holder.is_active());
    for (h, holder) in joined.holders.numbered() {
        if holder.principal.kind == PrincipalKind::Unauthenticated {
            continue;
        }
        let mut policies = joined.policies.listed(&joined.current_set(h).policies);
        if joined.acts_as_root(h) && policies.iter().all(|p| !p.is_root()) {
            policies.push(root);
        }
        all.push(Holder {
            kind: Arc::from(if holder.is_active() || !seen_any {
                "principal"
            } else {
                "principal (never seen)"
            }),
            name: Arc::from(format!("{}{}", holder.namespace, holder.display())),
            policies,
            identity: holder.identity.clone(),
        });
    }
    // The policies of a role or a group are those of its own namespace.
    let named = |namespace: &str, names: &[String]| -> Vec<&'p Policy> {
        let of = |name: &String| {
            let mut read = joined.policies.iter();
            read.find(|p| *p.namespace == *namespace && *p.name == **name)
        };
        names.iter().filter_map(of).collect()
    };
    for role in deployment.into_iter().flat_map(|d| &d.roles) {
        all.push(Holder {
            kind: Arc::from(format!("{} {}", role.kind, role.item)),
            name: Arc::from(format!("{}{}{}", role.namespace, role.mount, role.name)),
            policies: {
                let mut names = role.policies.clone();
                if !role.no_default_policy && role.kind != "token" && names.iter().all(|n| n != "default") {
                    names.push("default".to_owned());
                }
                named(&role.namespace, &names)
            },
            identity: Identity::default(),
        });
    }
    for group in deployment.into_iter().flat_map(|d| &d.groups) {
        all.push(Holder {
            kind: Arc::from("group"),
            name: Arc::from(format!("{}{}", group.namespace, group.name)),
            policies: named(&group.namespace, &group.policies),
            identity: Identity::default(),
        });
    }
    for policy in &joined.policies {
        all.push(Holder {
            kind: Arc::from("policy"),
            name: Arc::from(format!("{}{}", policy.namespace, policy.name)),
            policies: vec![policy],
            identity: Identity::default(),
        });
    }
    all
}
