//! Answers to requests: acks, refusals, pongs. Each appends one whole frame.

use market::{Interval, Nanos, digits};

use crate::frame;
use crate::json::{write_string, write_time};
use crate::refusal::Refusal;
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
#[derive(Clone, Copy, Debug)]
pub struct Granted {
    /// The life of this numbering.
    pub epoch: u64,
    /// Sequence after which updates follow; none for patterns.
    pub sequence: Option<u64>,
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
    /// `subscribe` or `unsubscribe`.
    pub method: &'a str,
    /// What was asked.
    pub topic: Topic,
    /// The symbol, none for `instrument`.
    pub symbol: Option<&'a str>,
    /// A snapshot follows.
    pub snapshot: bool,
    /// For sessions that use extensions.
    pub granted: Option<Granted>,
    /// Something the dashboard may want to know.
    pub warning: Option<&'a str>,
}

impl Ack<'_> {
    /// Appends it.
    pub fn write(&self, envelope: &Envelope, out: &mut Vec<u8>) {
        write_answer(Some(self.method), envelope, out, |out| {
            out.extend_from_slice(b"\"result\":{\"channel\":\"");
            out.extend_from_slice(self.topic.channel_name().as_bytes());
            out.push(b'"');
            write_parameters(self.topic, out);
            if let Some(symbol) = self.symbol {
                out.extend_from_slice(b",\"symbol\":");
                write_string(symbol, out);
            }
            if self.method == "subscribe" {
                out.extend_from_slice(b",\"snapshot\":");
                out.extend_from_slice(if self.snapshot { b"true" } else { b"false" });
            }
            if let Some(warning) = self.warning {
                out.extend_from_slice(b",\"warnings\":[");
                write_string(warning, out);
                out.push(b']');
            }
            if let Some(granted) = &self.granted {
                out.extend_from_slice(b",\"x\":{\"epoch\":\"");
                digits::write_u64(granted.epoch, out);
                out.push(b'"');
                if let Some(sequence) = granted.sequence {
                    out.extend_from_slice(b",\"seq\":");
                    digits::write_u64(sequence, out);
                }
                out.push(b'}');
            }
            out.extend_from_slice(b"},\"success\":true,");
        });
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
mod tests {
    use super::*;
    use crate::refusal::Code;
    use crate::topic::Depth;

    const ENVELOPE: Envelope =
        Envelope { req_id: Some(3), time_in: Nanos(0), time_out: Nanos(1000) };

    #[track_caller]
    fn check(frame: &[u8], expected: &str) {
        let start = if frame[1] == 126 { 4 } else { 2 };
        assert_eq!(String::from_utf8_lossy(&frame[start..]), expected);
        simd_json::to_tape(&mut frame[start..].to_vec()).expect("well-formed JSON");
    }

    #[test]
    fn a_plain_ack_looks_like_the_venues() {
        let mut out = Vec::new();
        let ack = Ack {
            method: "subscribe",
            topic: Topic::Book(Depth::DEFAULT),
            symbol: Some("BTC/USD"),
            snapshot: true,
            granted: None,
            warning: None,
        };
        ack.write(&ENVELOPE, &mut out);
        check(
            &out,
            concat!(
                r#"{"method":"subscribe","result":{"channel":"book","depth":10,"#,
                r#""symbol":"BTC/USD","snapshot":true},"success":true,"req_id":3,"#,
                r#""time_in":"1970-01-01T00:00:00.000000Z","time_out":"1970-01-01T00:00:00.000001Z"}"#
            ),
        );
    }

    #[test]
    fn extensions_are_told_what_was_granted() {
        let mut out = Vec::new();
        let ack = Ack {
            method: "subscribe",
            topic: Topic::Bars(Interval::Second1),
            symbol: Some("A"),
            snapshot: false,
            granted: Some(Granted { epoch: 9, sequence: Some(4) }),
            warning: Some("already subscribed"),
        };
        ack.write(&Envelope { req_id: None, ..ENVELOPE }, &mut out);
        check(
            &out,
            concat!(
                r#"{"method":"subscribe","result":{"channel":"ohlc","interval_s":1,"symbol":"A","#,
                r#""snapshot":false,"warnings":["already subscribed"],"x":{"epoch":"9","seq":4}},"#,
                r#""success":true,"time_in":"1970-01-01T00:00:00.000000Z","#,
                r#""time_out":"1970-01-01T00:00:00.000001Z"}"#
            ),
        );
    }

    #[test]
    fn refusals_and_pongs_are_well_formed() {
        let mut out = Vec::new();
        let refusal = Refusal::new(Code::UnknownSymbol, "no symbol \"X\"");
        write_refusal(Some("subscribe"), &refusal, Some("X"), &ENVELOPE, &mut out);
        check(
            &out,
            concat!(
                r#"{"method":"subscribe","success":false,"error":"no symbol \"X\"","symbol":"X","#,
                r#""x":{"code":"UNKNOWN_SYMBOL"},"req_id":3,"time_in":"1970-01-01T00:00:00.000000Z","#,
                r#""time_out":"1970-01-01T00:00:00.000001Z"}"#
            ),
        );
        out.clear();
        write_pong(&ENVELOPE, &mut out);
        check(
            &out,
            concat!(
                r#"{"method":"pong","req_id":3,"time_in":"1970-01-01T00:00:00.000000Z","#,
                r#""time_out":"1970-01-01T00:00:00.000001Z"}"#
            ),
        );
    }
}
