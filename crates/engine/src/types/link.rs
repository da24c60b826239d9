//! Links: one signed step of a sigchain, and the exact bytes it is stored and committed to as.
//!
//! The bytes are a protobuf message (docs/LOG-FORMAT.md has the schema). They are made once, in
//! `chain::append`, and never re-encoded: the commitment in the log covers them as stored.

use bytes::Bytes;
use merkle::Hash;
use prost::Message;

use super::claim::ClaimMessage;
use super::{ClaimBody, Kid, Label, Seqno, ToxId, ToxKey, UnixMillis, Visibility};

/// Version of the link format.
pub const LINK_VERSION: u32 = 1;

/// Commitment to a link, `SHA-256("sealbook/link/v1" ‖ 00 ‖ salt ‖ link)`: what the log entry and
/// the next link's `prev` hold. As it is salted, an erased link cannot be guessed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkHash(pub Hash);

/// What a link says. The newest link of a subject carries its whole current state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// The name points to this Tox ID, for a new record and for every change.
    SetRecord {
        /// Where the name points.
        tox_id: ToxId,
        /// SHA-256 of the bio's UTF-8 text.
        bio_hash: Hash,
        /// Who may find it.
        visibility: Visibility,
        /// Whether the key of the Tox ID has sealed a request that said or confirmed it. Not of a
        /// record that the web form added, nor of one that a password, or the key that had the name,
        /// pointed to another key.
        is_proven: bool,
    },
    /// The handle was given up.
    ReleaseHandle,
    /// The subject holds this Tox key, nothing more.
    AddKey(ToxKey),
    /// The avatar controls an account, for a new claim and for every renewal.
    MakeClaim(ClaimBody),
    /// The avatar does not claim the account any more.
    RevokeClaim(ClaimBody),
}

/// Why the server believed a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A signature over `payload`, checked by the caller.
    Signed {
        /// The signing key.
        kid: Kid,
        /// The bytes as signed.
        payload: Bytes,
        /// The signature.
        signature: Bytes,
        /// The protocol's own numbering, if it has one.
        track: Option<TrackStep>,
    },
    /// A crypto_box that only the holder of this key could have sealed.
    Boxed {
        /// The sealing key; `None` in a release, which stays when the links before it are erased,
        /// and is not to say whose the handle was.
        kid: Option<Kid>,
    },
    /// The record's edit password.
    Password,
    /// Nobody proved anything.
    Unproven,
    /// The operator's own act.
    Operator,
}

/// One step of a protocol's own numbering over a subject's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackStep {
    /// Which protocol.
    pub dialect: Dialect,
    /// The number the signed payload gives itself.
    pub seqno: Seqno,
    /// The hash of its predecessor as the payload names it; `None` for the first.
    pub prev: Option<Hash>,
    /// The hash its successor has to name.
    pub hash: Hash,
}

/// Protocols that number their links themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Keybase sigchains: `seqno` and `prev` in the signed body.
    Keybase = 1,
    /// ProofService chains: `prev` is the previous signature.
    ProofService = 2,
}

/// A link before it is bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whose chain.
    pub label: Label,
    /// Its position.
    pub seqno: Seqno,
    /// The link before; `None` for the first.
    pub prev: Option<LinkHash>,
    /// What it says.
    pub statement: Statement,
    /// Why it was believed.
    pub evidence: Evidence,
    /// When.
    pub created_at: UnixMillis,
}

/// Why stored bytes are no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a link this version can read")]
pub struct LinkFault;

impl Link {
    /// The link's bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let message = LinkMessage {
            version: LINK_VERSION,
            label: self.label.0.0.to_vec(),
            seqno: self.seqno.get(),
            prev: self.prev.map(|hash| hash.0.0.to_vec()),
            created_at_ms: self.created_at.0,
            statement: Some(StatementMessage::from(&self.statement)),
            evidence: Some(EvidenceMessage::from(&self.evidence)),
        };
        message.encode_to_vec().into()
    }

    /// Reads the bytes of a link.
    ///
    /// # Errors
    /// When they are malformed or of a newer version.
    pub fn decode(bytes: &[u8]) -> Result<Self, LinkFault> {
        let message = LinkMessage::decode(bytes).map_err(|_| LinkFault)?;
        if message.version != LINK_VERSION {
            return Err(LinkFault);
        }
        let prev = message
            .prev
            .map(|hash| Hash::from_slice(&hash).map(LinkHash).ok_or(LinkFault));
        Ok(Self {
            label: Label(Hash::from_slice(&message.label).ok_or(LinkFault)?),
            seqno: Seqno::new(message.seqno).ok_or(LinkFault)?,
            prev: prev.transpose()?,
            statement: message
                .statement
                .ok_or(LinkFault)?
                .read()
                .ok_or(LinkFault)?,
            evidence: message.evidence.ok_or(LinkFault)?.read().ok_or(LinkFault)?,
            created_at: UnixMillis(message.created_at_ms),
        })
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

#[derive(Clone, PartialEq, Message)]
struct SignedMessage {
    #[prost(bytes = "vec", tag = "1")]
    kid: Vec<u8>,
    #[prost(bytes = "bytes", tag = "2")]
    payload: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    signature: Bytes,
    #[prost(message, optional, tag = "4")]
    track: Option<TrackStepMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct TrackStepMessage {
    #[prost(uint32, tag = "1")]
    dialect: u32,
    #[prost(uint32, tag = "2")]
    seqno: u32,
    #[prost(bytes = "vec", optional, tag = "3")]
    prev: Option<Vec<u8>>,
    #[prost(bytes = "vec", tag = "4")]
    hash: Vec<u8>,
}

impl From<&Statement> for StatementMessage {
    fn from(statement: &Statement) -> Self {
        match statement {
            Statement::SetRecord {
                tox_id,
                bio_hash,
                visibility,
                is_proven,
            } => Self::SetRecord(SetRecordMessage {
                tox_id: tox_id.as_bytes().to_vec(),
                bio_hash: bio_hash.0.to_vec(),
                visibility: visibility.number(),
                unproven: !is_proven,
            }),
            Statement::ReleaseHandle => Self::ReleaseHandle(EmptyMessage {}),
            Statement::AddKey(key) => Self::AddKey(key.0.to_vec()),
            Statement::MakeClaim(body) => Self::MakeClaim(body.into()),
            Statement::RevokeClaim(body) => Self::RevokeClaim(body.into()),
        }
    }
}

impl StatementMessage {
    fn read(self) -> Option<Statement> {
        Some(match self {
            Self::SetRecord(record) => Statement::SetRecord {
                tox_id: ToxId::from_bytes(record.tox_id.try_into().ok()?)?,
                bio_hash: Hash::from_slice(&record.bio_hash)?,
                visibility: Visibility::from_privacy(record.visibility.into()),
                is_proven: !record.unproven,
            },
            Self::ReleaseHandle(EmptyMessage {}) => Statement::ReleaseHandle,
            Self::AddKey(key) => Statement::AddKey(ToxKey(key.try_into().ok()?)),
            Self::MakeClaim(body) => Statement::MakeClaim(body.read()?),
            Self::RevokeClaim(body) => Statement::RevokeClaim(body.read()?),
        })
    }
}

impl From<&Evidence> for EvidenceMessage {
    fn from(evidence: &Evidence) -> Self {
        match evidence {
            Evidence::Signed {
                kid,
                payload,
                signature,
                track,
            } => Self::Signed(SignedMessage {
                kid: kid.0.to_vec(),
                payload: payload.clone(),
                signature: signature.clone(),
                track: track.as_ref().map(|step| TrackStepMessage {
                    dialect: step.dialect as u32,
                    seqno: step.seqno.get(),
                    prev: step.prev.map(|hash| hash.0.to_vec()),
                    hash: step.hash.0.to_vec(),
                }),
            }),
            Evidence::Boxed { kid } => Self::Boxed(kid.map_or_else(Vec::new, |kid| kid.0.to_vec())),
            Evidence::Password => Self::Password(EmptyMessage {}),
            Evidence::Unproven => Self::Unproven(EmptyMessage {}),
            Evidence::Operator => Self::Operator(EmptyMessage {}),
        }
    }
}

impl EvidenceMessage {
    fn read(self) -> Option<Evidence> {
        Some(match self {
            Self::Signed(signed) => Evidence::Signed {
                kid: Kid(signed.kid.try_into().ok()?),
                payload: signed.payload,
                signature: signed.signature,
                track: match signed.track {
                    Some(step) => Some(step.read()?),
                    None => None,
                },
            },
            Self::Boxed(kid) if kid.is_empty() => Evidence::Boxed { kid: None },
            Self::Boxed(kid) => Evidence::Boxed {
                kid: Some(Kid(kid.try_into().ok()?)),
            },
            Self::Password(EmptyMessage {}) => Evidence::Password,
            Self::Unproven(EmptyMessage {}) => Evidence::Unproven,
            Self::Operator(EmptyMessage {}) => Evidence::Operator,
        })
    }
}

impl TrackStepMessage {
    fn read(self) -> Option<TrackStep> {
        Some(TrackStep {
            dialect: match self.dialect {
                1 => Dialect::Keybase,
                2 => Dialect::ProofService,
                _ => return None,
            },
            seqno: Seqno::new(self.seqno)?,
            prev: match self.prev {
                Some(hash) => Some(Hash::from_slice(&hash)?),
                None => None,
            },
            hash: Hash::from_slice(&self.hash)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Uuid;

    fn link(statement: Statement, evidence: Evidence) -> Link {
        Link {
            label: Label(Hash([9; 32])),
            seqno: Seqno::new(7).unwrap(),
            prev: Some(LinkHash(Hash([8; 32]))),
            statement,
            evidence,
            created_at: UnixMillis(1_400_000_000_123),
        }
    }

    #[test]
    fn every_statement_and_evidence_survives_the_bytes() {
        let tox_id = ToxId::parse(
            "56A1ADE4B65B86BCD51CC73E2CD4E542179F47959FE3E0E21B4B0ACDADE51855D34D34D37CB5",
        )
        .unwrap();
        let step = TrackStep {
            dialect: Dialect::ProofService,
            seqno: Seqno::FIRST,
            prev: None,
            hash: Hash([3; 32]),
        };
        let signed = Evidence::Signed {
            kid: Kid([5; 35]),
            payload: Bytes::from_static(b"payload"),
            signature: Bytes::from_static(b"signature"),
            track: Some(step),
        };
        let record = Statement::SetRecord {
            tox_id,
            bio_hash: Hash([1; 32]),
            visibility: Visibility::Searchable,
            is_proven: true,
        };
        let unproven = Statement::SetRecord {
            tox_id,
            bio_hash: Hash([2; 32]),
            visibility: Visibility::Private,
            is_proven: false,
        };
        let claim = ClaimBody {
            service: "github".into(),
            identity: "alice".into(),
            alt_id: "42".into(),
            location: "0123abcd".into(),
            uuid: Uuid::from_bytes([7; 16]),
            created_at: -5,
            wallet_signature: None,
            target_signature: Some(String::new()),
            state: Hash([9; 32]),
        };
        let by_wallet = ClaimBody {
            wallet_signature: Some("d2FsbGV0".into()),
            target_signature: None,
            ..claim.clone()
        };
        for (statement, evidence) in [
            (Statement::MakeClaim(claim), signed.clone()),
            (Statement::RevokeClaim(by_wallet), signed.clone()),
            (unproven, Evidence::Unproven),
            (
                record,
                Evidence::Boxed {
                    kid: Some(Kid::curve25519(&[4; 32])),
                },
            ),
            (Statement::ReleaseHandle, Evidence::Boxed { kid: None }),
            (Statement::ReleaseHandle, Evidence::Password),
            (Statement::AddKey(ToxKey([6; 32])), signed),
            (Statement::ReleaseHandle, Evidence::Unproven),
            (Statement::ReleaseHandle, Evidence::Operator),
        ] {
            let link = link(statement, evidence);
            assert_eq!(Link::decode(&link.encode()), Ok(link));
        }
    }

    #[test]
    fn damaged_bytes_are_no_link() {
        let bytes = link(Statement::ReleaseHandle, Evidence::Operator).encode();
        assert_eq!(Link::decode(&[]), Err(LinkFault));
        assert_eq!(Link::decode(&bytes[..bytes.len() - 2]), Err(LinkFault));
        let mut newer = bytes.to_vec();
        newer[1] = 2;
        assert_eq!(Link::decode(&newer), Err(LinkFault));
    }
}
