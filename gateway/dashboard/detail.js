// The head of the symbol in focus: name, state, last price, statistics of the day.
//
// Shows the same row the watch list shows; book, trades and bars have files of their own.

import { compare, sign } from "./decimal.js";
import { element, QuantityCell, TextCell } from "./figure.js";
import { signed } from "./watchrow.js";

const STATS = [
  ["bid", "Bid"],
  ["ask", "Ask"],
  ["low", "Low"],
  ["high", "High"],
  ["vwap", "VWAP"],
  ["volume", "Volume"],
];

export class Detail {
  constructor(market) {
    this.market = market;
    const at = (id) => document.getElementById(id);
    this.el = at("detail");
    this.name = new TextCell(at("focus-symbol"));
    this.badge = at("focus-state");
    this.badgeText = new TextCell(this.badge);
    this.last = new TextCell(at("focus-last"));
    this.change = new TextCell(at("focus-change"));
    this.symbol = null;
    this.version = -1;
    this.stats = STATS.map(([key, title]) => {
      const pair = element("div", "", at("stats"));
      element("dt", "", pair).textContent = title;
      const value = element("dd", "num", pair);
      return { key, cell: key === "volume" ? new QuantityCell(value) : new TextCell(value) };
    });
  }

  paint() {
    const symbol = this.market.focus?.symbol ?? null;
    if (symbol !== this.symbol) {
      this.symbol = symbol;
      this.version = -1;
      this.el.hidden = symbol === null;
      document.body.classList.toggle("focused", symbol !== null);
      this.last.el.className = "big num";
    }
    const row = symbol === null ? undefined : this.market.rows.get(symbol);
    if (symbol !== null) this.name.set(symbol);
    if (!row || row.version === this.version) return;
    const fresh = this.version === -1;
    this.version = row.version;
    const before = this.last.shown;
    const last = row.last ?? "–";
    if (this.last.set(last) && !fresh && before && before !== "–" && last !== "–") {
      this.last.el.className = `big num ${compare(last, before) > 0 ? "rise" : "fall"}`;
    }
    const tone = ["fall", "", "rise"][sign(row.change ?? "0") + 1];
    const percent = row.change_pct === undefined ? "" : ` (${signed(row.change_pct)} %)`;
    this.change.set(row.change === undefined ? "" : signed(row.change) + percent);
    if (this.change.el.className !== `num ${tone}`) this.change.el.className = `num ${tone}`;
    for (const { key, cell } of this.stats) cell.set(row[key] ?? "–");
    const troubled = row.state !== "ok" || row.status !== "online";
    this.badge.hidden = !troubled;
    this.badge.dataset.state = row.state;
    this.el.dataset.state = row.state;
    const words = row.state === "ok" ? row.status.replaceAll("_", " ") : row.state;
    const since = row.since && row.state !== "ok" ? ` since ${clockOf(row.since)}` : "";
    this.badgeText.set(words + since);
  }
}

/** The time of day in an RFC 3339 text, as it was sent; other texts are shown whole. */
function clockOf(since) {
  return /T(\d\d:\d\d:\d\d)/.exec(since)?.[1] ?? since;
}
