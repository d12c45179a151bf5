//! Addresses that failed to sign in wait before they may try again: exponentially longer, in a
//! bounded table.
//!
//! Owned by the door. An address counts as a whole, an IPv6 one by its /64, which is what one
//! subscriber gets. Secrets here are too long to guess; the wait keeps a guesser from costing
//! signatures and log lines, so a full table may forget: it drops the address that would be
//! forgotten soonest, and says so.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use market::Nanos;

use crate::wall::nanos;

/// How patient the door is.
#[derive(Clone, Copy, Debug)]
pub struct BackoffLimits {
    /// Failures before the first wait, for slips and rolling deployments.
    pub free: u32,
    /// The first wait; it doubles with each failure,
    pub first: Duration,
    /// up to this. An address that is quiet for twice as long after its wait is forgotten.
    pub longest: Duration,
    /// Addresses remembered at once, at some 150 bytes each.
    pub addresses_max: usize,
}

impl Default for BackoffLimits {
    fn default() -> Self {
        Self {
            free: 3,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(300),
            addresses_max: 65_536,
        }
    }
}

/// What became of a failure that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// The address is in the table.
    Remembered,
    /// It is, and another one was dropped for it: the table is full. Count these.
    Evicted,
    /// It is not: the table has no room at all.
    Unremembered,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    failures: u32,
    /// The end of the wait; in the past where there is none.
    closed_until: Nanos,
    forget_at: Nanos,
}

/// The table.
#[derive(Debug)]
pub struct Backoff {
    limits: BackoffLimits,
    /// Strangers choose their addresses, so its hash has a key.
    entries: HashMap<IpAddr, Entry>,
    /// Always the keys of `entries`, in the order of being forgotten.
    order: BTreeSet<(Nanos, IpAddr)>,
}

impl Backoff {
    /// An empty table.
    pub fn new(limits: BackoffLimits) -> Self {
        Self { limits, entries: HashMap::new(), order: BTreeSet::new() }
    }

    /// How long an address has yet to wait; none where it may try now. Ask before looking at
    /// credentials.
    pub fn wait(&self, address: IpAddr, now: Nanos) -> Option<Duration> {
        let entry = self.entries.get(&network(address))?;
        let left = entry.closed_until.0.checked_sub(now.0)?;
        (left > 0).then(|| Duration::from_nanos(left))
    }

    /// Credentials from this address were refused.
    pub fn failed(&mut self, address: IpAddr, now: Nanos) -> Recorded {
        self.forget(now);
        let key = network(address);
        let known = self.entries.remove(&key);
        if let Some(entry) = known {
            self.order.remove(&(entry.forget_at, key));
        }
        if self.limits.addresses_max == 0 {
            return Recorded::Unremembered;
        }
        let is_full = self.entries.len() >= self.limits.addresses_max;
        if is_full && let Some((_, soonest)) = self.order.pop_first() {
            self.entries.remove(&soonest);
        }
        let failures = known.map_or(0, |entry| entry.failures).saturating_add(1);
        let closed_until = Nanos(now.0.saturating_add(self.wait_ns(failures)));
        let quiet_ns = nanos(self.limits.longest).saturating_mul(2);
        let forget_at = Nanos(closed_until.0.saturating_add(quiet_ns));
        self.entries.insert(key, Entry { failures, closed_until, forget_at });
        self.order.insert((forget_at, key));
        if is_full { Recorded::Evicted } else { Recorded::Remembered }
    }

    /// Credentials from this address were good: it starts over.
    pub fn succeeded(&mut self, address: IpAddr) {
        let key = network(address);
        if let Some(entry) = self.entries.remove(&key) {
            self.order.remove(&(entry.forget_at, key));
        }
    }

    /// Addresses remembered now, for a gauge.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True where none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn wait_ns(&self, failures: u32) -> u64 {
        let Some(doublings) = failures.checked_sub(self.limits.free.saturating_add(1)) else {
            return 0;
        };
        let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
        nanos(self.limits.first).saturating_mul(factor).min(nanos(self.limits.longest))
    }

    /// Two at a time: more than can be added meanwhile, and a bounded cost.
    fn forget(&mut self, now: Nanos) {
        for _ in 0..2 {
            let Some((forget_at, address)) = self.order.first().copied() else { return };
            if forget_at > now {
                return;
            }
            self.order.pop_first();
            self.entries.remove(&address);
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BackoffLimits = BackoffLimits {
        free: 2,
        first: Duration::from_secs(1),
        longest: Duration::from_secs(10),
        addresses_max: 3,
    };
    const SECOND: u64 = 1_000_000_000;

    fn v4(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn at(seconds: u64) -> Nanos {
        Nanos(seconds * SECOND)
    }

    #[test]
    fn waits_double_after_the_free_failures_up_to_the_longest() {
        let mut table = Backoff::new(LIMITS);
        let mut waits = Vec::new();
        for _ in 0..8 {
            table.failed(v4(1), at(100));
            waits.push(table.wait(v4(1), at(100)).map_or(0, |wait| wait.as_secs()));
        }
        assert_eq!(waits, [0, 0, 1, 2, 4, 8, 10, 10]);
        assert_eq!(table.wait(v4(1), at(110)), None);
        assert_eq!(table.wait(v4(2), at(100)), None);
    }

    #[test]
    fn any_number_of_failures_keeps_the_longest_wait() {
        let mut table = Backoff::new(LIMITS);
        for _ in 0..200 {
            table.failed(v4(1), at(1));
        }
        assert_eq!(table.wait(v4(1), at(1)), Some(LIMITS.longest));
    }

    #[test]
    fn success_and_quiet_start_over() {
        let mut table = Backoff::new(LIMITS);
        for address in [v4(1), v4(2)] {
            for _ in 0..4 {
                table.failed(address, at(0));
            }
        }
        table.succeeded(v4(1));
        assert_eq!(table.failed(v4(1), at(0)), Recorded::Remembered);
        assert_eq!(table.wait(v4(1), at(0)), None);
        table.failed(v4(2), at(40));
        assert_eq!(table.wait(v4(2), at(40)), None);
    }

    #[test]
    fn a_full_table_drops_the_one_that_would_be_forgotten_soonest() {
        let mut table = Backoff::new(LIMITS);
        for last in 1..=3 {
            for _ in 0..5 - last {
                assert_eq!(table.failed(v4(last), at(0)), Recorded::Remembered);
            }
        }
        assert_eq!(table.failed(v4(4), at(0)), Recorded::Evicted);
        assert_eq!(table.len(), 3);
        assert!(table.wait(v4(1), at(0)).is_some(), "the one with most failures stays");
        table.failed(v4(3), at(0));
        table.failed(v4(3), at(0));
        assert_eq!(table.wait(v4(3), at(0)), None, "the mildest had been dropped");
        assert_eq!(table.len(), table.order.len());
    }

    #[test]
    fn the_table_never_grows_beyond_its_bound() {
        let mut table = Backoff::new(LIMITS);
        for round in 0..1000_u64 {
            table.failed(v4((round % 251) as u8), Nanos(round * SECOND / 7));
            assert!(table.len() <= 3 && table.len() == table.order.len());
        }
        let none = BackoffLimits { addresses_max: 0, ..LIMITS };
        assert_eq!(Backoff::new(none).failed(v4(1), at(0)), Recorded::Unremembered);
    }

    #[test]
    fn neighbours_in_one_ipv6_network_and_mapped_addresses_count_together() {
        let mut table = Backoff::new(LIMITS);
        let parse = |text: &str| text.parse::<IpAddr>().expect("an address");
        for text in ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:1"] {
            table.failed(parse(text), at(0));
        }
        assert!(table.wait(parse("2001:db8::9"), at(0)).is_some());
        assert!(table.wait(parse("2001:db8:0:1::9"), at(0)).is_none());
        for _ in 0..3 {
            table.failed(parse("::ffff:192.0.2.7"), at(0));
        }
        assert!(table.wait(v4(7), at(0)).is_some());
    }
}
