"""How every client here is called, and how it ends: exit 0 with its figures as one line of JSON, 1
with a sentence.

Wrong usage exits 2, as argparse does.
"""

import argparse
import asyncio
import json
import os
import sys


class Wrong(Exception):
    """The gateway broke a promise; the text says which."""


def options_of(doc):
    """A parser of what all clients are told; `doc` is the client's own words about itself."""
    parser = argparse.ArgumentParser(description=doc.split("\n", maxsplit=1)[0])
    parser.add_argument("--url", required=True, help="https://HOST:PORT")
    parser.add_argument("--ca", required=True, help="PEM file of the gateway's certificate")
    parser.add_argument("--symbols", required=True, help="names, separated by commas")
    parser.add_argument("--seconds", type=float, default=15)
    return parser


def trust(ca_file):
    """Makes this process believe a certificate, where a client takes no file of its own.

    OpenSSL's defaults read the first variable, `requests` the second; both when a connection is
    opened, so it is early enough before any client exists.
    """
    os.environ["SSL_CERT_FILE"] = ca_file
    os.environ["REQUESTS_CA_BUNDLE"] = ca_file


def judge(what, main):
    """Runs the coroutine `main` and ends the process with its verdict."""
    try:
        figures = asyncio.run(main)
    except Wrong as wrong:
        print(f"{what}: {wrong}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # A client's own exception is a verdict as well.
        print(f"{what}: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
    print(json.dumps({"client": what, **figures}), flush=True)
