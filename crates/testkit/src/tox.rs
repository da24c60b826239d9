//! A Tox client for tests: seals requests as the protocol asks (toxme spec, section 2.1).

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use crypto::boxed::{BoxPublicKey, BoxSecretKey, seal};
use engine::names::Sealed;
use engine::types::ToxId;

/// A Tox profile that talks to one server.
pub struct ToxClient {
    secret: BoxSecretKey,
    server: BoxPublicKey,
    nonces: AtomicU64,
}

impl ToxClient {
    /// The profile of a secret key made from one byte, talking to `server`.
    #[must_use]
    pub fn new(byte: u8, server: [u8; 32]) -> Self {
        Self::from_secret([byte; 32], server)
    }

    /// The profile of a secret key.
    #[must_use]
    pub fn from_secret(secret: [u8; 32], server: [u8; 32]) -> Self {
        let secret = BoxSecretKey::from_bytes(secret);
        Self {
            secret,
            server: BoxPublicKey(server),
            nonces: AtomicU64::new(0),
        }
    }

    /// Its public key.
    #[must_use]
    pub fn key(&self) -> [u8; 32] {
        self.secret.public().0
    }

    /// Its Tox ID with nospam 01020304.
    #[must_use]
    pub fn tox_id(&self) -> ToxId {
        tox_id(&self.key(), [1, 2, 3, 4])
    }

    /// Seals a plaintext with a fresh nonce.
    #[must_use]
    pub fn seal(&self, plaintext: &[u8]) -> Sealed {
        let mut nonce = [0; 24];
        let count = self.nonces.fetch_add(1, Ordering::SeqCst) + 1;
        nonce
            .iter_mut()
            .zip(count.to_le_bytes())
            .for_each(|(to, from)| *to = from);
        let ciphertext = seal(&self.secret, &self.server, &nonce, plaintext)
            .expect("the server's key is a real one");
        Sealed {
            sender: self.key(),
            nonce,
            ciphertext: Bytes::from(ciphertext),
        }
    }

    /// A sealed push of this profile's Tox ID; `timestamp` in seconds.
    #[must_use]
    pub fn push(&self, name: &str, privacy: i64, bio: &str, timestamp: u64) -> Sealed {
        self.seal(&self.push_text(name, privacy, bio, timestamp))
    }

    /// The plaintext of such a push.
    #[must_use]
    pub fn push_text(&self, name: &str, privacy: i64, bio: &str, timestamp: u64) -> Vec<u8> {
        push_text(&self.tox_id(), name, privacy, bio, timestamp)
    }

    /// A sealed push that hands the name to another Tox ID.
    #[must_use]
    pub fn hand_over(&self, to: &ToxId, name: &str, timestamp: u64) -> Sealed {
        self.seal(&push_text(to, name, 1, "", timestamp))
    }

    /// A sealed delete of this profile's record; a reset of its password has the same payload.
    #[must_use]
    pub fn delete(&self, timestamp: u64) -> Sealed {
        let key: String = self
            .key()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        self.seal(format!(r#"{{"public_key": "{key}", "timestamp": {timestamp}}}"#).as_bytes())
    }
}

/// The Tox ID of a key and a nospam.
#[must_use]
pub fn tox_id(key: &[u8; 32], nospam: [u8; 4]) -> ToxId {
    let mut bytes = [0; 38];
    for (to, from) in bytes.iter_mut().zip(key.iter().chain(&nospam)) {
        *to = *from;
    }
    let mut sum = [0_u8; 2];
    for pair in bytes.chunks(2) {
        sum.iter_mut()
            .zip(pair)
            .for_each(|(total, byte)| *total ^= byte);
    }
    bytes
        .iter_mut()
        .skip(36)
        .zip(sum)
        .for_each(|(to, from)| *to = from);
    ToxId::from_bytes(bytes).expect("the checksum was just made")
}

fn push_text(id: &ToxId, name: &str, privacy: i64, bio: &str, timestamp: u64) -> Vec<u8> {
    let quote = |text: &str| {
        let escaped: String = text.chars().flat_map(escape).collect();
        format!("\"{escaped}\"")
    };
    let (name, bio) = (quote(name), quote(bio));
    format!(
        r#"{{"tox_id": "{id}", "name": {name}, "privacy": {privacy}, "bio": {bio}, "timestamp": {timestamp}}}"#
    )
    .into_bytes()
}

fn escape(c: char) -> Vec<char> {
    match c {
        '"' => vec!['\\', '"'],
        '\\' => vec!['\\', '\\'],
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)).chars().collect(),
        c => vec![c],
    }
}
