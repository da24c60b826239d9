//! Replies as they come.

use crypto::boxed::BoxPublicKey;
use crypto::ed25519::VerifyingKey;
use serde::Deserialize;

use super::{Found, ServerKeys, ServerStatus};
use crate::tox_id::ToxId;

/// What every reply has.
#[derive(Deserialize)]
pub(super) struct Outcome {
    pub(super) c: i64,
    pub(super) detail: Option<String>,
    pub(super) signed_memorabilia: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Keys {
    key: String,
    sign_key: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Pushed {
    pub(super) password: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Done {}

#[derive(Deserialize)]
pub(super) struct Record {
    name: String,
    regdomain: String,
    tox_id: String,
    verify: Option<Verify>,
}

#[derive(Deserialize)]
struct Verify {
    status: i64,
}

#[derive(Deserialize)]
pub(super) struct Reset {
    pub(super) password: String,
}

#[derive(Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct Matches {
    pub(super) users: Vec<Match>,
}

#[derive(Deserialize)]
pub(super) struct Match {
    name: String,
    bio: String,
}

#[derive(Deserialize)]
pub(super) struct Status {
    ut: u64,
    rs: u64,
    uc: u64,
}

impl Keys {
    pub(super) fn read(&self) -> Option<ServerKeys> {
        let sign_key = match &self.sign_key {
            Some(text) => Some(VerifyingKey::from_hex(text).ok()?),
            None => None,
        };
        Some(ServerKeys {
            seal_to: BoxPublicKey::from_hex(&self.key).ok()?,
            sign_key,
        })
    }
}

impl Record {
    pub(super) fn read(self) -> Option<super::Record> {
        Some(super::Record {
            tox_id: ToxId::parse(&self.tox_id)?,
            name: self.name,
            domain: self.regdomain,
            is_vouched_for: self.verify.is_none_or(|verify| verify.status == 1),
        })
    }
}

impl Match {
    pub(super) fn read(self) -> Found {
        Found {
            name: self.name,
            bio: self.bio,
        }
    }
}

impl Status {
    pub(super) const fn read(self) -> ServerStatus {
        ServerStatus {
            uptime_s: self.ut,
            lookups: self.rs,
            names: self.uc,
        }
    }
}
