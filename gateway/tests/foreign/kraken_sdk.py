"""python-kraken-sdk's order book client against the gateway, unmodified but for address and CA.

It rebuilds every book from our updates, prints each level at the precision that our AssetPairs
name, and holds the CRC32 of its top ten against ours: an oracle for books nobody here wrote. Every
update has to be valid, every symbol has to have some, and one session has to last to the end.
"""

import asyncio
import logging
import time
from collections import Counter

from verdict import Wrong, judge, options_of, trust

READY_MAX_S = 20
# Without an update of any symbol. The SDK says nothing when its session ends, and tries again.
SILENCE_MAX_S = 5


def options():
    parser = options_of(__doc__)
    parser.add_argument("--depth", type=int, default=10)
    return parser.parse_args()


def sdk_at(url):
    """The SDK's book client for another address: its constructor takes none, its classes do."""
    from kraken.base_api import SpotAsyncClient, SpotClient
    from kraken.spot import SpotOrderBookClient

    SpotClient.URL = SpotAsyncClient.URL = url
    SpotOrderBookClient.WS_URL = "wss" + url.removeprefix("https")
    return SpotOrderBookClient


def books(client_class, depth):
    """A book client that keeps count. `on_book_update` is the SDK's own hook for its users."""

    class Books(client_class):
        valid = Counter()
        snapshots = Counter()
        fault = None
        heard = 0.0

        async def on_book_update(self, pair, message):
            self.heard = time.monotonic()
            if "error" in message:
                self.fault = f"after {self.valid[pair]} valid updates of {pair}: {message['error']}"
            elif message["type"] == "snapshot":
                self.snapshots[pair] += 1
                if self.snapshots[pair] > 1:
                    self.fault = f"{pair} was sent a second snapshot, or its session ended"
            elif self.get(pair)["valid"]:
                self.valid[pair] += 1

    return Books(depth=depth)


async def watch(chosen):
    client = books(sdk_at(chosen.url), chosen.depth)
    symbols = chosen.symbols.split(",")
    await asyncio.wait_for(client.start(), READY_MAX_S)
    await client.add_book(pairs=symbols)
    client.heard = time.monotonic()
    end = time.monotonic() + chosen.seconds
    while time.monotonic() < end:
        await asyncio.sleep(0.1)
        if client.fault:
            raise Wrong(client.fault)
        if client.exception_occur:
            raise Wrong("the SDK gave up; its log stands above")
        if time.monotonic() - client.heard > SILENCE_MAX_S:
            raise Wrong(f"no update of any symbol for {SILENCE_MAX_S} s")
    for symbol in symbols:
        if client.snapshots[symbol] != 1 or client.valid[symbol] == 0:
            raise Wrong(
                f"{symbol}: {client.snapshots[symbol]} snapshots and {client.valid[symbol]} "
                f"updates in {chosen.seconds:g} s"
            )
        sides = client.get(symbol)
        for side in ("bid", "ask"):
            if len(sides[side]) < min(10, chosen.depth):
                raise Wrong(f"{symbol}: {len(sides[side])} levels on side {side}")
        if float(next(iter(sides["bid"]))) >= float(next(iter(sides["ask"]))):
            raise Wrong(f"{symbol}: bid and ask cross")
    await client.close()
    valid = {symbol: client.valid[symbol] for symbol in symbols}
    return {"seconds": chosen.seconds, "valid": sum(valid.values()), "per_symbol": valid}


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    arguments = options()
    trust(arguments.ca)
    judge("python-kraken-sdk", watch(arguments))
