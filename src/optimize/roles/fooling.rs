//! Fooling sets: cells of which no two fit one role, so that there are at least as many roles. As many as a local search finds.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: cells are those of the field; `place` of a cell in a list is its index there.

use std::time::Instant;

use crate::optimize::roles::field::Field;
use crate::optimize::roles::problem::NONE;
use crate::random::Random;

/// A cell that was put in or taken out stays so for this many moves, and for up to as many more by chance.
const STAY: usize = 7;
/// Of the cells that only one chosen one is in the way of, so many are tried in its place.
const TRIED: usize = 24;
/// Between two jumps so many moves for each chosen cell.
const MOVES_PER_CELL: usize = 4;

/// A list of cells that any cell can leave at once.
#[derive(Default)]
struct List {
    cells: Vec<u32>,
    place: Vec<u32>,
}

impl List {
    fn new(cells: usize) -> Self {
        Self {
            cells: Vec::new(),
            place: vec![NONE; cells],
        }
    }

    fn add(&mut self, cell: u32) {
        if self.place[cell as usize] == NONE {
            self.place[cell as usize] = self.cells.len() as u32;
            self.cells.push(cell);
        }
    }

    fn remove(&mut self, cell: u32) {
        let at = std::mem::replace(&mut self.place[cell as usize], NONE);
        if at != NONE {
            self.cells.swap_remove(at as usize);
            if let Some(&moved) = self.cells.get(at as usize) {
                self.place[moved as usize] = at;
            }
        }
    }

    fn has(&self, cell: u32) -> bool {
        self.place[cell as usize] != NONE
    }
}

/// A local search for a large fooling set; it goes on from where it was left.
pub struct Fooling<'a> {
    field: &'a Field<'a>,
    chosen: List,
    /// Cells that no chosen one is in the way of.
    free: List,
    /// How many chosen cells are neighbours of each cell.
    times: Vec<u32>,
    /// The move from which on the cell may change again.
    until: Vec<u64>,
    moves: u64,
    /// Rare permissions of small users first.
    weight: Vec<u64>,
    best: Vec<u32>,
    rng: Random,
    work: u64,
}

impl<'a> Fooling<'a> {
    /// Starts with nothing chosen.
    pub fn new(field: &'a Field<'a>, rng: Random) -> Self {
        let mut free = List::new(field.cells());
        (0..field.cells() as u32).for_each(|cell| free.add(cell));
        Self {
            chosen: List::new(field.cells()),
            free,
            times: vec![0; field.cells()],
            until: vec![0; field.cells()],
            moves: 0,
            weight: (0..field.cells() as u32).map(|cell| field.reach(cell)).collect(),
            best: Vec::new(),
            rng,
            work: 0,
            field,
        }
    }

    /// The largest set so far.
    pub fn best(&self) -> &[u32] {
        &self.best
    }

    /// The first set: greedily, cells with few neighbours first; as far as the time goes, and for so much work at least.
    pub fn begin(&mut self, grace: u64, deadline: Instant) {
        let mut order: Vec<u32> = self.free.cells.clone();
        order.sort_by_key(|&cell| (self.weight[cell as usize], cell));
        for (i, cell) in order.into_iter().enumerate() {
            if i % 64 == 0 && self.work > grace && Instant::now() >= deadline {
                break;
            }
            if self.free.has(cell) {
                self.insert(cell);
            }
        }
        self.best = self.chosen.cells.clone();
    }

    /// Searches on for about `work` elementary steps, until the time is up or `enough` are found.
    pub fn run(&mut self, work: u64, enough: usize, deadline: Instant) {
        let end = self.work.saturating_add(work);
        let mut since = 0;
        while self.work < end && self.best.len() < enough && Instant::now() < deadline {
            self.moves += 1;
            since += 1;
            self.work += 16;
            if let Some(cell) = self.lightest_free() {
                self.insert(cell);
                if self.chosen.cells.len() > self.best.len() {
                    self.best = self.chosen.cells.clone();
                    since = 0;
                }
                continue;
            }
            if since > MOVES_PER_CELL * self.chosen.cells.len() {
                since = 0;
                self.jump();
            } else {
                self.swap();
            }
        }
    }

    fn lightest_free(&mut self) -> Option<u32> {
        let free = &self.free.cells;
        let look = (0..4).filter_map(|_| self.rng.pick(free));
        look.min_by_key(|&cell| self.weight[cell as usize])
    }

    /// A chosen cell gives way to one that only it was in the way of, best to one that others can join.
    fn swap(&mut self) {
        let Some(out) = self.rng.pick(&self.chosen.cells) else {
            return;
        };
        if self.until[out as usize] > self.moves {
            return;
        }
        let mut instead: Vec<u32> = Vec::new();
        self.work += self.field.for_neighbours(out, |cell| {
            if self.times[cell as usize] == 1 && cell != out {
                instead.push(cell);
            }
        });
        let (mut best, mut joins) = (None, 0);
        self.rng.shuffle(&mut instead);
        for &cell in instead.iter().take(TRIED) {
            let apart = instead
                .iter()
                .take(TRIED)
                .filter(|&&other| !self.field.are_neighbours(cell, other))
                .count();
            if (best.is_none() && self.until[cell as usize] <= self.moves) || apart > joins {
                best = Some(cell);
                joins = apart;
            }
        }
        if let Some(cell) = best {
            self.take_out(out);
            self.insert(cell);
        }
    }

    /// Puts a few random cells in, whatever is in their way.
    fn jump(&mut self) {
        for _ in 0..1 + self.rng.below(4) {
            let cell = self.rng.below(self.field.cells()) as u32;
            if self.chosen.has(cell) {
                continue;
            }
            let mut out: Vec<u32> = Vec::new();
            self.work += self.field.for_neighbours(cell, |other| {
                if self.chosen.has(other) {
                    out.push(other);
                }
            });
            out.into_iter().for_each(|other| self.take_out(other));
            self.insert(cell);
        }
    }

    fn stay(&mut self, cell: u32) {
        let moves = STAY + self.rng.below(STAY + 1);
        self.until[cell as usize] = self.moves + moves as u64;
    }

    /// Chooses a free cell.
    fn insert(&mut self, cell: u32) {
        self.chosen.add(cell);
        let (times, free) = (&mut self.times, &mut self.free);
        self.work += self.field.for_neighbours(cell, |other| {
            times[other as usize] += 1;
            if times[other as usize] == 1 {
                free.remove(other);
            }
        });
        self.stay(cell);
    }

    fn take_out(&mut self, cell: u32) {
        self.chosen.remove(cell);
        let (times, free) = (&mut self.times, &mut self.free);
        self.work += self.field.for_neighbours(cell, |other| {
            times[other as usize] -= 1;
            if times[other as usize] == 0 {
                free.add(other);
            }
        });
        self.stay(cell);
    }
}
