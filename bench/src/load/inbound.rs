//! What one session hears: plaintext bytes of any cut in, whole messages and control frames out.
//!
//! A frame that lies whole in what was read is handed on where it lies; only one that is cut by a
//! record's end, or a message in fragments, is copied together.

use super::frame::{FrameError, Header, Op, header};

/// The largest buffer a session keeps between messages, so that many sessions stay small.
const KEPT_BYTES_MAX: usize = 16 * 1024;

/// Something a session heard.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// A whole text message.
    Text(&'a [u8]),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// To be answered by a pong with this payload.
    Ping(&'a [u8]),
    /// An answer to a ping.
    Pong,
    /// The gateway's goodbye: its code (1005 when it gave none) and reason.
    Close(u16, &'a [u8]),
}

/// The receiving half of one WebSocket.
#[derive(Debug)]
pub struct Inbound {
    /// A frame whose end has not come yet.
    cut: Vec<u8>,
    /// The fragments so far of a message.
    message: Vec<u8>,
    /// What the fragmented message is, while there is one.
    open: Option<Op>,
    message_bytes_max: usize,
}

impl Inbound {
    /// A socket on which nothing has been heard; longer messages break the session.
    pub fn new(message_bytes_max: usize) -> Self {
        Self { cut: Vec::new(), message: Vec::new(), open: None, message_bytes_max }
    }

    /// Takes `bytes` and hands on all that became whole with them.
    pub fn take(
        &mut self,
        mut bytes: &[u8],
        mut heard: impl FnMut(Heard<'_>),
    ) -> Result<(), FrameError> {
        while !bytes.is_empty() {
            if self.cut.is_empty() {
                let Ok(head) = self.whole(bytes)? else {
                    self.cut.extend_from_slice(bytes);
                    return Ok(());
                };
                let (frame, rest) = bytes.split_at(head.header_bytes + head.payload_bytes);
                self.frame(head, &frame[head.header_bytes..], &mut heard)?;
                bytes = rest;
                continue;
            }
            let Err(wanted) = self.whole(&self.cut)? else {
                unreachable!("a whole frame never stays in the cut buffer")
            };
            let (more, rest) = bytes.split_at(bytes.len().min(wanted - self.cut.len()));
            self.cut.extend_from_slice(more);
            bytes = rest;
            if let Ok(head) = self.whole(&self.cut)? {
                let cut = std::mem::take(&mut self.cut);
                self.frame(head, &cut[head.header_bytes..], &mut heard)?;
                self.cut = emptied(cut);
            }
        }
        Ok(())
    }

    /// The header if the frame is all there, otherwise how many bytes are needed to know more.
    fn whole(&self, bytes: &[u8]) -> Result<Result<Header, usize>, FrameError> {
        let head = match header(bytes)? {
            Ok(head) => head,
            Err(wanted) => return Ok(Err(wanted)),
        };
        if head.payload_bytes > self.message_bytes_max {
            return Err(FrameError::TooLarge(self.message_bytes_max));
        }
        let wanted = head.header_bytes + head.payload_bytes;
        Ok(if bytes.len() < wanted { Err(wanted) } else { Ok(head) })
    }

    fn frame(
        &mut self,
        head: Header,
        payload: &[u8],
        heard: &mut impl FnMut(Heard<'_>),
    ) -> Result<(), FrameError> {
        match (head.op, self.open) {
            (Op::Ping, _) => heard(Heard::Ping(payload)),
            (Op::Pong, _) => heard(Heard::Pong),
            (Op::Close, _) => heard(match payload {
                [] => Heard::Close(1005, payload),
                [_] => return Err(FrameError::Close),
                [high, low, reason @ ..] => Heard::Close(u16::from_be_bytes([*high, *low]), reason),
            }),
            (Op::Continuation, Some(op)) => {
                if self.message.len() + payload.len() > self.message_bytes_max {
                    return Err(FrameError::TooLarge(self.message_bytes_max));
                }
                self.message.extend_from_slice(payload);
                if head.last {
                    self.open = None;
                    let message = std::mem::take(&mut self.message);
                    heard(whole_message(op, &message));
                    self.message = emptied(message);
                }
            }
            (Op::Continuation, None) | (Op::Text | Op::Binary, Some(_)) => {
                return Err(FrameError::Fragments);
            }
            (op, None) if head.last => heard(whole_message(op, payload)),
            (op, None) => {
                self.open = Some(op);
                self.message.extend_from_slice(payload);
            }
        }
        Ok(())
    }
}

/// A used buffer, kept for the next message unless it grew large.
fn emptied(mut buffer: Vec<u8>) -> Vec<u8> {
    buffer.clear();
    if buffer.capacity() <= KEPT_BYTES_MAX { buffer } else { Vec::new() }
}

fn whole_message(op: Op, payload: &[u8]) -> Heard<'_> {
    if op == Op::Binary { Heard::Binary(payload) } else { Heard::Text(payload) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            length @ 0..126 => bytes.push(length as u8),
            length @ 126..=0xffff => {
                bytes.push(126);
                bytes.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                bytes.push(127);
                bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(payload);
        bytes
    }

    fn hear(bytes: &[u8], step: usize) -> Vec<String> {
        let mut inbound = Inbound::new(8 << 20);
        let mut all = Vec::new();
        for piece in bytes.chunks(step) {
            inbound
                .take(piece, |heard| {
                    all.push(match heard {
                        Heard::Text(text) if text.len() > 100 => format!("long {}", text.len()),
                        Heard::Text(text) => format!("text {}", String::from_utf8_lossy(text)),
                        other => format!("{other:?}"),
                    });
                })
                .unwrap();
        }
        assert!(inbound.cut.is_empty() && inbound.message.is_empty());
        all
    }

    #[test]
    fn any_cut_of_the_bytes_gives_the_same_messages() {
        let bytes = [
            frame(0x81, b"one"),
            frame(0x01, b"tw"),
            frame(0x89, b"?"),
            frame(0x80, b"o"),
            frame(0x81, &[b'x'; 300]),
            frame(0x88, &[0x03, 0xf4, b'b']),
        ]
        .concat();
        let whole = hear(&bytes, bytes.len());
        assert_eq!(whole[0..3], ["text one", "Ping([63])", "text two"]);
        assert_eq!(whole[3..], ["long 300", "Close(1012, [98])"]);
        for step in 1..40 {
            assert_eq!(hear(&bytes, step), whole, "cut each {step} bytes");
        }
    }

    #[test]
    fn a_message_of_several_mebibytes_comes_whole() {
        assert_eq!(hear(&frame(0x81, &vec![b'x'; 5 << 20]), 16_384), ["long 5242880"]);
    }

    #[test]
    fn a_message_above_the_limit_and_fragments_out_of_order_break_the_session() {
        let take = |bytes: &[u8]| Inbound::new(10).take(bytes, |_| {});
        assert_eq!(take(&frame(0x81, &[0; 11])), Err(FrameError::TooLarge(10)));
        let pieces = [frame(0x01, &[0; 6]), frame(0x80, &[0; 6])].concat();
        assert_eq!(take(&pieces), Err(FrameError::TooLarge(10)));
        assert_eq!(take(&frame(0x80, b"")), Err(FrameError::Fragments));
        assert_eq!(take(&[frame(1, b"a"), frame(1, b"b")].concat()), Err(FrameError::Fragments));
        assert_eq!(take(&frame(0x88, b"a")), Err(FrameError::Close));
    }
}
