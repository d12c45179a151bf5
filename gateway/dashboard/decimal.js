// Exact arithmetic on decimal text: compare, add, subtract, pad to a precision.
//
// Prices and sizes stay the text the gateway sent; nothing here passes through a float. Each
// operation costs a BigInt or two, which is cheap because it is done for what is painted, not for
// what is received; only `compare`, which orders a book, avoids BigInt.

/** Text without an exponent: "1.5e-7" -> "0.00000015"; anything else is returned as it is. */
export function plain(text) {
  const e = text.search(/[eE]/);
  if (e < 0) return text;
  const { sign, digits, places } = parts(text.slice(0, e));
  const shifted = places - Number(text.slice(e + 1));
  const body = shifted < 0 ? digits + "0".repeat(-shifted) : digits;
  return (sign < 0 ? "-" : "") + withPoint(body, Math.max(shifted, 0));
}

/** -1, 0 or 1, as `a` is below, equal to or above `b`. */
export function compare(a, b) {
  if (a === b) return 0;
  const x = parts(plain(a));
  const y = parts(plain(b));
  const places = Math.max(x.places, y.places);
  const left = (x.digits + "0".repeat(places - x.places)).replace(/^0+/, "");
  const right = (y.digits + "0".repeat(places - y.places)).replace(/^0+/, "");
  const leftSign = left === "" ? 0 : x.sign;
  const rightSign = right === "" ? 0 : y.sign;
  if (leftSign !== rightSign) return leftSign < rightSign ? -1 : 1;
  if (left === right) return 0;
  const below = left.length === right.length ? left < right : left.length < right.length;
  return below === leftSign > 0 ? -1 : 1;
}

/** -1, 0 or 1: the sign of a decimal text. */
export function sign(text) {
  if (isZero(text)) return 0;
  return text.charCodeAt(0) === 45 ? -1 : 1;
}

export function isZero(text) {
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c === 101 || c === 69) return true;
    if (c >= 49 && c <= 57) return false;
  }
  return true;
}

export function add(a, b) {
  return combine(a, b, (x, y) => x + y);
}

export function subtract(a, b) {
  return combine(a, b, (x, y) => x - y);
}

/** `text` with at least `places` digits after the point; never fewer than it came with. */
export function atPrecision(text, places) {
  const value = plain(text);
  const dot = value.indexOf(".");
  const have = dot < 0 ? 0 : value.length - dot - 1;
  if (!(places > have)) return value;
  return value + (dot < 0 ? "." : "") + "0".repeat(places - have);
}

function parts(text) {
  const negative = text.charCodeAt(0) === 45;
  const body = negative ? text.slice(1) : text;
  const dot = body.indexOf(".");
  if (dot < 0) return { sign: negative ? -1 : 1, digits: body, places: 0 };
  return {
    sign: negative ? -1 : 1,
    digits: body.slice(0, dot) + body.slice(dot + 1),
    places: body.length - dot - 1,
  };
}

function combine(a, b, operation) {
  const x = parts(plain(a));
  const y = parts(plain(b));
  const places = Math.max(x.places, y.places);
  const left = BigInt(x.digits + "0".repeat(places - x.places)) * BigInt(x.sign);
  const right = BigInt(y.digits + "0".repeat(places - y.places)) * BigInt(y.sign);
  const result = operation(left, right);
  const negative = result < 0n;
  return (negative ? "-" : "") + withPoint(String(negative ? -result : result), places);
}

function withPoint(digits, places) {
  const padded = digits.padStart(places + 1, "0");
  const whole = padded.slice(0, padded.length - places).replace(/^0+(?=\d)/, "");
  return places === 0 ? whole : `${whole}.${padded.slice(padded.length - places)}`;
}
