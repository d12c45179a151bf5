//! Where rings and readers are made.
//!
//! [`channel`] makes the ring with its one writer; [`Subscribers`] is cloned to whoever may add a
//! reader, at start or later, from any thread. A reader that is dropped gives its seat back.

use crate::{
    parking::READERS_MAX, reader::Reader, ring::Ring, sync::Arc, words::WORD_SIZE, writer::Writer,
};

/// Eight words, of which the largest record's payload takes one.
const CAPACITY_BYTES_MIN: usize = 8 * WORD_SIZE;
/// Keeps a record's size and a ring's count of records below 2^32.
const CAPACITY_BYTES_MAX: usize = 1 << 30;

/// The ring cannot have this capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "ring capacity {capacity_bytes} bytes is not a power of two from {CAPACITY_BYTES_MIN} to \
     {CAPACITY_BYTES_MAX}"
)]
pub struct BadCapacity {
    /// The capacity that was asked for.
    pub capacity_bytes: usize,
}

/// Every seat is taken until some reader is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ring has {READERS_MAX} readers already")]
pub struct TooManyReaders;

/// Makes a ring of `capacity_bytes`, a power of two from 64 bytes to 1 GiB, all of it touched here.
///
/// A record takes eight bytes beside its own, rounded up to eight; the largest is an eighth of the
/// capacity. A bigger ring forgives a slower reader and falls out of the cache sooner.
pub fn channel(capacity_bytes: usize) -> Result<(Writer, Subscribers), BadCapacity> {
    let allowed = CAPACITY_BYTES_MIN..=CAPACITY_BYTES_MAX;
    if !allowed.contains(&capacity_bytes) || !capacity_bytes.is_power_of_two() {
        return Err(BadCapacity { capacity_bytes });
    }
    let ring = Arc::new(Ring::new(capacity_bytes));
    Ok((Writer::new(Arc::clone(&ring)), Subscribers { ring }))
}

/// Adds readers to a ring.
#[derive(Clone)]
pub struct Subscribers {
    ring: Arc<Ring>,
}

impl Subscribers {
    /// A reader that begins behind the newest record there is; [`Reader::seek`] moves it elsewhere.
    ///
    /// `wake` is called in the writer's thread when this reader announced that it sleeps and there
    /// is something new: at most once for each [`Reader::prepare_park`], possibly once too often,
    /// never too rarely. It must not block and must not panic.
    pub fn subscribe(
        &self,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Reader, TooManyReaders> {
        match self.ring.parking.enlist(Box::new(wake)) {
            Ok(seat) => Ok(Reader::new(Arc::clone(&self.ring), seat)),
            Err(_wake) => Err(TooManyReaders),
        }
    }
}
