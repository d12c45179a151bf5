//! Lines for people: coloured on a terminal, plain elsewhere.

use std::io::{self, IsTerminal, Write};

/// Prints to standard output; a reader that left (`| head`) is no failure.
pub(super) fn print(text: &str) -> io::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Prints a line for the person in front, beside what was asked for.
pub(super) fn note(line: &str) {
    // Nobody is left to be told.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints an error's words, each line marked.
pub(super) fn error(words: &str) {
    let stderr = io::stderr();
    let mark = if colours(stderr.is_terminal()) { "\x1b[1;31merror:\x1b[0m" } else { "error:" };
    let mut stderr = stderr.lock();
    for line in words.lines() {
        // Nobody is left to be told.
        let _ = writeln!(stderr, "{mark} {line}");
    }
}

/// Whether to colour what goes to something that is a terminal or not; `NO_COLOR` says never.
pub(super) fn colours(is_terminal: bool) -> bool {
    is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
