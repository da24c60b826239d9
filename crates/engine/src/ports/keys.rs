//! The server's keys, by what they may be used for. Implementations hold the secrets.

/// Signs. Each key has one purpose: the log's signs checkpoints and nothing else, the record
/// signer's signs memorabilia and nothing else.
pub trait Signer: Send + Sync {
    /// The Ed25519 public key.
    fn public_key(&self) -> [u8; 32];

    /// An Ed25519 signature over `message`.
    ///
    /// # Errors
    /// When the key cannot be reached.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError>;
}

/// The signer did not sign.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the signer failed: {0}")]
pub struct SignError(pub String);

/// Opens crypto_boxes sealed to the server.
pub trait BoxKey: Send + Sync {
    /// The X25519 public key clients seal to.
    fn public_key(&self) -> [u8; 32];

    /// Opens a box in the crypto_box_easy layout (tag first).
    ///
    /// # Errors
    /// When the tag does not match, or `sender` is no usable key.
    fn open(
        &self,
        sender: &[u8; 32],
        nonce: &[u8; 24],
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, OpenError>;
}

/// The box does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the box does not open")]
pub struct OpenError;
