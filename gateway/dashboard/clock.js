// Wall-clock time finer than a millisecond, and how far the gateway's clock is from ours.
//
// Date.now() ticks in milliseconds; performance.now() is finer but drifts from the wall clock when
// the machine sleeps or its clock is set. So the wall clock is performance.now() plus the largest
// difference seen lately (Date.now() rounds down, so the largest is the closest to the truth).
// Corrections for a foreign clock are applied only when a ping proves that the clocks differ.

const RECALIBRATE_MS = 10_000;
const RFC3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

let offset = -Infinity;
let candidate = -Infinity;
let since = 0;

/** Milliseconds since 1970, with the resolution of performance.now(). */
export function wallClock() {
  const steady = performance.now();
  const difference = Date.now() - steady;
  if (difference > offset) offset = difference;
  if (difference > candidate) candidate = difference;
  if (steady - since > RECALIBRATE_MS) {
    offset = candidate;
    candidate = -Infinity;
    since = steady;
  }
  return steady + offset;
}

/** Keeps the ping with the shortest round trip lately: it bounds the other clock best. */
export class RemoteClock {
  constructor() {
    this.pings = [];
  }

  /** Times in wall-clock milliseconds: sent, received there, answered there, back here. */
  observe(sent, there, answered, back) {
    const roundTrip = back - sent - (answered - there);
    const ahead = (there - sent + (answered - back)) / 2;
    this.pings.push({ roundTrip, ahead });
    if (this.pings.length > 32) this.pings.shift();
  }

  clear() {
    this.pings.length = 0;
  }

  /** How far the gateway's clock is ahead of ours in ms; 0 unless that is beyond doubt. */
  ahead() {
    let best = null;
    for (const ping of this.pings) if (!best || ping.roundTrip < best.roundTrip) best = ping;
    // A millisecond more than the doubt: both clocks are read with some rounding.
    return best && Math.abs(best.ahead) > best.roundTrip / 2 + 1 ? best.ahead : 0;
  }
}

/** Milliseconds since 1970 of an RFC 3339 time, microseconds kept; NaN when it is none. */
export function rfc3339Millis(text) {
  const match = RFC3339.exec(text ?? "");
  if (!match) return NaN;
  const [, seconds, fraction, zone] = match;
  return Date.parse(seconds + zone) + Number(fraction ?? 0) * 1000;
}
