"""Starts the server under test and counts checks."""

import itertools
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

from stores import empty_store
from toxme_client import LOOKUP, REVERSE, SEARCH, Directory

READY_S = 30
STOP_S = 30
# How far a process may be behind what another one of the same store has answered.
STALE_S = 1.0


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


def processes():
    """How many processes make up a server, from the environment variable PROCESSES."""
    return int(os.environ.get("PROCESSES", "1"))


class Server:
    """A server with settings of its own and an empty store; a context manager.

    It is `count` processes over one store, with copies of the same keys, which requests reach in
    turn. `flags` are further words of the command.
    """

    def __init__(self, *settings, count=None, flags=()):
        self.store = empty_store()
        self.folder = tempfile.mkdtemp(prefix="sealbook-test-")
        count = processes() if count is None else count
        if count > 1 and not self.store.is_shared:
            sys.exit("several processes need a store that they can share")
        settings = (*self.store.settings, *settings)
        folders = [os.path.join(self.folder, str(number)) for number in range(count)]
        self.processes = [Process(folder, settings, flags) for folder in folders]

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        self.store.remove()
        shutil.rmtree(self.folder)

    def start(self):
        """Starts, or starts again over the same data."""
        first = self.processes[0]
        for process in self.processes:
            if process is not first:
                process.take_keys(first)
            process.start()
        directories = [process.directory for process in self.processes]
        self.directory = Balanced(directories) if len(directories) > 1 else directories[0]
        self.port = first.port

    def stop(self):
        """Asks it to stop and returns its exit code, the worst if it is several processes."""
        codes = [process.stop() for process in self.processes]
        return max(codes, key=lambda code: (code is not None, abs(code or 0)))


class Balanced(Directory):
    """Several processes of one server, asked in turn under the name of the first.

    A process may be up to STALE_S behind the others, never behind itself. So what reads is asked
    again until all agree, or that time is over; the answer of the one whose turn it is counts.
    """

    def __init__(self, directories):
        super().__init__(directories[0].url.geturl())
        self.directories = directories
        self.turn = itertools.count()
        self.host = {"Host": self.url.netloc}

    def connect(self):
        return self._next().connect()

    def request(self, method, path, body=None, headers=None):
        headers = self.host | (headers or {})
        directory = self._next()
        end = time.monotonic() + STALE_S
        while reads(body) and time.monotonic() < end:
            answers = [it.request(method, path, body, headers).raw for it in self.directories]
            if len(set(answers)) == 1:
                break
            time.sleep(0.02)
        return directory.request(method, path, body, headers)

    def _next(self):
        return self.directories[next(self.turn) % len(self.directories)]


def reads(body):
    """Whether a request reads what a push or a delete may have changed."""
    if not isinstance(body, bytes):
        return False
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(message, dict) and message.get("action") in (LOOKUP, REVERSE, SEARCH)


class Process:
    """One process of a server, in a folder of its own."""

    def __init__(self, folder, settings, flags=()):
        self.folder = folder
        self.settings = settings
        self.flags = flags
        self.process = None
        os.mkdir(folder)

    def take_keys(self, other):
        """Copies the keys of another process, unless it has them."""
        keys = os.path.join(self.folder, "data", "keys")
        if not os.path.exists(keys):
            shutil.copytree(os.path.join(other.folder, "data", "keys"), keys)

    def start(self):
        self.port = free_port()
        words = [binary(), "serve", "--set", f"server.listen=127.0.0.1:{self.port}"]
        words += self.flags
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
                if self.directory.request("GET", "/readyz").status == 200:
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
