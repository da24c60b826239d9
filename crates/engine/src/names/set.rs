//! The one way a record comes to be what it is.

use crypto::password;
use crypto::secret::Secret;

use crate::chain::append::{ChainHead, Held, Stamp, Subject, append_in};
use crate::engine::Engine;
use crate::ports::rng::draw;
use crate::tables::{NAMES, NameRow, TOX_KEYS, TOX_RECORDS, ToxKeyRow, ToxRecordRow};
use crate::tx::{Effect, NameChange, NameState, Tx};
use crate::types::link::{Evidence, Statement};
use crate::types::{Bio, IdentityId, Label, Name, ToxId, UnixMillis, Visibility};

use super::NameError;
use super::password::SCHEME_OWN;
use super::row::{DOOR_TOXME, bio_hash};

/// What a record is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) tox_id: ToxId,
    pub(super) bio: Bio,
    pub(super) visibility: Visibility,
    pub(super) is_proven: bool,
}

/// A record to be, and why the server believes it. The rows that guard it have been read.
pub(super) struct Change<'c> {
    pub(super) name: &'c Name,
    pub(super) label: Label,
    pub(super) said: &'c Said,
    pub(super) owner: Owner,
    pub(super) evidence: Evidence,
    pub(super) stamp: Stamp,
}

/// The rows that the name has, or is to have.
pub(super) enum Owner {
    /// Nobody has it: an identity, and a row with the password, whether it is vouched for, and the
    /// time of its last change if that is not now.
    New(IdentityId, ToxRecordRow),
    /// Somebody has it. What the record's row says beyond [`Said`] stays.
    Held(NameRow, ToxRecordRow),
}

/// Writes the record with everything that is derived from it: the name's row, which guards it, the
/// key's, the link, and the index of this process. Whoever is bound to a key that the record does
/// not have any more is let go. Seven writes for a new name, six for another.
///
/// # Errors
/// `Internal` only.
pub(super) async fn set_in(tx: &mut Tx<'_>, change: Change<'_>) -> Result<ChainHead, NameError> {
    let Change {
        name, label, said, ..
    } = change;
    let (mut changed_at, visibility) = (change.stamp.at, said.visibility.number());
    let (held, mut old, is_new) = match change.owner {
        Owner::New(identity, row) => (named(identity), row, true),
        Owner::Held(held, row) => (held, row, false),
    };
    let identity = held.identity()?;
    let key = said.tox_id.key();
    if !is_new {
        let before = old.record()?.tox_id.key();
        if before != key {
            tx.delete(&TOX_KEYS, &before);
            old.vouched = false;
        }
    } else if old.changed_at_ms != 0 {
        changed_at = UnixMillis(old.changed_at_ms);
    }
    let vouched = old.vouched && !said.is_proven;
    let held = NameRow {
        visibility,
        changed_at_ms: changed_at.0,
        ..held
    };
    tx.put(&NAMES, name, &held);
    let record = ToxRecordRow {
        name: name.as_str().into(),
        tox_id: said.tox_id.as_bytes().to_vec(),
        bio: said.bio.as_str().into(),
        visibility,
        changed_at_ms: changed_at.0,
        unproven: !said.is_proven,
        vouched,
        ..old
    };
    if is_new {
        tx.create(&TOX_RECORDS, &identity, &record);
    } else {
        tx.put(&TOX_RECORDS, &identity, &record);
    }
    let bound = ToxKeyRow {
        name: name.as_str().into(),
        visibility,
        unproven: !said.is_proven && !vouched,
    };
    tx.put(&TOX_KEYS, &key, &bound);
    let statement = Statement::SetRecord {
        tox_id: said.tox_id,
        bio_hash: bio_hash(&said.bio),
        visibility: said.visibility,
        is_proven: said.is_proven,
    };
    let handle = Held::Name(Some(name));
    let subject = Subject { label, handle };
    let head = append_in(tx, subject, statement, change.evidence, change.stamp).await?;
    tx.effect(Effect::NameChanged(NameChange {
        name: change.name.clone(),
        seqno: head.seqno,
        state: NameState::of(said.visibility, changed_at),
    }));
    Ok(head)
}

fn named(identity: IdentityId) -> NameRow {
    NameRow {
        identity: identity.0.to_vec(),
        doors: DOOR_TOXME,
        ..NameRow::default()
    }
}

/// An edit password that was made and not given to anybody yet.
pub(super) struct NewPassword {
    pub(super) password: Secret<String>,
    salt: [u8; 16],
    hash: [u8; 32],
}

impl NewPassword {
    pub(super) fn make(engine: &Engine) -> Self {
        let ports = engine.ports();
        let password = password::make(&draw(ports.rng.as_ref()));
        let salt = draw(ports.rng.as_ref());
        let hash = password::hash(&ports.pepper, &salt, password.expose());
        Self {
            password,
            salt,
            hash,
        }
    }

    /// The row with this password, and with none that it had before.
    pub(super) fn give(&self, row: ToxRecordRow) -> ToxRecordRow {
        ToxRecordRow {
            password_salt: self.salt.to_vec(),
            password_hash: self.hash.to_vec(),
            password_scheme: SCHEME_OWN,
            ..row
        }
    }
}
