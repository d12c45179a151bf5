//! The smallest stage: some symbols, a session or two, one cycle at a time.
#![allow(dead_code, reason = "each test program uses its share")]

use fanout::{Fanout, HistoryLimits, Limits, SessionKey};
use market::{
    Body, BookChange, Instrument, Level, Levels, Nanos, OrderKind, Price, Quote, Side, Size,
    Stamps, SymbolId, Tick, Trade, Trading, Truth,
};

pub(crate) const LIMITS: Limits = Limits {
    outbox_bytes_max: 1 << 20,
    slow_warning_bytes: 2000,
    slow_cleared_bytes: 500,
    write_timeout_ns: 10_000_000_000,
    trades_behind_max: 20,
    bases_bytes_max: 1 << 20,
    slice_bytes_max: 1 << 18,
    slice_symbols_max: 256,
    history: HistoryLimits { bytes_max: 1 << 20, age_ns_max: u64::MAX },
    subscriptions_max: 10_000,
    requests_per_second_max: 50,
    bad_requests_max: 3,
    credentials_timeout_ns: 10_000_000_000,
    heartbeat_ns: 1_000_000_000,
    ping_ns: 5_000_000_000,
    pong_timeout_ns: 2_000_000_000,
};

pub(crate) struct Scene {
    pub(crate) fanout: Fanout,
    pub(crate) ingest: Truth,
    now: u64,
}

impl Scene {
    pub(crate) fn new(symbols: &[&str]) -> Self {
        let mut scene = Self { fanout: Fanout::new(LIMITS, 1), ingest: Truth::default(), now: 0 };
        for (at, name) in symbols.iter().enumerate() {
            let instrument = Instrument {
                symbol: (*name).into(),
                venue: "v".into(),
                venue_symbol: (*name).into(),
                base: "A".into(),
                quote: "B".into(),
                price_precision: 0,
                size_precision: 0,
                price_increment: Price(1),
                size_increment: Size(1),
                size_min: Size(1),
                book_levels_max: 10,
                trading: Trading::Online,
            };
            scene.tick(at as u32, Body::Instrument(instrument));
        }
        scene
    }

    pub(crate) fn fold(&mut self, symbol: u32, body: Body<'_>) -> Vec<u8> {
        let symbol = SymbolId(symbol);
        let sequence = self.ingest.next_sequence(symbol, body.channel());
        let tick = Tick { symbol, sequence, stamps: self.stamps(), body };
        self.ingest.apply(&tick).expect("in step");
        let mut record = Vec::new();
        tick.encode(&mut record);
        record
    }

    pub(crate) fn tick(&mut self, symbol: u32, body: Body<'_>) {
        let record = self.fold(symbol, body);
        self.fanout.handle_tick(&Tick::decode(&record).expect("whole")).expect("in step");
    }

    pub(crate) fn open(&mut self) -> SessionKey {
        let key = self.fanout.handle_open(1, 0);
        self.written(key);
        key
    }

    pub(crate) fn ask(&mut self, key: SessionKey, text: &str) {
        self.fanout.handle_text(key, &mut text.as_bytes().to_vec(), Nanos(1));
    }

    fn stamps(&self) -> Stamps {
        let now = Nanos(self.now);
        Stamps { event: now, recv: now, publish: now }
    }

    pub(crate) const fn at(&mut self, now: u64) {
        self.now = now;
    }

    /// The session's socket takes no more; ends the cycle.
    pub(crate) fn block(&mut self, key: SessionKey) {
        self.fanout.keep(key);
        while self.fanout.poll_dirty().is_some() {}
        self.fanout.end_cycle();
    }

    /// What is written to a session in this cycle, which goes on.
    pub(crate) fn taken(&mut self, key: SessionKey) -> String {
        let mut text = String::new();
        self.taken_bytes(key, &mut |bytes| text += &String::from_utf8_lossy(bytes));
        text
    }

    fn taken_bytes(&mut self, key: SessionKey, heard: &mut impl FnMut(&[u8])) {
        self.fanout.handle_pace(self.now);
        let mut is_more = true;
        while is_more {
            let mut bytes = Vec::new();
            is_more = self.fanout.take(key, 1 << 14, &mut bytes, |_| {}, self.now);
            heard(&bytes);
        }
    }

    /// Everything that waits for a session, as one text; ends the cycle.
    pub(crate) fn written(&mut self, key: SessionKey) -> String {
        let mut text = String::new();
        self.written_bytes(key, |bytes| text += &String::from_utf8_lossy(bytes));
        text
    }

    /// The same as it is: whole frames at a time.
    pub(crate) fn written_bytes(&mut self, key: SessionKey, mut heard: impl FnMut(&[u8])) {
        loop {
            self.taken_bytes(key, &mut heard);
            while self.fanout.poll_dirty().is_some() {}
            self.fanout.end_cycle();
            if !self.fanout.has_work() {
                return;
            }
            self.fanout.handle_work(Nanos(self.now));
        }
    }
}

pub(crate) fn quote(bid: i64) -> Body<'static> {
    let level = |price| Level { price: Price(price), size: Size(1) };
    Body::Quote(Quote { bid: level(bid), ask: level(bid + 1) })
}

pub(crate) fn trade(trade_id: u64) -> Body<'static> {
    Body::Trade(Trade {
        price: Price(5),
        size: Size(1),
        side: Side::Buy,
        order_kind: OrderKind::Market,
        trade_id,
        ts_event: Nanos(1),
    })
}

pub(crate) fn book(bids: &[(i64, i64)], asks: &[(i64, i64)]) -> Body<'static> {
    let levels = |side: &[(i64, i64)]| -> &'static [Level] {
        let level = |(price, size): &(i64, i64)| Level { price: Price(*price), size: Size(*size) };
        side.iter().map(level).collect::<Vec<_>>().leak()
    };
    Body::Book(BookChange { bids: Levels::new(levels(bids)), asks: Levels::new(levels(asks)) })
}
