//! Signed checkpoints: who may say how large a log is.

use crypto::ed25519::VerifyingKey;
use merkle::note::{ALG_ED25519, Checkpoint, Note, NoteError, VerifierKey};

/// Why a note is not a checkpoint of the log whose key this is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Malformed, not signed by the key, or signed badly.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The key's log has another origin.
    #[error("the checkpoint is of the log {found:?}, not of {expected:?}")]
    Origin {
        /// The key's name.
        expected: String,
        /// What the checkpoint says.
        found: String,
    },
}

/// Reads a note, checks the key's signature (Ed25519, strictly) and that the origin is the key's
/// name. Signatures by other keys are ignored.
///
/// # Errors
/// See [`CheckpointError`]; nothing of the text is returned unless all holds.
pub fn verify(note: &[u8], key: &VerifierKey) -> Result<Checkpoint, CheckpointError> {
    verify_note(&Note::parse(note)?, key)
}

/// The same for a note that was parsed.
///
/// # Errors
/// As [`verify`].
pub fn verify_note(note: &Note, key: &VerifierKey) -> Result<Checkpoint, CheckpointError> {
    note.verify_with(std::slice::from_ref(key), is_good)?;
    let checkpoint = Checkpoint::parse(&note.text)?;
    if checkpoint.origin != key.name().as_str() {
        return Err(CheckpointError::Origin {
            expected: key.name().as_str().into(),
            found: checkpoint.origin,
        });
    }
    Ok(checkpoint)
}

fn is_good(key: &VerifierKey, text: &[u8], signature: &[u8]) -> bool {
    let public = key.public().try_into().map(VerifyingKey::from_bytes);
    let (Ok(Ok(public)), Ok(signature)) = (public, signature.try_into()) else {
        return false;
    };
    key.algorithm() == ALG_ED25519 && public.verify_strict(text, signature).is_ok()
}
