//! What both sides say first: which versions they speak, where they stand, by how much later they
//! serve.
//!
//! All greetings have one size, so that a stranger is told from a relay by the first bytes, and no
//! length is believed.

use std::fmt;
use std::time::Duration;

use market::LAYOUT_VERSION;

use super::{Body, FrameError, Place, put_place};
use crate::config::DELAYS_MAX;

/// Version of greeting and frames.
pub const VERSION: u32 = 3;
/// What every greeting begins with.
const MAGIC: [u8; 8] = *b"mktrelay";
/// Bytes of a greeting.
pub const GREETING_BYTES: usize = MAGIC.len() + 2 * 4 + 3 * 8 + DELAYS_MAX * 4;

/// What is said first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Greeting {
    /// By who follows, where it stands; by who lends, the name of its ring alone.
    pub place: Place,
    /// Both sides have to serve by the same: twins come with the records, so one that follows has
    /// those of the hub, and what its own config says of them is how its rules were read.
    pub delays: Delays,
}

/// By how much later things are told beside at once: `ingest.delays_ms`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// Ascending; zeros behind the last.
    lengths_ms: [u32; DELAYS_MAX],
}

impl From<&[Duration]> for Delays {
    fn from(delays: &[Duration]) -> Self {
        let mut lengths_ms = [0; DELAYS_MAX];
        for (length_ms, delay) in lengths_ms.iter_mut().zip(delays) {
            *length_ms = delay.as_millis() as u32;
        }
        Self { lengths_ms }
    }
}

impl fmt::Display for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lengths_ms.iter().filter(|length_ms| **length_ms > 0)).finish()
    }
}

/// Appends a greeting.
pub fn put_greeting(greeting: Greeting, out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&LAYOUT_VERSION.to_le_bytes());
    put_place(greeting.place, out);
    for length_ms in greeting.delays.lengths_ms {
        out.extend_from_slice(&length_ms.to_le_bytes());
    }
}

/// Reads a greeting.
pub fn greeting(bytes: &[u8; GREETING_BYTES]) -> Result<Greeting, FrameError> {
    let mut body = Body(bytes);
    if body.array() != Some(MAGIC) {
        return Err(FrameError::Stranger);
    }
    let (frames, layout) = body.count().zip(body.count()).ok_or(FrameError::Malformed)?;
    if (frames, layout) != (VERSION, LAYOUT_VERSION) {
        return Err(FrameError::Version { frames, layout });
    }
    let place = body.place().ok_or(FrameError::Malformed)?;
    let mut delays = Delays::default();
    for length_ms in &mut delays.lengths_ms {
        *length_ms = body.count().ok_or(FrameError::Malformed)?;
    }
    Ok(Greeting { place, delays })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn example() -> Greeting {
        let place = Place { epoch: 0x0102, ring: 0x0304, records: 0x0506 };
        let delays = Delays::from(&[500, 900_000].map(Duration::from_millis)[..]);
        Greeting { place, delays }
    }

    fn written(greeting: Greeting) -> [u8; GREETING_BYTES] {
        let mut bytes = Vec::new();
        put_greeting(greeting, &mut bytes);
        bytes.try_into().expect("its size")
    }

    #[test]
    fn a_greeting_has_the_bytes_of_its_version() {
        let pinned = [
            b"mktrelay".as_slice(),
            &[3, 0, 0, 0, LAYOUT_VERSION as u8, 0, 0, 0],
            &[0x02, 0x01, 0, 0, 0, 0, 0, 0, 0x04, 0x03, 0, 0, 0, 0, 0, 0],
            &[0x06, 0x05, 0, 0, 0, 0, 0, 0],
            &[0xf4, 0x01, 0, 0, 0xa0, 0xbb, 0x0d, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ];
        assert_eq!(written(example())[..], pinned.concat(), "another VERSION");
        assert_eq!(greeting(&written(example())), Ok(example()));
    }

    #[test]
    fn another_version_is_told_from_a_stranger() {
        let mut bytes = written(example());
        bytes[8] = 9;
        let other = FrameError::Version { frames: 9, layout: LAYOUT_VERSION };
        assert_eq!(greeting(&bytes), Err(other));
        bytes[0] = b'G';
        assert_eq!(greeting(&bytes), Err(FrameError::Stranger));
    }

    #[test]
    fn delays_read_as_an_operator_wrote_them() {
        assert_eq!(example().delays.to_string(), "[500, 900000]");
        assert_eq!(Delays::default().to_string(), "[]");
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::array::uniform32(any::<u8>())) {
            let mut whole = written(example());
            whole[16..48].copy_from_slice(&bytes);
            let read = greeting(&whole).expect("any place, any delays");
            prop_assert_eq!(written(read), whole);
        }
    }
}
