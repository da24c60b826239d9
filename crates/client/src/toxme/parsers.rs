//! Replies, read as each action reads them: see [`crate::parsers`].

use super::{read, wire};
use crate::tox_id::ToxId;

/// See [`crate::parsers::toxme_reply`].
pub(crate) fn reply(body: &[u8]) -> bool {
    let record = read::<wire::Record>(body).ok().and_then(wire::Record::read);
    if let Some(record) = &record {
        let text = record.tox_id.to_string();
        assert_eq!(ToxId::parse(&text), Some(record.tox_id));
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
