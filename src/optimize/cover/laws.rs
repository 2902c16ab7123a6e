//! What must hold for every problem: checked on random small ones against plain enumeration.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::clock::Clock;
use super::instance::{Column, Instance};
use super::matrix::Matrix;
use super::reduce::{components, reduce};
use super::{Cover, Limits, greedy, solve};
use crate::random::Random;

/// The least cost of a cover, by trying every choice of columns.
fn cheapest(rows: usize, columns: &[Column]) -> f64 {
    let all = (1u64 << rows) - 1;
    let masks: Vec<u64> = columns
        .iter()
        .map(|column| column.rows.iter().fold(0, |mask, row| mask | 1 << row))
        .collect();
    (0u32..1 << columns.len())
        .filter_map(|choice| {
            let chosen = (0..columns.len()).filter(|&index| choice >> index & 1 == 1);
            let covered = chosen.clone().fold(0, |mask, index| mask | masks[index]);
            (covered == all).then(|| chosen.map(|index| columns[index].cost).sum::<f64>())
        })
        .fold(f64::INFINITY, f64::min)
}

/// Small problems of every kind: free columns, equal columns, empty columns, whole and odd costs.
fn problem() -> impl Strategy<Value = Instance> {
    let cost = prop_oneof![
        Just(0.0),
        (1u32..6).prop_map(f64::from),
        (1u32..40).prop_map(|tenths| f64::from(tenths) / 10.0),
        0.0..5.0f64,
    ];
    let costs = prop_oneof![
        prop::collection::vec(Just(1.0), 11),
        prop::collection::vec((1u32..9).prop_map(f64::from), 11),
        prop::collection::vec(cost, 11),
    ];
    let rows = prop::collection::vec(prop::collection::vec(0u32..8, 0..5), 0..10);
    (0usize..=8, rows, costs).prop_map(|(count, sets, costs)| {
        let limit = count as u32;
        let mut columns: Vec<Column> = sets
            .into_iter()
            .zip(&costs)
            .map(|(rows, &cost)| Column::new(cost, rows.into_iter().filter(|&row| row < limit)))
            .collect();
        // A last dear column makes every problem solvable.
        columns.push(Column::new(costs[10] + 3.0, 0..limit));
        Instance::new(count, columns).unwrap()
    })
}

/// Problems with a dense middle that reductions can't take away: three columns a row, alike costs.
fn tangled() -> impl Strategy<Value = Instance> {
    let row = prop::collection::btree_set(0u32..12, 3..=4);
    let costs = prop_oneof![
        prop::collection::vec(Just(1.0), 12),
        prop::collection::vec((20u32..30).prop_map(f64::from), 12),
        prop::collection::vec(2.0..3.0f64, 12),
    ];
    (prop::collection::vec(row, 8..30), costs).prop_map(|(rows, costs)| {
        let columns = (0u32..12)
            .zip(costs)
            .map(|(column, cost)| {
                let covered = (0u32..).zip(&rows).filter(|(_, row)| row.contains(&column));
                Column::new(cost, covered.map(|(index, _)| index))
            })
            .collect();
        Instance::new(rows.len(), columns).unwrap()
    })
}

fn limits() -> Limits {
    Limits {
        time_limit: Duration::from_secs(600),
        seed: 7,
        max_rounds: Some(60),
    }
}

fn check(instance: &Instance, cover: &Cover) {
    let chosen = || cover.columns.iter().map(|&column| &instance.columns()[column as usize]);
    let covered: BTreeSet<u32> = chosen().flat_map(|column| column.rows.iter().copied()).collect();
    assert_eq!(covered.len(), instance.rows());
    assert!(cover.columns.is_sorted());
    assert!((chosen().map(|column| column.cost).sum::<f64>() - cover.cost).abs() < 1e-9);
    assert!(cover.lower_bound <= cover.cost);
    assert!(cover.lower_bound >= 0.0);
    assert_eq!(cover.optimal, cover.lower_bound == cover.cost);
}

fn holds(instance: &Instance) {
    let best = cheapest(instance.rows(), instance.columns());
    let quick = greedy(instance);
    check(instance, &quick);
    assert!(quick.lower_bound <= best + 1e-9);
    assert!(quick.cost >= best - 1e-9);

    let solved = solve(instance, &limits());
    check(instance, &solved);
    assert!(solved.optimal, "small problems are proven: {solved:?}");
    assert!((solved.cost - best).abs() < 1e-9, "{} is not {best}", solved.cost);
    assert!(solved.cost <= quick.cost);
    assert_eq!(solve(instance, &limits()), solved);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_problem_is_solved(instance in problem()) {
        holds(&instance);
    }

    #[test]
    fn tangled_problems_are_solved(instance in tangled()) {
        holds(&instance);
    }

    #[test]
    fn reductions_lose_nothing(instance in prop_oneof![problem(), tangled()], effort in 0u64..2000) {
        let matrix = Matrix::from(&instance);
        let reduced = reduce(&matrix, effort, &Clock::new(Duration::from_secs(600)));
        let rest: f64 = components(&matrix, &reduced)
            .iter()
            .map(|part| {
                let columns: Vec<Column> = (0..part.matrix.columns() as u32)
                    .map(|column| {
                        let rows = part.matrix.rows_of(column).iter().copied();
                        Column::new(part.matrix.cost(column), rows)
                    })
                    .collect();
                cheapest(part.rows.len(), &columns)
            })
            .sum();
        let best = cheapest(instance.rows(), instance.columns());
        prop_assert!((matrix.cost_of(&reduced.chosen) + rest - best).abs() < 1e-9);
    }

    #[test]
    fn without_time_there_still_is_an_answer(instance in tangled()) {
        let cover = solve(&instance, &Limits { time_limit: Duration::ZERO, ..limits() });
        check(&instance, &cover);
    }
}

/// A problem that is not closed at once: `rows` rows, each in a few random columns.
fn large(rows: u32, columns: u32, seed: u64) -> Instance {
    let mut random = Random::of(seed, 0);
    let mut members = vec![Vec::new(); columns as usize];
    for row in 0..rows {
        for _ in 0..columns / 10 {
            members[random.below(columns as usize)].push(row);
        }
    }
    let columns = members
        .into_iter()
        .map(|rows| Column::new(1.0 + random.below(3) as f64, rows))
        .collect();
    Instance::new(rows as usize, columns).unwrap()
}

#[test]
fn equal_seeds_give_equal_answers_when_rounds_end_the_search() {
    let instance = large(150, 300, 1);
    let short = Limits {
        max_rounds: Some(4),
        ..limits()
    };
    let first = solve(&instance, &short);
    check(&instance, &first);
    assert_eq!(solve(&instance, &short), first);
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one_thread.install(|| solve(&instance, &short)), first);
}

#[test]
fn more_rounds_are_never_worse() {
    let instance = large(100, 200, 2);
    let mut before = greedy(&instance);
    for rounds in [0, 1, 2, 3, 5] {
        let limits = Limits {
            max_rounds: Some(rounds),
            ..limits()
        };
        let now = solve(&instance, &limits);
        check(&instance, &now);
        assert!(now.cost <= before.cost);
        assert!(now.lower_bound >= before.lower_bound - 1e-9);
        before = now;
    }
}

#[test]
fn many_components_are_solved_one_by_one() {
    // Fifty odd cycles of nine: each needs five of its nine columns.
    let columns = (0u32..50)
        .flat_map(|cycle| (0u32..9).map(move |at| Column::new(1.0, [cycle * 9 + at, cycle * 9 + (at + 1) % 9])))
        .collect();
    let instance = Instance::new(450, columns).unwrap();
    let cover = solve(&instance, &limits());
    check(&instance, &cover);
    assert_eq!((cover.cost, cover.optimal), (250.0, true));
}

#[test]
fn nothing_to_cover_costs_nothing() {
    for columns in [vec![], vec![Column::new(3.0, [])]] {
        let cover = solve(&Instance::new(0, columns).unwrap(), &limits());
        assert_eq!((cover.columns, cover.cost, cover.optimal), (vec![], 0.0, true));
    }
}

#[test]
fn free_columns_are_taken_only_where_needed() {
    let columns = vec![
        Column::new(0.0, [0, 1]),
        Column::new(0.0, [1]),
        Column::new(4.0, [0, 1, 2]),
        Column::new(3.0, [2]),
    ];
    let cover = solve(&Instance::new(3, columns).unwrap(), &limits());
    assert_eq!((cover.columns, cover.cost), (vec![0, 3], 3.0));
}
