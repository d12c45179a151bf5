// How the connection fares, told at the top: state, warnings, latency, rates.
//
// Warnings are ordered by how much they take from the prices' worth: closed, lost, silent, stale,
// restarting, slow. Exactly one is shown. Figures are refreshed once a second.

import { element, TextCell } from "./figure.js";
import { count, duration } from "./format.js";
import { closeAdvice } from "./socket.js";
import { inTrouble } from "./watchrow.js";

const STATIONS = [
  ["venue", "Venue to gateway"],
  ["gateway", "Inside ingest"],
  ["page", "Gateway to page"],
  ["whole", "Venue to page"],
  ["ping", "Ping, there and back"],
];
const PILL = {
  idle: "Connecting",
  connecting: "Connecting",
  live: "Live",
  silent: "Silent",
  waiting: "Reconnecting",
  closed: "Closed",
};

export class Header {
  constructor(market, session, connection, showTrouble) {
    this.market = market;
    this.session = session;
    this.connection = connection;
    const at = (id) => document.getElementById(id);
    this.pill = at("connection");
    this.pillText = new TextCell(at("connection-text"));
    at("connection-text").replaceChildren(this.pillText.node);
    this.banner = at("banner");
    this.title = new TextCell(at("banner-title"));
    this.words = new TextCell(at("banner-text"));
    this.retry = at("banner-retry");
    this.retry.addEventListener("click", () => connection.retryNow());
    this.tiles = ["page", "page99", "ping", "ping99", "rate"].map((name) => at(`tile-${name}`));
    this.sheet = at("figures");
    this.facts = at("facts");
    this.trouble = at("trouble");
    this.trouble.addEventListener("click", () => {
      const on = this.trouble.getAttribute("aria-pressed") !== "true";
      this.trouble.setAttribute("aria-pressed", String(on));
      showTrouble(on);
    });
    this.showTrouble = showTrouble;
    this.stations = STATIONS.map(([key, name]) => buildStation(at("stations"), key, name));
    this.stateVersion = -1;
    this.troubled = 0;
    this.longestFrame = 0;
  }

  /** Refreshes the state and the warning; `now` is performance.now(). */
  refreshState(now) {
    const { connection, market } = this;
    if (market.stateVersion !== this.stateVersion) this.countTrouble();
    const warning = this.warning(now);
    const stale = connection.phase === "live" && this.troubled > 0;
    const state = stale ? "stale" : connection.phase;
    if (this.pill.dataset.state !== state) this.pill.dataset.state = state;
    if (document.body.dataset.phase !== connection.phase) {
      document.body.dataset.phase = connection.phase;
    }
    this.pillText.set(stale ? `Live, ${count(this.troubled)} stale` : PILL[connection.phase]);
    const title = `Markets · ${stale ? "stale data" : PILL[connection.phase].toLowerCase()}`;
    if (document.title !== title) document.title = title;
    this.banner.hidden = warning === null;
    if (!warning) return;
    if (this.banner.dataset.level !== warning.level) this.banner.dataset.level = warning.level;
    this.title.set(warning.title);
    this.words.set(warning.words);
    this.retry.hidden = !warning.retry;
    const action = connection.phase === "closed" ? "Connect again" : "Retry now";
    if (this.retry.textContent !== action) this.retry.textContent = action;
  }

  countTrouble() {
    this.stateVersion = this.market.stateVersion;
    let troubled = 0;
    for (const row of this.market.rows.values()) if (inTrouble(row)) troubled += 1;
    this.troubled = troubled;
    this.trouble.hidden = troubled === 0;
    this.trouble.textContent = `${count(troubled)} stale`;
    if (troubled === 0 && this.trouble.getAttribute("aria-pressed") === "true") {
      this.trouble.setAttribute("aria-pressed", "false");
      this.showTrouble(false);
    }
  }

  warning(now) {
    const { connection, market } = this;
    const old = market.rows.size > 0 ? "Prices below are old." : "";
    const advice = closeAdvice(connection.code);
    switch (connection.phase) {
      case "closed":
        return {
          level: "bad",
          title: `Closed by the gateway (${connection.code}).`,
          words: `${sentence(connection.why)} ${advice} It is not tried again by itself. ${old}`,
          retry: true,
        };
      case "waiting": {
        const seconds = Math.max(0, Math.ceil((connection.retryAt - now) / 1000));
        const why = `${sentence(connection.why)} Next attempt in ${seconds} s. ${old}`;
        return { level: "bad", title: "Connection lost.", words: why, retry: true };
      }
      case "connecting":
        if (connection.attempt === 0) return null;
        return {
          level: "bad",
          title: "Connecting again.",
          words: `Attempt ${connection.attempt}. ${old}`,
        };
      case "silent": {
        const seconds = Math.floor((now - connection.lastHeard) / 1000);
        const words = `Nothing heard from the gateway for ${seconds} s. ${old}`;
        return { level: "bad", title: "Stale data.", words };
      }
      default:
        return this.liveWarning();
    }
  }

  liveWarning() {
    const { market } = this;
    if (market.refused) {
      return { level: "bad", title: "No quotes.", words: `The gateway says: ${market.refused}.` };
    }
    if (this.troubled > 0) {
      const symbols = this.troubled === 1 ? "1 symbol is" : `${count(this.troubled)} symbols are`;
      const words = `${symbols} stale or recovering: the venue's feed is interrupted.`;
      return { level: "warn", title: "Stale data.", words };
    }
    if (market.feed && market.feed !== "ok" && market.feed !== "live") {
      return { level: "warn", title: "Feed trouble.", words: `The gateway says: ${market.feed}.` };
    }
    if (market.drain) {
      const words = "The gateway is restarting; this page comes back by itself.";
      return { level: "warn", title: "Restart.", words };
    }
    if (market.slow) {
      const words = "This page takes updates too slowly; the gateway sends the newest only.";
      return { level: "warn", title: "Falling behind.", words };
    }
    if (market.system && market.system !== "online") {
      return { level: "warn", title: "Venue status.", words: sentence(market.system) };
    }
    return null;
  }

  /** Refreshes the figures; to be called once a second. */
  refreshFigures(now) {
    const { session } = this;
    const summaries = {};
    for (const key of Object.keys(session.windows)) summaries[key] = session.windows[key].summary();
    const page = summaries.page ?? (session.plainServer ? summaries.whole : null);
    const rate = session.rate.turn(now);
    const bytes = session.bytes.turn(now);
    const texts = [
      duration(page?.p50),
      duration(page?.p99),
      duration(summaries.ping?.p50),
      duration(summaries.ping?.p99),
      count(rate),
    ];
    texts.forEach((text, i) => {
      if (this.tiles[i].textContent !== text) this.tiles[i].textContent = text;
    });
    if (this.sheet.open) this.refreshSheet(summaries, bytes);
    this.longestFrame = 0;
  }

  refreshSheet(summaries, bytes) {
    const { session, connection, market } = this;
    for (const station of this.stations) {
      const summary = summaries[station.key];
      for (const share of ["p50", "p90", "p99", "max"]) {
        station[share].textContent = duration(summary?.[share]);
      }
    }
    const ahead = session.remote.ahead();
    const book = market.focus?.book;
    const checks = book && `${count(book.verifiedCount)} right, ${count(book.wrongCount)} wrong`;
    const facts = [
      ["Server", `${session.plainServer ? "plain v2" : "extended v2"} ${market.serverVersion}`],
      ["Messages", `${count(session.frames)}, ${count(bytes / 1024)} KiB/s now`],
      ["Gateway clock", ahead === 0 ? "agrees" : `${duration(ahead)} ahead, corrected`],
      ["Gaps", `${count(market.gapCount)}, ${count(market.missedCount)} updates missed`],
      ["Asked anew", count(session.resyncCount)],
      ["Book checksums", checks ?? "–"],
      ["Connections", count(connection.openedCount)],
      ["Unreadable", count(session.unreadable)],
      ["Longest frame", duration(this.longestFrame)],
      ["Last remark", session.lastError || "none"],
    ];
    this.facts.replaceChildren();
    for (const [name, value] of facts) {
      const pair = element("div", "", this.facts);
      element("dt", "", pair).textContent = name;
      element("dd", "", pair).textContent = value;
    }
  }
}

function buildStation(body, key, name) {
  const row = element("tr", "", body);
  const head = element("th", "", row);
  head.scope = "row";
  head.textContent = name;
  const station = { key };
  for (const share of ["p50", "p90", "p99", "max"]) station[share] = element("td", "num", row);
  return station;
}

function sentence(words) {
  if (!words) return "";
  const end = /[.!?]$/.test(words) ? "" : ".";
  return words[0].toUpperCase() + words.slice(1) + end;
}
