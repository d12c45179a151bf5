//! The guard on a dashboard's bytes: RFC 6455 read strictly, from the server's side, without I/O.
//!
//! It belongs to one session and is fed whatever the socket gave. A message that arrives whole is
//! handed on where it lies; only what arrives in pieces is copied, so that an idle session holds no
//! buffer.
//! **Invariant:** a size is checked against its limit before a byte is kept.
//! It answers nothing itself: pongs and closes are for its caller to send.

use std::ops::Range;

use thiserror::Error;

use crate::close::{self, CloseCode};

/// Longest frame head: two bytes, eight of length, four of mask.
const HEAD_BYTES_MAX: usize = 14;
/// Most bytes of a control frame's payload.
const CONTROL_BYTES_MAX: u64 = 125;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// What one session may send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one message, all its fragments together.
    pub message_bytes_max: u32,
    /// Fragments of one message, empty ones included.
    pub fragments_max: u32,
    /// Binary messages are taken: where nothing is to be understood. Elsewhere they are refused.
    pub is_binary_taken: bool,
}

/// What a dashboard did.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole message.
    Text(&'a str),
    /// A whole message that is no text; only where the limits allow any.
    Binary(&'a [u8]),
    /// To be answered by a pong with the same payload.
    Ping(&'a [u8]),
    /// It is alive.
    Pong,
    /// It ends the session, with this code if it gave one; nothing comes after it.
    Close(Option<u16>),
}

/// A rule was broken: the session is to be closed so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{reason} ({})", code.code())]
pub struct Violation {
    /// The code of the close frame.
    pub code: CloseCode,
    /// Its reason.
    pub reason: &'static str,
}

const fn protocol(reason: &'static str) -> Violation {
    Violation { code: CloseCode::ProtocolError, reason }
}

const INVALID_TEXT: Violation =
    Violation { code: CloseCode::InvalidText, reason: "text is not UTF-8" };

/// Bytes as they were read, and how far the guard has come with them. Payloads are unmasked in
/// place.
#[derive(Debug)]
pub struct Input<'b> {
    bytes: &'b mut [u8],
    read: usize,
}

impl<'b> Input<'b> {
    /// All of `bytes`, unread.
    pub const fn new(bytes: &'b mut [u8]) -> Self {
        Self { bytes, read: 0 }
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.read
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Head,
    Payload,
    Ended,
}

/// Where a frame's payload lies once it is complete.
enum Place {
    Input(Range<usize>),
    Pending(Range<usize>),
}

/// One session's reading state.
#[derive(Debug)]
pub struct Inbound {
    /// The unfinished message, unmasked, then the unfinished control frame that interrupts it.
    pending: Vec<u8>,
    /// How many bytes of `pending` are the message's.
    message_bytes: u32,
    /// How many of those are known to be UTF-8.
    checked_bytes: u32,
    /// Frames of the unfinished message so far.
    fragments: u32,
    /// Bytes of the current frame's payload still to come.
    payload_left: u32,
    limits: Limits,
    mask: [u8; 4],
    head: [u8; HEAD_BYTES_MAX],
    head_bytes: u8,
    reading: Reading,
    /// A first frame without FIN was seen and its last is still to come.
    message_open: bool,
    /// That message is no text.
    is_binary: bool,
    /// The message in `pending` has been handed on; its memory goes back at the next call.
    delivered: bool,
}

impl Inbound {
    /// A session that has said nothing yet.
    pub const fn new(limits: Limits) -> Self {
        Self {
            pending: Vec::new(),
            message_bytes: 0,
            checked_bytes: 0,
            fragments: 0,
            payload_left: 0,
            limits,
            mask: [0; 4],
            head: [0; HEAD_BYTES_MAX],
            head_bytes: 0,
            reading: Reading::Head,
            message_open: false,
            is_binary: false,
            delivered: false,
        }
    }

    /// The next thing the dashboard did, or `None` when all of `input` is read. Call it until then:
    /// what is left in `input` otherwise is lost. After a close or a violation everything is
    /// ignored.
    pub fn next<'e>(
        &'e mut self,
        input: &'e mut Input<'_>,
    ) -> Result<Option<Event<'e>>, Violation> {
        self.forget_delivered();
        match self.advance(input) {
            Ok(None) => Ok(None),
            Ok(Some(place)) => self.event(place, input).map(Some),
            Err(violation) => {
                self.end();
                Err(violation)
            }
        }
    }

    /// Memory held for an unfinished message; zero when nothing is unfinished.
    pub fn held_bytes(&self) -> usize {
        self.pending.capacity()
    }

    fn forget_delivered(&mut self) {
        if !self.delivered {
            return;
        }
        self.delivered = false;
        if self.message_open {
            self.pending.truncate(self.message_bytes as usize);
        } else {
            self.pending = Vec::new();
        }
    }

    fn end(&mut self) {
        self.reading = Reading::Ended;
        self.pending = Vec::new();
    }

    /// Reads on until a frame that makes an event is complete, or until nothing is left.
    fn advance(&mut self, input: &mut Input<'_>) -> Result<Option<Place>, Violation> {
        loop {
            match self.reading {
                Reading::Ended => {
                    input.read = input.bytes.len();
                    return Ok(None);
                }
                Reading::Head => {
                    if !self.read_head(input)? {
                        return Ok(None);
                    }
                    self.reading = Reading::Payload;
                }
                Reading::Payload => {
                    let Some(place) = self.read_payload(input)? else { return Ok(None) };
                    self.reading = Reading::Head;
                    self.head_bytes = 0;
                    if self.is_control() || !self.message_open {
                        return Ok(Some(place));
                    }
                }
            }
        }
    }

    fn fin(&self) -> bool {
        self.head[0] & 0x80 != 0
    }

    fn opcode(&self) -> u8 {
        self.head[0] & 0x0f
    }

    fn is_control(&self) -> bool {
        self.opcode() & 0x8 != 0
    }

    /// True when the head is complete and within the rules.
    fn read_head(&mut self, input: &mut Input<'_>) -> Result<bool, Violation> {
        loop {
            let have = usize::from(self.head_bytes);
            let want = match (have, self.head[1] & 0x7f) {
                (0 | 1, _) => 2,
                (_, 127) => 14,
                (_, 126) => 8,
                _ => 6,
            };
            if have == want {
                break;
            }
            let count = (want - have).min(input.left());
            if count == 0 {
                return Ok(false);
            }
            let from = &input.bytes[input.read..input.read + count];
            self.head[have..have + count].copy_from_slice(from);
            input.read += count;
            self.head_bytes += count as u8;
            if self.head_bytes == 2 {
                self.check_first_two()?;
            }
        }
        self.accept_head()?;
        Ok(true)
    }

    fn check_first_two(&mut self) -> Result<(), Violation> {
        let [first, second, ..] = self.head;
        if first & 0x70 != 0 {
            return Err(protocol("reserved bits set"));
        }
        if second & 0x80 == 0 {
            return Err(protocol("frame is not masked"));
        }
        match self.opcode() {
            CLOSE | PING | PONG if !self.fin() => Err(protocol("control frame is fragmented")),
            CLOSE | PING | PONG if u64::from(second & 0x7f) > CONTROL_BYTES_MAX => {
                Err(protocol("control frame above 125 bytes"))
            }
            CONTINUATION if !self.message_open => Err(protocol("continuation of nothing")),
            TEXT | BINARY if self.message_open => Err(protocol("message inside a message")),
            BINARY if !self.limits.is_binary_taken => Err(Violation {
                code: CloseCode::UnsupportedData,
                reason: "binary message where text is spoken",
            }),
            CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG => Ok(()),
            _ => Err(protocol("reserved opcode")),
        }
    }

    fn accept_head(&mut self) -> Result<(), Violation> {
        let (length, mask_at) = match self.head[1] & 0x7f {
            126 => (self.extended_length(2, 125)?, 4),
            127 => (self.extended_length(8, u64::from(u16::MAX))?, 10),
            short => (u64::from(short), 2),
        };
        if !self.is_control() {
            self.open_fragment(length)?;
        }
        self.mask.copy_from_slice(&self.head[mask_at..mask_at + 4]);
        // A control frame has at most 125 bytes, a message at most its 32-bit limit.
        self.payload_left = length as u32;
        Ok(())
    }

    fn extended_length(&self, bytes: usize, shorter_max: u64) -> Result<u64, Violation> {
        let length = self.head[2..2 + bytes].iter().fold(0, |sum, b| sum << 8 | u64::from(*b));
        if length <= shorter_max {
            return Err(protocol("length is not minimal"));
        }
        if length >> 63 != 0 {
            return Err(protocol("length above 63 bits"));
        }
        Ok(length)
    }

    fn open_fragment(&mut self, length: u64) -> Result<(), Violation> {
        if u64::from(self.message_bytes) + length > u64::from(self.limits.message_bytes_max) {
            return Err(Violation { code: CloseCode::MessageTooBig, reason: "message too big" });
        }
        self.fragments += 1;
        if self.fragments > self.limits.fragments_max {
            return Err(Violation {
                code: CloseCode::PolicyViolation,
                reason: "too many fragments in a message",
            });
        }
        if self.opcode() != CONTINUATION {
            self.is_binary = self.opcode() == BINARY;
        }
        self.message_open = true;
        Ok(())
    }

    /// Where the frame's payload lies when it is complete. A control frame's place is its own
    /// payload, a last fragment's is the whole message.
    fn read_payload(&mut self, input: &mut Input<'_>) -> Result<Option<Place>, Violation> {
        let count = (self.payload_left as usize).min(input.left());
        let range = input.read..input.read + count;
        fastwebsockets::unmask(&mut input.bytes[range.clone()], self.mask);
        input.read = range.end;
        self.payload_left -= count as u32;
        let complete = self.payload_left == 0;
        // What comes of this frame later continues the mask where this piece ended.
        self.mask.rotate_left(count % 4);

        let control = self.is_control();
        let kept_before = if control {
            self.pending.len() > self.message_bytes as usize
        } else {
            self.message_bytes > 0
        };
        let whole = complete && !kept_before && (control || self.fin());
        if !whole {
            self.pending.extend_from_slice(&input.bytes[range.clone()]);
        }
        if control {
            self.delivered = complete && !whole;
            let kept = self.message_bytes as usize..self.pending.len();
            let place = if whole { Place::Input(range) } else { Place::Pending(kept) };
            return Ok(complete.then_some(place));
        }
        if !whole {
            self.message_bytes += count as u32;
            self.check_text(complete && self.fin())?;
        }
        if !complete {
            return Ok(None);
        }
        let place = if whole {
            Place::Input(range)
        } else {
            Place::Pending(0..self.message_bytes as usize)
        };
        if self.fin() {
            self.close_message(whole);
        }
        Ok(Some(place))
    }

    /// A text that cannot become UTF-8 any more is refused with its first bad byte, not with its
    /// last.
    fn check_text(&mut self, last: bool) -> Result<(), Violation> {
        if self.is_binary {
            return Ok(());
        }
        let unchecked = &self.pending[self.checked_bytes as usize..];
        match std::str::from_utf8(unchecked) {
            Ok(text) => self.checked_bytes += text.len() as u32,
            Err(error) if error.error_len().is_some() || last => return Err(INVALID_TEXT),
            Err(error) => self.checked_bytes += error.valid_up_to() as u32,
        }
        Ok(())
    }

    fn close_message(&mut self, whole: bool) {
        self.message_open = false;
        self.message_bytes = 0;
        self.checked_bytes = 0;
        self.fragments = 0;
        self.delivered = !whole;
        if whole {
            // Empty, but a ping that came in pieces between fragments may have left it room.
            self.pending = Vec::new();
        }
    }

    fn event<'e>(&'e mut self, place: Place, input: &'e Input<'_>) -> Result<Event<'e>, Violation> {
        let opcode = self.opcode();
        if opcode == CLOSE {
            let payload = match place {
                Place::Input(range) => &input.bytes[range],
                Place::Pending(range) => &self.pending[range],
            };
            let code = close_code(payload);
            self.end();
            return code.map(Event::Close);
        }
        let payload = match place {
            Place::Input(range) => &input.bytes[range],
            Place::Pending(range) => &self.pending[range],
        };
        match opcode {
            PING => Ok(Event::Ping(payload)),
            PONG => Ok(Event::Pong),
            _ if self.is_binary => Ok(Event::Binary(payload)),
            // Pieces were checked as they came; looking once more is the price of no unsafe code.
            _ => {
                let Ok(text) = std::str::from_utf8(payload) else {
                    self.reading = Reading::Ended;
                    return Err(INVALID_TEXT);
                };
                Ok(Event::Text(text))
            }
        }
    }
}

fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    match payload {
        [] => Ok(None),
        [_] => Err(protocol("close payload of one byte")),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !close::may_be_received(code) {
                return Err(protocol("illegal close code"));
            }
            if std::str::from_utf8(reason).is_err() {
                let reason = "close reason is not UTF-8";
                return Err(Violation { code: CloseCode::InvalidText, reason });
            }
            Ok(Some(code))
        }
    }
}

#[cfg(test)]
mod tests;
