//! What the fuzz target `decide` does with an input; the seeds run through it as a test too.
//!
//! An input that begins with `{` is given to `decide` as cases. Any other is lines: `?PATH` is a request, every other line a
//! stanza, its first byte choosing the capabilities; the compiled list has to decide as the plain scan does.

use super::plain_scan::Scan;
use std::fmt::Write as _;
use vault_advisor::policy::acl::Acl;
use vault_advisor::policy::decide;
use vault_advisor::policy::profile::Profile;
use vault_advisor::policy::syntax::{self, print::quote};
use vault_advisor::policy::template::Identity;
use vault_advisor::vault::Operation;

pub fn check(bytes: &[u8]) {
    if bytes.first() == Some(&b'{') {
        for profile in Profile::ALL {
            let _ = decide::run(bytes, std::io::sink(), profile);
        }
        return;
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (requests, stanzas): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with('?'));
    let mut policy = String::new();
    for stanza in stanzas {
        let mut path = stanza.chars();
        let capabilities = match path.next() {
            Some('d') => "\"deny\"",
            Some('l') => "\"list\", \"read\"",
            Some('n') => "",
            _ => "\"read\"",
        };
        let path = path.as_str();
        if !path.contains("+*") && !path.contains("{{") && !path.contains("}}") {
            let _ = writeln!(policy, "path {} {{ capabilities = [{capabilities}] }}", quote(path));
        }
    }
    let policy = syntax::parse("fuzz", "fuzz.hcl", &policy, &Profile::default().dialect()).expect("stanzas are quoted");
    for profile in Profile::ALL {
        let acl = Acl::compile(profile, &[&policy], &Identity::default(), Some(0));
        for request in &requests {
            let path = request[1..].trim_start_matches('/');
            for operation in [Operation::Read, Operation::List, Operation::Scan] {
                assert_eq!(
                    acl.winner(operation, path),
                    Scan(&acl).winner(operation, path),
                    "{operation} {path:?} on {profile}"
                );
            }
        }
    }
}
