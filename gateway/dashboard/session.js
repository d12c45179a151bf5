// What the page asks of the gateway, and when: subscriptions, pings, and asking again.
//
// It first asks with the gateway's extensions: every symbol at once, sequences wanted. A
// server that refuses the wildcard is taken for a plain Kraken v2 server and asked symbol by
// symbol without extensions. After a gap or a wrong checksum one channel of one symbol is
// subscribed anew, less and less often while that does not help.

import { readJson } from "./json.js";
import { RemoteClock, rfc3339Millis, wallClock } from "./clock.js";
import { Rate, Window } from "./latency.js";
import { BOOK_DEPTH } from "./market.js";

const PING_MS = 1_000;
const PLAIN_BATCH = 100;
const RESYNC_FIRST_MS = 500;
const RESYNC_MAX_MS = 30_000;
const RESYNC_CALM_MS = 60_000;
const PENDING_MAX = 1_000;
/** Refusals of the wildcard that mean "I do not know it"; a plain server gives no code at all. */
const MISUNDERSTOOD = [undefined, "INVALID_REQUEST", "UNKNOWN_SYMBOL"];

export class Session {
  /** `connection` is set by who makes both, as each needs the other. */
  constructor(market) {
    this.market = market;
    this.connection = null;
    this.plainServer = false;
    /** A plain server is asked for quotes once its instruments have named the symbols. */
    this.awaitingInstruments = false;
    this.requestCount = 0;
    this.pending = new Map();
    this.lastPing = 0;
    this.resyncCount = 0;
    this.calm = new Map();
    this.unreadable = 0;
    this.lastError = "";
    this.remote = new RemoteClock();
    this.rate = new Rate();
    this.bytes = new Rate();
    this.frames = 0;
    this.windows = {
      ping: new Window(256),
      venue: new Window(),
      gateway: new Window(),
      page: new Window(),
      whole: new Window(),
    };
  }

  /** The connection opened: everything is asked for from the start. */
  opened() {
    this.pending.clear();
    this.calm.clear();
    this.lastPing = 0;
    this.remote.clear();
    this.clearWindows();
    this.market.beginConnection();
    this.request("subscribe", { channel: "instrument", snapshot: true });
    this.subscribeQuotes();
    if (this.market.focus) this.subscribeFocus("subscribe", this.market.focus.symbol);
  }

  clearWindows() {
    for (const window of Object.values(this.windows)) window.clear();
  }

  text(source) {
    const now = wallClock();
    this.rate.count();
    this.bytes.count(source.length);
    this.frames += 1;
    let message;
    try {
      message = readJson(source);
    } catch (error) {
      this.unreadable += 1;
      this.lastError = `unreadable message: ${error.message}`;
      return;
    }
    if (message?.channel !== undefined) {
      this.stamp(message, now);
      this.market.apply(message);
      if (this.market.drain && this.connection) {
        this.connection.notBeforeMs = this.market.drain.reconnectAfterMs;
      }
      if (this.market.resyncs.length > 0) this.resync();
    } else if (message?.method === "pong") this.pong(message, now);
    else if (message?.method !== undefined) this.acknowledged(message);
    else if (message?.error !== undefined) this.lastError = String(message.error);
  }

  /** Leaves the symbol in focus and looks at another; null looks at none. */
  focusOn(symbol) {
    const before = this.market.focus?.symbol;
    if (before === symbol) return;
    if (before !== undefined) this.subscribeFocus("unsubscribe", before);
    this.market.focusOn(symbol);
    this.calm.clear();
    if (symbol !== null) this.subscribeFocus("subscribe", symbol);
  }

  /** To be called a few times a second; `now` is performance.now(). */
  check(now) {
    if (this.connection?.phase !== "live" && this.connection?.phase !== "silent") return;
    if (now - this.lastPing >= PING_MS) {
      this.lastPing = now;
      this.request("ping");
    }
    if (this.market.resyncs.length > 0) this.resync();
  }

  request(method, params) {
    const reqId = (this.requestCount += 1);
    const request = { method, req_id: reqId };
    if (params) request.params = params;
    if (!this.connection?.send(request)) return;
    const asked = { method, params, sent: wallClock(), steady: performance.now() };
    this.pending.set(String(reqId), asked);
    // Bounded because a server may leave requests unanswered; the oldest is the least awaited.
    if (this.pending.size > PENDING_MAX) this.pending.delete(this.pending.keys().next().value);
  }

  params(params) {
    return this.plainServer ? params : { ...params, x: { seq: true } };
  }

  subscribeQuotes() {
    if (!this.plainServer) {
      const everything = { channel: "ticker", symbol: ["*"], event_trigger: "bbo" };
      this.request("subscribe", this.params(everything));
      return;
    }
    const symbols = [...this.market.rows.keys()];
    this.awaitingInstruments = symbols.length === 0;
    for (let i = 0; i < symbols.length; i += PLAIN_BATCH) {
      const symbol = symbols.slice(i, i + PLAIN_BATCH);
      this.request("subscribe", { channel: "ticker", symbol, event_trigger: "bbo" });
    }
  }

  subscribeFocus(method, symbol) {
    for (const channel of ["book", "trade", "ohlc"]) this.subscribeOne(method, channel, symbol);
  }

  subscribeOne(method, channel, symbol) {
    const params = { channel, symbol: [symbol] };
    if (channel === "book") params.depth = BOOK_DEPTH;
    if (channel === "ohlc") params.interval = 1;
    this.request(method, method === "subscribe" ? this.params(params) : params);
  }

  /** Asks again for what the market found wrong, unless it did so a moment ago. */
  resync() {
    const now = performance.now();
    const later = [];
    for (const want of this.market.resyncs) {
      if (want.symbol !== this.market.focus?.symbol) continue;
      const calm = this.calm.get(want.channel) ?? { at: -Infinity, wait: RESYNC_FIRST_MS };
      if (now - calm.at < calm.wait) {
        later.push(want);
        continue;
      }
      const wait = now - calm.at > RESYNC_CALM_MS ? RESYNC_FIRST_MS : calm.wait * 2;
      this.calm.set(want.channel, { at: now, wait: Math.min(wait, RESYNC_MAX_MS) });
      this.resyncCount += 1;
      this.lastError = `${want.channel} ${want.symbol} asked anew: ${want.reason} fault`;
      this.subscribeOne("unsubscribe", want.channel, want.symbol);
      this.subscribeOne("subscribe", want.channel, want.symbol);
    }
    this.market.resyncs = later;
  }

  acknowledged(message) {
    const asked = this.pending.get(message.req_id);
    if (message.success !== false) {
      // A plain server acknowledges each symbol with the same req_id, hence only singles are done.
      if (!(asked?.params?.symbol?.length > 1)) this.pending.delete(message.req_id);
      return;
    }
    const words = message.error ?? "refused";
    const channel = asked?.params?.channel ?? message.result?.channel ?? "request";
    const symbol = message.symbol ?? asked?.params?.symbol?.[0] ?? "";
    const extended = asked?.method === "subscribe" && asked.params.x !== undefined;
    if (extended && channel === "ticker" && !this.plainServer) {
      if (MISUNDERSTOOD.includes(message.x?.code)) this.becomePlain();
      else this.market.refused = words;
      return;
    }
    // Refused for its extensions, and asked again without them since.
    if (extended && this.plainServer) return;
    this.lastError = `${channel} ${symbol}: ${words}`;
    const { focus } = this.market;
    if (focus?.symbol === symbol && asked?.method === "subscribe") {
      focus.refused[channel] = words;
      focus.book.version += 1;
    }
  }

  /** Takes the server for a plain one: asks without extensions, once its symbols are known. */
  becomePlain() {
    this.plainServer = true;
    this.subscribeQuotes();
    if (this.market.focus) this.subscribeFocus("subscribe", this.market.focus.symbol);
  }

  pong(message, now) {
    const asked = this.pending.get(message.req_id);
    if (!asked) return;
    this.pending.delete(message.req_id);
    this.windows.ping.record(performance.now() - asked.steady);
    const there = rfc3339Millis(message.time_in);
    const answered = rfc3339Millis(message.time_out);
    if (there && answered) this.remote.observe(asked.sent, there, answered, now);
  }

  /** Records how old a data frame is at each station, where it says so. */
  stamp(message, now) {
    const { x } = message;
    if (message.type !== "update") {
      if (this.awaitingInstruments && message.channel === "instrument") {
        this.awaitingInstruments = false;
        queueMicrotask(() => this.subscribeQuotes());
      }
      return;
    }
    const local = now + this.remote.ahead();
    if (x?.ts_pub !== undefined) {
      const received = millis(x.ts_recv);
      const published = millis(x.ts_pub);
      const event = millis(x.ts_event);
      this.windows.page.record(local - published);
      if (received > 0) this.windows.gateway.record(published - received);
      if (event > 0) {
        this.windows.whole.record(local - event);
        if (received > 0) this.windows.venue.record(received - event);
      }
    } else if (message.channel === "ticker") {
      const event = rfc3339Millis(message.data[0]?.timestamp);
      if (event) this.windows.whole.record(local - event);
    }
  }
}

/** Nanoseconds since 1970, as text, in milliseconds; a quarter of a microsecond is kept. */
function millis(nanoseconds) {
  return nanoseconds === undefined ? 0 : Number(nanoseconds) / 1e6;
}
