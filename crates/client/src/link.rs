//! Links, as the directory stores and commits to them. docs/LOG-FORMAT.md has the schema.
//!
//! They are read here by a second reader on purpose, made after that document: one that the server shared
//! would share its errors, and a client would take for true what only the server can read.

use merkle::Hash;
use prost::Message;

use crate::claim::{Claim, ClaimMessage};
use crate::tox_id::ToxId;

/// Version of the link format this crate reads.
pub const LINK_VERSION: u32 = 1;

/// One signed step of a sigchain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whose chain.
    pub label: Hash,
    /// Its position, from 1.
    pub seqno: u32,
    /// Commitment of the link before; `None` for the first.
    pub prev: Option<Hash>,
    /// When the server accepted it: milliseconds since 1970.
    pub created_at_ms: u64,
    /// What it says.
    pub statement: Statement,
    /// Why the server believed it.
    pub evidence: Evidence,
}

/// What a link says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// The name points to this Tox ID.
    SetRecord {
        /// Where it points.
        tox_id: ToxId,
        /// SHA-256 of the bio's UTF-8 text.
        bio_hash: Hash,
        /// Who may find it.
        visibility: Visibility,
        /// Whether the server says that it has seen a request that the key of the Tox ID had sealed
        /// for this; if not, somebody else gave it.
        is_proven: bool,
    },
    /// The handle was given up.
    ReleaseHandle,
    /// The subject holds this Tox key.
    AddKey([u8; 32]),
    /// The avatar controls an account.
    MakeClaim(Claim),
    /// The avatar does not claim the account any more.
    RevokeClaim(Claim),
}

/// Who may find a name without knowing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Visibility {
    /// Found by look-up of the exact name only.
    Private = 0,
    /// Also by search and reverse look-up.
    Searchable = 1,
    /// Also on the public list.
    Listed = 2,
}

/// Why the server believed a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A signature.
    Signed {
        /// By this key (35-byte key id).
        kid: [u8; 35],
        /// Over this text.
        payload: Vec<u8>,
        /// The signature.
        signature: Vec<u8>,
    },
    /// A crypto_box sealed by this key (35-byte key id); a release does not name it.
    Boxed(Option<[u8; 35]>),
    /// The record's edit password.
    Password,
    /// Nobody proved anything.
    Unproven,
    /// The operator's own act.
    Operator,
}

impl Evidence {
    /// Whether a record that was accepted on this may count as proven by the key of its Tox ID. Not
    /// when another key sealed it, nor when the link itself says that nobody proved anything. A
    /// password leaves a record as proven as it was.
    #[must_use]
    pub fn may_prove(&self, tox_id: &ToxId) -> bool {
        match self {
            Self::Boxed(kid) => *kid == Some(key_id(&tox_id.key())),
            Self::Signed { .. } | Self::Password => true,
            Self::Unproven | Self::Operator => false,
        }
    }
}

/// The id of a Curve25519 key: `01 21 ‖ key ‖ 0a`.
fn key_id(key: &[u8; 32]) -> [u8; 35] {
    let mut id = [0x0a; 35];
    let parts = [0x01, 0x21].iter().chain(key);
    id.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
    id
}

/// The bytes are no link that this version can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a link this version can read")]
pub struct LinkFault;

impl Link {
    /// Reads the bytes of a link.
    ///
    /// # Errors
    /// When they are malformed, of a newer version, or say something this version does not know.
    pub fn decode(bytes: &[u8]) -> Result<Self, LinkFault> {
        let message = LinkMessage::decode(bytes).map_err(|_| LinkFault)?;
        message.read().ok_or(LinkFault)
    }
}

#[derive(Clone, PartialEq, Message)]
struct LinkMessage {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(bytes = "vec", tag = "2")]
    label: Vec<u8>,
    #[prost(uint32, tag = "3")]
    seqno: u32,
    #[prost(bytes = "vec", optional, tag = "4")]
    prev: Option<Vec<u8>>,
    #[prost(uint64, tag = "5")]
    created_at_ms: u64,
    #[prost(oneof = "StatementMessage", tags = "10, 11, 12, 13, 14")]
    statement: Option<StatementMessage>,
    #[prost(oneof = "EvidenceMessage", tags = "30, 31, 32, 33, 34")]
    evidence: Option<EvidenceMessage>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum StatementMessage {
    #[prost(message, tag = "10")]
    SetRecord(SetRecordMessage),
    #[prost(message, tag = "11")]
    ReleaseHandle(EmptyMessage),
    #[prost(bytes, tag = "12")]
    AddKey(Vec<u8>),
    #[prost(message, tag = "13")]
    MakeClaim(ClaimMessage),
    #[prost(message, tag = "14")]
    RevokeClaim(ClaimMessage),
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum EvidenceMessage {
    #[prost(message, tag = "30")]
    Signed(SignedMessage),
    #[prost(bytes, tag = "31")]
    Boxed(Vec<u8>),
    #[prost(message, tag = "32")]
    Password(EmptyMessage),
    #[prost(message, tag = "33")]
    Unproven(EmptyMessage),
    #[prost(message, tag = "34")]
    Operator(EmptyMessage),
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct EmptyMessage {}

#[derive(Clone, PartialEq, Message)]
struct SetRecordMessage {
    #[prost(bytes = "vec", tag = "1")]
    tox_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    bio_hash: Vec<u8>,
    #[prost(uint32, tag = "3")]
    visibility: u32,
    #[prost(bool, tag = "4")]
    unproven: bool,
}

/// Without the protocol's own numbering, which follows from payload and signature.
#[derive(Clone, PartialEq, Message)]
struct SignedMessage {
    #[prost(bytes = "vec", tag = "1")]
    kid: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    payload: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    signature: Vec<u8>,
}

impl LinkMessage {
    fn read(self) -> Option<Link> {
        if self.version != LINK_VERSION || self.seqno == 0 {
            return None;
        }
        let prev = match self.prev {
            Some(hash) => Some(Hash::from_slice(&hash)?),
            None => None,
        };
        Some(Link {
            label: Hash::from_slice(&self.label)?,
            seqno: self.seqno,
            prev,
            created_at_ms: self.created_at_ms,
            statement: self.statement?.read()?,
            evidence: self.evidence?.read()?,
        })
    }
}

impl StatementMessage {
    fn read(self) -> Option<Statement> {
        Some(match self {
            Self::SetRecord(record) => Statement::SetRecord {
                tox_id: ToxId::from_bytes(record.tox_id.try_into().ok()?)?,
                bio_hash: Hash::from_slice(&record.bio_hash)?,
                visibility: Visibility::from_number(record.visibility),
                is_proven: !record.unproven,
            },
            Self::ReleaseHandle(EmptyMessage {}) => Statement::ReleaseHandle,
            Self::AddKey(key) => Statement::AddKey(key.try_into().ok()?),
            Self::MakeClaim(claim) => Statement::MakeClaim(claim.read()?),
            Self::RevokeClaim(claim) => Statement::RevokeClaim(claim.read()?),
        })
    }
}

impl EvidenceMessage {
    fn read(self) -> Option<Evidence> {
        Some(match self {
            Self::Signed(signed) => Evidence::Signed {
                kid: signed.kid.try_into().ok()?,
                payload: signed.payload,
                signature: signed.signature,
            },
            Self::Boxed(kid) if kid.is_empty() => Evidence::Boxed(None),
            Self::Boxed(kid) => Evidence::Boxed(Some(kid.try_into().ok()?)),
            Self::Password(EmptyMessage {}) => Evidence::Password,
            Self::Unproven(EmptyMessage {}) => Evidence::Unproven,
            Self::Operator(EmptyMessage {}) => Evidence::Operator,
        })
    }
}

impl Visibility {
    /// toxme's `privacy` number; above 2 counts as 2.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Private,
            1 => Self::Searchable,
            2.. => Self::Listed,
        }
    }

    /// toxme's `privacy` number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_key_s_seal_proves_nothing() {
        let tox_id = ToxId::new(&[7; 32], [1, 2, 3, 4]);
        let mut own = [7; 35];
        (own[0], own[1], own[34]) = (0x01, 0x21, 0x0a);
        let mut other = own;
        other[33] ^= 1;
        for (evidence, may) in [
            (Evidence::Boxed(Some(own)), true),
            (Evidence::Boxed(Some(other)), false),
            (Evidence::Boxed(None), false),
            (Evidence::Password, true),
            (
                Evidence::Signed {
                    kid: other,
                    payload: Vec::new(),
                    signature: Vec::new(),
                },
                true,
            ),
            (Evidence::Unproven, false),
            (Evidence::Operator, false),
        ] {
            assert_eq!(evidence.may_prove(&tox_id), may, "{evidence:?}");
        }
    }
}
