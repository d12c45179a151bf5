//! What hostile sessions tell when they are done: attempts by kind, and how each ended.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::kind::Kind;

/// One kind's sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindSide {
    /// Which.
    pub kind: Kind,
    /// How many.
    pub sessions: u32,
    /// Times one of them connected or tried to.
    pub attempts: u64,
    /// How these ended, in words, and how often.
    pub endings: BTreeMap<String, u64>,
}

/// All of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HostileSide {
    /// From the first attempt to the last look.
    pub seconds: f64,
    /// Processor time of their process within the window.
    pub cpu_seconds: f64,
    /// By kind.
    pub kinds: Vec<KindSide>,
}

impl HostileSide {
    /// Sessions of all kinds.
    pub fn sessions(&self) -> u32 {
        self.kinds.iter().map(|kind| kind.sessions).sum()
    }

    /// Attempts of all kinds.
    pub fn attempts(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.attempts).sum()
    }

    /// One line for all and one a kind, without indentation.
    pub fn lines(&self, window_seconds: f64) -> Vec<String> {
        let mut lines = vec![format!(
            "{} sessions in a process of their own, {} attempts in {:.1} s; it took {:.2} cpu-s of \
             the window ({:.1} % of a core)",
            self.sessions(),
            self.attempts(),
            self.seconds,
            self.cpu_seconds,
            100.0 * self.cpu_seconds / window_seconds.max(f64::MIN_POSITIVE)
        )];
        for side in &self.kinds {
            let mut line = format!("{}, {} attempts:", side.kind.name(), side.attempts);
            for (ending, count) in &side.endings {
                let _ = write!(line, " {count} {ending};");
            }
            lines.push(line.trim_end_matches(';').to_owned());
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_name_every_ending_with_its_count() {
        let endings = [("closed 1009".to_owned(), 3), ("in progress".to_owned(), 1)].into();
        let kind = KindSide { kind: Kind::Oversized, sessions: 2, attempts: 4, endings };
        let side = HostileSide { seconds: 2.0, cpu_seconds: 0.05, kinds: vec![kind] };
        let lines = side.lines(1.0);
        assert!(lines[0].contains("2 sessions") && lines[0].contains("5.0 %"), "{lines:?}");
        assert_eq!(lines[1], "oversized, 4 attempts: 3 closed 1009; 1 in progress");
    }
}
