//! What came of a verification, for people and as JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::seen::Seen;
use super::trial::Tried;
use super::violation::{Kind, Violation};
use crate::scan::message::Channel;

/// The outcome of `bench verify`.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The gateway.
    pub url: String,
    /// Sessions asked for.
    pub sessions: u32,
    /// Symbols that were dealt out.
    pub symbols: usize,
    /// Channels of each.
    pub channels: Vec<Channel>,
    /// Levels a side of each book.
    pub depth: usize,
    /// From the first packet to the last.
    pub seconds: f64,
    /// What was seen.
    pub seen: Seen,
    /// What was held against the truth, where there was one.
    pub truth: Option<Tried>,
    /// Sessions that never came up.
    pub not_connected: u64,
    /// Why, each reason once.
    pub not_connected_because: Vec<String>,
    /// All broken promises.
    pub violations_total: u64,
    /// By kind.
    pub violations_by_kind: BTreeMap<Kind, u64>,
    /// The first of them.
    pub violations: Vec<Violation>,
}

impl Verdict {
    /// 0 proven, 1 violated, 3 not all sessions came up (and nothing worse).
    pub fn exit_code(&self) -> u8 {
        match (self.violations_total, self.not_connected) {
            (0, 0) => 0,
            (0, _) => 3,
            _ => 1,
        }
    }

    /// How many of `kind`.
    pub fn count(&self, kind: Kind) -> u64 {
        self.violations_by_kind.get(&kind).copied().unwrap_or_default()
    }
}

impl Verdict {
    /// What became of the numbers, and of sessions that acted badly.
    fn tell_numbers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = &self.seen;
        let balance = &seen.balance;
        writeln!(
            f,
            "  balance   {} published = {} delivered + {} merged + {} announced + {} lost",
            balance.published, balance.delivered, balance.merged, balance.announced, balance.lost
        )?;
        if seen.hung_up + seen.stopped_reading > 0 {
            writeln!(
                f,
                "  conduct   stopped reading {} times, hung up {}, shut out for slowness {}; \
                 {} of {} resumes recovered",
                seen.stopped_reading, seen.hung_up, seen.closed_slow, seen.recovered, seen.resumes
            )?;
        }
        if seen.unsubscribed > 0 {
            writeln!(f, "  churn     {} streams left and subscribed anew", seen.unsubscribed)?;
        }
        if seen.paces + seen.paces_ignored > 0 {
            let (granted, ignored) = (seen.paces, seen.paces_ignored);
            let close = seen.paced_behind_late;
            writeln!(
                f,
                "  pace      {granted} granted, {ignored} asked for and not mentioned; {close} \
                 frames soon behind a late one"
            )?;
        }
        Ok(())
    }

    fn tell_violations(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, count) in &self.violations_by_kind {
            writeln!(f, "  VIOLATED  {kind:?}: {count}")?;
        }
        for one in &self.violations {
            let session = one.session.map_or_else(|| "-".to_owned(), |id| id.to_string());
            writeln!(f, "    session {session} {} {:?}: {}", one.about, one.kind, one.detail)?;
        }
        if self.violations_total > self.violations.len() as u64 {
            let rest = self.violations_total - self.violations.len() as u64;
            writeln!(f, "    and {rest} more")?;
        }
        Ok(())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = &self.seen;
        let channels: Vec<_> = self.channels.iter().map(|channel| channel.name()).collect();
        writeln!(
            f,
            "{}: {} of {} sessions, {} symbols, {}, depth {}, {:.1} s",
            self.url,
            seen.sessions_opened,
            self.sessions,
            self.symbols,
            channels.join(" "),
            self.depth,
            self.seconds
        )?;
        writeln!(
            f,
            "  seen      {} messages: {} snapshots, {} updates ({} merged), {} heartbeats",
            seen.messages, seen.snapshots, seen.updates, seen.merged, seen.heartbeats
        )?;
        writeln!(
            f,
            "  asked     {} granted, {} refused, {} streams without any frame",
            seen.granted, seen.refused, seen.streams_silent
        )?;
        writeln!(
            f,
            "  checked   {} checksums, {} trades, {} sequences announced as missing",
            seen.checksums, seen.trades, seen.announced_missing
        )?;
        self.tell_numbers(f)?;
        if let Some(truth) = &self.truth {
            writeln!(
                f,
                "  truth     {} symbols, {} trades published, {} trade streams, {} books compared",
                truth.symbols, truth.trades_published, truth.trade_streams, truth.books
            )?;
        }
        self.tell_violations(f)?;
        for cause in &self.not_connected_because {
            writeln!(f, "  {} sessions did not come up: {cause}", self.not_connected)?;
        }
        match self.exit_code() {
            0 => write!(f, "proven: every sequence delivered or announced, every checksum right"),
            1 => write!(f, "violated: {} times", self.violations_total),
            _ => write!(f, "not proven: not every session could connect"),
        }
    }
}
