//! Tox profiles: the secret that seals requests, and the nospam of the Tox ID.

use crypto::KeyError;
use crypto::boxed::BoxSecretKey;
use crypto::secret::Secret;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};

use crate::tox_id::ToxId;

/// Longest profile file, in bytes.
const FILE_BYTES_MAX: usize = 4096;

/// A Tox profile.
#[derive(Debug)]
pub struct Profile {
    /// The X25519 secret.
    pub secret: BoxSecretKey,
    /// The last part of the Tox ID, which its owner may change to be rid of unwanted requests.
    pub nospam: [u8; 4],
}

/// Why a file is no profile. Says nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Neither 64 hexadecimal digits nor the JSON form.
    #[error("a profile is 64 hexadecimal digits, or JSON with secret and nospam")]
    Form,
    /// The secret is not 64 hexadecimal digits.
    #[error("the profile's secret: {0}")]
    Secret(#[from] KeyError),
    /// The nospam is not 8 hexadecimal digits.
    #[error("a nospam is written as 8 hexadecimal digits")]
    Nospam,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File<S> {
    secret: S,
    nospam: S,
}

impl Profile {
    /// The profile of 32 secret bytes.
    #[must_use]
    pub fn new(secret: [u8; 32], nospam: [u8; 4]) -> Self {
        let secret = BoxSecretKey::from_bytes(secret);
        Self { secret, nospam }
    }

    /// Reads a profile file: `{"secret": <64 hex>, "nospam": <8 hex>}`, or 64 hexadecimal digits
    /// alone, which have the nospam 00000000. White space around it is ignored.
    ///
    /// # Errors
    /// See [`ProfileError`].
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let text = text.trim();
        if !text.starts_with('{') {
            let secret = BoxSecretKey::from_hex(text).map_err(|_| ProfileError::Form)?;
            let nospam = [0; 4];
            return Ok(Self { secret, nospam });
        }
        if text.len() > FILE_BYTES_MAX {
            return Err(ProfileError::Form);
        }
        let file: File<&str> = serde_json::from_str(text).map_err(|_| ProfileError::Form)?;
        let nospam = HEXLOWER_PERMISSIVE.decode(file.nospam.as_bytes());
        Ok(Self {
            secret: BoxSecretKey::from_hex(file.secret)?,
            nospam: nospam
                .ok()
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or(ProfileError::Nospam)?,
        })
    }

    /// The JSON form, one line. It holds the secret: whoever writes it makes the file's mode 0600.
    #[must_use]
    pub fn to_json(&self) -> Secret<String> {
        let secret = Secret::new(HEXLOWER.encode(self.secret.expose()));
        let nospam = HEXLOWER.encode(&self.nospam);
        let text = format!(
            "{{\"secret\": \"{}\", \"nospam\": \"{nospam}\"}}\n",
            secret.expose()
        );
        Secret::new(text)
    }

    /// The Tox ID: what others add.
    #[must_use]
    pub fn tox_id(&self) -> ToxId {
        ToxId::new(&self.secret.public().0, self.nospam)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_survives_its_file() {
        let mut bytes = 0x20..;
        let profile = Profile::new([0; 32].map(|_: u8| bytes.next().unwrap()), [1, 2, 3, 4]);
        let id = "358072D6365880D1AEEA329ADF9121383851ED21A28E3B75E965D0D2CD166254010203044B7E";
        assert_eq!(profile.tox_id().to_string(), id);
        let json = profile.to_json();
        let read = Profile::parse(json.expose()).unwrap();
        assert_eq!(read.tox_id(), profile.tox_id());
        let hex = HEXLOWER.encode(profile.secret.expose());
        let read = Profile::parse(&format!("{hex}\n")).unwrap();
        assert_eq!(read.secret.public(), profile.secret.public());
        assert_eq!(read.nospam, [0; 4]);
    }

    #[test]
    fn other_files_are_refused() {
        let hex = "20".repeat(32);
        for (text, error) in [
            (String::new(), ProfileError::Form),
            ("20".repeat(31), ProfileError::Form),
            (format!("{{\"secret\": \"{hex}\"}}"), ProfileError::Form),
            (
                format!("{{\"secret\": \"{hex}\", \"nospam\": \"0102030\"}}"),
                ProfileError::Nospam,
            ),
            (
                "{\"secret\": \"xy\", \"nospam\": \"01020304\"}".into(),
                ProfileError::Secret(KeyError::NotHex),
            ),
        ] {
            assert_eq!(Profile::parse(&text).unwrap_err(), error, "{text}");
        }
    }
}
