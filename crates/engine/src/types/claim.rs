//! Claims, as links say them.

use merkle::Hash;
use prost::Message;

use super::{Kid, Uuid};

/// What a link that makes or revokes a claim says. Texts are kept as they stand in what was signed, or
/// as they came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimBody {
    /// The service, lower case.
    pub service: String,
    /// The account, as in the signed payload.
    pub identity: String,
    /// The account's other name, as the service told it; may be empty.
    pub alt_id: String,
    /// Where the post was found; empty where there is none.
    pub location: String,
    /// Number of the link.
    pub uuid: Uuid,
    /// UNIX seconds, as the client said.
    pub created_at: i64,
    /// Signature of the wallet that is claimed, as it was sent.
    pub wallet_signature: Option<String>,
    /// Signature of the avatar that is claimed, as it was sent.
    pub target_signature: Option<String>,
    /// Hash over all claims of the avatar once this link is accepted; see [`state_hash`].
    pub state: Hash,
}

/// Hash over all accounts an avatar claims, as pairs of service and identity:
/// `SHA-256("sealbook/claims/v1" ‖ 00 ‖ pairs)`, the pairs in the order of their bytes, each text
/// behind its length in bytes as a big-endian u16.
///
/// No text is longer than 65,535 bytes, by far; of one that were, the length would count as that.
#[must_use]
pub fn state_hash<'c>(claims: impl IntoIterator<Item = (&'c str, &'c str)>) -> Hash {
    let mut pairs: Vec<(&str, &str)> = claims.into_iter().collect();
    pairs.sort_unstable();
    let mut bytes = b"sealbook/claims/v1\0".to_vec();
    for text in pairs.into_iter().flat_map(|(service, of)| [service, of]) {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    Hash(crypto::token::sha256(&bytes))
}

impl Kid {
    /// The key id of evidence by an account that signs with a key of its own instead of the avatar's:
    /// `01 ‖ ff ‖ SHA-256("sealbook/account/v1" ‖ 00 ‖ service ‖ 00 ‖ identity) ‖ 0a`.
    #[must_use]
    pub fn account(service: &str, identity: &str) -> Self {
        let parts = [
            b"sealbook/account/v1".as_slice(),
            service.as_bytes(),
            identity.as_bytes(),
        ];
        let hash = crypto::token::sha256(&parts.join(&0));
        let mut bytes = [0_u8; 35];
        let (head, tail) = bytes.split_at_mut(2);
        head.copy_from_slice(&[0x01, 0xff]);
        let (body, end) = tail.split_at_mut(32);
        body.copy_from_slice(&hash);
        end.copy_from_slice(&[0x0a]);
        Self(bytes)
    }
}

/// [`ClaimBody`] in a link's bytes.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ClaimMessage {
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

impl From<&ClaimBody> for ClaimMessage {
    fn from(body: &ClaimBody) -> Self {
        Self {
            service: body.service.clone(),
            identity: body.identity.clone(),
            alt_id: body.alt_id.clone(),
            location: body.location.clone(),
            uuid: body.uuid.as_bytes().to_vec(),
            created_at: body.created_at,
            wallet_signature: body.wallet_signature.clone(),
            target_signature: body.target_signature.clone(),
            state: body.state.0.to_vec(),
        }
    }
}

impl ClaimMessage {
    pub(super) fn read(self) -> Option<ClaimBody> {
        Some(ClaimBody {
            service: self.service,
            identity: self.identity,
            alt_id: self.alt_id,
            location: self.location,
            uuid: Uuid::from_bytes(self.uuid.try_into().ok()?),
            created_at: self.created_at,
            wallet_signature: self.wallet_signature,
            target_signature: self.target_signature,
            state: Hash::from_slice(&self.state)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_that_of_a_set_and_tells_its_texts_apart() {
        let one = state_hash([("dns", "a.example"), ("github", "alice")]);
        assert_eq!(one, state_hash([("github", "alice"), ("dns", "a.example")]));
        for other in [
            state_hash([]),
            state_hash([("dns", "a.example")]),
            state_hash([("dnsa", ".example"), ("github", "alice")]),
            state_hash([("dns", "a.examplegithub"), ("", "alice")]),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn the_state_has_the_bytes_that_are_documented() {
        let bytes = b"sealbook/claims/v1\0\x00\x03dns\x00\x09a.example\x00\x06github\x00\x05alice";
        let hash = state_hash([("github", "alice"), ("dns", "a.example")]);
        assert_eq!(hash, Hash(crypto::token::sha256(bytes)));
    }
}
