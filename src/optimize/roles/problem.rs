//! The matrix as the solvers see it: equal users and equal permissions merged into weighted classes, cells numbered, prices as integers.
//!
//! Merging loses nothing: in any set of roles the copies of a user may all take the cheapest copy's roles, and the same holds for permissions.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: user and permission classes are numbered 0..users() and 0..permissions(), every table here has exactly that length,
// and rows, columns and kept sets hold only such numbers; cells are numbered 0..cells() in row order.

use super::merge::Merged;
pub use super::merge::{Kept, NONE};
use crate::optimize::roles::matrix::Matrix;
use crate::optimize::roles::model::{Objective, Options};

/// What one edge costs in the solvers' integers; finer differences (ties) are parts of it.
pub const UNIT: i64 = 1024;
/// The tables from (user, permission) to the cell are dense up to this many entries, else found by bisection.
const DENSE_ENTRIES: usize = 1 << 24;

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
        let merged = Merged::of(matrix, options);
        let Cells {
            rows,
            starts,
            columns,
            needed,
            added_price,
        } = Cells::of(&merged, options);
        let weight = |members: &Vec<u32>| members.len() as i64 * UNIT;
        let role_price = match options.objective {
            // More than all edges of the worst cover, so that edges only break ties.
            Objective::Roles => UNIT * (matrix.ones() + matrix.rows.len() + matrix.permissions.len() + 1) as i64,
            Objective::Edges | Objective::Natural => 1,
            Objective::Wsc => UNIT,
        };
        Self {
            label_price: if options.affinity.is_some() { UNIT / 32 } else { 0 },
            max_roles: options.max_roles_per_user.map_or(usize::MAX, |k| k.max(1) as usize),
            user_price: merged.users.iter().map(weight).collect(),
            permission_price: merged.permissions.iter().map(weight).collect(),
            role_price,
            table: dense(&rows, &starts, columns.len()),
            rows,
            starts,
            columns,
            needed,
            added_price,
            labels: merged.labels,
            user_members: merged.users,
            permission_members: merged.permissions,
            keep: merged.keep,
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

/// The pairs of a user and a permission class that may be granted, numbered row by row.
struct Cells {
    rows: Vec<Vec<u32>>,
    starts: Vec<u32>,
    columns: Vec<Vec<(u32, u32)>>,
    needed: Vec<bool>,
    added_price: Vec<i64>,
}

impl Cells {
    fn of(merged: &Merged<'_>, options: &Options<'_>) -> Self {
        let mut cells = Self {
            rows: Vec::with_capacity(merged.users.len()),
            starts: Vec::with_capacity(merged.users.len()),
            columns: vec![Vec::new(); merged.permissions.len()],
            needed: Vec::new(),
            added_price: Vec::new(),
        };
        let price = options.over_grant.unwrap_or_default().max(0.0);
        for (class, members) in merged.users.iter().enumerate() {
            let row = merged.row(members);
            cells.starts.push(cells.needed.len() as u32);
            for &(p, need) in &row {
                let pairs = (members.len() * merged.permissions[p as usize].len()) as f64;
                cells.columns[p as usize].push((class as u32, cells.needed.len() as u32));
                cells.needed.push(need);
                cells.added_price.push(if need {
                    0
                } else {
                    (price * pairs * UNIT as f64).round() as i64
                });
            }
            cells.rows.push(row.into_iter().map(|(p, _)| p).collect());
        }
        cells
    }
}

/// The cell of every pair, [`NONE`] where there is none; nothing where that were too many.
fn dense(rows: &[Vec<u32>], starts: &[u32], width: usize) -> Option<Vec<u32>> {
    let entries = rows.len() * width;
    (entries <= DENSE_ENTRIES).then(|| {
        let mut table = vec![NONE; entries];
        for (u, row) in rows.iter().enumerate() {
            for (&p, cell) in row.iter().zip(starts[u]..) {
                table[u * width + p as usize] = cell;
            }
        }
        table
    })
}
