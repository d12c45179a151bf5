// Decimal arithmetic on text, against BigInt arithmetic on random numbers.

import assert from "node:assert/strict";
import test from "node:test";
import {
  add, atPrecision, compare, isZero, plain, sign, subtract,
} from "../../dashboard/decimal.js";
import { significantLength } from "../../dashboard/figure.js";

const PLACES = 10;

/** A seeded generator, so that a failure can be repeated. */
function generator(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function randomDecimal(random) {
  const digits = (count) => Array.from({ length: count }, () => random(10)).join("");
  const whole = String(random(2) ? random(1000) : random(1_000_000_000));
  const fraction = digits(random(PLACES + 1));
  return (random(4) === 0 ? "-" : "") + whole + (fraction ? `.${fraction}` : "");
}

function scaled(text) {
  const [whole, fraction = ""] = text.replace("-", "").split(".");
  const value = BigInt(whole + fraction.padEnd(PLACES, "0"));
  return text.startsWith("-") ? -value : value;
}

test("compare_add_and_subtract_agree_with_exact_integers", () => {
  const random = generator(20230730);
  for (let i = 0; i < 20_000; i += 1) {
    const [a, b] = [randomDecimal(random), randomDecimal(random)];
    const [x, y] = [scaled(a), scaled(b)];
    assert.equal(compare(a, b), x < y ? -1 : x > y ? 1 : 0, `compare ${a} ${b}`);
    assert.equal(scaled(add(a, b)), x + y, `${a} + ${b}`);
    assert.equal(scaled(subtract(a, b)), x - y, `${a} - ${b}`);
    assert.equal(sign(a), x < 0n ? -1 : x > 0n ? 1 : 0, `sign ${a}`);
  }
});

test("a_result_has_the_precision_of_the_finer_number", () => {
  assert.equal(subtract("64321.2", "64321.10"), "0.10");
  assert.equal(add("0.10000000", "0.2"), "0.30000000");
  assert.equal(subtract("1", "1.000"), "0.000");
  assert.equal(subtract("0.1", "0.25"), "-0.15");
});

test("exponents_are_written_out", () => {
  assert.equal(plain("1.5e-7"), "0.00000015");
  assert.equal(plain("1.5E+3"), "1500");
  assert.equal(plain("-2e0"), "-2");
  assert.equal(plain("12.50"), "12.50");
  assert.equal(compare("1e-7", "0.0000001"), 0);
});

test("a_precision_adds_zeros_and_never_takes_digits", () => {
  assert.equal(atPrecision("5", 2), "5.00");
  assert.equal(atPrecision("5.123", 2), "5.123");
  assert.equal(atPrecision("5.1", undefined), "5.1");
});

test("zero_is_zero_however_it_is_written", () => {
  for (const text of ["0", "0.00000000", "-0.0", "0e5"]) assert.ok(isZero(text), text);
  for (const text of ["0.00000001", "10", "-1"]) assert.ok(!isZero(text), text);
});

test("only_the_zeros_that_end_a_fraction_are_dimmed", () => {
  const cut = (text) => {
    const at = significantLength(text);
    return [text.slice(0, at), text.slice(at)];
  };
  assert.deepEqual(cut("0.10000000"), ["0.1", "0000000"]);
  assert.deepEqual(cut("4.00000000"), ["4", ".00000000"]);
  assert.deepEqual(cut("100"), ["100", ""]);
  assert.deepEqual(cut("1.25"), ["1.25", ""]);
});
