//! The policy language: HCL 1 or JSON in, stanzas with their places out, and HCL back.
//!
//! Which text is accepted and what it means follows the servers' own parser to the letter (HCL 1 as HashiCorp's library
//! reads it, which no HCL 2 reader does); only the errors are better.

mod ast;
mod cursor;
mod decode;
mod dialect;
mod duration;
mod error;
mod hints;
mod json;
mod lexer;
mod parser;
pub mod print;
mod quote;
mod value;

pub use dialect::{Dialect, Key};
pub use error::{Excerpt, ParseError, Style};
pub(crate) use error::{Tone, render, shortened};

use crate::policy::model::{Language, Policy};
use ast::{Fault, Pos};
use std::sync::Arc;

/// The largest text that is read: a server takes no larger request, so no larger policy can be in force.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;

/// Reads a policy.
///
/// # Errors
///
/// Where the servers refuse the text; also where it is larger than [`MAX_BYTES`] or nested absurdly deep.
pub fn parse(name: &str, file: &str, text: &str, dialect: &Dialect) -> Result<Policy, ParseError> {
    check_size(file, text.len())?;
    let file: Arc<str> = file.into();
    let json = json::looks_like_json(text);
    let read = if json { json::parse(text) } else { parser::parse(text) };
    let stanzas = read
        .and_then(|items| decode::stanzas(&file, text, json, &items, dialect))
        .map_err(|fault| ParseError::new(&file, text, fault))?;
    Ok(Policy {
        name: policy_name(name).into(),
        file,
        namespace: "".into(),
        source: text.into(),
        language: if json { Language::Json } else { Language::Hcl },
        stanzas,
    })
}

/// Reads a policy from bytes.
///
/// # Errors
///
/// As [`parse`], and where the bytes are no UTF-8.
pub fn parse_bytes(name: &str, file: &str, bytes: &[u8], dialect: &Dialect) -> Result<Policy, ParseError> {
    check_size(file, bytes.len())?;
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(name, file, text, dialect),
        Err(error) => {
            let good = bytes.get(..error.valid_up_to()).unwrap_or(&[]);
            let good = String::from_utf8_lossy(good);
            let line_start = good.rfind('\n').map_or(0, |at| at + 1);
            let pos = Pos {
                offset: good.len(),
                line: u32::try_from(good.matches('\n').count() + 1).unwrap_or(u32::MAX),
                column: u32::try_from(good.get(line_start..).unwrap_or("").chars().count() + 1).unwrap_or(u32::MAX),
            };
            let fault = Fault::new(pos, "bytes that are no UTF-8").hint("save the file as UTF-8");
            let rest = bytes.get(good.len()..).unwrap_or(&[]);
            let rest = rest.get(..rest.len().min(400)).unwrap_or(rest);
            let shown = format!("{good}{}", String::from_utf8_lossy(rest));
            Err(ParseError::new(&file.into(), &shown, fault))
        }
    }
}

fn check_size(file: &str, bytes: usize) -> Result<(), ParseError> {
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    Err(ParseError::whole(
        &file.into(),
        format!("policy of more than {MAX_BYTES} bytes, the most that servers take"),
        "check that this is a policy at all",
    ))
}

/// A policy's name as the servers keep it: lower-cased and trimmed.
#[must_use]
pub fn policy_name(name: &str) -> String {
    name.trim().to_lowercase()
}
