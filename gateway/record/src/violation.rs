//! What a peer can do wrong behind the handshake, and the alert that answers it.

use rustls::AlertDescription;
use thiserror::Error;

/// A rule was broken: the connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Violation {
    /// A kind of record that has no place here.
    #[error("a record of type {0} came where none may")]
    UnexpectedRecord(u8),
    /// The head declares, or the record holds, more than a record may.
    #[error("a record is too long")]
    RecordTooLong,
    /// It was changed on its way, or sealed with another key.
    #[error("a record does not open")]
    BadRecord,
    /// Zeros alone were sealed.
    #[error("a record holds padding alone")]
    NoContentType,
    /// More empty records in a row than are borne.
    #[error("too many empty records")]
    TooManyEmptyRecords,
    /// A handshake or alert record without content.
    #[error("an empty message")]
    EmptyMessage,
    /// An alert of another size than two bytes.
    #[error("a malformed alert")]
    MalformedAlert,
    /// More warnings than are borne.
    #[error("too many warnings")]
    TooManyWarnings,
    /// The peer ended the connection with this alert.
    #[error("the peer gave up: {0:?}")]
    Alerted(AlertDescription),
    /// A handshake message other than a key update.
    #[error("a handshake message of type {0} came behind the handshake")]
    UnexpectedHandshake(u8),
    /// A TLS 1.2 peer wants another handshake.
    #[error("renegotiation is refused")]
    Renegotiation,
    /// Something came between the pieces of a handshake message.
    #[error("a handshake message was interrupted")]
    InterruptedHandshake,
    /// A key update of another size than it has.
    #[error("a malformed key update")]
    MalformedKeyUpdate,
    /// A key update that neither asks for an answer nor does not.
    #[error("a key update of an unknown kind")]
    UnknownKeyUpdate,
    /// Something came behind a key update in its record, sealed with the old key.
    #[error("a record spans a key update")]
    SpannedKeyUpdate,
    /// More key updates in a row than are borne.
    #[error("too many key updates")]
    TooManyKeyUpdates,
    /// The next key could not be made.
    #[error("no next key")]
    NoNextKey,
}

impl Violation {
    /// The alert the peer is owed; none where it has ended the connection itself.
    pub const fn alert(self) -> Option<AlertDescription> {
        Some(match self {
            Self::Alerted(_) => return None,
            Self::RecordTooLong => AlertDescription::RecordOverflow,
            Self::BadRecord => AlertDescription::BadRecordMac,
            Self::MalformedAlert | Self::MalformedKeyUpdate => AlertDescription::DecodeError,
            Self::UnknownKeyUpdate => AlertDescription::IllegalParameter,
            Self::Renegotiation => AlertDescription::NoRenegotiation,
            Self::NoNextKey => AlertDescription::InternalError,
            Self::UnexpectedRecord(_)
            | Self::NoContentType
            | Self::TooManyEmptyRecords
            | Self::EmptyMessage
            | Self::TooManyWarnings
            | Self::UnexpectedHandshake(_)
            | Self::InterruptedHandshake
            | Self::SpannedKeyUpdate
            | Self::TooManyKeyUpdates => AlertDescription::UnexpectedMessage,
        })
    }
}
