//! Whether fewer roles than were found could do: tried by following what is forced to a contradiction.
//!
//! The cells of a fooling set are in different roles. With as many roles as that, every other cell is in one of theirs; a cell that fits only
//! one is forced there, which leaves less room in it and forces others, until a cell fits none: then there must be one role more. With some
//! roles to spare, at least one of the cells that led to such a contradiction is in a spare role, and each of them is tried in turn.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: cells are those of the field; roles are numbers that the growth gave.

use std::time::Instant;

use crate::optimize::roles::anchors::Growth;
use crate::optimize::roles::field::Field;
use crate::optimize::roles::problem::NONE;

/// What became of the attempt to do with so many roles.
pub enum Verdict<'a> {
    /// There is no such cover.
    Impossible,
    /// These do.
    Possible(Box<Growth<'a>>),
    /// The work allowed was not enough to tell.
    Open,
}

/// The search for a contradiction.
struct Refutation<'a> {
    field: &'a Field<'a>,
    work: u64,
    deadline: Instant,
}

/// Whether all cells fit `spare` roles more than there are cells in `fooling`, of which no two fit one role.
pub fn fits<'a>(
    field: &'a Field<'a>,
    fooling: &[u32],
    spare: usize,
    work: u64,
    deadline: Instant,
) -> (Verdict<'a>, u64) {
    let growth = Growth::from_fooling(field, fooling);
    let mut refutation = Refutation { field, work, deadline };
    let verdict = refutation.decide(growth, spare);
    (verdict, work - refutation.work)
}

impl<'a> Refutation<'a> {
    fn is_over(&self) -> bool {
        self.work == 0 || Instant::now() >= self.deadline
    }

    /// Whether the open cells fit the roles there are and `spare` more.
    fn decide(&mut self, mut growth: Growth<'a>, spare: usize) -> Verdict<'a> {
        if self.is_over() {
            return Verdict::Open;
        }
        let mut trial = growth.clone();
        trial.begin_log();
        let consistent = trial.follow();
        self.work = self.work.saturating_sub(trial.work() - growth.work());
        if !consistent {
            let Some(cell) = trial.homeless() else {
                return Verdict::Open;
            };
            if spare == 0 {
                return Verdict::Impossible;
            }
            // One of these is in a spare role; those before it are not, so they are where they were forced to.
            let (reasons, work) = self.reasons(&growth, &trial, cell);
            self.work = self.work.saturating_sub(work);
            for &(cell, role) in &reasons {
                let mut other = growth.clone();
                other.open_at(cell);
                other.look();
                match self.decide(other, spare - 1) {
                    Verdict::Impossible => {}
                    verdict => return verdict,
                }
                if role != NONE {
                    growth.put(cell, role);
                }
            }
            return Verdict::Impossible;
        }
        let Some(cell) = trial.fewest_fits() else {
            return Verdict::Possible(Box::new(trial));
        };
        // Nothing is forced any more: the cell goes to one of the roles it fits, or to a spare one.
        if spare == 0 {
            growth = trial;
        }
        let roles = growth.roles_for(cell);
        for &role in &roles {
            let mut other = growth.clone();
            other.put(cell, role);
            other.look();
            match self.decide(other, spare) {
                Verdict::Impossible => {}
                verdict => return verdict,
            }
        }
        if spare == 0 {
            return Verdict::Impossible;
        }
        growth.open_at(cell);
        growth.look();
        self.decide(growth, spare - 1)
    }

    /// The cells that led to the contradiction, each with the role it was forced into, in that order; at last the cell that fits none.
    fn reasons(&self, growth: &Growth<'a>, trial: &Growth<'a>, cell: u32) -> (Vec<(u32, u32)>, u64) {
        let log = trial.log();
        let mut taken: Vec<bool> = vec![false; log.len()];
        // For each role the places in the log of what was put in.
        let mut of_role: Vec<Vec<u32>> = vec![Vec::new(); trial.numbers()];
        for (at, &(_, role)) in (0_u32..).zip(log) {
            of_role[role as usize].push(at);
        }
        let mut work = 0;
        let mut next: Vec<(u32, u32, u32)> = vec![(cell, NONE, log.len() as u32)];
        while let Some((cell, own, before)) = next.pop() {
            for (role, puts) in (0_u32..).zip(&of_role) {
                if role == own {
                    continue;
                }
                let mut why = None;
                for &at in puts.iter().take_while(|&&at| at < before) {
                    work += 1;
                    let other = log[at as usize].0;
                    if !self.field.are_neighbours(cell, other) {
                        // One that is among the reasons already costs nothing more.
                        if taken[at as usize] {
                            why = None;
                            break;
                        }
                        why = why.or(Some(at));
                    }
                }
                if let Some(at) = why.filter(|_| growth.fits(cell, role)) {
                    taken[at as usize] = true;
                    let (other, into) = log[at as usize];
                    next.push((other, into, at));
                }
            }
        }
        let mut reasons: Vec<(u32, u32)> = log
            .iter()
            .zip(&taken)
            .filter(|(_, taken)| **taken)
            .map(|(&put, _)| put)
            .collect();
        reasons.push((cell, NONE));
        (reasons, work)
    }
}
