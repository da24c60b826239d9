#!/usr/bin/env python3
"""Has schemathesis call the real server by docs/openapi.json; tests/schemathesis starts it.

usage: SEALBOOK=target/ci/sealbook openapi.py SCHEMATHESIS EXAMPLES [argument of schemathesis …]

Nothing may be answered with a status, media type or body that the document does not have, and nothing
with 5xx. The server's log may hold no fault either. EXAMPLES is the number for each operation and way
of making them.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from harness import Server, binary, free_port
from toxme_client import Identity

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What checks of claims would ask; here nothing listens.
UPSTREAMS = (
    "github_api", "github_gist_raw", "twitter_syndication", "twitter_oembed", "dns_over_https",
    "keybase_pub", "activitypub", "https", "minds", "steam", "dotbit", "tiktok",
)  # fmt: skip
NAMES = ("alice", "bob", "zoë", "группа")
# The secrets of the avatar that docs/openapi.json has as an example, and of one that it claims.
SECRETS = ("ee110f4347811fe0b0b7424ee8d9e977e3f089d1dc9ebdd0246e39b48c63e350", "02" * 32)
CLAIMED = "0x024d4b6cd1361032ca9bd2aeb9d900aa4d45d9ead80ac9423374c451a7254d0766"


def populate(server):
    """A few names, so that some look-ups find something."""
    for name in NAMES:
        reply = server.directory.call(server.directory.push(Identity(), name, "a bio"))
        if reply.code != 0:
            sys.exit(f"cannot register {name}: {reply.raw!r}")


def populate_chain(server):
    """One link of one avatar, so that there are chains."""
    with tempfile.TemporaryDirectory() as folder:
        own, other = (pathlib.Path(folder, name) for name in ("own", "other"))
        for path, secret in zip((own, other), SECRETS):
            path.write_text(secret)
        where = ["--key", own, "--state", folder, "--url", f"http://127.0.0.1:{server.port}"]
        for words in (["start"], ["check", "--target-key", other]):
            verb, *options = words
            command = [binary(), "prove", verb, "nextid", CLAIMED, *options, *where]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def run(schemathesis, examples, arguments, server):
    words = [
        schemathesis, "--config-file", str(ROOT / "tests/schemathesis.toml"),
        "run", str(ROOT / "docs/openapi.json"), "--url", f"http://127.0.0.1:{server.port}",
        "--max-examples", examples, "--continue-on-failure", *arguments,
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        env = os.environ | {"SCHEMATHESIS_HOOKS": "", "NO_COLOR": "1"}
        return subprocess.run(words, cwd=folder, env=env, stdin=subprocess.DEVNULL).returncode


def faults(server):
    """Lines of the server's log that somebody has to look at."""
    lines = server.processes[0].log().splitlines()
    return [line for line in lines if '"level":"ERROR"' in line or "panicked" in line]


def main():
    schemathesis, examples, *arguments = sys.argv[1:]
    nobody = f"http://127.0.0.1:{free_port()}"
    upstreams = [f"upstreams.{name}={nobody}" for name in UPSTREAMS]
    with Server("limits.enabled=false", *upstreams, count=1) as server:
        populate(server)
        populate_chain(server)
        code = run(schemathesis, examples, arguments, server)
        stopped = server.stop()
        found = faults(server)
    for line in found[:20]:
        print(f"FAILED: in the server's log: {line}")
    if stopped != 0:
        print(f"FAILED: the server ended with {stopped}")
    failed = code != 0 or found or stopped != 0
    print("FAILED: schemathesis" if failed else "ok: schemathesis", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
