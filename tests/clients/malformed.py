"""Requests that are wrong in one way each, with the codes they may be answered with."""

import base64
import json
import os
import time

from toxme_client import DELETE, PUSH, RESET, b64

DEEP = 65
LONG = "x" * 64


def nested(depth):
    return "[" * depth + "]" * depth


def bodies():
    """(what, body, codes) for POST /api as such."""
    yield from (
        ("empty body", b"", (-3,)),
        ("not UTF-8", b'{"action": 3, "name": "\xff"}', (-3,)),
        ("not JSON", b"action=3", (-3,)),
        ("cut off", b'{"action": 3', (-3,)),
        ("text after the object", b'{"action": 4} x', (-3,)),
        ("null", b"null", (-3,)),
        ("a number", b"1", (-3,)),
        ("a string", b'"action"', (-3,)),
        ("a list", b"[]", (-3,)),
        ("true", b"true", (-3,)),
        ("NaN", b"NaN", (-3,)),
        ("an empty object", b"{}", (-3,)),
        ("no action", b'{"name": "alice"}', (-3,)),
        ("deep nesting", nested(DEEP).encode(), (-3,)),
        ("very deep nesting", nested(30_000).encode(), (-3,)),
        ("open brackets only", b"[" * 60_000, (-3,)),
        (
            "deep nesting in an unknown field",
            f'{{"action": 4, "x": {nested(DEEP)}}}'.encode(),
            (-3,),
        ),
        ("a huge number", b'{"action": 1' + b"0" * 400 + b"}", (-3,)),
    )
    for action in (0, 8, 99, -1, 10**30, 3.5, "3", "lookup", None, [3], {"n": 3}):
        yield (f"action {action!r}", json.dumps({"action": action, "name": "a"}).encode(), (-3,))


def envelopes(directory, identity):
    """(what, message, codes): a good push or delete with a broken envelope."""
    flip = bytearray(base64.b64decode(directory.push(identity, "envelope")["encrypted"]))
    flip[0] ^= 1
    changes = [
        ("public_key", None), ("public_key", 5), ("public_key", ["a"]), ("public_key", ""),
        ("public_key", "zz" * 32), ("public_key", identity.key[:-1]),
        ("public_key", identity.key + "00"), ("public_key", identity.key + "\n"),
        ("public_key", "é" * 32), ("public_key", "00" * 32), ("public_key", "01" + "00" * 31),
        ("public_key", os.urandom(32).hex()),
        ("nonce", None), ("nonce", 5), ("nonce", ""), ("nonce", "!!!!"),
        ("nonce", b64(bytes(23))), ("nonce", b64(bytes(25))), ("nonce", b64(bytes(24))),
        ("encrypted", None), ("encrypted", 5), ("encrypted", {}), ("encrypted", ""),
        ("encrypted", "!!!!"), ("encrypted", b64(bytes(15))), ("encrypted", b64(bytes(16))),
        ("encrypted", "-_-_" * 20), ("encrypted", b64(bytes(16)).rstrip("=")),
        ("encrypted", b64(flip)),
    ]  # fmt: skip
    for field, value in changes:
        for sealed in (directory.push(identity, "envelope"), directory.delete(identity)):
            what = f"action {sealed['action']}, {field} = {value!r:.40}"
            yield (what, sealed | {field: value}, (-3,))
    for field in ("public_key", "nonce", "encrypted"):
        for sealed in (directory.push(identity, "envelope"), directory.delete(identity)):
            del sealed[field]
            yield (f"action {sealed['action']} without {field}", sealed, (-3,))


def plaintexts(directory, identity):
    """(what, message, codes): a good envelope around something that is no payload."""
    texts = [
        b"", b" ", b"x", b"5", b'"x"', b"[1]", b"{}", b"[]", b"null", b"true", b"\xff\xfe",
        b'{"name": "a"', nested(DEEP).encode(), nested(10_000).encode(),
    ]  # fmt: skip
    for action in (PUSH, DELETE):
        for text in texts:
            message = directory.seal(action, text, identity)
            yield (f"action {action}, plaintext {text[:20]!r}", message, (-3,))


def pushes(directory, identity):
    """(what, message, codes): a payload of a push with one wrong field."""
    bad_checksum = identity.tox_id[:-1] + ("0" if identity.tox_id[-1] != "0" else "1")
    now = int(time.time())
    wrong = {
        "tox_id": [None, 5, "", "zz" * 38, identity.tox_id[:-1], identity.tox_id + "0",
                   identity.tox_id[:72], identity.tox_id + "\n", bad_checksum, "é" * 38],
        "privacy": [None, "2", 1.5, [], {}],
        "bio": [None, 5, [], "x" * 1373],
        "timestamp": [None, "0", float(now), now + 0.5, 0, -1, now - 400, now + 400, 10**30],
    }  # fmt: skip
    for field, values in wrong.items():
        for value in values:
            message = directory.push(identity, "payload", **{field: value})
            yield (f"push, {field} = {value!r:.40}", message, (-3,))
    for value in (None, 5, [], {}):
        yield (f"push, name = {value!r}", directory.push(identity, value), (-3,))
    for field in ("tox_id", "name", "privacy", "bio", "timestamp"):
        payload = {
            "tox_id": identity.tox_id, "name": "payload", "privacy": 2, "bio": "",
            "timestamp": now,
        }  # fmt: skip
        del payload[field]
        yield (f"push without {field}", directory.seal(PUSH, payload, identity), (-3,))


def names(directory, identity):
    """(what, message, codes): a push with a name that may not be."""
    disallowed = " @/:;()\"'"
    invisible = "\t\n\r\x00\x1f\x7f\x85\u00a0\u200b\u200e\u202e\u2028\u2029\u3000\ufeff"
    for character in disallowed + invisible:
        message = directory.push(identity, f"na{character}me")
        yield (f"name with {character!r}", message, (-27,))
    yield ("empty name", directory.push(identity, ""), (-29,))
    yield ("name of 64 characters", directory.push(identity, LONG), (-29,))
    for reserved in ("admin", "api", "pk", "u", "log", "ADMIN"):
        message = directory.push(identity, reserved)
        yield (f"reserved name {reserved}", message, (-29,))


def deletions(directory, identity):
    """(what, message, codes): a payload of a delete or a reset with one wrong field."""
    now = int(time.time())
    other = os.urandom(32).hex()
    for value in (None, 5, [], "", identity.key[:-1], "zz" * 32, identity.tox_id, other):
        message = directory.delete(identity, public_key=value)
        yield (f"delete, public_key = {value!r:.40}", message, (-3,))
    for value in (None, "0", float(now), 0, now - 400, now + 400, 10**30):
        message = directory.delete(identity, timestamp=value)
        yield (f"delete, timestamp = {value!r:.40}", message, (-3,))
    for field in ("public_key", "timestamp"):
        payload = {"public_key": identity.key, "timestamp": now}
        del payload[field]
        yield (f"delete without {field}", directory.seal(DELETE, payload, identity), (-3,))
        yield (f"reset without {field}", directory.seal(RESET, payload, identity), (-3,))
    for value in (None, "2", 7, 2.0, True, [2]):
        message = directory.delete(identity, action=value)
        yield (f"delete, action = {value!r} inside", message, (-3,))
    for value in (None, "7", 2, 7.0, [7]):
        message = directory.reset(identity, action=value)
        yield (f"reset, action = {value!r} inside", message, (-3,))
    for value in ("", "zz" * 32, other):
        message = directory.reset(identity, public_key=value)
        yield (f"reset, public_key = {value!r:.40}", message, (-3,))
    for value in (None, now - 400, now + 400):
        message = directory.reset(identity, timestamp=value)
        yield (f"reset, timestamp = {value!r}", message, (-3,))


def lookups():
    """(what, message, codes): look-ups, reverse look-ups and searches that cannot be answered."""
    yield ("look-up without a name", {"action": 3}, (-3,))
    for name in (None, 5, [], {}, "", "@", "@localhost", "alice@"):
        yield (f"look-up of {name!r}", {"action": 3, "name": name}, (-3,))
    for name in ("nobody", "no body", "\x00", "x" * 10_000, "%", "nobody@localhost"):
        yield (f"look-up of {name!r:.30}", {"action": 3, "name": name}, (-42, -3, -27, -29))
    yield ("reverse without an id", {"action": 5}, (-3, -31))
    for value in (None, 5, []):
        yield (f"reverse of {value!r}", {"action": 5, "id": value}, (-3, -31))
    yield ("reverse of nothing", {"action": 5, "id": ""}, (-3,))
    for value in ("00" * 31, "00" * 33, "A" * 76, "zz" * 32, "é" * 64, "00" * 31 + "0\n"):
        yield (f"reverse of {value!r:.40}", {"action": 5, "id": value}, (-31,))
    yield ("reverse of an unknown key", {"action": 5, "id": os.urandom(32).hex()}, (-30,))
    yield ("search without a page", {"action": 6, "name": "a"}, (-27,))
    for page in (None, "0", -1, 1.5, []):
        yield (f"search, page {page!r}", {"action": 6, "name": "a", "page": page}, (-27,))
    yield ("search, both wrong", {"action": 6, "name": "", "page": -1}, (-27,))
    yield ("search without a name", {"action": 6, "page": 0}, (-29,))
    for name in (None, 5, [], "", LONG):
        yield (f"search for {name!r:.30}", {"action": 6, "name": name, "page": 0}, (-29,))
