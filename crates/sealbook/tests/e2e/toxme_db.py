"""Makes a database with the schema of the original toxme server.

usage: toxme_db.py FILE [COUNT] < ROWS

ROWS is a JSON array of objects whose keys are columns. A missing column has the value of a plain row;
"password" is a text, or null for a blob that fits none. COUNT adds as many plain rows behind.
"""
import hashlib
import json
import sqlite3
import sys

SCHEMA = """
CREATE TABLE records (
    user_id INTEGER NOT NULL,
    name VARCHAR,
    bio VARCHAR,
    public_key VARCHAR,
    checksum VARCHAR,
    privacy INTEGER,
    timestamp DATETIME,
    sig VARCHAR,
    pin VARCHAR,
    password BLOB NOT NULL,
    PRIMARY KEY (user_id),
    UNIQUE (name),
    UNIQUE (public_key)
);
"""


def tox_id(number):
    raw = hashlib.sha256(b"key %d" % number).digest() + number.to_bytes(4, "big")
    checksum = [0, 0]
    for at, byte in enumerate(raw):
        checksum[at % 2] ^= byte
    return (raw + bytes(checksum)).hex().upper()


def plain(number):
    return {
        "name": "plain%d" % number,
        "bio": "row %d" % number,
        "tox_id": tox_id(number),
        "privacy": number % 3,
        "timestamp": "2015-01-02 03:04:05.678901",
        "sig": "",
        "password": "bab-cec-dif-fog",
    }


def stored(number, given):
    row = {**plain(number), **given}
    full = row.pop("tox_id")
    row = {"public_key": full[:64], "pin": full[64:72], "checksum": full[72:], **row}
    if isinstance(row["password"], str):
        salt = hashlib.sha256(b"salt %d" % number).digest()[:16]
        row["password"] = salt + hashlib.sha512(salt + row["password"].encode()).digest()
    elif row["password"] is None:
        row["password"] = b"x"
    if isinstance(row["bio"], dict):
        row["bio"] = b"\xff" * row["bio"]["bytes"]
    return row


def main():
    database = sqlite3.connect(sys.argv[1])
    database.executescript(SCHEMA)
    rows = json.load(sys.stdin)
    rows += [{}] * int(sys.argv[2] if len(sys.argv) > 2 else 0)
    for number, given in enumerate(rows, 1):
        row = stored(number, given)
        columns = ", ".join(row)
        values = ", ".join("?" * len(row))
        sql = f"INSERT INTO records (user_id, {columns}) VALUES (?, {values})"
        database.execute(sql, [number, *row.values()])
    database.commit()


main()
