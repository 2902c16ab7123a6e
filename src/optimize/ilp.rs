//! The one door to an integer program solver: least `costs · x` over 0/1 variables under `>=` and `<=` rows.
//!
//! microlp (pure Rust) solves it; with the cargo feature `highs` it is HiGHS. Nothing outside this file names either.

use std::time::Duration;

use good_lp::solvers::{ResolutionError, Solution, SolutionStatus, SolverModel, WithInitialSolution, WithTimeLimit};
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

/// The optimum of the program when fractions between 0 and 1 are allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct Relaxation {
    /// Its cost: a lower bound for every assignment.
    pub cost: f64,
    /// The fraction of each variable.
    pub values: Vec<f64>,
}

/// Prices of the rows that prove a lower bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices {
    /// The bound they prove.
    pub bound: f64,
    /// One price a row: at least 0 for `>=`, at most 0 for `<=`.
    pub rows: Vec<f64>,
}

/// The cheapest assignment, starting from one that is known to be feasible if there is any.
///
/// # Errors
/// Where no assignment exists, none was found in time, or the solver fails.
pub fn solve(program: &Program, start: Option<&[u32]>, time_limit: Duration) -> Result<Assignment, IlpError> {
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
    if let Some(chosen) = start {
        let mut values = vec![0.0; variables.len()];
        for &index in chosen {
            if let Some(value) = values.get_mut(index as usize) {
                *value = 1.0;
            }
        }
        model = model.with_initial_solution(variables.iter().copied().zip(values));
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

/// The optimum over fractions: what the integer optimum can't be below.
///
/// # Errors
/// Where the rows contradict each other, the time is up, or the solver fails.
pub fn relax(program: &Program, time_limit: Duration) -> Result<Relaxation, IlpError> {
    program.check()?;
    if program.costs.is_empty() {
        return program.without_variables().map(|empty| Relaxation {
            cost: empty.cost,
            values: Vec::new(),
        });
    }
    let mut problem = ProblemVariables::new();
    let variables: Vec<Variable> = problem.add_vector(variable().clamp(0.0, 1.0), program.costs.len());
    let objective = weighted(&variables, program.costs.iter().copied());
    let mut model = backend::ready(problem.minimise(objective)).with_time_limit(time_limit.as_secs_f64());
    for row in &program.rows {
        model.add_constraint(row.constraint(&variables));
    }
    let solution = model.solve().map_err(|error| program.explain(error, time_limit))?;
    if !matches!(solution.status(), SolutionStatus::Optimal) {
        return Err(IlpError::OutOfTime {
            milliseconds: time_limit.as_millis(),
        });
    }
    let values: Vec<f64> = variables
        .iter()
        .map(|&variable| solution.value(variable).clamp(0.0, 1.0))
        .collect();
    let cost = values
        .iter()
        .zip(&program.costs)
        .map(|(value, cost)| value * cost)
        .sum();
    Ok(Relaxation { cost, values })
}

/// The best prices of the rows: the dual of the relaxation, solved as a program of its own.
///
/// The bound is computed again from the prices, so it holds whatever the solver's tolerances are.
///
/// # Errors
/// Where the time is up or the solver fails; a contradiction among the rows shows as [`IlpError::Solver`].
pub fn prices(program: &Program, time_limit: Duration) -> Result<Prices, IlpError> {
    program.check()?;
    if program.rows.is_empty() {
        return Ok(Prices {
            bound: program.bound_of(&[]),
            rows: Vec::new(),
        });
    }
    let mut problem = ProblemVariables::new();
    let duals: Vec<Variable> = program
        .rows
        .iter()
        .map(|row| match row.sense {
            Sense::AtLeast => problem.add(variable().min(0.0)),
            Sense::AtMost => problem.add(variable().max(0.0)),
        })
        .collect();
    // The price of a variable's upper bound 1: what its rows may pay beyond its cost.
    let overpaid: Vec<Variable> = problem.add_vector(variable().min(0.0), program.costs.len());
    let income = weighted(&duals, program.rows.iter().map(|row| row.bound));
    let objective = income - weighted(&overpaid, overpaid.iter().map(|_| 1.0));
    let mut columns = vec![Expression::default(); program.costs.len()];
    for (row, &dual) in program.rows.iter().zip(&duals) {
        for &(index, factor) in &row.terms {
            if let Some(column) = columns.get_mut(index as usize) {
                column.add_mul(factor, dual);
            }
        }
    }
    let mut model = backend::ready(problem.maximise(objective)).with_time_limit(time_limit.as_secs_f64());
    for ((column, &extra), &cost) in columns.into_iter().zip(&overpaid).zip(&program.costs) {
        model.add_constraint(constraint!(column - extra <= cost));
    }
    let solution = model.solve().map_err(|error| program.explain(error, time_limit))?;
    let rows: Vec<f64> = program
        .rows
        .iter()
        .zip(&duals)
        .map(|(row, &dual)| match row.sense {
            Sense::AtLeast => solution.value(dual).max(0.0),
            Sense::AtMost => solution.value(dual).min(0.0),
        })
        .collect();
    Ok(Prices {
        bound: program.bound_of(&rows),
        rows,
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

    /// The lower bound that row prices of the right sign prove (weak duality).
    fn bound_of(&self, prices: &[f64]) -> f64 {
        let mut reduced = self.costs.clone();
        let mut bound = 0.0;
        for (row, price) in self.rows.iter().zip(prices) {
            bound += row.bound * price;
            for &(index, factor) in &row.terms {
                if let Some(cost) = reduced.get_mut(index as usize) {
                    *cost -= factor * price;
                }
            }
        }
        bound + reduced.into_iter().map(|cost| cost.min(0.0)).sum::<f64>()
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

    /// The triangle: three edges, each to be covered by one of its two corners. Two corners; relaxed, one and a half.
    fn triangle() -> Program {
        Program {
            costs: vec![1.0; 3],
            rows: vec![Row::any_of([0, 1]), Row::any_of([1, 2]), Row::any_of([2, 0])],
        }
    }

    #[test]
    fn integer_optimum_and_its_relaxation() {
        let program = triangle();
        let best = solve(&program, Some(&[0, 1, 2]), SECONDS).unwrap();
        assert_eq!((best.cost, best.optimal, best.lower_bound), (2.0, true, 2.0));
        assert!(program.allows(&best.chosen));
        let relaxed = relax(&program, SECONDS).unwrap();
        assert!((relaxed.cost - 1.5).abs() < 1e-6);
        let dual = prices(&program, SECONDS).unwrap();
        assert!((dual.bound - 1.5).abs() < 1e-6);
        assert!(dual.rows.iter().all(|&price| price >= 0.0));
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
        let best = solve(&program, None, SECONDS).unwrap();
        assert_eq!((best.chosen, best.cost), (vec![0, 2], -8.0));
        let dual = prices(&program, SECONDS).unwrap();
        assert!((dual.bound + 8.0).abs() < 1e-6);
    }

    #[test]
    fn contradictions_and_wrong_names_are_errors() {
        let none = Program {
            costs: vec![1.0],
            rows: vec![Row::any_of([])],
        };
        assert_eq!(solve(&none, None, SECONDS), Err(IlpError::Infeasible { rows: 1 }));
        let unknown = Program {
            costs: vec![1.0],
            rows: vec![Row::any_of([3])],
        };
        assert_eq!(
            solve(&unknown, None, SECONDS).unwrap_err().to_string(),
            "cannot solve the integer program: it names variable `3`, but has only `1`"
        );
    }

    #[test]
    fn an_empty_program_costs_nothing() {
        let best = solve(&Program::default(), None, SECONDS).unwrap();
        assert_eq!((best.cost, best.optimal), (0.0, true));
        assert_eq!(relax(&Program::default(), SECONDS).unwrap().cost, 0.0);
        assert_eq!(prices(&Program::default(), SECONDS).unwrap().bound, 0.0);
    }

    #[test]
    fn no_time_keeps_the_start() {
        let best = solve(&triangle(), Some(&[0, 1, 2]), Duration::ZERO);
        if let Ok(best) = best {
            assert!(best.cost <= 3.0);
            assert!(best.lower_bound <= best.cost);
        }
    }
}
