// Coming back, or not; clocks, percentiles, columns.

import assert from "node:assert/strict";
import test from "node:test";
import { RemoteClock, rfc3339Millis } from "../../dashboard/clock.js";
import { fitColumns } from "../../dashboard/columns.js";
import { duration } from "../../dashboard/format.js";
import { Window } from "../../dashboard/latency.js";
import { backoff, closeAdvice, closeMeaning, mayReturn } from "../../dashboard/socket.js";

test("codes_from_4500_to_4999_do_not_come_back", () => {
  for (const code of [4500, 4501, 4503, 4999]) assert.ok(!mayReturn(code), String(code));
  for (const code of [1000, 1006, 1008, 1012, 1013, 4001, 4499]) assert.ok(mayReturn(code));
});

test("a_close_is_told_in_words_with_the_gateways_reason", () => {
  assert.equal(closeMeaning(1012, "the gateway restarts"), "the gateway restarts");
  assert.equal(closeMeaning(1012, ""), "the gateway is restarting");
  assert.equal(closeMeaning(4777, ""), "close code 4777");
  assert.equal(closeMeaning(4777, "a whim"), "close code 4777: a whim");
  assert.match(closeAdvice(4502), /no sign-in/);
  assert.equal(closeAdvice(1012), "");
});

test("back_off_grows_to_a_limit_and_is_half_chance", () => {
  assert.equal(backoff(1, 0), 250);
  assert.equal(backoff(1, 1), 500);
  assert.ok(backoff(4, 0) > backoff(2, 1));
  assert.equal(backoff(1000, 1), 15_000);
});

test("a_clock_is_corrected_only_when_a_ping_proves_it_wrong", () => {
  const remote = new RemoteClock();
  remote.observe(1000, 1001.2, 1001.2, 1002);
  assert.equal(remote.ahead(), 0);
  const wrong = new RemoteClock();
  wrong.observe(1000, 6001, 6001, 1002);
  assert.equal(wrong.ahead(), 5000);
});

test("times_keep_their_microseconds", () => {
  const base = Date.parse("2023-07-30T15:29:58Z");
  assert.ok(Math.abs(rfc3339Millis("2023-07-30T15:29:58.343415Z") - base - 343.415) < 0.01);
  assert.equal(rfc3339Millis("2023-07-30T17:29:58+02:00"), base);
  assert.ok(Number.isNaN(rfc3339Millis(undefined)));
});

test("percentiles_are_of_the_newest_samples", () => {
  const window = new Window(100);
  for (let i = 0; i < 1000; i += 1) window.record(9999);
  for (let i = 1; i <= 100; i += 1) window.record(i);
  assert.deepEqual(window.summary(), { count: 100, p50: 50, p90: 90, p99: 99, max: 100 });
  assert.equal(new Window(4).summary(), null);
});

test("durations_read_in_the_unit_that_fits", () => {
  assert.equal(duration(0.42), "420 µs");
  assert.equal(duration(3.217), "3.22 ms");
  assert.equal(duration(-1250), "−1.25 s");
  assert.equal(duration(undefined), "–");
});

test("a_narrow_list_leaves_out_whole_columns_never_digits", () => {
  const widths = new Map([["symbol", 100], ["bid", 90], ["ask", 90], ["last", 90], ["low", 90],
    ["high", 90], ["volume", 170]]);
  assert.deepEqual(fitColumns(widths, 720).left, []);
  assert.deepEqual(fitColumns(widths, 719).left, ["low", "high"]);
  assert.deepEqual(fitColumns(widths, 400).left, ["low", "high", "volume"]);
  assert.equal(fitColumns(widths, 100).template, "minmax(0, 100fr) minmax(0, 90fr)");
});
