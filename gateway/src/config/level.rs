//! Which log lines are shown: the words of config, environment and command line, read in one place.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The filter that `words` stand for, or what is wrong with them. Other letters than those of ASCII
/// cannot name a module or a level, and the parser behind this takes them for one byte each. It
/// also takes a slip such as `inof` for the name of a module, and would show nothing else: a word
/// that stands alone has to be a level.
pub fn log_filter(words: &str) -> Result<EnvFilter, String> {
    if !words.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err("only printable letters of ASCII can stand here".to_owned());
    }
    let alone = words.split(',').map(str::trim).filter(|word| !word.contains(['=', '[', ']']));
    for word in alone.filter(|word| !word.is_empty()) {
        if word.parse::<LevelFilter>().is_err() {
            return Err(format!("{word} is no level"));
        }
    }
    EnvFilter::try_new(words).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_with_a_slip_is_refused_and_not_taken_for_a_module() {
        for good in ["info", "WARN", "off", "info,gateway::ingest=debug", "debug,gateway=trace"] {
            assert!(log_filter(good).is_ok(), "{good}");
        }
        for bad in ["inof", "gateway", "info,gateway::ingest", "x=y=z", "infö"] {
            assert!(log_filter(bad).is_err(), "{bad}");
        }
    }
}
