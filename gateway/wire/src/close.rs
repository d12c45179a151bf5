//! Why a session ends: the one table of close codes, each with its metric label, and the close
//! frame.
//!
//! Standard codes are those of RFC 6455 and its IANA registry. Of the house's own, 4000-4499 may
//! come back as they are, 4500-4999 may not. What the table does not hold is never sent.

use crate::frame;

/// Most bytes of a reason: a control frame holds 125, the code takes two.
const REASON_BYTES_MAX: usize = 123;

/// A reason to close a session, as told to the dashboard and counted by metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// The dashboard asked for it.
    Normal = 1000,
    /// The gateway goes away and does not say when it is back.
    GoingAway = 1001,
    /// The bytes broke RFC 6455.
    ProtocolError = 1002,
    /// A binary message where text is spoken.
    UnsupportedData = 1003,
    /// A text that is not UTF-8.
    InvalidText = 1007,
    /// Legal by the RFC, refused by a limit of ours that has no code of its own.
    PolicyViolation = 1008,
    /// A message above the size limit.
    MessageTooBig = 1009,
    /// A fault of ours.
    InternalError = 1011,
    /// The gateway restarts; come back in a moment.
    Restarting = 1012,
    /// The gateway is full; come back later.
    Overloaded = 1013,
    /// More waited for this session than its outbox may hold.
    TooSlow = 4001,
    /// A ping went unanswered.
    HeartbeatMissed = 4002,
    /// The token ran out.
    TokenExpired = 4003,
    /// More requests a second than allowed, for too long.
    TooManyRequests = 4004,
    /// What was missed cannot be made good on this connection.
    ResyncNeeded = 4005,
    /// The token is not valid.
    CredentialsRefused = 4501,
    /// No token came in time.
    CredentialsMissing = 4502,
    /// The token does not permit this gateway.
    NotEntitled = 4503,
    /// Another connection took this one's place, or one too many was opened.
    Displaced = 4504,
    /// Too many requests that made no sense.
    BadRequests = 4505,
}

impl CloseCode {
    /// Every reason there is, in the order of the codes.
    pub const ALL: [Self; 20] = [
        Self::Normal,
        Self::GoingAway,
        Self::ProtocolError,
        Self::UnsupportedData,
        Self::InvalidText,
        Self::PolicyViolation,
        Self::MessageTooBig,
        Self::InternalError,
        Self::Restarting,
        Self::Overloaded,
        Self::TooSlow,
        Self::HeartbeatMissed,
        Self::TokenExpired,
        Self::TooManyRequests,
        Self::ResyncNeeded,
        Self::CredentialsRefused,
        Self::CredentialsMissing,
        Self::NotEntitled,
        Self::Displaced,
        Self::BadRequests,
    ];

    /// The number on the wire.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::GoingAway => "going_away",
            Self::ProtocolError => "protocol_error",
            Self::UnsupportedData => "unsupported_data",
            Self::InvalidText => "invalid_text",
            Self::PolicyViolation => "policy_violation",
            Self::MessageTooBig => "message_too_big",
            Self::InternalError => "internal_error",
            Self::Restarting => "restarting",
            Self::Overloaded => "overloaded",
            Self::TooSlow => "too_slow",
            Self::HeartbeatMissed => "heartbeat_missed",
            Self::TokenExpired => "token_expired",
            Self::TooManyRequests => "too_many_requests",
            Self::ResyncNeeded => "resync_needed",
            Self::CredentialsRefused => "credentials_refused",
            Self::CredentialsMissing => "credentials_missing",
            Self::NotEntitled => "not_entitled",
            Self::Displaced => "displaced",
            Self::BadRequests => "bad_requests",
        }
    }

    /// Position in [`Self::ALL`], for tables of counters.
    pub fn index(self) -> usize {
        Self::ALL.iter().position(|c| *c == self).expect("ALL holds every code")
    }

    /// Appends a whole close frame, unmasked as a server's are. A reason beyond 123 bytes is cut at
    /// a character's border.
    pub fn write_frame(self, reason: &str, out: &mut Vec<u8>) {
        let end =
            (0..=reason.len().min(REASON_BYTES_MAX)).rev().find(|at| reason.is_char_boundary(*at));
        let reason = &reason[..end.unwrap_or(0)];
        let mut payload = self.code().to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        frame::write_control(frame::Kind::Close, &payload, out);
    }
}

/// Whether a peer may send this code: those of the RFC that are meant for the wire, those
/// registered since, and the two private ranges.
pub const fn may_be_received(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_is_legal_on_the_wire_and_has_a_label_of_its_own() {
        let labels: HashSet<_> = CloseCode::ALL.iter().map(|c| c.label()).collect();
        assert_eq!(labels.len(), CloseCode::ALL.len());
        for (index, code) in CloseCode::ALL.into_iter().enumerate() {
            assert!(may_be_received(code.code()), "{code:?}");
            assert_eq!(code.index(), index);
        }
        assert!(CloseCode::ALL.is_sorted_by_key(|c| c.code()));
    }

    #[test]
    fn a_close_frame_is_golden_bytes() {
        let mut out = Vec::new();
        CloseCode::TooSlow.write_frame("too slow", &mut out);
        assert_eq!(out, b"\x88\x0a\x0f\xa1too slow");
        out.clear();
        CloseCode::Normal.write_frame("", &mut out);
        assert_eq!(out, b"\x88\x02\x03\xe8");
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let mut out = Vec::new();
        CloseCode::Normal.write_frame(&"€".repeat(100), &mut out);
        assert_eq!(out.len(), 2 + 2 + 123);
        assert_eq!(out[1], 125);
        out.clear();
        CloseCode::Normal.write_frame(&format!("x{}", "€".repeat(100)), &mut out);
        assert_eq!(out[1], 2 + 121);
        assert!(std::str::from_utf8(&out[4..]).is_ok());
    }

    #[test]
    fn codes_that_mean_the_absence_of_a_code_may_not_be_received() {
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, u16::MAX] {
            assert!(!may_be_received(code), "{code}");
        }
    }
}
