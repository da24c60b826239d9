//! A sealed toxme push, opened and parsed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crypto::boxed::{self, BoxPublicKey, BoxSecretKey};
use serde::Deserialize;

#[derive(Deserialize)]
struct Envelope {
    public_key: String,
    nonce: String,
    encrypted: String,
}

#[derive(Deserialize)]
pub struct Push {
    pub tox_id: String,
    pub name: String,
    pub privacy: i16,
    pub bio: String,
}

impl Push {
    /// `None` for what is no push.
    pub fn open(body: &[u8], key: &BoxSecretKey) -> Option<Self> {
        let envelope: Envelope = serde_json::from_slice(body).ok()?;
        let sender = BoxPublicKey::from_hex(&envelope.public_key).ok()?;
        let nonce = BASE64.decode(envelope.nonce).ok()?.try_into().ok()?;
        let sealed = BASE64.decode(envelope.encrypted).ok()?;
        let opened = boxed::open(key, &sender, &nonce, &sealed).ok()?;
        serde_json::from_slice(&opened).ok()
    }
}
