//! Answers to requests: acks, refusals, lists, pongs. Each appends one whole frame.

use market::{Interval, Nanos, digits};

use crate::frame;
use crate::json::{write_list, write_string, write_time};
use crate::refusal::Refusal;
use crate::request::OnSlow;
use crate::topic::Topic;

/// What every answer carries back: the request's id, when it came in and when the answer went out.
#[derive(Clone, Copy, Debug)]
pub struct Envelope {
    /// Echoed where the request had one.
    pub req_id: Option<u64>,
    /// The request was read.
    pub time_in: Nanos,
    /// The answer was made.
    pub time_out: Nanos,
}

/// What was granted to a session that uses extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The life of this numbering.
    pub epoch: u64,
    /// Sequence after which updates follow; none for patterns.
    pub sequence: Option<u64>,
    /// Every missed update follows, or none could; only for who asked to resume.
    pub recovered: Option<bool>,
    /// At most one frame in so many milliseconds; zero: every update.
    pub pace_ms: u32,
    /// How fresh and how whole the data is.
    pub qos: Quality,
    /// What happens when the session cannot keep up.
    pub on_slow: OnSlow,
}

/// How fresh and how whole a subscription's data is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quality {
    /// Every update, at once.
    #[default]
    Realtime,
    /// The newest value at a pace.
    Conflated,
    /// Every update, later.
    Delayed {
        /// By how much.
        ms: u32,
    },
}

impl Quality {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Realtime => "realtime",
            Self::Conflated => "conflated",
            Self::Delayed { .. } => "delayed",
        }
    }

    /// Appends the field, and the delay's where there is one.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"qos\":\"");
        out.extend_from_slice(self.as_str().as_bytes());
        out.push(b'"');
        if let Self::Delayed { ms } = self {
            out.extend_from_slice(b",\"delay_ms\":");
            digits::write_u64(u64::from(ms), out);
        }
    }
}

/// Appends how a subscription is served; what nobody asked for is left out.
fn write_service(qos: Quality, pace_ms: u32, on_slow: OnSlow, out: &mut Vec<u8>) {
    qos.write(out);
    if pace_ms > 0 {
        out.extend_from_slice(b",\"conflate_ms\":");
        digits::write_u64(u64::from(pace_ms), out);
    }
    if on_slow != OnSlow::default() {
        out.extend_from_slice(b",\"on_slow\":\"");
        out.extend_from_slice(on_slow.as_str().as_bytes());
        out.push(b'"');
    }
}

fn write_answer(
    method: Option<&str>,
    envelope: &Envelope,
    out: &mut Vec<u8>,
    body: impl FnOnce(&mut Vec<u8>),
) {
    frame::write_text(out, |out| {
        out.push(b'{');
        if let Some(method) = method {
            out.extend_from_slice(b"\"method\":");
            write_string(method, out);
            out.push(b',');
        }
        body(out);
        if let Some(req_id) = envelope.req_id {
            out.extend_from_slice(b"\"req_id\":");
            digits::write_u64(req_id, out);
            out.push(b',');
        }
        out.extend_from_slice(b"\"time_in\":");
        write_time(envelope.time_in, out);
        out.extend_from_slice(b",\"time_out\":");
        write_time(envelope.time_out, out);
        out.push(b'}');
    });
}

/// Appends the answer to a ping.
pub fn write_pong(envelope: &Envelope, out: &mut Vec<u8>) {
    write_answer(Some("pong"), envelope, out, |_| {});
}

/// An ack of one symbol, or of one pattern.
#[derive(Clone, Copy, Debug)]
pub struct Ack<'a> {
    /// `subscribe`, `unsubscribe` or `reconfigure`.
    pub method: &'a str,
    /// What was asked.
    pub topic: Topic,
    /// The symbol, none for `instrument`.
    pub symbol: Option<&'a str>,
    /// A snapshot follows. Only a `subscribe` says it.
    pub snapshot: bool,
    /// For sessions that use extensions. Of it, an `unsubscribe` says epoch and sequence alone.
    pub granted: Option<Granted>,
    /// Something the dashboard may want to know.
    pub warning: Option<&'a str>,
}

impl Ack<'_> {
    /// Appends it.
    pub fn write(&self, envelope: &Envelope, out: &mut Vec<u8>) {
        write_answer(Some(self.method), envelope, out, |out| {
            out.extend_from_slice(b"\"result\":{");
            write_subject(self.topic, self.symbol, out);
            if self.method == "subscribe" {
                out.extend_from_slice(b",\"snapshot\":");
                write_bool(self.snapshot, out);
            }
            if let Some(warning) = self.warning {
                out.extend_from_slice(b",\"warnings\":[");
                write_string(warning, out);
                out.push(b']');
            }
            if let Some(granted) = &self.granted {
                out.extend_from_slice(b",\"x\":{");
                granted.write(self.method != "unsubscribe", out);
                out.push(b'}');
            }
            out.extend_from_slice(b"},\"success\":true,");
        });
    }
}

impl Granted {
    fn write(&self, is_served: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"epoch\":\"");
        digits::write_u64(self.epoch, out);
        out.push(b'"');
        if let Some(sequence) = self.sequence {
            out.extend_from_slice(b",\"seq\":");
            digits::write_u64(sequence, out);
        }
        if !is_served {
            return;
        }
        if let Some(recovered) = self.recovered {
            out.extend_from_slice(b",\"recovered\":");
            write_bool(recovered, out);
        }
        out.push(b',');
        write_service(self.qos, self.pace_ms, self.on_slow, out);
    }
}

/// Appends the ack of heartbeats made detailed, or plain again: the channel has no symbol.
pub fn write_heartbeat_ack(detailed: bool, envelope: &Envelope, out: &mut Vec<u8>) {
    let method = if detailed { "subscribe" } else { "unsubscribe" };
    write_answer(Some(method), envelope, out, |out| {
        out.extend_from_slice(br#""result":{"channel":"heartbeat"},"success":true,"#);
    });
}

/// A subscription as `list_subscriptions` tells it.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// The channel with its parameters.
    pub topic: Topic,
    /// The symbol or the pattern, none for `instrument`.
    pub symbol: Option<&'a str>,
    /// Frames carry `x`.
    pub sequenced: bool,
    /// How fresh and how whole the data is.
    pub qos: Quality,
    /// At most one frame in so many milliseconds; zero: every update.
    pub pace_ms: u32,
    /// What happens when the session cannot keep up.
    pub on_slow: OnSlow,
}

/// Appends everything a session holds. Its length grows with the subscriptions, which have a limit.
pub fn write_subscriptions<'a>(
    envelope: &Envelope,
    items: impl IntoIterator<Item = Listed<'a>>,
    out: &mut Vec<u8>,
) {
    write_answer(Some("list_subscriptions"), envelope, out, |out| {
        out.extend_from_slice(b"\"result\":{\"subscriptions\":[");
        write_list(items, out, |item, out| {
            out.push(b'{');
            write_subject(item.topic, item.symbol, out);
            out.extend_from_slice(b",\"x\":{\"seq\":");
            write_bool(item.sequenced, out);
            out.push(b',');
            write_service(item.qos, item.pace_ms, item.on_slow, out);
            out.extend_from_slice(b"}}");
        });
        out.extend_from_slice(b"]},\"success\":true,");
    });
}

/// Appends the answer to a token that was good.
pub fn write_authenticated(
    envelope: &Envelope,
    user: &str,
    expires_in_s: Option<u64>,
    out: &mut Vec<u8>,
) {
    write_answer(Some("auth"), envelope, out, |out| {
        out.extend_from_slice(b"\"result\":{\"user\":");
        write_string(user, out);
        if let Some(seconds) = expires_in_s {
            out.extend_from_slice(b",\"expires_in_s\":");
            digits::write_u64(seconds, out);
        }
        out.extend_from_slice(b"},\"success\":true,");
    });
}

fn write_bool(value: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// Appends channel, parameters and symbol.
pub(crate) fn write_subject(topic: Topic, symbol: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"channel\":\"");
    out.extend_from_slice(topic.channel_name().as_bytes());
    out.push(b'"');
    write_parameters(topic, out);
    if let Some(symbol) = symbol {
        out.extend_from_slice(b",\"symbol\":");
        write_string(symbol, out);
    }
}

fn write_parameters(topic: Topic, out: &mut Vec<u8>) {
    match topic {
        Topic::TickerOnQuote => out.extend_from_slice(b",\"event_trigger\":\"bbo\""),
        Topic::TickerOnTrade => out.extend_from_slice(b",\"event_trigger\":\"trades\""),
        Topic::Book(depth) => {
            out.extend_from_slice(b",\"depth\":");
            digits::write_u64(depth.levels() as u64, out);
        }
        Topic::Bars(Interval::Second1) => out.extend_from_slice(b",\"interval_s\":1"),
        Topic::Bars(interval) => {
            out.extend_from_slice(b",\"interval\":");
            digits::write_u64(interval.minutes(), out);
        }
        Topic::Trade | Topic::Instrument => {}
    }
}

/// Appends a refusal, of a whole request or of one symbol of it.
pub fn write_refusal(
    method: Option<&str>,
    refusal: &Refusal,
    symbol: Option<&str>,
    envelope: &Envelope,
    out: &mut Vec<u8>,
) {
    write_answer(method, envelope, out, |out| {
        out.extend_from_slice(b"\"success\":false,\"error\":");
        write_string(&refusal.message, out);
        if let Some(symbol) = symbol {
            out.extend_from_slice(b",\"symbol\":");
            write_string(symbol, out);
        }
        out.extend_from_slice(b",\"x\":{\"code\":\"");
        out.extend_from_slice(refusal.code.as_str().as_bytes());
        out.extend_from_slice(b"\"},");
    });
}

#[cfg(test)]
#[path = "reply_tests.rs"]
mod tests;
