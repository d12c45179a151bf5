"""Proves that a peer works, over TLS 1.3, against feed-sim: what ./check runs.

    feed-sim ---- ws ----> peer ---- wss ----> dashboards (a few, some symbols each)
        `------- ws ----> reference: every ticker text of every symbol, in order

What a dashboard hears of a symbol must be the reference's texts, byte for byte, in order, none
missing: from the one after its snapshot to the last one sent. Of nats, whose snapshot may come
late, the updates must reach back at least to it.
"""

import asyncio
import json
import os
import pathlib
import random
import signal
import socket
import ssl
import subprocess
import sys
import tomllib
from collections import defaultdict
from contextlib import aclosing

from websockets.asyncio.client import connect

sys.path.insert(0, str(pathlib.Path(__file__).parent / "nats"))
import client as nats

SYMBOLS, RATE, DASHBOARDS, EACH, SECONDS = 50, 500, 6, 20, 6.0
START_S_MAX, SETTLE_S_MAX = 15.0, 10.0
TLS = pathlib.Path("target/peers/tls")
PEERS = tomllib.loads(pathlib.Path("bench/peers/peers.toml").read_text())["peer"]


def certificate():
    """A self-signed certificate for this machine, made on first use."""
    TLS.mkdir(parents=True, exist_ok=True)
    cert, key = TLS / "cert.pem", TLS / "key.pem"
    if not key.exists():
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            + ["-nodes", "-days", "3650", "-subj", "/CN=localhost", "-keyout", key, "-out", cert]
            + ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
            check=True,
            capture_output=True,
        )
    return cert, key


async def started(argv, marker):
    """A process, and the rest of the line in which it says that it is up."""
    process = await asyncio.create_subprocess_exec(*argv, stdout=subprocess.PIPE)
    try:
        async with asyncio.timeout(START_S_MAX):
            while line := (await process.stdout.readline()).decode():
                if marker in line:
                    return process, line.split(marker, 1)[1].split()[0]
    except TimeoutError:
        process.kill()
    raise SystemExit(f"{argv[0]}: did not come up (exit code {await process.wait()})")


async def ended(process):
    """Asks a process to end; its exit code."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        return await asyncio.wait_for(process.wait(), 5)
    except TimeoutError:
        process.kill()
        return "killed: it did not end on SIGTERM"


def subscribe(symbols, **more):
    params = {"channel": "ticker", "event_trigger": "bbo", "symbol": symbols, **more}
    return json.dumps({"method": "subscribe", "params": params, "req_id": 1})


class Heard:
    """What one listener heard: per symbol the texts in order, snapshots apart."""

    def __init__(self, symbols):
        self.symbols = symbols
        self.updates = defaultdict(list)
        self.snapshots = {}
        self.granted = set()
        self.status = False

    def take(self, text):
        message = json.loads(text)
        if message.get("channel") == "status":
            self.status = True
        elif message.get("method") == "subscribe":
            assert message["success"] and message["req_id"] == 1 and message["time_in"], text
            self.granted.add(message["result"]["symbol"])
        elif message.get("channel") == "ticker":
            symbol = message["data"][0]["symbol"]
            assert symbol in self.symbols, f"never asked for {symbol}"
            if message["type"] == "snapshot":
                assert symbol not in self.snapshots, f"second snapshot of {symbol}"
                self.snapshots[symbol] = text
            else:
                self.updates[symbol].append(text)


async def listen_plain(url, context, heard):
    async with connect(url, ssl=context, compression=None) as session:
        await session.send(subscribe(heard.symbols))
        async for text in session:
            heard.take(text)


async def listen_nats(url, context, heard):
    heard.status = True
    async with connect(url, ssl=context, compression=None) as session:
        async with aclosing(nats.tickers(session, heard.symbols)) as texts:
            async for text in texts:
                if text is None:
                    heard.granted.update(heard.symbols)
                else:
                    heard.take(text)


def item(text):
    return json.loads(text)["data"][0]


def quote(ticker):
    return [ticker[name] for name in ("bid", "bid_qty", "ask", "ask_qty")]


def judge(heard, reference, is_exact_join):
    """What is wrong with what a dashboard heard."""
    for symbol in heard.symbols:
        truth, got = reference.updates[symbol], heard.updates[symbol]
        if symbol not in heard.granted:
            yield f"{symbol}: not granted"
        if symbol not in heard.snapshots:
            yield f"{symbol}: no snapshot"
        else:
            snapshot = item(heard.snapshots[symbol])
            first = sum(item(text)["timestamp"] <= snapshot["timestamp"] for text in truth)
            if first > 0 and quote(item(truth[first - 1])) != quote(snapshot):
                yield f"{symbol}: the snapshot is not the quote of its time"
            if len(got) < len(truth) - first or is_exact_join and got != truth[first:]:
                yield f"{symbol}: {len(got)} updates after the snapshot, {len(truth) - first} sent"
        if got and got != truth[len(truth) - len(got) :]:
            yield f"{symbol}: the {len(got)} updates are not the last ones sent"
    if not heard.status:
        yield "no status message on connect"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def protocol(url):
    """What openssl negotiates."""
    host = url.split("/")[2]
    argv = ["openssl", "s_client", "-connect", host, "-brief"]
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output = (await process.communicate())[0].decode()
    named = dict(line.split(": ", 1) for line in output.splitlines() if ": " in line)
    return named.get("Protocol version"), named.get("Ciphersuite")


async def check(peer):
    """Runs one peer; its faults, and a line about the run."""
    cert, key = certificate()
    simulate = ["target/debug/feed-sim", "generate", "--symbols", str(SYMBOLS), "--rate", str(RATE)]
    simulate += ["--addr", "127.0.0.1:0", "--ticks", str(int(RATE * (SECONDS + 4)))]
    feed_sim, feed = await started(simulate + ["--start", "subscribed"], "listening on ")
    feed = f"ws://{feed.split('//')[-1].rstrip('/').removesuffix('/v2')}/v2"
    faults, tasks, server = [], [], None
    try:
        filled = {"feed": feed, "listen": f"127.0.0.1:{free_port()}", "cert": cert, "key": key}
        argv = [word.format(**filled) for word in peer["argv"]]
        async with connect(feed, compression=None) as venue:
            await venue.send('{"method":"subscribe","params":{"channel":"instrument"}}')
            while (message := json.loads(await venue.recv())).get("channel") != "instrument":
                pass
            symbols = [pair["symbol"] for pair in message["data"]["pairs"]]
            reference = Heard(symbols)
            await venue.send(subscribe(symbols))

            async def refer():
                async for text in venue:
                    reference.take(text)

            tasks.append(asyncio.create_task(refer()))
            server, url = await started(argv, "listening on ")
            negotiated = await protocol(url)
            if negotiated[0] != "TLSv1.3":
                faults.append(f"TLS: {negotiated}")
            context = ssl.create_default_context(cafile=cert)
            listen = listen_nats if peer["dialect"] == "nats" else listen_plain
            chance = random.Random(1)
            dashboards = [Heard(chance.sample(symbols, EACH)) for _ in range(DASHBOARDS)]
            tasks += [asyncio.create_task(listen(url, context, heard)) for heard in dashboards]
            await asyncio.sleep(SECONDS)
            everything = [reference, *dashboards]
            threads = len(os.listdir(f"/proc/{server.pid}/task"))
            counts = None
            async with asyncio.timeout(SETTLE_S_MAX):
                while counts != (counts := [sum(map(len, h.updates.values())) for h in everything]):
                    await asyncio.sleep(1.0)
            done = [task for task in tasks if task.done()]
            faults += [f"{task.exception()!r}" for task in done if task.exception()]
            for number, heard in enumerate(dashboards):
                wrong = judge(heard, reference, peer["dialect"] != "nats")
                faults += [f"dashboard {number}, {text}" for text in wrong]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if server is not None and (code := await ended(server)) not in (0, 1, -signal.SIGTERM):
            faults.append(f"exit on SIGTERM: {code}")
        await ended(feed_sim)
    told = f"{counts[0]} ticks, {sum(counts[1:])} deliveries to {DASHBOARDS} dashboards"
    return faults, f"{told}, {negotiated[0]} {negotiated[1]}, {threads} threads"


def main():
    names = sys.argv[1:] or [peer["name"] for peer in PEERS]
    known = {peer["name"]: peer for peer in PEERS}
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"no such peer: {', '.join(unknown)}; there are {', '.join(known)}")
    failed = False
    for name in names:
        faults, told = asyncio.run(check(known[name]))
        print(f"{name}: {'FAILED' if faults else 'ok'}, {told}", flush=True)
        for fault in faults[:10]:
            print(f"  {fault}")
        failed |= bool(faults)
    sys.exit(failed)


if __name__ == "__main__":
    main()
