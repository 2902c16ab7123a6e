//! Equal users and equal permissions, merged into classes.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: a matrix has its rows of permissions and a label for each user, all by number; no class is empty.

use std::collections::HashMap;

use crate::optimize::roles::matrix::Matrix;
use crate::optimize::roles::model::{Objective, Options};

/// No cell, and no class.
pub const NONE: u32 = u32::MAX;

/// An existing role that may be used for nothing.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its permission classes, sorted.
    pub permissions: Vec<u32>,
    /// Its place in [`Options::keep`].
    pub index: usize,
}

/// With tolerated over-grant every pair may become a cell; beyond this many none does.
const MOST_OPTIONAL: usize = 1 << 22;

/// A matrix whose users and permissions are classes.
pub(super) struct Merged<'m> {
    matrix: &'m Matrix,
    /// What may be added to each user's row.
    optional: Vec<Vec<u32>>,
    /// The users of each class.
    pub(super) users: Vec<Vec<u32>>,
    /// The label of each class of users.
    pub(super) labels: Vec<u32>,
    /// The permissions of each class.
    pub(super) permissions: Vec<Vec<u32>>,
    /// The class of each permission; [`NONE`] of one that nobody has.
    class_of: Vec<u32>,
    /// The existing roles, by permission classes.
    pub(super) keep: Vec<Kept>,
}

impl<'m> Merged<'m> {
    pub(super) fn of(matrix: &'m Matrix, options: &Options<'_>) -> Self {
        let optional = optional_rows(matrix, options);
        let labels = label_numbers(matrix, options);
        let keep = existing_roles(matrix, options);
        let users = user_classes(matrix, &optional, &labels);
        let (permissions, class_of) = permission_classes(matrix, &optional, &users, &keep);
        Self {
            matrix,
            optional,
            labels: users.iter().map(|members| labels[members[0] as usize]).collect(),
            users,
            permissions,
            keep: keep
                .into_iter()
                .filter_map(|role| in_classes(role, &class_of))
                .collect(),
            class_of,
        }
    }

    /// The permission classes of a class of users, sorted: those that it has, and (with false) those that may be added.
    pub(super) fn row(&self, members: &[u32]) -> Vec<(u32, bool)> {
        let u = members[0] as usize;
        let has = self.matrix.rows[u].iter().map(|&p| (self.class_of[p as usize], true));
        let mut row: Vec<(u32, bool)> = has.collect();
        let extra = self.optional.get(u).into_iter().flatten();
        let extra = extra.map(|&p| (self.class_of[p as usize], false));
        row.extend(extra.filter(|&(class, _)| class != NONE));
        row.sort_unstable();
        row.dedup();
        row
    }
}

/// The existing roles that hold nothing beyond the matrix, each with its place in the options.
fn existing_roles(matrix: &Matrix, options: &Options<'_>) -> Vec<(usize, Vec<u32>)> {
    let mut keeps: Vec<Vec<u32>> = options.keep.clone();
    keeps.iter_mut().for_each(|set| {
        set.sort_unstable();
        set.dedup();
    });
    keeps
        .into_iter()
        .enumerate()
        .filter(|(_, set)| set.last().is_some_and(|&p| (p as usize) < matrix.permissions.len()))
        .collect()
}

/// Two users are one when row, optional row and label agree.
fn user_classes(matrix: &Matrix, optional: &[Vec<u32>], labels: &[u32]) -> Vec<Vec<u32>> {
    let mut ids: HashMap<(&[u32], &[u32], u32), usize> = HashMap::new();
    let mut members: Vec<Vec<u32>> = Vec::new();
    for (u, row) in matrix.rows.iter().enumerate().filter(|(_, row)| !row.is_empty()) {
        let extra = optional.get(u).map_or(&[][..], Vec::as_slice);
        let next = members.len();
        let class = *ids.entry((row, extra, labels[u])).or_insert(next);
        if class == next {
            members.push(Vec::new());
        }
        members[class].push(u as u32);
    }
    members
}

/// Two permissions are one when they have the same user classes and the same existing roles.
fn permission_classes(
    matrix: &Matrix,
    optional: &[Vec<u32>],
    users: &[Vec<u32>],
    keeps: &[(usize, Vec<u32>)],
) -> (Vec<Vec<u32>>, Vec<u32>) {
    let mut signatures: Vec<Vec<u32>> = vec![Vec::new(); matrix.permissions.len()];
    for (class, members) in users.iter().enumerate() {
        let u = members[0] as usize;
        for &p in &matrix.rows[u] {
            signatures[p as usize].push(2 * class as u32);
        }
        for &p in optional.get(u).into_iter().flatten() {
            signatures[p as usize].push(2 * class as u32 + 1);
        }
    }
    let used: Vec<bool> = signatures.iter().map(|s| s.iter().any(|x| x % 2 == 0)).collect();
    for (index, set) in keeps {
        for &p in set {
            signatures[p as usize].push(u32::MAX - *index as u32);
        }
    }
    let mut ids: HashMap<&[u32], u32> = HashMap::new();
    let mut members: Vec<Vec<u32>> = Vec::new();
    let mut class_of: Vec<u32> = vec![NONE; matrix.permissions.len()];
    for (p, signature) in signatures.iter().enumerate().filter(|(p, _)| used[*p]) {
        let next = members.len() as u32;
        let class = *ids.entry(signature).or_insert(next);
        if class == next {
            members.push(Vec::new());
        }
        members[class as usize].push(p as u32);
        class_of[p] = class;
    }
    (members, class_of)
}

/// An existing role by classes. One that holds a permission nobody here has is of no use: it would grant it to its users.
fn in_classes((index, set): (usize, Vec<u32>), class_of: &[u32]) -> Option<Kept> {
    let mut permissions: Vec<u32> = set.iter().map(|&p| class_of[p as usize]).collect();
    permissions.sort_unstable();
    permissions.dedup();
    (!permissions.contains(&NONE)).then_some(Kept { permissions, index })
}

/// What may be added to each user's row: nothing unless over-grant has a price.
fn optional_rows(matrix: &Matrix, options: &Options<'_>) -> Vec<Vec<u32>> {
    if options.over_grant.is_none() || options.objective == Objective::Natural {
        return Vec::new();
    }
    let width = matrix.permissions.len();
    let mut rows = match options.allowed {
        Some(allowed) => matrix.translate(allowed),
        None if matrix.rows.len().saturating_mul(width) <= MOST_OPTIONAL => {
            vec![(0..width as u32).collect(); matrix.rows.len()]
        }
        None => return Vec::new(),
    };
    for (row, have) in rows.iter_mut().zip(&matrix.rows) {
        row.retain(|p| have.binary_search(p).is_err());
    }
    rows
}

/// A number for every user's label.
fn label_numbers(matrix: &Matrix, options: &Options<'_>) -> Vec<u32> {
    let mut ids: HashMap<&str, u32> = HashMap::new();
    (0..matrix.rows.len())
        .map(|u| {
            let label = options
                .affinity
                .and_then(|labels| labels.get(u))
                .map_or("", String::as_str);
            let next = ids.len() as u32;
            *ids.entry(label).or_insert(next)
        })
        .collect()
}
