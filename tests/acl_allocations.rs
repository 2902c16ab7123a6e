//! A decision by path allocates nothing: counted by an allocator of this test's own.

#![allow(unsafe_code, reason = "an allocator that counts cannot be written otherwise")]
#![allow(clippy::unwrap_used, reason = "a failing test is told by its panic")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write as _;
use vault_advisor::policy::acl::Acl;
use vault_advisor::policy::profile::Profile;
use vault_advisor::policy::syntax;
use vault_advisor::policy::template::Identity;
use vault_advisor::vault::Operation;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: hands every call on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_decision_allocates_nothing() {
    let mut text = String::new();
    for team in 0..200 {
        for path in [
            "secret/data/team-N/*",
            "secret/+/team-N/db",
            "+/data/team-N/+/x*",
            "kv/team-N*",
            "pki/issue/team-N",
        ] {
            let path = path.replace('N', &team.to_string());
            let _ = writeln!(text, "path \"{path}\" {{ capabilities = [\"read\", \"list\"] }}");
        }
    }
    let paths: Vec<_> = [
        "secret/data/team-7/db/x",
        "kv/team-77/a/b/",
        "pki/issue/team-199",
        "other",
        "",
        "+/+/+/+/+/+/+",
    ]
    .into_iter()
    .map(str::to_owned)
    .collect();
    for profile in Profile::ALL {
        let policy = syntax::parse("p", "p.hcl", &text, &profile.dialect()).unwrap();
        let acl = Acl::compile(profile, &[&policy], &Identity::default(), Some(0));
        let before = COUNT.get();
        let mut allowed = 0;
        for path in &paths {
            for operation in [Operation::Read, Operation::List, Operation::Scan, Operation::Help] {
                allowed += u32::from(acl.check(operation, path).allowed);
            }
        }
        assert_eq!(COUNT.get() - before, 0, "allocations on {profile}");
        assert!(allowed > 6);
    }
}
