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
pub use hints::nearest_word;

use crate::policy::model::{Language, Policy};
use crate::vault::name;
use ast::{Fault, Pos};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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
        name: name::policy(name).into(),
        file,
        namespace: "".into(),
        source: text.into(),
        language: if json { Language::Json } else { Language::Hcl },
        stanzas,
        written: None,
    })
}

/// Reads a policy from bytes.
///
/// # Errors
///
/// As [`parse`], and where the bytes are no UTF-8.
pub fn parse_bytes(name: &str, file: &str, bytes: &[u8], dialect: &Dialect) -> Result<Policy, ParseError> {
    check_size(file, bytes.len())?;
    if let Some((what, hint)) = other_than_text(bytes) {
        return Err(ParseError::whole(&file.into(), format!("the file is {what}"), hint));
    }
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

/// The text that a policy in base64 stands for: the servers unpack it before they read it.
#[must_use]
pub fn packed(bytes: &[u8]) -> Option<String> {
    // As they do, line ends within passed over.
    let packed: Vec<u8> = bytes.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    let plain = STANDARD.decode(packed).ok().filter(|plain| !plain.is_empty())?;
    String::from_utf8(plain).ok()
}

/// Whether the file is surely no text as policies are: packed, compressed, an archive, in another encoding than UTF-8, or what stands
/// for another text, which comes into its place where it is used.
#[must_use]
pub fn is_other_than_text(bytes: &[u8]) -> bool {
    sealed_as(bytes).is_some()
}

/// How a file that is surely no text as policies are is packed, encrypted or encoded.
#[must_use]
pub fn sealed_as(bytes: &[u8]) -> Option<&'static str> {
    other_than_text(bytes).map(|(what, _)| what)
}

/// What a file is that begins so, where it is surely no policy as it stands, and what to do.
fn other_than_text(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const UNPACK: &str = "unpack it first: policies are read as plain text";
    const UTF_8: &str = "save it as UTF-8";
    const DECRYPT: &str = "decrypt it before it is checked";
    const FETCH: &str = "fetch what it stands for: `git lfs pull`";
    // Some of it could be read as keys without a value: a policy that grants nothing.
    if packed(bytes).is_some() {
        return Some(("packed (base64): servers unpack it before they read it", UNPACK));
    }
    const STARTS: [(&[u8], &str, &str); 14] = [
        (b"\x1f\x8b", "compressed (gzip)", UNPACK),
        (b"\x28\xb5\x2f\xfd", "compressed (zstd)", UNPACK),
        (b"BZh", "compressed (bzip2)", UNPACK),
        (b"\xfd7zXZ\0", "compressed (xz)", UNPACK),
        (b"PK\x03\x04", "an archive (zip)", UNPACK),
        (b"\xff\xfe", "text in UTF-16", UTF_8),
        (b"\xfe\xff", "text in UTF-16", UTF_8),
        (b"\0", "text in UTF-16, or no text", UTF_8),
        (
            b"version https://git-lfs.github.com/spec/",
            "a pointer of git-lfs",
            FETCH,
        ),
        (
            b"version https://hawser.github.com/spec/",
            "a pointer of git-lfs",
            FETCH,
        ),
        (b"$ANSIBLE_VAULT;", "encrypted (Ansible)", DECRYPT),
        (b"-----BEGIN AGE ENCRYPTED FILE-----", "encrypted (age)", DECRYPT),
        (b"age-encryption.org/", "encrypted (age)", DECRYPT),
        (b"-----BEGIN PGP MESSAGE-----", "encrypted (PGP)", DECRYPT),
    ];
    let known = STARTS.iter().find(|(start, ..)| bytes.starts_with(start));
    // SOPS keeps the names of what it knows; all else it makes one text of.
    let holds = |word: &[u8]| memchr::memmem::find(bytes, word).is_some();
    if holds(b"ENC[AES256_GCM,") && holds(b"sops") {
        return Some(("encrypted (SOPS)", DECRYPT));
    }
    known.map(|(_, what, hint)| (*what, *hint)).or_else(|| {
        // Latin letters in UTF-16 without a mark: every second byte is zero.
        let (letters, zeros) = (
            bytes.iter().step_by(2).take(32),
            bytes.iter().skip(1).step_by(2).take(32),
        );
        (bytes.len() >= 8 && zeros.clone().all(|b| *b == 0) && letters.clone().all(|b| b.is_ascii() && *b != 0))
            .then_some(("text in UTF-16", UTF_8))
    })
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
