// The market: what messages make of it, and what it wants asked anew.

import assert from "node:assert/strict";
import test from "node:test";
import { readJson } from "../../dashboard/json.js";
import { Market } from "../../dashboard/market.js";

const SYMBOL = "BTC/USD";

function market() {
  const made = new Market();
  const pair = `{"symbol":"${SYMBOL}","price_precision":1,"qty_precision":8,"status":"online"}`;
  say(made, `{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[${pair}]}}`);
  made.focusOn(SYMBOL);
  return made;
}

function say(to, text) {
  to.apply(readJson(text));
}

function data(channel, type, items, x) {
  const sibling = x ? `,"x":${JSON.stringify(x)}` : "";
  return `{"channel":"${channel}","type":"${type}","data":[${items}]${sibling}}`;
}

const quote = (bid) => `{"symbol":"${SYMBOL}","bid":${bid},"ask":29430.30}`;
const book = (qty) =>
  `{"symbol":"${SYMBOL}","bids":[{"price":1.0,"qty":${qty}}],"asks":[{"price":2.0,"qty":1}]}`;
const trade = (id) =>
  `{"symbol":"${SYMBOL}","side":"buy","price":1.0,"qty":0.50,"trade_id":${id}}`;
const bar = (minute, close) =>
  `{"symbol":"${SYMBOL}","close":${close},"interval_begin":"2023-07-30T15:${minute}:00.000000Z"}`;

test("a_quote_keeps_its_text_and_an_absent_field_keeps_its_value", () => {
  const made = market();
  say(made, data("ticker", "snapshot", quote("29430.20")));
  say(made, data("ticker", "update", `{"symbol":"${SYMBOL}","bid":29430.10}`));
  assert.equal(made.rows.get(SYMBOL).bid, "29430.10");
  assert.equal(made.rows.get(SYMBOL).ask, "29430.30");
});

test("a_symbol_no_instrument_named_appears_with_its_first_quote", () => {
  const made = new Market();
  say(made, data("ticker", "update", quote("1.0")));
  assert.deepEqual([...made.rows.keys()], [SYMBOL]);
});

test("a_gap_in_a_book_stops_it_until_the_next_snapshot", () => {
  const made = market();
  say(made, data("book", "snapshot", book("1"), { seq: 7 }));
  say(made, data("book", "update", book("2"), { seq: 8 }));
  assert.equal(made.focus.book.bids[0].qty, "2");
  say(made, data("book", "update", book("3"), { seq: 10 }));
  assert.equal(made.focus.book.checksum, "waiting");
  assert.ok(made.focus.book.awaiting);
  assert.deepEqual(made.resyncs, [{ channel: "book", symbol: SYMBOL, reason: "gap" }]);
  assert.equal(made.missedCount, 1);
  say(made, data("book", "update", book("4"), { seq: 11 }));
  assert.equal(made.focus.book.bids[0].qty, "2");
  say(made, data("book", "snapshot", book("5"), { seq: 12 }));
  assert.equal(made.focus.book.bids[0].qty, "5");
});

test("a_frame_that_stands_for_several_updates_is_no_gap", () => {
  const made = market();
  say(made, data("ticker", "snapshot", quote("1.0"), { seq: 1 }));
  say(made, data("ticker", "update", quote("1.1"), { seq: 9, first_seq: 2, merged: 8 }));
  assert.equal(made.gapCount, 0);
  say(made, data("ticker", "update", quote("1.2"), { seq: 14, first_seq: 12, merged: 3 }));
  assert.equal(made.gapCount, 1);
  assert.equal(made.missedCount, 2);
});

test("an_update_seen_before_changes_nothing", () => {
  const made = market();
  say(made, data("ticker", "snapshot", quote("1.5"), { seq: 5 }));
  say(made, data("ticker", "update", quote("1.4"), { seq: 4 }));
  assert.equal(made.rows.get(SYMBOL).bid, "1.5");
});

test("a_wrong_checksum_asks_for_the_book_anew", () => {
  const made = market();
  const wrong = `{"symbol":"${SYMBOL}","bids":[],"asks":[],"checksum":12}`;
  say(made, data("book", "snapshot", wrong));
  assert.equal(made.focus.book.checksum, "wrong");
  assert.ok(made.focus.book.awaiting);
  assert.deepEqual(made.resyncs, [{ channel: "book", symbol: SYMBOL, reason: "checksum" }]);
});

test("trades_are_newest_first_and_bounded", () => {
  const made = market();
  say(made, data("trade", "snapshot", [trade(2), trade(1), trade(3)].join(",")));
  assert.deepEqual(made.focus.trades.map((at) => at.trade_id), ["3", "2", "1"]);
  for (let id = 4; id < 300; id += 1) say(made, data("trade", "update", trade(id)));
  assert.equal(made.focus.trades[0].trade_id, "299");
  assert.ok(made.focus.trades.length <= 100);
  assert.equal(made.focus.trades[0].qty, "0.50");
});

test("a_bar_is_replaced_while_it_lasts_and_followed_by_the_next", () => {
  const made = market();
  say(made, data("ohlc", "snapshot", [bar(29, "1.0"), bar(30, "2.0")].join(",")));
  say(made, data("ohlc", "update", bar(30, "2.50")));
  say(made, data("ohlc", "update", bar(31, "3.0")));
  assert.deepEqual(made.focus.bars.map((at) => at.close), ["1.0", "2.50", "3.0"]);
});

test("notices_mark_a_symbol_stale_and_well_again", () => {
  const made = market();
  const since = "2023-07-30T15:30:00Z";
  const notice = (state) => {
    const item = { kind: "state", symbol: SYMBOL, state, since };
    return data("notice", "update", JSON.stringify(item));
  };
  say(made, notice("stale"));
  assert.equal(made.rows.get(SYMBOL).state, "stale");
  say(made, notice("ok"));
  assert.equal(made.rows.get(SYMBOL).state, "ok");
});

test("messages_for_a_symbol_left_behind_are_ignored", () => {
  const made = market();
  made.focusOn("ETH/USD");
  say(made, data("book", "update", book("9")));
  say(made, data("trade", "update", trade(1)));
  assert.equal(made.focus.book.bids.length, 0);
  assert.equal(made.focus.trades.length, 0);
});

test("channels_of_a_newer_server_are_ignored", () => {
  say(market(), '{"channel":"level9","type":"update","data":[{}]}');
});
