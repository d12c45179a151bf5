// The connection: opens, watches for silence, comes back with back-off and jitter, or stays away.
//
// Close codes 4500-4999 mean "do not come back as you are": the page stays closed and says why.
// A socket that is open but silent is worse than a closed one, so silence is a phase of its own
// and, when it lasts, ends in a new connection. Knows nothing of channels or markets.

export const SILENT_MS = 3_000;
export const ABANDON_MS = 10_000;
const OPENING_MS = 10_000;
const STEADY_MS = 10_000;
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 15_000;

const MEANINGS = {
  1000: "closed normally",
  1001: "the gateway is going away",
  1002: "protocol error",
  1003: "unacceptable data",
  1006: "the connection broke",
  1007: "text that was not UTF-8",
  1008: "refused by policy",
  1009: "a message was too large",
  1011: "the gateway failed",
  1012: "the gateway is restarting",
  1013: "the gateway is overloaded",
  4001: "this dashboard was too slow",
  4002: "heartbeat missed",
  4003: "the token expired",
  4004: "too many requests",
  4005: "a resync is needed",
  4501: "credentials refused",
  4502: "no credentials in time",
  4503: "not entitled",
  4504: "displaced, or too many connections",
  4505: "bad requests",
};

/** Why a connection was closed, in words: the gateway's own, where it gave any. */
export function closeMeaning(code, reason) {
  const known = MEANINGS[code];
  if (!reason) return known ?? `close code ${code}`;
  return known ? reason : `close code ${code}: ${reason}`;
}

/** What whoever reads the page can do about it; empty where that is nothing. */
export function closeAdvice(code) {
  const unknown = code === 4501 || code === 4502;
  return unknown ? "This page has no sign-in: it shows what the gateway gives to anybody." : "";
}

/** Whether a session closed with this code may come back by itself. */
export function mayReturn(code) {
  return !(code >= 4500 && code <= 4999);
}

/** Milliseconds to wait before attempt `attempt` (1 is the first), half of it random. */
export function backoff(attempt, random) {
  const ceiling = Math.min(BACKOFF_FIRST_MS * 2 ** (attempt - 1), BACKOFF_MAX_MS);
  return ceiling / 2 + (random * ceiling) / 2;
}

export class Connection {
  /** `events` has `opened()`, `text(string)` and `changed()`; all are called on this thread. */
  constructor(url, events) {
    this.url = url;
    this.events = events;
    this.socket = null;
    /** idle, connecting, live, silent, waiting (to retry) or closed (for good). */
    this.phase = "idle";
    this.why = "";
    this.code = 0;
    this.attempt = 0;
    this.openedCount = 0;
    this.retryAt = 0;
    this.lastHeard = 0;
    this.phaseSince = 0;
    this.lastCheck = 0;
    this.notBeforeMs = 0;
  }

  start() {
    this.detach();
    this.enter("connecting");
    let socket;
    try {
      socket = new WebSocket(this.url);
    } catch (error) {
      this.lost(1006, String(error.message ?? error));
      return;
    }
    this.socket = socket;
    socket.onopen = () => {
      this.openedCount += 1;
      this.lastHeard = performance.now();
      this.enter("live");
      this.events.opened();
    };
    socket.onmessage = (event) => {
      this.lastHeard = performance.now();
      if (this.phase === "silent") this.enter("live");
      if (typeof event.data === "string") this.events.text(event.data);
    };
    socket.onclose = (event) => this.lost(event.code, event.reason);
  }

  /** Sends a request; returns false when there is no open socket to send it on. */
  send(request) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(request));
    return true;
  }

  /** Comes back at once instead of at the end of the back-off. */
  retryNow() {
    if (this.phase === "waiting" || this.phase === "closed") this.start();
  }

  /** To be called a few times a second; `now` is performance.now(). */
  check(now) {
    // A page that slept cannot tell silence from its own sleep: it gives the gateway a new start.
    if (now - this.lastCheck > 2_000) this.lastHeard = now;
    this.lastCheck = now;
    const quiet = now - this.lastHeard;
    if (this.phase === "waiting" && now >= this.retryAt) this.start();
    else if (this.phase === "connecting" && now - this.phaseSince > OPENING_MS) {
      this.lost(1006, "no answer");
    } else if (this.phase === "live" && quiet > SILENT_MS) this.enter("silent");
    else if (this.phase === "silent" && quiet > ABANDON_MS) {
      this.lost(4002, `nothing heard for ${Math.round(quiet / 1000)} s`);
    } else if (this.phase === "live" && now - this.phaseSince > STEADY_MS) this.attempt = 0;
  }

  lost(code, reason) {
    this.detach();
    this.code = code;
    this.why = closeMeaning(code, reason);
    if (!mayReturn(code)) {
      this.enter("closed");
      return;
    }
    this.attempt += 1;
    this.retryAt = performance.now() + this.notBeforeMs + backoff(this.attempt, Math.random());
    this.notBeforeMs = 0;
    this.enter("waiting");
  }

  /** Lets go of the socket without waiting for a peer that may never answer the close. */
  detach() {
    const { socket } = this;
    if (!socket) return;
    this.socket = null;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    if (socket.readyState <= WebSocket.OPEN) socket.close();
  }

  enter(phase) {
    this.phase = phase;
    this.phaseSince = performance.now();
    this.events.changed();
  }
}
