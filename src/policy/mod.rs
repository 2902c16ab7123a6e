//! ACL policies: the language, the patterns, the decision, and what can be proven about them.

pub mod acl;
pub mod compare;
pub mod constraints;
pub mod decide;
pub mod effective;
pub mod explain;
pub mod lint;
pub mod lint_json;
pub mod load;
pub mod model;
pub mod pattern;
pub mod policy_test;
pub mod profile;
pub mod relation;
pub mod replay;
pub mod syntax;
pub mod table;
pub mod template;
pub mod who_can;
