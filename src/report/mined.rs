//! Roles mined from a matrix, as JSON.

use crate::optimize::roles::{Matrix, Mined, Objective};
use serde_json::{Value, json};

/// The roles by the names of users and permissions, with what they cost and how long they took.
#[must_use]
pub fn document(matrix: &Matrix, objective: Objective, mined: &Mined, seconds: f64) -> Value {
    let user = |u: &u32| matrix.users.get(*u as usize).map_or("", String::as_str);
    let permission = |p: &u32| matrix.permissions.get(*p as usize).map_or("", String::as_str);
    let pair = |(u, p): &(u32, u32)| json!([user(u), permission(p)]);
    let mut document = json!({
        "users": matrix.users.len(),
        "permissions": matrix.permissions.len(),
        "assignments": matrix.ones(),
        "objective": objective.name(),
        "roles": mined.roles.iter().map(|r| json!({
            "users": r.users.iter().map(user).collect::<Vec<_>>(),
            "permissions": r.permissions.iter().map(permission).collect::<Vec<_>>(),
            "kept": r.kept.is_some(),
            "near": r.near.iter().map(user).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "count": mined.count,
        "edges": mined.edges,
        "wsc": mined.wsc,
        "cost": mined.cost,
        "lower_bound": mined.lower_bound,
        "optimal": mined.optimal,
        "seconds": seconds,
    });
    if let Some(object) = document.as_object_mut() {
        if !mined.added.is_empty() {
            object.insert("added".to_owned(), mined.added.iter().map(pair).collect());
        }
        if !mined.direct.is_empty() {
            object.insert("direct".to_owned(), mined.direct.iter().map(pair).collect());
        }
    }
    document
}
