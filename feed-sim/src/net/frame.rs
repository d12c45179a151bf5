//! Complete WebSocket server frames in a reused buffer: payload first, header put in front.
//!
//! Owned by whoever serialises. Invariant: what `finish` returns is one whole unmasked frame,
//! equal for every connection, so it is made once and shared. Does not fragment or compress.

/// Longest header a server frame has: two bytes and a 64-bit length.
const HEADER_SIZE_MAX: usize = 10;

const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;

/// Builds one frame at a time; the buffer keeps its capacity.
#[derive(Debug, Default)]
pub(crate) struct FrameBuilder {
    buffer: Vec<u8>,
}

impl FrameBuilder {
    /// Starts a frame and lends the buffer to append the payload to.
    pub(crate) fn begin(&mut self) -> &mut Vec<u8> {
        self.buffer.clear();
        self.buffer.resize(HEADER_SIZE_MAX, 0);
        &mut self.buffer
    }

    /// The finished text frame.
    pub(crate) fn finish(&mut self) -> &[u8] {
        self.finish_as(TEXT)
    }

    /// A whole text frame around `payload`.
    pub(crate) fn text(&mut self, payload: &[u8]) -> &[u8] {
        self.begin().extend_from_slice(payload);
        self.finish()
    }

    /// A close frame.
    pub(crate) fn close(&mut self, code: u16, reason: &str) -> &[u8] {
        let buffer = self.begin();
        buffer.extend_from_slice(&code.to_be_bytes());
        buffer.extend_from_slice(reason.as_bytes());
        self.finish_as(CLOSE)
    }

    /// A ping frame; `payload` stays below the 125 bytes a control frame may hold.
    pub(crate) fn ping(&mut self, payload: &[u8]) -> &[u8] {
        self.begin().extend_from_slice(payload);
        self.finish_as(PING)
    }

    fn finish_as(&mut self, opcode: u8) -> &[u8] {
        let size = self.buffer.len() - HEADER_SIZE_MAX;
        let mut header = [0u8; HEADER_SIZE_MAX];
        header[0] = 0x80 | opcode;
        let header_size = match size {
            0..=125 => {
                header[1] = size as u8;
                2
            }
            126..=0xFFFF => {
                header[1] = 126;
                header[2..4].copy_from_slice(&(size as u16).to_be_bytes());
                4
            }
            _ => {
                header[1] = 127;
                header[2..10].copy_from_slice(&(size as u64).to_be_bytes());
                10
            }
        };
        let start = HEADER_SIZE_MAX - header_size;
        self.buffer[start..HEADER_SIZE_MAX].copy_from_slice(&header[..header_size]);
        &self.buffer[start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_length_class_has_its_own_header() {
        let mut frames = FrameBuilder::default();
        assert_eq!(frames.text(b"hi"), b"\x81\x02hi");
        let middle = vec![b'x'; 126];
        assert_eq!(frames.text(&middle)[..4], [0x81, 126, 0, 126]);
        let long = vec![b'x'; 65_536];
        let frame = frames.text(&long);
        assert_eq!(frame[..10], [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(frame.len(), 65_546);
    }

    #[test]
    fn a_close_frame_holds_its_code_and_reason() {
        assert_eq!(FrameBuilder::default().close(1001, "bye"), b"\x88\x05\x03\xe9bye");
    }
}
