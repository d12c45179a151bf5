//! What hostile sessions tell when they are done: attempts by kind, and how each ended.

use std::collections::BTreeMap;

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

impl KindSide {
    /// Every ending with its count.
    pub fn ended(&self) -> String {
        let one = |(ending, count): (&String, &u64)| format!("{count} {ending}");
        self.endings.iter().map(one).collect::<Vec<_>>().join("; ")
    }
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

    /// What several blocks tell, together; each had the same sessions. None of none.
    pub fn together<'a>(blocks: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let mut blocks = blocks.into_iter();
        let mut all = blocks.next()?.clone();
        for block in blocks {
            all.seconds += block.seconds;
            all.cpu_seconds += block.cpu_seconds;
            for side in &block.kinds {
                let Some(same) = all.kinds.iter_mut().find(|one| one.kind == side.kind) else {
                    all.kinds.push(side.clone());
                    continue;
                };
                same.attempts += side.attempts;
                for (ending, count) in &side.endings {
                    *same.endings.entry(ending.clone()).or_default() += count;
                }
            }
        }
        Some(all)
    }

    /// One line for all and one a kind, without indentation.
    pub fn lines(&self, window_seconds: f64) -> Vec<String> {
        let kind = |side: &KindSide| {
            format!("{}, {} attempts: {}", side.kind.name(), side.attempts, side.ended())
        };
        let all = std::iter::once(self.summary(window_seconds));
        all.chain(self.kinds.iter().map(kind)).collect()
    }

    /// All kinds in one line; `window_seconds` is the time in which `cpu_seconds` were taken.
    pub fn summary(&self, window_seconds: f64) -> String {
        format!(
            "{} sessions in a process of their own, {} attempts in {:.1} s; it took {:.2} cpu-s of \
             the window ({:.1} % of a core)",
            self.sessions(),
            self.attempts(),
            self.seconds,
            self.cpu_seconds,
            100.0 * self.cpu_seconds / window_seconds.max(f64::MIN_POSITIVE)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oversized(ending: &str, count: u64) -> HostileSide {
        let endings = [(ending.to_owned(), count)].into();
        let kind = KindSide { kind: Kind::Oversized, sessions: 2, attempts: count, endings };
        HostileSide { seconds: 2.0, cpu_seconds: 0.05, kinds: vec![kind] }
    }

    #[test]
    fn blocks_add_up_by_kind_and_ending_while_the_sessions_stay_the_same() {
        assert!(HostileSide::together([]).is_none());
        let blocks =
            [oversized("closed 1009", 3), oversized("closed 1009", 4), oversized("cut", 1)];
        let all = HostileSide::together(&blocks).unwrap();
        assert_eq!((all.sessions(), all.attempts(), all.seconds), (2, 8, 6.0));
        assert_eq!(all.kinds[0].ended(), "7 closed 1009; 1 cut");
    }

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
