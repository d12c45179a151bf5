//! One line of the usage log.

use std::io;
use std::sync::Arc;

use market::{Channel, Nanos};
use serde::Serialize;

use super::{End, json};
use crate::decision::{Grant, Quality, Refusal};
use crate::identity::Identity;

/// Something that happened, with its session and user.
#[derive(Clone, Debug)]
pub struct Record {
    /// The session's number.
    pub session: u64,
    /// Who it was then.
    pub identity: Arc<Identity>,
    /// What happened.
    pub kind: RecordKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// A symbol was served.
    Used {
        /// Its name.
        symbol: Arc<str>,
        /// On which channel.
        channel: Channel,
        /// How.
        grant: Grant,
        /// Since when.
        from: Nanos,
        /// Until when.
        to: Nanos,
        /// Why until then.
        end: End,
    },
    /// A symbol was not served.
    Refused {
        /// Its name, as the rules were asked.
        symbol: Arc<str>,
        /// On which channel.
        channel: Channel,
        /// Why.
        refusal: Refusal,
        /// When.
        at: Nanos,
    },
    /// More refusals than one session may fill the log with.
    RefusedMore {
        /// How many.
        count: u64,
        /// When they were summed up.
        at: Nanos,
    },
}

/// The fields of a line; `record` says which are there.
#[derive(Default, Serialize)]
struct Line<'a> {
    record: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quality: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    depth: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pace_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
}

impl Record {
    /// Appends its line.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let mut line = Line {
            session: Some(self.session),
            user: Some(self.identity.user()),
            credential: Some(self.identity.credential()),
            ..Line::default()
        };
        match &self.kind {
            RecordKind::Used { symbol, channel, grant, from, to, end } => {
                line.record = "used";
                line.symbol = Some(symbol);
                line.channel = Some(word(*channel));
                line.from = Some(from.to_string());
                line.to = Some(to.to_string());
                line.end = Some(end.as_str());
                line.pace_ms = Some(grant.pace_ms);
                line.depth = (*channel == Channel::Book).then_some(grant.depth);
                line.quality = Some("realtime");
                if let Quality::Delayed(delay) = grant.quality {
                    line.quality = Some("delayed");
                    line.delay_ms = Some(delay.as_millis() as u64);
                }
            }
            RecordKind::Refused { symbol, channel, refusal, at } => {
                line.record = "refused";
                line.symbol = Some(symbol);
                line.channel = Some(word(*channel));
                line.reason = Some(refusal.as_str());
                line.at = Some(at.to_string());
            }
            RecordKind::RefusedMore { count, at } => {
                line.record = "refused_more";
                line.count = Some(*count);
                line.at = Some(at.to_string());
            }
        }
        json::write_line(&line, out)
    }
}

/// Appends the line that says how many records are missing before it.
pub(super) fn write_lost(count: u64, at: Nanos, out: &mut Vec<u8>) -> io::Result<()> {
    let line =
        Line { record: "lost", count: Some(count), at: Some(at.to_string()), ..Line::default() };
    json::write_line(&line, out)
}

const fn word(channel: Channel) -> &'static str {
    match channel {
        Channel::Ticker | Channel::TickerOnTrade => "ticker",
        Channel::Trade => "trade",
        Channel::Book => "book",
        Channel::Bars(_) => "ohlc",
        Channel::Instrument => "instrument",
        Channel::State => "state",
    }
}
