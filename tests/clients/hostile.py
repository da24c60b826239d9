"""What strangers may send: JSON that is wrong in unusual ways, and HTTP that is hardly HTTP."""

import base64
import json
import socket

from toxme_client import LOOKUP, SEARCH, STATUS

BODY_MAX = 64 * 1024
HEAD_MAX = 32 * 1024
HEADERS_MAX = 100
URI_MAX = 8 * 1024
PATIENCE_S = 3


def json_bodies():
    """(what, body, codes) for POST /api."""
    status = b'{"action": 4}'
    look = lambda name: b'{"action": 3, "name": "' + name + b'"}'  # noqa: E731
    search = lambda page: b'{"action": 6, "name": "a", "page": ' + page + b"}"  # noqa: E731
    yield from (
        # Of two fields with one name the last counts, as in Python.
        ("two actions, the last good", b'{"action": 9, "action": 4}', (0,)),
        ("two actions, the last bad", b'{"action": 4, "action": 9}', (-3,)),
        ("two actions, one spelt with escapes", b'{"\\u0061ction": 9, "action": 4}', (0,)),
        ("two names", b'{"action": 3, "name": 5, "name": "nobody"}', (-42,)),
        ("bytes of no UTF-8 in a name", look(b"a\xffb"), (-3,)),
        ("bytes of no UTF-8 in a key", b'{"action": 4, "a\xc3": 1}', (-3,)),
        ("an overlong slash", look(b"a\xc0\xafb"), (-3,)),
        ("a surrogate as UTF-8", look(b"\xed\xa0\x80"), (-3,)),
        ("beyond Unicode", look(b"\xf4\x90\x80\x80"), (-3,)),
        ("UTF-16", '{"action": 4}'.encode("utf-16"), (-3,)),
        ("UTF-32", '{"action": 4}'.encode("utf-32"), (-3,)),
        ("a byte order mark", b"\xef\xbb\xbf" + status, (-3,)),
        ("a NUL in a name", look(b"a\x00b"), (-3,)),
        ("an escaped NUL in a name", look(b"a\\u0000b"), (-42,)),
        ("a NUL behind the object", status + b"\x00", (-3,)),
        ("nothing but NUL", b"\x00" * 1000, (-3,)),
        ("a line feed in a string", look(b"a\nb"), (-3,)),
        ("half of a surrogate pair", look(b"\\ud83d"), (-3,)),
        ("the other half", look(b"\\ude00"), (-3,)),
        ("a pair the wrong way round", look(b"\\ude00\\ud83d"), (-3,)),
        ("half a pair in an unknown field", b'{"action": 4, "x": "\\udfff"}', (-3,)),
        ("an unknown escape", look(b"\\x41"), (-3,)),
        ("an escape cut off", look(b"\\u00"), (-3,)),
        ("60,000 digits", search(b"1" * 60_000), (-3,)),
        ("60,000 digits behind the point", search(b"0." + b"1" * 60_000), (-27,)),
        ("60,000 zeros before a digit", search(b"0" * 60_000 + b"1"), (-3,)),
        ("60,000 digits in an exponent", search(b"1e" + b"9" * 60_000), (-3,)),
        ("a tiny number", search(b"1e-" + b"9" * 60_000), (-27,)),
        ("a number of 65 bits", search(b"18446744073709551616"), (-27,)),
        ("the largest number", search(b"18446744073709551615"), (0,)),
        ("minus zero", search(b"-0"), (-27,)),
        ("a plus sign", search(b"+1"), (-3,)),
        ("a hexadecimal number", search(b"0x10"), (-3,)),
        ("objects 20,000 deep", b'{"a":' * 10_000 + b"1" + b"}" * 10_000, (-3,)),
        ("lists and objects in turn", b'[{"a":' * 8_000, (-3,)),
        ("closing brackets only", b"]" * 60_000, (-3,)),
        ("brackets in a string", look(b"[" * 60_000), (-29, -42)),
        ("6,000 fields", _many_fields(6_000), (0,)),
        ("a comment", b'{"action": 4 /* x */}', (-3,)),
        ("a comma too many", b'{"action": 4,}', (-3,)),
        ("single quotes", b"{'action': 4}", (-3,)),
        ("a form", b"action=4", (-3,)),
        ("as much as fits", _padded(BODY_MAX), (0,)),
        ("a byte too many", _padded(BODY_MAX + 1), (-3,)),
        ("1,000,000 digits", search(b"1" * 1_000_000), (-3,)),
        ("a mebibyte of brackets", b"[" * (1 << 20), (-3,)),
        ("four mebibytes of a name", look(b"x" * (4 << 20)), (-3,)),
    )
    for number in (LOOKUP, SEARCH, STATUS):
        yield f"action {number} as text", json.dumps({"action": str(number)}).encode(), (-3,)


KEY = "0x031b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f"
UUID = "cd04a475-4498-406d-b5a1-3c5f371f1f04"
# The order of the curve: no r and no s of a signature is as large.
ORDER = bytes.fromhex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
POST, PAYLOAD, RESTORE = "/v1/proof", "/v1/proof/payload", "/v1/proof/restore_pubkey"
SUBKEY, SUBKEY_PAYLOAD = "/v1/subkey", "/v1/subkey/payload"
PROOF_PATHS = (POST, PAYLOAD, RESTORE, SUBKEY, SUBKEY_PAYLOAD)


def proof_bodies():
    """(what, path, body, statuses) for the POST requests of the ProofService API."""
    for path in PROOF_PATHS:
        for what, body, status in _proof_json():
            yield f"{path}: {what}", path, body, (status,)
    for what, key in _bad_keys():
        yield f"{what} in a draft", PAYLOAD, _with(_draft(), public_key=key), (400,)
        yield f"{what} in a link", POST, _with(_link(), public_key=key), (400,)
        yield f"{what} as an avatar", SUBKEY_PAYLOAD, _with(_subkey(), avatar=key), (400,)
        yield f"{what} as a subkey", SUBKEY, _with(_subkey(), public_key=key), (400,)
    for what, signature in _bad_signatures():
        signed = {"extra": {"signature": signature, "wallet_signature": signature}}
        yield f"{what} of a delete", POST, _with(_link(), **signed), (400,)
        wallet = {"platform": "ethereum", "identity": "0x" + "ab" * 20, "action": "create"}
        yield f"{what} of a wallet", POST, _with(_link(), **wallet, **signed), (400,)
        yield f"{what} of a forgotten avatar", RESTORE, _with(_link(), signature=signature), (400,)
        yield f"{what} before it", RESTORE, _with(_link(), signature=_base64(_shape()), previous=signature), (400,)
        yield f"{what} of a subkey", SUBKEY, _with(_subkey(), signature=signature), (400,)
    for what, number in (
        ("60,000 digits", "9" * 60_000),
        ("64 bits and one", "9223372036854775808"),
        ("a fraction", "1.5"),
        ("a NUL behind it", "1\0"),
        ("digits of another script", "\u0661"),
        ("a blank before it", " 1"),
    ):
        yield f"a time of {what}", POST, _with(_link(), created_at=number), (400,)
        yield f"a forgotten time of {what}", RESTORE, _with(_link(), created_at=number), (400,)
    for name in ("platform", "identity", "uuid", "proof_location", "action"):
        for what, text in (
            ("a NUL", "a\0b"),
            ("a line feed", "a\r\nb"),
            ("half a pair", "\ud800"),
            ("60,000 characters", "a" * 60_000),
            ("a path", "../../etc/passwd"),
            ("markup", "<script>"),
        ):
            link = {"action": "create", name: text}
            yield f"{what} as {name}", POST, _with(_link(), **link), (400,)
    twice = b'{"public_key":"%s","public_key":"0x02"}' % KEY.encode()
    yield "two keys, the last bad", POST, twice, (400,)
    yield "a key in capitals, then none", POST, twice.replace(b',"public', b',"PUBLIC'), (400,)


def _proof_json():
    """(what, body, status), whatever the path."""
    yield from (
        ("nothing", b"", 400),
        ("cut off", b'{"action":"create"', 400),
        ("a list", b"[]", 400),
        ("a number of 60,000 digits", b'{"created_at":' + b"9" * 60_000 + b"}", 400),
        ("a number of 1,000,000 digits", b'{"created_at":' + b"9" * 1_000_000 + b"}", 413),
        ("bytes of no UTF-8", b'{"action":"\xff\xfe","platform":"\xed\xa0\x80"}', 400),
        ("a bare NUL", b'{"action":"\x00"}', 400),
        ("nothing but NUL", b"\x00" * 1000, 400),
        ("halves of pairs", b'{"action":"\\ud800","rp_id":"\\udfff\\ud800"}', 400),
        ("lists 20,000 deep", b'{"extra":' + b"[" * 20_000, 400),
        ("objects 7,000 deep", b'{"extra":' * 7_000, 400),
        ("an unknown escape", b'{"action":"\\x41"}', 400),
        ("as much as fits", b"[" + b" " * (BODY_MAX - 1), 400),
        ("a byte too many", b" " * (BODY_MAX + 1), 413),
        ("four mebibytes", b'{"action":"' + b"x" * (4 << 20) + b'"}', 413),
        ("four mebibytes of brackets", b"[" * (4 << 20), 413),
    )


def _bad_keys():
    whole = KEY.removeprefix("0x")
    yield from (("a key cut off at %d" % length, KEY[:length]) for length in (1, 2, 3, 4, 66, 67))
    yield from (
        ("a key with a digit too many", KEY + "0"),
        ("a key with a byte too many", KEY + "00"),
        ("a key of another form", "0x05" + whole[2:]),
        ("a hybrid key", "0x06" + whole[2:] * 2),
        ("a point off the curve", "0x04" + whole[2:] * 2),
        ("a coordinate that is too large", "0x02" + "f" * 64),
        ("the point at infinity", "0x00"),
        ("zeros", "0x04" + "0" * 128),
        ("a key with a blank", KEY + " "),
        ("a key with a NUL", KEY + "\0"),
        ("two prefixes", "0x" + KEY),
        ("a key of no digits", "0x" + "g" * 66),
        ("60,000 digits", "0x02" + "1" * 60_000),
    )


def _shape(v=0):
    return bytes(range(1, 65)) + bytes([v])


def _bad_signatures():
    for v in (2, 3, 4, 26, 29, 30, 31, 35, 255):
        yield f"a signature with v {v}", _base64(_shape(v))
    for length in (1, 32, 64, 66, 130, 3_000):
        yield f"a signature of {length} bytes", _base64(bytes(length))
    yield from (
        ("a signature of zeros", _base64(bytes(65))),
        ("an r that is too large", _base64(ORDER + _shape()[32:])),
        ("an s that is too large", _base64(_shape()[:32] + ORDER + b"\0")),
        ("a signature of ones", _base64(b"\xff" * 64 + b"\0")),
        ("base64 without its padding", _base64(_shape()).rstrip("=")),
        ("base64 of URLs", "-_" * 44),
        ("base64 cut off", _base64(_shape())[:87]),
        ("no base64", "%" * 88),
        ("a signature with a NUL", _base64(_shape()) + "\0"),
        ("half a pair as a signature", "\ud800"),
        ("30,000 characters of a signature", "A" * 30_000),
    )


def _base64(data):
    return base64.b64encode(data).decode()


def _draft():
    return {"action": "create", "platform": "dns", "identity": "example.com", "public_key": KEY}


def _link():
    """A delete of what was never claimed, which asks nobody."""
    return _draft() | {"action": "delete", "uuid": UUID, "created_at": "1400000000"}


def _subkey():
    draft = {"avatar": KEY, "algorithm": "secp256k1", "public_key": KEY, "rp_id": "rp.example"}
    return draft | {"name": "phone", "signature": _base64(_shape())}


def _with(body, **changes):
    # Halves of pairs are escaped, as no UTF-8 has them.
    return json.dumps(body | changes).encode()


def proof_queries():
    """(path and query, statuses) for the GET requests of that API."""
    many = ",".join(f"n{number}" for number in range(1_500))
    yield from (
        (f"/v1/proof?identity={text}", (200,))
        for text in ("%00", "%ff%fe", "%ed%a0%80", "%0d%0aX:1", "%25", "_", "%2e%2e%2f", "a" * 6_000)
    )
    yield f"/v1/proof?identity={many}", (400,)
    yield from (
        (f"/v1/proof?identity=a&{text}", (400,))
        for text in ("page=" + "9" * 6_000, "page=9223372036854775808", "exact=2", "page=%00", "page=1e3")
    )
    yield from (
        (f"/v1/proof?identity=a&{text}", (200,))
        for text in (
            "page=9223372036854775807", "page=-9223372036854775808", "sort=%00", "order=x", "page=%zz",
            "platform=%00", "platform=nextid", "a;b", "&&&=", "page=1&page=x",
        )  # fmt: skip
    )
    yield from (
        (f"/v1/proof/exists?platform=dns&identity=a&public_key={text}", (400,))
        for text in ("", "%00", KEY[:-1], KEY + "0", "0x05" + "1" * 64, "1" * 6_000)
    )
    yield f"/v1/proof/exists?platform=%00&identity=%0d%0a%ff&public_key={KEY}", (404,)
    for text in ("%00", KEY[:-1], "1" * 6_000, "0x04" + "0" * 128):
        yield f"/v1/proofchain?avatar={text}", (200,)
        yield f"/v1/subkey?avatar={text}", (400,)
    yield f"/v1/proofchain?avatar={KEY}&page=9223372036854775807", (200,)
    yield f"/v1/subkey?algorithm=es256&public_key={'0x' + '1' * 127}", (400,)
    for text in ("last_id=9223372036854775807&count=9223372036854775807", "last_id=-1&count=-1"):
        yield f"/v1/proofchain/changes?{text}", (200,)
    for text in ("last_id=18446744073709551616", "count=" + "1" * 6_000, "id=x", "count=%00"):
        yield f"/v1/proofchain/changes?{text}", (400,)


def _many_fields(count):
    fields = {f"{number:x}": 0 for number in range(count)}
    return json.dumps({"action": STATUS} | fields, separators=(",", ":")).encode()


def _padded(length):
    text = b'{"action": 4}'
    return text + b" " * (length - len(text))


def heads():
    """(what, bytes of a request, statuses); no status means that the connection may just be closed."""
    get = b"GET /livez HTTP/1.1\r\nHost: a\r\n"
    post = b"POST /api HTTP/1.1\r\nHost: a\r\n"
    body = b'{"action": 4}'
    end = b"Connection: close\r\n\r\n"
    yield from (
        ("a huge header", get + b"X: " + b"a" * HEAD_MAX + b"\r\n" + end, (431,)),
        ("a header of a mebibyte", get + b"X: " + b"a" * (1 << 20) + b"\r\n" + end, (431, None)),
        ("too many headers", get + b"X: a\r\n" * (HEADERS_MAX + 1) + end, (431,)),
        ("a long address", b"GET /" + b"a" * URI_MAX + b" HTTP/1.1\r\nHost: a\r\n" + end, (414,)),
        ("a huge address", b"GET /" + b"a" * (1 << 17) + b" HTTP/1.1\r\n" + end, (414, 431, None)),
        ("no request", b"\x00\x01\x02\x03\r\n\r\n", (400, None)),
        ("TLS to a plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), (400, None)),
        ("HTTP/0.9", b"GET /livez\r\n\r\n", (400, None)),
        ("HTTP/3.0", b"GET /livez HTTP/3.0\r\n" + end, (400, 505, None)),
        ("a NUL in the address", b"GET /li\x00vez HTTP/1.1\r\nHost: a\r\n" + end, (400, None)),
        ("a NUL in a header", get + b"X: a\x00b\r\n" + end, (400, None)),
        ("a blank before the colon", get + b"X : a\r\n" + end, (400, None)),
        ("a header without a name", get + b": a\r\n" + end, (400, None)),
        ("a folded header", get + b"X: a\r\n b\r\n" + end, (400, 200, None)),
        ("line feeds only", b"GET /livez HTTP/1.1\nHost: a\nConnection: close\n\n", (200, 400, None)),
        ("no path", b"GET  HTTP/1.1\r\nHost: a\r\n" + end, (400, 404, None)),
        ("an asterisk", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n" + end, (400, 404, 405)),
        ("another server's address", b"GET http://b/livez HTTP/1.1\r\nHost: a\r\n" + end, (200, 400, 404)),
        ("a tunnel", b"CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n" + end, (400, 404, 405, None)),
        ("a method of its own", b"BREW /livez HTTP/1.1\r\nHost: a\r\n" + end, (405,)),
        ("an address of dots", b"GET /log/tile/../../../etc/passwd HTTP/1.1\r\nHost: a\r\n" + end, (404,)),
        ("an address of %00", b"GET /log/names/%00 HTTP/1.1\r\nHost: a\r\n" + end, (400,)),
        ("an address of half a %", b"GET /log/names/%f HTTP/1.1\r\nHost: a\r\n" + end, (200, 400)),
        ("two lengths", post + b"Content-Length: 13\r\nContent-Length: 5\r\n" + end + body, (400, None)),
        ("a negative length", post + b"Content-Length: -1\r\n" + end + body, (400, None)),
        ("a length with a plus", post + b"Content-Length: +13\r\n" + end + body, (400, None)),
        ("a length in words", post + b"Content-Length: x\r\n" + end + body, (400, None)),
        ("a length of 2^64", post + b"Content-Length: 18446744073709551616\r\n" + end, (400, None)),
        ("a length of 2^63", post + b"Content-Length: 9223372036854775807\r\n" + end, (400, None)),
        ("an unknown transfer coding", post + b"Transfer-Encoding: x\r\n" + end + body, (400, 501, None)),
        ("chunked, but not last", post + b"Transfer-Encoding: chunked, x\r\n" + end, (400, 501, None)),
        ("a chunk of a wrong length", post + b"Transfer-Encoding: chunked\r\n" + end + b"z\r\n", (400, None)),
        (
            "a chunk of 2^64",
            post + b"Transfer-Encoding: chunked\r\n" + end + b"10000000000000000\r\n",
            (400, None),
        ),
        (
            "a chunk with a mebibyte of extension",
            post + b"Transfer-Encoding: chunked\r\n" + end + b"1;" + b"x" * (1 << 20),
            (400, None),
        ),
        ("ten mebibytes announced", post + b"Content-Length: 10485760\r\n" + end, (400,)),
    )


def smuggled():
    """(what, bytes): each ends the one request it is, or is refused; a second answer is a hole."""
    second = b"GET /pk HTTP/1.1\r\nHost: a\r\n\r\n"
    chunks = b"d\r\n" + b'{"action": 4}' + b"\r\n0\r\n\r\n"
    head = b"POST /api HTTP/1.1\r\nHost: a\r\n"
    yield "length and chunked", (
        head + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0\r\n\r\n" + second
    )
    yield "chunked and length", (
        head + b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n" + chunks + second
    )
    yield "chunked behind a blank", head + b"Transfer-Encoding : chunked\r\n\r\n" + chunks + second
    yield "chunked twice", (
        head + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + chunks + second
    )
    yield "a length in a folded line", (
        head + b"X: a\r\n Content-Length: 200\r\nContent-Length: 1\r\n\r\nx" + second
    )
    yield "two lengths", head + b"Content-Length: 0\r\nContent-Length: 40\r\n\r\n" + second


def exchange_raw(port, data):
    """Everything the server answers to these bytes.

    A server that waits for more of a request is told after a while that there is no more. Not at once:
    who hangs up is not answered.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        answer = b""
        try:
            connection.sendall(data)
            while part := _receive(connection):
                answer += part
        except (BrokenPipeError, ConnectionResetError):
            pass
        return answer


def _receive(connection):
    try:
        return connection.recv(65536)
    except TimeoutError:
        connection.settimeout(30)
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(65536)


def status_of(answer):
    """The status of the first answer; None without one."""
    words = answer.split(b" ", 2)
    return int(words[1]) if len(words) > 1 and words[0].startswith(b"HTTP/1.") else None
