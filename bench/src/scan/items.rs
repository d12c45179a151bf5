//! The inside of `data`: trades, book items, notices, symbols. Each is read where it lies.

use std::hash::{Hash as _, Hasher as _};

use rustc_hash::FxHasher;

use super::cursor::{Cursor, ScanError};
use super::decimal::Decimal;
use super::message::Channel;

/// The symbol and bar minutes of the first item, the timestamp of the last, which is the newest:
/// enough to know whose frame it is and how late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head<'a> {
    /// None where `data` is empty.
    pub symbol: Option<&'a [u8]>,
    /// Minutes of a bar; 0 elsewhere.
    pub interval: u64,
    /// RFC 3339 as written; empty where there is none.
    pub timestamp: &'a [u8],
    /// How many items there are.
    pub count: u32,
    /// Whether an item has another symbol than the first.
    pub mixed: bool,
}

/// Reads who `data` is about.
pub fn head(data: &[u8]) -> Result<Head<'_>, ScanError> {
    let mut head = Head::default();
    Cursor::new(data).array(|item| {
        head.count += 1;
        let first = head.count == 1;
        item.object(|key, value| {
            match key {
                b"symbol" => {
                    let symbol = value.string()?;
                    head.mixed |= !first && head.symbol != Some(symbol);
                    if first {
                        head.symbol = Some(symbol);
                    }
                }
                b"interval" if first => head.interval = value.whole()?,
                b"timestamp" if value.token()? == b'"' => {
                    head.timestamp = value.string()?;
                }
                _ => {}
            }
            Ok(())
        })
    })?;
    Ok(head)
}

/// A hash of the quotes in `data`: best bid and ask, their sizes, the last price, as written.
/// None where there is none.
pub fn quote(data: &[u8]) -> Result<Option<u64>, ScanError> {
    let mut hash = FxHasher::default();
    let mut found = false;
    Cursor::new(data).array(|item| {
        item.object(|key, value| {
            if let b"bid" | b"bid_qty" | b"ask" | b"ask_qty" | b"last" = key {
                found = true;
                (key, value.raw()?).hash(&mut hash);
            }
            Ok(())
        })
    })?;
    Ok(found.then(|| hash.finish()))
}

/// One execution.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trade<'a> {
    /// The venue's number for it.
    pub trade_id: u64,
    /// Price as text.
    pub price: &'a [u8],
    /// Size as text.
    pub qty: &'a [u8],
    /// `buy` or `sell`.
    pub side: &'a [u8],
}

/// Calls `each` with every trade of `data`.
pub fn trades<'a>(data: &'a [u8], mut each: impl FnMut(Trade<'a>)) -> Result<(), ScanError> {
    Cursor::new(data).array(|item| {
        let trade = trade(item)?;
        each(trade);
        Ok(())
    })
}

/// Reads the trade that is the object here.
pub fn trade<'a>(item: &mut Cursor<'a>) -> Result<Trade<'a>, ScanError> {
    let mut trade = Trade::default();
    item.object(|key, value| {
        match key {
            b"trade_id" => trade.trade_id = value.whole()?,
            b"price" => trade.price = value.number()?,
            b"qty" => trade.qty = value.number()?,
            b"side" if value.token()? == b'"' => trade.side = value.string()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(trade)
}

/// Bids or asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Highest first.
    Bid,
    /// Lowest first.
    Ask,
}

/// Calls `each` with every level of the book item that is the object here; returns its checksum.
///
/// A level may be `{"price":..,"qty":..}` or `[price, qty]`.
pub fn book_item(
    item: &mut Cursor<'_>,
    mut each: impl FnMut(Side, Decimal, Decimal),
) -> Result<Option<u64>, ScanError> {
    let mut checksum = None;
    item.object(|key, value| {
        let side = match key {
            b"bids" => Side::Bid,
            b"asks" => Side::Ask,
            b"checksum" => {
                checksum = Some(value.whole()?);
                return Ok(());
            }
            _ => return Ok(()),
        };
        value.array(|level| {
            let (price, qty) = read_level(level)?;
            each(side, price, qty);
            Ok(())
        })
    })?;
    Ok(checksum)
}

fn read_level(level: &mut Cursor<'_>) -> Result<(Decimal, Decimal), ScanError> {
    let (mut price, mut qty) = (None, None);
    if level.token()? == b'[' {
        level.array(|part| {
            let value = decimal(part)?;
            if price.is_none() {
                price = Some(value);
            } else if qty.is_none() {
                qty = Some(value);
            }
            Ok(())
        })?;
    } else {
        level.object(|key, value| {
            match key {
                b"price" => price = Some(decimal(value)?),
                b"qty" => qty = Some(decimal(value)?),
                _ => {}
            }
            Ok(())
        })?;
    }
    price.zip(qty).ok_or(ScanError { at: 0, expected: "a level with price and qty" })
}

fn decimal(cursor: &mut Cursor<'_>) -> Result<Decimal, ScanError> {
    let text = cursor.number()?;
    Decimal::parse(text).ok_or(ScanError { at: 0, expected: "a decimal that is not negative" })
}

/// A range of sequences that this session will not get, as announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap<'a> {
    /// Whose sequence.
    pub symbol: &'a [u8],
    /// Of which channel.
    pub channel: Channel,
    /// Minutes of a bar; 0 elsewhere.
    pub interval: u64,
    /// First missing.
    pub from_seq: u64,
    /// Last missing.
    pub to_seq: u64,
}

/// Calls `each` with every gap a notice's `data` announces; other notices are walked over.
pub fn gaps<'a>(data: &'a [u8], mut each: impl FnMut(Gap<'a>)) -> Result<(), ScanError> {
    Cursor::new(data).array(|item| {
        let (mut kind, mut symbol, mut channel): (&[u8], &[u8], _) = (b"", b"", None);
        let (mut from_seq, mut to_seq, mut interval) = (None, None, 0);
        item.object(|key, value| {
            match key {
                b"kind" => kind = value.string()?,
                b"symbol" if value.token()? == b'"' => symbol = value.string()?,
                b"channel" if value.token()? == b'"' => channel = Channel::named(value.string()?),
                b"interval" => interval = value.whole()?,
                b"from_seq" => from_seq = Some(value.whole()?),
                b"to_seq" => to_seq = Some(value.whole()?),
                _ => {}
            }
            Ok(())
        })?;
        if kind != b"gap" {
            return Ok(());
        }
        match (channel, from_seq, to_seq) {
            (Some(channel), Some(from_seq), Some(to_seq)) => {
                each(Gap { symbol, channel, interval, from_seq, to_seq });
                Ok(())
            }
            _ => Err(ScanError { at: 0, expected: "a gap with channel, from_seq and to_seq" }),
        }
    })
}

/// Calls `each` with every symbol of an instrument snapshot.
pub fn instruments<'a>(data: &'a [u8], mut each: impl FnMut(&'a [u8])) -> Result<(), ScanError> {
    let mut inside = |item: &mut Cursor<'a>| {
        item.object(|key, value| match key {
            b"pairs" => value.array(|pair| {
                pair.object(|key, value| {
                    if key == b"symbol" {
                        each(value.string()?);
                    }
                    Ok(())
                })
            }),
            _ => Ok(()),
        })
    };
    let mut cursor = Cursor::new(data);
    // The venue sends one object; an array of them is as good.
    if cursor.token()? == b'[' { cursor.array(inside) } else { inside(&mut cursor) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_whose_frame_it_is_and_whether_symbols_are_mixed() {
        let data = br#"[{"symbol":"A/B","interval":5,"timestamp":"S"},
            {"symbol":"A/B","timestamp":"T"}]"#;
        let all = head(data).unwrap();
        assert_eq!((all.symbol, all.interval, all.count), (Some(&b"A/B"[..]), 5, 2));
        assert!(!all.mixed && all.timestamp == b"T");
        assert!(head(br#"[{"symbol":"A"},{"symbol":"B"}]"#).unwrap().mixed);
        assert_eq!(head(b"[]").unwrap().symbol, None);
    }

    #[test]
    fn a_book_item_gives_levels_of_both_forms_and_its_checksum() {
        let text =
            br#"{"symbol":"A","bids":[{"price":1.50,"qty":2}],"asks":[["3","0.0"]],"checksum":77}"#;
        let mut levels = Vec::new();
        let checksum = book_item(&mut Cursor::new(text), |side, price, qty| {
            levels.push(format!("{side:?} {price} {qty}"));
        });
        assert_eq!(checksum, Ok(Some(77)));
        assert_eq!(levels, ["Bid 1.50 2", "Ask 3 0.0"]);
    }

    #[test]
    fn gaps_and_instruments_are_found_among_other_things() {
        let data = br#"[{"kind":"state","symbol":"A"},{"kind":"gap","symbol":"A","channel":"book",
            "from_seq":3,"to_seq":9,"count":7,"reason":"slow"}]"#;
        let mut found = Vec::new();
        gaps(data, |gap| found.push((gap.from_seq, gap.to_seq))).unwrap();
        assert_eq!(found, [(3, 9)]);
        let data =
            br#"{"assets":[{"id":"B"}],"pairs":[{"base":"B","symbol":"A/B"},{"symbol":"C/D"}]}"#;
        let mut symbols = Vec::new();
        instruments(data, |symbol| symbols.push(symbol)).unwrap();
        assert_eq!(symbols, [&b"A/B"[..], b"C/D"]);
    }
}
