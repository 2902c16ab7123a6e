//! The one door to an integer program solver: least `costs · x` over 0/1 variables under `>=` and `<=` rows.
//!
//! microlp (pure Rust) solves it; with the cargo feature `highs` it is HiGHS. Nothing outside this file names either.

use std::time::Duration;

use good_lp::solvers::{ResolutionError, Solution, SolutionStatus, SolverModel, WithTimeLimit};
use good_lp::{Expression, ProblemVariables, Variable, constraint, variable};
use thiserror::Error;

/// Values closer than this to 0 or 1 count as that.
const INTEGRALITY: f64 = 1e-5;

/// Covering programs with at most so many nonzero factors are solved at once.
pub const ENTRIES_AT_EASE: usize = backend::ENTRIES_AT_EASE;

/// The solver that this program was built with.
pub const SOLVER: &str = backend::NAME;

/// Why a program has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IlpError {
    /// No 0/1 assignment satisfies the rows.
    #[error("cannot solve the integer program: no assignment satisfies its `{rows}` rows")]
    Infeasible {
        /// How many rows it has.
        rows: usize,
    },
    /// The time was up before any assignment was found.
    #[error("cannot solve the integer program: no assignment found within `{milliseconds}` ms")]
    OutOfTime {
        /// The limit.
        milliseconds: u128,
    },
    /// A row names a variable that has no cost.
    #[error("cannot solve the integer program: it names variable `{variable}`, but has only `{variables}`")]
    UnknownVariable {
        /// The variable named.
        variable: u32,
        /// How many there are.
        variables: usize,
    },
    /// The solver gave up for a reason of its own.
    #[error("cannot solve the integer program: `{0}`")]
    Solver(String),
}

/// Which side of its bound a row's sum has to stay on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sense {
    /// The sum is at least the bound.
    AtLeast,
    /// The sum is at most the bound.
    AtMost,
}

/// One linear condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Variable and its factor; a variable named twice counts with the sum.
    pub terms: Vec<(u32, f64)>,
    /// The direction.
    pub sense: Sense,
    /// The bound.
    pub bound: f64,
}

impl Row {
    /// At least one of the variables is chosen.
    pub fn any_of(variables: impl IntoIterator<Item = u32>) -> Self {
        Self {
            terms: variables.into_iter().map(|variable| (variable, 1.0)).collect(),
            sense: Sense::AtLeast,
            bound: 1.0,
        }
    }
}

/// Minimise `costs · x`, every `x` 0 or 1, subject to the rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Program {
    /// One cost a variable; any finite number.
    pub costs: Vec<f64>,
    /// The conditions.
    pub rows: Vec<Row>,
}

/// The best assignment found.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// The variables that are 1, ascending.
    pub chosen: Vec<u32>,
    /// Its cost.
    pub cost: f64,
    /// No assignment is cheaper; minus infinity where the solver told nothing.
    pub lower_bound: f64,
    /// Whether the solver proved that none is cheaper.
    pub optimal: bool,
}

/// The cheapest assignment.
///
/// # Errors
/// Where no assignment exists, none was found in time, or the solver fails.
pub fn solve(program: &Program, time_limit: Duration) -> Result<Assignment, IlpError> {
    program.check()?;
    if program.costs.is_empty() {
        return program.without_variables();
    }
    let mut problem = ProblemVariables::new();
    let variables: Vec<Variable> = problem.add_vector(variable().binary(), program.costs.len());
    let objective = weighted(&variables, program.costs.iter().copied());
    let mut model = backend::ready(problem.minimise(objective)).with_time_limit(time_limit.as_secs_f64());
    for row in &program.rows {
        model.add_constraint(row.constraint(&variables));
    }
    let solution = model.solve().map_err(|error| program.explain(error, time_limit))?;
    let chosen: Vec<u32> = (0u32..)
        .zip(&variables)
        .filter(|&(_, &variable)| solution.value(variable) > 0.5)
        .map(|(index, _)| index)
        .collect();
    if !program.allows(&chosen) {
        return Err(IlpError::OutOfTime {
            milliseconds: time_limit.as_millis(),
        });
    }
    let cost = program.cost_of(&chosen);
    let optimal = matches!(solution.status(), SolutionStatus::Optimal);
    let lower_bound = if optimal {
        cost
    } else {
        backend::bound(solution).min(cost)
    };
    Ok(Assignment {
        chosen,
        cost,
        lower_bound,
        optimal,
    })
}

impl Program {
    /// Whether the assignment with just these variables at 1 satisfies every row.
    pub fn allows(&self, chosen: &[u32]) -> bool {
        let mut is_chosen = vec![false; self.costs.len()];
        for &index in chosen {
            if let Some(seen) = is_chosen.get_mut(index as usize) {
                *seen = true;
            }
        }
        self.rows.iter().all(|row| {
            let sum: f64 = row
                .terms
                .iter()
                .filter(|(index, _)| is_chosen.get(*index as usize) == Some(&true))
                .map(|(_, factor)| factor)
                .sum();
            match row.sense {
                Sense::AtLeast => sum >= row.bound - INTEGRALITY,
                Sense::AtMost => sum <= row.bound + INTEGRALITY,
            }
        })
    }

    /// What the assignment with just these variables at 1 costs.
    pub fn cost_of(&self, chosen: &[u32]) -> f64 {
        chosen.iter().filter_map(|&index| self.costs.get(index as usize)).sum()
    }

    fn check(&self) -> Result<(), IlpError> {
        let variables = self.costs.len();
        let named = self.rows.iter().flat_map(|row| &row.terms);
        match named
            .map(|&(index, _)| index)
            .find(|&index| index as usize >= variables)
        {
            Some(variable) => Err(IlpError::UnknownVariable { variable, variables }),
            None => Ok(()),
        }
    }

    /// The answer where there is nothing to choose.
    fn without_variables(&self) -> Result<Assignment, IlpError> {
        if !self.allows(&[]) {
            return Err(IlpError::Infeasible { rows: self.rows.len() });
        }
        Ok(Assignment {
            chosen: Vec::new(),
            cost: 0.0,
            lower_bound: 0.0,
            optimal: true,
        })
    }

    fn explain(&self, error: ResolutionError, time_limit: Duration) -> IlpError {
        match error {
            ResolutionError::Infeasible => IlpError::Infeasible { rows: self.rows.len() },
            ResolutionError::Other(_) => IlpError::OutOfTime {
                milliseconds: time_limit.as_millis(),
            },
            other => IlpError::Solver(other.to_string()),
        }
    }
}

impl Row {
    fn constraint(&self, variables: &[Variable]) -> good_lp::Constraint {
        let mut sum = Expression::with_capacity(self.terms.len());
        for &(index, factor) in &self.terms {
            if let Some(&variable) = variables.get(index as usize) {
                sum.add_mul(factor, variable);
            }
        }
        match self.sense {
            Sense::AtLeast => constraint!(sum >= self.bound),
            Sense::AtMost => constraint!(sum <= self.bound),
        }
    }
}

fn weighted(variables: &[Variable], weights: impl Iterator<Item = f64>) -> Expression {
    let mut sum = Expression::with_capacity(variables.len());
    for (&variable, weight) in variables.iter().zip(weights) {
        sum.add_mul(weight, variable);
    }
    sum
}

#[cfg(not(feature = "highs"))]
mod backend {
    //! What differs between the solvers: here microlp.

    use good_lp::solvers::microlp::{MicroLpProblem, MicroLpSolution};
    use good_lp::variable::UnsolvedProblem;

    pub const NAME: &str = "microlp";

    /// The problem as the solver takes it.
    pub fn ready(problem: UnsolvedProblem) -> MicroLpProblem {
        problem.using(good_lp::microlp)
    }

    /// Measured: such programs take some hundredths of a second.
    pub const ENTRIES_AT_EASE: usize = 1_000;

    /// The bound proved when the search was cut short.
    pub fn bound(solution: MicroLpSolution) -> f64 {
        solution.into_inner().stats().best_bound.unwrap_or(f64::NEG_INFINITY)
    }
}

#[cfg(feature = "highs")]
mod backend {
    //! What differs between the solvers: here HiGHS.

    use good_lp::solvers::highs::{HighsParallelType, HighsProblem, HighsSolution};
    use good_lp::variable::UnsolvedProblem;

    pub const NAME: &str = "HiGHS";

    /// The problem as the solver takes it: on one thread, for its callers are parallel already.
    pub fn ready(problem: UnsolvedProblem) -> HighsProblem {
        problem
            .using(good_lp::highs)
            .set_parallel(HighsParallelType::Off)
            .set_threads(1)
    }

    /// Measured: such programs take well below a second.
    pub const ENTRIES_AT_EASE: usize = 2_000;

    /// HiGHS keeps its bound to itself when the search is cut short.
    pub fn bound(_: HighsSolution) -> f64 {
        f64::NEG_INFINITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: Duration = Duration::from_secs(10);

    /// The triangle: three edges, each to be covered by one of its two corners. Two corners.
    fn triangle() -> Program {
        Program {
            costs: vec![1.0; 3],
            rows: vec![Row::any_of([0, 1]), Row::any_of([1, 2]), Row::any_of([2, 0])],
        }
    }

    #[test]
    fn the_optimum_over_whole_numbers() {
        let program = triangle();
        let best = solve(&program, SECONDS).unwrap();
        assert_eq!((best.cost, best.optimal, best.lower_bound), (2.0, true, 2.0));
        assert!(program.allows(&best.chosen));
    }

    #[test]
    fn rows_of_both_senses() {
        // Most value with at most two chosen and not both 0 and 1: costs are negative values.
        let program = Program {
            costs: vec![-5.0, -4.0, -3.0],
            rows: vec![
                Row {
                    terms: vec![(0, 1.0), (1, 1.0), (2, 1.0)],
                    sense: Sense::AtMost,
                    bound: 2.0,
                },
                Row {
                    terms: vec![(0, 1.0), (1, 1.0)],
                    sense: Sense::AtMost,
                    bound: 1.0,
                },
            ],
        };
        let best = solve(&program, SECONDS).unwrap();
        assert_eq!((best.chosen, best.cost), (vec![0, 2], -8.0));
    }

    #[test]
    fn contradictions_and_wrong_names_are_errors() {
        let none = Program {
            costs: vec![1.0],
            rows: vec![Row::any_of([])],
        };
        assert_eq!(solve(&none, SECONDS), Err(IlpError::Infeasible { rows: 1 }));
        let unknown = Program {
            costs: vec![1.0],
            rows: vec![Row::any_of([3])],
        };
        assert_eq!(
            solve(&unknown, SECONDS).unwrap_err().to_string(),
            "cannot solve the integer program: it names variable `3`, but has only `1`"
        );
    }

    #[test]
    fn an_empty_program_costs_nothing() {
        let best = solve(&Program::default(), SECONDS).unwrap();
        assert_eq!((best.cost, best.optimal), (0.0, true));
    }

    #[test]
    fn a_cut_search_never_claims_too_much() {
        match solve(&triangle(), Duration::ZERO) {
            Ok(best) => assert!(best.cost >= 2.0 && best.lower_bound <= 2.0, "{best:?}"),
            Err(error) => assert_eq!(
                error.to_string(),
                "cannot solve the integer program: no assignment found within `0` ms"
            ),
        }
    }
}
