//! Talk with the person at the terminal: notes and progress on stderr, colour only where it is wanted.

use crate::cli::{Color, Common};
use crate::ingest::Progress;
use crate::report::escape;
use crate::report::ink::{self, Face};
use crate::vault::secret;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The voice of the program.
pub struct Talk {
    quiet: bool,
    verbose: bool,
    terminal: bool,
    /// Whether stderr may be coloured.
    colour: bool,
    /// Whether stdout may be coloured.
    colour_out: bool,
    /// How wide the terminals are that stderr and stdout are.
    width: Option<usize>,
    width_out: Option<usize>,
    bar: Mutex<Option<ProgressBar>>,
    /// What is being done, and since when.
    at: Mutex<Option<(String, Instant)>>,
}

impl Talk {
    /// As the flags, the terminal and `NO_COLOR` want it.
    #[must_use]
    pub fn new(common: &Common) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let wanted = |terminal: bool| match common.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !no_color,
        };
        let terminal = io::stderr().is_terminal();
        Self {
            quiet: common.quiet,
            verbose: common.verbose,
            terminal,
            colour: wanted(terminal),
            colour_out: wanted(io::stdout().is_terminal()),
            width: terminal_size_of(io::stderr()).map(usize::from),
            width_out: terminal_size_of(io::stdout()).map(usize::from),
            bar: Mutex::new(None),
            at: Mutex::new(None),
        }
    }

    /// As it is before the flags are known.
    #[must_use]
    pub fn plain() -> Self {
        Self::new(&Common {
            server: None,
            config: None,
            color: Color::Auto,
            quiet: false,
            verbose: false,
        })
    }

    /// Whether nothing but warnings and errors is to be said.
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// A line for the person, unless `--quiet`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.line(&escape::terminal(text));
        }
    }

    /// A line for who asked for more.
    pub fn detail(&self, text: &str) {
        if self.verbose && !self.quiet {
            self.line(text);
        }
    }

    /// A warning: shown always.
    pub fn warn(&self, text: &str) {
        let word = self.paint("warning", "33;1");
        self.line(&format!("{word}: {}", escape::terminal(text)));
    }

    /// An error, and what to do about it.
    pub fn error(&self, message: &str, hint: Option<&str>) {
        let word = self.paint("error", "31;1");
        let message: Vec<String> = message.lines().map(escape::terminal).collect();
        self.line(&format!("{word}: {}", message.join("\n")));
        if let Some(hint) = hint {
            let word = self.paint("hint", "36;1");
            self.line(&format!("{word}: {}", escape::terminal(hint)));
        }
    }

    /// Text that is already laid out (and harmless).
    pub fn block(&self, text: &str) {
        if !self.quiet {
            self.line(text.trim_end());
        }
    }

    /// Why something was refused, already laid out (and harmless): shown always.
    pub fn refusal(&self, text: &str) {
        self.line(text.trim_end());
    }

    /// Whether stdout may be coloured.
    #[must_use]
    pub const fn colour_out(&self) -> bool {
        self.colour_out
    }

    /// A text for stdout, escaped before: with colours where they are wanted, and no word broken at the edge of a terminal.
    #[must_use]
    pub fn told(&self, text: &str, face: Face) -> String {
        self.fitted(&ink::coloured(text, face, self.colour_out))
    }

    /// The same of a text that has its colours.
    #[must_use]
    pub fn fitted(&self, text: &str) -> String {
        match self.width_out {
            Some(width) => ink::wrapped(text, width),
            None => text.to_owned(),
        }
    }

    /// How wide the terminal is that stdout is, if it is one.
    #[must_use]
    pub const fn width_out(&self) -> Option<usize> {
        self.width_out
    }

    /// Whether stderr may be coloured.
    #[must_use]
    pub const fn colour(&self) -> bool {
        self.colour
    }

    /// What is being done now: shown while it lasts, on a terminal only. With `-v` its time is told when it is over.
    pub fn step(&self, text: &str) {
        self.done();
        *self.at.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some((text.to_owned(), Instant::now()));
        if !self.terminal || self.quiet {
            return;
        }
        let mut bar = self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let spinner = ProgressBar::new_spinner().with_message(text.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            spinner.set_style(style);
        }
        spinner.enable_steady_tick(Duration::from_millis(120));
        *bar = Some(spinner);
    }

    /// Nothing is being done any more.
    pub fn done(&self) {
        let over = self.at.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        self.clear();
        if let Some((text, since)) = over {
            let memory = memory().map(|m| format!(", {m} MiB")).unwrap_or_default();
            self.detail(&format!("{:8.3} s{memory}: {text}", since.elapsed().as_secs_f64()));
        }
    }

    /// Takes away what shows that something is being done.
    fn clear(&self) {
        let mut bar = self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(old) = bar.take() {
            old.finish_and_clear();
        }
    }

    fn paint(&self, word: &str, code: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{word}\u{1b}[0m")
        } else {
            word.to_owned()
        }
    }

    fn line(&self, text: &str) {
        self.clear();
        // Whatever was named as an input may be a signed address.
        let text = secret::addresses(text);
        let text = match self.width {
            Some(width) => ink::wrapped(&text, width),
            None => text.into_owned(),
        };
        // Who closed stderr does not want to be told.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

impl Progress for Talk {
    fn begin(&self, total_bytes: Option<u64>) {
        if !self.terminal || self.quiet {
            return;
        }
        let bar = match total_bytes {
            Some(total) => {
                let bar = ProgressBar::new(total);
                // At most 76 columns, whatever the numbers: `100% 999.99 GiB of 999.99 GiB, 99h left`.
                let template = "reading {bar:24} {percent}% {bytes} of {total_bytes}, {eta} left";
                if let Ok(style) = ProgressStyle::with_template(template) {
                    bar.set_style(style);
                }
                bar
            }
            None => {
                let bar = ProgressBar::new_spinner();
                if let Ok(style) = ProgressStyle::with_template("{spinner} reading {bytes}, {bytes_per_sec}") {
                    bar.set_style(style);
                }
                bar
            }
        };
        *self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(bar);
    }

    fn advance(&self, bytes: u64) {
        if let Some(bar) = &*self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner) {
            bar.inc(bytes);
        }
    }

    fn end(&self) {
        self.clear();
    }
}

/// How wide it is, if it is a terminal.
#[cfg(unix)]
fn terminal_size_of(stream: impl std::os::fd::AsFd) -> Option<u16> {
    terminal_size::terminal_size_of(stream).map(|(width, _)| width.0)
}

/// The memory that the program has in use, in MiB, where the system tells.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib / 1024)
}
