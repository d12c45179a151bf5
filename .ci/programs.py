"""The programs of this project as children: built, started, read, ended."""

import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARIES = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
START_S = 30


def build():
    programs = ["-p", "gateway", "-p", "bench", "-p", "feed-sim"]
    command = ["cargo", "build", "--release", "--locked", *programs]
    subprocess.run(command, cwd=ROOT, check=True)


def read(path, otherwise=None):
    try:
        return pathlib.Path(path).read_text()
    except OSError:
        if otherwise is None:
            raise
        return otherwise


def start(stack, name, folder, command, **more):
    """A program that is ended when `stack` is; its output goes to a file of its name."""
    log = open(folder / f"{name}.log", "w")
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, **more)
    stack.callback(end, process)
    return process


def end(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def told(folder, name, pattern, process):
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        text = read(folder / f"{name}.log")
        if found := re.search(pattern, text):
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.05)
    sys.exit(f"{name} never said {pattern}:\n{text}")


def metrics(admin):
    with urllib.request.urlopen(f"http://{admin}/metrics", timeout=10) as answer:
        return answer.read().decode()


def counted(text, name):
    """The sum over all samples of a name."""
    found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\d+)$", text, re.M)
    if not found:
        sys.exit(f"nothing is called {name}")
    return sum(map(int, found))
