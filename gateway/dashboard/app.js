// Wires the page: messages go into the market as they come, views paint from it once a frame.
//
// The address after '#' names the symbol in focus, so that a reload, a link and the browser's back
// button do what one expects. Everything runs on this one thread.

import { Chart } from "./chart.js";
import { Detail } from "./detail.js";
import { Header } from "./header.js";
import { Ladder } from "./ladder.js";
import { Market } from "./market.js";
import { Session } from "./session.js";
import { Connection } from "./socket.js";
import { Tape } from "./tape.js";
import { WatchList } from "./watchlist.js";

const CHECK_MS = 250;
const FIGURES_MS = 1_000;
const PAINT_MS = 12;
const BUSY_PAINT_MS = 30;
const FRAME_MISSED_MS = 25;
const BUSY_MS = 1_000;

const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const market = new Market();
const session = new Session(market);
const connection = new Connection(`${scheme}//${location.host}/v2`, {
  opened: () => session.opened(),
  text: (text) => session.text(text),
  changed: () => header?.refreshState(performance.now()),
});
session.connection = connection;

const watchList = new WatchList(market, (symbol) => look(symbol));
const views = [
  watchList,
  new Detail(market),
  new Ladder(market),
  new Tape(market),
  new Chart(market),
];
const header = new Header(market, session, connection, (on) => watchList.showTroubleOnly(on));

function look(symbol) {
  const hash = symbol === null ? "" : `#${encodeURI(symbol)}`;
  if (location.hash !== hash) {
    history.pushState(null, "", hash || location.pathname + location.search);
  }
  follow();
}

/** Focuses on what the address says. */
function follow() {
  let symbol = null;
  try {
    symbol = decodeURI(location.hash.slice(1)) || null;
  } catch {
    // A mistyped escape in the address names no symbol.
  }
  session.focusOn(symbol);
}

addEventListener("popstate", follow);
addEventListener("hashchange", follow);
document.getElementById("back").addEventListener("click", () => look(null));

document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof HTMLInputElement;
  if (event.key === "/" && !typing) {
    event.preventDefault();
    watchList.filter.focus();
    watchList.filter.select();
  } else if (event.key === "Escape") {
    const sheet = document.getElementById("figures");
    if (sheet.open) sheet.open = false;
    else if (typing && watchList.filter.value !== "") return;
    else if (market.focus) look(null);
    else if (typing) watchList.grid.focus();
  }
});

addEventListener("online", () => connection.retryNow());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  // What queued up while the page was hidden says nothing about the gateway's latency.
  session.clearWindows();
  if (connection.phase === "waiting") connection.retryNow();
});

let lastFrame = performance.now();
let paintedAt = 0;
let busyUntil = 0;

/** Paints at most 60 times a second, and 30 while frames are missed: messages come first. */
function frame(now) {
  requestAnimationFrame(frame);
  const gap = now - lastFrame;
  lastFrame = now;
  header.longestFrame = Math.max(header.longestFrame, gap);
  if (gap > FRAME_MISSED_MS) busyUntil = now + BUSY_MS;
  const pause = now < busyUntil ? BUSY_PAINT_MS : PAINT_MS;
  if (now - paintedAt < pause && !watchList.scrolled) return;
  paintedAt = now;
  for (const view of views) view.paint(now);
}

setInterval(() => {
  const now = performance.now();
  connection.check(now);
  session.check(now);
  header.refreshState(now);
}, CHECK_MS);
setInterval(() => header.refreshFigures(performance.now()), FIGURES_MS);

follow();
connection.start();
requestAnimationFrame(frame);
