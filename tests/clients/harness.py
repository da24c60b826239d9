"""Starts the server under test and counts checks."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import traceback

from toxme_client import Directory

READY_S = 30
STOP_S = 30


def binary():
    """The server's path, from the environment variable SEALBOOK."""
    path = os.environ.get("SEALBOOK")
    if not path or not os.access(path, os.X_OK):
        sys.exit("set SEALBOOK to the path of the sealbook binary")
    return str(pathlib.Path(path).resolve())


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A server with settings of its own in a temporary folder; a context manager."""

    def __init__(self, *settings):
        self.settings = settings
        self.folder = tempfile.mkdtemp(prefix="sealbook-test-")
        self.process = None

    def __enter__(self):
        try:
            self.start()
        except Exception:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder)

    def start(self):
        """Starts, or starts again over the same data."""
        self.port = free_port()
        words = [binary(), "serve", "--set", f"server.listen=127.0.0.1:{self.port}"]
        for setting in self.settings:
            words += ["--set", setting]
        clean = {k: v for k, v in os.environ.items() if not k.startswith("SEALBOOK")}
        with open(self.log_path(), "ab") as log:
            self.process = subprocess.Popen(
                words, cwd=self.folder, env=clean, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.directory = Directory(f"http://127.0.0.1:{self.port}")
        self._wait_ready()

    def log_path(self):
        return os.path.join(self.folder, "server.log")

    def log(self):
        return pathlib.Path(self.log_path()).read_text(errors="replace")

    def _wait_ready(self):
        end = time.monotonic() + READY_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.directory.request("GET", "/pk").status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"the server did not become ready; it said:\n{self.log()[-4000:]}")

    def stop(self):
        """Asks it to stop and returns its exit code; kills it if it does not."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def python_style(raw):
    """Whether a body is written byte for byte as Python's json.dumps writes it, with `</` as
    `<\\/`."""
    text = raw.decode("ascii")
    pairs = []
    value = json.loads(text, object_pairs_hook=lambda found: pairs.append(found) or dict(found))
    unique = all(len(dict(found)) == len(found) for found in pairs)
    return unique and text == json.dumps(value).replace("</", "<\\/")


class Report:
    """Counts checks and says which failed."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, what, holds, detail=""):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {what}: {detail}")
        return bool(holds)

    def equal(self, what, found, expected):
        return self.check(what, found == expected, f"{found!r} instead of {expected!r}")

    def matches(self, what, pattern, text):
        return self.check(what, re.fullmatch(pattern, str(text)), f"{text!r} is not {pattern}")

    def answers(self, what, reply, *codes):
        """The reply has one of the codes, the HTTP status that goes with it, and the right
        bytes."""
        said = f"HTTP {reply.status} {reply.raw[:300]!r}"
        ok = reply.code in codes
        ok = ok and reply.status == (200 if reply.code == 0 else 400)
        ok = ok and reply.raw.startswith(b'{"c": ')
        ok = ok and reply.headers.get("content-type") == "application/json; charset=UTF-8"
        try:
            ok = ok and python_style(reply.raw)
        except ValueError:
            ok = False
        return self.check(what, ok, f"expected {codes}, got {said}")

    def run(self, case):
        """Runs one function of checks; an exception is a failure and does not stop the rest."""
        start = time.monotonic()
        before = self.failed
        try:
            case(self)
        except Exception:
            self.failed += 1
            print(f"FAILED {case.__name__}:")
            traceback.print_exc(file=sys.stdout)
        state = "ok" if self.failed == before else "FAILED"
        print(f"{state:6} {case.__name__} ({time.monotonic() - start:.1f} s)", flush=True)

    def close(self):
        """Prints the closing line; returns the exit code."""
        print(f"{self.passed} passed, {self.failed} failed")
        return 0 if self.passed and not self.failed else 1
