//! Avatars: secp256k1 keys that sign the links of ProofService chains.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::secp256k1::{PublicKey, Signature, SigningKey, personal_digest, recover};
use crypto::secret::Secret;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use merkle::Hash;
use serde::Deserialize;
use zeroize::Zeroizing;

/// Longest key file, in bytes.
const FILE_BYTES_MAX: usize = 4096;
/// The kind byte of an avatar in its label.
const KIND_AVATAR: u8 = 4;
/// The algorithm byte of secp256k1 in a key id.
const ALG_SECP256K1: u8 = 0xe7;

/// An avatar's public key, as `0x` and 66 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avatar(PublicKey);

/// The text is no avatar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an avatar is a secp256k1 key: 0x and 66 hexadecimal digits, or 130 of the uncompressed form"
)]
pub struct AvatarFault;

impl Avatar {
    /// Reads a key, compressed or not, in hexadecimal of either case, with or without `0x`.
    ///
    /// # Errors
    /// [`AvatarFault`].
    pub fn parse(text: &str) -> Result<Self, AvatarFault> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes());
        let bytes = bytes.map_err(|_| AvatarFault)?;
        PublicKey::parse(&bytes).map(Self).map_err(|_| AvatarFault)
    }

    /// Whether it made this signature over the text.
    #[must_use]
    pub fn signed(&self, text: &str, signature: &[u8]) -> bool {
        signer(text, signature) == Some(self.0)
    }

    /// The key id: `01 ‖ e7 ‖ SHA-256(compressed key) ‖ 0a`.
    #[must_use]
    pub fn kid(&self) -> [u8; 35] {
        let mut kid = [0_u8; 35];
        let (head, rest) = kid.split_at_mut(2);
        let (body, end) = rest.split_at_mut(32);
        head.copy_from_slice(&[0x01, ALG_SECP256K1]);
        body.copy_from_slice(&self.0.fingerprint());
        end.copy_from_slice(&[0x0a]);
        kid
    }

    /// Where the avatar stands in the map: `SHA-256("sealbook/label/v1" ‖ 00 ‖ 04 ‖ key id)`.
    #[must_use]
    pub fn label(&self) -> Hash {
        merkle::entry::public_label(KIND_AVATAR, &self.kid())
    }
}

impl fmt::Display for Avatar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", HEXLOWER.encode(self.0.compressed()))
    }
}

/// Whoever made a `personal_sign` signature over a text, if anybody can have.
pub(crate) fn signer(text: &str, signature: &[u8]) -> Option<PublicKey> {
    let signature = Signature::parse(signature).ok()?;
    recover(&signature, &personal_digest(text.as_bytes())).ok()
}

/// The secret half of an avatar.
pub struct AvatarKey {
    secret: Secret<[u8; 32]>,
    key: SigningKey,
}

/// Why a file is no avatar's key. Says nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AvatarKeyError {
    /// Neither 64 hexadecimal digits nor the JSON form.
    #[error("an avatar's key is 64 hexadecimal digits, or JSON with secret and avatar")]
    Form,
    /// The number is not one of a secret key.
    #[error("the avatar's secret is no secret key of secp256k1")]
    Secret,
    /// The file names another avatar than its secret has.
    #[error("the file's secret is not that of the avatar it names")]
    OtherAvatar,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'f> {
    secret: &'f str,
    avatar: &'f str,
}

impl AvatarKey {
    /// The key of 32 random bytes.
    ///
    /// # Errors
    /// `Secret`: once in 2^127 draws.
    pub fn new(secret: Secret<[u8; 32]>) -> Result<Self, AvatarKeyError> {
        let copy = Secret::new(*secret.expose());
        match SigningKey::from_secret(copy) {
            Ok(key) => Ok(Self { secret, key }),
            Err(_) => Err(AvatarKeyError::Secret),
        }
    }

    /// Reads a key file: `{"secret": <64 hex>, "avatar": <0x and 66 hex>}`, or 64 hexadecimal digits
    /// alone. White space around it is ignored.
    ///
    /// # Errors
    /// See [`AvatarKeyError`].
    pub fn parse(text: &str) -> Result<Self, AvatarKeyError> {
        let text = text.trim();
        if !text.starts_with('{') {
            return Self::from_hex(text).ok_or(AvatarKeyError::Form);
        }
        if text.len() > FILE_BYTES_MAX {
            return Err(AvatarKeyError::Form);
        }
        let file: File<'_> = serde_json::from_str(text).map_err(|_| AvatarKeyError::Form)?;
        let key = Self::from_hex(file.secret).ok_or(AvatarKeyError::Secret)?;
        match Avatar::parse(file.avatar) {
            Ok(avatar) if avatar == key.avatar() => Ok(key),
            Ok(_) | Err(_) => Err(AvatarKeyError::OtherAvatar),
        }
    }

    fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        let length = HEXLOWER_PERMISSIVE.decode_len(text.len()).ok()?;
        if length != bytes.len() {
            return None;
        }
        HEXLOWER_PERMISSIVE
            .decode_mut(text.as_bytes(), bytes.as_mut())
            .ok()?;
        Self::new(Secret::new(*bytes)).ok()
    }

    /// The JSON form, one line. It holds the secret: whoever writes it makes the file's mode 0600.
    #[must_use]
    pub fn to_json(&self) -> Secret<String> {
        let secret = Secret::new(HEXLOWER.encode(self.secret.expose()));
        let (secret, avatar) = (secret.expose(), self.avatar());
        Secret::new(format!(
            "{{\"secret\": \"{secret}\", \"avatar\": \"{avatar}\"}}\n"
        ))
    }

    /// The public half.
    #[must_use]
    pub fn avatar(&self) -> Avatar {
        Avatar(*self.key.public())
    }

    /// Signs a payload as a wallet's `personal_sign` does; base64 of 65 bytes.
    #[must_use]
    pub fn sign(&self, payload: &str) -> String {
        STANDARD.encode(self.key.sign_personal(payload.as_bytes()).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "ee110f4347811fe0b0b7424ee8d9e977e3f089d1dc9ebdd0246e39b48c63e350";
    const AVATAR: &str = "0x02c92f9ca1f97251e1daa07dd8c1e4dd2e9dc10691f28a8b49e52fecb6b05f7d24";

    #[test]
    fn a_key_survives_its_file() {
        let key = AvatarKey::parse(&format!("{SECRET}\n")).ok().unwrap();
        assert_eq!(key.avatar().to_string(), AVATAR);
        let file = key.to_json();
        let read = AvatarKey::parse(file.expose()).ok().unwrap();
        assert_eq!(read.avatar(), key.avatar());
        let signature = STANDARD.decode(read.sign("text")).unwrap();
        assert!(key.avatar().signed("text", &signature));
        assert!(!key.avatar().signed("text.", &signature));
    }

    #[test]
    fn every_form_of_a_key_is_one_avatar() {
        let upper = AVATAR.replace("0x", "").to_uppercase();
        assert_eq!(Avatar::parse(&upper).unwrap().to_string(), AVATAR);
        for text in ["", "0x", "0x0x02", &AVATAR[..66], "hello"] {
            assert_eq!(Avatar::parse(text), Err(AvatarFault), "{text}");
        }
    }

    #[test]
    fn other_files_are_refused() {
        let zero = "0".repeat(64);
        let other = AVATAR.replace("0x02", "0x03");
        for (text, error) in [
            (String::new(), AvatarKeyError::Form),
            (zero.clone(), AvatarKeyError::Form),
            ("{}".into(), AvatarKeyError::Form),
            (
                format!("{{\"secret\": \"{zero}\", \"avatar\": \"{AVATAR}\"}}"),
                AvatarKeyError::Secret,
            ),
            (
                format!("{{\"secret\": \"{SECRET}\", \"avatar\": \"{other}\"}}"),
                AvatarKeyError::OtherAvatar,
            ),
        ] {
            assert_eq!(AvatarKey::parse(&text).err(), Some(error), "{text}");
        }
    }
}
