#!/usr/bin/env python3
"""A client of the toxme API that shares nothing with the server: PyNaCl and the standard library.

As a module: `Directory` speaks to a server, `Identity` is a Tox key pair with its nospam.
As a command:

    toxme_client.py [--ca FILE] URL register NAME [--bio TEXT] [--privacy N] [--key FILE]
    toxme_client.py URL lookup NAME | reverse KEY | search TEXT [PAGE] | status | pk
    toxme_client.py URL update NAME … | delete | reset   (the identity is that of --key FILE)

Each command sends memorabilia and refuses a reply whose countersignature does not verify.
The exit code is 0 when the server answers `"c": 0` and 1 otherwise.
"""

import argparse
import base64
import http.client
import json
import os
import ssl
import sys
import time
import urllib.parse
from dataclasses import dataclass, field

import nacl.bindings
import nacl.exceptions
import nacl.public
import nacl.signing

PUSH, DELETE, LOOKUP, STATUS, REVERSE, SEARCH, RESET = 1, 2, 3, 4, 5, 6, 7
FIELD_PRIME = 2**255 - 19


class NotVerified(Exception):
    """A reply's countersignature is missing or wrong."""


@dataclass
class Reply:
    """One HTTP answer, with the body as it came."""

    status: int
    headers: dict
    raw: bytes

    def json(self):
        return json.loads(self.raw)

    @property
    def code(self):
        """The field `c`; None if the body is not such an object."""
        try:
            value = self.json()
        except ValueError:
            return None
        return value.get("c") if isinstance(value, dict) else None


@dataclass
class Identity:
    """An X25519 key pair and the nospam of its Tox ID."""

    secret: nacl.public.PrivateKey = field(default_factory=nacl.public.PrivateKey.generate)
    nospam: bytes = field(default_factory=lambda: os.urandom(4))

    @property
    def public(self):
        return bytes(self.secret.public_key)

    @property
    def key(self):
        """The public key as 64 upper-case hex digits."""
        return self.public.hex().upper()

    @property
    def tox_id(self):
        """Key, nospam and checksum as 76 upper-case hex digits."""
        body = self.public + self.nospam
        return (body + checksum(body)).hex().upper()

    def save(self, path):
        with open(path, "x", encoding="ascii", opener=_private) as file:
            file.write(bytes(self.secret).hex() + self.nospam.hex() + "\n")

    @classmethod
    def load(cls, path):
        with open(path, encoding="ascii") as file:
            raw = bytes.fromhex(file.read().strip())
        return cls(nacl.public.PrivateKey(raw[:32]), raw[32:36])


def _private(path, flags):
    return os.open(path, flags, 0o600)


def checksum(body):
    """XOR of the bytes at even and at odd positions."""
    result = bytearray(2)
    for index, byte in enumerate(body):
        result[index % 2] ^= byte
    return bytes(result)


def b64(raw):
    return base64.b64encode(raw).decode("ascii")


class Directory:
    """A server, by its base URL such as `http://127.0.0.1:8080`."""

    def __init__(self, url, ca=None, timeout=30):
        self.url = urllib.parse.urlsplit(url)
        self.timeout = timeout
        self.tls = ssl.create_default_context(cafile=ca) if self.url.scheme == "https" else None
        self._keys = None

    def connect(self):
        """A fresh connection."""
        host, port = self.url.hostname, self.url.port
        if self.tls:
            return http.client.HTTPSConnection(host, port, timeout=self.timeout, context=self.tls)
        return http.client.HTTPConnection(host, port, timeout=self.timeout)

    def request(self, method, path, body=None, headers=None):
        """One exchange over a connection of its own."""
        connection = self.connect()
        try:
            return exchange(connection, method, path, body, headers)
        finally:
            connection.close()

    def call(self, message, path="/api", headers=None):
        """Posts one JSON object."""
        return self.request("POST", path, json.dumps(message).encode(), headers)

    def keys(self):
        """The answer of /pk, asked for once: box key and, if published, signing key, as bytes."""
        if self._keys is None:
            answer = self.request("GET", "/pk").json()
            if answer.get("c") != 0:
                raise NotVerified(f"/pk answered {answer}")
            sign_key = answer.get("sign_key")
            self._keys = (
                bytes.fromhex(answer["key"]),
                bytes.fromhex(sign_key) if sign_key else None,
            )
        return self._keys

    def seal(self, action, payload, identity, nonce=None):
        """The envelope of an encrypted action; `payload` is an object, or the plaintext itself."""
        plaintext = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        nonce = nonce or os.urandom(24)
        box = nacl.public.Box(identity.secret, nacl.public.PublicKey(self.keys()[0]))
        return {
            "action": action,
            "public_key": identity.key,
            "encrypted": b64(box.encrypt(plaintext, nonce).ciphertext),
            "nonce": b64(nonce),
        }

    def push(self, identity, name, bio="", privacy=2, **changes):
        """The envelope of a registration or an update; `changes` replace payload fields."""
        payload = {
            "tox_id": identity.tox_id,
            "name": name,
            "privacy": privacy,
            "bio": bio,
            "timestamp": int(time.time()),
        }
        return self.seal(PUSH, payload | changes, identity)

    def delete(self, identity, **changes):
        """The envelope of a deletion; `changes` replace payload fields."""
        payload = {"public_key": identity.key, "timestamp": int(time.time())}
        return self.seal(DELETE, payload | changes, identity)

    def reset(self, identity, **changes):
        """The envelope of a reset of the edit password; `changes` replace payload fields."""
        payload = {"public_key": identity.key, "timestamp": int(time.time())}
        return self.seal(RESET, payload | changes, identity)

    def countersigned(self, message):
        """Calls with memorabilia and verifies the countersignature of the reply."""
        memorabilia = os.urandom(64)
        reply = self.call(message | {"memorabilia": b64(memorabilia)})
        verify_memorabilia(self.keys(), memorabilia, reply.json().get("signed_memorabilia"))
        return reply


def exchange(connection, method, path, body=None, headers=None):
    """One exchange over a given connection."""
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    names = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, names, response.read())


def verify_memorabilia(keys, sent, signed):
    """Checks a countersignature against /pk.

    Where no signing key is published it is computed from the box key: the Edwards y is
    (u - 1) / (u + 1), and the sign bit is one of two.
    """
    if not isinstance(signed, str):
        raise NotVerified("no signed_memorabilia in the reply")
    raw = base64.b64decode(signed, validate=True)
    if len(raw) != 128 or raw[64:] != sent:
        raise NotVerified("signed_memorabilia is not a signature and the bytes that were sent")
    box_key, sign_key = keys
    candidates = [sign_key] if sign_key else signing_candidates(box_key)
    if sign_key and nacl.bindings.crypto_sign_ed25519_pk_to_curve25519(sign_key) != box_key:
        raise NotVerified("sign_key and key do not belong together")
    for candidate in candidates:
        try:
            nacl.signing.VerifyKey(candidate).verify(sent, raw[:64])
            return
        except nacl.exceptions.BadSignatureError:
            continue
    raise NotVerified("the signature does not verify")


def signing_candidates(box_key):
    """The two Ed25519 keys whose Montgomery form is this X25519 key."""
    u = int.from_bytes(box_key, "little")
    y = (u - 1) * pow(u + 1, FIELD_PRIME - 2, FIELD_PRIME) % FIELD_PRIME
    return [(y | sign << 255).to_bytes(32, "little") for sign in (0, 1)]


def _arguments():
    parser = argparse.ArgumentParser(description="a toxme client")
    parser.add_argument("--ca", help="file of the certificate authority to trust")
    parser.add_argument("url")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("register", "update"):
        push = commands.add_parser(name)
        push.add_argument("name")
        push.add_argument("--bio", default="")
        push.add_argument("--privacy", type=int, default=2)
        push.add_argument("--key", help="identity file; register makes it when it is missing")
    for name in ("delete", "reset"):
        commands.add_parser(name).add_argument("--key", required=True)
    commands.add_parser("lookup").add_argument("name")
    commands.add_parser("reverse").add_argument("id")
    search = commands.add_parser("search")
    search.add_argument("name")
    search.add_argument("page", type=int, nargs="?", default=0)
    commands.add_parser("status")
    commands.add_parser("pk")
    return parser.parse_args()


def _identity(arguments):
    path = arguments.key
    if arguments.command == "register" and not (path and os.path.exists(path)):
        identity = Identity()
        if path:
            identity.save(path)
        return identity
    return Identity.load(path)


def _message(directory, arguments):
    command = arguments.command
    if command in ("register", "update"):
        return directory.push(
            _identity(arguments), arguments.name, arguments.bio, arguments.privacy
        )
    if command == "delete":
        return directory.delete(_identity(arguments))
    if command == "reset":
        return directory.reset(_identity(arguments))
    if command == "lookup":
        return {"action": LOOKUP, "name": arguments.name}
    if command == "reverse":
        return {"action": REVERSE, "id": arguments.id}
    if command == "search":
        return {"action": SEARCH, "name": arguments.name, "page": arguments.page}
    return {"action": STATUS}


def main():
    arguments = _arguments()
    directory = Directory(arguments.url, arguments.ca)
    if arguments.command == "pk":
        reply = directory.request("GET", "/pk")
    else:
        reply = directory.countersigned(_message(directory, arguments))
    print(reply.raw.decode())
    return 0 if reply.code == 0 else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (NotVerified, OSError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(1)
