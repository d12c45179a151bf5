// What the JavaScript peers share: their options, following the feed, and answering dashboards.
//
// No sockets of dashboards are touched here. A session is whatever has say(text), join(symbol) and
// leave(symbol); the three differ between the peers, and they are what is compared.

import { readFileSync } from "node:fs";

/** The options of the command line: --feed URL --listen HOST:PORT --cert FILE --key FILE. */
export function options(names = ["feed", "listen", "cert", "key"]) {
  const given = {};
  const words = process.argv.slice(2);
  while (words.length > 0) {
    const name = words.shift().replace(/^--/, "");
    if (!names.includes(name) || words.length === 0) {
      fail(`usage: ${names.map((name) => `--${name} ...`).join(" ")} (not understood: ${name})`, 2);
    }
    given[name] = words.shift();
  }
  const missing = names.filter((name) => !(name in given));
  if (missing.length > 0) fail(`missing: ${missing.map((name) => `--${name}`).join(" ")}`, 2);
  return given;
}

/** HOST:PORT in two. */
export function address(text) {
  const colon = text.lastIndexOf(":");
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}

/** The certificate and its key, as TLS servers of both runtimes take them. */
export function certificate({ cert, key }) {
  return { cert: readFileSync(cert), key: readFileSync(key) };
}

/** Ends the process with a reason. */
export function fail(reason, code = 1) {
  console.error(reason);
  process.exit(code);
}

const SYMBOL_OPENS = '"symbol":"';

/** The symbol of a ticker message, without parsing the rest. */
function symbolOf(text) {
  const start = text.indexOf(SYMBOL_OPENS) + SYMBOL_OPENS.length;
  return text.slice(start, text.indexOf('"', start));
}

/** The venue's market as the feed tells it: instruments, and the last ticker of each symbol. */
export class Market {
  instruments = "";
  symbols = new Set();
  last = new Map();

  /** The last ticker of a symbol as a snapshot, if there is one. */
  snapshot(symbol) {
    return this.last.get(symbol)?.replace('"type":"update"', '"type":"snapshot"');
  }
}

/**
 * Follows the feed with the given WebSocket class. Calls onReady(market) once it is subscribed to
 * every symbol, and onTicker(symbol, text) for each ticker from then on, its text unchanged.
 */
export function follow(url, WebSocketClass, { onReady, onTicker }) {
  const market = new Market();
  const feed = new WebSocketClass(url);
  let acks = 0;
  const ask = (params) => feed.send(JSON.stringify({ method: "subscribe", params }));
  feed.onopen = () => ask({ channel: "instrument", snapshot: true });
  feed.onerror = () => fail(`feed ${url}: connection failed`);
  feed.onclose = () => fail(`feed ${url}: closed`);
  feed.onmessage = ({ data }) => {
    if (data.startsWith('{"channel":"ticker"')) {
      const symbol = symbolOf(data);
      market.last.set(symbol, data);
      if (acks >= market.symbols.size) onTicker(symbol, data);
      return;
    }
    const message = JSON.parse(data);
    if (message.channel === "instrument" && message.type === "snapshot") {
      market.instruments = data;
      market.symbols = new Set(message.data.pairs.map((pair) => pair.symbol));
      const symbol = [...market.symbols];
      ask({ channel: "ticker", event_trigger: "bbo", symbol, snapshot: true });
    } else if (message.method === "subscribe" && message.result?.channel !== "instrument") {
      if (!message.success) fail(`feed ${url}: ${data}`);
      acks += 1;
      if (acks === market.symbols.size) onReady(market);
    }
  };
}

let connections = 0;

/** What is said on connect. */
export function status(peer) {
  connections += 1;
  const item = { api_version: "v2", connection_id: connections, system: "online", version: peer };
  return JSON.stringify({ channel: "status", type: "update", data: [item] });
}

/** Answers one message of a dashboard. */
export function answer(text, session, market) {
  const time_in = new Date().toISOString();
  let request;
  try {
    request = JSON.parse(text) ?? {};
  } catch {
    request = {};
  }
  const { method, req_id } = request;
  const params = request.params ?? {};
  const reply = (fields) => {
    session.say(JSON.stringify({ ...fields, req_id, time_in, time_out: new Date().toISOString() }));
  };
  if (method === "ping") return reply({ method: "pong" });
  if (method !== "subscribe" && method !== "unsubscribe") {
    return reply({ method, success: false, error: "Unsupported method" });
  }
  const snapshot = params.snapshot ?? true;
  if (params.channel === "instrument") {
    reply({ method, result: { channel: "instrument", snapshot }, success: true });
    if (method === "subscribe" && snapshot) session.say(market.instruments);
    return;
  }
  if (params.channel !== "ticker") {
    return reply({ method, success: false, error: `Unsupported channel ${params.channel}` });
  }
  for (const symbol of params.symbol ?? []) {
    if (!market.symbols.has(symbol)) {
      reply({ method, success: false, error: `Currency pair not supported ${symbol}`, symbol });
      continue;
    }
    reply({ method, result: { channel: "ticker", symbol, snapshot }, success: true });
    if (method === "unsubscribe") {
      session.leave(symbol);
      continue;
    }
    const last = snapshot && market.snapshot(symbol);
    if (last) session.say(last);
    session.join(symbol);
  }
}
