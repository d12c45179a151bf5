//! Whole WebSocket frames as a server sends them: final, unmasked, header and payload in one run.
//!
//! They hold no byte that belongs to one connection, so one encoding serves every session.

/// Header bytes reserved before a payload of unknown length: the middle of the three sizes.
const RESERVED: usize = 4;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8 text.
    Text = 0x1,
    /// Bytes of no stated meaning.
    Binary = 0x2,
    /// The end, with an optional code and reason.
    Close = 0x8,
    /// The question whether the other side lives.
    Ping = 0x9,
    /// Its answer.
    Pong = 0xA,
}

/// Appends one text frame whose payload `write` appends, and returns nothing but the bytes.
pub fn write_text(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    write_message(Kind::Text, out, write);
}

/// As `write_text`, for a message of either kind.
pub fn write_message(kind: Kind, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; RESERVED]);
    write(out);
    let length = out.len() - start - RESERVED;
    let (header, used) = header(kind, length);
    let header = &header[..used];
    if used < RESERVED {
        out.copy_within(start + RESERVED.., start + used);
        out.truncate(start + used + length);
    } else if used > RESERVED {
        out.extend_from_slice(&[0; 6]);
        out.copy_within(start + RESERVED..start + RESERVED + length, start + used);
    }
    out[start..start + used].copy_from_slice(header);
}

/// Appends a ping, pong or close; control payloads beyond 125 bytes cannot be said and are cut.
pub fn write_control(kind: Kind, payload: &[u8], out: &mut Vec<u8>) {
    let payload = &payload[..payload.len().min(125)];
    let (header, used) = header(kind, payload.len());
    out.extend_from_slice(&header[..used]);
    out.extend_from_slice(payload);
}

/// Bytes of the whole frame that begins here, header included. Only for frames written above.
pub fn length(frame: &[u8]) -> usize {
    match frame[1] {
        127 => {
            let stated = frame[2..10].iter().fold(0_u64, |sum, b| sum << 8 | u64::from(*b));
            10 + stated as usize
        }
        126 => 4 + usize::from(u16::from_be_bytes([frame[2], frame[3]])),
        short => 2 + usize::from(short),
    }
}

fn header(kind: Kind, length: usize) -> ([u8; 10], usize) {
    let mut header = [0; 10];
    header[0] = 0x80 | kind as u8;
    let used = match length {
        0..=125 => {
            header[1] = length as u8;
            2
        }
        126..=0xFFFF => {
            header[1] = 126;
            header[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            4
        }
        _ => {
            header[1] = 127;
            header[2..10].copy_from_slice(&(length as u64).to_be_bytes());
            10
        }
    };
    (header, used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_has_its_minimal_header() {
        for (length, used) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10), (200_000, 10)]
        {
            let mut out = b"before".to_vec();
            let payload: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            write_text(&mut out, |out| out.extend_from_slice(&payload));
            assert_eq!(&out[..6], b"before");
            assert_eq!(out.len(), 6 + used + length);
            assert_eq!(out[6], 0x81);
            assert_eq!(super::length(&out[6..]), used + length);
            assert_eq!(&out[6 + used..], payload);
        }
    }
}
