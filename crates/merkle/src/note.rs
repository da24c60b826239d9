//! C2SP signed notes and checkpoints, as text.
//!
//! A note is a text, a blank line and signature lines `— <name> base64(key id ‖ signature)`.
//! This module reads and writes the form; whether a signature is good is asked of the caller,
//! since no signature algorithm lives here.

mod checkpoint;
mod key;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use data_encoding::BASE64;

use crate::from_base64;

pub use checkpoint::Checkpoint;
pub(crate) use checkpoint::decimal;
pub use key::{ALG_COSIGNATURE, ALG_ED25519, KEY_ID_LEN, KeyName, VerifierKey};

/// The largest note that is read, in bytes.
///
/// Verifiers must accept sixteen signatures: with ML-DSA-44 that is 53 KB of lines, with Ed25519
/// below 4 KB.
pub const NOTE_LEN_MAX: usize = 64 * 1024;

const SIGNATURE_MARK: &str = "\u{2014} ";

/// A signed note. The text always ends in a newline and is what the signatures cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What is signed, its final newline included.
    pub text: String,
    /// One per signature line, in order, whether or not the keys are known.
    pub signatures: Vec<Signature>,
}

/// One signature line. Name and id together say which key made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The key's name.
    pub name: KeyName,
    /// The key's id, a hint and no more: four bytes can be made to collide.
    pub id: [u8; KEY_ID_LEN],
    /// The signature, in the form the key's algorithm defines; never empty.
    pub bytes: Vec<u8>,
}

/// Why text is not a note, a key or a checkpoint, or a note is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteError {
    /// Longer than [`NOTE_LEN_MAX`].
    TooLong,
    /// Not the form of a note.
    Malformed,
    /// Not the form of a checkpoint, or one with extension lines.
    MalformedCheckpoint,
    /// Empty, or with a space, a plus or a control character in it.
    KeyName,
    /// Not the form of a verifier key, or its id is not that of its bytes.
    Key,
    /// A signature by a known key does not verify.
    BadSignature,
    /// No signature is by a known key.
    Unsigned,
}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the note is too long",
            Self::Malformed => "malformed note",
            Self::MalformedCheckpoint => "malformed checkpoint",
            Self::KeyName => "malformed key name",
            Self::Key => "malformed verifier key",
            Self::BadSignature => "a signature by a known key does not verify",
            Self::Unsigned => "no signature is by a known key",
        })
    }
}

impl core::error::Error for NoteError {}

impl Note {
    /// Reads a note. What it accepts formats to the same bytes again.
    ///
    /// # Errors
    /// [`NoteError::TooLong`], [`NoteError::KeyName`], or [`NoteError::Malformed`]: not UTF-8, a
    /// control character, no blank line, no signature, or base64 that is not canonical.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_LEN_MAX {
            return Err(NoteError::TooLong);
        }
        let note = core::str::from_utf8(bytes).map_err(|_| NoteError::Malformed)?;
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::Malformed);
        }
        // The last blank line ends the text; the text keeps the first of the two newlines.
        let blank = note.rfind("\n\n").ok_or(NoteError::Malformed)?;
        let (text, rest) = note
            .split_at_checked(blank + 1)
            .ok_or(NoteError::Malformed)?;
        let lines = rest
            .strip_prefix('\n')
            .and_then(|rest| rest.strip_suffix('\n'));
        let signatures = lines
            .ok_or(NoteError::Malformed)?
            .split('\n')
            .map(Signature::parse);
        Ok(Self {
            text: text.into(),
            signatures: signatures.collect::<Result<_, _>>()?,
        })
    }

    /// The note as it is published: text, blank line, signature lines.
    ///
    /// Without a signature the result is not a note anybody would read.
    pub fn format(&self) -> String {
        let mut note = self.text.clone();
        note.push('\n');
        for signature in &self.signatures {
            note.push_str(&signature.line());
        }
        note
    }

    /// Checks the signatures by known keys and answers those keys, in the order of `keys`.
    ///
    /// `check(key, text, signature)` says whether the signature is good; it must look at the
    /// key's algorithm byte. Signatures by other keys are ignored, as the specification demands.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`] when one signature by a known key is not good, even if others
    /// are; [`NoteError::Unsigned`] when there is none by a known key.
    pub fn verify_with<'k>(
        &self,
        keys: &'k [VerifierKey],
        mut check: impl FnMut(&VerifierKey, &[u8], &[u8]) -> bool,
    ) -> Result<Vec<&'k VerifierKey>, NoteError> {
        let mut signers = Vec::new();
        for key in keys {
            let mut by_key = self
                .signatures
                .iter()
                .filter(|sig| sig.is_by(key))
                .peekable();
            if by_key.peek().is_none() {
                continue;
            }
            if !by_key.all(|sig| check(key, self.text.as_bytes(), &sig.bytes)) {
                return Err(NoteError::BadSignature);
            }
            signers.push(key);
        }
        if signers.is_empty() {
            Err(NoteError::Unsigned)
        } else {
            Ok(signers)
        }
    }
}

impl Signature {
    /// Whether the line claims to be by this key: same name, same id.
    pub fn is_by(&self, key: &VerifierKey) -> bool {
        self.name == *key.name() && self.id == key.id()
    }

    /// The line of a note, its newline included.
    pub fn line(&self) -> String {
        let encoded = BASE64.encode(&[&self.id[..], &self.bytes].concat());
        [SIGNATURE_MARK, self.name.as_str(), " ", &encoded, "\n"].concat()
    }

    /// Reads one signature line without its newline, as a witness answers it.
    ///
    /// # Errors
    /// [`NoteError::KeyName`] or [`NoteError::Malformed`].
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let rest = line
            .strip_prefix(SIGNATURE_MARK)
            .ok_or(NoteError::Malformed)?;
        let (name, encoded) = rest.split_once(' ').ok_or(NoteError::Malformed)?;
        let blob = from_base64(encoded).ok_or(NoteError::Malformed)?;
        let (id, bytes) = blob.split_first_chunk().ok_or(NoteError::Malformed)?;
        if bytes.is_empty() {
            return Err(NoteError::Malformed);
        }
        Ok(Self {
            name: KeyName::parse(name)?,
            id: *id,
            bytes: bytes.into(),
        })
    }
}

/// What a witness signs: `cosignature/v1\ntime <seconds>\n` before the note's text.
///
/// The signature's bytes are then the time as u64 big-endian, followed by the Ed25519 signature.
pub fn cosigned_message(time_s: u64, text: &str) -> Vec<u8> {
    alloc::format!("cosignature/v1\ntime {time_s}\n{text}").into_bytes()
}
