// Looks at the served page as a trader would, in a headless browser, and says what is wrong.
//
//   node check.mjs --url https://127.0.0.1:8443/ [--seconds 6] [--screenshot FILE]
//                  [--chromium FILE]
//
// Needs playwright-core (npm ci in this folder) and a Chromium: the one named, or $CHROMIUM, or the
// first found on PATH. Certificates are not verified, as the demo's is made by itself. What is
// shown is compared with the texts that came over the socket, read here without the page's code.
// Exits 0 when all is well, 1 with a sentence when something is not, 2 when called wrongly.

import { accessSync, constants } from "node:fs";
import path from "node:path";
import { chromium } from "playwright-core";
import { observePage } from "./observer.mjs";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"];
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--disable-dev-shm-usage",
];
const DEADLINE_MS = 30_000;
const FRAME_GAP_MAX_MS = 500;
const MOVED_SYMBOLS_MIN = 3;

class Wrong extends Error {}

function options() {
  const known = { url: "", seconds: "6", screenshot: "", chromium: process.env.CHROMIUM ?? "" };
  const given = process.argv.slice(2);
  for (let i = 0; i < given.length; i += 2) {
    const name = given[i].replace(/^--/, "");
    if (!(name in known) || given[i + 1] === undefined) usage(`unknown or incomplete: ${given[i]}`);
    known[name] = given[i + 1];
  }
  if (!known.url) usage("--url is missing");
  if (!(Number(known.seconds) > 0)) usage("--seconds must be above 0");
  return { ...known, seconds: Number(known.seconds), chromium: known.chromium || findChromium() };
}

function usage(what) {
  console.error(`${what}\nusage: node check.mjs --url URL [--seconds N] [--screenshot FILE]`);
  process.exit(2);
}

function findChromium() {
  for (const name of NAMES) {
    for (const folder of (process.env.PATH ?? "").split(path.delimiter)) {
      const file = path.join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // Not in this folder.
      }
    }
  }
  return usage("no Chromium found: name one with --chromium or $CHROMIUM");
}

/** Asks the page until `question` answers something true, or fails with `otherwise`. */
async function until(page, question, argument, otherwise, deadlineMs = DEADLINE_MS) {
  try {
    const handle = await page.waitForFunction(question, argument, {
      timeout: deadlineMs,
      polling: 100,
    });
    return await handle.jsonValue();
  } catch (error) {
    if (error.name !== "TimeoutError") throw error;
    throw new Wrong(`${otherwise} (waited ${deadlineMs / 1000} s)`);
  }
}

/** Every symbol has a row: scrolls from top to bottom and collects the names. */
async function everySymbolHasARow(page, served) {
  const count = await until(
    page,
    () => Math.max(0, Number(document.getElementById("grid").ariaRowCount) - 1),
    null,
    "no symbol appeared in the watch list",
  );
  if (served !== null) {
    await until(
      page,
      (wanted) => Number(document.getElementById("grid").ariaRowCount) - 1 === wanted,
      served,
      `the gateway serves ${served} pairs, the watch list shows ${count}`,
    );
  }
  const seen = new Set();
  for (let top = 0; ; ) {
    const step = await page.evaluate(async (scrollTo) => {
      const grid = document.getElementById("grid");
      grid.scrollTop = scrollTo;
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
      const rows = [...document.querySelectorAll("#rows .row[data-symbol]:not([hidden])")];
      const names = rows.map((row) => row.dataset.symbol);
      return { names, at: grid.scrollTop, next: grid.scrollTop + grid.clientHeight / 2 };
    }, top);
    step.names.forEach((name) => seen.add(name));
    // The list ends where it does not scroll as far as it was told to.
    if (step.at < top - 1) break;
    top = step.next;
  }
  await page.evaluate(() => (document.getElementById("grid").scrollTop = 0));
  const total = served ?? count;
  if (seen.size < total) throw new Wrong(`only ${seen.size} of ${total} symbols have a row`);
  return seen.size;
}

/** Prices move; returns the symbol that moved most, which is the one to look at closely. */
async function pricesMove(page, seconds) {
  await until(
    page,
    () => document.querySelectorAll('#rows [data-field="bid"]').length > 0,
    null,
    "no price cell appeared",
  );
  await page.evaluate(() => window.observer.watchCells());
  await page.waitForTimeout(seconds * 1000);
  const moved = await until(
    page,
    (wanted) => {
      const moves = window.observer.moves();
      return moves.length >= Math.min(wanted, window.observer.visibleSymbols()) ? moves : null;
    },
    MOVED_SYMBOLS_MIN,
    `fewer than ${MOVED_SYMBOLS_MIN} symbols changed their price`,
  );
  return moved;
}

/** Each number shown is, digit for digit, one that came over the socket. */
async function digitsAreAsSent(page) {
  const { foreign, compared, zeros, zerosSent } = await page.evaluate(() =>
    window.observer.compareDigits(),
  );
  if (foreign.length > 0) {
    const { symbol, field, shown } = foreign[0];
    throw new Wrong(`${symbol} shows ${field} ${shown}, which was never sent so`);
  }
  if (compared === 0) throw new Wrong("no shown number could be compared with what was sent");
  if (zerosSent && zeros === 0) throw new Wrong("trailing zeros were sent and none is shown");
  return { compared, zeros };
}

async function bookIsVerified(page, symbol) {
  await page.click(`#rows [data-symbol="${symbol}"]`);
  await until(
    page,
    () => {
      const filled = (side) =>
        [...document.querySelectorAll(`#ladder [data-side="${side}"]`)].filter(
          (cell) => cell.textContent !== "",
        ).length;
      return filled("bid") >= 10 && filled("ask") >= 10;
    },
    null,
    `the book of ${symbol} shows fewer than 10 levels a side`,
  );
  await until(
    page,
    () => document.getElementById("ladder").dataset.checksum === "verified",
    null,
    `the checksum of ${symbol}'s book is not verified`,
  );
  const title = await page.getAttribute("#checksum", "title");
  if (!/ 0 wrong/.test(title)) throw new Wrong(`checksums of ${symbol}'s book: ${title}`);
}

async function tradesAndBarsArrive(page, symbol) {
  await until(
    page,
    () => parseInt(document.getElementById("tape-note").textContent.replace(/,/g, ""), 10) > 0,
    null,
    `no trade of ${symbol} arrived`,
    2 * DEADLINE_MS,
  );
  await until(
    page,
    () => /bars of one minute;/.test(document.getElementById("chart").getAttribute("aria-label")),
    null,
    `no bar of ${symbol} is drawn`,
  );
}

async function latencyIsShown(page) {
  const shown = {};
  for (const id of ["tile-page", "tile-page99", "tile-ping", "tile-ping99", "tile-rate"]) {
    shown[id.slice(5)] = await until(
      page,
      (name) => (/\d/.test(document.getElementById(name).textContent)
        ? document.getElementById(name).textContent : null),
      id,
      `no figure is shown at ${id}`,
    );
  }
  return shown;
}

/** Leaving a symbol ends its three subscriptions. */
async function leavingUnsubscribes(page, symbol) {
  await page.keyboard.press("Escape");
  await until(
    page,
    (wanted) => window.observer.unsubscribed(wanted) === 3,
    symbol,
    `leaving ${symbol} did not end its three subscriptions`,
  );
  await until(
    page,
    () => document.getElementById("detail").hidden,
    null,
    "Escape did not close the symbol in focus",
  );
}

/** How many pairs the gateway says it serves, or null when it does not say. */
async function pairsServed(context, url) {
  try {
    const answer = await context.request.get(new URL("/0/public/AssetPairs", url).href);
    const pairs = Object.keys((await answer.json()).result ?? {});
    return pairs.length > 0 ? pairs.length : null;
  } catch {
    return null;
  }
}

async function check(page, context, { url, seconds, screenshot }) {
  await page.goto(url, { timeout: DEADLINE_MS });
  await until(
    page,
    () => ["live", "stale"].includes(document.getElementById("connection").dataset.state),
    null,
    "the page did not connect",
  );
  const symbols = await everySymbolHasARow(page, await pairsServed(context, url));
  const moved = await pricesMove(page, seconds);
  const digits = await digitsAreAsSent(page);
  await bookIsVerified(page, moved[0]);
  await tradesAndBarsArrive(page, moved[0]);
  const latency = await latencyIsShown(page);
  const frames = await page.evaluate(() => window.observer.frames());
  if (screenshot) await page.screenshot({ path: screenshot });
  if (frames.longest > FRAME_GAP_MAX_MS) {
    throw new Wrong(`the page froze for ${Math.round(frames.longest)} ms`);
  }
  await leavingUnsubscribes(page, moved[0]);
  return { symbols, moved: moved.length, lookedAt: moved[0], digits, latency, frames };
}

async function main() {
  const chosen = options();
  const browser = await chromium.launch({ executablePath: chosen.chromium, args: FLAGS });
  const complaints = [];
  let page;
  try {
    const context = await browser.newContext({
      viewport: { width: 1440, height: 900 },
      ignoreHTTPSErrors: true,
    });
    page = await context.newPage();
    page.on("pageerror", (error) => complaints.push(`exception in the page: ${error.message}`));
    page.on("console", (line) => {
      if (line.type() === "error") complaints.push(`console error: ${line.text()}`);
    });
    await page.exposeFunction("reportViolation", (what) => complaints.push(what));
    await page.addInitScript(observePage);
    const result = await check(page, context, chosen);
    if (complaints.length > 0) throw new Wrong(complaints.splice(0).join("; "));
    console.log(JSON.stringify(result, null, 2));
    console.log("The page is well.");
  } catch (error) {
    if (chosen.screenshot) await page?.screenshot({ path: chosen.screenshot }).catch(() => {});
    const more = complaints.length > 0 ? `; also: ${complaints.join("; ")}` : "";
    console.error(`The page is not well: ${error.message.split("\n")[0]}${more}`);
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}

await main();
