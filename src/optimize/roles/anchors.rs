//! Few roles for many cells, each grown from a cell that no other role can take.
//!
//! The cells of a fooling set are in different roles, so each opens one. A role takes cells while there are users who may have all of its
//! permissions and permissions that all of its users may have; so a cell that fits one open role only has to go there, which leaves less room
//! in that role and forces others. Where nothing is forced, the cell with the fewest roles to go to goes where it takes least from the rest; a
//! cell that fits none opens a role. What comes out is made fewer by taking some roles out and growing others in their place.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: cells, users and permissions are those of the field; roles are numbered 0..roles.len(), and `touched` has as many flags.

use std::time::Instant;

use crate::optimize::roles::bits::ones;
use crate::optimize::roles::field::{Field, holds};
use crate::random::Random;

/// So much of what a role would take from others is left to chance where it is to vary.
const TASTES: [f64; 2] = [0.2, 1.0];
/// Of the roles that a cell fits so many are weighed.
const MOST_WEIGHED: usize = 8;
/// Most roles that are taken out with one.
const MOST_OUT: usize = 8;
/// So many roles are shrunk to what only they grant before others grow, and after.
const SHRUNK_BEFORE: usize = 8;
const SHRUNK_AFTER: usize = 16;

/// A role in the making; a number without users is free.
#[derive(Debug, Clone, Default)]
struct Grown {
    /// Who is in it, and with what: all of `users` × `permissions` is granted.
    users: Vec<u32>,
    permissions: Vec<u32>,
    /// Who may have all of its permissions: its users, and those who may still join.
    may_join: Vec<u64>,
    /// What all of its users may have.
    may_hold: Vec<u64>,
}

/// Users and permissions of a role before it changed.
type Before = (u32, Vec<u32>, Vec<u32>);

/// Roles that grow until every cell is in one.
#[derive(Clone)]
pub struct Growth<'a> {
    field: &'a Field<'a>,
    roles: Vec<Grown>,
    /// Numbers without a role.
    vacant: Vec<u32>,
    /// How many roles the cell fits, and the exclusive or of their numbers.
    fits: Vec<u32>,
    which: Vec<u32>,
    /// How many roles grant the cell.
    granted: Vec<u32>,
    /// All cells that no role grants are among these.
    open: Vec<u32>,
    forced: Vec<u32>,
    homeless: Vec<u32>,
    /// The cells that were put into roles, where anybody wants to know.
    log: Option<Vec<(u32, u32)>>,
    /// How to take back what was done, where that may be wanted.
    journal: Option<Vec<Before>>,
    touched: Vec<bool>,
    work: u64,
}

impl<'a> Growth<'a> {
    /// No role yet.
    pub fn new(field: &'a Field<'a>) -> Self {
        Self {
            field,
            roles: Vec::new(),
            vacant: Vec::new(),
            fits: vec![0; field.cells()],
            which: vec![0; field.cells()],
            granted: vec![0; field.cells()],
            open: (0..field.cells() as u32).collect(),
            forced: Vec::new(),
            homeless: Vec::new(),
            log: None,
            journal: None,
            touched: Vec::new(),
            work: 0,
        }
    }

    /// A role for each of these cells, of which no two fit one.
    pub fn from_fooling(field: &'a Field<'a>, fooling: &[u32]) -> Self {
        let mut growth = Self::new(field);
        fooling.iter().for_each(|&cell| growth.open_at(cell));
        growth.look();
        growth
    }

    /// A role for each user, or one for each permission: whichever is fewer.
    pub fn plain(field: &'a Field<'a>) -> Self {
        let mut growth = Self::new(field);
        let by_user = field.rows.len() <= field.columns.len();
        let lines = if by_user { &field.rows } else { &field.columns };
        for (line, cells) in (0_u32..).zip(lines) {
            let others: Vec<u32> = cells.iter().map(|&(other, _)| other).collect();
            match by_user {
                true => growth.open(&[line], &others),
                false => growth.open(&others, &[line]),
            }
        }
        growth
    }

    /// Elementary steps so far.
    pub fn work(&self) -> u64 {
        self.work
    }

    /// How many roles there are.
    pub fn len(&self) -> usize {
        self.roles.len() - self.vacant.len()
    }

    /// One more than the largest number of a role.
    pub fn numbers(&self) -> usize {
        self.roles.len()
    }

    /// Keeps in mind from now on which cells are put where.
    pub fn begin_log(&mut self) {
        self.log = Some(Vec::new());
    }

    /// The cells that were put into roles, in order.
    pub fn log(&self) -> &[(u32, u32)] {
        self.log.as_deref().unwrap_or_default()
    }

    /// The cell that was found to fit no role.
    pub fn homeless(&self) -> Option<u32> {
        self.homeless.last().copied()
    }

    /// Whether the cell fits the role.
    pub fn fits(&self, cell: u32, role: u32) -> bool {
        let (u, p) = self.field.at[cell as usize];
        let role = &self.roles[role as usize];
        !role.users.is_empty() && holds(&role.may_join, u) && holds(&role.may_hold, p)
    }

    /// The roles that the cell fits.
    pub fn roles_for(&self, cell: u32) -> Vec<u32> {
        let numbers = 0..self.roles.len() as u32;
        numbers.filter(|&role| self.fits(cell, role)).collect()
    }

    /// The first open cell of those that fit the fewest roles.
    pub fn fewest_fits(&self) -> Option<u32> {
        let open = self.open.iter().copied().filter(|&cell| self.is_open(cell));
        open.min_by_key(|&cell| (self.fits[cell as usize], cell))
    }

    #[inline]
    fn is_open(&self, cell: u32) -> bool {
        self.granted[cell as usize] == 0
    }

    fn touch(&mut self, number: u32) {
        if let Some(journal) = &mut self.journal
            && !std::mem::replace(&mut self.touched[number as usize], true)
        {
            let role = &self.roles[number as usize];
            journal.push((number, role.users.clone(), role.permissions.clone()));
        }
    }

    /// Opens a role for one cell.
    pub fn open_at(&mut self, cell: u32) {
        let (u, p) = self.field.at[cell as usize];
        self.open(&[u], &[p]);
    }

    /// Opens a role that grants these users (at least one) these permissions (at least one).
    fn open(&mut self, users: &[u32], permissions: &[u32]) {
        let field = self.field;
        let number = self.vacant.pop().unwrap_or_else(|| {
            self.roles.push(Grown::default());
            self.touched.push(false);
            self.roles.len() as u32 - 1
        });
        self.touch(number);
        let may_join = meet(permissions.iter().map(|&p| field.column_bits(p)));
        let may_hold = meet(users.iter().map(|&u| field.row_bits(u)));
        for u in ones(&may_join) {
            let cells = &field.rows[u as usize];
            self.work += cells.len() as u64 + 1;
            for &(p, cell) in cells {
                if holds(&may_hold, p) {
                    self.fits[cell as usize] += 1;
                    self.which[cell as usize] ^= number;
                }
            }
        }
        for &u in users {
            for &p in permissions {
                self.grant(u, p);
            }
        }
        self.roles[number as usize] = Grown {
            users: users.to_vec(),
            permissions: permissions.to_vec(),
            may_join,
            may_hold,
        };
    }

    /// Takes a role away: what only it granted is open again.
    fn close(&mut self, number: u32) {
        self.touch(number);
        let field = self.field;
        let role = std::mem::take(&mut self.roles[number as usize]);
        for u in ones(&role.may_join) {
            let cells = &field.rows[u as usize];
            self.work += cells.len() as u64 + 1;
            for &(p, cell) in cells {
                if holds(&role.may_hold, p) {
                    self.fits[cell as usize] -= 1;
                    self.which[cell as usize] ^= number;
                }
            }
        }
        for &u in &role.users {
            for &p in &role.permissions {
                if let Some(cell) = field.cell(u, p) {
                    self.granted[cell as usize] -= 1;
                    if self.granted[cell as usize] == 0 {
                        self.open.push(cell);
                    }
                }
            }
        }
        self.vacant.push(number);
    }

    /// Looks at all open cells for those that are forced.
    pub fn look(&mut self) {
        self.homeless.clear();
        self.forced.clear();
        let granted = &self.granted;
        self.open.retain(|&cell| granted[cell as usize] == 0);
        for &cell in &self.open {
            match self.fits[cell as usize] {
                0 => self.homeless.push(cell),
                1 => self.forced.push(cell),
                _ => {}
            }
        }
    }

    /// Does what is forced; false as soon as a cell fits no role, which `homeless` then gives.
    pub fn follow(&mut self) -> bool {
        loop {
            while let Some(&cell) = self.homeless.last() {
                if self.is_open(cell) && self.fits[cell as usize] == 0 {
                    return false;
                }
                self.homeless.pop();
            }
            let Some(cell) = self.forced.pop() else { return true };
            if self.is_open(cell) && self.fits[cell as usize] == 1 {
                self.put(cell, self.which[cell as usize]);
            }
        }
    }

    /// Grows until every cell is granted, opening what roles it takes; false where that would be more than `most`, or the time is up and
    /// took more work than `grace`.
    pub fn finish(&mut self, most: usize, taste: f64, grace: u64, rng: &mut Random, deadline: Instant) -> bool {
        let grace = self.work.saturating_add(grace);
        let mut steps = 0_u32;
        loop {
            if self.len() > most {
                return false;
            }
            if !self.follow() {
                let Some(cell) = self.homeless.pop() else { return false };
                self.open_at(cell);
                continue;
            }
            steps += 1;
            if steps.is_multiple_of(16) && self.work > grace && Instant::now() >= deadline {
                return false;
            }
            let Some(cell) = self.tightest(rng) else { return true };
            let Some(role) = self.best_role(cell, taste, rng) else {
                return false;
            };
            self.put(cell, role);
        }
    }

    /// A random open cell of those that fit as few roles as any.
    fn tightest(&mut self, rng: &mut Random) -> Option<u32> {
        let granted = &self.granted;
        self.open.retain(|&cell| granted[cell as usize] == 0);
        self.work += self.open.len() as u64 / 4;
        let (before, after) = self.open.split_at_checked(rng.below(self.open.len()))?;
        let mut best: Option<(u32, u32)> = None;
        for &cell in after.iter().chain(before) {
            let fits = self.fits[cell as usize];
            if best.is_none_or(|(least, _)| fits < least) {
                best = Some((fits, cell));
                // Fewer than two would be forced.
                if fits <= 2 {
                    break;
                }
            }
        }
        best.map(|(_, cell)| cell)
    }

    /// The role that the cell takes least room from: room that few other roles have counts most.
    fn best_role(&mut self, cell: u32, taste: f64, rng: &mut Random) -> Option<u32> {
        let mut best: Option<(f64, u32)> = None;
        self.work += self.roles.len() as u64;
        let mut roles = self.roles_for(cell);
        if roles.len() > MOST_WEIGHED {
            rng.shuffle(&mut roles);
            roles.truncate(MOST_WEIGHED);
        }
        for role in roles {
            let loss = (self.loss(role, cell) + 1e-3) * (1.0 + taste * rng.unit());
            if best.is_none_or(|(least, _)| loss < least) {
                best = Some((loss, role));
            }
        }
        best.map(|(_, role)| role)
    }

    fn loss(&mut self, role: u32, cell: u32) -> f64 {
        let field = self.field;
        let role = &self.roles[role as usize];
        let (u, p) = field.at[cell as usize];
        let (mut lost, mut work) = (0.0, 0);
        let mut price = |cell: u32| {
            if self.granted[cell as usize] == 0 {
                let others = f64::from(self.fits[cell as usize].max(2) - 1);
                lost += 1.0 / (others * others);
            }
        };
        let gone = without(&role.may_hold, field.row_bits(u));
        for q in ones(&gone) {
            let cells = &field.columns[q as usize];
            work += cells.len() as u64;
            for &(v, cell) in cells {
                if holds(&role.may_join, v) {
                    price(cell);
                }
            }
        }
        for v in ones(&without(&role.may_join, field.column_bits(p))) {
            let cells = &field.rows[v as usize];
            work += cells.len() as u64;
            for &(q, cell) in cells {
                if holds(&role.may_hold, q) && !holds(&gone, q) {
                    price(cell);
                }
            }
        }
        self.work += work;
        lost
    }

    /// Puts a cell into a role that it fits.
    pub fn put(&mut self, cell: u32, number: u32) {
        self.touch(number);
        let field = self.field;
        let (u, p) = field.at[cell as usize];
        let k = number as usize;
        if let Some(log) = &mut self.log {
            log.push((cell, number));
        }
        if !self.roles[k].users.contains(&u) {
            let role = &mut self.roles[k];
            role.users.push(u);
            let gone = without(&role.may_hold, field.row_bits(u));
            role.may_hold
                .iter_mut()
                .zip(&gone)
                .for_each(|(hold, gone)| *hold &= !gone);
            for q in ones(&gone) {
                self.work += field.columns[q as usize].len() as u64;
                for &(v, cell) in &field.columns[q as usize] {
                    if holds(&self.roles[k].may_join, v) {
                        self.fits_no_more(cell, number);
                    }
                }
            }
            for i in 0..self.roles[k].permissions.len() {
                self.grant(u, self.roles[k].permissions[i]);
            }
        }
        if !self.roles[k].permissions.contains(&p) {
            let role = &mut self.roles[k];
            role.permissions.push(p);
            let left = without(&role.may_join, field.column_bits(p));
            role.may_join
                .iter_mut()
                .zip(&left)
                .for_each(|(join, left)| *join &= !left);
            for v in ones(&left) {
                self.work += field.rows[v as usize].len() as u64;
                for &(q, cell) in &field.rows[v as usize] {
                    if holds(&self.roles[k].may_hold, q) {
                        self.fits_no_more(cell, number);
                    }
                }
            }
            for i in 0..self.roles[k].users.len() {
                self.grant(self.roles[k].users[i], p);
            }
        }
    }

    #[inline]
    fn grant(&mut self, u: u32, p: u32) {
        if let Some(cell) = self.field.cell(u, p) {
            self.granted[cell as usize] += 1;
        }
    }

    #[inline]
    fn fits_no_more(&mut self, cell: u32, number: u32) {
        let fits = &mut self.fits[cell as usize];
        *fits -= 1;
        self.which[cell as usize] ^= number;
        if self.granted[cell as usize] == 0 {
            match fits {
                0 => self.homeless.push(cell),
                1 => self.forced.push(cell),
                _ => {}
            }
        }
    }

    /// The users and the permissions of the cells that only this role grants, and how many cells these are.
    fn core(&self, number: u32) -> (Vec<u32>, Vec<u32>, usize) {
        let role = &self.roles[number as usize];
        let (mut users, mut permissions, mut cells) = (Vec::new(), Vec::new(), 0);
        for &u in &role.users {
            let before = cells;
            for &p in &role.permissions {
                if self
                    .field
                    .cell(u, p)
                    .is_some_and(|cell| self.granted[cell as usize] == 1)
                {
                    cells += 1;
                    permissions.push(p);
                }
            }
            if cells > before {
                users.push(u);
            }
        }
        users.sort_unstable();
        permissions.sort_unstable();
        permissions.dedup();
        (users, permissions, cells)
    }

    /// Shrinks a role to what only it grants; it goes where that is nothing.
    fn shrink(&mut self, number: u32) {
        let (users, permissions, _) = self.core(number);
        let k = number as usize;
        if users.is_empty() {
            self.close(number);
            return;
        }
        if users.len() == self.roles[k].users.len() && permissions.len() == self.roles[k].permissions.len() {
            return;
        }
        self.touch(number);
        let field = self.field;
        let may_join = meet(permissions.iter().map(|&p| field.column_bits(p)));
        let may_hold = meet(users.iter().map(|&u| field.row_bits(u)));
        let role = Grown {
            users,
            permissions,
            may_join,
            may_hold,
        };
        let before = std::mem::replace(&mut self.roles[k], role);
        let role = &self.roles[k];
        let (fits, which) = (&mut self.fits, &mut self.which);
        let mut fits_now = |cell: u32| {
            fits[cell as usize] += 1;
            which[cell as usize] ^= number;
        };
        for q in ones(&without(&role.may_hold, &before.may_hold)) {
            let cells = &field.columns[q as usize];
            self.work += cells.len() as u64;
            let joins = cells.iter().filter(|(v, _)| holds(&role.may_join, *v));
            joins.for_each(|&(_, cell)| fits_now(cell));
        }
        for v in ones(&without(&role.may_join, &before.may_join)) {
            let cells = &field.rows[v as usize];
            self.work += cells.len() as u64;
            let held = cells.iter().filter(|(q, _)| holds(&before.may_hold, *q));
            held.for_each(|&(_, cell)| fits_now(cell));
        }
        for &u in &before.users {
            let stays = role.users.binary_search(&u).is_ok();
            for &p in &before.permissions {
                if !(stays && role.permissions.binary_search(&p).is_ok())
                    && let Some(cell) = field.cell(u, p)
                {
                    self.granted[cell as usize] -= 1;
                }
            }
        }
        self.work += (before.users.len() * before.permissions.len()) as u64;
    }

    fn live(&self) -> Vec<u32> {
        let roles = (0_u32..).zip(&self.roles);
        roles
            .filter(|(_, role)| !role.users.is_empty())
            .map(|(number, _)| number)
            .collect()
    }

    /// Shrinks all roles, in random order.
    pub fn shrink_all(&mut self, rng: &mut Random) {
        let mut live = self.live();
        rng.shuffle(&mut live);
        live.into_iter().for_each(|number| self.shrink(number));
    }

    /// Takes a few roles out and grows others in their place, as long as they are no more: for about `work` steps, until there are no more
    /// roles than `enough`, or the time is up. All cells have to be granted.
    pub fn improve(&mut self, enough: usize, work: u64, rng: &mut Random, deadline: Instant) {
        let end = self.work.saturating_add(work);
        while self.work < end && self.len() > enough && Instant::now() < deadline {
            let before = self.len();
            self.journal = Some(Vec::new());
            let done = self.step(before, rng, deadline);
            let journal = self.journal.take().unwrap_or_default();
            for (number, ..) in &journal {
                self.touched[*number as usize] = false;
            }
            if !done {
                for &(number, ..) in &journal {
                    if !self.roles[number as usize].users.is_empty() {
                        self.close(number);
                    }
                }
                for (_, users, permissions) in journal {
                    if !users.is_empty() {
                        self.open(&users, &permissions);
                    }
                }
            }
            self.work += 64 + self.roles.len() as u64;
        }
    }

    /// One round of `improve`; false where it is to be taken back.
    fn step(&mut self, most: usize, rng: &mut Random, deadline: Instant) -> bool {
        let live = self.live();
        // The role with the least of its own among a few, and roles that could take some of it.
        let some = (0..3).filter_map(|_| rng.pick(&live));
        let Some(first) = some.min_by_key(|&number| self.core(number).2) else {
            return false;
        };
        let role = &self.roles[first as usize];
        let is_near = |&number: &u32| {
            let other = &self.roles[number as usize];
            number != first
                && role.users.iter().any(|&u| holds(&other.may_join, u))
                && role.permissions.iter().any(|&p| holds(&other.may_hold, p))
        };
        let near: Vec<u32> = live.iter().copied().filter(is_near).collect();
        let mut out = vec![first];
        out.extend((0..rng.below(MOST_OUT)).filter_map(|_| rng.pick(&near)));
        out.sort_unstable();
        out.dedup();
        out.iter().for_each(|&number| self.close(number));
        for number in (0..SHRUNK_BEFORE).filter_map(|_| rng.pick(&live)) {
            if !self.roles[number as usize].users.is_empty() {
                self.shrink(number);
            }
        }
        self.look();
        let taste = TASTES[rng.below(TASTES.len())];
        if !self.finish(most, taste, 0, rng, deadline) {
            return false;
        }
        let live = self.live();
        for number in (0..SHRUNK_AFTER).filter_map(|_| rng.pick(&live)) {
            if !self.roles[number as usize].users.is_empty() {
                self.shrink(number);
            }
        }
        true
    }

    /// The cells of each role with all permissions that its users may have, without the roles that others make needless.
    pub fn cliques(&self) -> Vec<Vec<u32>> {
        let field = self.field;
        let mut times = vec![0_u32; field.cells()];
        let mut cliques: Vec<Vec<u32>> = Vec::new();
        for role in self.roles.iter().filter(|role| !role.users.is_empty()) {
            let mut cells = Vec::new();
            for &u in &role.users {
                let row = field.rows[u as usize].iter();
                cells.extend(row.filter(|(p, _)| holds(&role.may_hold, *p)).map(|&(_, cell)| cell));
            }
            cells.iter().for_each(|&cell| times[cell as usize] += 1);
            cliques.push(cells);
        }
        cliques.sort_by_key(Vec::len);
        cliques.retain(|cells| {
            let needless = cells.iter().all(|&cell| times[cell as usize] > 1);
            if needless {
                cells.iter().for_each(|&cell| times[cell as usize] -= 1);
            }
            !needless
        });
        cliques
    }
}

/// What all sets have.
fn meet<'a>(mut sets: impl Iterator<Item = &'a [u64]>) -> Vec<u64> {
    let mut all: Vec<u64> = sets.next().map(<[u64]>::to_vec).unwrap_or_default();
    for set in sets {
        all.iter_mut().zip(set).for_each(|(all, set)| *all &= set);
    }
    all
}

/// What the one has and the other has not.
fn without(set: &[u64], other: &[u64]) -> Vec<u64> {
    set.iter().zip(other).map(|(set, other)| set & !other).collect()
}
