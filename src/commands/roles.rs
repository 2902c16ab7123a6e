//! `roles`: role mining alone, from a matrix or from usage.

use super::{Exit, Failure, Talk, material};
use crate::cli::{self, RolesArgs};
use crate::optimize::roles::{self, Matrix, Objective, Options};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;

/// Mines and prints JSON.
pub(super) fn run(args: &RolesArgs, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let matrix = match &args.matrix {
        Some(path) => read(path)?,
        None => from_usage(args, talk)?,
    };
    let allowed = args.allowed.as_deref().map(read).transpose()?;
    let keep = args
        .keep
        .as_deref()
        .map(read)
        .transpose()?
        .map(|k| matrix.translate_sets(&k))
        .unwrap_or_default();
    if args.max_roles == Some(0) {
        return Err(Failure::new("`--max-roles` has to be at least 1", None));
    }
    if args.over_grant.is_some_and(|w| !(w.is_finite() && w >= 0.0)) {
        return Err(Failure::new("`--over-grant` has to be a number of at least zero", None));
    }
    let options = Options {
        objective: match args.objective {
            cli::Objective::Roles => Objective::Roles,
            cli::Objective::Edges => Objective::Edges,
            cli::Objective::Wsc => Objective::Wsc,
            cli::Objective::Natural => Objective::Natural,
        },
        time_limit: args.time_limit,
        seed: args.seed,
        steps: None,
        max_roles_per_user: args.max_roles,
        keep,
        allowed: allowed.as_ref(),
        over_grant: args.over_grant,
        affinity: None,
    };
    talk.step("mining roles");
    let start = Instant::now();
    let mined = roles::mine(&matrix, &options);
    let seconds = start.elapsed().as_secs_f64();
    talk.done();
    let user = |u: &u32| matrix.users.get(*u as usize).map_or("", String::as_str);
    let permission = |p: &u32| matrix.permissions.get(*p as usize).map_or("", String::as_str);
    let pair = |(u, p): &(u32, u32)| json!([user(u), permission(p)]);
    let mut document = json!({
        "users": matrix.users.len(),
        "permissions": matrix.permissions.len(),
        "assignments": matrix.ones(),
        "objective": options.objective.name(),
        "roles": mined.roles.iter().map(|r| json!({
            "users": r.users.iter().map(user).collect::<Vec<_>>(),
            "permissions": r.permissions.iter().map(permission).collect::<Vec<_>>(),
            "kept": r.kept.is_some(),
            "near": r.near.iter().map(user).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "count": mined.count,
        "edges": mined.edges,
        "wsc": mined.wsc,
        "cost": mined.cost,
        "lower_bound": mined.lower_bound,
        "optimal": mined.optimal,
        "seconds": seconds,
    });
    if let Some(object) = document.as_object_mut() {
        if !mined.added.is_empty() {
            object.insert("added".to_owned(), mined.added.iter().map(pair).collect());
        }
        if !mined.direct.is_empty() {
            object.insert("direct".to_owned(), mined.direct.iter().map(pair).collect());
        }
    }
    writeln!(out, "{document}").map_err(Failure::from_output)?;
    Ok(Exit::Fine)
}

fn read(path: &Path) -> Result<Matrix, Failure> {
    let mut text = String::new();
    let result = if path == Path::new("-") {
        std::io::stdin().lock().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(path).map(|t| text = t)
    };
    result.map_err(|e| {
        Failure::new(
            format!("cannot read matrix `{}`: {e}", path.display()),
            Some("a matrix has a line for each user: its name, then its permissions, separated by blanks"),
        )
    })?;
    Matrix::read_upa(&text).map_err(|e| {
        Failure::from_error(
            &e,
            Some("a matrix has a line for each user: its name, then its permissions, separated by blanks"),
        )
    })
}

/// Principals × (path, capability) that were allowed.
fn from_usage(args: &RolesArgs, talk: &Talk) -> Result<Matrix, Failure> {
    let usage = material::usage(&args.reading, talk)?;
    material::not_empty(&usage)?;
    let mut permissions: BTreeMap<String, u32> = BTreeMap::new();
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for demand in usage.demands().iter().filter(|d| d.allowed > 0) {
        let permission = format!("{} {}{}", demand.capability, demand.namespace, demand.path);
        permissions.insert(permission.clone(), 0);
        let user = format!("{}:{}", demand.principal.kind, demand.principal.id);
        rows.entry(user).or_default().push(permission);
    }
    for (n, number) in permissions.values_mut().zip(0_u32..).map(|(v, n)| (n, v)) {
        *number = n;
    }
    let mut matrix = Matrix::from_rows(
        permissions.len(),
        rows.values()
            .map(|row| row.iter().filter_map(|p| permissions.get(p).copied()).collect())
            .collect(),
    );
    matrix.users = rows.into_keys().collect();
    matrix.permissions = permissions.into_keys().collect();
    Ok(matrix)
}
