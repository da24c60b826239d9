//! Keys of the directory as ports of the engine.

use crypto::boxed::{self, BoxPublicKey, BoxSecretKey};
use crypto::ed25519::SigningKey;
use engine::ports::keys::{BoxKey, OpenError, SignError, Signer};

/// An Ed25519 key held in memory.
pub(super) struct FileSigner(pub(super) SigningKey);

impl Signer for FileSigner {
    fn public_key(&self) -> [u8; 32] {
        *self.0.verifying_key().as_bytes()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.0.sign(message))
    }
}

/// An X25519 key held in memory.
pub(super) struct FileBoxKey(pub(super) BoxSecretKey);

impl BoxKey for FileBoxKey {
    fn public_key(&self) -> [u8; 32] {
        self.0.public().0
    }

    fn open(
        &self,
        sender: &[u8; 32],
        nonce: &[u8; 24],
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, OpenError> {
        boxed::open(&self.0, &BoxPublicKey(*sender), nonce, ciphertext)
            .map(|plain| plain.to_vec())
            .map_err(|_| OpenError)
    }
}
