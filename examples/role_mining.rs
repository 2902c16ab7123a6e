//! Mines roles from a `.upa` file: `role_mining FILE [--objective roles|edges|wsc|natural] [--time-limit SECONDS] [--seed N]`.

use std::time::{Duration, Instant};

use vault_advisor::optimize::roles::{Matrix, Objective, Options, mine, verify};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::default();
    let mut file = None;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
        match word.as_str() {
            "--objective" => options.objective = Objective::from_name(&value()?).ok_or("unknown objective")?,
            "--time-limit" => options.time_limit = Duration::from_secs_f64(value()?.trim_end_matches('s').parse()?),
            "--seed" => options.seed = value()?.parse()?,
            "--max-roles-per-user" => options.max_roles_per_user = Some(value()?.parse()?),
            _ => file = Some(word),
        }
    }
    let file = file.ok_or("which file? `role_mining FILE.upa`")?;
    let matrix = Matrix::read_upa(&std::fs::read_to_string(&file)?)?;
    let started = Instant::now();
    let mined = mine(&matrix, &options);
    let seconds = started.elapsed().as_secs_f64();
    verify(&matrix, &options, &mined)?;
    let mut out = std::io::stdout().lock();
    std::io::Write::write_fmt(
        &mut out,
        format_args!(
            "{file} {} users={} permissions={} ones={} count={} edges={} wsc={} cost={} lower_bound={} optimal={} direct={} added={} seconds={seconds:.1}\n",
            options.objective.name(),
            matrix.users.len(),
            matrix.permissions.len(),
            matrix.ones(),
            mined.count,
            mined.edges,
            mined.wsc,
            mined.cost,
            mined.lower_bound,
            mined.optimal,
            mined.direct.len(),
            mined.added.len(),
        ),
    )?;
    Ok(())
}
