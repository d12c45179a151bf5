//! What sessions are told beside data: status, heartbeat, notices.

use market::{Nanos, State, digits};

use crate::frame;
use crate::json::{write_string, write_time};
use crate::reply::{Quality, write_subject};
use crate::topic::Topic;

/// The version the status message states.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Appends the status message a session is greeted with; `maintenance` while no feed is live. The
/// id stays below 2^53, so that a dashboard in JavaScript can hold it.
pub fn write_status(connection_id: u64, is_online: bool, out: &mut Vec<u8>) {
    frame::write_text(out, |out| {
        out.extend_from_slice(
            br#"{"channel":"status","type":"update","data":[{"api_version":"v2","connection_id":"#,
        );
        digits::write_u64(connection_id & ((1 << 53) - 1), out);
        out.extend_from_slice(if is_online {
            br#","system":"online","version":""#.as_slice()
        } else {
            br#","system":"maintenance","version":""#
        });
        out.extend_from_slice(VERSION.as_bytes());
        out.extend_from_slice(b"\"}]}");
    });
}

/// Appends a heartbeat.
pub fn write_heartbeat(out: &mut Vec<u8>) {
    frame::write_text(out, |out| out.extend_from_slice(br#"{"channel":"heartbeat"}"#));
}

/// Appends a heartbeat that says the time, the feed's state and the last sequences sent, so that a
/// dashboard can tell quiet from dead, and find out that it missed the last update before a pause.
///
/// `last` yields channel, symbol and sequence, grouped by channel. It is written by channel, then
/// by symbol, because numbers run per symbol *and* channel: by symbol alone, nobody could say
/// whether 12 is of the ticker or of the book. For the same reason, streams of a symbol that are
/// numbered apart (bars of two intervals, the ticker on quotes and on trades) need names of their
/// own.
pub fn write_heartbeat_detailed<'a>(
    ts: Nanos,
    feed: State,
    last: impl IntoIterator<Item = (&'a str, &'a str, u64)>,
    out: &mut Vec<u8>,
) {
    frame::write_text(out, |out| {
        out.extend_from_slice(br#"{"channel":"heartbeat","x":{"ts":""#);
        digits::write_u64(ts.0, out);
        out.extend_from_slice(br#"","feed":""#);
        out.extend_from_slice(feed.as_str().as_bytes());
        out.extend_from_slice(br#"","last":{"#);
        let mut open = None;
        for (channel, symbol, sequence) in last {
            if open == Some(channel) {
                out.push(b',');
            } else {
                out.extend_from_slice(if open.is_some() { b"},".as_slice() } else { b"" });
                write_string(channel, out);
                out.extend_from_slice(b":{");
                open = Some(channel);
            }
            write_string(symbol, out);
            out.push(b':');
            digits::write_u64(sequence, out);
        }
        out.extend_from_slice(if open.is_some() { b"}}}}".as_slice() } else { b"}}}" });
    });
}

fn write_notice(kind: &str, out: &mut Vec<u8>, fields: impl FnOnce(&mut Vec<u8>)) {
    frame::write_text(out, |out| {
        out.extend_from_slice(br#"{"channel":"notice","type":"update","data":[{"kind":""#);
        out.extend_from_slice(kind.as_bytes());
        out.push(b'"');
        fields(out);
        out.extend_from_slice(b"}]}");
    });
}

/// Appends a notice that a symbol's data can be trusted more, or less, than before.
pub fn write_state(symbol: &str, state: State, since: Nanos, out: &mut Vec<u8>) {
    write_notice("state", out, |out| {
        out.extend_from_slice(b",\"symbol\":");
        write_string(symbol, out);
        out.extend_from_slice(b",\"state\":\"");
        out.extend_from_slice(state.as_str().as_bytes());
        out.extend_from_slice(b"\",\"since\":");
        write_time(since, out);
    });
}

/// Appends a notice that updates `first..=last` will not come. It names the topic with its
/// parameters, because bars of two intervals are numbered apart.
pub fn write_gap(
    symbol: &str,
    topic: Topic,
    first: u64,
    last: u64,
    reason: &str,
    out: &mut Vec<u8>,
) {
    write_notice("gap", out, |out| {
        out.push(b',');
        write_subject(topic, Some(symbol), out);
        write_number("from_seq", first, out);
        write_number("to_seq", last, out);
        write_number("count", last - first + 1, out);
        out.extend_from_slice(b",\"reason\":\"");
        out.extend_from_slice(reason.as_bytes());
        out.push(b'"');
    });
}

/// Appends a notice that a session falls behind, or has caught up: `bytes` wait of `limit`.
pub fn write_slow(is_warning: bool, bytes: u64, limit: u64, out: &mut Vec<u8>) {
    let kind = if is_warning { "slow_warning" } else { "slow_cleared" };
    write_notice(kind, out, |out| {
        write_number("bytes", bytes, out);
        write_number("limit", limit, out);
    });
}

/// Appends a notice that the gateway is about to go: come back after the one time, be gone before
/// the other.
pub fn write_drain(reconnect_after_ms: u64, deadline_ms: u64, out: &mut Vec<u8>) {
    write_notice("drain", out, |out| {
        write_number("reconnect_after_ms", reconnect_after_ms, out);
        write_number("deadline_ms", deadline_ms, out);
    });
}

/// Appends a notice that the session's token ends in so many seconds: time for another `auth`.
pub fn write_expiry(expires_in_s: u64, out: &mut Vec<u8>) {
    write_notice("token_expires", out, |out| write_number("expires_in_s", expires_in_s, out));
}

/// Appends a notice that the right to a subscription changed: it goes on at another quality, or has
/// ended where there is `None`.
pub fn write_revoked(
    symbol: &str,
    channel: &str,
    reason: &str,
    goes_on: Option<Quality>,
    out: &mut Vec<u8>,
) {
    write_notice("revoked", out, |out| {
        out.extend_from_slice(b",\"symbol\":");
        write_string(symbol, out);
        out.extend_from_slice(b",\"channel\":\"");
        out.extend_from_slice(channel.as_bytes());
        out.extend_from_slice(b"\",\"reason\":");
        write_string(reason, out);
        if let Some(quality) = goes_on {
            out.push(b',');
            quality.write(out);
        }
    });
}

/// Appends a comma and a field.
fn write_number(name: &str, value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    digits::write_u64(value, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_well_formed() {
        let mut out = Vec::new();
        write_status(u64::MAX, true, &mut out);
        assert!(String::from_utf8_lossy(&out).contains("\"connection_id\":9007199254740991,"));
        out.clear();
        write_state("A\"B", State::Stale, Nanos(0), &mut out);
        assert_eq!(
            String::from_utf8_lossy(&out[4..]),
            concat!(
                r#"{"channel":"notice","type":"update","data":[{"kind":"state","symbol":"A\"B","#,
                r#""state":"stale","since":"1970-01-01T00:00:00.000000Z"}]}"#
            )
        );
    }

    #[test]
    fn a_gap_counts_both_ends() {
        let mut out = Vec::new();
        write_gap("A/B", Topic::Trade, 5, 7, "lagged", &mut out);
        assert!(String::from_utf8_lossy(&out).contains(r#""from_seq":5,"to_seq":7,"count":3"#));
    }

    #[track_caller]
    fn check(frame: &[u8], expected: &str) {
        let start = if frame[1] == 126 { 4 } else { 2 };
        assert_eq!(String::from_utf8_lossy(&frame[start..]), expected);
        simd_json::to_tape(&mut frame[start..].to_vec()).expect("well-formed JSON");
    }

    #[track_caller]
    fn check_notice(write: impl FnOnce(&mut Vec<u8>), item: &str) {
        let mut out = Vec::new();
        write(&mut out);
        check(&out, &format!(r#"{{"channel":"notice","type":"update","data":[{item}]}}"#));
    }

    #[test]
    fn notices_about_the_session_say_their_numbers() {
        check_notice(
            |out| write_slow(true, 900, 1000, out),
            r#"{"kind":"slow_warning","bytes":900,"limit":1000}"#,
        );
        check_notice(
            |out| write_slow(false, 0, 1000, out),
            r#"{"kind":"slow_cleared","bytes":0,"limit":1000}"#,
        );
        check_notice(
            |out| write_drain(1500, 30_000, out),
            r#"{"kind":"drain","reconnect_after_ms":1500,"deadline_ms":30000}"#,
        );
        check_notice(|out| write_expiry(60, out), r#"{"kind":"token_expires","expires_in_s":60}"#);
    }

    #[test]
    fn a_changed_right_says_what_is_left_of_the_subscription() {
        check_notice(
            |out| write_revoked("A/B", "book", "not \"entitled\" any more", None, out),
            concat!(
                r#"{"kind":"revoked","symbol":"A/B","channel":"book","#,
                r#""reason":"not \"entitled\" any more"}"#
            ),
        );
        let delayed = Some(Quality::Delayed { ms: 900_000 });
        check_notice(
            |out| write_revoked("A/B", "book", "delayed", delayed, out),
            concat!(
                r#"{"kind":"revoked","symbol":"A/B","channel":"book","reason":"delayed","#,
                r#""qos":"delayed","delay_ms":900000}"#
            ),
        );
    }

    #[test]
    fn a_detailed_heartbeat_says_sequences_by_channel_then_by_symbol() {
        let ts = Nanos(1_690_730_998_343_415_000);
        let mut out = Vec::new();
        let last = [("ticker", "A\"B", 12), ("ticker", "C", 1), ("book", "C", u64::MAX)];
        write_heartbeat_detailed(ts, State::Stale, last, &mut out);
        check(
            &out,
            concat!(
                r#"{"channel":"heartbeat","x":{"ts":"1690730998343415000","feed":"stale","last":{"#,
                r#""ticker":{"A\"B":12,"C":1},"book":{"C":18446744073709551615}}}}"#
            ),
        );
        out.clear();
        write_heartbeat_detailed(ts, State::Ok, [], &mut out);
        check(
            &out,
            r#"{"channel":"heartbeat","x":{"ts":"1690730998343415000","feed":"ok","last":{}}}"#,
        );
    }
}
