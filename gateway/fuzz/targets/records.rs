//! What comes through a dashboard's socket behind the handshake: records that are sealed well
//! whatever they hold, records changed on their way, and bytes that are none.
//!
//! The input is a plan: a layout, a size of pieces, then steps. However the bytes are cut, the same
//! is told; what was sealed well and came before anything else is told as it was; memory follows
//! the bytes that came, never the length that a head declares.
#![no_main]

use libfuzzer_sys::fuzz_target;
use record::rehearsal::Suite;
use record::{Event, Input, Records, Violation};

const DATA: u8 = 23;
/// A vector's room to grow, and its least.
const HELD_BYTES_MIN: usize = 64;

#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    data: Vec<u8>,
    is_closed: bool,
    violation: Option<Violation>,
}

fuzz_target!(|plan: &[u8]| {
    let [suite, size, steps @ ..] = plan else { return };
    let suite = match suite % 3 {
        0 => Suite::Tls13,
        1 => Suite::Tls12Explicit,
        _ => Suite::Tls12Implicit,
    };
    let (bytes, sealed_well) = play(suite, steps);
    let whole = open(suite, &bytes, bytes.len().max(1));
    assert!(whole.data.starts_with(&sealed_well), "what was sealed well is told");
    for size in [1, usize::from(*size).max(2)] {
        assert_eq!(open(suite, &bytes, size), whole, "in pieces of {size}");
    }
});

/// The bytes of a plan, and the data that stands before the first thing out of the ordinary.
fn play(suite: Suite, mut steps: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut peer = Records::rehearse(suite).expect("known");
    let (mut out, mut sealed_well, mut is_ordinary) = (Vec::new(), Vec::new(), true);
    while let [step, length, rest @ ..] = steps {
        let (bytes, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        steps = rest;
        let at = out.len();
        match step {
            0..0x80 => {
                peer.seal_any(DATA, bytes, &mut out);
                // An empty one is ordinary, too many in a row are not.
                is_ordinary &= !bytes.is_empty();
                if is_ordinary {
                    sealed_well.extend_from_slice(bytes);
                }
                continue;
            }
            0x80..0xa0 => {
                let (content, bytes) = bytes.split_first().unwrap_or((&0, &[]));
                peer.seal_any(*content, bytes, &mut out);
            }
            0xa0..0xb0 => peer.renew_silently(suite),
            // One of a great size.
            0xb0..0xb8 => {
                let content = bytes.first().copied().unwrap_or_default();
                let size = (1 << 14) - 4 + usize::from(step & 7);
                peer.seal_any(content, &vec![content; size], &mut out);
            }
            0xb8..0xe0 => {
                peer.seal_any(DATA, bytes, &mut out);
                let bit = usize::from(step - 0xb8) * (out.len() - at) * 8 / 40;
                out[at + bit / 8] ^= 1 << (bit % 8);
            }
            0xe0..=0xff => out.extend_from_slice(bytes),
        }
        is_ordinary = false;
    }
    (out, sealed_well)
}

fn open(suite: Suite, bytes: &[u8], size: usize) -> Told {
    let mut records = Records::rehearse(suite).expect("known");
    let mut told = Told::default();
    let mut came_bytes = 0;
    for piece in bytes.chunks(size) {
        let mut piece = piece.to_vec();
        came_bytes += piece.len();
        let mut input = Input::new(&mut piece);
        loop {
            match records.next(&mut input) {
                Ok(None) => break,
                Ok(Some(Event::Data(data))) => {
                    assert!(!data.is_empty() && told.violation.is_none() && !told.is_closed);
                    told.data.extend_from_slice(data);
                }
                Ok(Some(Event::Closed)) => told.is_closed = true,
                Err(violation) => {
                    assert!(told.violation.replace(violation).is_none(), "one verdict");
                    assert_eq!(records.held_bytes(), 0);
                }
            }
        }
        assert!(records.held_bytes() <= (2 * came_bytes).max(HELD_BYTES_MIN));
    }
    told
}
