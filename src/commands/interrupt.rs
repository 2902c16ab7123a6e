//! What an interruption (Ctrl-C, SIGTERM) leaves behind: nothing half-written, and a word that says so.

use crate::staged::{self, Swept};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::io::{self, IsTerminal as _, Write as _};

/// From now on an interruption takes away what is unfinished, and then ends the program as it would have ended: by the
/// signal, which a shell shows as 130 or 143.
pub fn clean_up(quiet: bool) {
    // Without it the program ends at once, and may leave a hidden folder.
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else {
        return;
    };
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let swept = staged::sweep();
            if !quiet {
                tell(swept);
            }
            let _ = emulate_default_handler(signal);
        }
    });
}

fn tell(swept: Swept) {
    let mut out = io::stderr().lock();
    // The line of the progress, and the terminal's own "^C".
    let clear = if out.is_terminal() { "\r\u{1b}[K" } else { "" };
    let word = match swept {
        Swept::Nothing => "stopped, nothing written",
        Swept::SomethingStays => "stopped; what was written before is whole",
    };
    let _ = writeln!(out, "{clear}{word}");
}
