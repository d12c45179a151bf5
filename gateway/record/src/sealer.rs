//! The sealing side: plain bytes become records where they lie.
//!
//! The caller leaves room for the first record's lead, writes its plain bytes behind it, and has
//! them sealed there. Up to 16 KiB nothing is moved; beyond that, what belongs to later records
//! moves up once, to make room between them.

use aws_lc_rs::aead::LessSafeKey;
use rustls::{ConnectionTrafficSecrets, ProtocolVersion};

use crate::protect::{self, Shape, Start};
use crate::{HEAD_BYTES, PLAIN_BYTES_MAX, TAG_BYTES, content};

/// One direction's sealing key.
pub(crate) struct Sealer {
    key: LessSafeKey,
    start: Start,
    /// The next record's number; never used twice under one key.
    sequence: u64,
    shape: Shape,
}

impl Sealer {
    /// None where version or cipher is not known here.
    pub(crate) fn new(
        version: ProtocolVersion,
        sequence: u64,
        secrets: &ConnectionTrafficSecrets,
    ) -> Option<Self> {
        Some(Self {
            key: protect::key(secrets)?,
            start: protect::start(secrets)?,
            sequence,
            shape: Shape::of(version, secrets)?,
        })
    }

    /// Bytes behind a record's content.
    #[cfg(fuzzing)]
    pub(crate) const fn tail_bytes(&self) -> usize {
        self.shape.tail_bytes()
    }

    /// How many records were sealed under this key.
    pub(crate) const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Makes room for a record's lead and says where it begins.
    pub(crate) fn begin(&self, out: &mut Vec<u8>) -> usize {
        let begin = out.len();
        out.resize(begin + self.shape.lead_bytes(), 0);
        begin
    }

    /// Seals everything behind the lead at `begin`; takes the lead back where that is nothing.
    /// Returns how many records it became.
    pub(crate) fn seal(&mut self, content: u8, out: &mut Vec<u8>, begin: usize) -> usize {
        let (lead, tail) = (self.shape.lead_bytes(), self.shape.tail_bytes());
        let plain = out.len() - begin - lead;
        let records = plain.div_ceil(PLAIN_BYTES_MAX);
        if records == 0 {
            out.truncate(begin);
            return 0;
        }
        out.resize(begin + plain + records * (lead + tail), 0);
        let stride = PLAIN_BYTES_MAX + lead + tail;
        // The last first: each moves up to where nobody's plain bytes lie any more.
        for record in (0..records).rev() {
            let from = begin + lead + record * PLAIN_BYTES_MAX;
            let bytes = PLAIN_BYTES_MAX.min(plain - record * PLAIN_BYTES_MAX);
            if record > 0 {
                out.copy_within(from..from + bytes, begin + lead + record * stride);
            }
        }
        for record in out[begin..].chunks_mut(stride) {
            self.seal_one(content, record);
        }
        records
    }

    /// Seals `record`, whose content stands between lead and tail.
    pub(crate) fn seal_one(&mut self, content: u8, record: &mut [u8]) {
        let (nonce, explicit) = self.start.nonce(self.sequence);
        let plain_bytes = record.len() - self.shape.lead_bytes() - self.shape.tail_bytes();
        let (lead, body) = record.split_at_mut(self.shape.lead_bytes());
        let (body, tag_place) = body.split_at_mut(body.len() - TAG_BYTES);
        let length = lead.len() - HEAD_BYTES + body.len() + TAG_BYTES;
        let outer = if self.shape == Shape::Tls13 {
            body[plain_bytes] = content;
            content::DATA
        } else {
            content
        };
        let head = protect::head(outer, length);
        lead[..HEAD_BYTES].copy_from_slice(&head);
        if self.shape == Shape::Tls12Explicit {
            lead[HEAD_BYTES..].copy_from_slice(&explicit);
        }
        let additional = self.shape.additional(self.sequence, head, plain_bytes);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, additional.aad(), body)
            .expect("a record is shorter than the ciphers' limits");
        tag_place.copy_from_slice(tag.as_ref());
        self.sequence += 1;
    }
}
