// Durations and rates, measured over the newest samples.
//
// A window holds a fixed number of samples and forgets the oldest; percentiles are computed when
// asked (about once a second), so that recording costs one store.

const WINDOW_SIZE = 4096;

export class Window {
  constructor(size = WINDOW_SIZE) {
    this.samples = new Float64Array(size);
    this.total = 0;
  }

  record(value) {
    this.samples[this.total % this.samples.length] = value;
    this.total += 1;
  }

  clear() {
    this.total = 0;
  }

  get count() {
    return Math.min(this.total, this.samples.length);
  }

  /** `{count, p50, p90, p99, max}` of what the window holds, or null when it is empty. */
  summary() {
    const count = this.count;
    if (count === 0) return null;
    const sorted = this.samples.slice(0, count).sort();
    const rank = (share) => sorted[Math.min(count - 1, Math.ceil(count * share) - 1)];
    return { count, p50: rank(0.5), p90: rank(0.9), p99: rank(0.99), max: sorted[count - 1] };
  }
}

/** Events per second over the last few whole seconds. */
export class Rate {
  constructor() {
    this.pending = 0;
    this.lastTurn = null;
    this.perSecond = 0;
  }

  count(events = 1) {
    this.pending += events;
  }

  /** Closes the interval that ends at `now` (milliseconds) and returns the rate over it. */
  turn(now) {
    if (this.lastTurn !== null && now > this.lastTurn) {
      this.perSecond = (this.pending * 1000) / (now - this.lastTurn);
    }
    this.pending = 0;
    this.lastTurn = now;
    return this.perSecond;
  }
}
