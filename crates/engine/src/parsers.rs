//! The parsers that are this crate's own, as plain functions of bytes: each parses, and panics if
//! what it accepted breaks a promise. For the fuzz targets, and of no use to anybody else.

use bytes::Bytes;

use crate::dialects::toxme::{KeyOrder, Order, Push};
use crate::limits::{BIO_CHARS_MAX, TIMESTAMP_WINDOW};
use crate::table::{Row, Table, TableKey};
use crate::tables::{
    ARCHIVED, ARRIVING, AVATARS, BUNDLES, CHAIN_HEADS, CHANGES, CHECKPOINTS, CLAIM_IDENTITIES,
    CLAIM_UUIDS, CLAIMS_DUE, ENTRY_INDEX, GUARDS, INTENTS, JOBS, LEASES, LINKS, LOG_HEAD,
    MAP_PAGES, META, MOVED, NAMES, PARCELS, PARKED_JOBS, PROCESSES, RELEASED, SEEN, SUBKEY_OWNERS,
    SUBKEYS, TILES, TOMBSTONES, TOX_KEYS, TOX_RECORDS, TRACKS, table_of,
};
use crate::types::{Bio, Name, ToxId, UnixMillis};

/// What the sealed payload of a toxme push, delete or reset says at a moment; true when it is either.
///
/// # Panics
/// When what it accepts is not in normal form, too long or outside the window.
#[must_use]
pub fn sealed_payload(plaintext: &[u8], now: UnixMillis) -> bool {
    let push = Push::parse(plaintext, now);
    if let Ok(push) = &push {
        assert_eq!(Name::parse(push.name.as_str()).as_ref(), Ok(&push.name));
        assert_eq!(ToxId::parse(&push.tox_id.to_string()), Some(push.tox_id));
        assert!(push.bio.as_str().chars().count() <= BIO_CHARS_MAX);
        assert_eq!(Bio::parse(push.bio.as_str()).as_ref(), Some(&push.bio));
        assert_recent(push.timestamp, now);
        assert_eq!(Push::parse(plaintext, now).as_ref(), Ok(push));
    }
    let orders = [Order::Delete, Order::Reset].map(|order| KeyOrder::parse(plaintext, order, now));
    for order in orders.iter().flatten() {
        assert_recent(order.timestamp, now);
    }
    push.is_ok() || orders.iter().any(Result::is_ok)
}

fn assert_recent(timestamp_s: u64, now: UnixMillis) {
    let away = timestamp_s.abs_diff(now.0 / 1000);
    assert!(away <= TIMESTAMP_WINDOW.as_secs().saturating_add(1));
}

/// Reads a key with the table that its first byte names, and the value with the same table; true
/// when both are a row of it.
///
/// # Panics
/// When a key that is accepted is written differently, or a value changes by being written.
#[must_use]
pub fn stored_row(key: &[u8], value: &[u8]) -> bool {
    let Some(info) = table_of(key) else {
        return false;
    };
    let value = Bytes::copy_from_slice(value);
    let mut read = None;
    macro_rules! each {
        ($($table:ident)+) => {
            $(if $table.tag() == info.tag {
                read = Some(row(&$table, key, &value));
            })+
        };
    }
    each!(
        ARCHIVED ARRIVING AVATARS BUNDLES CHAIN_HEADS CHANGES CHECKPOINTS CLAIM_IDENTITIES CLAIM_UUIDS
        CLAIMS_DUE ENTRY_INDEX GUARDS INTENTS JOBS LEASES LINKS LOG_HEAD MAP_PAGES META MOVED NAMES
        PARCELS PARKED_JOBS PROCESSES RELEASED SEEN SUBKEY_OWNERS SUBKEYS TILES TOMBSTONES TOX_KEYS TOX_RECORDS
        TRACKS
    );
    read.expect("every table of the catalog is in the list")
}

fn row<K: TableKey, V: Row>(table: &Table<K, V>, key: &[u8], value: &Bytes) -> bool {
    let key_read = table.read_key(key);
    if let Ok(read) = &key_read {
        assert_eq!(&table.key(read)[..], key, "a key has one form");
    }
    let value_read = table.read(value);
    if let Ok(read) = &value_read {
        let written = read.write();
        let again = table.read(&written);
        let again = again.expect("what a table wrote it can read").write();
        assert_eq!(written, again, "a value in its own form stays as it is");
    }
    key_read.is_ok() && value_read.is_ok()
}
