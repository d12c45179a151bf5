//! A dashboard's bytes behind the upgrade: our guard and tungstenite, a reader nobody here wrote,
//! must tell the same messages and give the same verdict.
//!
//! They differ by design in four things, each checked from the bytes. We refuse binary messages
//! (1003), lengths that are not minimal (1002) and too many fragments (1008); we take the close
//! code 1014, which IANA has registered since. Which of two broken rules a refusal names may
//! differ; that it is a refusal may not. However the bytes are cut, our guard says the same, and
//! never holds more than its limits allow.
#![no_main]

use std::io::{self, Cursor, Read, Write};

use libfuzzer_sys::fuzz_target;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tungstenite::{Error, Message};
use wire::inbound::{Event, Inbound, Input, Limits, Violation};

const LIMITS: Limits = Limits { message_bytes_max: 600, fragments_max: 16, is_binary_taken: false };
/// The unfinished message, an unfinished control frame in it, and a vector's room to grow.
const HELD_BYTES_MAX: usize = 2 * (LIMITS.message_bytes_max as usize + 125);

/// A close code that tungstenite takes for reserved.
const BAD_GATEWAY: u16 = 1014;

#[derive(Debug, PartialEq, Eq)]
enum Said {
    Text(String),
    Ping(Vec<u8>),
    Pong,
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Open,
    Closed(Option<u16>),
    Refused(Violation),
}

#[derive(Debug, PartialEq, Eq)]
struct Told {
    said: Vec<Said>,
    end: End,
}

fuzz_target!(|data: &[u8]| {
    let Some((cut, bytes)) = data.split_first() else { return };
    let (ours, read) = read_in_pieces(bytes, 1);
    for size in [usize::from(*cut).max(2), bytes.len().max(1)] {
        assert_eq!(read_in_pieces(bytes, size).0, ours, "in pieces of {size}");
    }
    match ours.end {
        End::Refused(violation) => check_refusal(bytes, read, &ours.said, violation),
        End::Closed(Some(BAD_GATEWAY)) => assert_eq!(theirs(bytes), None),
        _ => assert_eq!(theirs(bytes), Some(ours)),
    }
});

/// What our guard tells, and how many bytes it had been given when it told the end.
fn read_in_pieces(bytes: &[u8], size: usize) -> (Told, usize) {
    let mut guard = Inbound::new(LIMITS);
    let mut said = Vec::new();
    let mut read = 0;
    for piece in bytes.chunks(size) {
        read += piece.len();
        let mut piece = piece.to_vec();
        let mut input = Input::new(&mut piece);
        loop {
            let end = match guard.next(&mut input) {
                Ok(None) => break,
                Ok(Some(Event::Text(text))) => {
                    said.push(Said::Text(text.to_owned()));
                    continue;
                }
                Ok(Some(Event::Binary(_))) => unreachable!("binary is not taken"),
                Ok(Some(Event::Ping(payload))) => {
                    said.push(Said::Ping(payload.to_vec()));
                    continue;
                }
                Ok(Some(Event::Pong)) => {
                    said.push(Said::Pong);
                    continue;
                }
                Ok(Some(Event::Close(code))) => End::Closed(code),
                Err(violation) => End::Refused(violation),
            };
            assert_eq!(guard.held_bytes(), 0, "held after the end");
            return (Told { said, end }, read);
        }
        assert!(guard.held_bytes() <= HELD_BYTES_MAX, "{} bytes held", guard.held_bytes());
    }
    (Told { said, end: End::Open }, read)
}

/// The frame whose byte was refused, completed by zeros, is refused by tungstenite too, or the
/// difference is one of those by design.
fn check_refusal(bytes: &[u8], read: usize, said: &[Said], violation: Violation) {
    let (start, head, size) = frame_of(bytes, read);
    let opcode = OpCode::from(head[0] & 0x0f);
    let by_design = match violation.code.code() {
        1003 => opcode == OpCode::Data(Data::Binary),
        1008 => opcode == OpCode::Data(Data::Continue) || opcode == OpCode::Data(Data::Text),
        1002 => !is_minimal(&head),
        _ => false,
    };
    let mut whole = bytes[..start].to_vec();
    let stated = (head.len() as u64).saturating_add(size);
    let length = stated.min(head.len() as u64 + u64::from(LIMITS.message_bytes_max) + 1) as usize;
    let rest = &bytes[start..];
    whole.extend(rest.iter().copied().chain(std::iter::repeat(0)).take(length));
    let theirs = theirs(&whole);
    match theirs {
        Some(theirs) if by_design => assert_eq!(theirs.said[..said.len()], *said),
        Some(theirs) => panic!("we refuse, they do not: {violation:?} {theirs:?}"),
        None => {}
    }
}

/// Where the frame begins that holds the last of `read` bytes, its head, and its stated size.
fn frame_of(bytes: &[u8], read: usize) -> (usize, Vec<u8>, u64) {
    let mut start = 0;
    loop {
        let rest: Vec<u8> = bytes[start..].iter().copied().chain([0; 14]).collect();
        let (size, extended) = match rest[1] & 0x7f {
            126 => (u64::from(u16::from_be_bytes([rest[2], rest[3]])), 2),
            127 => (u64::from_be_bytes(rest[2..10].try_into().expect("eight bytes")), 8),
            short => (u64::from(short), 0),
        };
        let head = 2 + extended + if rest[1] & 0x80 == 0 { 0 } else { 4 };
        let end = (start as u64 + head as u64).saturating_add(size);
        if end >= read as u64 {
            return (start, rest[..head].to_vec(), size);
        }
        start = end as usize;
    }
}

fn is_minimal(head: &[u8]) -> bool {
    match head[1] & 0x7f {
        126 => u16::from_be_bytes([head[2], head[3]]) > 125,
        127 => head[2..8].iter().any(|byte| *byte != 0),
        _ => true,
    }
}

/// What tungstenite tells; none where it refuses.
fn theirs(bytes: &[u8]) -> Option<Told> {
    let size_max = Some(LIMITS.message_bytes_max as usize);
    let config = WebSocketConfig::default().max_message_size(size_max).max_frame_size(size_max);
    let mut socket =
        WebSocket::from_raw_socket(Wire(Cursor::new(bytes)), Role::Server, Some(config));
    let mut said = Vec::new();
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => said.push(Said::Text(text.to_string())),
            // Where the guard goes on instead of refusing, the texts differ and the fuzzer sees it.
            Ok(Message::Binary(_)) => said.push(Said::Text("binary".to_owned())),
            Ok(Message::Ping(payload)) => said.push(Said::Ping(payload.to_vec())),
            Ok(Message::Pong(_)) => said.push(Said::Pong),
            Ok(Message::Close(close)) => {
                // So it says that the code was illegal.
                let illegal = close.as_ref().is_some_and(|close| {
                    close.code == CloseCode::Protocol && close.reason == "Protocol violation"
                });
                let code = close.map(|close| u16::from(close.code));
                return (!illegal).then_some(Told { said, end: End::Closed(code) });
            }
            Ok(Message::Frame(frame)) => panic!("a bare frame: {frame:?}"),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return Some(Told { said, end: End::Open });
            }
            Err(Error::Protocol(_) | Error::Utf8(_) | Error::Capacity(_)) => return None,
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Bytes that came so far; more may come. What is written goes nowhere.
struct Wire<'a>(Cursor<&'a [u8]>);

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
