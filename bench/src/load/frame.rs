//! WebSocket frames as a client reads and writes them (RFC 6455 section 5): headers in, masked
//! frames out. Strict on purpose: a gateway that bends the protocol is to be found out.

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// The next piece of a fragmented message.
    Continuation,
    /// Text: all of protocol v2.
    Text,
    /// Binary.
    Binary,
    /// The end, with a code and a reason.
    Close,
    /// To be answered by a pong with the same payload.
    Ping,
    /// An answer to a ping.
    Pong,
}

impl Op {
    /// Close, ping and pong: short, never fragmented, allowed between fragments.
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    fn code(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }
}

/// A frame's first bytes, understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whether the message ends with this frame.
    pub last: bool,
    /// What it carries.
    pub op: Op,
    /// Bytes of the header itself.
    pub header_bytes: usize,
    /// Bytes of payload behind it.
    pub payload_bytes: usize,
}

/// How a gateway broke the WebSocket protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// RSV1-3 without an extension that gives them meaning.
    #[error("frame with reserved bits set")]
    ReservedBits,
    /// An operation the protocol does not know.
    #[error("frame with unknown operation {0}")]
    UnknownOp(u8),
    /// Only clients mask.
    #[error("masked frame from the gateway")]
    Masked,
    /// A length that would have fitted a shorter form.
    #[error("frame length not in its shortest form")]
    LongLength,
    /// Close, ping or pong in pieces, or above 125 bytes.
    #[error("control frame fragmented or above 125 bytes")]
    Control,
    /// A continuation without a beginning, or a new message inside one.
    #[error("fragments out of order")]
    Fragments,
    /// A message above what the load side accepts.
    #[error("message of more than {0} bytes")]
    TooLarge(usize),
    /// A close payload of one byte.
    #[error("close frame with a payload of one byte")]
    Close,
}

/// Reads a header, or says how many bytes it must have before it can be read further.
pub fn header(bytes: &[u8]) -> Result<Result<Header, usize>, FrameError> {
    let [first, second, ..] = *bytes else { return Ok(Err(2)) };
    if first & 0x70 != 0 {
        return Err(FrameError::ReservedBits);
    }
    if second & 0x80 != 0 {
        return Err(FrameError::Masked);
    }
    let op = match first & 0x0f {
        0 => Op::Continuation,
        1 => Op::Text,
        2 => Op::Binary,
        8 => Op::Close,
        9 => Op::Ping,
        10 => Op::Pong,
        other => return Err(FrameError::UnknownOp(other)),
    };
    let last = first & 0x80 != 0;
    let short = usize::from(second & 0x7f);
    if op.is_control() && (!last || short > 125) {
        return Err(FrameError::Control);
    }
    let header_bytes = match short {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    if bytes.len() < header_bytes {
        return Ok(Err(header_bytes));
    }
    let length = bytes[2..header_bytes].iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    let payload_bytes = match short {
        126 if length < 126 => return Err(FrameError::LongLength),
        127 if length <= 0xffff => return Err(FrameError::LongLength),
        126 | 127 => usize::try_from(length).map_err(|_| FrameError::TooLarge(usize::MAX))?,
        short => short,
    };
    Ok(Ok(Header { last, op, header_bytes, payload_bytes }))
}

/// Frames that wait to be sealed, masked as a client's must be.
#[derive(Debug, Default)]
pub struct Requests {
    /// Ready frames, one behind the other.
    pub(crate) bytes: Vec<u8>,
    /// Frames put in since the start.
    pub(crate) count: u64,
    mask: u32,
}

impl Requests {
    /// Asks for the text message `json`.
    pub fn text(&mut self, json: &str) {
        self.push(Op::Text, json.as_bytes());
    }

    /// Appends one whole frame.
    pub fn push(&mut self, op: Op, payload: &[u8]) {
        self.count += 1;
        self.bytes.push(0x80 | op.code());
        match payload.len() {
            length @ 0..126 => self.bytes.push(0x80 | length as u8),
            length @ 126..=0xffff => {
                self.bytes.push(0x80 | 0x7e);
                self.bytes.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                self.bytes.push(0x80 | 0x7f);
                self.bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        // Under TLS the mask protects nothing; it must only be there and must vary.
        self.mask = self.mask.wrapping_mul(0x915f_77f5).wrapping_add(0x5bd1_e995);
        let mask = self.mask.to_be_bytes();
        self.bytes.extend_from_slice(&mask);
        self.bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_masked_and_unmasks_to_itself() {
        for size in [0, 125, 126, 65_535, 65_536] {
            let mut requests = Requests::default();
            let json = "x".repeat(size);
            requests.text(&json);
            let body = requests.bytes.len() - size;
            let mask = requests.bytes[body - 4..body].to_vec();
            assert_eq!(requests.bytes[0], 0x81);
            assert_eq!(requests.bytes[1] & 0x80, 0x80);
            let plain = requests.bytes[body..].iter().zip(mask.iter().cycle()).map(|(b, k)| b ^ k);
            assert_eq!(plain.collect::<Vec<_>>(), json.as_bytes());
        }
    }

    #[test]
    fn each_broken_header_has_its_name() {
        assert_eq!(header(&[0xc1, 0]), Err(FrameError::ReservedBits));
        assert_eq!(header(&[0x81, 0x80]), Err(FrameError::Masked));
        assert_eq!(header(&[0x83, 0]), Err(FrameError::UnknownOp(3)));
        assert_eq!(header(&[0x09, 0]), Err(FrameError::Control));
        assert_eq!(header(&[0x89, 126, 0, 126]), Err(FrameError::Control));
        assert_eq!(header(&[0x81, 126, 0, 125]), Err(FrameError::LongLength));
        assert_eq!(header(&[0x81, 126, 0]), Ok(Err(4)));
    }
}
