// Node with ws: each tick is framed once with ws's own Sender.frame and written to every
// subscriber's TLS socket; what several ticks of one turn wrote to a socket leaves together (Node's
// cork).
//
// One thread for JavaScript and TLS. A socket for which more than WAITING_BYTES_MAX wait is cut.

import { createServer } from "node:https";
import { createRequire } from "node:module";
import { resolve } from "node:path";

import { address, answer, certificate, follow, options, status } from "./dialect.mjs";

const given = options(["feed", "listen", "cert", "key", "ws"]);
// Where ./install put it; a bare import would look beside this file only.
const require = createRequire(import.meta.url);
const { Sender, WebSocket, WebSocketServer } = require(resolve(given.ws));
const { version } = require(resolve(given.ws, "package.json"));

const WAITING_BYTES_MAX = 16 << 20;
const FRAME = { fin: true, rsv1: false, opcode: 1, mask: false, readOnly: true };

// The cheapest suite first, as the gateway has it.
const TLS = {
  minVersion: "TLSv1.3",
  ciphers: "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256",
  honorCipherOrder: true,
};

let market;
/** The sockets of each symbol's subscribers. */
const subscribers = new Map();
/** The sockets that are corked in this turn. */
let corked = [];

function uncorkAll() {
  const sockets = corked;
  corked = [];
  for (const socket of sockets) socket.uncork();
}

function publish(symbol, text) {
  const sockets = subscribers.get(symbol);
  if (sockets.size === 0) return;
  const frame = Buffer.concat(Sender.frame(Buffer.from(text), FRAME));
  for (const socket of sockets) {
    if (socket.writableCorked === 0) {
      if (socket.writableLength > WAITING_BYTES_MAX) {
        socket.destroy();
        continue;
      }
      if (corked.push(socket) === 1) setImmediate(uncorkAll);
      socket.cork();
    }
    socket.write(frame);
  }
}

function serve(websocket, socket) {
  const joined = new Set();
  const session = {
    say: (text) => websocket.send(text),
    join(symbol) {
      joined.add(symbol);
      subscribers.get(symbol).add(socket);
    },
    leave(symbol) {
      joined.delete(symbol);
      subscribers.get(symbol).delete(socket);
    },
  };
  websocket.on("message", (text) => answer(text.toString(), session, market));
  websocket.on("close", () => [...joined].forEach(session.leave));
  websocket.on("error", () => {});
  session.say(status(`node-ws-${version}`));
}

process.on("SIGTERM", () => process.exit(0));

follow(given.feed, WebSocket, {
  onReady(followed) {
    market = followed;
    for (const symbol of market.symbols) subscribers.set(symbol, new Set());
    const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
    const server = createServer({ ...certificate(given), ...TLS, noDelay: true });
    server.on("upgrade", (request, socket, head) => {
      if (request.url !== "/v2") return socket.destroy();
      sockets.handleUpgrade(request, socket, head, (websocket) => serve(websocket, socket));
    });
    const { host, port } = address(given.listen);
    server.listen({ host, port, backlog: 4096 }, () => {
      console.log(`listening on wss://${host}:${server.address().port}/v2`);
    });
  },
  onTicker: publish,
});
