#!/usr/bin/env python3
"""Has Next.ID's own Rust SDK, unmodified, talk to the real server: nextid_sdk/ is a program that uses it.

usage: SEALBOOK=target/debug/sealbook test_nextid_sdk.py

Builds the program into target/nextid_sdk. No upstream is reached: where one would be asked, nothing
listens.
"""

import os
import pathlib
import subprocess
import sys

from harness import Server, free_port

HERE = pathlib.Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "target/nextid_sdk"


def build():
    manifest = str(HERE / "nextid_sdk/Cargo.toml")
    words = ["cargo", "build", "--quiet", "--locked", "--manifest-path", manifest]
    env = os.environ | {"CARGO_TARGET_DIR": str(TARGET)}
    subprocess.run(words, env=env, check=True)
    return str(TARGET / "debug/nextid-sdk-client")


def main():
    program = build()
    nobody = f"http://127.0.0.1:{free_port()}"
    upstreams = (f"upstreams.github_api={nobody}", f"upstreams.github_gist_raw={nobody}")
    with Server("limits.enabled=false", *upstreams, count=1) as server:
        done = subprocess.run([program, f"http://127.0.0.1:{server.port}"], stdout=subprocess.PIPE)
    said = done.stdout.decode().strip()
    if done.returncode != 0 or said != "ok":
        print(f"FAILED: the SDK's client ended with {done.returncode}: {said}")
        return 1
    print("ok: Next.ID's SDK", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
