//! Counters and gauges: one number each, written by one thread, read by any.
//!
//! Because a cell has one writing thread, adding is a plain load and store (under 1 ns) and not a
//! locked instruction. Two writing threads would lose counts; that is why each thread has a struct
//! of its own in this module's neighbours.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one. Only the owning thread may call it.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `count`. Only the owning thread may call it.
    pub fn add(&self, count: u64) {
        // Relaxed: nothing is published through a count, and only this thread writes it.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// As it stands, from any thread.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down, never below zero.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Replaces the value. Only the owning thread may call it.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds `count`. Only the owning thread may call it.
    pub fn add(&self, count: u64) {
        self.set(self.value().saturating_add(count));
    }

    /// Takes `count` away, down to zero at most. Only the owning thread may call it.
    pub fn sub(&self, count: u64) {
        self.set(self.value().saturating_sub(count));
    }

    /// Adds one. Only the owning thread may call it.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Takes one away. Only the owning thread may call it.
    pub fn dec(&self) {
        self.sub(1);
    }

    /// As it stands, from any thread.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the exposition reads from either.
pub(super) trait Cell: Default {
    /// The number.
    fn read(&self) -> u64;
}

impl Cell for Counter {
    fn read(&self) -> u64 {
        self.value()
    }
}

impl Cell for Gauge {
    fn read(&self) -> u64 {
        self.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_adds_and_a_gauge_never_falls_below_zero() {
        let (counter, gauge) = (Counter::default(), Gauge::default());
        counter.inc();
        counter.add(41);
        gauge.inc();
        gauge.sub(5);
        gauge.add(3);
        gauge.dec();
        assert_eq!((counter.value(), gauge.value()), (42, 2));
    }
}
