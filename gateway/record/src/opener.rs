//! The opening side: records become plain bytes where they were read.
//!
//! A record that came whole is opened in the caller's buffer; only one that came in pieces is
//! gathered, up to its declared length but never ahead of the bytes that came, and let go as soon
//! as it was used. The key lies folded up; it is made ready for use once for each buffer that holds
//! a record, because a dashboard says little and a ready key takes ten times the memory.

use std::ops::Range;

use aws_lc_rs::aead::LessSafeKey;
use rustls::{AlertDescription, ConnectionTrafficSecrets, ProtocolVersion};

use crate::protect::{self, Shape, Start};
use crate::violation::Violation;
use crate::{HEAD_BYTES, PLAIN_BYTES_MAX, SEALED_BYTES_MAX, TAG_BYTES, content, key_update};

/// Empty records in a row that are borne.
const EMPTY_MAX: u8 = 32;
/// Key updates without data between them that are borne.
const UPDATES_MAX: u8 = 32;
/// Warnings of one connection that are borne.
const WARNINGS_MAX: u8 = 4;
/// Alert level of TLS 1.2.
const WARNING: u8 = 1;
const CLIENT_HELLO: u8 = 1;

/// Bytes as they were read, and how far they were opened. They are opened in place.
#[derive(Debug)]
pub struct Input<'b> {
    bytes: &'b mut [u8],
    read: usize,
    /// The key, ready for use.
    key: Option<LessSafeKey>,
}

impl<'b> Input<'b> {
    /// All of `bytes`, unread.
    pub const fn new(bytes: &'b mut [u8]) -> Self {
        Self { bytes, read: 0, key: None }
    }

    fn left(&self) -> &[u8] {
        &self.bytes[self.read..]
    }

    pub(crate) fn data(&mut self, place: Range<usize>) -> &mut [u8] {
        &mut self.bytes[place]
    }
}

/// Where a record's content lies.
pub(crate) enum Place {
    Input(Range<usize>),
    Held(Range<usize>),
}

/// What was found.
pub(crate) enum Found {
    Data(Place),
    /// The peer's next record is sealed with its next key; it may want us to do the same.
    KeyUpdate {
        is_answer_due: bool,
    },
    Closed,
}

/// One direction's opening key and reading state.
pub(crate) struct Opener {
    secrets: ConnectionTrafficSecrets,
    start: Start,
    /// The next record's number.
    sequence: u64,
    /// The begun rest of a record.
    held: Vec<u8>,
    /// A handshake message in pieces.
    message: [u8; 5],
    message_bytes: u8,
    /// Empty data records since the last with content.
    empty: u8,
    /// Key updates since the last data.
    updates: u8,
    warnings: u8,
    shape: Shape,
    /// `held` was handed on; its memory goes back at the next call.
    is_delivered: bool,
    /// Nothing is read any more: the peer said good-bye, or broke a rule.
    is_closed: bool,
}

impl Opener {
    /// None where version or cipher is not known here.
    pub(crate) fn new(
        version: ProtocolVersion,
        sequence: u64,
        secrets: ConnectionTrafficSecrets,
    ) -> Option<Self> {
        Some(Self {
            start: protect::start(&secrets)?,
            shape: Shape::of(version, &secrets)?,
            secrets,
            sequence,
            held: Vec::new(),
            message: [0; 5],
            message_bytes: 0,
            empty: 0,
            updates: 0,
            warnings: 0,
            is_delivered: false,
            is_closed: false,
        })
    }

    /// Goes on with the peer's next key.
    pub(crate) fn renew(&mut self, sequence: u64, secrets: ConnectionTrafficSecrets) -> Option<()> {
        self.start = protect::start(&secrets)?;
        self.secrets = secrets;
        self.sequence = sequence;
        Some(())
    }

    /// Bytes held for a record that has not come whole.
    pub(crate) const fn held_bytes(&self) -> usize {
        self.held.capacity()
    }

    pub(crate) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    pub(crate) fn held(&mut self, place: Range<usize>) -> &mut [u8] {
        &mut self.held[place]
    }

    /// The next thing found, or nothing where all of `input` is read.
    pub(crate) fn next(&mut self, input: &mut Input<'_>) -> Result<Option<Found>, Violation> {
        if std::mem::take(&mut self.is_delivered) {
            self.held = Vec::new();
        }
        let found = self.advance(input);
        if found.is_err() {
            self.close();
        }
        found
    }

    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        self.held = Vec::new();
    }

    fn advance(&mut self, input: &mut Input<'_>) -> Result<Option<Found>, Violation> {
        while !self.is_closed {
            let Some((content, place)) = self.open_next(input)? else { return Ok(None) };
            let found = self.judge(content, place, input)?;
            if !matches!(found, Some(Found::Data(Place::Held(_)))) && !self.held.is_empty() {
                self.held = Vec::new();
            }
            match &found {
                Some(Found::Closed) => self.close(),
                Some(Found::KeyUpdate { .. }) => input.key = None,
                Some(Found::Data(place)) => self.is_delivered = matches!(place, Place::Held(_)),
                None => continue,
            }
            return Ok(found);
        }
        input.read = input.bytes.len();
        Ok(None)
    }

    /// Opens the next whole record; keeps what has begun of it otherwise.
    fn open_next(&mut self, input: &mut Input<'_>) -> Result<Option<(u8, Place)>, Violation> {
        if self.held.is_empty() {
            let left = input.left();
            let Some(bytes) = self.whole_bytes(left)?.filter(|bytes| *bytes <= left.len()) else {
                self.held.extend_from_slice(left);
                input.read = input.bytes.len();
                return Ok(None);
            };
            let record = input.read..input.read + bytes;
            input.read += bytes;
            let key = ready(&mut input.key, &self.secrets)?;
            let (content, plain) = self.open(key, &mut input.bytes[record.clone()])?;
            let plain = record.start + plain.start..record.start + plain.end;
            return Ok(Some((content, Place::Input(plain))));
        }
        loop {
            let whole = self.whole_bytes(&self.held)?;
            let wanted = whole.unwrap_or(HEAD_BYTES) - self.held.len();
            if wanted == 0 && whole.is_some() {
                break;
            }
            let piece = wanted.min(input.left().len());
            if piece == 0 {
                return Ok(None);
            }
            self.held.extend_from_slice(&input.left()[..piece]);
            input.read += piece;
        }
        let key = ready(&mut input.key, &self.secrets)?;
        let mut held = std::mem::take(&mut self.held);
        let opened = self.open(key, &mut held);
        self.held = held;
        opened.map(|(content, plain)| Some((content, Place::Held(plain))))
    }

    /// How long the record is that begins `bytes`, as soon as its head says so.
    fn whole_bytes(&self, bytes: &[u8]) -> Result<Option<usize>, Violation> {
        let Some((&[kind, _, _, high, low], _)) = bytes.split_first_chunk() else {
            return Ok(None);
        };
        let may_come = match self.shape {
            Shape::Tls13 => kind == content::DATA,
            Shape::Tls12Explicit | Shape::Tls12Implicit => {
                matches!(kind, content::ALERT | content::HANDSHAKE | content::DATA)
            }
        };
        if !may_come {
            return Err(Violation::UnexpectedRecord(kind));
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > SEALED_BYTES_MAX {
            return Err(Violation::RecordTooLong);
        }
        Ok(Some(HEAD_BYTES + length))
    }

    /// Opens one whole record; says what its content is and where.
    fn open(
        &mut self,
        key: &LessSafeKey,
        record: &mut [u8],
    ) -> Result<(u8, Range<usize>), Violation> {
        let lead_bytes = self.shape.lead_bytes();
        if record.len() < lead_bytes + TAG_BYTES {
            return Err(Violation::BadRecord);
        }
        let (lead, body) = record.split_at_mut(lead_bytes);
        let (head, explicit) = lead.split_first_chunk().ok_or(Violation::BadRecord)?;
        let nonce = match <[u8; 8]>::try_from(explicit) {
            Ok(explicit) => self.start.nonce_with(explicit),
            Err(_) => self.start.nonce(self.sequence).0,
        };
        let sealed_bytes = body.len() - TAG_BYTES;
        let additional = self.shape.additional(self.sequence, *head, sealed_bytes);
        let opened = key.open_in_place(nonce, additional.aad(), body);
        let plain = opened.map_err(|_| Violation::BadRecord)?;
        self.sequence += 1;
        if self.shape != Shape::Tls13 {
            let bytes = plain.len();
            return within(bytes).map(|()| (head[0], lead_bytes..lead_bytes + bytes));
        }
        // The padding counts as content does (RFC 8446, 5.4).
        within(plain.len().saturating_sub(1))?;
        let last = plain.iter().rposition(|byte| *byte != 0).ok_or(Violation::NoContentType)?;
        Ok((plain[last], lead_bytes..lead_bytes + last))
    }

    /// What a record's content means; nothing where it asks for nothing.
    fn judge(
        &mut self,
        kind: u8,
        place: Place,
        input: &Input<'_>,
    ) -> Result<Option<Found>, Violation> {
        let bytes = match &place {
            Place::Input(range) => &input.bytes[range.clone()],
            Place::Held(range) => &self.held[range.clone()],
        };
        if kind != content::HANDSHAKE && self.message_bytes > 0 {
            return Err(Violation::InterruptedHandshake);
        }
        match (kind, bytes) {
            (content::DATA, []) => {
                self.empty += 1;
                if self.empty > EMPTY_MAX {
                    return Err(Violation::TooManyEmptyRecords);
                }
                Ok(None)
            }
            (content::DATA, _) => {
                (self.empty, self.updates) = (0, 0);
                Ok(Some(Found::Data(place)))
            }
            (content::ALERT | content::HANDSHAKE, []) => Err(Violation::EmptyMessage),
            (content::ALERT, &[level, description]) => self.alert(level, description.into()),
            (content::ALERT, _) => Err(Violation::MalformedAlert),
            (content::HANDSHAKE, &[first, ..]) if self.shape != Shape::Tls13 => {
                Err(if first == CLIENT_HELLO {
                    Violation::Renegotiation
                } else {
                    Violation::UnexpectedHandshake(first)
                })
            }
            (content::HANDSHAKE, bytes) => {
                let (mut message, had) = (self.message, usize::from(self.message_bytes));
                let have = had + bytes.len();
                for (place, byte) in message[had..].iter_mut().zip(bytes) {
                    *place = *byte;
                }
                self.message = message;
                self.handshake(have)
            }
            (other, _) => Err(Violation::UnexpectedRecord(other)),
        }
    }

    fn alert(
        &mut self,
        level: u8,
        description: AlertDescription,
    ) -> Result<Option<Found>, Violation> {
        let is_warning = match self.shape {
            // Levels mean nothing any more (RFC 8446, 6).
            Shape::Tls13 => description == AlertDescription::UserCanceled,
            Shape::Tls12Explicit | Shape::Tls12Implicit => level == WARNING,
        };
        match description {
            AlertDescription::CloseNotify => Ok(Some(Found::Closed)),
            _ if is_warning => {
                self.warnings += 1;
                if self.warnings > WARNINGS_MAX {
                    return Err(Violation::TooManyWarnings);
                }
                Ok(None)
            }
            other => Err(Violation::Alerted(other)),
        }
    }

    /// Judges the handshake message of which `have` bytes came; more than its own is too many.
    fn handshake(&mut self, have: usize) -> Result<Option<Found>, Violation> {
        let length = &self.message[1..have.min(4)];
        match self.message[0] {
            key_update::TYPE if [0, 0, 1].starts_with(length) => {}
            key_update::TYPE => return Err(Violation::MalformedKeyUpdate),
            other => return Err(Violation::UnexpectedHandshake(other)),
        }
        if have > self.message.len() {
            return Err(Violation::SpannedKeyUpdate);
        }
        if have < self.message.len() {
            self.message_bytes = have as u8;
            return Ok(None);
        }
        let is_answer_due = match self.message[4] {
            0 => false,
            1 => true,
            _ => return Err(Violation::UnknownKeyUpdate),
        };
        self.message_bytes = 0;
        self.updates += 1;
        if self.updates > UPDATES_MAX {
            return Err(Violation::TooManyKeyUpdates);
        }
        Ok(Some(Found::KeyUpdate { is_answer_due }))
    }
}

/// The key, made ready at its first use.
fn ready<'k>(
    key: &'k mut Option<LessSafeKey>,
    secrets: &ConnectionTrafficSecrets,
) -> Result<&'k LessSafeKey, Violation> {
    if key.is_none() {
        *key = protect::key(secrets);
    }
    key.as_ref().ok_or(Violation::NoNextKey)
}

const fn within(plain_bytes: usize) -> Result<(), Violation> {
    if plain_bytes > PLAIN_BYTES_MAX { Err(Violation::RecordTooLong) } else { Ok(()) }
}
