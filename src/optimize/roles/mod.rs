//! Role mining: which few roles (sets of users who all get a set of permissions) grant exactly what a users × permissions matrix says.
//!
//! [`mine`] merges equal users and permissions, reduces, covers the kernel from fooling sets, improves by search, and always says
//! `{cost, lower_bound, optimal}`. It knows no domain word beyond users, permissions and roles.

mod anchors;
mod bits;
mod bound;
mod description;
mod field;
mod fooling;
mod generate;
mod kernel;
mod matrix;
mod merge;
mod mine;
mod model;
mod natural;
mod plain;
mod pricing;
mod problem;
mod reduce;
mod refute;
mod relaxation;
mod repair;
mod search;
mod settle;
mod simplex;
mod state;
mod wide;

pub use generate::{Planted, Shape, found_again, plant};
pub use matrix::{Matrix, MatrixError};
pub use model::{Mined, Objective, Options, Role, Violation, verify};

/// Finds roles for the matrix under the objective and the constraints of `options`.
pub fn mine(matrix: &Matrix, options: &Options<'_>) -> Mined {
    match options.objective {
        Objective::Natural => natural::mine_naturally(matrix, options),
        Objective::Roles | Objective::Edges | Objective::Wsc => mine::mine_exactly(matrix, options),
    }
}
