// The bridge from the venue to nats-server: each ticker, unchanged, to the subject ticker.SYMBOL;
// and the last one of a symbol, as a snapshot, to whoever asks at last.SYMBOL with a reply subject.
//
// Speaks NATS' own text protocol over plain TCP, as a client that does only this. Its work is the
// venue's side and stands outside the server that is measured.

import { existsSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { resolve } from "node:path";

import { fail, follow, options } from "../js/dialect.mjs";

const SERVER_UP_MS_MAX = 10_000;
const ASKED_SID = "1";
let isServerGone = false;
const given = options(["feed", "listen", "server", "scratch", "ws"]);
const { WebSocket } = createRequire(import.meta.url)(resolve(given.ws));

process.on("exit", () => {
  rmSync(given.scratch, { recursive: true, force: true });
  // A server without a feed would look alive and say nothing.
  if (!isServerGone && isAlive(Number(given.server))) process.kill(Number(given.server), "SIGTERM");
});

/** The port that the server chose for plain TCP, once it says so in its ports file. */
async function serverPort() {
  const path = `${given.scratch}/nats-server_${given.server}.ports`;
  const deadline = Date.now() + SERVER_UP_MS_MAX;
  while (Date.now() < deadline) {
    if (existsSync(path)) {
      try {
        return Number(new URL(JSON.parse(readFileSync(path, "utf8")).nats[0]).port);
      } catch {
        // Half written: the next look finds it whole.
      }
    }
    if (!isAlive(Number(given.server))) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  fail("nats-server did not come up");
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const publication = (subject, text) => `PUB ${subject} ${Buffer.byteLength(text)}\r\n${text}\r\n`;

let market;
let unread = "";
let isUp = false;

/** Answers what the server says: pings, and requests (without payload) for a last ticker. */
function heard(text, server) {
  unread += text;
  for (let end = unread.indexOf("\r\n"); end >= 0; end = unread.indexOf("\r\n")) {
    const [verb, ...words] = unread.slice(0, end).split(" ");
    unread = unread.slice(end + 2);
    if (verb === "PING") server.write("PONG\r\n");
    else if (verb === "-ERR") fail(`nats-server: ${words.join(" ")}`);
    else if (verb === "PONG" && !isUp) {
      isUp = true;
      console.log(`listening on wss://${given.listen}/v2`);
    } else if (verb === "MSG" && words.length === 4) {
      const [subject, , reply] = words;
      const last = market.snapshot(subject.slice("last.".length));
      if (last) server.write(publication(reply, last));
    }
  }
}

const server = connect({ host: "127.0.0.1", port: await serverPort(), noDelay: true });
server.on("error", (error) => fail(`nats-server: ${error.message}`));
server.on("close", () => {
  isServerGone = true;
  process.exit(0);
});
server.on("data", (bytes) => heard(bytes.toString("latin1"), server));
server.write('CONNECT {"verbose":false,"pedantic":false,"lang":"bridge","version":"1"}\r\n');

follow(given.feed, WebSocket, {
  onReady(followed) {
    market = followed;
    server.write(`SUB last.> ${ASKED_SID}\r\nPING\r\n`);
  },
  onTicker: (symbol, text) => server.write(publication(`ticker.${symbol}`, text)),
});
