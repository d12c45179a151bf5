// The book and its checksum: against a recording of a real venue, and by hand.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { Book } from "../../dashboard/book.js";
import { bookChecksum, crc32 } from "../../dashboard/checksum.js";
import { readJson } from "../../dashboard/json.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const DATA = process.env.GATEWAY_DATA ?? path.join(ROOT, "..", "shared", "data");
const RECORDING = path.join(DATA, "kraken_v2", "btcusd_book10_wiretext_first256.jsonl");
const PRECISION = { price: 1, qty: 8 };

function recording(context) {
  if (existsSync(RECORDING)) {
    return readFileSync(RECORDING, "utf8").split("\n").filter(Boolean).map(readJson);
  }
  console.log(`SKIPPED: recorded data not found at ${RECORDING}`);
  context.skip("recorded data not found");
  return null;
}

const level = (price, qty) => ({ price, qty });
const prices = (side) => side.map((at) => at.price);

test("crc32_gives_the_published_check_value", () => {
  assert.equal(crc32("123456789"), 0xcbf43926);
  assert.equal(crc32(""), 0);
});

test("every_checksum_of_the_recorded_venue_is_right", (context) => {
  const messages = recording(context);
  if (!messages) return;
  const book = new Book(10, PRECISION);
  for (const message of messages) {
    const item = message.data[0];
    const state = message.type === "snapshot" ? book.snapshot(item) : book.update(item);
    assert.notEqual(state, "wrong", `at ${item.timestamp}`);
    assert.equal(book.checksum, "verified", `at ${item.timestamp}`);
    assert.ok(book.bids.length <= 10 && book.asks.length <= 10);
  }
  assert.equal(book.verifiedCount, messages.length);
  assert.ok(messages.length > 200, "the recording is shorter than it was");
});

test("a_book_that_missed_one_update_is_found_out", (context) => {
  const messages = recording(context);
  if (!messages) return;
  const book = new Book(10, PRECISION);
  book.snapshot(messages[0].data[0]);
  for (const message of messages.slice(2)) book.update(message.data[0]);
  assert.ok(book.wrongCount > 0);
});

test("a_deeper_book_has_the_same_checksum_as_its_top_ten", () => {
  const bids = Array.from({ length: 25 }, (_, i) => level(`${100 - i}.0`, "1.00000000"));
  const asks = Array.from({ length: 25 }, (_, i) => level(`${101 + i}.0`, "2.50000000"));
  assert.equal(
    bookChecksum(bids, asks, 1, 8),
    bookChecksum(bids.slice(0, 10), asks.slice(0, 10), 1, 8),
  );
});

test("a_number_sent_short_is_checked_at_the_instruments_precision", () => {
  const full = bookChecksum([level("1.50", "0.10000000")], [level("1.60", "2.00000000")], 2, 8);
  const short = bookChecksum([level("1.5", "0.1")], [level("1.6", "2")], 2, 8);
  assert.equal(short, full);
});

test("levels_are_placed_replaced_removed_and_truncated", () => {
  const book = new Book(3);
  book.snapshot({
    bids: [level("10.0", "1"), level("9.5", "1"), level("9.0", "1")],
    asks: [level("10.5", "1"), level("11.0", "1")],
  });
  assert.equal(book.checksum, "unchecked");
  book.update({ bids: [level("9.7", "4")], asks: [level("10.5", "0.000"), level("10.8", "3")] });
  assert.deepEqual(prices(book.bids), ["10.0", "9.7", "9.5"]);
  assert.deepEqual(prices(book.asks), ["10.8", "11.0"]);
  book.update({ bids: [level("9.70", "5")], asks: [] });
  assert.equal(book.bids.length, 3);
  assert.equal(book.bids[1].qty, "5");
  book.update({ bids: [level("8.0", "0"), level("10.0", "0")] });
  assert.deepEqual(prices(book.bids), ["9.70", "9.5"]);
});

test("prices_are_ordered_as_numbers_not_as_texts", () => {
  const book = new Book(5);
  book.update({ asks: [level("100.0", "1"), level("9.0", "1"), level("10.00", "1")], bids: [] });
  assert.deepEqual(prices(book.asks), ["9.0", "10.00", "100.0"]);
});
