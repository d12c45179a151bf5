r"""A dashboard of nats-server over WebSocket: the smallest that works; what a load side must do.

The bytes, all of them inside binary WebSocket messages (frames from the client masked, as ever):

    upgrade  GET /v2 or any other path, no Sec-WebSocket-Protocol, no extensions
    server   INFO {json}\r\n                     at once, unasked
    client   CONNECT {"verbose":false,"pedantic":false,"lang":"bench","version":"1"}\r\n
    client   SUB ticker.BTC/USD 7\r\n            one a symbol; 7 is the client's own number for it,
                                                and comes back in each message; there is no ack
    client   PING\r\n                            after all SUBs, in the same message if one likes
    server   PONG\r\n                            every SUB before the PING is in force: ready
    server   MSG ticker.BTC/USD 7 231\r\n<231 bytes of ticker text>\r\n
    server   PING\r\n                            soon after CONNECT, then each two minutes;
    client   PONG\r\n                            the answer it must have
    server   -ERR '...'\r\n                      a refusal; after most, the server closes
    client   UNSUB 7\r\n                         to leave a symbol

The last ticker as a snapshot ("type":"snapshot"), if wanted, is asked of the bridge after PONG:

    client   SUB snap.4711 0\r\n                 a subject that no other session uses
    client   PUB last.BTC/USD snap.4711 0\r\n\r\n   for each symbol; the payload is empty
    server   MSG snap.4711 0 233\r\n<text>\r\n    for each that has one, in no promised order
                                                against updates

WebSocket messages are no boundaries: nats-server sends what waits for a client as one message of
many MSGs, and may cut one MSG anywhere between two. Read the payloads as one stream of bytes.
A client for which 64 MiB wait, or that takes nothing for ten seconds, is cut (its defaults).
"""

import secrets

CONNECT = b'CONNECT {"verbose":false,"pedantic":false,"lang":"bench","version":"1"}\r\n'


class Stream:
    """Cuts the server's bytes into protocol messages."""

    def __init__(self):
        self.unread = b""

    def take(self, payload):
        """Yields (line, text) for each whole message; text is None but for MSG."""
        self.unread += payload
        while (end := self.unread.find(b"\r\n")) >= 0:
            line = self.unread[:end].decode()
            used, text = end + 2, None
            if line.startswith("MSG "):
                size = int(line.rsplit(" ", 1)[1])
                if len(self.unread) < used + size + 2:
                    return
                text = self.unread[used : used + size].decode()
                used += size + 2
            self.unread = self.unread[used:]
            yield line, text


async def tickers(socket, symbols):
    """Subscribes; yields None when ready, and then each ticker text."""
    stream = Stream()
    inbox = f"snap.{secrets.token_hex(8)}"
    subjects = [inbox, *(f"ticker.{symbol}" for symbol in symbols)]
    subscriptions = "".join(f"SUB {subject} {sid}\r\n" for sid, subject in enumerate(subjects))
    await socket.send(CONNECT + subscriptions.encode() + b"PING\r\n")
    async for payload in socket:
        for line, text in stream.take(payload):
            if text is not None:
                yield text
            elif line == "PING":
                await socket.send(b"PONG\r\n")
            elif line == "PONG":
                yield None
                asks = "".join(f"PUB last.{symbol} {inbox} 0\r\n\r\n" for symbol in symbols)
                await socket.send(asks.encode())
            elif line.startswith("-ERR"):
                raise RuntimeError(f"nats-server: {line}")
