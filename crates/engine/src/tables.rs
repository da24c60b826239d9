//! The catalog: every table, its key, its value, the folder that owns it. docs/STORAGE.md shows it.
//!
//! Tag bytes are grouped so that an engine with several physical tables can split by the first byte:
//! below 0x40 records, 0x40 to 0x5f the log, from 0x60 on rows that come and go.

mod catalog;
mod claims;
mod jobs;

use bytes::Bytes;
use prost::Message;

use crate::table::{Row, Table, read_record, write_record};
use crate::types::{IdentityId, JobId, Label, Name, ProcessId, ToxKey, UnixMillis};

pub(crate) use catalog::{CATALOG, table_of};
pub(crate) use claims::{
    ARCHIVED, AVATARS, ArchivedRow, AvatarRow, CLAIM_IDENTITIES, CLAIM_UUIDS, CLAIMS_DUE,
    ClaimEntry, ClaimKey, DueRow, PARCELS, PackedLink, ParcelRow, SUBKEY_OWNERS, SUBKEYS, SubkeyId,
    SubkeyRow,
};
pub(crate) use jobs::{ArchiveLinksMessage, EraseLinksMessage, JobMessage, JobRow};

macro_rules! records {
    ($($type:ty),+ $(,)?) => {$(
        impl Row for $type {
            fn write(&self) -> Bytes {
                write_record(self)
            }

            fn read(bytes: &Bytes) -> Option<Self> {
                read_record(bytes)
            }
        }
    )+};
}

records!(
    MetaRow,
    NameRow,
    TombstoneRow,
    ToxRecordRow,
    ToxKeyRow,
    SeenRow,
    ChainHeadRow,
    TrackRow,
    LinkRow,
    IntentRow,
    IndexRow,
    ChangeRow,
    LogHeadRow,
    LeaseRow,
    JobRow,
    GuardRow,
    MovedRow,
    ArrivingRow,
    ReleasedRow,
    ProcessRow,
);

/// That the store's rows are being copied, or were copied, to another store. Owner: `moving`.
pub(crate) const MOVED: Table<(), MovedRow> = Table::new(0x02, "moved");
/// How far rows from another store have arrived here; goes when all have. Owner: `moving`.
pub(crate) const ARRIVING: Table<(), ArrivingRow> = Table::new(0x03, "arriving");

/// What the store was created with: one row. Owner: `log`.
pub(crate) const META: Table<(), MetaRow> = Table::new(0x10, "meta");
/// Name to its owner. Guards the name: every change of a name reads and writes this row. Owner: `names`.
pub(crate) const NAMES: Table<Name, NameRow> = Table::new(0x11, "names");
/// Keyed hash of a released name to who may have it again. Owner: `names`.
pub(crate) const TOMBSTONES: Table<[u8; 32], TombstoneRow> = Table::new(0x12, "tombstones");
/// Identity to its Tox record. Owner: `names`.
pub(crate) const TOX_RECORDS: Table<IdentityId, ToxRecordRow> = Table::new(0x13, "tox_records");
/// Tox key to the name it is bound to. Guards the key. Owner: `names`.
pub(crate) const TOX_KEYS: Table<ToxKey, ToxKeyRow> = Table::new(0x14, "tox_keys");
/// Subject to the newest link of its chain. Guards the chain. Owner: `chain`.
pub(crate) const CHAIN_HEADS: Table<Label, ChainHeadRow> = Table::new(0x20, "chain_heads");
/// Subject and dialect to the protocol's own numbering. Owner: `chain`.
pub(crate) const TRACKS: Table<(Label, u8), TrackRow> = Table::new(0x21, "tracks");
/// Subject and seqno to the link's salt and bytes; the row goes when the link is erased. Owner: `chain`.
pub(crate) const LINKS: Table<(Label, u32), LinkRow> = Table::new(0x22, "links");

/// The log's newest head: one row. Guards the log. Owner: `log`.
pub(crate) const LOG_HEAD: Table<(), LogHeadRow> = Table::new(0x40, "log_head");
/// Size to the signed checkpoint of that size. Owner: `log`.
pub(crate) const CHECKPOINTS: Table<u64, Bytes> = Table::new(0x41, "checkpoints");
/// Bundle number to up to 256 entries, in the form of the entries tile. Owner: `log`.
pub(crate) const BUNDLES: Table<u64, Bytes> = Table::new(0x42, "bundles");
/// Tile level and number to up to 256 hashes. Owner: `log`.
pub(crate) const TILES: Table<(u8, u64), Bytes> = Table::new(0x43, "tiles");
/// Position of a map page to its slots. Owner: `log`.
pub(crate) const MAP_PAGES: Table<Vec<u8>, Bytes> = Table::new(0x44, "map_pages");
/// Subject and seqno to the index of the link's entry. Owner: `log`.
pub(crate) const ENTRY_INDEX: Table<(Label, u32), IndexRow> = Table::new(0x45, "entry_index");
/// Number in the feed of changes, from 1 without a gap, to the link. Owner: `log`.
pub(crate) const CHANGES: Table<u64, ChangeRow> = Table::new(0x46, "changes");

/// Shard, subject and seqno to an entry not yet sequenced. Owner: `log`.
pub(crate) const INTENTS: Table<(u8, (Label, u32)), IntentRow> = Table::new(0x60, "intents");
/// Role to who holds it until when. Owner: `processes`.
pub(crate) const LEASES: Table<Vec<u8>, LeaseRow> = Table::new(0x61, "leases");
/// Due time and id to a job; the due time of a taken job is the end of its lease. Owner: `outbox`.
pub(crate) const JOBS: Table<(UnixMillis, JobId), JobRow> = Table::new(0x62, "jobs");
/// Jobs given up, for an operator to see. Owner: `outbox`.
pub(crate) const PARKED_JOBS: Table<JobId, JobRow> = Table::new(0x63, "parked_jobs");
/// Timestamp of a sealed request and hash of its sender and nonce: it was accepted. Owner: `names`.
pub(crate) const SEEN: Table<(u64, [u8; 32]), SeenRow> = Table::new(0x64, "seen");
/// Policy and subject to the attempts of a window. Owner: `rate`.
pub(crate) const GUARDS: Table<(u8, [u8; 32]), GuardRow> = Table::new(0x65, "guards");

/// Subject to the name it lost lately: what other processes learn of a release by. Only on shared
/// stores. Owner: `names`.
pub(crate) const RELEASED: Table<Label, ReleasedRow> = Table::new(0x66, "released");
/// Process to when it was last seen. Only on shared stores. Owner: `processes`.
pub(crate) const PROCESSES: Table<ProcessId, ProcessRow> = Table::new(0x67, "processes");

/// A store whose rows go to another one.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct MovedRow {
    /// The same as in the other store, and of no other move.
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) id: Vec<u8>,
    /// Where to, for people.
    #[prost(string, tag = "2")]
    pub(crate) to: String,
    #[prost(uint64, tag = "3")]
    pub(crate) since_ms: u64,
    /// Whether everything is there.
    #[prost(bool, tag = "4")]
    pub(crate) is_done: bool,
}

/// A store that rows from another one come to.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ArrivingRow {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) id: Vec<u8>,
    /// Where from, for people.
    #[prost(string, tag = "2")]
    pub(crate) from: String,
    #[prost(uint64, tag = "3")]
    pub(crate) since_ms: u64,
    /// Key of the log that moves.
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) log_key: Vec<u8>,
    /// Its newest signed checkpoint.
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) note: Bytes,
    /// First key not yet copied; absent when all are.
    #[prost(bytes = "bytes", optional, tag = "6")]
    pub(crate) next: Option<Bytes>,
    #[prost(uint64, tag = "7")]
    pub(crate) rows: u64,
    /// Keys and values copied.
    #[prost(uint64, tag = "8")]
    pub(crate) bytes: u64,
}

/// Origin and public keys the log was created with.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct MetaRow {
    #[prost(string, tag = "1")]
    pub(crate) origin: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) log_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) record_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) box_key: Vec<u8>,
    /// Check value of the label key: a keyed hash of a constant.
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) label_key_check: Vec<u8>,
    /// Check value of the pepper.
    #[prost(bytes = "vec", tag = "6")]
    pub(crate) pepper_check: Vec<u8>,
    #[prost(uint64, tag = "7")]
    pub(crate) created_at_ms: u64,
}

/// Who holds a name.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct NameRow {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) identity: Vec<u8>,
    /// Doors the name is used through: bit 0 toxme, bit 1 Keybase.
    #[prost(uint32, tag = "2")]
    pub(crate) doors: u32,
    /// Copied from the record, as the time of its last change, so that the name index loads from
    /// this table alone.
    #[prost(uint32, tag = "3")]
    pub(crate) visibility: u32,
    #[prost(uint64, tag = "4")]
    pub(crate) changed_at_ms: u64,
}

/// A released name. Hashes only, so that erasing leaves no name.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TombstoneRow {
    /// Keyed hash of the Tox key that released it.
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) key_hash: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub(crate) released_at_ms: u64,
}

/// A Tox record and its edit password.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ToxRecordRow {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) tox_id: Vec<u8>,
    #[prost(string, tag = "3")]
    pub(crate) bio: String,
    #[prost(uint32, tag = "4")]
    pub(crate) visibility: u32,
    #[prost(uint64, tag = "5")]
    pub(crate) changed_at_ms: u64,
    #[prost(bytes = "vec", tag = "6")]
    pub(crate) password_salt: Vec<u8>,
    #[prost(bytes = "vec", tag = "7")]
    pub(crate) password_hash: Vec<u8>,
    /// Nobody proved to hold the key.
    #[prost(bool, tag = "8")]
    pub(crate) unproven: bool,
    /// How the password is hashed: 0 as those we make, 1 as the original server did, wrapped.
    #[prost(uint32, tag = "9")]
    pub(crate) password_scheme: u32,
    /// Unproven, but the operator's word stands for it: the key's binding holds as a proven one.
    #[prost(bool, tag = "10")]
    pub(crate) vouched: bool,
}

/// The name a Tox key is bound to.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ToxKeyRow {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(uint32, tag = "2")]
    pub(crate) visibility: u32,
    /// Nobody proved to hold the key, nor vouched for it: whoever holds it may bind it to another
    /// name.
    #[prost(bool, tag = "3")]
    pub(crate) unproven: bool,
}

/// A mark without content.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct SeenRow {}

/// The newest link of a chain.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ChainHeadRow {
    #[prost(uint32, tag = "1")]
    pub(crate) seqno: u32,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) hash: Vec<u8>,
    /// The handle, while it is a name that somebody holds: from a label there is no other way to
    /// it. Goes with the release, so that erasing finds no name.
    #[prost(string, optional, tag = "3")]
    pub(crate) name: Option<String>,
    /// The handle is an avatar key, and never was a name.
    #[prost(bool, tag = "4")]
    pub(crate) is_avatar: bool,
}

/// Where a protocol's own numbering stands.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TrackRow {
    #[prost(uint32, tag = "1")]
    pub(crate) next: u32,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) prev: Vec<u8>,
}

/// A link's opening.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct LinkRow {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) salt: Vec<u8>,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) link: Bytes,
    /// Whether a resolver said that DNSSEC covers what shows the link. Beside the link, not in it: it is
    /// the resolver's word, which nobody can look at later.
    #[prost(bool, optional, tag = "3")]
    pub(crate) dnssec: Option<bool>,
}

/// An entry waiting to be sequenced.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct IntentRow {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) entry: Bytes,
    /// It gets a number in the feed of changes.
    #[prost(bool, tag = "2")]
    pub(crate) is_change: bool,
}

/// An index in the log.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct IndexRow {
    #[prost(uint64, tag = "1")]
    pub(crate) index: u64,
    /// Its number in the feed of changes, if it is one.
    #[prost(uint64, optional, tag = "2")]
    pub(crate) change: Option<u64>,
}

/// A link in the feed of changes.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ChangeRow {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) label: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub(crate) seqno: u32,
}

/// The newest head of the log.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct LogHeadRow {
    #[prost(uint64, tag = "1")]
    pub(crate) size: u64,
    /// Roots of the complete subtrees of the log without its last entry, largest first.
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) edge: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) map_root: Vec<u8>,
    #[prost(uint64, tag = "4")]
    pub(crate) time_ms: u64,
    /// The signed checkpoint, as served.
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) note: Bytes,
    /// Numbers given in the feed of changes.
    #[prost(uint64, tag = "6")]
    pub(crate) changes: u64,
}

/// Who holds a role.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct LeaseRow {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) holder: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub(crate) until_ms: u64,
    /// Nobody need take the role before this: its work was done lately.
    #[prost(uint64, tag = "3")]
    pub(crate) rested_until_ms: u64,
}

/// A name that was given up a moment ago.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReleasedRow {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(uint64, tag = "2")]
    pub(crate) released_at_ms: u64,
}

/// A process, all times by the store's clock.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ProcessRow {
    #[prost(uint64, tag = "1")]
    pub(crate) seen_ms: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) started_ms: u64,
    /// The release it runs.
    #[prost(string, tag = "3")]
    pub(crate) version: String,
}

/// Attempts in a window.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct GuardRow {
    #[prost(uint64, tag = "1")]
    pub(crate) window_started_ms: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) attempts: u32,
}
