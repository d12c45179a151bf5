//! The venue's feed: subscribes to every symbol's ticker and hands on each message as it came.

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// A feed that is subscribed to all symbols.
pub struct Feed {
    /// The snapshot of the instrument channel, as it came.
    pub instruments: String,
    /// All symbols, in the venue's order.
    pub symbols: Vec<String>,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

#[derive(Deserialize)]
struct Instruments {
    data: Pairs,
}

#[derive(Deserialize)]
struct Pairs {
    pairs: Vec<Pair>,
}

#[derive(Deserialize)]
struct Pair {
    symbol: String,
}

impl Feed {
    /// Connects, learns the symbols, subscribes to them.
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        let (socket, _) = connect_async(url).await.with_context(|| format!("feed {url}"))?;
        let mut feed = Self { instruments: String::new(), symbols: Vec::new(), socket };
        feed.subscribe(&json!({ "channel": "instrument", "snapshot": true })).await?;
        loop {
            let text = feed.text().await?;
            if text.starts_with(r#"{"channel":"instrument""#) {
                let read: Instruments = serde_json::from_str(&text).context("instruments")?;
                feed.symbols = read.data.pairs.into_iter().map(|pair| pair.symbol).collect();
                feed.instruments = text.to_string();
                break;
            }
        }
        let params = json!({
            "channel": "ticker",
            "event_trigger": "bbo",
            "symbol": feed.symbols,
            "snapshot": true,
        });
        feed.subscribe(&params).await?;
        Ok(feed)
    }

    /// The next ticker: its symbol's place in the text, and the text.
    pub async fn ticker(&mut self) -> anyhow::Result<Ticker> {
        loop {
            let text = self.text().await?;
            if text.starts_with(r#"{"channel":"ticker""#) {
                return Ok(Ticker { text });
            }
            if text.contains(r#""success":false"#) {
                bail!("the feed refused: {text}");
            }
        }
    }

    async fn subscribe(&mut self, params: &serde_json::Value) -> anyhow::Result<()> {
        let request = json!({ "method": "subscribe", "params": params }).to_string();
        self.socket.send(Message::text(request)).await.context("feed")
    }

    async fn text(&mut self) -> anyhow::Result<Utf8Bytes> {
        loop {
            match self.socket.next().await.context("feed: closed")?.context("feed")? {
                Message::Text(text) => return Ok(text),
                Message::Close(_) => bail!("feed: closed"),
                _ => {}
            }
        }
    }
}

/// One ticker message.
pub struct Ticker {
    text: Utf8Bytes,
}

impl Ticker {
    /// The message, unchanged.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its symbol, without parsing the rest.
    pub fn symbol(&self) -> Option<&str> {
        let (_, rest) = self.text.split_once(r#""symbol":""#)?;
        rest.split_once('"').map(|(symbol, _)| symbol)
    }
}
