// Runs inside the page before its own code: notes frames, moving cells and the socket's raw texts.
//
// Numbers are picked out of the raw texts by pattern, so that what the page shows is compared with
// what was sent without trusting the page's own reader.

/** Self-contained: it is handed to the browser as source text. */
export function observePage() {
  const FIELDS = ["bid", "ask", "last", "change_pct", "volume"];
  const TEXTS_MAX = 50_000;
  const received = [];
  const sent = [];
  /** "symbol field" to every text it was sent with. */
  const known = new Map();
  const changes = new Map();
  let longest = 0;
  let missed = 0;
  let count = 0;
  let before = null;

  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", (event) => {
        if (received.length < TEXTS_MAX) received.push(event.data);
      });
    }

    send(text) {
      sent.push(text);
      super.send(text);
    }
  };

  document.addEventListener("securitypolicyviolation", (event) => {
    window.reportViolation(
      `content security policy: ${event.effectiveDirective} ${event.blockedURI}`,
    );
  });

  function frame(now) {
    if (before !== null) {
      longest = Math.max(longest, now - before);
      if (now - before > 50) missed += 1;
      count += 1;
    }
    before = now;
    requestAnimationFrame(frame);
  }
  requestAnimationFrame(frame);

  function learn() {
    for (const text of received.splice(0)) {
      if (!text.includes('"channel":"ticker"')) continue;
      for (const item of text.split('{"symbol":').slice(1)) {
        const symbol = /^"([^"]+)"/.exec(item)?.[1];
        for (const field of FIELDS) {
          const number = new RegExp(`"${field}":(-?[0-9.eE+-]+)`).exec(item)?.[1];
          if (number === undefined) continue;
          const key = `${symbol} ${field}`;
          if (!known.has(key)) known.set(key, new Set());
          known.get(key).add(number);
        }
      }
    }
  }
  setInterval(learn, 200);

  const rows = () => [...document.querySelectorAll("#rows .row[data-symbol]:not([hidden])")];
  const numberShown = (cell) => cell.textContent.replace("−", "-").replace(/^\+/, "");

  window.observer = {
    watchCells() {
      let last = new Map();
      setInterval(() => {
        const now = new Map();
        for (const row of rows()) {
          const text = row.querySelector('[data-field="bid"]').textContent;
          now.set(row.dataset.symbol, text);
          const previous = last.get(row.dataset.symbol);
          if (previous !== undefined && previous !== text) {
            changes.set(row.dataset.symbol, (changes.get(row.dataset.symbol) ?? 0) + 1);
          }
        }
        last = now;
      }, 250);
    },

    /** Symbols whose price changed, the liveliest first. */
    moves() {
      return [...changes].sort((a, b) => b[1] - a[1]).map(([symbol]) => symbol);
    },

    visibleSymbols() {
      return rows().length;
    },

    compareDigits() {
      learn();
      const foreign = [];
      let compared = 0;
      let zeros = 0;
      for (const row of rows()) {
        for (const field of FIELDS) {
          const shown = numberShown(row.querySelector(`[data-field="${field}"]`));
          if (shown === "–") continue;
          const texts = known.get(`${row.dataset.symbol} ${field}`);
          compared += 1;
          if (!texts?.has(shown)) foreign.push({ symbol: row.dataset.symbol, field, shown });
          if (/\.\d*0$/.test(shown)) zeros += 1;
        }
      }
      const all = [...known.values()].flatMap((texts) => [...texts]);
      return { foreign, compared, zeros, zerosSent: all.some((text) => /\.\d*0$/.test(text)) };
    },

    unsubscribed(symbol) {
      return sent.filter((text) => {
        const request = JSON.parse(text);
        return request.method === "unsubscribe" && request.params.symbol.includes(symbol);
      }).length;
    },

    frames() {
      return { count, above50ms: missed, longest: Math.round(longest * 10) / 10 };
    },
  };
}
