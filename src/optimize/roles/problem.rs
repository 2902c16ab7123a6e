//! The matrix as the solvers see it: equal users and equal permissions merged into weighted classes, cells numbered, prices as integers.
//!
//! Merging loses nothing: in any set of roles the copies of a user may all take the cheapest copy's roles, and the same holds for permissions.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: user and permission classes are numbered 0..users() and 0..permissions(), every table here has exactly that length,
// and rows, columns and kept sets hold only such numbers; cells are numbered 0..cells() in row order.

use std::collections::HashMap;

use crate::optimize::roles::matrix::Matrix;
use crate::optimize::roles::model::{Objective, Options};

/// What one edge costs in the solvers' integers; finer differences (ties) are parts of it.
pub const UNIT: i64 = 1024;
/// No cell.
pub const NONE: u32 = u32::MAX;
/// The tables from (user, permission) to the cell are dense up to this many entries, else found by bisection.
const DENSE_ENTRIES: usize = 1 << 24;
/// With tolerated over-grant every pair may become a cell; beyond this many none does.
const MOST_OPTIONAL: usize = 1 << 22;

/// The merged matrix with prices.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The users of each class.
    pub user_members: Vec<Vec<u32>>,
    /// The permissions of each class.
    pub permission_members: Vec<Vec<u32>>,
    /// Price of one membership of the class.
    pub user_price: Vec<i64>,
    /// Price of the class in one role.
    pub permission_price: Vec<i64>,
    /// Price of a role.
    pub role_price: i64,
    /// For every user class its permission classes, sorted: what it has, and what may be added.
    pub rows: Vec<Vec<u32>>,
    /// Number of the first cell of each row.
    pub starts: Vec<u32>,
    /// For every permission class its user classes, sorted, with the cells.
    pub columns: Vec<Vec<(u32, u32)>>,
    /// Whether the cell has to be granted (else it may be, at `added_price`).
    pub needed: Vec<bool>,
    /// Price of granting the cell: 0 where needed.
    pub added_price: Vec<i64>,
    /// Label of each user class.
    pub labels: Vec<u32>,
    /// Price of every further label in one role.
    pub label_price: i64,
    /// Existing roles, by permission classes, sorted.
    pub keep: Vec<Kept>,
    /// Most roles a user.
    pub max_roles: usize,
    table: Option<Vec<u32>>,
}

/// An existing role that may be used for nothing.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its permission classes, sorted.
    pub permissions: Vec<u32>,
    /// Its place in [`Options::keep`].
    pub index: usize,
}

/// The members of these classes together, sorted.
pub fn members(classes: &[u32], members: &[Vec<u32>]) -> Vec<u32> {
    let of = classes.iter().filter_map(|&c| members.get(c as usize));
    let mut all: Vec<u32> = of.flatten().copied().collect();
    all.sort_unstable();
    all
}

impl Problem {
    /// Merges `matrix` under `options`.
    pub fn new(matrix: &Matrix, options: &Options<'_>) -> Self {
        let optional = optional_rows(matrix, options);
        let labels = label_numbers(matrix, options);

        let mut keeps: Vec<Vec<u32>> = options.keep.clone();
        keeps.iter_mut().for_each(|set| {
            set.sort_unstable();
            set.dedup();
        });
        let keeps: Vec<(usize, Vec<u32>)> = keeps
            .into_iter()
            .enumerate()
            .filter(|(_, set)| set.last().is_some_and(|&p| (p as usize) < matrix.permissions.len()))
            .collect();

        // Users first: two are one when row, optional row and label agree.
        let mut user_ids: HashMap<(&[u32], &[u32], u32), usize> = HashMap::new();
        let mut user_members: Vec<Vec<u32>> = Vec::new();
        for (u, row) in matrix.rows.iter().enumerate().filter(|(_, row)| !row.is_empty()) {
            let extra = optional.get(u).map_or(&[][..], Vec::as_slice);
            let next = user_members.len();
            let class = *user_ids.entry((row, extra, labels[u])).or_insert(next);
            if class == next {
                user_members.push(Vec::new());
            }
            user_members[class].push(u as u32);
        }

        // Then permissions: two are one when they have the same user classes and the same existing roles.
        let mut signatures: Vec<Vec<u32>> = vec![Vec::new(); matrix.permissions.len()];
        for (class, members) in user_members.iter().enumerate() {
            let u = members[0] as usize;
            for &p in &matrix.rows[u] {
                signatures[p as usize].push(2 * class as u32);
            }
            for &p in optional.get(u).into_iter().flatten() {
                signatures[p as usize].push(2 * class as u32 + 1);
            }
        }
        let used: Vec<bool> = signatures.iter().map(|s| s.iter().any(|x| x % 2 == 0)).collect();
        for (index, set) in &keeps {
            for &p in set {
                signatures[p as usize].push(u32::MAX - *index as u32);
            }
        }
        let mut permission_ids: HashMap<&[u32], u32> = HashMap::new();
        let mut permission_members: Vec<Vec<u32>> = Vec::new();
        let mut class_of: Vec<u32> = vec![NONE; matrix.permissions.len()];
        for (p, signature) in signatures.iter().enumerate() {
            if !used[p] {
                continue;
            }
            let next = permission_members.len() as u32;
            let class = *permission_ids.entry(signature).or_insert(next);
            if class == next {
                permission_members.push(Vec::new());
            }
            permission_members[class as usize].push(p as u32);
            class_of[p] = class;
        }

        // An existing role that holds a permission nobody here has is of no use: it would grant it to its users.
        let keep = keeps
            .into_iter()
            .filter(|(_, set)| set.iter().all(|&p| used[p as usize]))
            .map(|(index, set)| {
                let mut permissions: Vec<u32> = set.iter().map(|&p| class_of[p as usize]).collect();
                permissions.sort_unstable();
                permissions.dedup();
                Kept { permissions, index }
            })
            .collect();

        let mut rows: Vec<Vec<u32>> = Vec::with_capacity(user_members.len());
        let mut starts = Vec::with_capacity(user_members.len());
        let mut columns = vec![Vec::new(); permission_members.len()];
        let (mut needed, mut added_price) = (Vec::new(), Vec::new());
        let price = options.over_grant.unwrap_or_default().max(0.0);
        for (class, members) in user_members.iter().enumerate() {
            let u = members[0] as usize;
            let mut row: Vec<(u32, bool)> = matrix.rows[u].iter().map(|&p| (class_of[p as usize], true)).collect();
            let extra = optional.get(u).into_iter().flatten();
            row.extend(
                extra
                    .filter(|&&p| used[p as usize])
                    .map(|&p| (class_of[p as usize], false)),
            );
            row.sort_unstable();
            row.dedup();
            starts.push(needed.len() as u32);
            for &(p, need) in &row {
                let pairs = (members.len() * permission_members[p as usize].len()) as f64;
                columns[p as usize].push((class as u32, needed.len() as u32));
                needed.push(need);
                added_price.push(if need {
                    0
                } else {
                    (price * pairs * UNIT as f64).round() as i64
                });
            }
            rows.push(row.into_iter().map(|(p, _)| p).collect());
        }

        let weight = |members: &Vec<u32>| members.len() as i64 * UNIT;
        let user_price: Vec<i64> = user_members.iter().map(weight).collect();
        let permission_price: Vec<i64> = permission_members.iter().map(weight).collect();
        let role_price = match options.objective {
            // More than all edges of the worst cover, so that edges only break ties.
            Objective::Roles => UNIT * (matrix.ones() + matrix.rows.len() + matrix.permissions.len() + 1) as i64,
            Objective::Edges | Objective::Natural => 1,
            Objective::Wsc => UNIT,
        };
        let entries = rows.len() * permission_members.len();
        let table = (entries <= DENSE_ENTRIES).then(|| {
            let mut table = vec![NONE; entries];
            for (u, row) in rows.iter().enumerate() {
                for (&p, cell) in row.iter().zip(starts[u]..) {
                    table[u * permission_members.len() + p as usize] = cell;
                }
            }
            table
        });
        Self {
            labels: user_members.iter().map(|m| labels[m[0] as usize]).collect(),
            label_price: if options.affinity.is_some() { UNIT / 32 } else { 0 },
            max_roles: options.max_roles_per_user.map_or(usize::MAX, |k| k.max(1) as usize),
            user_members,
            permission_members,
            user_price,
            permission_price,
            role_price,
            rows,
            starts,
            columns,
            needed,
            added_price,
            keep,
            table,
        }
    }

    /// How many user classes.
    pub fn users(&self) -> usize {
        self.rows.len()
    }

    /// How many permission classes.
    pub fn permissions(&self) -> usize {
        self.columns.len()
    }

    /// How many cells.
    pub fn cells(&self) -> usize {
        self.needed.len()
    }

    /// The cell of a user and a permission class, [`NONE`] where the user may not have it.
    #[inline]
    pub fn cell(&self, user: u32, permission: u32) -> u32 {
        if let Some(table) = &self.table {
            return table[user as usize * self.columns.len() + permission as usize];
        }
        match self.rows[user as usize].binary_search(&permission) {
            Ok(at) => self.starts[user as usize] + at as u32,
            Err(_) => NONE,
        }
    }

    /// Whether the user may have all of these permissions.
    #[inline]
    pub fn may_have(&self, user: u32, permissions: &[u32]) -> bool {
        permissions.len() <= self.rows[user as usize].len() && permissions.iter().all(|&p| self.cell(user, p) != NONE)
    }

    /// Whether all of these users may have the permission.
    #[inline]
    pub fn may_be_had(&self, permission: u32, users: &[u32]) -> bool {
        users.len() <= self.columns[permission as usize].len()
            && users.iter().all(|&u| self.cell(u, permission) != NONE)
    }

    /// The user and the permission of every cell.
    pub fn coordinates(&self) -> Vec<(u32, u32)> {
        (0_u32..)
            .zip(&self.rows)
            .flat_map(|(u, row)| row.iter().map(move |&p| (u, p)))
            .collect()
    }

    /// The largest role with these users: all they have in common, and all who have that.
    pub fn close_users(&self, users: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let permissions = self.common_permissions(users);
        (self.common_users(&permissions), permissions)
    }

    /// The permissions that all of these users may have.
    pub fn common_permissions(&self, users: &[u32]) -> Vec<u32> {
        let Some(&first) = users.iter().min_by_key(|&&u| self.rows[u as usize].len()) else {
            return Vec::new();
        };
        self.rows[first as usize]
            .iter()
            .copied()
            .filter(|&p| self.may_be_had(p, users))
            .collect()
    }

    /// The users who may have all of these permissions.
    pub fn common_users(&self, permissions: &[u32]) -> Vec<u32> {
        let Some(&first) = permissions.iter().min_by_key(|&&p| self.columns[p as usize].len()) else {
            return Vec::new();
        };
        let column = self.columns[first as usize].iter();
        column
            .map(|&(u, _)| u)
            .filter(|&u| self.may_have(u, permissions))
            .collect()
    }
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
