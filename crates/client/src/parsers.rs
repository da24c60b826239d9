//! The parsers that are this crate's own, as plain functions of bytes: each parses, and panics if
//! what it accepted breaks a promise. For the fuzz targets, and of no use to anybody else.

use crate::remembered::{Remembered, files};
use crate::toxme::{read, wire};

/// Reads a server's reply as each action would; true when one of them would take it.
///
/// # Panics
/// When a Tox ID that is accepted is written differently.
#[must_use]
pub fn toxme_reply(body: &[u8]) -> bool {
    let record = read::<wire::Record>(body).ok().and_then(wire::Record::read);
    if let Some(record) = &record {
        let text = record.tox_id.to_string();
        assert_eq!(crate::tox_id::ToxId::parse(&text), Some(record.tox_id));
    }
    let keys = read::<wire::Keys>(body).ok().and_then(|keys| keys.read());
    let matches = read::<wire::Matches>(body).map(|reply| {
        let found = reply.users.into_iter().map(wire::Match::read);
        found.count()
    });
    let plain = read::<wire::Outcome>(body).is_ok()
        || read::<wire::Pushed>(body).is_ok()
        || read::<wire::Named>(body).is_ok()
        || read::<wire::Status>(body).map(wire::Status::read).is_ok();
    record.is_some() || keys.is_some() || matches.is_ok() || plain
}

/// Reads a file of remembered checkpoints.
#[must_use]
pub fn remembered_file(bytes: &[u8]) -> Option<Remembered> {
    files::parse(bytes)
}
