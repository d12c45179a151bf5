//! Plain HTTP answers, some of which have to wait for the recording to reach them.
//!
//! Runs on the sim thread. Invariant: a held request is answered within the hold limit, with 503
//! if nothing else.

use tokio::sync::oneshot;

/// A JSON body and its status.
#[derive(Clone, Debug)]
pub(crate) struct RestReply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl RestReply {
    pub(crate) fn ok(body: Vec<u8>) -> Self {
        Self { status: 200, body }
    }

    /// An error in the shape Binance uses.
    pub(crate) fn error(status: u16, code: i32, message: &str) -> Self {
        let body = serde_json::json!({ "code": code, "msg": message }).to_string();
        Self { status, body: body.into_bytes() }
    }
}

/// How a request is answered.
#[derive(Debug)]
pub(crate) enum RestAnswer {
    /// At once.
    Now(RestReply),
    /// When the recording gets there.
    Held(oneshot::Receiver<RestReply>),
}

/// The value of `name` in a query string; the values the venues use need no percent-decoding.
pub(crate) fn query_value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_value_is_found_by_its_whole_name() {
        assert_eq!(query_value("symbol=BTCUSDT&limit=1000", "limit"), Some("1000"));
        assert_eq!(query_value("xlimit=5", "limit"), None);
        assert_eq!(query_value("", "limit"), None);
    }
}
