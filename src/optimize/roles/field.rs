//! Cells of the matrix with their neighbours: two cells are neighbours when one role can hold both. No graph is stored, so that there may be
//! very many of them.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: cells are numbered 0..cells(), users 0..users.len(), permissions 0..permissions.len(); a bit table has `user_words` words for
// each permission or `permission_words` for each user; the problem's users and permissions come from the problem.

use crate::optimize::roles::problem::{NONE, Problem};

/// Bit tables of more bits than this would not be worth their memory.
const MOST_BITS: usize = 1 << 28;

/// Some cells of a problem with their users and permissions, numbered anew, and what these may have as bits.
pub struct Field<'a> {
    problem: &'a Problem,
    /// The problem's number of each user, ascending.
    users: Vec<u32>,
    /// The problem's number of each permission, ascending.
    permissions: Vec<u32>,
    /// User and permission of every cell.
    pub at: Vec<(u32, u32)>,
    /// For every user its cells, with their permissions.
    pub rows: Vec<Vec<(u32, u32)>>,
    /// For every permission its cells, with their users.
    pub columns: Vec<Vec<(u32, u32)>>,
    /// For every permission all who may have it.
    holders: Vec<Vec<u32>>,
    /// The cell of every cell of the problem, [`NONE`] for those that are left out.
    number: Vec<u32>,
    user_words: usize,
    permission_words: usize,
    row_bits: Vec<u64>,
    column_bits: Vec<u64>,
}

impl<'a> Field<'a> {
    /// The field of these cells of the problem; nothing where it is too large.
    pub fn new(problem: &'a Problem, kernel: &[u32]) -> Option<Self> {
        let coordinates = problem.coordinates();
        let whole: Vec<(u32, u32)> = kernel.iter().map(|&cell| coordinates[cell as usize]).collect();
        let (users, user_ids) = numbered(whole.iter().map(|&(u, _)| u), problem.users());
        let (permissions, permission_ids) = numbered(whole.iter().map(|&(_, p)| p), problem.permissions());
        if users.len().saturating_mul(permissions.len()) > MOST_BITS {
            return None;
        }
        let (mut rows, mut columns) = (vec![Vec::new(); users.len()], vec![Vec::new(); permissions.len()]);
        let mut number = vec![NONE; problem.cells()];
        let mut at = Vec::with_capacity(kernel.len());
        for (cell, (&(u, p), &of_problem)) in (0_u32..).zip(whole.iter().zip(kernel)) {
            let (u, p) = (user_ids[u as usize], permission_ids[p as usize]);
            rows[u as usize].push((p, cell));
            columns[p as usize].push((u, cell));
            number[of_problem as usize] = cell;
            at.push((u, p));
        }
        let (user_words, permission_words) = (users.len().div_ceil(64), permissions.len().div_ceil(64));
        let mut row_bits = vec![0_u64; users.len() * permission_words];
        let mut column_bits = vec![0_u64; permissions.len() * user_words];
        let mut holders = vec![Vec::new(); permissions.len()];
        for (u, &user) in (0_u32..).zip(&users) {
            let row = problem.rows[user as usize].iter().map(|&p| permission_ids[p as usize]);
            for p in row.filter(|&p| p != NONE) {
                row_bits[u as usize * permission_words + p as usize / 64] |= 1 << (p % 64);
                column_bits[p as usize * user_words + u as usize / 64] |= 1 << (u % 64);
                holders[p as usize].push(u);
            }
        }
        Some(Self {
            problem,
            users,
            permissions,
            at,
            rows,
            columns,
            holders,
            number,
            user_words,
            permission_words,
            row_bits,
            column_bits,
        })
    }

    /// How many cells.
    pub fn cells(&self) -> usize {
        self.at.len()
    }

    /// The cell of the user and the permission, if it is one of the field.
    #[inline]
    pub fn cell(&self, user: u32, permission: u32) -> Option<u32> {
        let cell = self
            .problem
            .cell(self.users[user as usize], self.permissions[permission as usize]);
        let cell = *self.number.get(cell as usize)?;
        (cell != NONE).then_some(cell)
    }

    /// What the user may have, as bits.
    #[inline]
    pub fn row_bits(&self, user: u32) -> &[u64] {
        &self.row_bits[user as usize * self.permission_words..(user as usize + 1) * self.permission_words]
    }

    /// Who may have the permission, as bits.
    #[inline]
    pub fn column_bits(&self, permission: u32) -> &[u64] {
        &self.column_bits[permission as usize * self.user_words..(permission as usize + 1) * self.user_words]
    }

    /// Whether one role can hold both cells.
    #[inline]
    pub fn are_neighbours(&self, a: u32, b: u32) -> bool {
        let ((u, p), (v, q)) = (self.at[a as usize], self.at[b as usize]);
        holds(self.row_bits(u), q) && holds(self.row_bits(v), p)
    }

    /// Calls `each` for all neighbours of the cell, itself among them; the steps that it took.
    #[inline]
    pub fn for_neighbours(&self, cell: u32, mut each: impl FnMut(u32)) -> u64 {
        let (u, p) = self.at[cell as usize];
        let row = self.row_bits(u);
        let mut steps = 0;
        for &v in &self.holders[p as usize] {
            let cells = &self.rows[v as usize];
            steps += cells.len() as u64 + 1;
            for &(q, other) in cells {
                if holds(row, q) {
                    each(other);
                }
            }
        }
        steps
    }

    /// Something like how many users and permissions share a role with the cell.
    pub fn reach(&self, cell: u32) -> u64 {
        let (u, p) = self.at[cell as usize];
        let row: u32 = self.row_bits(u).iter().map(|word| word.count_ones()).sum();
        u64::from(row) * self.holders[p as usize].len() as u64
    }
}

/// The numbers that occur, ascending, and for each number below `bound` its place among them.
fn numbered(all: impl Iterator<Item = u32>, bound: usize) -> (Vec<u32>, Vec<u32>) {
    let mut ids = vec![NONE; bound];
    all.for_each(|x| ids[x as usize] = 0);
    let mut found = Vec::new();
    for (x, id) in (0_u32..).zip(&mut ids) {
        if *id != NONE {
            *id = found.len() as u32;
            found.push(x);
        }
    }
    (found, ids)
}

/// Whether the bit is set.
#[inline]
pub fn holds(bits: &[u64], at: u32) -> bool {
    bits[at as usize / 64] >> (at % 64) & 1 == 1
}
