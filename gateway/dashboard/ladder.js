// The book of the symbol in focus: 25 levels a side, best on top, with size and running total.
//
// Bars behind the figures show the running total against the larger side's, so that depth can be
// seen at a glance. Totals are exact decimals. Rows are made once and only their texts change.

import { ruler } from "./columns.js";
import { add, compare, subtract } from "./decimal.js";
import { element, QuantityCell, TextCell } from "./figure.js";
import { BOOK_DEPTH } from "./market.js";

const PRICE_PADDING = 17;
const QTY_PADDING = 12;
const CHECK_WORDS = {
  waiting: ["… waiting", "Waiting for a snapshot of the book"],
  verified: ["✓ verified", "The book's CRC32 checksum agrees"],
  wrong: ["✗ wrong", "The book's CRC32 checksum does not agree: asking for it anew"],
  unchecked: ["not sent", "The gateway sent no checksum"],
};

export class Ladder {
  constructor(market) {
    this.market = market;
    this.el = document.getElementById("ladder");
    this.check = document.getElementById("checksum");
    this.checkText = new TextCell(this.check);
    this.spread = new TextCell(document.getElementById("ladder-spread"));
    this.balance = document.getElementById("balance");
    this.balanceBar = this.balance.firstElementChild;
    this.book = null;
    this.version = -1;
    /** Longest price, quantity and total seen of this book, in characters. */
    this.lengths = [];
    this.fitted = "";
    this.width = 0;
    new ResizeObserver((entries) => {
      this.width = entries[0].contentRect.width;
      this.version = -1;
    }).observe(this.el);
    this.buildHead();
    this.rows = Array.from({ length: BOOK_DEPTH }, () => this.buildRow());
    this.message = element("p", "empty", this.el);
    this.message.hidden = true;
  }

  buildHead() {
    const row = element("div", "level head", this.el);
    row.setAttribute("role", "row");
    for (const title of ["Total", "Size", "Bid", "Ask", "Size", "Total"]) {
      const cell = element("span", "", row);
      cell.setAttribute("role", "columnheader");
      cell.textContent = title;
    }
  }

  buildRow() {
    const row = element("div", "level num", this.el);
    row.setAttribute("role", "row");
    const bars = { bid: element("i", "bar bid", row), ask: element("i", "bar ask", row) };
    for (const bar of Object.values(bars)) bar.setAttribute("aria-hidden", "true");
    const cell = (kind, Type) => {
      const el = element("span", kind, row);
      el.setAttribute("role", "cell");
      return new Type(el);
    };
    const bid = {
      total: cell("total", QuantityCell),
      qty: cell("qty", QuantityCell),
      price: cell("price rise", TextCell),
    };
    const ask = {
      price: cell("price fall", TextCell),
      qty: cell("qty", QuantityCell),
      total: cell("total", QuantityCell),
    };
    bid.price.el.dataset.side = "bid";
    ask.price.el.dataset.side = "ask";
    return { bid: { ...bid, bar: bars.bid, share: "" }, ask: { ...ask, bar: bars.ask, share: "" } };
  }

  paint() {
    const { focus } = this.market;
    if (!focus) return;
    const { book } = focus;
    if (book === this.book && book.version === this.version) return;
    if (book !== this.book) this.lengths = [6, 8, 8];
    this.book = book;
    this.version = book.version;
    const bids = runningTotals(book.bids);
    const asks = runningTotals(book.asks);
    const largest = Math.max(Number(bids.at(-1) ?? 0), Number(asks.at(-1) ?? 0)) || 1;
    for (let i = 0; i < this.rows.length; i += 1) {
      paintSide(this.rows[i].bid, book.bids[i], bids[i], largest);
      paintSide(this.rows[i].ask, book.asks[i], asks[i], largest);
    }
    this.fit(book, bids, asks);
    this.paintSpread(book);
    this.paintBalance(Number(bids.at(-1) ?? 0), Number(asks.at(-1) ?? 0));
    this.paintCheck(book, focus.refused.book);
  }

  /** Gives the columns the widths their longest texts need; totals go where they do not fit. */
  fit(book, bids, asks) {
    let [price, qty, total] = this.lengths;
    for (const level of book.bids.concat(book.asks)) {
      price = Math.max(price, level.price.length);
      qty = Math.max(qty, level.qty.length);
    }
    for (const text of [bids.at(-1), asks.at(-1)]) total = Math.max(total, text?.length ?? 0);
    this.lengths = [price, qty, total];
    const wanted = `${this.lengths} ${this.width}`;
    if (wanted === this.fitted) return;
    this.fitted = wanted;
    const level = this.rows[0].bid.price.el.parentElement;
    const digit = ruler(level, false)("0");
    const prices = `${Math.ceil(ruler(level, true)("0") * price) + PRICE_PADDING}px`;
    const room = this.width / 2 - parseInt(prices, 10);
    const totals = (qty + total) * digit + 2 * QTY_PADDING <= room;
    const sizes = `minmax(0, ${qty + 1}fr)`;
    const sums = totals ? `minmax(0, ${total + 1}fr)` : "";
    this.el.dataset.totals = totals ? "shown" : "none";
    const template = [sums, sizes, prices, prices, sizes, sums].join(" ");
    this.el.style.setProperty("--level", template);
  }

  paintSpread(book) {
    const bid = book.bids[0]?.price;
    const ask = book.asks[0]?.price;
    if (bid === undefined || ask === undefined) {
      this.spread.set("");
      return;
    }
    const points = ((Number(ask) - Number(bid)) / Number(ask)) * 10_000;
    const crossed = compare(bid, ask) >= 0 ? " crossed" : "";
    this.spread.set(`spread ${subtract(ask, bid)} · ${points.toFixed(2)} bp${crossed}`);
  }

  paintBalance(bids, asks) {
    const share = bids + asks > 0 ? bids / (bids + asks) : 0.5;
    this.balanceBar.style.transform = `scaleX(${share.toFixed(3)})`;
    const percent = Math.round(share * 100);
    this.balance.setAttribute("aria-label", `${percent} % bids, ${100 - percent} % asks`);
    this.balance.title = `Sizes shown: ${percent} % bids, ${100 - percent} % asks`;
  }

  paintCheck(book, refused) {
    const [words, title] = CHECK_WORDS[book.checksum];
    this.checkText.set(book.checksum === "verified" ? `${words} CRC32` : words);
    if (this.check.dataset.checksum !== book.checksum) {
      this.check.dataset.checksum = book.checksum;
      this.el.dataset.checksum = book.checksum;
      this.check.setAttribute("aria-label", title);
    }
    const totals = `${book.verifiedCount} checksums right, ${book.wrongCount} wrong`;
    if (this.check.title !== totals) this.check.title = totals;
    this.message.hidden = !refused;
    if (refused) this.message.textContent = `The gateway refused the book: ${refused}`;
  }
}

function paintSide(cells, level, total, largest) {
  cells.price.set(level?.price ?? "");
  cells.qty.set(level?.qty ?? "");
  cells.total.set(total ?? "");
  const share = level ? (Number(total) / largest).toFixed(3) : "0";
  if (share === cells.share) return;
  cells.share = share;
  cells.bar.style.transform = `scaleX(${share})`;
}

function runningTotals(levels) {
  let total = "0";
  return levels.map((level) => (total = add(total, level.qty)));
}
