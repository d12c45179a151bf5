// One row of the watch list: its columns, how each reads, and the flash of a moved price.
//
// A row is painted when its version moved on. Cells flash up or down by comparing the text they
// showed with the text they show now, so a price that returned within a frame does not flash.

import { compare, sign, subtract } from "./decimal.js";
import { element, QuantityCell, TextCell } from "./figure.js";

export const ROW_HEIGHT = 28;
const FLASH_MS = 280;

export const COLUMNS = [
  { key: "symbol", title: "Symbol", text: true },
  { key: "bid_qty", title: "Bid size", kind: "qty" },
  { key: "bid", title: "Bid", flash: true },
  { key: "ask", title: "Ask", flash: true },
  { key: "ask_qty", title: "Ask size", kind: "qty" },
  { key: "spread", title: "Spread" },
  { key: "last", title: "Last", flash: true, tone: "direction" },
  { key: "change", title: "Change", tone: "sign" },
  { key: "change_pct", title: "Chg %", tone: "sign" },
  { key: "low", title: "Low" },
  { key: "high", title: "High" },
  { key: "volume", title: "Volume", kind: "qty" },
];

export function inTrouble(row) {
  return row.state === "stale" || row.state === "recovering";
}

/** One row element, lent to whichever symbol is at its place. */
export class Slot {
  constructor(body, number) {
    this.el = element("div", "row", body);
    this.el.id = `row-${number}`;
    this.el.setAttribute("role", "row");
    this.row = null;
    this.index = -1;
    this.version = -1;
    this.selected = false;
    this.active = false;
    this.cells = COLUMNS.map((column, i) => {
      const el = element("div", `cell c-${column.key}${column.text ? "" : " num"}`, this.el);
      el.setAttribute("role", i === 0 ? "rowheader" : "gridcell");
      el.setAttribute("aria-colindex", String(i + 1));
      el.dataset.field = column.key;
      const inner = column.text ? element("span", "name", el) : el;
      const cell = column.kind === "qty" ? new QuantityCell(el) : new TextCell(inner);
      return { column, cell, base: el.className, tone: "", flash: "" };
    });
    this.flashUntil = 0;
    this.badge = new TextCell(element("span", "badge", this.cells[0].cell.el.parentElement));
  }

  bind(row, index) {
    if (row !== this.row) {
      this.row = row;
      this.version = -1;
      this.el.hidden = row === null;
      if (row) this.el.dataset.symbol = row.symbol;
      else delete this.el.dataset.symbol;
    }
    if (index !== this.index) {
      this.index = index;
      this.el.style.top = `${index * ROW_HEIGHT}px`;
      this.el.setAttribute("aria-rowindex", String(index + 2));
    }
  }

  paint(selectedSymbol, activeSymbol, now) {
    const { row } = this;
    const selected = row.symbol === selectedSymbol;
    const active = row.symbol === activeSymbol;
    if (selected !== this.selected || active !== this.active) {
      this.selected = selected;
      this.active = active;
      this.el.setAttribute("aria-selected", String(selected));
      this.el.classList.toggle("active", active);
    }
    if (row.version === this.version) {
      if (this.flashUntil !== 0 && now >= this.flashUntil) this.endFlash();
      return;
    }
    const fresh = this.version === -1;
    this.version = row.version;
    if (fresh) this.flashUntil = 0;
    for (const part of this.cells) this.paintCell(part, row, fresh, now);
    const status = row.status === "online" ? "" : row.status.replaceAll("_", " ");
    this.badge.set(row.state === "ok" ? status : row.state);
    if (this.el.dataset.state !== row.state) this.el.dataset.state = row.state;
  }

  paintCell(part, row, fresh, now) {
    const { column, cell } = part;
    const before = cell.shown;
    const text = cellText(row, column.key);
    if (!cell.set(text) && !fresh) return;
    let { tone, flash } = part;
    if (column.tone === "sign") tone = ["fall", "", "rise"][sign(row[column.key] ?? "0") + 1];
    if (fresh) {
      flash = "";
      if (column.tone === "direction") tone = "";
    } else if (column.flash && before !== "–" && text !== "–") {
      const up = compare(text, before) > 0;
      if (column.tone === "direction") tone = up ? "rise" : "fall";
      flash = up ? "up" : "down";
      this.flashUntil = now + FLASH_MS;
    }
    this.dress(part, tone, flash);
  }

  /** A flash is switched on and off, not animated: a fade would repaint every row each frame. */
  endFlash() {
    this.flashUntil = 0;
    for (const part of this.cells) this.dress(part, part.tone, "");
  }

  dress(part, tone, flash) {
    if (tone === part.tone && flash === part.flash) return;
    part.tone = tone;
    part.flash = flash;
    part.cell.el.className = `${part.base} ${tone} ${flash}`;
  }
}

export function cellText(row, key) {
  if (key === "spread") {
    return row.ask === undefined || row.bid === undefined ? "–" : subtract(row.ask, row.bid);
  }
  const value = row[key];
  if (value === undefined || value === null) return "–";
  return key === "change" || key === "change_pct" ? signed(value) : value;
}

/** A change with its sign in front, so that colour is never the only sign of direction. */
export function signed(text) {
  return sign(text) > 0 ? `+${text}` : text.replace("-", "−");
}
