"""Python's `websockets` as dashboards of several kinds: well behaved, mistaken, and stubborn.

It offers permessage-deflate, as it does by default. Whatever is wrong with a request, the reply has
to say so in words and the session has to live; one that keeps on is closed with 4505.
"""

import asyncio
import json
import ssl

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from verdict import Wrong, judge, options_of

REPLY_MAX_S = 5
TOO_BIG_CLOSE_S = 2
TOO_BIG_CODE = 1009
BAD_REQUESTS_CODE = 4505
# More than any config's patience in this test; see shard.bad_requests_max.
STUBBORN_REQUESTS = 200


def subscribe(**params):
    return json.dumps({"method": "subscribe", "params": params})


# What is sent, and a word that the reply has to contain.
MISTAKES = {
    "not JSON at all": ("hello", "JSON"),
    "cut JSON": ('{"method":"subscribe","params":{', "JSON"),
    "nothing": ("", "JSON"),
    "a list": ("[1,2,3]", "object"),
    "deep nesting": ("[" * 30_000, "JSON"),
    "no method": ('{"params":{}}', "method"),
    "a method that is a number": ('{"method":7}', "method"),
    "an unknown method": ('{"method":"add_order","params":{}}', "add_order"),
    "an unknown field": ('{"method":"ping","colour":"blue"}', "colour"),
    "a req_id that is a text": ('{"method":"ping","req_id":"one"}', "req_id"),
    "no params": ('{"method":"subscribe"}', "params"),
    "params that are a list": ('{"method":"subscribe","params":[]}', "params"),
    "no channel": (subscribe(symbol=["BTC/USD"]), "channel"),
    "an unknown channel": (subscribe(channel="gossip", symbol=["BTC/USD"]), "gossip"),
    "an unknown symbol": (subscribe(channel="ticker", symbol=["NO/SUCH"]), "NO/SUCH"),
    "a symbol that is no list": (subscribe(channel="ticker", symbol="BTC/USD"), "symbol"),
    "a symbol that is a number": (subscribe(channel="ticker", symbol=[1]), "symbol"),
    "no symbol in the list": (subscribe(channel="ticker", symbol=[]), "symbol"),
    "a depth that does not exist": (subscribe(channel="book", symbol=["A/B"], depth=11), "depth"),
    "a depth that is a text": (subscribe(channel="book", symbol=["A/B"], depth="10"), "depth"),
    "an interval that is null": (subscribe(channel="ohlc", symbol=["A/B"], interval=None), "inter"),
    "a snapshot that is a text": (subscribe(channel="trade", symbol=["A"], snapshot="no"), "snap"),
    "an unsubscribe of nothing": ('{"method":"unsubscribe","params":{"channel":"book"}}', "symbol"),
}


def options():
    parser = options_of(__doc__)
    parser.add_argument(
        "--message-bytes-max", type=int, default=65536, help="the config's shard.message_bytes_max"
    )
    return parser.parse_args()


class Dashboard:
    """One connection; what is not waited for is skipped."""

    def __init__(self, socket):
        self.socket = socket

    async def send(self, text):
        await self.socket.send(text)

    async def until(self, wanted, what):
        """The next message of which `wanted` is true."""
        try:
            async with asyncio.timeout(REPLY_MAX_S):
                async for text in self.socket:
                    message = json.loads(text)
                    if wanted(message):
                        return message
        except TimeoutError:
            raise Wrong(f"{what}: no answer within {REPLY_MAX_S} s") from None
        except ConnectionClosed:
            pass
        closed = f"{self.socket.close_code} {self.socket.close_reason!r}"
        raise Wrong(f"{what}: the session was closed with {closed}")

    async def lives(self, after):
        await self.send('{"method":"ping","req_id":4711}')
        pong = lambda message: message.get("method") == "pong" and message.get("req_id") == 4711
        await self.until(pong, f"ping after {after}")


def connection(chosen, **more):
    trust = ssl.create_default_context(cafile=chosen.ca)
    return connect("wss" + chosen.url.removeprefix("https") + "/v2", ssl=trust, **more)


async def behave(chosen):
    """Status, acks, snapshots and then data for as long as asked; returns frames per channel."""
    symbols = chosen.symbols.split(",")
    counts = {"ticker": 0, "trade": 0, "book": 0}
    async with connection(chosen) as socket:
        dashboard = Dashboard(socket)
        status = await dashboard.until(lambda _: True, "the first message")
        if status.get("channel") != "status" or status["data"][0]["api_version"] != "v2":
            raise Wrong(f"the first message is no status: {status}")
        for channel in counts:
            trigger = {"event_trigger": "bbo"} if channel == "ticker" else {}
            await dashboard.send(subscribe(channel=channel, symbol=symbols, **trigger))
            acks = {}
            while len(acks) < len(symbols):
                ack = await dashboard.until(lambda m: m.get("method") == "subscribe", channel)
                if not ack["success"]:
                    raise Wrong(f"refused: {ack}")
                acks[ack["result"]["symbol"]] = ack
            if set(acks) != set(symbols):
                raise Wrong(f"acks of {channel} for {sorted(acks)}")
        loop = asyncio.get_running_loop()
        end = loop.time() + chosen.seconds
        while loop.time() < end:
            message = await dashboard.until(lambda m: "data" in m, "data")
            if message["type"] == "update":
                if "x" in message:
                    raise Wrong(f"an extension that nobody asked for: {message}")
                counts[message["channel"]] += 1
        await dashboard.lives("data")
        extensions = socket.response.headers.get("Sec-WebSocket-Extensions")
    for channel, count in counts.items():
        if count == 0:
            raise Wrong(f"no update on {channel} in {chosen.seconds:g} s")
    return {"frames": counts, "compression": extensions or "declined"}


async def make_mistakes(chosen):
    """Every mistake is answered in words, on one session that goes on."""
    async with connection(chosen) as socket:
        dashboard = Dashboard(socket)
        for name, (text, word) in MISTAKES.items():
            await dashboard.send(text)
            await refused(dashboard, name, word)
        await exceed(chosen)
        await dashboard.lives("another session's large message")
    return {"mistakes": len(MISTAKES) + 1}


async def exceed(chosen):
    """A message one byte above the limit costs the session, and nobody else's, with a reason."""
    async with connection(chosen, close_timeout=TOO_BIG_CLOSE_S) as socket:
        await socket.send("x" * (chosen.message_bytes_max + 1))
        try:
            async with asyncio.timeout(TOO_BIG_CLOSE_S):
                async for _ in socket:
                    pass
        except (ConnectionClosed, TimeoutError):
            # Its code can be asked for once the socket is closed, which may be for us to do.
            await socket.close()
        if socket.close_code != TOO_BIG_CODE or not socket.close_reason:
            closed = f"{socket.close_code} {socket.close_reason!r}"
            raise Wrong(f"a message above the limit: close {closed}, not {TOO_BIG_CODE} in words")


async def refused(dashboard, name, word):
    reply = await dashboard.until(lambda m: "success" in m, name)
    if reply["success"] or word.lower() not in reply.get("error", "").lower():
        raise Wrong(f"{name}: the reply does not name {word!r}: {reply}")
    await dashboard.lives(name)


async def keep_on(chosen):
    """Nonsense without end: the session is closed, with an error message before the close."""
    refusals = 0
    async with connection(chosen) as socket:
        try:
            for _ in range(STUBBORN_REQUESTS):
                await socket.send("nonsense")
                async with asyncio.timeout(REPLY_MAX_S):
                    while "success" not in (message := json.loads(await socket.recv())):
                        pass
                refusals += not message["success"]
        except ConnectionClosed:
            pass
        except TimeoutError:
            raise Wrong("keeping on: neither answered nor closed") from None
        if socket.close_code != BAD_REQUESTS_CODE or not socket.close_reason:
            raise Wrong(
                f"keeping on: close {socket.close_code} {socket.close_reason!r} "
                f"after {refusals} refusals, not {BAD_REQUESTS_CODE} with a reason"
            )
    return {"refusals_before_close": refusals}


async def main(chosen):
    mistaken = await make_mistakes(chosen)
    stubborn = await keep_on(chosen)
    return {**await behave(chosen), **mistaken, **stubborn}


if __name__ == "__main__":
    arguments = options()
    judge("websockets", main(arguments))
