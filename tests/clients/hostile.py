"""What strangers may send: JSON that is wrong in unusual ways, and HTTP that is hardly HTTP."""

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
