//! A place between two records of one ring.
//!
//! A value: any thread may carry it. It counts from the ring's first byte and record, never wraps
//! in practice (2^64 bytes), and means nothing in another ring.

/// A place between two records: what was written before it, in bytes and in records.
///
/// Both counts travel together, so a reader that moves from one place to another knows exactly how
/// many records lie between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Always at a record's beginning, hence a multiple of eight.
    pub(crate) bytes: u64,
    pub(crate) records: u64,
}

impl Position {
    /// Bytes of the ring used before this place, headers and padding included.
    pub fn bytes(self) -> u64 {
        self.bytes
    }

    /// Records written before this place; also the index of the record that begins here.
    pub fn records(self) -> u64 {
        self.records
    }
}
