//! The bound of the linear relaxation: as much as can be paid for the needed cells so that no role is paid more than it costs.
//!
//! Every cell is in some role, so a set of roles costs at least what is paid for all cells. The best prices are found by rows: a linear
//! program over the roles known so far, and a search for roles that its prices pay too much ([`Pricing`]), until there is none. Where the work
//! ends before, what is paid is cut by as much as a role may be paid too much at most (Farley 1990), so that the bound holds all the same.
//!
//! A cell added beyond need costs once, in however many roles it is. So each needed cell is taken to be served by one role, and the price of an
//! added cell is shared out to the needed cells of its user: a role that adds it earns as much less of each that it serves.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: users and permissions come from the problem, whose cells index the prices; `rows` has every needed cell of the part.

use std::collections::BTreeMap;
use std::time::Instant;

use rayon::prelude::*;

use crate::optimize::roles::pricing::{Costs, Offer, Prices, Pricing};
use crate::optimize::roles::problem::Problem;
use crate::optimize::roles::simplex::Simplex;
use crate::optimize::roles::state::Slot;
use crate::random::Random;

/// Where a role is paid more than its cost by less than this share, that is rounding.
const TOLERANCE: f64 = 1e-7;
/// With more cells than this the linear program takes too long, ...
const MOST_CELLS: usize = 1000;
/// ... and with more rows than this, those for added cells among them.
const MOST_ROWS: usize = 5000;
/// Equal demands make ties, among which the program goes round and round: each is larger by up to so much.
const UNEVEN: f64 = 1e-3;
/// An added cell is there as much as it has to, but for this.
const LACKS: f64 = 1e-2;
/// So much of the program's prices is mixed with the best that are known to be fair: then less is paid too much, and there is less to learn.
const MIX: f64 = 0.8;
/// So many roles are learned of each permission in a look.
const OFFERS: usize = 3;
/// The work of a look at the roles of one permission, and how many times as much where that was not enough.
const FIRST_LOOK: u64 = 20_000;
const LONGER_LOOK: u64 = 8;

/// Users and permissions that no role joins with others.
struct Part {
    users: Vec<u32>,
    permissions: Vec<u32>,
    /// How many cells.
    cells: usize,
}

/// No set of roles costs less than this: as far as it can be raised with so much work. The roles of `seeds` are known from the beginning: the better they are, the quicker it goes.
pub fn relaxed(problem: &Problem, costs: &Costs, seeds: &[Slot], work: u64, deadline: Instant) -> f64 {
    let cells = problem.cells().max(1) as u64;
    let bound = |part: &Part| {
        let share = work / cells * part.cells as u64;
        if part.cells > MOST_CELLS {
            return 0.0;
        }
        Master::new(problem, costs, part, seeds).raise(share, deadline)
    };
    let bounds: Vec<f64> = parts(problem).par_iter().map(bound).collect();
    bounds.iter().sum()
}

/// Whether there is a part of the matrix that is not too large for it.
pub fn is_worth_it(problem: &Problem) -> bool {
    parts(problem).iter().any(|part| part.cells <= MOST_CELLS)
}

fn parts(problem: &Problem) -> Vec<Part> {
    let mut seen = (vec![false; problem.users()], vec![false; problem.permissions()]);
    let mut parts = Vec::new();
    for start in 0..problem.users() as u32 {
        if std::mem::replace(&mut seen.0[start as usize], true) {
            continue;
        }
        let mut part = Part {
            users: vec![start],
            permissions: Vec::new(),
            cells: 0,
        };
        let mut next = 0;
        while let Some(&u) = part.users.get(next) {
            next += 1;
            part.cells += problem.rows[u as usize].len();
            for &p in &problem.rows[u as usize] {
                if !std::mem::replace(&mut seen.1[p as usize], true) {
                    part.permissions.push(p);
                    for &(v, _) in &problem.columns[p as usize] {
                        if !std::mem::replace(&mut seen.0[v as usize], true) {
                            part.users.push(v);
                        }
                    }
                }
            }
        }
        // Permissions that go with little first: what is with them is decided quickly, and they are out of the way of the others.
        let with = |&p: &u32| -> (usize, u32) {
            let users = problem.columns[p as usize].iter();
            (users.map(|&(u, _)| problem.rows[u as usize].len()).sum(), p)
        };
        part.permissions.sort_by_cached_key(with);
        part.users.sort_unstable();
        parts.push(part);
    }
    parts
}

/// The linear program of one part.
struct Master<'a> {
    problem: &'a Problem,
    costs: &'a Costs,
    part: &'a Part,
    /// The roles, with the needed cells that each serves, by their column.
    known: BTreeMap<Offer, u32>,
    /// The row of each needed cell.
    rows: BTreeMap<u32, u32>,
    added: BTreeMap<u32, Added>,
    program: Simplex,
}

/// A cell beyond need that known roles add.
struct Added {
    /// The column by which it is paid for.
    column: u32,
    /// The needed cells of its user that each of these roles serves.
    served: Vec<(u32, Vec<u32>)>,
    /// The row that says that it is there as much as this needed cell is served together with it.
    rows: BTreeMap<u32, u32>,
}

impl<'a> Master<'a> {
    fn new(problem: &'a Problem, costs: &'a Costs, part: &'a Part, seeds: &[Slot]) -> Self {
        let mut master = Self {
            problem,
            costs,
            part,
            known: BTreeMap::new(),
            rows: BTreeMap::new(),
            added: BTreeMap::new(),
            program: Simplex::default(),
        };
        let mut random = Random::new(1);
        for &u in &part.users {
            for &p in &master.needs(u) {
                let demand = 1.0 + UNEVEN * random.unit();
                let row = master.program.row(demand, &[], costs.of(&[u], &[p]));
                master.rows.insert(problem.cell(u, p), row);
            }
        }
        let is_here = |slot: &&Slot| slot.users.first().is_some_and(|u| part.users.binary_search(u).is_ok());
        for slot in seeds.iter().filter(is_here) {
            if slot.kept {
                slot.users.iter().for_each(|&u| master.learn_kept(u, &slot.permissions));
            } else {
                master.learn_whole(slot.users.clone(), slot.permissions.clone());
            }
        }
        for &u in &part.users {
            master.learn_whole(vec![u], master.needs(u));
        }
        for kept in &problem.keep {
            let users = problem.common_users(&kept.permissions).into_iter();
            for u in users.filter(|u| part.users.binary_search(u).is_ok()) {
                master.learn_kept(u, &kept.permissions);
            }
        }
        master
    }

    fn is_needed(&self, u: u32, p: u32) -> bool {
        self.problem.needed[self.problem.cell(u, p) as usize]
    }

    fn needs(&self, u: u32) -> Vec<u32> {
        let row = self.problem.rows[u as usize].iter().copied();
        row.filter(|&p| self.is_needed(u, p)).collect()
    }

    /// A role that serves every needed cell it holds.
    fn whole(&self, users: Vec<u32>, permissions: Vec<u32>) -> Offer {
        let pairs = users.iter().flat_map(|&u| permissions.iter().map(move |&p| (u, p)));
        let needed = pairs.filter(|&(u, p)| self.is_needed(u, p));
        Offer {
            cells: needed.map(|(u, p)| self.problem.cell(u, p)).collect(),
            users,
            permissions,
        }
    }

    fn learn_whole(&mut self, users: Vec<u32>, permissions: Vec<u32>) {
        let role = self.whole(users, permissions);
        self.learn(role, None);
    }

    /// An existing role for one user: nothing in it is paid for together.
    fn learn_kept(&mut self, u: u32, permissions: &[u32]) {
        let role = self.whole(vec![u], permissions.to_vec());
        self.learn(role, Some(self.costs.users[u as usize]));
    }

    /// A role more, unless it is known as cheap.
    fn learn(&mut self, role: Offer, kept: Option<f64>) -> bool {
        if kept.is_none() && self.known.contains_key(&role) {
            return false;
        }
        let cost = kept.unwrap_or_else(|| self.costs.of(&role.users, &role.permissions));
        let factors = role.cells.iter().map(|cell| (self.rows[cell], 1.0)).collect();
        let column = self.program.column(cost, factors);
        for &u in &role.users {
            let added = role.permissions.iter().filter(|&&p| !self.is_needed(u, p));
            let added: Vec<u32> = added.map(|&p| self.problem.cell(u, p)).collect();
            if added.is_empty() {
                continue;
            }
            let start = self.problem.starts[u as usize];
            let end = start + self.problem.rows[u as usize].len() as u32;
            let served = role.cells.iter().filter(|cell| (start..end).contains(cell));
            let served: Vec<u32> = served.copied().collect();
            for cell in added {
                self.adds(column, cell, &served);
            }
        }
        self.known.insert(role, column);
        true
    }

    /// Notes that the role adds a cell with these cells, and that as much as it is chosen this has to be paid.
    fn adds(&mut self, column: u32, cell: u32, served: &[u32]) {
        let program = &mut self.program;
        let cost = self.costs.added[cell as usize];
        let added = self.added.entry(cell).or_insert_with(|| Added {
            column: program.column(cost, Vec::new()),
            served: Vec::new(),
            rows: BTreeMap::new(),
        });
        added.served.push((column, served.to_vec()));
        let mut is_in_a_row = false;
        for cell in served {
            if let Some(&row) = added.rows.get(cell) {
                program.join(column, row, -1.0);
                is_in_a_row = true;
            }
        }
        let dearest = served
            .iter()
            .max_by(|a, b| program.price(self.rows[a]).total_cmp(&program.price(self.rows[b])));
        if let Some(&served) = dearest.filter(|_| !is_in_a_row) {
            added.link(served, program, cost);
        }
    }

    /// Demands of added cells that they are there as much as they come with the needed cell that they come with most; whether that is new.
    fn tighten(&mut self) -> bool {
        let before = self.program.rows();
        for (&cell, added) in &mut self.added {
            let mut with: BTreeMap<u32, f64> = BTreeMap::new();
            for (column, served) in &added.served {
                let amount = self.program.amount(*column);
                if amount > 0.0 {
                    served
                        .iter()
                        .for_each(|&served| *with.entry(served).or_default() += amount);
                }
            }
            let most = with.iter().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(a.0)));
            if let Some((&served, _)) = most.filter(|(_, with)| **with > self.program.amount(added.column) + LACKS)
                && !added.rows.contains_key(&served)
            {
                added.link(served, &mut self.program, self.costs.added[cell as usize]);
            }
        }
        self.program.rows() > before
    }

    /// The program's prices, which pay for no known role more than it costs, but for rounding.
    fn prices(&self) -> Prices {
        let mut prices = Prices::none(self.problem.cells());
        let of = |row: u32| self.program.price(row).max(0.0);
        for (&cell, &row) in &self.rows {
            prices.paid[cell as usize] = of(row);
        }
        for (&cell, added) in &self.added {
            let shares = added.rows.iter().map(|(&served, &row)| (served, of(row)));
            let mut shares: Vec<(u32, f64)> = shares.filter(|&(_, share)| share > 0.0).collect();
            let sum: f64 = shares.iter().map(|&(_, share)| share).sum();
            let most = self.costs.added[cell as usize];
            if sum > most {
                shares.iter_mut().for_each(|(_, share)| *share *= most / sum);
            }
            prices.shares[cell as usize] = shares;
        }
        prices
    }

    /// Goes on until the bound cannot be raised, or the work ends.
    fn raise(mut self, work: u64, deadline: Instant) -> f64 {
        let mut bound = 0.0;
        let mut held = Prices::none(self.problem.cells());
        let (mut left, mut each) = (work, FIRST_LOOK);
        let mut is_settled = false;
        while left > 0 && self.program.rows() <= MOST_ROWS && Instant::now() < deadline {
            let before = self.program.work;
            let mut is_best = self.program.improve(left, deadline);
            while is_best && self.program.rows() <= MOST_ROWS && self.tighten() {
                is_best = self.program.improve(left, deadline);
            }
            left = left.saturating_sub(self.program.work - before);
            let mut prices = self.prices();
            let most: f64 = prices.paid.iter().sum();
            if is_best && self.costs.reached(bound) >= self.costs.reached(most * (1.0 - TOLERANCE)) {
                break;
            }
            if !is_settled {
                prices.mix(&held, MIX);
            }
            let looked = self.look(&prices, each, deadline);
            left = left.saturating_sub(looked.iter().map(|looked| looked.work).sum());
            let over: Option<Vec<f64>> = looked.iter().map(|looked| looked.over).collect();
            let is_certain = over.is_some();
            if let Some(over) = over {
                self.cut(&mut prices, &over);
                let paid = prices.paid.iter().sum();
                if paid > bound {
                    bound = paid;
                    held = prices;
                }
            }
            let offers = looked.into_iter().flat_map(|looked| looked.offers);
            let new = offers.filter(|offer| self.learn(offer.clone(), None)).count();
            is_settled = new == 0;
            if is_settled && !is_certain {
                each *= LONGER_LOOK;
            }
        }
        self.costs.reached(bound)
    }

    /// Cuts what is paid for each cell by as much as any role that may hold it is paid too much.
    fn cut(&self, prices: &mut Prices, over: &[f64]) {
        let mut by_user = vec![1.0_f64; self.problem.users()];
        let mut by_cell = vec![1.0_f64; self.problem.cells()];
        for (&p, &over) in self.part.permissions.iter().zip(over) {
            for &(u, cell) in &self.problem.columns[p as usize] {
                let by = &mut by_user[u as usize];
                *by = by.max(over);
                by_cell[cell as usize] = *by;
            }
        }
        prices.paid.iter_mut().zip(&by_cell).for_each(|(paid, by)| *paid /= by);
        for cell in self.added.keys() {
            let shares = &mut prices.shares[*cell as usize];
            shares
                .iter_mut()
                .for_each(|(from, share)| *share /= by_cell[*from as usize]);
        }
    }

    /// Looks, for each permission, at the roles of it and of those after it.
    fn look(&self, prices: &Prices, each: u64, deadline: Instant) -> Vec<Looked> {
        let look = |(at, &first): (usize, &u32)| {
            let after = self.part.permissions.get(at + 1..).unwrap_or_default();
            let mut pricing = Pricing::new(self.problem, self.costs, prices, deadline);
            let mut offers = Vec::new();
            let (mut over, mut work) = (1.0_f64, 0);
            loop {
                let is_certain = pricing.look(first, after, over, each);
                work += each - pricing.work;
                let found = std::mem::take(&mut pricing.offers);
                let ratio = found.iter().map(|(_, ratio)| *ratio).fold(1.0, f64::max);
                if found.is_empty() || !is_certain {
                    let over = (is_certain && found.is_empty()).then_some(over);
                    offers.extend(found.into_iter().map(|(offer, _)| offer).rev().take(OFFERS));
                    return Looked { offers, over, work };
                }
                offers.extend(found.into_iter().map(|(offer, _)| offer).rev().take(OFFERS));
                over = over.max(ratio) * (1.0 + TOLERANCE);
            }
        };
        self.part.permissions.par_iter().enumerate().map(look).collect()
    }
}

impl Added {
    /// The row of a needed cell that comes with it.
    fn link(&mut self, with: u32, program: &mut Simplex, cost: f64) {
        let roles = self.served.iter().filter(|(_, served)| served.contains(&with));
        let mut terms: Vec<(u32, f64)> = roles.map(|&(column, _)| (column, -1.0)).collect();
        terms.push((self.column, 1.0));
        self.rows.insert(with, program.row(0.0, &terms, cost));
    }
}

/// What a look at the roles of one permission came to.
struct Looked {
    offers: Vec<Offer>,
    /// How many times its cost any of these roles is paid at most, and at least 1; nothing where that is not certain.
    over: Option<f64>,
    work: u64,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::optimize::roles::bound::edges_bound;
    use crate::optimize::roles::matrix::Matrix;
    use crate::optimize::roles::model::{Objective, Options};

    const SIDE: u32 = 3;

    fn matrix(bits: &[u32]) -> Matrix {
        let row = |b: &u32| (0..SIDE).filter(|p| b >> p & 1 == 1).collect();
        Matrix::from_rows(SIDE as usize, bits.iter().map(row).collect())
    }

    fn members(set: u32) -> Vec<u32> {
        (0..SIDE).filter(|x| set >> x & 1 == 1).collect()
    }

    /// The least that roles cost which grant what is `needed` and nothing beyond what is `allowed`, by trying all of them.
    fn least(needed: &[u32], allowed: &[u32], costs: [f64; 3]) -> f64 {
        let [role, edge, added] = costs;
        let cells = |bits: &[u32]| (0..).zip(bits).map(|(u, b)| b << (SIDE * u)).sum::<u32>() as usize;
        let (needed, allowed) = (cells(needed), cells(allowed));
        let mut roles = Vec::new();
        for users in 1..1 << SIDE {
            for permissions in 1_u32..1 << SIDE {
                let held = members(users).iter().map(|u| permissions << (SIDE * u)).sum::<u32>() as usize;
                if held & !allowed == 0 {
                    roles.push((
                        held,
                        role + edge * f64::from(users.count_ones() + permissions.count_ones()),
                    ));
                }
            }
        }
        let mut cost = vec![f64::INFINITY; allowed + 1];
        cost[0] = 0.0;
        for held in 0..=allowed {
            for &(more, price) in roles.iter().take_while(|_| held & !allowed == 0) {
                cost[held | more] = cost[held | more].min(cost[held] + price);
            }
        }
        let ends = (0..=allowed).filter(|held| needed & !held == 0);
        ends.map(|held| cost[held] + added * f64::from((held & !needed).count_ones()))
            .fold(f64::INFINITY, f64::min)
    }

    fn relaxed_in_full(problem: &Problem, options: &Options<'_>, work: u64) -> f64 {
        let deadline = Instant::now() + Duration::from_secs(60);
        relaxed(problem, &Costs::new(problem, options), &[], work, deadline)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn nothing_costs_less(
            bits in prop::collection::vec(1_u32..8, 1..=SIDE as usize),
            more in prop::collection::vec(0_u32..8, SIDE as usize),
            price in prop::sample::select(vec![0.0, 0.02, 0.3, 0.5, 1.0]),
            work in prop::sample::select(vec![0, 1_000, 10_000, 1_000_000_000]),
        ) {
            let m = matrix(&bits);
            let both: Vec<u32> = bits.iter().zip(&more).map(|(a, b)| a | b).collect();
            let allowed = matrix(&both);
            for (objective, role, edge) in [(Objective::Roles, 1.0, 0.0), (Objective::Edges, 0.0, 1.0), (Objective::Wsc, 1.0, 1.0)] {
                let exact = Options { objective, ..Options::default() };
                let bound = relaxed_in_full(&Problem::new(&m, &exact), &exact, work);
                prop_assert!(bound <= least(&bits, &bits, [role, edge, 0.0]) + 1e-6);

                let priced = Options { over_grant: Some(price), allowed: Some(&allowed), ..exact };
                let bound = relaxed_in_full(&Problem::new(&m, &priced), &priced, work);
                let least = least(&bits, &both, [role, edge, price]);
                prop_assert!(bound <= least + 1e-6, "{} {} {}", objective.name(), bound, least);
            }
        }

        #[test]
        fn small_matrices_leave_little_open(bits in prop::collection::vec(1_u32..8, 1..=SIDE as usize)) {
            let options = Options { objective: Objective::Edges, ..Options::default() };
            let problem = Problem::new(&matrix(&bits), &options);
            let bound = relaxed_in_full(&problem, &options, 1_000_000_000);
            prop_assert!(bound >= edges_bound(&problem));
            prop_assert_eq!(bound, least(&bits, &bits, [0.0, 1.0, 0.0]));
        }
    }

    #[test]
    fn the_price_of_what_is_added_is_not_rounded() {
        // Two pairs are added at a fiftieth each: in the search's whole numbers they cost a little more.
        let (needed, both) = ([1, 7], [7, 7]);
        let (m, allowed) = (matrix(&needed), matrix(&both));
        let options = Options {
            over_grant: Some(0.02),
            allowed: Some(&allowed),
            ..Options::default()
        };
        let bound = relaxed_in_full(&Problem::new(&m, &options), &options, 1_000_000_000);
        let least = least(&needed, &both, [1.0, 0.0, 0.02]);
        assert!((bound - least).abs() < 1e-6, "{bound} {least}");
    }

    #[test]
    fn existing_roles_are_free() {
        let m = Matrix::read_upa("a x y\nb x y z\nc z\n").unwrap();
        let options = Options {
            objective: Objective::Wsc,
            keep: vec![vec![0, 1]],
            ..Options::default()
        };
        // Two memberships of the existing role; one role of a permission and two users.
        assert_eq!(relaxed_in_full(&Problem::new(&m, &options), &options, 1_000_000), 6.0);
    }
}
