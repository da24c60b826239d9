//! Replies as they come.

use crypto::boxed::BoxPublicKey;
use crypto::ed25519::VerifyingKey;
use serde::Deserialize;

use super::{Found, ServerKeys, ServerStatus};
use crate::tox_id::ToxId;

/// What every reply has.
#[derive(Deserialize)]
pub(crate) struct Outcome {
    pub(crate) c: i64,
    pub(crate) detail: Option<String>,
    pub(crate) signed_memorabilia: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Keys {
    key: String,
    sign_key: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Pushed {
    pub(crate) password: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Done {}

#[derive(Deserialize)]
pub(crate) struct Record {
    name: String,
    regdomain: String,
    tox_id: String,
}

#[derive(Deserialize)]
pub(crate) struct Named {
    pub(crate) name: String,
}

#[derive(Deserialize)]
pub(crate) struct Matches {
    pub(crate) users: Vec<Match>,
}

#[derive(Deserialize)]
pub(crate) struct Match {
    name: String,
    bio: String,
}

#[derive(Deserialize)]
pub(crate) struct Status {
    ut: u64,
    rs: u64,
    uc: u64,
}

impl Keys {
    pub(crate) fn read(&self) -> Option<ServerKeys> {
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
    pub(crate) fn read(self) -> Option<super::Record> {
        Some(super::Record {
            tox_id: ToxId::parse(&self.tox_id)?,
            name: self.name,
            domain: self.regdomain,
        })
    }
}

impl Match {
    pub(crate) fn read(self) -> Found {
        Found {
            name: self.name,
            bio: self.bio,
        }
    }
}

impl Status {
    pub(crate) const fn read(self) -> ServerStatus {
        ServerStatus {
            uptime_s: self.ut,
            lookups: self.rs,
            names: self.uc,
        }
    }
}
