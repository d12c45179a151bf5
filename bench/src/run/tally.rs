//! What load threads bring home of a block, summed: over the threads of a process, and over
//! processes, between which it travels as JSON. Histograms travel whole, so that percentiles are
//! those of all deliveries together and not means of percentiles.

use serde::{Deserialize, Serialize};

use super::crowd::{Crowd, Share, Shares};
use super::probe::Published;
use crate::fleet::latency::Latency;
use crate::fleet::meter::Counts;
use crate::load::thread::Traffic;
use crate::load::watch::Watch;
use crate::report::result::UnrulySide;
use crate::scan::message::Channel;

/// The sums.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tally {
    /// Lateness by the slice in which ticks were due.
    pub slices: Vec<Latency>,
    /// Deliveries by the slice in which they were read.
    pub arrived: Vec<u64>,
    /// How long the loops' turns took.
    pub turns: Latency,
    /// What was counted, of sessions that behave.
    pub counts: Counts,
    /// What went through the sockets.
    pub traffic: Traffic,
    /// The first reason for a session not to come up, or to end.
    pub trouble: Option<String>,
    unruly: Option<Unruly>,
    shares: Vec<((u32, Channel, u64), Share)>,
}

/// The sums of the sessions that misbehave.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Unruly {
    /// Its percentiles are made at the end, of these.
    side: UnrulySide,
    late: Latency,
    back: Latency,
}

impl Tally {
    /// Of all threads of this process.
    pub fn of(home: Vec<(Crowd, Traffic)>, slices: usize) -> Self {
        let mut all = Self {
            slices: (0..slices).map(|_| Latency::new()).collect(),
            arrived: vec![0; slices],
            turns: Latency::new(),
            counts: Counts::default(),
            traffic: Traffic::default(),
            trouble: None,
            unruly: None,
            shares: Vec::new(),
        };
        let mut shares = Shares::default();
        for (mut crowd, moved) in home {
            crowd.close(&mut shares);
            all.slices.iter_mut().zip(&crowd.slices).for_each(|(sum, one)| sum.add(one));
            all.arrived.iter_mut().zip(&crowd.arrived).for_each(|(sum, one)| *sum += one);
            all.turns.add(&crowd.turns);
            all.counts.add(&crowd.counts);
            all.traffic.add(&moved);
            all.trouble = all.trouble.or(crowd.trouble.take());
            if let Some(mob) = crowd.mob.take() {
                let unruly = all.unruly.get_or_insert_with(Unruly::default);
                unruly.late.add(&crowd.unruly);
                unruly.back.add(&mob.back);
                let side = &mut unruly.side;
                side.sessions += mob.members().len() as u64;
                side.acts += mob.acts;
                side.away_at_end += mob.away() as u64;
                side.resumes += mob.resumes;
                side.recovered += mob.recovered;
                side.counts.add(&crowd.unruly_counts);
                side.rounds_ms.extend(mob.rounds_ms);
            }
        }
        all.shares = shares.into_iter().collect();
        all
    }

    /// Adds another process's.
    pub fn add(&mut self, other: Self) {
        self.slices.iter_mut().zip(&other.slices).for_each(|(sum, one)| sum.add(one));
        self.arrived.iter_mut().zip(&other.arrived).for_each(|(sum, one)| *sum += one);
        self.turns.add(&other.turns);
        self.counts.add(&other.counts);
        self.traffic.add(&other.traffic);
        self.trouble = self.trouble.take().or(other.trouble);
        if let Some(theirs) = other.unruly {
            let unruly = self.unruly.get_or_insert_with(Unruly::default);
            unruly.late.add(&theirs.late);
            unruly.back.add(&theirs.back);
            unruly.side.add(&theirs.side);
        }
        let mut shares: Shares = std::mem::take(&mut self.shares).into_iter().collect();
        for (key, share) in other.shares {
            shares.entry(key).or_default().add(&share);
        }
        self.shares = shares.into_iter().collect();
    }

    /// Counts as lost what the venue published, or another session got, and a session did not. Only
    /// once all are added up.
    pub fn settle(&mut self, watch: &Watch, published: Option<&Published>) {
        let mut shares: Shares = std::mem::take(&mut self.shares).into_iter().collect();
        if !watch.seq && self.unruly.is_none() {
            expect(&mut shares, watch, published);
        }
        let unequal: u64 = shares.values().map(Share::missing).sum();
        self.counts.lost += unequal;
    }

    /// The sessions that misbehaved, with their percentiles.
    pub fn unruly_side(&self) -> Option<UnrulySide> {
        let Unruly { side, late, back } = self.unruly.as_ref()?;
        Some(UnrulySide { latency: late.percentiles(), back: back.percentiles(), ..side.clone() })
    }
}

/// Every session of a symbol counts, also one that got nothing; and so does what the venue
/// published.
fn expect(shares: &mut Shares, watch: &Watch, published: Option<&Published>) {
    let mut watchers = vec![0u64; watch.symbols.len()];
    for symbol in watch.by_session.iter().flatten() {
        watchers[*symbol as usize] += 1;
    }
    let ticks = |symbol: &str| published?.ticks.get(symbol.as_bytes()).copied();
    for (at, symbol) in watch.symbols.iter().enumerate().filter(|(at, _)| watchers[*at] > 0) {
        if watch.channels.contains(&Channel::Ticker) {
            let share = shares.entry((at as u32, Channel::Ticker, 0)).or_default();
            share.most = share.most.max(ticks(symbol).unwrap_or(0));
        }
    }
    for ((symbol, _, _), share) in shares.iter_mut() {
        share.sessions = watchers[*symbol as usize];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(count: u64, most: u64) -> Tally {
        let mut slice = Latency::new();
        (0..count).for_each(|one| slice.record(1000 * (one + 1)));
        let share = Share { most, sum: most, sessions: 1 };
        Tally {
            slices: vec![slice],
            shares: vec![((0, Channel::Ticker, 0), share)],
            ..Tally::of(Vec::new(), 1)
        }
    }

    #[test]
    fn what_another_process_saw_adds_up_as_if_one_had_seen_it() {
        let text = serde_json::to_string(&tally(100, 7)).unwrap();
        let mut all = tally(900, 9);
        all.add(serde_json::from_str(&text).unwrap());
        assert_eq!(all.slices[0].percentiles().count, 1000);
        let watch = Watch {
            symbols: ["A/B".to_owned()].into(),
            by_session: vec![vec![0], vec![0]].into(),
            channels: vec![Channel::Ticker],
            depth: 10,
            intervals: vec![1],
            seq: false,
        };
        all.settle(&watch, None);
        assert_eq!(all.counts.lost, 2, "one session got nine, the other in its process seven");
    }
}
