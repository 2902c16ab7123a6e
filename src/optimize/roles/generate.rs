//! Planted instances: known roles, users who hold some of them, and noise, to measure how many roles are found again.

use crate::optimize::roles::matrix::Matrix;
use crate::random::Random;

/// The shape of a planted instance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// How many roles.
    pub roles: usize,
    /// How many users.
    pub users: usize,
    /// How many permissions.
    pub permissions: usize,
    /// A role has from so many ...
    pub smallest_role: usize,
    /// ... to so many permissions.
    pub largest_role: usize,
    /// A user has from one to so many roles (or bundles of roles).
    pub roles_per_user: usize,
    /// How much more often the first roles and permissions are drawn than the last: the exponent of Zipf's law, 0 for all alike.
    pub skew: f64,
    /// The share of a role's permissions that is drawn from another role.
    pub overlap: f64,
    /// With two levels users have bundles of two to five roles, drawn from so many; with 0 there is one level.
    pub bundles: usize,
    /// The share of the pairs that is left out at random.
    pub missing: f64,
    /// The share of the other pairs that is put in at random.
    pub added: f64,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            roles: 15,
            users: 300,
            permissions: 100,
            smallest_role: 4,
            largest_role: 12,
            roles_per_user: 5,
            skew: 0.0,
            overlap: 0.0,
            bundles: 0,
            missing: 0.0,
            added: 0.0,
        }
    }
}

/// A planted instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// The permissions of every planted role, sorted.
    pub roles: Vec<Vec<u32>>,
    /// What the roles grant.
    pub clean: Matrix,
    /// The same with noise.
    pub noisy: Matrix,
}

/// Makes an instance of the shape; a seed means the same one everywhere.
///
/// The planted roles grant `clean` exactly, so no fewer roles than the fewest are planted: their number is an upper bound.
pub fn plant(shape: &Shape, seed: u64) -> Planted {
    let mut rng = Random::new(seed);
    let mut roles: Vec<Vec<u32>> = Vec::new();
    let mut tries = 0;
    while roles.len() < shape.roles && tries < 100 * shape.roles {
        tries += 1;
        let span = shape.largest_role.saturating_sub(shape.smallest_role) + 1;
        let size = shape.smallest_role + rng.below(span);
        let mut role = sample(shape.permissions, size, shape.skew, &mut rng);
        if shape.overlap > 0.0 && !roles.is_empty() {
            let from = rng.below(roles.len());
            let mut other = roles.get(from).cloned().unwrap_or_default();
            rng.shuffle(&mut other);
            let shared = (shape.overlap * size as f64).round() as usize;
            other.truncate(shared.min(size.saturating_sub(1)));
            role.truncate(size - other.len());
            role.extend(other);
        }
        role.sort_unstable();
        role.dedup();
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    let bundles: Vec<Vec<u32>> = (0..shape.bundles)
        .map(|_| {
            let size = 2 + rng.below(4);
            sample(roles.len(), size, shape.skew, &mut rng)
        })
        .collect();
    let mut clean = Vec::with_capacity(shape.users);
    let mut noisy = Vec::with_capacity(shape.users);
    for _ in 0..shape.users {
        let count = 1 + rng.below(shape.roles_per_user.saturating_sub(1) + 1);
        let held: Vec<u32> = if bundles.is_empty() {
            sample(roles.len(), count, shape.skew, &mut rng)
        } else {
            let held = sample(bundles.len(), count, shape.skew, &mut rng);
            let held = held.iter().filter_map(|&b| bundles.get(b as usize));
            held.flatten().copied().collect()
        };
        let mut row: Vec<u32> = held
            .iter()
            .filter_map(|&r| roles.get(r as usize))
            .flatten()
            .copied()
            .collect();
        row.sort_unstable();
        row.dedup();
        let flips = (0..shape.permissions as u32).filter(|p| {
            let has = row.binary_search(p).is_ok();
            let flipped = rng.chance(if has { shape.missing } else { shape.added });
            has != flipped
        });
        noisy.push(flips.collect());
        clean.push(row);
    }
    Planted {
        roles,
        clean: Matrix::from_rows(shape.permissions, clean),
        noisy: Matrix::from_rows(shape.permissions, noisy),
    }
}

/// How many of the planted roles are among the found ones, up to a Jaccard likeness of the permission sets.
pub fn found_again<'a>(planted: &[Vec<u32>], found: impl Iterator<Item = &'a [u32]> + Clone, likeness: f64) -> usize {
    let alike = |role: &[u32], other: &[u32]| {
        let both = other.iter().filter(|p| role.binary_search(p).is_ok()).count();
        let either = role.len() + other.len() - both;
        either > 0 && both as f64 >= likeness * either as f64 - 1e-9
    };
    planted
        .iter()
        .filter(|role| found.clone().any(|other| alike(role, other)))
        .count()
}

/// `count` different numbers below `bound`, low ones more often where there is a skew.
fn sample(bound: usize, count: usize, skew: f64, rng: &mut Random) -> Vec<u32> {
    let mut all: Vec<u32> = (0..bound as u32).collect();
    if skew > 0.0 {
        // Waiting times: the first `count` to arrive, each at its own rate.
        all.sort_by_cached_key(|&i| ((1.0 - rng.unit()).ln().abs() * f64::from(i + 1).powf(skew)).to_bits());
    } else {
        rng.shuffle(&mut all);
    }
    all.truncate(count);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planted_instance_is_what_its_roles_grant() {
        let shape = Shape {
            missing: 0.05,
            added: 0.02,
            ..Shape::default()
        };
        let planted = plant(&shape, 3);
        assert_eq!(planted, plant(&shape, 3));
        assert_eq!(planted.roles.len(), 15);
        let lost = planted.clean.rows.iter().zip(&planted.noisy.rows);
        let lost: usize = lost
            .map(|(c, n)| c.iter().filter(|p| n.binary_search(p).is_err()).count())
            .sum();
        let share = lost as f64 / planted.clean.ones() as f64;
        assert!((0.03..0.07).contains(&share), "{share}");
        let sets = planted.roles.iter().map(Vec::as_slice);
        assert_eq!(found_again(&planted.roles, sets, 0.9), 15);
        assert_eq!(found_again(&planted.roles, [].into_iter(), 0.9), 0);
    }
}
