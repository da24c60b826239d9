#!/usr/bin/env python3
"""Drives the real server over the toxme API with an independent client.

usage: SEALBOOK=target/debug/sealbook python3 test_toxme.py [case …]

Starts the server as often as needed, in temporary folders, on free loopback ports; leaves nothing
running. The last line is `N passed, N failed`; the exit code is 0 only if nothing failed.

STORE_URL says what the servers keep their state in: `file:` (the default), `memory:`, or
`postgres://…`, where each server gets a schema of its own. PROCESSES=2 makes each server two processes
over that schema, asked in turn.
"""

import json
import os
import sys
import threading
import time

import malformed
from harness import Report, Server, python_style
from toxme_client import (
    LOOKUP,
    REVERSE,
    SEARCH,
    STATUS,
    Identity,
    NotVerified,
    b64,
    exchange,
    verify_memorabilia,
)

UNLIMITED = "limits.enabled=false"
PASSWORD = r"(?:[bcdfghjklmnpqrstvwxyz][aeiou][bcdfghjklmnpqrstvwxyz]-){5}" + (
    r"[bcdfghjklmnpqrstvwxyz][aeiou][bcdfghjklmnpqrstvwxyz]"
)
PUSHES_PER_HOUR = 13
RACE_CLIENTS = 100
RACE_ROUNDS = int(os.environ.get("RACE_ROUNDS", "100"))


def look_up(server, name):
    return server.directory.call({"action": LOOKUP, "name": name})


def reverse(server, key):
    return server.directory.call({"action": REVERSE, "id": key})


def search(server, text, page=0):
    return server.directory.call({"action": SEARCH, "name": text, "page": page})


def names_found(server, text, page=0):
    return [user["name"] for user in search(server, text, page).json()["users"]]


def push(server, identity, name, *words, **changes):
    return server.directory.call(server.directory.push(identity, name, *words, **changes))


def delete(server, identity, **changes):
    return server.directory.call(server.directory.delete(identity, **changes))


def life_cycle(report):
    """Register, look up, search, update, delete and register again."""
    alice = Identity()
    with Server(UNLIMITED) as server:
        reply = push(server, alice, "Alice", "hi", 2)
        report.answers("register", reply, 0)
        report.equal("fields of a registration", list(reply.json()), ["c", "password"])
        report.matches("password of six syllables", PASSWORD, reply.json()["password"])
        check_record(report, server, alice)
        users = search(server, "LIC").json()["users"]
        report.equal("search", users, [{"name": "alice", "bio": "hi"}])
        for key in (alice.key, alice.key.lower()):
            report.equal("reverse", reverse(server, key).json(), {"c": 0, "name": "alice"})

        updated = push(server, alice, "alice", "new", 2)
        report.equal("an update has no password", updated.raw, b'{"c": 0, "password": null}')
        report.equal("the update is seen", search(server, "alice").json()["users"][0]["bio"], "new")

        fresh = server.directory.call(server.directory.reset(alice))
        report.answers("reset of the password", fresh, 0)
        report.equal("fields of a reset", list(fresh.json()), ["c", "password"])
        report.matches("a new password of six syllables", PASSWORD, fresh.json()["password"])
        different = fresh.json()["password"] != reply.json()["password"]
        report.equal("it is another", different, True)
        unknown = server.directory.call(server.directory.reset(Identity()))
        report.answers("reset by an unknown key", unknown, -30)

        report.equal("delete", delete(server, alice).raw, b'{"c": 0}')
        report.answers("a deleted name is gone", look_up(server, "alice"), -42)
        report.answers("a deleted key is gone", reverse(server, alice.key), -30)
        report.equal("a deleted name is not found", names_found(server, "alice"), [])
        report.answers("delete again", delete(server, alice), -30)
        report.answers("another key must wait", push(server, Identity(), "alice"), -25)
        again = push(server, alice, "alice")
        report.answers("the same key may return at once", again, 0)
        report.matches("with a new password", PASSWORD, again.json()["password"])
        report.equal("stops when asked", server.stop(), 0)


def check_record(report, server, alice):
    """A look-up by every spelling of the address."""
    expected = {
        "c": 0, "name": "alice", "regdomain": "localhost", "tox_id": alice.tox_id,
        "url": "tox:alice@localhost",
        "verify": {"status": 1, "detail": "Good (signed by local authority)"},
        "source": 1, "version": "Tox V3 (local)",
    }  # fmt: skip
    here = f"127.0.0.1:{server.port}"
    for name in ("alice", "ALICE", "alice@localhost", f"alice@{here}", "Alice@127.0.0.1"):
        reply = look_up(server, name)
        report.answers(f"look-up of {name}", reply, 0)
        report.equal(f"record of {name}", reply.json(), expected)
        report.equal("order of the fields", list(reply.json()), list(expected))
        needle = f'"tox_id": "{alice.tox_id}"'.encode()
        report.check("the Tox ID stands where clients cut it out", needle in reply.raw, reply.raw)


def transport(report):
    """Methods, paths, headers and bodies."""
    alice = Identity()
    with Server(UNLIMITED) as server:
        directory = server.directory
        push(server, alice, "alice")
        for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
            report.answers(f"{method} /api", directory.request(method, "/api"), -1)
        head = directory.request("HEAD", "/api")
        report.equal("HEAD /api", (head.status, head.raw), (400, b""))
        message = {"action": LOOKUP, "name": "alice"}
        for path in ("/api", "/", "/a", "/ap", "/api?x=1"):
            report.answers(f"POST {path}", directory.call(message, path), 0)
        report.answers("push by an alias", directory.call(directory.push(alice, "alice"), "/ap"), 0)
        report.equal("POST /api/", directory.call(message, "/api/").status, 404)
        for kind in ("text/plain", "application/x-www-form-urlencoded", "nonsense"):
            reply = directory.call(message, headers={"Content-Type": kind})
            report.answers(f"Content-Type {kind}", reply, 0)
        chunked = directory.request("POST", "/api", iter([json.dumps(message).encode()]))
        report.answers("chunked body", chunked, 0)
        reply = directory.call(message | {"extra": [1, {"deep": []}]})
        report.answers("unknown fields are ignored", reply, 0)
        inside = f'{{"action": 3, "name": "alice", "x": {malformed.nested(60)}}}'
        report.answers("60 levels pass", directory.request("POST", "/api", inside.encode()), 0)
        padded = json.dumps(message | {"x": "x" * 65_000}).encode()
        report.answers("65,000 bytes pass", directory.request("POST", "/api", padded), 0)
        large = json.dumps(message | {"x": "x" * 70_000}).encode()
        reply = directory.request("POST", "/api", large)
        report.check("70,000 are refused", reply.status in (400, 413), reply)
        report.answers("and the server lives", look_up(server, "alice"), 0)


def requests_that_are_wrong(report):
    """Every malformed request gets its code, and the server goes on."""
    with Server(UNLIMITED) as server:
        directory, identity = server.directory, Identity()
        for what, body, codes in malformed.bodies():
            report.answers(what, directory.request("POST", "/api", body), *codes)
        sources = [
            malformed.envelopes(directory, identity), malformed.plaintexts(directory, identity),
            malformed.pushes(directory, identity), malformed.names(directory, identity),
            malformed.deletions(directory, identity), malformed.lookups(),
        ]  # fmt: skip
        for source in sources:
            for what, message, codes in source:
                report.answers(what, directory.call(message), *codes)
        for name in ("envelope", "payload", "na", "x"):
            report.equal(f"no {name} was registered", names_found(server, name), [])
        report.answers("the key is still free", push(server, identity, "fine"), 0)


def requests_that_are_right(report):
    """Spellings that must be accepted."""
    with Server(UNLIMITED) as server:
        directory = server.directory
        alice = Identity()
        sealed = directory.push(alice, "alice", tox_id=alice.tox_id.lower())
        sealed["public_key"] = sealed["public_key"].lower()
        sealed["encrypted"] = sealed["encrypted"][:20] + "\r\n " + sealed["encrypted"][20:]
        report.answers("lower case and broken lines", directory.call(sealed), 0)
        stored = look_up(server, "alice").json()["tox_id"]
        report.equal("stored in upper case", stored, alice.tox_id)
        report.answers("unknown payload fields", push(server, alice, "alice", more={"a": 1}), 0)
        for shift in (-200, 200):
            moment = int(time.time()) + shift
            reply = push(server, alice, "alice", timestamp=moment)
            report.answers(f"a clock off by {shift} s", reply, 0)
        report.answers("a name of 63 characters", push(server, Identity(), "n" * 63), 0)
        allowed = "a.b-c_d+e%f&g\\h<i>j#k?l=m,n*o$p[q]r{s}t|u~v!w^x`y"
        report.answers("every allowed sign", push(server, Identity(), allowed), 0)
        report.answers("and it is found", look_up(server, allowed), 0)
        family = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
        report.answers("an emoji sequence", push(server, Identity(), f"fam{family}"), 0)
        for wild in ("%", "_", "*"):
            count = len(names_found(server, wild))
            report.equal(f"{wild} is literal", count, 1)
        status = directory.call({"action": STATUS})
        report.answers("status", status, 0)
        report.equal("fields of status", list(status.json()), ["c", "ut", "rs", "uc"])
        counts = [status.json()["rs"], status.json()["uc"]]
        report.check("counts are rounded", all(n >= 0 and n % 100 == 0 for n in counts), counts)


def text(report):
    """Unicode, line breaks and what Python would escape."""
    with Server(UNLIMITED) as server:
        alice = Identity()
        bio = "  one\r\n\r\ntwo </b> \U0001f600 \u00e9 \"q\" \\ \x7f end\n "
        stored = "one two </b> \U0001f600 \u00e9 \"q\" \\ \x7f end"
        report.answers("a bio of many kinds", push(server, alice, "\u00dcn\u00efc\u00f6de", bio), 0)
        reply = search(server, "\u00fcn\u00ef")
        report.equal("trimmed and on one line", reply.json()["users"][0]["bio"], stored)
        report.check("bytes as Python writes them", python_style(reply.raw), reply.raw)
        report.check("surrogates in lower case", b"\\ud83d\\ude00" in reply.raw, reply.raw)
        report.check("no closing tag", b"<\\/b>" in reply.raw, reply.raw)
        composed, decomposed = "caf\u00e9", "cafe\u0301"
        report.answers("a decomposed name", push(server, Identity(), decomposed), 0)
        report.equal("is stored composed", look_up(server, composed).json().get("name"), composed)
        report.answers("and found decomposed", look_up(server, decomposed), 0)
        report.answers("and taken for others", push(server, Identity(), composed), -25)
        for count, code in ((1372, 0), (1373, -3)):
            reply = push(server, alice, "\u00fcn\u00efc\u00f6de", "\u00e9" * count)
            report.answers(f"a bio of {count} characters", reply, code)


def keys_and_names(report):
    """Who may write what: possession, bindings, hand-over, deletion."""
    with Server(UNLIMITED) as server:
        alice, bob, carol = Identity(), Identity(), Identity()
        report.answers("alice", push(server, alice, "alice"), 0)
        report.answers("bob", push(server, bob, "bob"), 0)
        report.answers("a taken name", push(server, carol, "alice"), -25)
        report.answers("a key with another name", push(server, alice, "alice2"), -26)
        report.answers("both: the key is named first", push(server, alice, "bob"), -26)
        other = Identity().tox_id
        report.answers("somebody's Tox ID", push(server, carol, "carol", tox_id=other), -3)
        bound = push(server, carol, "carol", tox_id=alice.tox_id)
        report.answers("and a bound one", bound, -3, -26)

        sealed_by_carol = server.directory.delete(carol, public_key=alice.key)
        report.answers("deleting another's key", server.directory.call(sealed_by_carol), -3)
        report.answers("leaves the record", look_up(server, "alice"), 0)

        dave = Identity()
        bound = push(server, alice, "alice", tox_id=bob.tox_id)
        report.answers("hand-over to a bound key", bound, -26)
        handed = push(server, alice, "alice", tox_id=dave.tox_id)
        report.equal("hand-over", handed.raw, b'{"c": 0, "password": null}')
        report.equal("the new ID shows", look_up(server, "alice").json()["tox_id"], dave.tox_id)
        report.answers("the old key is out", push(server, alice, "alice"), -25)
        report.answers("and finds nothing", reverse(server, alice.key), -30)
        report.answers("and cannot delete", delete(server, alice), -30)
        report.answers("the new key was not asked", reverse(server, dave.key), -30)
        report.equal("and vouches for nothing", look_up(server, "alice").json()["verify"]["status"], 3)
        taken = push(server, dave, "alice", "mine")
        report.answers("the new key rules", taken, 0)
        report.check("and has the password", isinstance(taken.json()["password"], str), taken.raw)
        report.equal("its push proves it", look_up(server, "alice").json()["verify"]["status"], 1)
        report.answers("the old key is free", push(server, alice, "alice3"), 0)
        report.answers("the new key deletes", delete(server, dave), 0)
    with Server(UNLIMITED, "toxme.strict_possession=false") as server:
        reply = push(server, Identity(), "carol", tox_id=Identity().tox_id)
        report.answers("without strict possession", reply, 0)
    with Server(UNLIMITED, "names.release_after=0s") as server:
        alice = Identity()
        push(server, alice, "alice")
        delete(server, alice)
        report.answers("a name freed at once", push(server, Identity(), "alice"), 0)


def privacy(report):
    """What each level shows to search and reverse look-up."""
    with Server(UNLIMITED) as server:
        people = {level: Identity() for level in (-1, 0, 1, 2)}
        for level, identity in people.items():
            name = f"level{level}"
            report.answers(f"push {name}", push(server, identity, name, f"bio of {name}", level), 0)
        found = names_found(server, "level")
        report.equal("search shows 1 and 2, in order", found, ["level1", "level2"])
        for level, identity in people.items():
            report.answers(f"look-up at {level}", look_up(server, f"level{level}"), 0)
            expected = 0 if level > 0 else -30
            report.answers(f"reverse at {level}", reverse(server, identity.key), expected)
        unknown = reverse(server, os.urandom(32).hex())
        hidden = reverse(server, people[0].key)
        report.equal("hidden answers as unknown", hidden.raw, unknown.raw)
        report.answers("hiding later", push(server, people[2], "level2", "", 0), 0)
        report.equal("hides from search", names_found(server, "level"), ["level1"])
        report.answers("and from reverse", reverse(server, people[2].key), -30)


def pages(report):
    """Search returns 30 names a page, by name."""
    with Server(UNLIMITED) as server:
        for number in range(35):
            push(server, Identity(), f"page{number:02}")
        everyone = [f"page{number:02}" for number in range(35)]
        report.equal("first page", names_found(server, "page"), everyone[:30])
        report.equal("second page", names_found(server, "page", 1), everyone[30:])
        for page in (2, 10**9):
            report.equal(f"page {page}", search(server, "page", page).raw, b'{"c": 0, "users": []}')


def memorabilia(report):
    """The countersignature: on every recognised action, over nothing but 64 bytes."""
    with Server(UNLIMITED) as server:
        directory, alice = server.directory, Identity()
        answer = directory.request("GET", "/pk")
        report.answers("/pk", answer, 0)
        report.equal("fields of /pk", list(answer.json())[:2], ["c", "key"])
        report.matches("the box key", "[0-9A-F]{64}", answer.json()["key"])
        messages = [
            ("push", directory.push(alice, "alice"), 0),
            ("look-up", {"action": LOOKUP, "name": "alice"}, 0),
            ("status", {"action": STATUS}, 0),
            ("reverse", {"action": REVERSE, "id": alice.key}, 0),
            ("search", {"action": SEARCH, "name": "ali", "page": 0}, 0),
            ("delete", directory.delete(alice), 0),
            ("refused push", {"action": 1}, -3),
            ("refused delete", {"action": 2}, -3),
            ("failed look-up", {"action": LOOKUP, "name": "nobody"}, -42),
            ("failed reverse", {"action": REVERSE, "id": "00"}, -31),
            ("failed search", {"action": SEARCH, "name": "a", "page": -1}, -27),
        ]
        for what, message, code in messages:
            check_countersigned(report, server, what, message, code)
        good = os.urandom(64)
        message = {"action": LOOKUP, "name": "nobody", "memorabilia": b64(good)}
        twice = [directory.call(message).raw for _ in range(2)]
        report.equal("it is deterministic", twice[0], twice[1])
        wrong = [None, 5, [], "", "!!!!", b64(bytes(63)), b64(bytes(65)), b64(good).rstrip("=")]
        for value in wrong:
            reply = directory.call(message | {"memorabilia": value})
            absent = directory.call({"action": LOOKUP, "name": "nobody"})
            report.equal(f"as if absent: {value!r:.20}", reply.raw, absent.raw)
        for body in ({"action": 99}, {}):
            reply = directory.call(body | {"memorabilia": b64(good)})
            report.check("not for unknown actions", "signed_memorabilia" not in reply.json(), reply)


def check_countersigned(report, server, what, message, code):
    sent = os.urandom(64)
    reply = server.directory.call(message | {"memorabilia": b64(sent)})
    report.answers(f"{what} with memorabilia", reply, code)
    value = reply.json()
    report.equal(f"{what}: it comes last", list(value)[-1], "signed_memorabilia")
    for what_sent, expected in ((sent, True), (os.urandom(64), False)):
        try:
            verify_memorabilia(server.directory.keys(), what_sent, value.get("signed_memorabilia"))
            verified = True
        except NotVerified:
            verified = False
        report.equal(f"{what}: verifies", verified, expected)
    box_key, _ = server.directory.keys()
    verify_memorabilia((box_key, None), sent, value.get("signed_memorabilia"))


def replay(report):
    """A captured request is worth nothing, not even after a restart."""
    with Server(UNLIMITED) as server:
        directory, alice = server.directory, Identity()
        captured_push = directory.push(alice, "alice", "first")
        report.answers("push", directory.call(captured_push), 0)
        report.answers("the same again", directory.call(captured_push), -3)
        report.answers("another in the same second", push(server, alice, "alice", "second"), 0)
        report.answers("no update is undone", directory.call(captured_push), -3)
        bio = search(server, "alice").json()["users"][0]["bio"]
        report.equal("the newer bio stays", bio, "second")
        captured_delete = directory.delete(alice)
        report.answers("delete", directory.call(captured_delete), 0)
        report.answers("no record returns", directory.call(captured_push), -3)
        report.answers("look-up", look_up(server, "alice"), -42)
        report.answers("register again", push(server, alice, "alice"), 0)
        report.answers("no later record goes", directory.call(captured_delete), -3)
        keys = directory.keys()
        report.equal("stop", server.stop(), 0)
        server.start()
        survives = not server.store.forgets
        report.equal("the keys survive a restart", server.directory.keys() == keys, survives)
        report.answers("the record survives", look_up(server, "alice"), 0 if survives else -42)
        for what, captured in (("push", captured_push), ("delete", captured_delete)):
            report.answers(f"so does the memory of a {what}", server.directory.call(captured), -3)


def limits(report):
    """Pushes are counted per address; nothing else is."""
    # Processes share an address's allowance out among them: what is exact is a server of one.
    settings = ("server.trusted_proxies=[]", "toxme.require_secure=false")
    with Server(*settings, count=1) as server:
        spend(report, server, {})
        for action in ({"action": LOOKUP, "name": "nobody"}, {"action": STATUS}):
            code = -42 if action["action"] == LOOKUP else 0
            for _ in range(20):
                report.answers("look-ups are free", server.directory.call(action), code)
        report.answers("so is deleting", delete(server, Identity()), -30)
        claimed = {"X-Forwarded-For": "203.0.113.7", "X-Real-IP": "203.0.113.7"}
        reply = server.directory.call({"action": 1}, headers=claimed)
        report.answers("a stranger's header changes nothing", reply, -4)
    with Server('server.trusted_proxies=["127.0.0.1"]', count=1) as server:
        spend(report, server, forwarded("203.0.113.1"))
        cases = [
            ("another client", "203.0.113.2", -3),
            ("what the client itself claimed", "198.51.100.1, 203.0.113.1", -4),
            ("an IPv6 client", "2001:db8:0:2::1", -3),
        ]
        for what, header, code in cases:
            reply = server.directory.call({"action": 1}, headers=forwarded(header))
            report.answers(what, reply, code)
        spend(report, server, forwarded("2001:db8:0:1::1"))
        near = server.directory.call({"action": 1}, headers=forwarded("2001:db8:0:1:ffff::2"))
        report.answers("the same /64", near, -4)


def forwarded(addresses):
    return {"X-Forwarded-For": addresses, "X-Forwarded-Proto": "https"}


def spend(report, server, headers):
    """Uses up one address's hour: attempts that fail count as well."""
    for attempt in range(PUSHES_PER_HOUR):
        reply = server.directory.call({"action": 1}, headers=headers)
        report.answers(f"attempt {attempt + 1}", reply, -3)
    for _ in range(2):
        reply = server.directory.call({"action": 1}, headers=headers)
        report.answers("one too many", reply, -4)
    good = server.directory.push(Identity(), "late")
    report.answers("even a good one", server.directory.call(good, headers=headers), -4)


def secure(report):
    """With a public address, plain HTTP is refused, unless a trusted proxy vouches for it."""
    public = "server.public_url=https://id.example.org"
    message = {"action": LOOKUP, "name": "nobody"}
    https = {"X-Forwarded-Proto": "https"}
    with Server(UNLIMITED, public, "server.trusted_proxies=[]") as server:
        directory = server.directory
        report.answers("POST /api", directory.call(message), -2)
        report.answers("GET /api", directory.request("GET", "/api"), -2)
        keys = directory.request("GET", "/pk")
        report.equal("GET /pk", (keys.status, keys.raw[:8]), (200, b'{"c": -2'))
        report.answers("a stranger's header", directory.call(message, headers=https), -2)
    with Server(UNLIMITED, public, 'server.trusted_proxies=["127.0.0.1"]') as server:
        directory = server.directory
        report.answers("through the proxy", directory.call(message, headers=https), -42)
        report.answers("plain at the proxy", directory.call(message), -2)
        plain = {"X-Forwarded-Proto": "http"}
        report.answers("the proxy says plain", directory.call(message, headers=plain), -2)
        home = message | {"name": "nobody@id.example.org"}
        report.answers("the home domain", directory.call(home, headers=https), -42)
    with Server(UNLIMITED, public, "toxme.require_secure=false") as server:
        report.answers("not required", server.directory.call(message), -42)


def other_domains(report):
    """Remote look-ups are off by default, and answered."""
    with Server(UNLIMITED) as server:
        for name in ("alice@example.org", "alice@10.0.0.1", "alice@[::1]", "a@b@example.org"):
            start = time.monotonic()
            report.answers(f"look-up of {name}", look_up(server, name), -41)
            report.check("without delay", time.monotonic() - start < 2)


def race(report):
    """Many clients want one name at the same moment: each time exactly one gets it."""
    with Server(UNLIMITED) as server:
        people = [Identity() for _ in range(RACE_CLIENTS)]
        connections = [server.directory.connect() for _ in people]
        for number in range(RACE_ROUNDS):
            name = f"race{number}"
            codes = race_round(server.directory, connections, people, name)
            winners = [at for at, code in enumerate(codes) if code == 0]
            report.equal(f"{name}: winners", len(winners), 1)
            report.equal(f"{name}: losers", codes.count(-25), RACE_CLIENTS - 1)
            for winner in winners:
                owner = look_up(server, name).json().get("tox_id")
                report.equal(f"{name}: the winner owns it", owner, people[winner].tox_id)
                people[winner] = Identity()
        for connection in connections:
            connection.close()


def race_round(directory, connections, people, name):
    """Everybody's code. The requests are sealed first and sent at one signal."""
    bodies = [json.dumps(directory.push(identity, name)).encode() for identity in people]
    codes = [None] * len(people)
    signal = threading.Barrier(len(people))

    def run(at):
        signal.wait()
        try:
            codes[at] = exchange(connections[at], "POST", "/api", bodies[at]).code
        except OSError as problem:
            codes[at] = repr(problem)

    threads = [threading.Thread(target=run, args=(at,)) for at in range(len(people))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return codes


CASES = [
    life_cycle, transport, requests_that_are_wrong, requests_that_are_right, text, keys_and_names,
    privacy, pages, memorabilia, replay, limits, secure, other_domains, race,
]  # fmt: skip


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
