//! Key names and verifier keys.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest, Sha256};

use super::NoteError;
use crate::from_base64;

/// Length of a key id in bytes.
pub const KEY_ID_LEN: usize = 4;
/// The algorithm byte of plain Ed25519 over the note's text.
pub const ALG_ED25519: u8 = 0x01;
/// The algorithm byte of timestamped Ed25519 witness cosignatures.
pub const ALG_COSIGNATURE: u8 = 0x04;

const ED25519_KEY_LEN: usize = 32;

/// The name of a signing key: not empty, without spaces, pluses or control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// A public key that signs notes, with its name and algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    id: [u8; KEY_ID_LEN],
    key: Vec<u8>,
}

impl KeyName {
    /// Takes a valid name.
    ///
    /// # Errors
    /// [`NoteError::KeyName`] otherwise.
    pub fn parse(name: &str) -> Result<Self, NoteError> {
        let refused = |c: char| c == '+' || c.is_whitespace() || c.is_control();
        if name.is_empty() || name.contains(refused) {
            return Err(NoteError::KeyName);
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl VerifierKey {
    /// A key of any algorithm: `key` is the algorithm byte and the public key in its encoding.
    ///
    /// # Errors
    /// [`NoteError::Key`] when there is no public key, or an Ed25519 key is not 32 bytes.
    pub fn new(name: KeyName, key: Vec<u8>) -> Result<Self, NoteError> {
        let (algorithm, public) = key.split_first().ok_or(NoteError::Key)?;
        let fits = match *algorithm {
            ALG_ED25519 | ALG_COSIGNATURE => public.len() == ED25519_KEY_LEN,
            _ => !public.is_empty(),
        };
        if !fits {
            return Err(NoteError::Key);
        }
        Ok(Self {
            id: key_id(&name, &key),
            name,
            key,
        })
    }

    /// A key that signs the note's text with Ed25519.
    pub fn ed25519(name: KeyName, public: &[u8; ED25519_KEY_LEN]) -> Self {
        Self::of(name, ALG_ED25519, public)
    }

    /// A witness's key, which signs the time and the note's text with Ed25519.
    pub fn cosigner(name: KeyName, public: &[u8; ED25519_KEY_LEN]) -> Self {
        Self::of(name, ALG_COSIGNATURE, public)
    }

    /// Reads `name+<8 hex digits of the id>+base64(algorithm ‖ public key)`.
    ///
    /// # Errors
    /// [`NoteError::KeyName`], or [`NoteError::Key`]: also when the id is not that of the key.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let (name, rest) = text.split_once('+').ok_or(NoteError::Key)?;
        // Base64 has a plus of its own, so the key is all that follows the second one.
        let (id, encoded) = rest.split_once('+').ok_or(NoteError::Key)?;
        let bytes = from_base64(encoded).ok_or(NoteError::Key)?;
        let key = Self::new(KeyName::parse(name)?, bytes)?;
        if id != HEXLOWER.encode(&key.id) {
            return Err(NoteError::Key);
        }
        Ok(key)
    }

    /// The name, which is also on every signature line.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// `SHA-256(name ‖ 0x0A ‖ algorithm ‖ public key)[..4]`.
    pub const fn id(&self) -> [u8; KEY_ID_LEN] {
        self.id
    }

    /// The algorithm byte and the public key.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The algorithm byte.
    pub fn algorithm(&self) -> u8 {
        self.key.first().copied().unwrap_or_default()
    }

    /// The public key without the algorithm byte.
    pub fn public(&self) -> &[u8] {
        self.key
            .split_first()
            .map(|(_, public)| public)
            .unwrap_or_default()
    }

    fn of(name: KeyName, algorithm: u8, public: &[u8; ED25519_KEY_LEN]) -> Self {
        let key = [&[algorithm], &public[..]].concat();
        Self {
            id: key_id(&name, &key),
            name,
            key,
        }
    }
}

/// The vkey form that [`VerifierKey::parse`] reads.
impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}+{}+{}",
            self.name,
            HEXLOWER.encode(&self.id),
            BASE64.encode(&self.key)
        )
    }
}

fn key_id(name: &KeyName, key: &[u8]) -> [u8; KEY_ID_LEN] {
    let mut state = Sha256::new();
    state.update(name.as_str());
    state.update(b"\n");
    state.update(key);
    let [a, b, c, d, ..] = <[u8; 32]>::from(state.finalize());
    [a, b, c, d]
}
