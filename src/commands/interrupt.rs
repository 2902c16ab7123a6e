//! What an interruption (Ctrl-C, SIGTERM) leaves behind: nothing half-written.

use crate::staged;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// From now on an interruption takes away what is unfinished, and then ends the program as it would have ended: by the
/// signal, which a shell shows as 130 or 143.
pub fn clean_up() {
    // Without it the program ends at once, and may leave a hidden folder.
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else {
        return;
    };
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            staged::sweep();
            let _ = emulate_default_handler(signal);
        }
    });
}
