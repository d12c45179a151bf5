"""Programs of a test: each with a log of its own, ended by its process id whatever happens.

Knows feed-sim and gateway by their command lines only, as an operator does.
"""

import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

READY_MAX_S = 60
END_MAX_S = 15
LOG_LINES_SHOWN = 60

DOOR = '[door]\nlisten = "127.0.0.1:0"\ncert_file = "cert.pem"\nkey_file = "key.pem"\n'
ADMIN = '[admin]\nlisten = "127.0.0.1:0"\n'


class Failed(Exception):
    """The test failed; the text says how."""


class Program:
    """One running program. Its standard output and error go to one file."""

    def __init__(self, name, command, folder):
        self.name = name
        self.log_file = folder / f"{name}.log"
        with self.log_file.open("wb") as log:
            # Out of the terminal's group: Ctrl-C is for us, who end it in order.
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log(self):
        return self.log_file.read_text(errors="replace")

    def tail(self):
        lines = self.log().splitlines()[-LOG_LINES_SHOWN:]
        return "\n".join([f"--- {self.name}, its last lines:", *lines])

    def find(self, pattern):
        """The groups of a pattern in the log, once they stand there."""
        end = time.monotonic() + READY_MAX_S
        while time.monotonic() < end:
            # Asked before the log is read, so that its last words are not missed.
            code = self.process.poll()
            if found := re.search(pattern, self.log()):
                return found.groups()
            if code is not None:
                raise Failed(f"{self.name} ended with {code}")
            time.sleep(0.05)
        raise Failed(f"{self.name} did not say {pattern!r} within {READY_MAX_S} s")

    def wait(self, seconds):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} did not end within {seconds:g} s") from None

    def end(self):
        """Ends it, in order if it can. Answers its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(END_MAX_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


class Stage:
    """A venue, a gateway before it, and clients; a context that leaves nothing running."""

    def __init__(self, binaries, folder):
        self.binaries = binaries
        self.folder = folder
        self.programs = []

    def __enter__(self):
        return self

    def __exit__(self, kind, _error, _trace):
        for program in reversed(self.programs):
            program.end()
        if kind is not None:
            for program in self.programs:
                if program.name in ("feed-sim", "gateway"):
                    print(program.tail(), flush=True)

    def start(self, name, command):
        program = Program(name, command, self.folder)
        self.programs.append(program)
        return program

    def venue(self, options):
        """Starts feed-sim over TLS; answers its address, HOST:PORT. Its certificate serves both."""
        own = ["--addr", "127.0.0.1:0", "--tls-self-signed", self.folder]
        command = [self.binaries / "feed-sim", *options, *own]
        return self.start("feed-sim", command).find(r"listening on wss://(\S+)")[0]

    def gateway(self, feeds, settings="", flags=()):
        """Starts a gateway for these feeds and waits until it is ready; answers url and admin.

        `settings` goes on in the table of the door, and may begin others.
        """
        config = self.folder / "gateway.toml"
        tables = [
            "[[ingest.feeds]]\n" + "".join(f"{key} = {value}\n" for key, value in feed.items())
            for feed in feeds
        ]
        config.write_text("\n".join([DOOR + settings, ADMIN, *tables]))
        command = [self.binaries / "gateway", "run", "--config", config, *flags]
        program = self.start("gateway", command)
        url, admin = program.find(r"page: (https://\S+?)/, admin: (http://\S+?)/")
        end = time.monotonic() + READY_MAX_S
        while (answer := fetch(f"{admin}/readyz"))[0] != 200:
            if program.process.poll() is not None:
                raise Failed(f"gateway ended with {program.process.returncode}")
            if time.monotonic() > end:
                raise Failed(f"gateway is not ready after {READY_MAX_S} s: {answer[1]}")
            time.sleep(0.1)
        return url, admin

    def still_runs(self):
        """Both must have lived through the test, and the gateway must end in order."""
        for program in self.programs:
            if program.name in ("feed-sim", "gateway") and program.process.poll() is not None:
                raise Failed(f"{program.name} ended with {program.process.returncode}")
        for program in self.programs:
            if program.name == "gateway" and (code := program.end()) != 0:
                raise Failed(f"gateway ended with {code} when asked to end")


def fetch(url):
    """Status and text; status 0 while nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def text(value):
    """A string as TOML writes it, which is as JSON does."""
    return json.dumps(str(value))
