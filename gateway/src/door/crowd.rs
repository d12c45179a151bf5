//! How many arrive, and how fast: of all, and of each address.
//!
//! Owned by the door's thread. It is asked at accept, before a byte is read, so that whoever comes
//! too often costs no cryptography. An address counts as a whole, an IPv6 one by its /64, which is
//! what one subscriber has. **Invariant:** an address is remembered only while it has connections
//! here or has not yet paid for those it had, and never more than `ADDRESSES_MAX` of them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use crate::config;
use crate::metrics::ArrivalRefusal;

const NANOS_PER_SECOND: u64 = 1_000_000_000;
/// So much may come at once that was saved up: two seconds' worth.
const BURST_NS: u64 = 2 * NANOS_PER_SECOND;
/// Addresses remembered at once; beyond it strangers are refused.
const ADDRESSES_MAX: usize = 1 << 16;
/// Admissions between two looks for addresses that can be forgotten.
const SWEEP_EVERY: u32 = 1024;

/// One limit of how often something may happen.
#[derive(Debug, Default)]
struct Bucket {
    /// The moment up to which all is paid for; it runs ahead of now while more comes than may.
    paid_until: u64,
}

impl Bucket {
    fn has_room(&self, per_second_max: u32, now: u64) -> bool {
        per_second_max == 0 || self.paid_until.max(now) + price(per_second_max) <= now + BURST_NS
    }

    fn pay(&mut self, per_second_max: u32, now: u64) {
        if per_second_max > 0 {
            self.paid_until = self.paid_until.max(now) + price(per_second_max);
        }
    }
}

fn price(per_second_max: u32) -> u64 {
    NANOS_PER_SECOND / u64::from(per_second_max)
}

#[derive(Debug, Default)]
struct Address {
    arriving: usize,
    bucket: Bucket,
}

/// Everybody between accept and upgrade.
#[derive(Debug)]
pub(super) struct Crowd {
    arriving_max: usize,
    limits: config::Crowd,
    arriving: usize,
    bucket: Bucket,
    addresses: HashMap<IpAddr, Address>,
    until_sweep: u32,
}

impl Crowd {
    /// Nobody is here yet.
    pub(super) fn new(settings: &config::Door) -> Self {
        Self {
            arriving_max: settings.arriving_max,
            limits: settings.crowd,
            arriving: 0,
            bucket: Bucket::default(),
            addresses: HashMap::new(),
            until_sweep: SWEEP_EVERY,
        }
    }

    /// Counts one more of `address` in, or says why not. Who is admitted has to be told of by
    /// `left`.
    pub(super) fn admit(&mut self, address: IpAddr, now: u64) -> Result<(), ArrivalRefusal> {
        let limits = self.limits;
        if self.arriving >= self.arriving_max {
            return Err(ArrivalRefusal::Full);
        }
        if !self.bucket.has_room(limits.handshakes_per_second_max, now) {
            return Err(ArrivalRefusal::Rate);
        }
        self.until_sweep = self.until_sweep.saturating_sub(1);
        if self.until_sweep == 0 || self.addresses.len() >= ADDRESSES_MAX {
            self.sweep(now);
        }
        let network = network(address);
        if !self.addresses.contains_key(&network) && self.addresses.len() >= ADDRESSES_MAX {
            return Err(ArrivalRefusal::Rate);
        }
        let known = self.addresses.entry(network).or_default();
        if known.arriving >= limits.arriving_per_address_max {
            return Err(ArrivalRefusal::AddressFull);
        }
        if !known.bucket.has_room(limits.handshakes_per_address_per_second_max, now) {
            return Err(ArrivalRefusal::AddressRate);
        }
        known.bucket.pay(limits.handshakes_per_address_per_second_max, now);
        known.arriving += 1;
        self.bucket.pay(limits.handshakes_per_second_max, now);
        self.arriving += 1;
        Ok(())
    }

    /// One of `address` is gone, or a session.
    pub(super) fn left(&mut self, address: IpAddr) {
        self.arriving -= 1;
        if let Some(known) = self.addresses.get_mut(&network(address)) {
            known.arriving -= 1;
        }
    }

    fn sweep(&mut self, now: u64) {
        self.until_sweep = SWEEP_EVERY;
        self.addresses.retain(|_, known| known.arriving > 0 || known.bucket.paid_until > now);
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(arriving_max: usize, limits: config::Crowd) -> Crowd {
        Crowd {
            arriving_max,
            limits,
            arriving: 0,
            bucket: Bucket::default(),
            addresses: HashMap::new(),
            until_sweep: SWEEP_EVERY,
        }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// Admits until somebody is refused; how many that were, and why no more.
    fn fill(crowd: &mut Crowd, from: &str, now: u64) -> (usize, ArrivalRefusal) {
        let mut count = 0;
        loop {
            match crowd.admit(address(from), now) {
                Ok(()) => count += 1,
                Err(why) => return (count, why),
            }
        }
    }

    const NO_RATE: config::Crowd = config::Crowd {
        arriving_per_address_max: 3,
        handshakes_per_second_max: 0,
        handshakes_per_address_per_second_max: 0,
    };

    #[test]
    fn one_address_does_not_take_every_place() {
        let mut crowd = crowd(7, NO_RATE);
        assert_eq!(fill(&mut crowd, "10.0.0.1", 0), (3, ArrivalRefusal::AddressFull));
        assert_eq!(fill(&mut crowd, "::ffff:10.0.0.1", 0), (0, ArrivalRefusal::AddressFull));
        assert_eq!(fill(&mut crowd, "2001:db8::1", 0), (3, ArrivalRefusal::AddressFull));
        assert_eq!(fill(&mut crowd, "2001:db8::ffff:2", 0), (0, ArrivalRefusal::AddressFull));
        assert_eq!(fill(&mut crowd, "2001:db8:0:1::1", 0), (1, ArrivalRefusal::Full));
        crowd.left(address("10.0.0.1"));
        assert_eq!(fill(&mut crowd, "10.0.0.1", 0), (1, ArrivalRefusal::Full));
    }

    #[test]
    fn a_flood_of_one_address_leaves_the_rate_of_others() {
        let limits = config::Crowd {
            arriving_per_address_max: 1000,
            handshakes_per_second_max: 100,
            handshakes_per_address_per_second_max: 50,
        };
        let mut crowd = crowd(1000, limits);
        let now = 10 * NANOS_PER_SECOND;
        assert_eq!(fill(&mut crowd, "10.0.0.1", now), (100, ArrivalRefusal::AddressRate));
        assert_eq!(fill(&mut crowd, "10.0.0.2", now), (100, ArrivalRefusal::Rate));
        // A second later a second's worth may come.
        let now = now + NANOS_PER_SECOND;
        assert_eq!(fill(&mut crowd, "10.0.0.1", now), (50, ArrivalRefusal::AddressRate));
        assert_eq!(fill(&mut crowd, "10.0.0.3", now), (50, ArrivalRefusal::Rate));
    }

    #[test]
    fn who_has_left_and_paid_is_forgotten() {
        let limits = config::Crowd { handshakes_per_address_per_second_max: 1, ..NO_RATE };
        let mut crowd = crowd(10, limits);
        let mut now = NANOS_PER_SECOND;
        for bits in 0..100_000_u32 {
            let address = IpAddr::V4(bits.into());
            assert_eq!(crowd.admit(address, now), Ok(()));
            crowd.left(address);
            now += NANOS_PER_SECOND / 1000;
        }
        assert!(crowd.addresses.len() <= 1000 + SWEEP_EVERY as usize);
    }

    #[test]
    fn strangers_are_refused_once_too_many_are_remembered() {
        let limits = config::Crowd { handshakes_per_address_per_second_max: 1, ..NO_RATE };
        let mut crowd = crowd(ADDRESSES_MAX * 2, limits);
        for bits in 0..ADDRESSES_MAX as u32 {
            assert_eq!(crowd.admit(IpAddr::V4(bits.into()), 0), Ok(()));
        }
        assert_eq!(fill(&mut crowd, "10.0.0.1", 0), (0, ArrivalRefusal::Rate));
        assert_eq!(fill(&mut crowd, "0.0.0.1", 0), (1, ArrivalRefusal::AddressRate));
    }
}
