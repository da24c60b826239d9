"""The store that servers under test stand on: the embedded one, memory, or a schema in PostgreSQL."""

import glob
import os
import secrets
import shutil
import subprocess
import sys


class Store:
    """An empty store for one server; `settings` are what the server is told of it."""

    settings = ()
    is_shared = False
    forgets = False

    def remove(self):
        """Called once the server has ended."""


class Memory(Store):
    settings = ("store.url=memory:",)
    forgets = True


class Schema(Store):
    """A schema of its own in the database of a URL."""

    is_shared = True

    def __init__(self, url):
        self.url = url
        self.name = f"suite_{secrets.token_hex(8)}"
        psql(url, f"CREATE SCHEMA {self.name}")
        joint = "&" if "?" in url else "?"
        self.settings = (f"store.url={url}{joint}options=-csearch_path%3D{self.name}",)

    def remove(self):
        psql(self.url, f"DROP SCHEMA {self.name} CASCADE")


def psql(url, statement):
    """Runs a statement with PostgreSQL's own client."""
    words = [_psql_path(), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement]
    quiet = os.environ | {"PGOPTIONS": "-c client_min_messages=warning"}
    done = subprocess.run(words, env=quiet, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"psql: {statement}: {done.stderr}")


def _psql_path():
    """The real programme: the one in Debian's PATH takes another server's settings into account."""
    versions = glob.glob("/usr/lib/postgresql/*/bin/psql")
    newest = max(versions, key=lambda path: int(path.split("/")[4]), default=None)
    return newest or shutil.which("psql") or sys.exit("psql is missing")


def empty_store():
    """An empty store of the kind that the environment variable STORE_URL names."""
    url = os.environ.get("STORE_URL", "file:")
    if url == "file:":
        return Store()
    if url == "memory:":
        return Memory()
    if url.startswith("postgres"):
        return Schema(url)
    sys.exit(f"STORE_URL is {url!r}; known are file:, memory: and postgres://…")
