// Node's `ws` as a dashboard, as it comes: it offers permessage-deflate by default.
//
//   node node_ws.mjs --url https://HOST:PORT --ca FILE --symbols A/B,C/D [--seconds 15]
//
// Subscribes, counts updates per symbol, makes one mistake, asks for a pong, closes. Exits 0 with
// its figures as a line of JSON, 1 with a sentence, 2 when called wrongly.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import WebSocket from "ws";

const REPLY_MAX_MS = 5_000;

class Wrong extends Error {}

function options() {
  const text = { type: "string" };
  const { values } = parseArgs({ options: { url: text, ca: text, symbols: text, seconds: text } });
  if (!values.url || !values.ca || !values.symbols) throw new Error("--url --ca --symbols");
  return { ...values, symbols: values.symbols.split(","), seconds: Number(values.seconds ?? 15) };
}

/** Resolves with the next message of which `wanted` is true. */
function next(socket, wanted, what) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Wrong(`${what}: no answer`)), REPLY_MAX_MS);
    const onClose = (code, reason) => reject(new Wrong(`${what}: closed ${code} ${reason}`));
    const onMessage = (bytes) => {
      const message = JSON.parse(bytes);
      if (!wanted(message)) return;
      clearTimeout(timer);
      socket.off("close", onClose);
      socket.off("message", onMessage);
      resolve(message);
    };
    socket.on("message", onMessage);
    socket.on("close", onClose);
  });
}

async function watch({ url, ca, symbols, seconds }) {
  const socket = new WebSocket(`${url.replace(/^https/, "wss")}/v2`, { ca: readFileSync(ca) });
  const failed = new Promise((_, reject) => socket.on("error", reject));
  const run = async () => {
    const status = await next(socket, () => true, "the first message");
    if (status.channel !== "status") throw new Wrong("the first message is no status");
    const updates = Object.fromEntries(symbols.map((symbol) => [symbol, 0]));
    socket.on("message", (bytes) => {
      const message = JSON.parse(bytes);
      if (message.channel === "book" && message.type === "update") {
        updates[message.data[0].symbol] += 1;
      }
    });
    const params = { channel: "book", symbol: symbols };
    socket.send(JSON.stringify({ method: "subscribe", params }));
    await new Promise((done) => setTimeout(done, seconds * 1000));
    for (const [symbol, count] of Object.entries(updates)) {
      if (count === 0) throw new Wrong(`no update of ${symbol} in ${seconds} s`);
    }
    const refused = next(socket, (message) => message.success === false, "nonsense");
    socket.send("nonsense");
    await refused;
    const pong = next(socket, (message) => message.method === "pong", "ping after nonsense");
    socket.send('{"method":"ping"}');
    await pong;
    const closed = new Promise((done) => socket.once("close", done));
    socket.close(1000);
    const code = await closed;
    if (code !== 1000) throw new Wrong(`close 1000 was answered with ${code}`);
    return { seconds, compression: socket.extensions || "declined", updates };
  };
  return Promise.race([run(), failed]).finally(() => socket.terminate());
}

let chosen;
try {
  chosen = options();
} catch (error) {
  console.error(`node-ws: ${error.message}`);
  process.exit(2);
}
try {
  console.log(JSON.stringify({ client: "node-ws", ...(await watch(chosen)) }));
} catch (error) {
  console.error(`node-ws: ${error.message}`);
  process.exitCode = 1;
}
