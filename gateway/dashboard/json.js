// A JSON reader that keeps every number as the text that was sent.
//
// JSON.parse turns 29430.20 into 29430.2, which loses the precision a trader reads and breaks the
// book's checksum, which covers the text. Here a number becomes a string: 29430.20 -> "29430.20".
// Who needs arithmetic converts on the spot. Malformed input throws with its position; nesting is
// limited, so a hostile message cannot exhaust the stack.

const DEPTH_MAX = 32;
const QUOTE = 34;
const BACKSLASH = 92;
const ESCAPES = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

let text = "";
let at = 0;

/** Reads one JSON document; numbers come back as strings. Throws SyntaxError. */
export function readJson(source) {
  text = source;
  at = 0;
  skipSpace();
  const value = readValue(0);
  skipSpace();
  if (at !== text.length) fail("unexpected text after the document");
  text = "";
  return value;
}

function fail(what) {
  throw new SyntaxError(`${what} at character ${at}`);
}

function skipSpace() {
  for (;;) {
    const c = text.charCodeAt(at);
    if (c === 32 || c === 10 || c === 13 || c === 9) at += 1;
    else return;
  }
}

function readValue(depth) {
  if (depth > DEPTH_MAX) fail("nested too deeply");
  switch (text[at]) {
    case "{":
      return readObject(depth);
    case "[":
      return readArray(depth);
    case '"':
      return readString();
    case "t":
      return readWord("true", true);
    case "f":
      return readWord("false", false);
    case "n":
      return readWord("null", null);
    default:
      return readNumber();
  }
}

function readObject(depth) {
  const object = {};
  at += 1;
  skipSpace();
  if (text[at] === "}") {
    at += 1;
    return object;
  }
  for (;;) {
    if (text.charCodeAt(at) !== QUOTE) fail("expected a key");
    const key = readString();
    skipSpace();
    if (text[at] !== ":") fail("expected ':'");
    at += 1;
    skipSpace();
    const value = readValue(depth + 1);
    // Assigning this one key would replace the object's prototype instead of adding a member.
    if (key !== "__proto__") object[key] = value;
    skipSpace();
    const next = text[at];
    at += 1;
    if (next === "}") return object;
    if (next !== ",") fail("expected ',' or '}'");
    skipSpace();
  }
}

function readArray(depth) {
  const array = [];
  at += 1;
  skipSpace();
  if (text[at] === "]") {
    at += 1;
    return array;
  }
  for (;;) {
    array.push(readValue(depth + 1));
    skipSpace();
    const next = text[at];
    at += 1;
    if (next === "]") return array;
    if (next !== ",") fail("expected ',' or ']'");
    skipSpace();
  }
}

function readWord(word, value) {
  if (!text.startsWith(word, at)) fail("unexpected word");
  at += word.length;
  return value;
}

function readString() {
  const start = at + 1;
  let end = start;
  for (;;) {
    const c = text.charCodeAt(end);
    if (c === QUOTE) break;
    if (c === BACKSLASH) return readEscapedString(start, end);
    if (!(c >= 32)) {
      at = end;
      fail("unfinished string");
    }
    end += 1;
  }
  at = end + 1;
  return text.slice(start, end);
}

function readEscapedString(start, firstEscape) {
  let out = text.slice(start, firstEscape);
  at = firstEscape;
  for (;;) {
    const c = text[at];
    if (c === '"') {
      at += 1;
      return out;
    }
    if (c === undefined || c < " ") fail("unfinished string");
    if (c !== "\\") {
      out += c;
      at += 1;
      continue;
    }
    const kind = text[at + 1];
    if (kind === "u") {
      const hex = text.slice(at + 2, at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) fail("bad \\u escape");
      out += String.fromCharCode(parseInt(hex, 16));
      at += 6;
    } else {
      if (!Object.hasOwn(ESCAPES, kind ?? "")) fail("bad escape");
      out += ESCAPES[kind];
      at += 2;
    }
  }
}

function skipDigits() {
  const start = at;
  for (;;) {
    const c = text.charCodeAt(at);
    if (c >= 48 && c <= 57) at += 1;
    else break;
  }
  if (at === start) fail("unexpected character");
}

function readNumber() {
  const start = at;
  if (text[at] === "-") at += 1;
  if (text[at] === "0") at += 1;
  else skipDigits();
  if (text[at] === ".") {
    at += 1;
    skipDigits();
  }
  if (text[at] === "e" || text[at] === "E") {
    at += 1;
    if (text[at] === "+" || text[at] === "-") at += 1;
    skipDigits();
  }
  return text.slice(start, at);
}
