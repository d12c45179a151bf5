// What the page knows of the market: one row per symbol, and everything about the symbol in focus.
//
// Messages are applied here and nowhere else; views read it when they paint and never write to it.
// Versions count changes, so a view repaints only what changed since it last looked. What must be
// asked of the gateway again (after a gap or a wrong checksum) waits in `resyncs` for the session.

import { Book } from "./book.js";

const TRADES_MAX = 100;
const BARS_MAX = 240;
const RESYNCS_MAX = 64;
export const BOOK_DEPTH = 25;

const QUOTE_FIELDS = [
  "bid", "bid_qty", "ask", "ask_qty", "last", "volume", "vwap", "low", "high", "change",
  "change_pct", "timestamp",
];

class Row {
  constructor(symbol, index) {
    this.symbol = symbol;
    this.index = index;
    /** Trading status from the instrument: "online" or what the venue restricts. */
    this.status = "online";
    /** Feed state from notices: ok, stale, recovering, halted, closed. */
    this.state = "ok";
    this.since = "";
    this.precision = undefined;
    this.version = 0;
    for (const field of QUOTE_FIELDS) this[field] = undefined;
  }
}

/** The symbol a dashboard looks at closely: its book, trades and bars. */
class Focus {
  constructor(symbol, precision) {
    this.symbol = symbol;
    this.book = new Book(BOOK_DEPTH, precision);
    /** Newest first. */
    this.trades = [];
    this.tradeCount = 0;
    this.tradesVersion = 0;
    /** Oldest first. */
    this.bars = [];
    this.barsVersion = 0;
    /** Channel to the gateway's words, for what it refused. */
    this.refused = {};
  }
}

export class Market {
  constructor() {
    this.rows = new Map();
    /** Counts changes to the set of symbols and to their states. */
    this.listVersion = 0;
    this.stateVersion = 0;
    this.focus = null;
    this.system = "";
    this.serverVersion = "";
    this.feed = "";
    this.gapCount = 0;
    this.missedCount = 0;
    this.slow = false;
    this.drain = null;
    /** Why the gateway refuses to send quotes, in its words. */
    this.refused = "";
    /** `{channel, symbol, reason}` to be subscribed anew. */
    this.resyncs = [];
    this.sequences = { ticker: new Map(), trade: new Map(), book: new Map(), ohlc: new Map() };
  }

  /** Looks at another symbol, or at none. */
  focusOn(symbol) {
    if (this.focus) this.forget(this.focus.symbol);
    this.focus = symbol === null ? null : new Focus(symbol, this.rows.get(symbol)?.precision);
  }

  forget(symbol) {
    for (const channel of ["trade", "book", "ohlc"]) this.sequences[channel].delete(symbol);
  }

  /** A new connection numbers anew and will send snapshots; states are told again as well. */
  beginConnection() {
    for (const known of Object.values(this.sequences)) known.clear();
    this.resyncs.length = 0;
    this.slow = false;
    this.drain = null;
    this.refused = "";
    this.feed = "";
    for (const row of this.rows.values()) this.setState(row, "ok", "");
    this.focus?.book.awaitSnapshot();
    if (this.focus) this.focus.refused = {};
  }

  /** Applies one message from the gateway. Unknown channels are ignored: newer servers add some. */
  apply(message) {
    const { channel, type, data } = message;
    switch (channel) {
      case "ticker":
        for (const item of data) this.applyQuote(item, type, message.x);
        break;
      case "book":
        for (const item of data) this.applyBook(item, type, message.x);
        break;
      case "trade":
        this.applyTrades(data, type, message.x);
        break;
      case "ohlc":
        this.applyBars(data, type, message.x);
        break;
      case "instrument":
        this.applyInstruments(data);
        break;
      case "status":
        this.applyStatus(data);
        break;
      case "heartbeat":
        this.feed = describeFeed(message.x?.feed);
        break;
      case "notice":
        for (const item of data) this.applyNotice(item);
        break;
      default:
    }
  }

  row(symbol) {
    let row = this.rows.get(symbol);
    if (!row) {
      row = new Row(symbol, this.rows.size);
      this.rows.set(symbol, row);
      this.listVersion += 1;
    }
    return row;
  }

  applyQuote(item, type, x) {
    // A quote carries every value, so a gap leaves nothing wrong behind: it is only counted.
    const continuity = this.follow("ticker", item.symbol, type, x);
    if (continuity === "old") return;
    const row = this.row(item.symbol);
    for (const field of QUOTE_FIELDS) if (item[field] !== undefined) row[field] = item[field];
    row.version += 1;
  }

  applyBook(item, type, x) {
    if (this.focus?.symbol !== item.symbol) return;
    const { book } = this.focus;
    if (type === "snapshot") {
      this.follow("book", item.symbol, type, x);
      book.snapshot(item);
    } else {
      if (book.awaiting) return;
      const continuity = this.follow("book", item.symbol, type, x);
      if (continuity === "old") return;
      if (continuity === "gap") {
        this.resync("book", item.symbol, "gap");
        return;
      }
      book.update(item);
    }
    if (book.checksum === "wrong") this.resync("book", item.symbol, "checksum");
  }

  applyTrades(items, type, x) {
    const symbol = items[0]?.symbol;
    const { focus } = this;
    if (!focus || focus.symbol !== symbol) return;
    const continuity = this.follow("trade", symbol, type, x);
    if (continuity === "old") return;
    if (continuity === "gap") this.resync("trade", symbol, "gap");
    const ordered = [...items].sort((a, b) => Number(a.trade_id) - Number(b.trade_id));
    if (type === "snapshot") focus.trades = [];
    focus.trades.unshift(...ordered.reverse());
    if (focus.trades.length > TRADES_MAX) focus.trades.length = TRADES_MAX;
    focus.tradeCount += type === "snapshot" ? 0 : items.length;
    focus.tradesVersion += 1;
  }

  applyBars(items, type, x) {
    const symbol = items[0]?.symbol;
    const { focus } = this;
    if (!focus || focus.symbol !== symbol) return;
    const continuity = this.follow("ohlc", symbol, type, x);
    if (continuity === "old") return;
    if (continuity === "gap") this.resync("ohlc", symbol, "gap");
    if (type === "snapshot") focus.bars = [];
    for (const bar of items) placeBar(focus.bars, bar);
    if (focus.bars.length > BARS_MAX) focus.bars.splice(0, focus.bars.length - BARS_MAX);
    focus.barsVersion += 1;
  }

  applyInstruments(data) {
    for (const pair of data?.pairs ?? []) {
      const row = this.row(pair.symbol);
      row.precision = { price: Number(pair.price_precision), qty: Number(pair.qty_precision) };
      if (pair.status !== undefined && pair.status !== row.status) {
        row.status = pair.status;
        row.version += 1;
        this.stateVersion += 1;
      }
      if (this.focus?.symbol === pair.symbol) this.focus.book.precision = row.precision;
    }
  }

  applyStatus(data) {
    const item = Array.isArray(data) ? data[0] : data;
    this.system = item?.system ?? "";
    this.serverVersion = item?.version ?? "";
  }

  applyNotice(item) {
    switch (item.kind) {
      case "state":
        if (item.symbol === "*" || item.symbol === undefined) {
          for (const row of this.rows.values()) this.setState(row, item.state, item.since);
        } else {
          this.setState(this.row(item.symbol), item.state, item.since);
        }
        break;
      case "gap":
        this.gapCount += 1;
        this.missedCount += Number(item.count ?? 0);
        if (item.channel !== "ticker" && item.symbol === this.focus?.symbol) {
          this.resync(item.channel, item.symbol, "gap");
        }
        break;
      case "slow_warning":
        this.slow = true;
        break;
      case "slow_cleared":
        this.slow = false;
        break;
      case "drain":
        this.drain = { reconnectAfterMs: Number(item.reconnect_after_ms ?? 0) };
        break;
      default:
    }
  }

  setState(row, state, since) {
    if (row.state === state && row.since === since) return;
    row.state = state;
    row.since = since ?? "";
    row.version += 1;
    this.stateVersion += 1;
  }

  /** Checks a frame's sequence: "ok", "gap" (updates are missing before it) or "old" (seen). */
  follow(channel, symbol, type, x) {
    if (x?.seq === undefined) return "ok";
    const known = this.sequences[channel];
    const sequence = Number(x.seq);
    const first = Number(x.first_seq ?? x.seq);
    const last = known.get(symbol);
    if (type === "snapshot" || last === undefined) {
      known.set(symbol, sequence);
      return "ok";
    }
    if (sequence <= last) return "old";
    known.set(symbol, sequence);
    if (first <= last + 1) return "ok";
    this.gapCount += 1;
    this.missedCount += first - last - 1;
    return "gap";
  }

  resync(channel, symbol, reason) {
    if (this.resyncs.some((want) => want.channel === channel && want.symbol === symbol)) return;
    if (channel === "book") this.focus.book.awaitSnapshot();
    if (this.resyncs.length < RESYNCS_MAX) this.resyncs.push({ channel, symbol, reason });
  }
}

function placeBar(bars, bar) {
  const begin = bar.interval_begin;
  let at = bars.length;
  while (at > 0 && bars[at - 1].interval_begin > begin) at -= 1;
  if (at > 0 && bars[at - 1].interval_begin === begin) bars[at - 1] = bar;
  else bars.splice(at, 0, bar);
}

/** The heartbeat's feed state: a word, or a map of feeds of which the worst is told. */
function describeFeed(feed) {
  if (feed === undefined || feed === null) return "";
  if (typeof feed === "string") return feed;
  const bad = Object.entries(feed).filter(([, state]) => state !== "ok" && state !== "live");
  return bad.length === 0 ? "ok" : bad.map(([name, state]) => `${name} ${state}`).join(", ");
}
