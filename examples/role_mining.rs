//! Mines roles from `.upa` files, or measures how many planted roles are found again under noise.
//!
//! `role_mining FILE... [--objective roles|edges|wsc|natural] [--time-limit 60s] [--seed N] [--steps N] [--max-roles-per-user K]
//! [--table]` prints a JSON
//! object a file, or with `--table` a Markdown row; `role_mining --recovery SEEDS` prints a table over noise levels;
//! `role_mining --sweep SEED` prints one over planted instances of every kind, against the number of planted roles.

use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::json;
use vault_advisor::optimize::roles::{Matrix, Mined, Objective, Options, Shape, found_again, mine, plant, verify};

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options::default();
    let (mut files, mut table, mut recovery_seeds, mut sweep_seed) = (Vec::new(), false, None, None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
        match word.as_str() {
            "--objective" => {
                options.objective = Objective::from_name(&value()?).ok_or("unknown objective")?;
            }
            "--time-limit" => {
                let seconds: f64 = value()?.trim_end_matches('s').parse()?;
                options.time_limit = Duration::from_secs_f64(seconds);
            }
            "--seed" => options.seed = value()?.parse()?,
            "--max-roles-per-user" => options.max_roles_per_user = Some(value()?.parse()?),
            "--steps" => options.steps = Some(value()?.parse()?),
            "--table" => table = true,
            "--sweep" => sweep_seed = Some(value()?.parse::<u64>()?),
            "--recovery" => recovery_seeds = Some(value()?.parse::<u64>()?),
            _ => files.push(word),
        }
    }
    let mut out = std::io::stdout().lock();
    if let Some(seeds) = recovery_seeds {
        return recovery(seeds, &options, &mut out);
    }
    if let Some(seed) = sweep_seed {
        return sweep(seed, &options, &mut out);
    }
    if files.is_empty() {
        return Err("which file? `role_mining FILE.upa`".into());
    }
    for file in &files {
        let matrix = Matrix::read_upa(&std::fs::read_to_string(file)?)?;
        let started = Instant::now();
        let mined = mine(&matrix, &options);
        let seconds = started.elapsed().as_secs_f64();
        verify(&matrix, &options, &mined)?;
        if table {
            writeln!(out, "{}", row(file, &options, &mined, seconds))?;
        } else {
            writeln!(out, "{}", object(&matrix, &mined, seconds))?;
        }
    }
    Ok(())
}

fn object(matrix: &Matrix, mined: &Mined, seconds: f64) -> serde_json::Value {
    let names = |indexes: &[u32], names: &[String]| -> Vec<String> {
        indexes.iter().filter_map(|&i| names.get(i as usize).cloned()).collect()
    };
    let roles: Vec<_> = mined
        .roles
        .iter()
        .map(|role| {
            json!({
                "users": names(&role.users, &matrix.users),
                "permissions": names(&role.permissions, &matrix.permissions),
            })
        })
        .collect();
    json!({
        "users": matrix.users.len(),
        "permissions": matrix.permissions.len(),
        "assignments": matrix.ones(),
        "roles": roles,
        "count": mined.count,
        "edges": mined.edges,
        "wsc": mined.wsc,
        "direct": mined.direct.len(),
        "lower_bound": mined.lower_bound,
        "optimal": mined.optimal,
        "seconds": seconds,
    })
}

fn row(file: &str, options: &Options<'_>, mined: &Mined, seconds: f64) -> String {
    let name = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".upa");
    let gap = 100.0 * (mined.cost - mined.lower_bound) / mined.cost.max(1.0);
    format!(
        "| {name} | {} | {} | {} | {} | {:.0} | {} | {gap:.1} % | {seconds:.1} |",
        options.objective.name(),
        mined.count,
        mined.edges,
        mined.wsc,
        mined.lower_bound.ceil(),
        if mined.optimal { "proved" } else { "open" },
    )
}

/// 15 planted roles of 4 to 12 permissions, 300 users of 1 to 5 roles, 100 permissions: how many are found again, in the median.
fn recovery(seeds: u64, options: &Options<'_>, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    writeln!(
        out,
        "| missing | added | natural: found (least) | natural: roles | fewest: found | fewest: roles |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|")?;
    let levels = [(0.05, 0.02), (0.0, 0.0), (0.05, 0.0), (0.1, 0.05)];
    for (missing, added) in levels {
        let mut columns: [Vec<usize>; 4] = Default::default();
        for seed in 1..=seeds {
            let shape = Shape {
                missing,
                added,
                ..Shape::default()
            };
            let planted = plant(&shape, seed);
            for (objective, pair) in [Objective::Natural, Objective::Roles]
                .into_iter()
                .zip(columns.chunks_mut(2))
            {
                // The fewest roles of a noisy matrix are hardly ever proved: some seconds show how many they are.
                let patience = if objective == Objective::Roles {
                    Duration::from_secs(3)
                } else {
                    options.time_limit
                };
                let options = Options {
                    objective,
                    time_limit: patience,
                    ..options.clone()
                };
                let mined = mine(&planted.noisy, &options);
                verify(&planted.noisy, &options, &mined)?;
                let sets = mined.roles.iter().map(|role| role.permissions.as_slice());
                if let [found, roles] = pair {
                    found.push(found_again(&planted.roles, sets, 0.9));
                    roles.push(mined.count);
                }
            }
        }
        columns.iter_mut().for_each(|column| column.sort_unstable());
        let [median_found, median_roles, exact_found, exact_roles] = columns
            .each_ref()
            .map(|column| column.get(column.len() / 2).copied().unwrap_or_default());
        let least = columns.first().and_then(|c| c.first()).copied().unwrap_or_default();
        writeln!(
            out,
            "| {:.0} % | {:.0} % | {median_found} ({least}) | {median_roles} | {exact_found} | {exact_roles} |",
            missing * 100.0,
            added * 100.0,
        )?;
    }
    Ok(())
}

/// The shapes of the sweep: one of 500 users and 250 roles, and what it becomes when one thing is otherwise.
fn shapes() -> Vec<(String, Shape)> {
    let base = Shape {
        users: 500,
        permissions: 1000,
        roles: 250,
        smallest_role: 2,
        largest_role: 18,
        roles_per_user: 20,
        ..Shape::default()
    };
    let mut shapes = vec![("as it is".to_owned(), base)];
    let mut with = |name: &str, change: &dyn Fn(&mut Shape)| {
        let mut shape = base;
        change(&mut shape);
        shapes.push((name.to_owned(), shape));
    };
    for most in [2, 5, 10, 40, 80] {
        with(&format!("1 to {most} roles a user"), &|shape| {
            shape.roles_per_user = most
        });
    }
    for roles in [50, 100, 400] {
        with(&format!("{roles} roles"), &|shape| shape.roles = roles);
    }
    for permissions in [100, 300, 600, 2000] {
        with(&format!("{permissions} permissions"), &|shape| {
            shape.permissions = permissions
        });
    }
    for users in [100, 200, 1000, 2000] {
        with(&format!("{users} users"), &|shape| shape.users = users);
    }
    for overlap in [0.25, 0.5, 0.75] {
        with(&format!("overlap {overlap}"), &|shape| shape.overlap = overlap);
    }
    for skew in [0.5, 1.0, 1.5] {
        with(&format!("skew {skew}"), &|shape| shape.skew = skew);
    }
    for bundles in [50, 100, 300] {
        with(&format!("two levels, {bundles} bundles"), &|shape| {
            shape.bundles = bundles;
            shape.roles_per_user = 5;
        });
    }
    for missing in [0.001, 0.01, 0.05] {
        with(&format!("{} % missing", missing * 100.0), &|shape| {
            shape.missing = missing
        });
    }
    for added in [0.0001, 0.001] {
        with(&format!("{} % added", added * 100.0), &|shape| shape.added = added);
    }
    with("roles of 30 to 60 permissions", &|shape| {
        (shape.smallest_role, shape.largest_role, shape.roles_per_user) = (30, 60, 8);
    });
    shapes
}

/// Fewest roles of each shape: found over planted, and the bound over found. With noise the planted roles are no cover, and no bound.
fn sweep(seed: u64, options: &Options<'_>, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    writeln!(
        out,
        "| instance | pairs | planted | found | bound | found / planted | bound / found | seconds |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|---|")?;
    for (name, shape) in shapes() {
        let planted = plant(&shape, seed);
        let started = Instant::now();
        let mined = mine(&planted.noisy, options);
        let seconds = started.elapsed().as_secs_f64();
        verify(&planted.noisy, options, &mined)?;
        let found = mined.count as f64;
        let of_planted = if shape.missing + shape.added > 0.0 {
            "noise".to_owned()
        } else {
            format!(
                "{:.3} {}",
                found / planted.roles.len() as f64,
                bar(found / planted.roles.len() as f64)
            )
        };
        writeln!(
            out,
            "| {name} | {} | {} | {} | {:.0} | {of_planted} | {:.3} {} | {seconds:.1} |",
            planted.noisy.ones(),
            planted.roles.len(),
            mined.count,
            mined.lower_bound.ceil(),
            mined.lower_bound / found,
            bar(mined.lower_bound / found),
        )?;
    }
    Ok(())
}

/// Twenty blocks for the whole.
fn bar(share: f64) -> String {
    "#".repeat((share * 20.0).round().clamp(0.0, 60.0) as usize)
}
