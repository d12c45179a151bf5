//! The outside of a message: which channel, what kind, which sequence. The inside of `data` stays
//! as bytes for whoever wants it (`items`).

use std::borrow::Cow;

use super::cursor::{Cursor, ScanError};

/// The channels that carry market data.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Best bid and ask, and the day's figures.
    Ticker,
    /// Executions.
    Trade,
    /// Depth by price.
    Book,
    /// Bars.
    Ohlc,
    /// What can be traded.
    Instrument,
}

impl Channel {
    /// Its name in requests and frames.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ticker => "ticker",
            Self::Trade => "trade",
            Self::Book => "book",
            Self::Ohlc => "ohlc",
            Self::Instrument => "instrument",
        }
    }

    /// The channel of this name.
    pub fn named(name: &[u8]) -> Option<Self> {
        [Self::Ticker, Self::Trade, Self::Book, Self::Ohlc, Self::Instrument]
            .into_iter()
            .find(|channel| channel.name().as_bytes() == name)
    }
}

/// The sibling of `data` that a subscription with `seq: true` gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbering {
    /// The frame's sequence.
    pub seq: u64,
    /// The first it stands for; `seq` where the frame does not say.
    pub first_seq: u64,
    /// How many updates it stands for, where the frame says so.
    pub merged: Option<u64>,
    /// The newest tick's own time, nanoseconds since 1970; 0 where the frame does not say.
    pub ts_event: u64,
}

impl Numbering {
    /// How many updates the frame stands for, by its numbers.
    pub fn count(&self) -> u64 {
        (self.seq + 1).saturating_sub(self.first_seq)
    }
}

/// A frame of market data.
#[derive(Clone, Copy, Debug)]
pub struct DataFrame<'a> {
    /// Its channel.
    pub channel: Channel,
    /// A first value; otherwise a later one.
    pub snapshot: bool,
    /// The bytes of `data`.
    pub data: &'a [u8],
    /// Its place in the sequence, where it has one.
    pub numbering: Option<Numbering>,
}

/// The answer to a request.
#[derive(Clone, Debug, Default)]
pub struct Reply<'a> {
    /// What was asked.
    pub method: &'a [u8],
    /// Whether it was granted; none for answers that are neither (pong).
    pub success: Option<bool>,
    /// Why not.
    pub error: Option<Cow<'a, str>>,
    /// The channel granted.
    pub channel: Option<Channel>,
    /// The symbol granted or refused.
    pub symbol: Option<&'a [u8]>,
    /// The bar's minutes, for ohlc.
    pub interval: u64,
    /// The sequence at which the subscription begins, where the ack says so.
    pub seq: Option<u64>,
    /// The life of the numbering.
    pub epoch: Option<u64>,
    /// Whether everything missed since `resume` is delivered; none where the ack does not say.
    pub recovered: Option<bool>,
    /// The pace granted: milliseconds from a frame of a symbol to its next.
    pub conflate_ms: Option<u64>,
}

/// One message, as far as its outside tells.
#[derive(Clone, Debug)]
pub enum Message<'a> {
    /// Market data.
    Data(DataFrame<'a>),
    /// The bytes of a notice's `data`.
    Notice(&'a [u8]),
    /// Quiet, not dead.
    Heartbeat,
    /// The answer to a request.
    Reply(Reply<'a>),
    /// Status, and whatever comes to exist later.
    Other,
}

/// Reads the outside of `text`.
pub fn message(text: &[u8]) -> Result<Message<'_>, ScanError> {
    let mut channel: Option<&[u8]> = None;
    let mut snapshot = false;
    let mut data: &[u8] = b"[]";
    let mut numbering = None;
    let mut reply = Reply::default();
    let mut is_reply = false;
    let mut cursor = Cursor::new(text);
    cursor.object(|key, value| {
        match key {
            b"channel" => channel = Some(value.string()?),
            b"type" => snapshot = value.string()? == b"snapshot",
            b"data" => data = value.raw()?,
            b"x" if value.token()? == b'{' => numbering = read_numbering(value)?,
            b"method" => {
                is_reply = true;
                reply.method = value.string()?;
            }
            b"success" => {
                is_reply = true;
                reply.success = Some(value.truth()?);
            }
            b"error" if value.token()? == b'"' => {
                is_reply = true;
                reply.error = Some(value.text()?);
            }
            b"symbol" if value.token()? == b'"' => reply.symbol = Some(value.string()?),
            b"result" if value.token()? == b'{' => read_result(value, &mut reply)?,
            _ => {}
        }
        Ok(())
    })?;
    cursor.end()?;
    if is_reply {
        return Ok(Message::Reply(reply));
    }
    Ok(match channel {
        Some(b"heartbeat") => Message::Heartbeat,
        Some(b"notice") => Message::Notice(data),
        Some(name) => match Channel::named(name) {
            Some(channel) => Message::Data(DataFrame { channel, snapshot, data, numbering }),
            None => Message::Other,
        },
        None => Message::Other,
    })
}

fn read_numbering(cursor: &mut Cursor<'_>) -> Result<Option<Numbering>, ScanError> {
    let mut seq = None;
    let (mut first_seq, mut merged) = (None, None);
    let mut ts_event = 0;
    cursor.object(|key, value| {
        match key {
            b"seq" => seq = Some(value.whole()?),
            b"first_seq" => first_seq = Some(value.whole()?),
            b"merged" => merged = Some(value.whole()?),
            b"ts_event" => ts_event = value.whole()?,
            _ => {}
        }
        Ok(())
    })?;
    let first = |seq: u64| first_seq.unwrap_or(seq);
    Ok(seq.map(|seq| Numbering { seq, first_seq: first(seq), merged, ts_event }))
}

fn read_result<'a>(cursor: &mut Cursor<'a>, reply: &mut Reply<'a>) -> Result<(), ScanError> {
    cursor.object(|key, value| {
        match key {
            b"channel" => reply.channel = Channel::named(value.string()?),
            b"symbol" if value.token()? == b'"' => reply.symbol = Some(value.string()?),
            b"interval" => reply.interval = value.whole()?,
            b"x" if value.token()? == b'{' => read_granted(value, reply)?,
            _ => {}
        }
        Ok(())
    })
}

fn read_granted(cursor: &mut Cursor<'_>, reply: &mut Reply<'_>) -> Result<(), ScanError> {
    cursor.object(|key, value| {
        match key {
            b"seq" => reply.seq = Some(value.whole()?),
            b"epoch" => reply.epoch = Some(value.whole()?),
            b"recovered" => reply.recovered = Some(value.truth()?),
            b"conflate_ms" if value.token()? != b'n' => reply.conflate_ms = Some(value.whole()?),
            _ => {}
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_frame_shows_its_channel_kind_and_sequence() {
        let text = br#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD"}],
            "new":{"seq":9},"x":{"seq":123,"first_seq":120,"merged":4,
            "ts_event":"17000","ts_pub":"1"}}"#;
        let Message::Data(frame) = message(text).unwrap() else { panic!("data") };
        assert_eq!((frame.channel, frame.snapshot), (Channel::Ticker, false));
        let numbering = frame.numbering.unwrap();
        assert_eq!((numbering.seq, numbering.first_seq, numbering.ts_event), (123, 120, 17_000));
        assert_eq!((numbering.merged, numbering.count()), (Some(4), 4));
        assert_eq!(frame.data, br#"[{"symbol":"BTC/USD"}]"#);
    }

    #[test]
    fn an_ack_and_a_refusal_show_what_was_asked() {
        let text = br#"{"method":"subscribe","result":{"channel":"book","depth":10,"symbol":"A/B",
            "x":{"epoch":"9","seq":7,"recovered":true,"qos":"conflating","conflate_ms":100}},
            "success":true,"time_in":"t"}"#;
        let Message::Reply(ack) = message(text).unwrap() else { panic!("reply") };
        assert_eq!((ack.epoch, ack.recovered, ack.conflate_ms), (Some(9), Some(true), Some(100)));
        assert_eq!((ack.success, ack.channel, ack.seq), (Some(true), Some(Channel::Book), Some(7)));
        assert_eq!(ack.symbol, Some(&b"A/B"[..]));
        let text =
            br#"{"error":"no such symbol","method":"subscribe","success":false,"symbol":"X"}"#;
        let Message::Reply(refusal) = message(text).unwrap() else { panic!("reply") };
        assert_eq!(refusal.error.as_deref(), Some("no such symbol"));
    }

    #[test]
    fn other_channels_and_heartbeats_are_told_apart() {
        assert!(matches!(message(br#"{"channel":"heartbeat"}"#), Ok(Message::Heartbeat)));
        assert!(matches!(message(br#"{"channel":"status","data":[]}"#), Ok(Message::Other)));
        assert!(matches!(
            message(br#"{"channel":"notice","data":[]}"#),
            Ok(Message::Notice(b"[]"))
        ));
        assert!(message(b"{}x").is_err());
    }
}
