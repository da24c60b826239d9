//! Tables of claims. Owner: `claims`.

use bytes::Bytes;
use prost::Message;

use crate::table::{Row, Table, read_record, write_record};
use crate::types::{Label, UnixMillis};

use super::SeenRow;

/// Avatar and hash of one of its claims.
pub(crate) type ClaimKey = (Label, [u8; 32]);
/// Avatar and hash of one of its subkeys.
pub(crate) type SubkeyId = (Label, [u8; 32]);

/// Avatar to its claims. Guards the avatar: every change of its claims reads and writes this row.
pub(crate) const AVATARS: Table<Label, AvatarRow> = Table::new(0x30, "avatars");
/// Hash of an account's name, in lower case, to the avatars that claim it.
pub(crate) const CLAIM_IDENTITIES: Table<([u8; 32], Label), SeenRow> =
    Table::new(0x31, "claim_identities");
/// Number of a link: it was used.
pub(crate) const CLAIM_UUIDS: Table<[u8; 16], SeenRow> = Table::new(0x32, "claim_uuids");
/// Avatar and seqno to where the link is archived.
pub(crate) const ARCHIVED: Table<(Label, u32), ArchivedRow> = Table::new(0x33, "archived");
/// Avatar and hash of a subkey to the subkey.
pub(crate) const SUBKEYS: Table<SubkeyId, SubkeyRow> = Table::new(0x34, "subkeys");
/// Hash of a public key to the subkeys that it is.
pub(crate) const SUBKEY_OWNERS: Table<([u8; 32], SubkeyId), SeenRow> =
    Table::new(0x35, "subkey_owners");
/// When a claim is to be checked, avatar and claim to whom that asks.
pub(crate) const CLAIMS_DUE: Table<(UnixMillis, ClaimKey), DueRow> = Table::new(0x68, "claims_due");
/// Avatar to the parcel of its next links, until it is archived.
pub(crate) const PARCELS: Table<Label, ParcelRow> = Table::new(0x69, "parcels");

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

records!(AvatarRow, ArchivedRow, SubkeyRow, DueRow, ParcelRow);

/// An avatar: where its chain stands, and all its claims.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct AvatarRow {
    /// Compressed, 33 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) key: Vec<u8>,
    /// Rises with every write of the row, so that of two that are read the newer one is known.
    #[prost(uint64, tag = "2")]
    pub(crate) revision: u64,
    /// Signature of the newest link, as text; empty without one.
    #[prost(string, tag = "3")]
    pub(crate) prev: String,
    /// Time in the newest link: UNIX seconds, as the client said.
    #[prost(int64, tag = "4")]
    pub(crate) activated_at: i64,
    /// Seqno of the newest link; 0 without one.
    #[prost(uint32, tag = "5")]
    pub(crate) links: u32,
    /// By service and folded identity.
    #[prost(message, repeated, tag = "6")]
    pub(crate) claims: Vec<ClaimEntry>,
    /// Keys of avatars that claim to be this one.
    #[prost(bytes = "vec", repeated, tag = "7")]
    pub(crate) aliased_by: Vec<Vec<u8>>,
    /// Seqno of the newest archived link; all before it are archived too.
    #[prost(uint32, tag = "8")]
    pub(crate) archived: u32,
    /// Where that one is archived.
    #[prost(string, tag = "9")]
    pub(crate) archive_id: String,
    /// Subkeys bound to it.
    #[prost(uint32, tag = "10")]
    pub(crate) subkeys: u32,
}

/// A claim that is not revoked.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct ClaimEntry {
    #[prost(string, tag = "1")]
    pub(crate) service: String,
    /// As in the newest link that makes it.
    #[prost(string, tag = "2")]
    pub(crate) identity: String,
    #[prost(string, tag = "3")]
    pub(crate) alt_id: String,
    /// When it was first made, and by which link.
    #[prost(uint64, tag = "4")]
    pub(crate) created_at_ms: u64,
    #[prost(uint32, tag = "5")]
    pub(crate) first_seqno: u32,
    /// When it was last made, and by which link.
    #[prost(uint64, tag = "6")]
    pub(crate) linked_at_ms: u64,
    #[prost(uint32, tag = "7")]
    pub(crate) seqno: u32,
    /// Last definite answer.
    #[prost(uint64, tag = "8")]
    pub(crate) checked_at_ms: u64,
    #[prost(bool, tag = "9")]
    pub(crate) is_invalid: bool,
    #[prost(string, tag = "10")]
    pub(crate) invalid_reason: String,
    /// Checks without a definite answer since then.
    #[prost(uint32, tag = "11")]
    pub(crate) failures: u32,
    /// Its row in `claims_due`.
    #[prost(uint64, tag = "12")]
    pub(crate) due_ms: u64,
    /// A check is under way, and counts as lost from then on.
    #[prost(uint64, tag = "13")]
    pub(crate) checking_until_ms: u64,
    /// Since when checks have met a page instead of the post; 0 while none has since the last definite
    /// answer.
    #[prost(uint64, tag = "14")]
    pub(crate) page_since_ms: u64,
}

/// Where a link is archived.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ArchivedRow {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
}

/// Links on their way to the archive, signed: they are sent like this however often it takes.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ParcelRow {
    /// Seqno of the first; those behind it follow without a gap.
    #[prost(uint32, tag = "1")]
    pub(crate) first_seqno: u32,
    #[prost(message, repeated, tag = "2")]
    pub(crate) links: Vec<PackedLink>,
    /// The archive's own.
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) wrapping: Bytes,
}

/// One of them.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PackedLink {
    /// 32 bytes; empty for an erased link, of which nothing is sent.
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) item_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) item: Vec<u8>,
}

/// A claim that waits for its next check.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct DueRow {
    /// What is asked: the service, or the service and a host.
    #[prost(string, tag = "1")]
    pub(crate) upstream: String,
}

/// A subkey.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SubkeyRow {
    /// Of the avatar; compressed, 33 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) avatar: Vec<u8>,
    #[prost(string, tag = "2")]
    pub(crate) algorithm: String,
    /// As it was sent, and signed.
    #[prost(string, tag = "3")]
    pub(crate) public_key: String,
    #[prost(string, tag = "4")]
    pub(crate) name: String,
    #[prost(string, tag = "5")]
    pub(crate) rp_id: String,
    #[prost(uint64, tag = "6")]
    pub(crate) created_at_ms: u64,
    /// By the avatar, 65 bytes.
    #[prost(bytes = "vec", tag = "7")]
    pub(crate) signature: Vec<u8>,
}
