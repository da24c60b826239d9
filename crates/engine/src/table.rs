//! Typed tables over the store's keys and values.
//!
//! A key is the table's tag byte and the key's parts; integers are big-endian, so that byte order is
//! number order. A record's value is a version byte and a protobuf message; unknown fields of a
//! newer version survive. Raw tables (tiles, entry bundles, map pages, links) hold bytes whose own
//! format carries a version.

use std::marker::PhantomData;

use bytes::Bytes;
use merkle::Hash;
use prost::Message;

use crate::ports::store::{Key, KeyRange, StoreError};
use crate::types::{IdentityId, JobId, Label, Name, ProcessId, ToxKey, UnixMillis};

/// Version byte in front of every record.
const RECORD_VERSION: u8 = 1;

/// One table: its tag byte, and what its keys and values are.
pub(crate) struct Table<K, V> {
    tag: u8,
    name: &'static str,
    types: PhantomData<fn(K) -> V>,
}

impl<K: TableKey, V: Row> Table<K, V> {
    /// A table; `name` is for errors and docs/STORAGE.md.
    pub(crate) const fn new(tag: u8, name: &'static str) -> Self {
        Self {
            tag,
            name,
            types: PhantomData,
        }
    }

    /// The tag byte all its keys start with.
    pub(crate) const fn tag(&self) -> u8 {
        self.tag
    }

    /// Its name.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// The store key of `key`.
    pub(crate) fn key(&self, key: &K) -> Key {
        let mut bytes = Vec::with_capacity(48);
        bytes.push(self.tag);
        key.write(&mut bytes);
        bytes.into()
    }

    /// All rows whose key starts with `prefix` (raw key bytes behind the tag).
    pub(crate) fn range(&self, prefix: &[u8]) -> KeyRange {
        let mut start = Vec::with_capacity(1 + prefix.len());
        start.push(self.tag);
        start.extend_from_slice(prefix);
        let mut end = start.clone();
        while end.last() == Some(&0xff) {
            end.pop();
        }
        if let Some(last) = end.last_mut() {
            *last = last.saturating_add(1);
        }
        KeyRange {
            start: start.into(),
            end: (!end.is_empty()).then(|| end.into()),
        }
    }

    /// Reads back a store key of this table.
    ///
    /// # Errors
    /// `Corrupt` for any other key.
    pub(crate) fn read_key(&self, key: &[u8]) -> Result<K, StoreError> {
        key.split_first()
            .filter(|(tag, _)| **tag == self.tag)
            .and_then(|(_, rest)| K::read(rest))
            .ok_or_else(|| self.corrupt("key"))
    }

    /// Reads a stored value.
    ///
    /// # Errors
    /// `Corrupt` when it is malformed or of a newer version.
    pub(crate) fn read(&self, value: &Bytes) -> Result<V, StoreError> {
        V::read(value).ok_or_else(|| self.corrupt("value"))
    }

    fn corrupt(&self, what: &str) -> StoreError {
        StoreError::Corrupt(format!(
            "a {what} in table {} is malformed or newer",
            self.name
        ))
    }
}

/// The first key after `key`: where a scan goes on that has read up to it.
pub(crate) fn behind(key: &Key) -> Key {
    let mut bytes = Vec::with_capacity(key.len().saturating_add(1));
    bytes.extend_from_slice(key);
    bytes.push(0);
    bytes.into()
}

/// The parts of a key behind the tag.
pub(crate) trait TableKey: Sized {
    /// Appends the key's bytes.
    fn write(&self, out: &mut Vec<u8>);
    /// Reads exactly these bytes.
    fn read(bytes: &[u8]) -> Option<Self>;
}

/// A value.
pub(crate) trait Row: Sized {
    /// Its bytes.
    fn write(&self) -> Bytes;
    /// Reads them back.
    fn read(bytes: &Bytes) -> Option<Self>;
}

/// Values that are stored as the bytes they are.
impl Row for Bytes {
    fn write(&self) -> Bytes {
        self.clone()
    }

    fn read(bytes: &Bytes) -> Option<Self> {
        Some(bytes.clone())
    }
}

/// A record with its version byte.
pub(crate) fn write_record(message: &impl Message) -> Bytes {
    let mut bytes = Vec::with_capacity(1 + message.encoded_len());
    bytes.push(RECORD_VERSION);
    // A Vec grows as needed, so encoding cannot run out of room.
    message.encode_raw(&mut bytes);
    bytes.into()
}

/// Reads a record of this version.
pub(crate) fn read_record<M: Message + Default>(bytes: &Bytes) -> Option<M> {
    match bytes.split_first()? {
        (&RECORD_VERSION, rest) => M::decode(rest).ok(),
        _ => None,
    }
}

macro_rules! array_key {
    ($type:ty, $make:expr, $bytes:expr) => {
        impl TableKey for $type {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice($bytes(self));
            }

            fn read(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map($make)
            }
        }
    };
}

array_key!([u8; 16], |bytes| bytes, <[u8; 16]>::as_slice);
array_key!([u8; 32], |bytes| bytes, <[u8; 32]>::as_slice);
array_key!(Label, |bytes| Label(Hash(bytes)), label_bytes);
array_key!(ToxKey, ToxKey, tox_key_bytes);
array_key!(IdentityId, IdentityId, identity_bytes);
array_key!(JobId, JobId, job_bytes);
array_key!(ProcessId, ProcessId, process_bytes);

fn label_bytes(label: &Label) -> &[u8] {
    &label.0.0
}

fn tox_key_bytes(key: &ToxKey) -> &[u8] {
    &key.0
}

fn identity_bytes(id: &IdentityId) -> &[u8] {
    &id.0
}

fn job_bytes(id: &JobId) -> &[u8] {
    &id.0
}

fn process_bytes(id: &ProcessId) -> &[u8] {
    &id.0
}

macro_rules! number_key {
    ($($type:ty),+) => {$(
        impl TableKey for $type {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }

            fn read(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self::from_be_bytes)
            }
        }
    )+};
}

number_key!(u8, u32, u64);

impl TableKey for UnixMillis {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        u64::read(bytes).map(Self)
    }
}

/// A table of one row.
impl TableKey for () {
    fn write(&self, _out: &mut Vec<u8>) {}

    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.is_empty().then_some(())
    }
}

impl TableKey for Name {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_str().as_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let name = Self::parse(std::str::from_utf8(bytes).ok()?).ok()?;
        (name.as_str().as_bytes() == bytes).then_some(name)
    }
}

/// A key whose bytes another crate defines (map pages).
impl TableKey for Vec<u8> {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Some(bytes.to_vec())
    }
}

/// Two parts, the first of fixed width.
impl<A: TableKey + FixedWidth, B: TableKey> TableKey for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (first, rest) = bytes.split_at_checked(A::WIDTH)?;
        Some((A::read(first)?, B::read(rest)?))
    }
}

/// Keys that always take the same number of bytes, and may therefore stand before another.
pub(crate) trait FixedWidth {
    /// That number.
    const WIDTH: usize;
}

macro_rules! fixed_width {
    ($($type:ty = $width:literal),+ $(,)?) => {$(
        impl FixedWidth for $type {
            const WIDTH: usize = $width;
        }
    )+};
}

fixed_width!(
    u8 = 1,
    u64 = 8,
    [u8; 32] = 32,
    Label = 32,
    UnixMillis = 8,
    IdentityId = 16,
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tables::{GUARDS, GuardRow, INTENTS, JOBS, LINKS, NAMES, SEEN};

    fn round_trips<K: TableKey + PartialEq + std::fmt::Debug, V: Row>(
        table: &Table<K, V>,
        key: &K,
    ) {
        let bytes = table.key(key);
        assert_eq!(table.read_key(&bytes).unwrap(), *key);
        let range = table.range(&[]);
        assert!(range.start <= bytes && range.end.unwrap() > bytes);
        let mut other = bytes.to_vec();
        other[0] = other[0].wrapping_add(1);
        assert!(table.read_key(&other).is_err(), "of another table");
    }

    fn label(byte: u8, last: u8) -> Label {
        let mut bytes = [byte; 32];
        bytes[31] = last;
        Label(Hash(bytes))
    }

    proptest! {
        #[test]
        fn keys_round_trip_and_keep_the_order_of_what_they_hold(
            a: (u8, u8, u32), b: (u8, u8, u32), times: (u64, u64), ids: ([u8; 16], [u8; 16]),
        ) {
            let links = [a, b].map(|(byte, last, seqno)| (label(byte, last), seqno));
            let keys = [LINKS.key(&links[0]), LINKS.key(&links[1])];
            prop_assert_eq!(links[0].cmp(&links[1]), keys[0].cmp(&keys[1]));
            round_trips(&LINKS, &links[0]);
            round_trips(&INTENTS, &(a.0, links[0]));
            let jobs = [
                (UnixMillis(times.0), JobId(ids.0)),
                (UnixMillis(times.1), JobId(ids.1)),
            ];
            let keys = [JOBS.key(&jobs[0]), JOBS.key(&jobs[1])];
            prop_assert_eq!(jobs[0].cmp(&jobs[1]), keys[0].cmp(&keys[1]));
            round_trips(&JOBS, &jobs[0]);
            round_trips(&SEEN, &(times.0, [a.0; 32]));
        }

        #[test]
        fn names_are_keys_in_their_own_order(one in "\\PC{1,20}", two in "\\PC{1,20}") {
            if let (Ok(one), Ok(two)) = (Name::parse(&one), Name::parse(&two)) {
                round_trips(&NAMES, &one);
                prop_assert_eq!(one.cmp(&two), NAMES.key(&one).cmp(&NAMES.key(&two)));
            }
        }

        #[test]
        fn no_bytes_are_read_as_more_than_one_key(bytes: Vec<u8>) {
            let mut key = vec![LINKS.tag()];
            key.extend(&bytes);
            match LINKS.read_key(&key) {
                Ok(read) => prop_assert_eq!(&LINKS.key(&read)[..], &key[..]),
                Err(_) => prop_assert_ne!(bytes.len(), 36),
            }
        }
    }

    #[test]
    fn a_prefix_covers_its_rows_and_no_other() {
        let range = LINKS.range(&[0xff; 32]);
        assert_eq!(range.end.unwrap()[..], [LINKS.tag() + 1]);
        let range = LINKS.range(&[0x01, 0xff]);
        assert_eq!(range.end.unwrap()[..], [LINKS.tag(), 0x02]);
        let last: Table<u8, Bytes> = Table::new(0xff, "last");
        assert_eq!(last.range(&[0xff]).end, None);
    }

    #[test]
    fn a_name_that_is_not_in_normal_form_is_no_key() {
        for text in ["Alice", "", "a b"] {
            assert!(
                NAMES
                    .read_key(&[&[NAMES.tag()], text.as_bytes()].concat())
                    .is_err()
            );
        }
    }

    #[test]
    fn records_carry_a_version_and_keep_off_newer_ones() {
        let row = GuardRow {
            window_started_ms: 9,
            attempts: 2,
        };
        let bytes = row.write();
        assert_eq!(bytes[0], RECORD_VERSION);
        assert_eq!(GUARDS.read(&bytes).unwrap(), row);
        let mut newer = bytes.to_vec();
        newer[0] = 2;
        for bad in [newer, Vec::new(), bytes[..2].to_vec()] {
            assert!(GUARDS.read(&bad.into()).is_err());
        }
        // A field that a newer version added is passed over.
        let extended = [&bytes[..], &[0x78, 0x01]].concat();
        assert_eq!(GUARDS.read(&extended.into()).unwrap(), row);
    }
}
