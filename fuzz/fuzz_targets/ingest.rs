//! Any bytes as a log: nothing panics, every line is accounted for, and cutting the log changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vault_advisor::ingest::{Options, Reader};
use vault_advisor::usage::{Demand, Skip, Usage};

fn essence(usage: &Usage) -> (Vec<Demand>, Vec<u64>) {
    let tally = usage.tally();
    assert!(tally.balanced(), "{tally:?}");
    let mut counts = vec![tally.lines, tally.used, tally.paired];
    counts.extend(Skip::ALL.map(|reason| tally.skipped(reason)));
    (usage.demands(), counts)
}

fuzz_target!(|data: &[u8]| {
    let mut whole = Reader::new(&Options::default());
    whole.feed("log", data);
    whole.finish_file("log");
    let want = essence(&whole.take());

    // The same bytes in pieces, whose lengths the input chooses.
    let mut pieces = Reader::new(&Options::default());
    let mut rest = data;
    while let Some(length) = rest.first() {
        let (piece, next) = rest.split_at((usize::from(*length) + 1).min(rest.len()));
        pieces.feed("log", piece);
        rest = next;
    }
    pieces.finish_file("log");
    assert_eq!(essence(&pieces.take()), want);
});
