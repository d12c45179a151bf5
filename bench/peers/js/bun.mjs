// Bun publish: its WebSocket server is uWebSockets, whose publish() gives a message to every
// subscriber of a topic and sends what one turn of the loop gathered for a socket as one write.
//
// One thread. Limits are Bun's own: 16 MiB may wait for a socket, what comes above that is dropped.

import { address, answer, certificate, follow, options, status } from "./dialect.mjs";

const given = options();
let market;
let server;

const websocket = {
  perMessageDeflate: false,
  idleTimeout: 0,
  sendPings: false,
  open(socket) {
    socket.data = {
      say: (text) => socket.send(text),
      join: (symbol) => socket.subscribe(symbol),
      leave: (symbol) => socket.unsubscribe(symbol),
    };
    socket.send(status(`bun-${Bun.version}`));
  },
  message(socket, text) {
    answer(String(text), socket.data, market);
  },
};

function fetch(request, server) {
  const upgraded = new URL(request.url).pathname === "/v2" && server.upgrade(request, { data: {} });
  return upgraded ? undefined : new Response("only WebSocket at /v2\n", { status: 404 });
}

process.on("SIGTERM", () => process.exit(0));

follow(given.feed, WebSocket, {
  onReady(followed) {
    market = followed;
    const { host: hostname, port } = address(given.listen);
    server = Bun.serve({ hostname, port, tls: certificate(given), websocket, fetch });
    console.log(`listening on wss://${hostname}:${server.port}/v2`);
  },
  onTicker: (symbol, text) => server.publish(symbol, text),
});
