//! Which log lines are shown: the words of config, environment and command line, read in one place.

use tracing_subscriber::EnvFilter;

/// The filter that `words` stand for, or what is wrong with them. Other letters than those of ASCII
/// cannot name a module or a level, and the parser behind this takes them for one byte each.
pub fn log_filter(words: &str) -> Result<EnvFilter, String> {
    if words.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        EnvFilter::try_new(words).map_err(|error| error.to_string())
    } else {
        Err("only printable letters of ASCII can stand here".to_owned())
    }
}
