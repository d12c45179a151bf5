//! Data frames under audit: the number first, then what the channel promises beside it.

use super::auditor::Auditor;
use super::sequence::Step;
use super::stream::{Stream, StreamKey};
use super::tape::Content;
use super::violation::Kind;
use crate::load::clock::rfc3339_ns;
use crate::load::dashboard::SessionId;
use crate::scan::cursor::{Cursor, ScanError};
use crate::scan::items::{Trade, book_item, head, quote, trades};
use crate::scan::message::{Channel, DataFrame, Numbering};

impl Auditor {
    /// Judges one frame of market data.
    pub(super) fn data(
        &mut self,
        session: SessionId,
        frame: &DataFrame<'_>,
        received_ns: u64,
    ) -> Result<(), ScanError> {
        if frame.snapshot {
            self.seen.snapshots += 1;
        } else {
            self.seen.updates += 1;
        }
        if frame.channel == Channel::Instrument {
            return Ok(());
        }
        let head = head(frame.data)?;
        // An empty snapshot (no trades yet) says nothing, not even whose it is.
        let Some(symbol) = head.symbol else { return Ok(()) };
        if head.mixed {
            self.blame_session(Kind::Unasked, session, || {
                format!("one {} frame about several symbols", frame.channel.name())
            });
            return Ok(());
        }
        let interval = self.watch.interval_of(frame.channel, head.interval);
        let at = self.symbols.get(symbol).copied();
        let key = at.map(|at| StreamKey::new(session, at, frame.channel, interval));
        let subscribed = |key: &StreamKey| self.streams.get(key).is_some_and(|one| !one.left);
        let Some(key) = key.filter(subscribed) else {
            let (name, channel) = (String::from_utf8_lossy(symbol), frame.channel.name());
            let detail = format!("frame for {name} {channel}, which was not subscribed");
            self.blame_session(Kind::Unasked, session, || detail);
            return Ok(());
        };
        if frame.numbering.is_none() && self.watch.seq {
            self.blame(Kind::Unnumbered, key, || "frame without x.seq".to_owned());
        }
        if !frame.snapshot {
            let since_ns = if self.was_away(received_ns) { self.turned_ns } else { received_ns };
            self.paces.update(key, since_ns, received_ns);
        }
        let fresh = frame.numbering.is_none_or(|numbering| {
            let items = u64::from(head.count);
            self.shown(key, frame, numbering, received_ns);
            self.number(key, frame.snapshot, numbering, items, received_ns)
        });
        let ts_event = frame
            .numbering
            .map(|numbering| numbering.ts_event)
            .filter(|ts_event| *ts_event > 0)
            .or_else(|| rfc3339_ns(head.timestamp));
        match frame.channel {
            Channel::Book => self.book(key, frame, ts_event)?,
            Channel::Trade if fresh => self.trades(key, frame)?,
            _ => {}
        }
        Ok(())
    }

    /// Holds a ticker's quote against what others were shown under its number.
    fn shown(
        &mut self,
        key: StreamKey,
        frame: &DataFrame<'_>,
        numbering: Numbering,
        received_ns: u64,
    ) {
        let quoted = key.channel() == Channel::Ticker;
        let quote = quoted.then(|| quote(frame.data).ok().flatten()).flatten();
        if !self.newest.shown(key, numbering.seq, received_ns, quote) {
            self.blame(Kind::TickerContent, key, || {
                format!("sequence {}: another session was shown another quote", numbering.seq)
            });
        }
    }

    /// Holds a frame's number against those before; false if the frame says nothing new.
    fn number(
        &mut self,
        key: StreamKey,
        snapshot: bool,
        numbering: Numbering,
        items: u64,
        received_ns: u64,
    ) -> bool {
        let Numbering { seq, first_seq, .. } = numbering;
        self.returned(key, snapshot, first_seq);
        self.seen.merged += u64::from(first_seq < seq);
        let stream = self.streams.get_mut(&key).expect("looked up by the caller");
        let before = stream.sequence.last();
        let unanchored = stream.trades.anchor.is_none() && key.channel() == Channel::Trade;
        if before.is_none() {
            stream.begin = if snapshot { seq } else { first_seq.saturating_sub(1) };
        }
        let step = if snapshot {
            stream.sequence.snapshot(seq)
        } else {
            stream.sequence.update(first_seq, seq)
        };
        if let Step::Skipped(_) = step {
            stream.holed_ns = received_ns;
        }
        if !snapshot && step != Step::Again {
            self.stands_for(key, numbering, items);
        } else if snapshot && before.is_some_and(|before| seq > before) {
            stream.delivered += 1;
        }
        match step {
            // A gap is judged at the end, when it is known whether anybody announced it.
            Step::Next | Step::Skipped(_) => true,
            Step::Late => {
                self.blame_number(Kind::Reordered, key, || {
                    format!("sequence {seq} after {}", before.unwrap_or_default())
                });
                true
            }
            Step::Again => {
                self.blame(Kind::Duplicate, key, || {
                    let newest = before.unwrap_or_default();
                    format!("sequence {first_seq}..={seq} again, the newest was {newest}")
                });
                false
            }
            // Where there were no trades yet, the snapshot was empty and named nobody.
            Step::Astray { wanted: 1 } if unanchored => true,
            Step::Astray { wanted } => {
                self.blame(Kind::Join, key, || {
                    format!("first update is {first_seq}, not {wanted}, and no snapshot came")
                });
                true
            }
        }
    }

    /// Books what an update stands for: itself, or its trades, as delivered, the rest as merged. A
    /// trade is never merged away.
    fn stands_for(&mut self, key: StreamKey, numbering: Numbering, items: u64) {
        let (count, said) = (numbering.count(), numbering.merged.unwrap_or(1));
        let stream = self.streams.get_mut(&key).expect("looked up by the caller");
        let trade = key.channel() == Channel::Trade;
        let own = if trade { items.min(said) } else { 1 };
        stream.delivered += own;
        stream.merged += said.saturating_sub(own);
        if count != said {
            self.blame_number(Kind::MergedCount, key, || {
                let Numbering { first_seq, seq, .. } = numbering;
                format!("sequence {first_seq}..={seq} are {count}, the frame says merged {said}")
            });
        }
        if trade && items < count {
            self.blame(Kind::TradeMerged, key, || {
                let Numbering { first_seq, seq, .. } = numbering;
                format!("{items} trades for sequence {first_seq}..={seq}")
            });
        }
    }

    fn book(
        &mut self,
        key: StreamKey,
        frame: &DataFrame<'_>,
        ts_event: Option<u64>,
    ) -> Result<(), ScanError> {
        let depth = self.watch.depth;
        let mut cursor = Cursor::new(frame.data);
        cursor.array(|item| {
            let Stream { book, ts_event: newest, sequence, .. } =
                self.streams.get_mut(&key).expect("looked up by the caller");
            if frame.snapshot {
                book.clear();
            }
            let stated = book_item(item, |side, price, qty| book.apply(side, price, qty))?;
            book.truncate(depth);
            *newest = ts_event.unwrap_or(*newest);
            let (computed, seq) = (book.checksum(), sequence.last().unwrap_or_default());
            self.seen.checksums += 1;
            if stated != Some(u64::from(computed)) {
                self.blame(Kind::Checksum, key, || match stated {
                    Some(stated) => {
                        format!("at sequence {seq}: book has {computed}, frame says {stated}")
                    }
                    None => format!("at sequence {seq}: frame without a checksum"),
                });
            }
            Ok(())
        })
    }

    fn trades(&mut self, key: StreamKey, frame: &DataFrame<'_>) -> Result<(), ScanError> {
        trades(frame.data, |trade| {
            let seen = &mut self.streams.get_mut(&key).expect("looked up by the caller").trades;
            let before = seen.last;
            seen.last = before.max(trade.trade_id);
            if frame.snapshot {
                seen.anchor = seen.anchor.max(Some(trade.trade_id));
                return;
            }
            seen.count += 1;
            seen.first.get_or_insert(trade.trade_id);
            self.seen.trades += 1;
            if trade.trade_id <= before {
                self.blame(Kind::TradeOrder, key, || {
                    format!("trade {} after trade {before}", trade.trade_id)
                });
            }
            self.keep(key, &trade);
        })
    }

    fn keep(&mut self, key: StreamKey, trade: &Trade<'_>) {
        let Some(tapes) = self.tapes.as_mut() else { return };
        let agreed = Content::of(trade)
            .is_some_and(|content| tapes.add(key.symbol(), trade.trade_id, content));
        if !agreed {
            self.blame(Kind::TradeContent, key, || {
                let text = String::from_utf8_lossy;
                let (price, qty) = (text(trade.price), text(trade.qty));
                let id = trade.trade_id;
                format!("trade {id} as {price} x {qty}: unreadable, or another session saw another")
            });
        }
    }
}
