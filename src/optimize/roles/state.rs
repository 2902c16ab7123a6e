//! A set of roles under change: what it costs, which needed cells are open, and a journal that takes changes back.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: user, permission and cell numbers come from the problem and are below its counts; role numbers come from this state's slots.

use crate::optimize::roles::problem::{NONE, Problem};

/// A role in the making: user and permission classes, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slot {
    /// Its user classes.
    pub users: Vec<u32>,
    /// Its permission classes.
    pub permissions: Vec<u32>,
    /// Whether it is an existing role: free, and its permissions are fixed.
    pub kept: bool,
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Joined(u32, u32),
    Left(u32, u32),
    Gained(u32, u32),
    Lost(u32, u32),
}

/// The roles, their cost, and the open cells.
#[derive(Debug, Clone)]
pub struct State<'a> {
    /// What is to be covered.
    pub problem: &'a Problem,
    /// All slots; the first ones are the existing roles; empty ones are free.
    pub slots: Vec<Slot>,
    /// Roles of every user class.
    pub user_roles: Vec<Vec<u32>>,
    /// Roles of every permission class.
    pub permission_roles: Vec<Vec<u32>>,
    /// How many roles grant each cell.
    pub count: Vec<u32>,
    /// Needed cells that no role grants.
    pub open: Vec<u32>,
    open_at: Vec<u32>,
    /// The cost of all roles.
    pub cost: i64,
    free: Vec<u32>,
    journal: Vec<Change>,
}

fn insert(set: &mut Vec<u32>, x: u32) {
    if let Err(at) = set.binary_search(&x) {
        set.insert(at, x);
    }
}

fn remove(set: &mut Vec<u32>, x: u32) {
    if let Ok(at) = set.binary_search(&x) {
        set.remove(at);
    }
}

impl<'a> State<'a> {
    /// No roles but the existing ones, and these without users.
    pub fn new(problem: &'a Problem) -> Self {
        let mut state = Self {
            problem,
            slots: Vec::new(),
            user_roles: vec![Vec::new(); problem.users()],
            permission_roles: vec![Vec::new(); problem.permissions()],
            count: vec![0; problem.cells()],
            open: Vec::new(),
            open_at: vec![NONE; problem.cells()],
            cost: 0,
            free: Vec::new(),
            journal: Vec::new(),
        };
        for cell in (0..problem.cells() as u32).filter(|&c| problem.needed[c as usize]) {
            state.open_at[cell as usize] = state.open.len() as u32;
            state.open.push(cell);
        }
        for kept in &problem.keep {
            let r = state.slots.len() as u32;
            for &p in &kept.permissions {
                state.permission_roles[p as usize].push(r);
            }
            state.slots.push(Slot {
                users: Vec::new(),
                permissions: kept.permissions.clone(),
                kept: true,
            });
        }
        state
    }

    /// The numbers of the roles in use.
    pub fn live(&self) -> impl Iterator<Item = u32> + '_ {
        (0_u32..)
            .zip(&self.slots)
            .filter(|(_, slot)| !slot.users.is_empty())
            .map(|(r, _)| r)
    }

    /// Copies of the roles in use.
    pub fn roles(&self) -> Vec<Slot> {
        self.live().map(|r| self.slots[r as usize].clone()).collect()
    }

    /// Adds a role; members who have no room or may not have it all are left out.
    pub fn add_role(&mut self, users: &[u32], permissions: &[u32]) -> u32 {
        let r = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() as u32 - 1
        });
        for &p in permissions {
            self.gain(r, p);
        }
        for &u in users {
            if self.has_room(u) {
                self.join(r, u);
            }
        }
        if self.slots[r as usize].users.is_empty() {
            self.drop_role(r);
        }
        r
    }

    /// Removes all of a role (of an existing one: its users).
    pub fn drop_role(&mut self, r: u32) {
        while let Some(&u) = self.slots[r as usize].users.last() {
            self.leave(r, u);
        }
        if !self.slots[r as usize].kept {
            while let Some(&p) = self.slots[r as usize].permissions.last() {
                self.lose(r, p);
            }
        }
    }

    /// Whether the user may take one more role.
    #[inline]
    pub fn has_room(&self, u: u32) -> bool {
        self.user_roles[u as usize].len() < self.problem.max_roles
    }

    /// Whether the user could take these permissions without anything being added to what it has.
    pub fn allows_free(&self, u: u32, permissions: &[u32]) -> bool {
        permissions.iter().all(|&p| {
            let cell = self.problem.cell(u, p);
            cell != NONE && self.problem.needed[cell as usize]
        })
    }

    /// Whether the role is unused.
    fn is_empty(&self, r: u32) -> bool {
        let slot = &self.slots[r as usize];
        slot.users.is_empty() && slot.permissions.is_empty()
    }

    fn charge_existence(&mut self, r: u32, was_empty: bool) {
        if self.slots[r as usize].kept {
            return;
        }
        match (was_empty, self.is_empty(r)) {
            (true, false) => self.cost += self.problem.role_price,
            (false, true) => {
                self.cost -= self.problem.role_price;
                self.free.push(r);
            }
            _ => {}
        }
    }

    fn foreign_label(&self, r: u32, u: u32) -> i64 {
        if self.problem.label_price == 0 {
            return 0;
        }
        let labels = &self.problem.labels;
        let users = &self.slots[r as usize].users;
        let alone = !users
            .iter()
            .any(|&v| v != u && labels[v as usize] == labels[u as usize]);
        if alone && users.iter().any(|&v| v != u) {
            self.problem.label_price
        } else {
            0
        }
    }

    /// Gives the role to the user.
    pub fn join(&mut self, r: u32, u: u32) {
        self.apply_join(r, u);
        self.journal.push(Change::Joined(r, u));
    }

    /// Takes the role from the user.
    pub fn leave(&mut self, r: u32, u: u32) {
        self.apply_leave(r, u);
        self.journal.push(Change::Left(r, u));
    }

    /// Puts the permission into the role.
    pub fn gain(&mut self, r: u32, p: u32) {
        self.apply_gain(r, p);
        self.journal.push(Change::Gained(r, p));
    }

    /// Takes the permission out of the role.
    pub fn lose(&mut self, r: u32, p: u32) {
        self.apply_lose(r, p);
        self.journal.push(Change::Lost(r, p));
    }

    fn apply_join(&mut self, r: u32, u: u32) {
        let was_empty = self.is_empty(r);
        self.cost += self.problem.user_price[u as usize] + self.foreign_label(r, u);
        insert(&mut self.slots[r as usize].users, u);
        insert(&mut self.user_roles[u as usize], r);
        for i in 0..self.slots[r as usize].permissions.len() {
            let cell = self.problem.cell(u, self.slots[r as usize].permissions[i]);
            self.raise(cell);
        }
        self.charge_existence(r, was_empty);
    }

    fn apply_leave(&mut self, r: u32, u: u32) {
        remove(&mut self.slots[r as usize].users, u);
        remove(&mut self.user_roles[u as usize], r);
        self.cost -= self.problem.user_price[u as usize] + self.foreign_label(r, u);
        for i in 0..self.slots[r as usize].permissions.len() {
            let cell = self.problem.cell(u, self.slots[r as usize].permissions[i]);
            self.lower(cell);
        }
        self.charge_existence(r, false);
    }

    fn apply_gain(&mut self, r: u32, p: u32) {
        let was_empty = self.is_empty(r);
        self.cost += self.problem.permission_price[p as usize];
        insert(&mut self.slots[r as usize].permissions, p);
        insert(&mut self.permission_roles[p as usize], r);
        for i in 0..self.slots[r as usize].users.len() {
            let cell = self.problem.cell(self.slots[r as usize].users[i], p);
            self.raise(cell);
        }
        self.charge_existence(r, was_empty);
    }

    fn apply_lose(&mut self, r: u32, p: u32) {
        remove(&mut self.slots[r as usize].permissions, p);
        remove(&mut self.permission_roles[p as usize], r);
        self.cost -= self.problem.permission_price[p as usize];
        for i in 0..self.slots[r as usize].users.len() {
            let cell = self.problem.cell(self.slots[r as usize].users[i], p);
            self.lower(cell);
        }
        self.charge_existence(r, false);
    }

    #[inline]
    fn raise(&mut self, cell: u32) {
        let count = &mut self.count[cell as usize];
        *count += 1;
        if *count > 1 {
            return;
        }
        self.cost += self.problem.added_price[cell as usize];
        let at = std::mem::replace(&mut self.open_at[cell as usize], NONE);
        if at != NONE {
            self.open.swap_remove(at as usize);
            if let Some(&moved) = self.open.get(at as usize) {
                self.open_at[moved as usize] = at;
            }
        }
    }

    #[inline]
    fn lower(&mut self, cell: u32) {
        let count = &mut self.count[cell as usize];
        *count -= 1;
        if *count > 0 {
            return;
        }
        self.cost -= self.problem.added_price[cell as usize];
        if self.problem.needed[cell as usize] {
            self.open_at[cell as usize] = self.open.len() as u32;
            self.open.push(cell);
        }
    }

    /// Forgets how to take back what was done so far.
    pub fn commit(&mut self) {
        self.journal.clear();
    }

    /// Copies of the roles in use as they were at the last commit.
    pub fn roles_before(&self) -> Vec<Slot> {
        let mut slots = self.slots.clone();
        for change in self.journal.iter().rev() {
            match *change {
                Change::Joined(r, u) => remove(&mut slots[r as usize].users, u),
                Change::Left(r, u) => insert(&mut slots[r as usize].users, u),
                Change::Gained(r, p) => remove(&mut slots[r as usize].permissions, p),
                Change::Lost(r, p) => insert(&mut slots[r as usize].permissions, p),
            }
        }
        slots.retain(|slot| !slot.users.is_empty());
        slots
    }

    /// Takes back everything since the last commit.
    pub fn roll_back(&mut self) {
        while let Some(change) = self.journal.pop() {
            match change {
                Change::Joined(r, u) => self.apply_leave(r, u),
                Change::Left(r, u) => self.apply_join(r, u),
                Change::Gained(r, p) => self.apply_lose(r, p),
                Change::Lost(r, p) => self.apply_gain(r, p),
            }
        }
        // A slot that was revived on the way back must not stay in the list of free ones.
        let slots = &self.slots;
        self.free
            .retain(|&r| slots[r as usize].users.is_empty() && slots[r as usize].permissions.is_empty());
        self.free.sort_unstable();
        self.free.dedup();
    }

    /// How many needed cells joining would close, and what it would cost.
    #[inline]
    pub fn join_offer(&self, u: u32, permissions: &[u32]) -> (u32, i64) {
        let (mut closed, mut price) = (0, self.problem.user_price[u as usize]);
        for &p in permissions {
            let cell = self.problem.cell(u, p) as usize;
            if self.count[cell] == 0 {
                closed += u32::from(self.problem.needed[cell]);
                price += self.problem.added_price[cell];
            }
        }
        (closed, price)
    }

    /// How many needed cells the permission would close in the role, and what it would cost.
    #[inline]
    pub fn gain_offer(&self, p: u32, users: &[u32]) -> (u32, i64) {
        let (mut closed, mut price) = (0, self.problem.permission_price[p as usize]);
        for &u in users {
            let cell = self.problem.cell(u, p) as usize;
            if self.count[cell] == 0 {
                closed += u32::from(self.problem.needed[cell]);
                price += self.problem.added_price[cell];
            }
        }
        (closed, price)
    }

    /// Whether the user could do without the role.
    pub fn may_leave(&self, r: u32, u: u32) -> bool {
        self.slots[r as usize].permissions.iter().all(|&p| {
            let cell = self.problem.cell(u, p) as usize;
            self.count[cell] > 1 || !self.problem.needed[cell]
        })
    }

    /// Whether the role could do without the permission.
    pub fn may_lose(&self, r: u32, p: u32) -> bool {
        let slot = &self.slots[r as usize];
        !slot.kept
            && slot.users.iter().all(|&u| {
                let cell = self.problem.cell(u, p) as usize;
                self.count[cell] > 1 || !self.problem.needed[cell]
            })
    }

    /// The users and permissions touched since the last commit, each once, in order of number.
    pub fn touched(&self) -> (Vec<u32>, Vec<u32>) {
        let (mut users, mut permissions) = (Vec::new(), Vec::new());
        for change in &self.journal {
            match *change {
                Change::Joined(r, u) => {
                    users.push(u);
                    permissions.extend_from_slice(&self.slots[r as usize].permissions);
                }
                Change::Gained(r, p) => {
                    permissions.push(p);
                    users.extend_from_slice(&self.slots[r as usize].users);
                }
                Change::Left(..) | Change::Lost(..) => {}
            }
        }
        for list in [&mut users, &mut permissions] {
            list.sort_unstable();
            list.dedup();
        }
        (users, permissions)
    }
}
