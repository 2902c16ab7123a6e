//! The question and the answer: what to minimise under which constraints, and the roles found.

use std::time::Duration;

use super::matrix::Matrix;

/// What a set of roles costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Objective {
    /// The number of roles.
    Roles,
    /// User–role plus role–permission assignments.
    Edges,
    /// Roles plus edges ("weighted structural complexity", flat).
    Wsc,
    /// The shortest description of the matrix with noise: roles, memberships, and the pairs no role explains.
    Natural,
}

impl Objective {
    /// The objective as users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Roles => "roles",
            Self::Edges => "edges",
            Self::Wsc => "wsc",
            Self::Natural => "natural",
        }
    }

    /// The objective of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Roles, Self::Edges, Self::Wsc, Self::Natural]
            .into_iter()
            .find(|o| o.name() == name)
    }
}

/// What to optimise, how long, and under which constraints.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    /// What to minimise.
    pub objective: Objective,
    /// The search ends by then, with the best found.
    pub time_limit: Duration,
    /// Fixes every random choice.
    pub seed: u64,
    /// The search also ends after so many steps of each chain: a limit that, unlike the clock, cuts everywhere alike.
    /// `None`: as many as suit the size.
    pub steps: Option<u64>,
    /// At most so many roles a user (at least 1).
    pub max_roles_per_user: Option<u32>,
    /// Existing roles (sets of permissions): such a role and its permissions cost nothing, its memberships cost as any.
    pub keep: Vec<Vec<u32>>,
    /// What is granted today, users and permissions matched by name. Pairs are only ever added inside it.
    pub allowed: Option<&'a Matrix>,
    /// The price of a pair added to what the matrix has; `None`: no pair may be added. Without `allowed` any pair may be.
    pub over_grant: Option<f64>,
    /// A label for every user (group, mount, team ...): among equals, roles whose users share one are preferred.
    pub affinity: Option<&'a [String]>,
}

impl Options<'_> {
    /// The label that all of these users have.
    pub(super) fn shared_label(&self, users: &[u32]) -> Option<String> {
        let labels = self.affinity?;
        let mut found = users.iter().map(|&u| labels.get(u as usize));
        let first = found.next().flatten()?;
        (!first.is_empty() && found.all(|label| label == Some(first))).then(|| first.clone())
    }
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            objective: Objective::Roles,
            time_limit: Duration::from_secs(60),
            seed: 1,
            steps: None,
            max_roles_per_user: None,
            keep: Vec::new(),
            allowed: None,
            over_grant: None,
            affinity: None,
        }
    }
}

/// Users who get permissions: every user in it gets every permission in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Role {
    /// Sorted indexes into [`Matrix::users`].
    pub users: Vec<u32>,
    /// Sorted indexes into [`Matrix::permissions`].
    pub permissions: Vec<u32>,
    /// The index in [`Options::keep`] of the existing role that this is.
    pub kept: Option<usize>,
    /// The label that all its users share, when labels were given.
    pub label: Option<String>,
    /// Natural only: users whom the role fits but for permissions that they may not have; they are not in `users`.
    pub near: Vec<u32>,
}

/// The roles found and what is known about them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mined {
    /// The roles; with `direct` they grant every pair of the matrix.
    pub roles: Vec<Role>,
    /// How many roles.
    pub count: usize,
    /// User–role plus role–permission assignments.
    pub edges: usize,
    /// Roles plus edges.
    pub wsc: usize,
    /// What the chosen objective comes to (for `natural` bits; kept roles and prices considered).
    pub cost: f64,
    /// No solution can cost less than this.
    pub lower_bound: f64,
    /// Whether `cost` is proved to be the least.
    pub optimal: bool,
    /// Pairs granted that the matrix does not have, sorted (only with `over_grant`, or `natural` with `allowed`).
    pub added: Vec<(u32, u32)>,
    /// Natural only: pairs that no role explains, granted directly so that nobody loses what was used.
    pub direct: Vec<(u32, u32)>,
}

impl Mined {
    /// These roles, counted.
    pub fn of(roles: Vec<Role>) -> Self {
        let edges = roles.iter().map(|role| role.users.len() + role.permissions.len()).sum();
        Self {
            count: roles.len(),
            edges,
            wsc: roles.len() + edges,
            roles,
            ..Self::default()
        }
    }
}

/// How a result breaks its contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A pair of the matrix that nothing grants.
    #[error("verifying roles: user {0} lacks permission {1}")]
    Missing(u32, u32),
    /// A pair granted that neither the matrix has nor `added` names.
    #[error("verifying roles: user {0} gets permission {1} beyond what may be granted")]
    Added(u32, u32),
    /// A user with more roles than allowed.
    #[error("verifying roles: user {0} has {1} roles")]
    TooManyRoles(u32, u32),
}

/// Checks a result against the matrix: every pair granted, every other grant named in `added`, inside `allowed`
/// and only where additions were asked for, and at most `max_roles_per_user` roles a user.
///
/// # Errors
/// The first violation found.
pub fn verify(matrix: &Matrix, options: &Options<'_>, mined: &Mined) -> Result<(), Violation> {
    let mut granted: Vec<Vec<u32>> = vec![Vec::new(); matrix.rows.len()];
    let mut memberships = vec![0_u32; matrix.rows.len()];
    for role in &mined.roles {
        for &u in &role.users {
            if let (Some(row), Some(count)) = (granted.get_mut(u as usize), memberships.get_mut(u as usize)) {
                row.extend_from_slice(&role.permissions);
                *count += 1;
            }
        }
    }
    for &(u, p) in &mined.direct {
        if let Some(row) = granted.get_mut(u as usize) {
            row.push(p);
        }
    }
    let may_add = options.over_grant.is_some() || options.objective == Objective::Natural;
    let allowed = options.allowed.map(|a| matrix.translate(a));
    for (u, (row, have)) in (0_u32..).zip(matrix.rows.iter().zip(&mut granted)) {
        have.sort_unstable();
        have.dedup();
        if let Some(&p) = row.iter().find(|p| have.binary_search(p).is_err()) {
            return Err(Violation::Missing(u, p));
        }
        for &p in have.iter().filter(|p| row.binary_search(p).is_err()) {
            let inside = match &allowed {
                Some(rows) => rows.get(u as usize).is_some_and(|r| r.binary_search(&p).is_ok()),
                None => options.objective != Objective::Natural,
            };
            if !may_add || !inside || mined.added.binary_search(&(u, p)).is_err() {
                return Err(Violation::Added(u, p));
            }
        }
        let count = memberships.get(u as usize).copied().unwrap_or_default();
        if options.max_roles_per_user.is_some_and(|k| count > k.max(1)) {
            return Err(Violation::TooManyRoles(u, count));
        }
    }
    Ok(())
}
