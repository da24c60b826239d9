//! Claims, as links say them. docs/LOG-FORMAT.md has the schema; [`link`](crate::link) says why they are
//! read here once more.

use merkle::Hash;
use prost::Message;

/// What a link that makes or revokes a claim says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The service, lower case.
    pub service: String,
    /// The account, as in the signed payload.
    pub identity: String,
    /// The account's other name; may be empty.
    pub alt_id: String,
    /// Where the post was; empty where there is none.
    pub location: String,
    /// Number of the link.
    pub uuid: [u8; 16],
    /// UNIX seconds, as whoever signed says.
    pub created_at: i64,
    /// Signature of the wallet that is claimed, as it was sent.
    pub wallet_signature: Option<String>,
    /// Signature of the avatar that is claimed, as it was sent.
    pub target_signature: Option<String>,
    /// Hash over all claims of the avatar once this link counts.
    pub state: Hash,
}

/// [`Claim`] in a link's bytes.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ClaimMessage {
    #[prost(string, tag = "1")]
    service: String,
    #[prost(string, tag = "2")]
    identity: String,
    #[prost(string, tag = "3")]
    alt_id: String,
    #[prost(string, tag = "4")]
    location: String,
    #[prost(bytes = "vec", tag = "5")]
    uuid: Vec<u8>,
    #[prost(int64, tag = "6")]
    created_at: i64,
    #[prost(string, optional, tag = "7")]
    wallet_signature: Option<String>,
    #[prost(string, optional, tag = "8")]
    target_signature: Option<String>,
    #[prost(bytes = "vec", tag = "9")]
    state: Vec<u8>,
}

impl ClaimMessage {
    pub(crate) fn read(self) -> Option<Claim> {
        Some(Claim {
            service: self.service,
            identity: self.identity,
            alt_id: self.alt_id,
            location: self.location,
            uuid: self.uuid.try_into().ok()?,
            created_at: self.created_at,
            wallet_signature: self.wallet_signature,
            target_signature: self.target_signature,
            state: Hash::from_slice(&self.state)?,
        })
    }
}
