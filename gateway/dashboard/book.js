// One symbol's book, kept by price as text: apply, truncate to depth, verify.
//
// Invariant: each side is ordered best first and never longer than the depth subscribed to, as the
// checksum and the sender's view of what we still hold both depend on it. No I/O and no DOM.

import { bookChecksum } from "./checksum.js";
import { compare, isZero } from "./decimal.js";

export class Book {
  /** `precision` is `{price, qty}`, places after the point, or undefined while unknown. */
  constructor(depth, precision) {
    this.depth = depth;
    this.precision = precision;
    this.bids = [];
    this.asks = [];
    /** Counts changes, so that a view can tell whether it painted the newest. */
    this.version = 0;
    this.awaiting = true;
    /** "waiting" for a snapshot, "verified", "wrong", or "unchecked" when none was sent. */
    this.checksum = "waiting";
    this.verifiedCount = 0;
    this.wrongCount = 0;
  }

  /** Keeps the levels to look at, but they are not to be updated before the next snapshot. */
  awaitSnapshot() {
    this.awaiting = true;
    if (this.checksum !== "wrong") this.checksum = "waiting";
    this.version += 1;
  }

  snapshot(item) {
    this.bids = [];
    this.asks = [];
    this.awaiting = false;
    return this.update(item);
  }

  /** Applies one message; returns the checksum state after it. */
  update(item) {
    for (const level of item.bids ?? []) place(this.bids, level, 1);
    for (const level of item.asks ?? []) place(this.asks, level, -1);
    if (this.bids.length > this.depth) this.bids.length = this.depth;
    if (this.asks.length > this.depth) this.asks.length = this.depth;
    this.version += 1;
    this.verify(item.checksum);
    return this.checksum;
  }

  verify(expected) {
    if (expected === undefined || expected === null) {
      this.checksum = "unchecked";
      return;
    }
    const { price, qty } = this.precision ?? {};
    if (bookChecksum(this.bids, this.asks, price, qty) === expected) {
      this.checksum = "verified";
      this.verifiedCount += 1;
    } else {
      this.checksum = "wrong";
      this.wrongCount += 1;
    }
  }
}

/** Puts, replaces or removes one level; `direction` is 1 when higher prices come first. */
function place(side, level, direction) {
  let low = 0;
  let high = side.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const order = compare(side[middle].price, level.price) * direction;
    if (order === 0) {
      if (isZero(level.qty)) side.splice(middle, 1);
      else side[middle] = { price: level.price, qty: level.qty };
      return;
    }
    if (order > 0) low = middle + 1;
    else high = middle;
  }
  if (!isZero(level.qty)) side.splice(low, 0, { price: level.price, qty: level.qty });
}
