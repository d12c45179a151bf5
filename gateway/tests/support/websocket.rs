//! WebSocket by the byte, as a dashboard of the tests' own writes and reads it.
#![allow(dead_code, reason = "each test program uses its share")]

use std::io::Read;
use std::ops::Range;

/// Changes nothing, so that what is sent can be read.
pub(crate) const NO_MASK: [u8; 4] = [0; 4];
/// The bit of the second byte that says that a mask follows.
const MASKED: u8 = 0x80;

macro_rules! headers {
    () => {
        "Host: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    };
}

/// The headers of a request that opens a session.
pub(crate) const HEADERS: &str = headers!();

/// The request that opens a session.
pub(crate) const UPGRADE: &str = concat!("GET /v2 HTTP/1.1\r\n", headers!(), "\r\n");

/// The head of an HTTP answer, and no byte of what stands behind it.
pub(crate) fn read_head(stream: &mut impl Read) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("an answer");
        head.push(byte[0]);
    }
    head
}

/// A frame as a dashboard sends it, its length in the shortest form.
pub(crate) fn masked(mask: [u8; 4], first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(MASKED | length as u8),
        length @ 126..0x1_0000 => {
            frame.push(MASKED | 0x7e);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(MASKED | 0x7f);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The first byte of a frame of the gateway and where its payload stands, once it is there whole.
pub(crate) fn next_frame(bytes: &[u8]) -> Option<(u8, Range<usize>)> {
    let (&[first, length], _) = bytes.split_first_chunk()?;
    let (begin, length) = match length {
        126 => (4, usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?))),
        127 => (10, u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?) as usize),
        length => (2, usize::from(length)),
    };
    (bytes.len() >= begin + length).then_some((first, begin..begin + length))
}
