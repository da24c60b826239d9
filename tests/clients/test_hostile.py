#!/usr/bin/env python3
"""Sends what strangers may send to the real server, and reads its log afterwards.

usage: SEALBOOK=target/debug/sealbook python3 test_hostile.py [case …]

Each refusal has the code and the form of the protocol, the server goes on and its memory does not grow;
the log is a JSON object on every line whatever was sent, and holds none of the secrets of the run.
STORE_URL is as for test_toxme.py.
"""

import json
import os
import pathlib
import re
import sys
import time

import hostile
import malformed
from harness import Report, Server
from toxme_client import LOOKUP, REVERSE, SEARCH, Identity, b64

UNLIMITED = "limits.enabled=false"
# Beyond what one request needs; a leak of one body each would show.
GROWTH_MAX_KIB = 64 * 1024
# Characters that end a line, move a cursor, or look like the end of a string or a record.
TRICKS = (
    "\r\n", "\n", "\r", "\x1b[2J\x1b]0;owned\x07", "\x00", "\x08\x08\x08", "\x7f", "\x85", "\u2028",
    "\u2029", "\u202e", '"}\n{"level":"ERROR","message":"forged"}', "%0d%0a", "\\n", "${jndi:x}",
    "\ufeff", "\ud7ff", "\U000e0041",
)  # fmt: skip
MARK = "forged-by-a-stranger"
CLOSE = b"Connection: close\r\n\r\n"
# Longest line that a request may cause.
LINE_MAX = 4096


def resident_kib(server):
    text = pathlib.Path(f"/proc/{server.processes[0].process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1])


def goes_on(report, server, what):
    report.equal(f"after {what}", server.directory.request("GET", "/readyz").status, 200)


def bodies(report):
    """JSON that is wrong in unusual ways: the protocol's code, in the protocol's form."""
    with Server(UNLIMITED, count=1) as server:
        before = resident_kib(server)
        for what, body, codes in hostile.json_bodies():
            report.answers(what, server.directory.request("POST", "/api", body), *codes)
        grown = resident_kib(server) - before
        report.check("memory", grown < GROWTH_MAX_KIB, f"{grown} KiB more")
        goes_on(report, server, "all bodies")


def proofs(report):
    """The same for the ProofService API: a refusal in its form, no link, and the server goes on."""
    with Server(UNLIMITED, count=1) as server:
        before = resident_kib(server)
        for what, path, body, statuses in hostile.proof_bodies():
            is_refused(report, what, server.directory.request("POST", path, body), statuses)
        for path, statuses in hostile.proof_queries():
            what = path[:120]
            answer = server.directory.request("GET", path)
            if answer.status == 200 and 200 in statuses:
                report.check(what, "message" not in answer.json(), answer.raw[:200])
            else:
                is_refused(report, what, answer, statuses)
        changes = server.directory.request("GET", "/v1/proofchain/changes")
        report.equal("no link is left", changes.json(), {"links": []})
        grown = resident_kib(server) - before
        report.check("memory", grown < GROWTH_MAX_KIB, f"{grown} KiB more")
        goes_on(report, server, "all proofs")


def is_refused(report, what, answer, statuses):
    kind = answer.headers.get("content-type", "")
    said = answer.json().get("message") if kind.startswith("application/json") else None
    is_as_it_should = answer.status in statuses and isinstance(said, str) and said != ""
    report.check(what, is_as_it_should, f"{answer.status} {kind} {answer.raw[:300]}")


def heads(report):
    """HTTP that is hardly HTTP: an error or no answer, and the server goes on."""
    with Server(UNLIMITED, count=1) as server:
        before = resident_kib(server)
        for what, data, statuses in hostile.heads():
            status = hostile.status_of(hostile.exchange_raw(server.port, data))
            report.check(what, status in statuses, f"{status} instead of {statuses}")
        for what, data in hostile.smuggled():
            answer = hostile.exchange_raw(server.port, data)
            report.check(f"{what}: one answer", answer.count(b"HTTP/1.1 ") <= 1, repr(answer[:600]))
            report.check(f"{what}: no key", b'"sign_key"' not in answer, repr(answer[:600]))
        grown = resident_kib(server) - before
        report.check("memory", grown < GROWTH_MAX_KIB, f"{grown} KiB more")
        goes_on(report, server, "all heads")


def strangers_requests(server, secrets):
    """Sends the tricks everywhere they fit; what must not be logged is added to the secrets."""
    directory = server.directory
    identity = Identity()
    for number, trick in enumerate(TRICKS):
        text = f"{MARK}{trick}{MARK}"
        bio = f"bio-secret-{number}-{os.urandom(6).hex()}"
        memorabilia = os.urandom(64)
        secrets |= {bio, b64(memorabilia), b64(memorabilia)[:40]}
        sealed = directory.push(identity, f"alice{trick}", f"{bio}{trick}")
        secrets.add(sealed["encrypted"][:60])
        directory.call(sealed | {"memorabilia": b64(memorabilia)})
        for message in (
            {"action": LOOKUP, "name": text},
            {"action": LOOKUP, "name": f"a@{text}"},
            {"action": SEARCH, "name": text, "page": 0},
            {"action": REVERSE, "id": text},
            {"action": text},
            {text: text},
        ):
            directory.call(message)
        raw = text.encode("utf-8", "surrogatepass")
        header = raw.replace(b"\r", b"").replace(b"\n", b"").replace(b"\x00", b"")
        path = b"/log/names/" + "".join(f"%{byte:02x}" for byte in raw).encode()
        for name in (b"User-Agent", b"Host", b"X-Forwarded-For", b"X-Request-Id", b"Referer"):
            for value in (header, raw, header * 200):
                request = b"GET " + path + b" HTTP/1.1\r\n" + name + b": " + value
                hostile.exchange_raw(server.port, request + b"\r\n" + CLOSE)
        hostile.exchange_raw(server.port, b"GET /" + raw + b" HTTP/1.1\r\n" + CLOSE)
        hostile.exchange_raw(server.port, header.replace(b" ", b"") + b" / HTTP/1.1\r\n" + CLOSE)
    directory.call({"action": LOOKUP, "name": MARK * 3000})


def honest_requests(server, secrets):
    """What a good client sends: every secret of it is one."""
    directory = server.directory
    for number in range(5):
        identity = Identity()
        secrets |= {bytes(identity.secret).hex(), b64(bytes(identity.secret))}
        bio = f"bio-secret-{os.urandom(8).hex()}"
        secrets.add(bio)
        sealed = directory.push(identity, f"honest{number}", bio, number % 3)
        secrets.add(sealed["encrypted"][:60])
        reply = directory.countersigned(sealed)
        secrets.add(reply.json()["password"])
        directory.countersigned(directory.push(identity, f"honest{number}", bio + "2"))
        if number:
            directory.countersigned(directory.delete(identity))
    for what, message, _ in malformed.envelopes(directory, Identity()):
        directory.call(message)
    for what, message, _ in malformed.plaintexts(directory, Identity()):
        directory.call(message)


def key_texts(server):
    """The server's own secrets as they stand in its files; a server in memory has none."""
    folder = pathlib.Path(server.processes[0].folder, "data", "keys")
    files = folder.glob("*.key") if folder.exists() else ()
    return {path.read_text().strip() for path in files}


def log(report):
    """One JSON object a line whatever was sent, nothing that a terminal obeys, and no secret."""
    secrets = set()
    with Server(UNLIMITED, count=1, flags=("--log", "debug")) as server:
        honest_requests(server, secrets)
        strangers_requests(server, secrets)
        secrets |= key_texts(server)
        time.sleep(0.2)
        report.equal("exit code", server.stop(), 0)
        raw = pathlib.Path(server.processes[0].log_path()).read_bytes()
    lines = raw.split(b"\n")
    report.equal("the log ends with a line", lines.pop(), b"")
    report.check("requests are logged", sum(b"request answered" in it for it in lines) > 300)
    for line in lines:
        # What the server prints for people before it serves is no part of the log.
        if not line.startswith(b"{") and is_announcement(line):
            continue
        check_line(report, line)
    for secret in secrets:
        report.check("no secret", secret.encode() not in raw, f"{secret[:12]}… is in the log")
        lower = secret.lower().encode()
        report.check("no secret in capitals", lower not in raw.lower(), f"{secret[:12]}…")
    report.check("secrets were looked for", len(secrets) > 30, len(secrets))


def is_announcement(line):
    return MARK.encode() not in line and all(32 <= byte for byte in line)


def check_line(report, line):
    try:
        fields = json.loads(line, object_pairs_hook=lambda pairs: pairs)
    except ValueError:
        report.check("a line is JSON", False, repr(line[:300]))
        return
    names = [name for name, _ in fields]
    report.check("each field once", len(set(names)) == len(names), repr(line[:300]))
    report.check("a record of the log", {"ts", "level", "msg"} <= set(names), repr(line[:300]))
    report.check("a short line", len(line) <= LINE_MAX, f"{len(line)} bytes: {line[:300]!r}")
    wild = [byte for byte in line if byte < 32 or byte == 127]
    report.check("no control characters", not wild, repr(line[:300]))
    text = line.decode()
    report.check(
        "nothing that ends or turns a line",
        not re.search("[\u0080-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]", text),
        repr(line[:300]),
    )


CASES = [bodies, proofs, heads, log]


def main():
    wanted = sys.argv[1:]
    unknown = set(wanted) - {case.__name__ for case in CASES}
    if unknown:
        sys.exit(f"no such case: {', '.join(sorted(unknown))}")
    report = Report()
    for case in CASES:
        if not wanted or case.__name__ in wanted:
            report.run(case)
    return report.close()


if __name__ == "__main__":
    sys.exit(main())
