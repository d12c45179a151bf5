// The JSON reader: numbers keep their text, and everything JSON.parse refuses is refused.

import assert from "node:assert/strict";
import test from "node:test";
import { readJson } from "../../dashboard/json.js";

/** What JSON.parse makes of a document, once our numbers are read as numbers again. */
function numbersAsText(value) {
  if (typeof value === "number") return String(value);
  if (Array.isArray(value)) return value.map(numbersAsText);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, numbersAsText(v)]));
}

test("a_number_keeps_every_digit_it_was_sent_with", () => {
  const numbers = '"bid":29430.20,"qty":0.10000000,"big":12345678901234567890';
  assert.deepEqual(readJson(`{${numbers},"small":1.0e-7,"n":-0.0}`), {
    bid: "29430.20",
    qty: "0.10000000",
    big: "12345678901234567890",
    small: "1.0e-7",
    n: "-0.0",
  });
});

test("everything_else_reads_as_json_parse_reads_it", () => {
  const documents = [
    ' { "a" : [ 1 , { } , [ ] , null , true , false ] } ',
    '"plain"',
    '"tab\\t quote\\" slash\\/ back\\\\ \\u20ac \\ud83d\\ude00"',
    '{"nested":{"deep":{"er":[[[1]]]}},"empty":""}',
    '"µ€😀"',
    "7",
  ];
  for (const text of documents) {
    assert.deepEqual(readJson(text), numbersAsText(JSON.parse(text)), text);
  }
});

test("malformed_documents_are_refused_with_a_position", () => {
  const documents = [
    "", "{", "[1,]", '{"a":1,}', "{a:1}", '"open', "01", "1.", ".5", "-", "+1", "1e", "tru", "nul",
    "[1 2]", '{"a" 1}', "1 2", '"\\x"', '"\\u12g4"', '"line\nbreak"', "NaN", "[1}", "\u0000",
  ];
  for (const text of documents) {
    assert.throws(() => JSON.parse(text), SyntaxError, `JSON.parse takes ${text}`);
    assert.throws(() => readJson(text), /at character \d+/, `taken: ${text}`);
  }
});

test("a_document_nested_without_end_does_not_exhaust_the_stack", () => {
  assert.throws(() => readJson("[".repeat(100_000)), /nested too deeply/);
});

test("a_key_cannot_replace_the_prototype", () => {
  const read = readJson('{"__proto__":{"polluted":1},"a":2}');
  assert.equal(read.polluted, undefined);
  assert.deepEqual(Object.keys(read), ["a"]);
});
