//! What sessions are told beside data: status, heartbeat, notices.

use market::{Nanos, State, digits};

use crate::frame;
use crate::json::{write_string, write_time};

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

/// Appends a notice that updates `first..=last` of a channel will not come.
pub fn write_gap(
    symbol: &str,
    channel: &str,
    first: u64,
    last: u64,
    reason: &str,
    out: &mut Vec<u8>,
) {
    write_notice("gap", out, |out| {
        out.extend_from_slice(b",\"symbol\":");
        write_string(symbol, out);
        out.extend_from_slice(b",\"channel\":\"");
        out.extend_from_slice(channel.as_bytes());
        out.extend_from_slice(b"\",\"from_seq\":");
        digits::write_u64(first, out);
        out.extend_from_slice(b",\"to_seq\":");
        digits::write_u64(last, out);
        out.extend_from_slice(b",\"count\":");
        digits::write_u64(last - first + 1, out);
        out.extend_from_slice(b",\"reason\":\"");
        out.extend_from_slice(reason.as_bytes());
        out.push(b'"');
    });
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
        write_gap("A/B", "trade", 5, 7, "lagged", &mut out);
        assert!(String::from_utf8_lossy(&out).contains(r#""from_seq":5,"to_seq":7,"count":3"#));
    }
}
