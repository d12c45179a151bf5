// The watch list: every symbol, of which only the visible rows exist in the page.
//
// Row elements are reused as the list scrolls, so a thousand symbols cost no more than a screenful.
// The order by a moving column is refreshed once a second and held while the pointer is over the
// rows, so that nothing jumps away from under a click.

import { fitColumns, ruler } from "./columns.js";
import { element } from "./figure.js";
import { cellText, COLUMNS, inTrouble, ROW_HEIGHT, Slot } from "./watchrow.js";

const OVERSCAN = 4;
const ORDER_MS = 1_000;
const HOLD_MS = 2_500;
const CELL_PADDING = 14;
/** As in style.css: the sides of a row, and the width at which they and the badges shrink. */
const LIST_PADDING = 24;
const LIST_PADDING_NARROW = 14;
const ROOMY_WIDTH = 640;
const BADGE_WIDTH = 56;
const DOT_WIDTH = 14;

export class WatchList {
  constructor(market, choose) {
    this.market = market;
    this.choose = choose;
    this.grid = document.getElementById("grid");
    this.body = document.getElementById("rows");
    this.shown = document.getElementById("shown");
    this.empty = document.getElementById("empty");
    this.filter = document.getElementById("filter");
    this.order = [];
    this.slots = [];
    this.sort = { key: "index", direction: 1 };
    this.troubleOnly = false;
    this.active = null;
    this.orderedAt = -Infinity;
    this.orderWanted = true;
    this.listVersion = -1;
    this.pointerAt = -Infinity;
    this.scrolled = true;
    this.fittedAt = -Infinity;
    this.fitted = "";
    /** Longest text seen in each column; they only grow, so that columns do not breathe. */
    this.lengths = new Map(COLUMNS.map((column) => [column.key, column.title.length]));
    this.longestSymbol = "";
    this.headers = this.buildHead();
    this.listen();
  }

  buildHead() {
    const head = document.getElementById("head");
    return COLUMNS.map((column, i) => {
      const cell = element("div", `cell c-${column.key}`, head);
      cell.setAttribute("role", "columnheader");
      cell.setAttribute("aria-colindex", String(i + 1));
      cell.setAttribute("aria-sort", "none");
      const button = element("button", "", cell);
      button.type = "button";
      button.textContent = column.title;
      button.title = `Sort by ${column.title.toLowerCase()}`;
      button.addEventListener("click", () => this.sortBy(column));
      return { column, cell };
    });
  }

  listen() {
    this.grid.setAttribute("aria-colcount", String(COLUMNS.length));
    this.grid.addEventListener("scroll", () => (this.scrolled = true), { passive: true });
    new ResizeObserver(() => {
      this.scrolled = true;
      this.fittedAt = -Infinity;
    }).observe(this.grid);
    this.filter.addEventListener("input", () => {
      this.orderWanted = true;
      this.grid.scrollTop = 0;
    });
    this.filter.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === "ArrowDown") {
        event.preventDefault();
        this.grid.focus();
        if (this.order.length > 0) this.activate(0);
        if (event.key === "Enter" && this.order.length > 0) this.choose(this.order[0].symbol);
      }
    });
    this.body.addEventListener("pointermove", () => (this.pointerAt = performance.now()));
    this.body.addEventListener("pointerleave", () => (this.pointerAt = -Infinity));
    this.body.addEventListener("click", (event) => {
      const symbol = event.target.closest("[data-symbol]")?.dataset.symbol;
      if (!symbol) return;
      this.active = symbol;
      this.choose(symbol);
    });
    this.grid.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    if (event.target !== this.grid || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.order.findIndex((row) => row.symbol === this.active);
    const page = Math.max(1, Math.floor(this.grid.clientHeight / ROW_HEIGHT) - 2);
    const last = this.order.length - 1;
    const moves = {
      ArrowDown: at + 1,
      ArrowUp: Math.max(0, at - 1),
      PageDown: at + page,
      PageUp: Math.max(0, at - page),
      Home: 0,
      End: last,
    };
    if (event.key in moves && last >= 0) {
      event.preventDefault();
      this.activate(Math.min(moves[event.key], last));
    } else if ((event.key === "Enter" || event.key === " ") && at >= 0) {
      event.preventDefault();
      this.choose(this.active);
    }
  }

  activate(index) {
    this.active = this.order[index].symbol;
    const top = index * ROW_HEIGHT;
    const view = this.grid.clientHeight - 2 * ROW_HEIGHT;
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (top > this.grid.scrollTop + view) this.grid.scrollTop = top - view;
    this.scrolled = true;
  }

  sortBy(column) {
    const first = column.text ? 1 : -1;
    if (this.sort.key !== column.key) this.sort = { key: column.key, direction: first };
    else if (this.sort.direction === first) this.sort.direction = -first;
    else this.sort = { key: "index", direction: 1 };
    for (const header of this.headers) {
      const on = header.column.key === this.sort.key;
      const word = this.sort.direction > 0 ? "ascending" : "descending";
      header.cell.setAttribute("aria-sort", on ? word : "none");
    }
    this.orderWanted = true;
  }

  showTroubleOnly(on) {
    this.troubleOnly = on;
    this.orderWanted = true;
  }

  /** Filters and sorts, when something asks for it or a moving column has moved on. */
  refreshOrder(now) {
    const held = now - this.pointerAt < HOLD_MS;
    const moving = this.sort.key !== "index" && this.sort.key !== "symbol";
    const changed = this.market.listVersion !== this.listVersion || this.troubleOnly;
    const due = (moving || changed) && !held && now - this.orderedAt > ORDER_MS;
    if (!this.orderWanted && !due && !(changed && this.order.length === 0)) return;
    this.orderWanted = false;
    this.orderedAt = now;
    this.listVersion = this.market.listVersion;
    const words = this.filter.value.toUpperCase().split(/\s+/).filter(Boolean);
    const rows = [];
    for (const row of this.market.rows.values()) {
      if (this.troubleOnly && !inTrouble(row)) continue;
      if (words.every((word) => row.symbol.toUpperCase().includes(word))) rows.push(row);
    }
    const { key, direction } = this.sort;
    if (key !== "index") {
      const values = new Map(rows.map((row) => [row, sortValue(row, key)]));
      rows.sort((a, b) => order(values.get(a), values.get(b), direction) || a.index - b.index);
    }
    this.order = rows;
    this.scrolled = true;
    this.body.style.height = `${rows.length * ROW_HEIGHT}px`;
    this.body.hidden = rows.length === 0;
    this.grid.setAttribute("aria-rowcount", String(rows.length + 1));
    const all = this.market.rows.size;
    this.shown.textContent = rows.length === all ? `${all} symbols` : `${rows.length} of ${all}`;
    this.empty.hidden = rows.length > 0;
    this.empty.textContent = all === 0 ? "Waiting for the first symbols" : "No symbol matches";
  }

  /** Measures the longest texts and gives the columns their widths. */
  fit(now) {
    this.fittedAt = now;
    this.measureTexts();
    const roomy = this.grid.clientWidth > ROOMY_WIDTH;
    const available = this.grid.clientWidth - (roomy ? LIST_PADDING : LIST_PADDING_NARROW);
    const digit = ruler(this.grid, false)("0");
    const widths = new Map();
    for (const { key } of COLUMNS) widths.set(key, this.lengths.get(key) * digit + CELL_PADDING);
    const badge = roomy ? BADGE_WIDTH : DOT_WIDTH;
    widths.set("symbol", ruler(this.grid, true)(this.longestSymbol) + CELL_PADDING + badge);
    const { template, left } = fitColumns(widths, available);
    if (template === this.fitted) return;
    this.fitted = template;
    this.grid.style.setProperty("--columns", template);
    this.grid.dataset.left = left.join(" ");
  }

  measureTexts() {
    for (const row of this.market.rows.values()) {
      if (row.symbol.length > this.longestSymbol.length) this.longestSymbol = row.symbol;
      for (const { key } of COLUMNS) {
        // Spreads cost arithmetic, so only those on screen are measured, below.
        const length = key === "spread" ? 0 : cellText(row, key).length;
        if (length > this.lengths.get(key)) this.lengths.set(key, length);
      }
    }
    for (const slot of this.slots) {
      const length = slot.row ? cellText(slot.row, "spread").length : 0;
      if (length > this.lengths.get("spread")) this.lengths.set("spread", length);
    }
  }

  paint(now) {
    this.refreshOrder(now);
    if (now - this.fittedAt > ORDER_MS) this.fit(now);
    if (this.scrolled) {
      this.scrolled = false;
      this.placeSlots();
    }
    const selected = this.market.focus?.symbol;
    for (const slot of this.slots) if (slot.row) slot.paint(selected, this.active, now);
    const active = this.slots.find((slot) => slot.row?.symbol === this.active && this.active);
    const id = active ? active.el.id : "";
    if (this.grid.getAttribute("aria-activedescendant") !== id) {
      this.grid.setAttribute("aria-activedescendant", id);
    }
  }

  placeSlots() {
    const wanted = Math.ceil(this.grid.clientHeight / ROW_HEIGHT) + 2 * OVERSCAN;
    while (this.slots.length < wanted) this.slots.push(new Slot(this.body, this.slots.length));
    const count = this.slots.length;
    const top = Math.max(0, Math.floor(this.grid.scrollTop / ROW_HEIGHT) - OVERSCAN);
    for (let index = top; index < top + count; index += 1) {
      this.slots[index % count].bind(this.order[index] ?? null, index);
    }
  }
}

function sortValue(row, key) {
  if (key === "symbol") return row.symbol;
  if (key === "spread") return Number(row.ask) - Number(row.bid);
  return Number(row[key]);
}

/** Rows without a value come last in either direction. */
function order(a, b, direction) {
  if (typeof a === "string") return (a < b ? -1 : a > b ? 1 : 0) * direction;
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
  return (a - b) * direction;
}
