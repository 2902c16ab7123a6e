//! What was used, as a matrix to mine roles from.

use super::roles::Matrix;
use crate::usage::demand::Demand;
use crate::vault::PrincipalKind;
use std::collections::BTreeMap;

/// Principals × (path, capability) that were allowed. No role is for a root token, which needs none, or for who has no token.
#[must_use]
pub fn matrix(demands: &[Demand]) -> Matrix {
    let mut permissions: BTreeMap<String, u32> = BTreeMap::new();
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let counts = |kind| !matches!(kind, PrincipalKind::Root | PrincipalKind::Unauthenticated);
    for demand in demands.iter().filter(|d| d.allowed > 0 && counts(d.principal.kind)) {
        let permission = format!("{} {}{}", demand.capability, demand.namespace, demand.path);
        permissions.insert(permission.clone(), 0);
        let user = format!("{}:{}", demand.principal.kind, demand.principal.id);
        rows.entry(user).or_default().push(permission);
    }
    for (n, number) in permissions.values_mut().zip(0_u32..).map(|(v, n)| (n, v)) {
        *number = n;
    }
    let mut matrix = Matrix::from_rows(
        permissions.len(),
        rows.values()
            .map(|row| row.iter().filter_map(|p| permissions.get(p).copied()).collect())
            .collect(),
    );
    matrix.users = rows.into_keys().collect();
    matrix.permissions = permissions.into_keys().collect();
    matrix
}
