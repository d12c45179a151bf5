//! A workload: one station's work on fixed inputs, made anew for each way of measuring it.

/// The work itself, warm state included.
pub(crate) trait Case {
    /// Does it `count` times; at most `burst` times between two calls of `reset`.
    fn run(&mut self, count: u64);

    /// How often it can be done before `reset` is due.
    fn burst(&self) -> u64 {
        u64::MAX
    }

    /// Makes it possible again; not measured.
    fn reset(&mut self) {}

    /// Bytes made (or, by decoders, read) so far.
    fn bytes(&self) -> u64;
}

/// A named case.
pub(crate) struct Workload {
    /// `station.what.variant`
    pub(crate) name: String,
    make: Box<dyn Fn() -> Box<dyn Case>>,
    /// How often it is done for one count of instructions. A multiple of the inputs' number, so
    /// that each input counts alike.
    pub(crate) counted: u64,
}

impl Workload {
    pub(crate) fn new(
        name: impl Into<String>,
        counted: u64,
        make: impl Fn() -> Box<dyn Case> + 'static,
    ) -> Self {
        Self { name: name.into(), make: Box::new(make), counted }
    }

    /// A case that has been run `counted` times: every buffer has its size.
    pub(crate) fn warm(&self) -> Box<dyn Case> {
        let mut case = (self.make)();
        run_in_bursts(&mut *case, self.counted, |case, count| case.run(count));
        case
    }
}

/// Does a case `count` times by `run`, with resets between.
pub(crate) fn run_in_bursts(
    case: &mut dyn Case,
    count: u64,
    mut run: impl FnMut(&mut dyn Case, u64),
) {
    let mut left = count;
    while left > 0 {
        let burst = left.min(case.burst());
        run(case, burst);
        case.reset();
        left -= burst;
    }
}

/// A case that needs no reset; the closure returns the bytes it made.
pub(crate) fn endless(once: impl FnMut() -> usize + 'static) -> Box<dyn Case> {
    Box::new(Endless { once, bytes: 0 })
}

struct Endless<F> {
    once: F,
    bytes: u64,
}

impl<F: FnMut() -> usize> Case for Endless<F> {
    fn run(&mut self, count: u64) {
        for _ in 0..count {
            self.bytes += (self.once)() as u64;
        }
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Inputs taken in turn.
pub(crate) struct Round<T> {
    inputs: Vec<T>,
    at: usize,
}

impl<T> Round<T> {
    pub(crate) fn new(inputs: Vec<T>) -> Self {
        Self { inputs, at: 0 }
    }

    pub(crate) fn next(&mut self) -> &mut T {
        self.at = if self.at + 1 < self.inputs.len() { self.at + 1 } else { 0 };
        &mut self.inputs[self.at]
    }
}
