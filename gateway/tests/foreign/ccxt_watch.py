"""ccxt's streaming client for Kraken against the gateway, unmodified but for address and CA.

Watches books, trades, tickers and bars of several symbols and asks of each that it moves and makes
sense. Its checksum option stays off, as it is by default: ccxt crashes in it. ccxt makes its own
symbols from our AssetPairs (base, slash, quote), so it cannot name one without a slash, nor two
with the same base and quote such as a coin and its perpetual. It sends one request a second, so the
watching is timed from when every stream has begun.
"""

import asyncio
import time

from verdict import Wrong, judge, options_of

READY_MAX_S = 20
BEGIN_MAX_S = 5
CHANNELS = ("book", "trade", "ticker", "ohlcv")
# How far a bar's begin may lie ahead, and a snapshot's trade behind.
AHEAD_MS_MAX = 1_000
AGE_MS_MAX = 600_000


def exchange_at(url, ca_file):
    import ccxt.pro

    web_socket = "wss" + url.removeprefix("https") + "/v2"
    ws = {"public": web_socket, "publicV2": web_socket}
    api = {"public": url, "private": url, "ws": ws}
    return ccxt.pro.kraken({"cafile": ca_file, "urls": {"api": api}})


def require(holds, symbol, sentence, *shown):
    if not holds:
        raise Wrong(f"{symbol}: {sentence}" + "".join(f" {each}" for each in shown))


class Seen:
    """What one symbol's streams showed so far; each `look` judges what has just arrived."""

    def __init__(self, symbol):
        self.symbol = symbol
        self.counts = dict.fromkeys(CHANNELS, 0)
        self.changes = dict.fromkeys(CHANNELS, 0)
        self.last = dict.fromkeys(CHANNELS)
        self.trade_id = None
        self.bar_begin = 0

    def note(self, channel, shown):
        self.counts[channel] += 1
        self.changes[channel] += shown != self.last[channel]
        self.last[channel] = shown

    def look_at_book(self, book):
        bids = [level[0] for level in book["bids"]]
        asks = [level[0] for level in book["asks"]]
        for side in (bids, asks):
            require(len(side) == 10, self.symbol, "levels of a side of the book:", len(side))
        require(bids == sorted(set(bids), reverse=True), self.symbol, "bids out of order", bids)
        require(asks == sorted(set(asks)), self.symbol, "asks out of order", asks)
        require(bids[0] < asks[0], self.symbol, "bid and ask cross:", bids[0], asks[0])
        sizes = [level[1] for level in book["bids"] + book["asks"]]
        require(min(sizes) > 0, self.symbol, "an empty level in the book")
        self.note("book", (tuple(map(tuple, book["bids"])), tuple(map(tuple, book["asks"]))))

    def look_at_trades(self, trades):
        """`trades` are those that came since the last look, or the snapshot's."""
        for trade in trades:
            number = int(trade["id"])
            rises = self.trade_id is None or number > self.trade_id
            require(rises, self.symbol, "trade ids do not rise:", self.trade_id, number)
            self.trade_id = number
            require(trade["side"] in ("buy", "sell"), self.symbol, "side of a trade", trade["side"])
            require(trade["price"] > 0 and trade["amount"] > 0, self.symbol, "trade", trade)
            age = time.time() * 1000 - trade["timestamp"]
            require(-AHEAD_MS_MAX < age < AGE_MS_MAX, self.symbol, "age of a trade in ms:", age)
        self.note("trade", self.trade_id)

    def look_at_ticker(self, ticker):
        bid, ask, last = ticker["bid"], ticker["ask"], ticker["last"]
        require(0 < bid < ask, self.symbol, "bid and ask of the ticker:", bid, ask)
        if last is not None and ticker["low"] is not None:
            low, high = ticker["low"], ticker["high"]
            require(low <= last <= high, self.symbol, "last outside low and high:", low, last, high)
        self.note("ticker", (bid, ask, ticker["bidVolume"], ticker["askVolume"]))

    def look_at_bars(self, bars):
        for begin, opened, high, low, close, volume in bars:
            require(begin % 60_000 == 0, self.symbol, "a bar begins at", begin)
            age = time.time() * 1000 - begin
            require(age > -AHEAD_MS_MAX, self.symbol, "a bar of the future:", -age, "ms")
            inside = 0 < low <= min(opened, close) and max(opened, close) <= high
            require(inside, self.symbol, "bar", opened, high, low, close)
            require(volume > 0, self.symbol, "volume of a bar:", volume)
        require(bars[-1][0] >= self.bar_begin, self.symbol, "bars go back in time")
        self.bar_begin = bars[-1][0]
        self.note("ohlcv", tuple(bars[-1]))


async def follow(call, look):
    """`call` gives what is new; ccxt hands out live objects, so they are looked at at once."""
    while True:
        look(await call())


def streams(exchange, seen):
    symbol = seen.symbol
    return [
        follow(lambda: exchange.watch_order_book(symbol, 10), seen.look_at_book),
        follow(lambda: exchange.watch_trades(symbol), seen.look_at_trades),
        follow(lambda: exchange.watch_ticker(symbol), seen.look_at_ticker),
        follow(lambda: exchange.watch_ohlcv(symbol, "1m"), seen.look_at_bars),
    ]


async def unless_one_ends(tasks, condition, seconds):
    """Waits until `condition` holds, or for all of `seconds`; a stream's failure is ours."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end and not condition():
        ended, _ = await asyncio.wait(tasks, timeout=0.1, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()


async def watch(chosen):
    exchange = exchange_at(chosen.url, chosen.ca)
    symbols = chosen.symbols.split(",")
    tasks = []
    try:
        markets = await asyncio.wait_for(exchange.load_markets(), READY_MAX_S)
        for symbol in symbols:
            require(symbol in markets, symbol, "ccxt finds no such market")
        seen = [Seen(symbol) for symbol in symbols]
        tasks = [asyncio.ensure_future(stream) for one in seen for stream in streams(exchange, one)]
        await unless_one_ends(
            tasks,
            lambda: all(min(one.counts.values()) > 0 for one in seen),
            len(tasks) * BEGIN_MAX_S,
        )
        for one in seen:
            for channel in CHANNELS:
                require(one.counts[channel] > 0, one.symbol, f"{channel} never began")
            one.changes = dict.fromkeys(CHANNELS, 0)
        await unless_one_ends(tasks, lambda: False, chosen.seconds)
        for one in seen:
            for channel in CHANNELS:
                require(one.changes[channel] > 0, one.symbol, f"{channel} did not move")
        return {"seconds": chosen.seconds, "updates": {one.symbol: one.counts for one in seen}}
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await exchange.close()


if __name__ == "__main__":
    arguments = options_of(__doc__).parse_args()
    judge("ccxt", watch(arguments))
