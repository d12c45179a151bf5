// The tape: the newest trades of the symbol in focus, newest first.
//
// Row elements move from the bottom to the top as trades arrive, so a trade costs one row, and a
// burst never costs more rows than are shown.

import { rfc3339Millis } from "./clock.js";
import { element, QuantityCell, TextCell } from "./figure.js";
import { count, timeOfDay } from "./format.js";

const ROWS = 40;

export class Tape {
  constructor(market) {
    this.market = market;
    this.el = document.getElementById("tape");
    this.note = new TextCell(document.getElementById("tape-note"));
    this.focus = null;
    this.version = -1;
    this.newest = null;
    /** The longest price, which gives the column its width. */
    this.digits = 0;
    const head = element("div", "trade head", this.el);
    head.setAttribute("role", "row");
    for (const title of ["Time", "Price", "Size"]) {
      const cell = element("span", "", head);
      cell.setAttribute("role", "columnheader");
      cell.textContent = title;
    }
    this.list = element("div", "", this.el);
    this.list.setAttribute("role", "rowgroup");
    /** In the order shown, top first. */
    this.rows = Array.from({ length: ROWS }, () => this.buildRow());
  }

  buildRow() {
    const el = element("div", "trade num", this.list);
    el.setAttribute("role", "row");
    const cell = (className, Type) => {
      const made = element("span", className, el);
      made.setAttribute("role", "cell");
      return new Type(made);
    };
    return {
      el,
      time: cell("quiet", TextCell),
      price: cell("price", TextCell),
      qty: cell("qty", QuantityCell),
    };
  }

  paint() {
    const { focus } = this.market;
    if (!focus || (focus === this.focus && focus.tradesVersion === this.version)) return;
    const { trades } = focus;
    const digits = Math.max(6, ...trades.map((trade) => trade.price.length));
    if (digits !== this.digits) {
      this.digits = digits;
      this.el.style.setProperty("--digits", String(digits));
    }
    const known = focus === this.focus ? trades.indexOf(this.newest) : -1;
    this.focus = focus;
    this.version = focus.tradesVersion;
    this.newest = trades[0] ?? null;
    if (known > 0 && known < ROWS) {
      for (let i = known - 1; i >= 0; i -= 1) {
        const row = this.rows.pop();
        this.rows.unshift(row);
        fill(row, trades[i]);
        this.list.prepend(row.el);
      }
    } else if (known !== 0) this.rows.forEach((row, i) => fill(row, trades[i]));
    const refused = focus.refused.trade;
    this.note.set(refused ? `refused: ${refused}` : `${count(focus.tradeCount)} live`);
  }
}

function fill(row, trade) {
  row.el.hidden = !trade;
  if (!trade) return;
  const sell = trade.side === "sell";
  row.time.set(timeOfDay(rfc3339Millis(trade.timestamp)));
  row.price.set(trade.price);
  row.qty.set(trade.qty);
  row.el.className = `trade num ${sell ? "sell" : "buy"}`;
  row.el.dataset.tradeId = trade.trade_id;
  row.el.title = `${sell ? "sell" : "buy"} ${trade.trade_id} at ${trade.timestamp}`;
}
