//! Whose signature an item may carry.

use crypto::arweave_key::{self, ArweaveKey};
use crypto::{ed25519, secp256k1};

/// Kinds of signatures, by the numbers that items carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureKind {
    /// RSA with 4096 bits, RSASSA-PSS with SHA-256: what Arweave itself takes.
    Arweave = 1,
    /// Ed25519.
    Ed25519 = 2,
    /// ECDSA on secp256k1 over the hash that Ethereum's wallets make (EIP-191), with an uncompressed key
    /// and a recovery id of 27 or 28.
    Ethereum = 3,
}

impl SignatureKind {
    /// The kind with this number; `None` for those that this server does not verify.
    #[must_use]
    pub fn parse(number: u16) -> Option<Self> {
        [Self::Arweave, Self::Ed25519, Self::Ethereum]
            .into_iter()
            .find(|kind| *kind as u16 == number)
    }

    /// Length of a signature, in bytes.
    #[must_use]
    pub const fn signature_bytes(self) -> usize {
        match self {
            Self::Arweave => arweave_key::OWNER_BYTES,
            Self::Ed25519 => 64,
            Self::Ethereum => 65,
        }
    }

    /// Length of an owner, that is of a public key, in bytes.
    #[must_use]
    pub const fn owner_bytes(self) -> usize {
        match self {
            Self::Arweave => arweave_key::OWNER_BYTES,
            Self::Ed25519 => 32,
            Self::Ethereum => 65,
        }
    }

    /// Whether the owner signed the hash; never for an owner or a signature of another length.
    #[must_use]
    pub fn verify(self, owner: &[u8], hash: &[u8; 48], signature: &[u8]) -> bool {
        let is_good = match self {
            Self::Arweave => arweave(owner, hash, signature),
            Self::Ed25519 => ed25519(owner, hash, signature),
            Self::Ethereum => ethereum(owner, hash, signature),
        };
        is_good.is_some()
    }
}

/// A key that signs items. It is asked for one signature an item, from any thread.
pub trait ItemSigner: Send + Sync {
    /// What kind of signature it makes.
    fn kind(&self) -> SignatureKind;

    /// The public key, in the form of its kind.
    fn owner(&self) -> Vec<u8>;

    /// Signs an item's deep hash, in the form of its kind. May take milliseconds.
    ///
    /// # Errors
    /// [`SigningFailed`].
    fn sign(&self, hash: &[u8; 48]) -> Result<Vec<u8>, SigningFailed>;
}

/// The key made no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key made no signature")]
pub struct SigningFailed;

impl ItemSigner for ArweaveKey {
    fn kind(&self) -> SignatureKind {
        SignatureKind::Arweave
    }

    fn owner(&self) -> Vec<u8> {
        self.owner().to_vec()
    }

    fn sign(&self, hash: &[u8; 48]) -> Result<Vec<u8>, SigningFailed> {
        let signature = self.sign(hash).map_err(|_| SigningFailed)?;
        Ok(signature.to_vec())
    }
}

impl ItemSigner for ed25519::SigningKey {
    fn kind(&self) -> SignatureKind {
        SignatureKind::Ed25519
    }

    fn owner(&self) -> Vec<u8> {
        self.verifying_key().as_bytes().to_vec()
    }

    fn sign(&self, hash: &[u8; 48]) -> Result<Vec<u8>, SigningFailed> {
        Ok(self.sign(hash).to_vec())
    }
}

impl ItemSigner for secp256k1::SigningKey {
    fn kind(&self) -> SignatureKind {
        SignatureKind::Ethereum
    }

    fn owner(&self) -> Vec<u8> {
        self.public().uncompressed().to_vec()
    }

    fn sign(&self, hash: &[u8; 48]) -> Result<Vec<u8>, SigningFailed> {
        Ok(self.sign_personal(hash).as_wallets_write().to_vec())
    }
}

fn arweave(owner: &[u8], hash: &[u8], signature: &[u8]) -> Option<()> {
    let (owner, signature) = (owner.try_into().ok()?, signature.try_into().ok()?);
    arweave_key::verify(owner, hash, signature).ok()
}

fn ed25519(owner: &[u8], hash: &[u8], signature: &[u8]) -> Option<()> {
    let key = ed25519::VerifyingKey::from_bytes(owner.try_into().ok()?).ok()?;
    key.verify_strict(hash, signature.try_into().ok()?).ok()
}

fn ethereum(owner: &[u8], hash: &[u8], signature: &[u8]) -> Option<()> {
    let key = secp256k1::PublicKey::parse(owner).ok()?;
    let signature = secp256k1::Signature::parse(signature).ok()?;
    let is_uncompressed = owner.len() == SignatureKind::Ethereum.owner_bytes();
    let verified = key.verify(&secp256k1::personal_digest(hash), &signature);
    verified.ok().filter(|()| is_uncompressed)
}
