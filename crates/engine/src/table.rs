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
use crate::types::{IdentityId, JobId, Label, Name, ToxKey, UnixMillis};

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

array_key!([u8; 32], |bytes| bytes, <[u8; 32]>::as_slice);
array_key!(Label, |bytes| Label(Hash(bytes)), label_bytes);
array_key!(ToxKey, ToxKey, tox_key_bytes);
array_key!(IdentityId, IdentityId, identity_bytes);
array_key!(JobId, JobId, job_bytes);

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

fixed_width!(u8 = 1, u64 = 8, Label = 32, UnixMillis = 8, IdentityId = 16);
