//! The claims of the test vectors, which real signatures belong to.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use engine::ports::checker::{Claimed, Extra};
use engine::types::{Avatar, ClaimAction, Uuid};
use serde_json::Value;

const VECTORS: &str = include_str!("../../../engine/vectors/proofservice.json");

/// Everything in the file.
pub(crate) fn vectors() -> Value {
    serde_json::from_str(VECTORS).unwrap()
}

/// A claim that owns what [`Claimed`] borrows.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) action: ClaimAction,
    pub(crate) avatar: Avatar,
    /// As the client writes it.
    pub(crate) given: String,
    pub(crate) identity: String,
    pub(crate) location: Option<String>,
    pub(crate) payload: String,
    pub(crate) uuid: Uuid,
    pub(crate) created_at: i64,
    pub(crate) extra: Extra,
    /// The avatar's signature over the payload.
    pub(crate) signature: Vec<u8>,
}

impl Claim {
    /// The first claim of a service in the vectors.
    pub(crate) fn of(service: &str) -> Self {
        let all = vectors();
        let mut all = all["sign_payloads"].as_array().unwrap().iter();
        let found = all.find(|it| {
            it["platform"] == service && it["action"] == "create" && it["prev"].is_null()
        });
        let vector = found.unwrap();
        let text = |key: &str| vector[key].as_str().unwrap().to_owned();
        let payload = text("sign_payload");
        let signed: Value = serde_json::from_str(&payload).unwrap();
        Self {
            action: ClaimAction::Create,
            avatar: Avatar::parse(&text("public_key")).unwrap(),
            given: text("identity"),
            identity: signed["identity"].as_str().unwrap().to_owned(),
            location: None,
            payload,
            uuid: Uuid::parse(&text("uuid")).unwrap(),
            created_at: text("created_at").parse().unwrap(),
            extra: Extra::default(),
            signature: BASE64_STANDARD
                .decode(text("avatar_signature_base64"))
                .unwrap(),
        }
    }

    /// The same of another account.
    pub(crate) fn by(self, identity: &str) -> Self {
        Self {
            given: identity.to_owned(),
            identity: identity.to_owned(),
            ..self
        }
    }

    /// The same at this place.
    pub(crate) fn at(self, location: &str) -> Self {
        Self {
            location: Some(location.to_owned()),
            ..self
        }
    }

    pub(crate) fn claimed(&self) -> Claimed<'_> {
        Claimed {
            action: self.action,
            avatar: &self.avatar,
            identity: &self.identity,
            location: self.location.as_deref(),
            payload: &self.payload,
            uuid: self.uuid,
            created_at: self.created_at,
            prev: None,
            extra: &self.extra,
        }
    }
}
