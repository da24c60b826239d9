//! Register a name, or change what it points to.

use crate::chain::append::{ChainHead, Stamp};
use crate::dialects::toxme::Push;
use crate::ports::rng::draw;
use crate::tables::{
    CHAIN_HEADS, NAMES, NameRow, SEEN, SeenRow, TOMBSTONES, TOX_KEYS, TOX_RECORDS, ToxKeyRow,
    ToxRecordRow,
};
use crate::tx::{Tx, in_tx};
use crate::types::link::Evidence;
use crate::types::{Handle, IdentityId, Kid, Label, Name, ToxKey};

use super::release::Released;
use super::row::malformed;
use super::set::{Change, NewPassword, Owner, Said, set_in};
use super::{Caller, NameError, Names, Pushed, Sealed, reserved};

/// All a push needs inside its unit of work.
struct Command {
    name: Name,
    said: Said,
    timestamp: u64,
    auth: ToxKey,
    seen: [u8; 32],
    label: Label,
    tombstone: [u8; 32],
    auth_hash: [u8; 32],
    strict_possession: bool,
    identity: IdentityId,
    password: NewPassword,
    stamp: Stamp,
    released: Released,
}

impl Names<'_> {
    /// Registers a name or updates its record, as sealed by a Tox key.
    ///
    /// A record is proven when the key of its Tox ID is the one that sealed the push. A push that
    /// points the name to somebody else's Tox ID, which the key that has the name may send, leaves an
    /// unproven one, as a form does: nobody asked that other key.
    ///
    /// A key that was named without proof proves itself by a push: an unproven record of the name
    /// becomes proven, and gets a new password, as somebody else may know the old one; one of
    /// another name is given up in the same unit of work.
    ///
    /// Every attempt is charged to the address first, `None` (an unreadable envelope) included.
    /// Seven reads in one round trip and one more for an update; seven writes and one fsync for a
    /// new name, six for an update; for a name that is given up the writes of a release.
    ///
    /// # Errors
    /// See [`NameError`]; never `Unknown`, `UnknownKey`, `Page`, `Elsewhere` or `Busy`.
    pub async fn push(&self, caller: &Caller, sealed: Option<Sealed>) -> Result<Pushed, NameError> {
        self.0.flood().charge_push(caller.address)?;
        let sealed = sealed.ok_or(NameError::Malformed("the envelope cannot be read"))?;
        let plaintext = self.open(&sealed)?;
        let push = Push::parse(&plaintext, self.0.now())?;
        if reserved::is_reserved(&push.name) {
            return Err(NameError::Invalid);
        }
        let command = self.command(push, &sealed);
        let (head, has_new_password) =
            in_tx!(self.0, "push_name", |tx| self.push_in(tx, &command).await)?;
        Ok(Pushed {
            head,
            password: has_new_password.then_some(command.password.password),
        })
    }

    fn command(&self, push: Push, sealed: &Sealed) -> Command {
        let (ports, settings) = (self.0.ports(), self.0.settings());
        let (password, now) = (NewPassword::make(self.0), self.0.now());
        Command {
            auth: ToxKey(sealed.sender),
            seen: seen_hash(sealed),
            label: Handle::Name(push.name.clone()).label(&ports.label_key),
            tombstone: self.name_hash(&push.name),
            auth_hash: self.key_hash(&ToxKey(sealed.sender)),
            strict_possession: settings.strict_possession,
            identity: IdentityId(draw(ports.rng.as_ref())),
            password,
            stamp: self.stamp(now),
            released: Released {
                release_after: settings.release_after,
                now,
            },
            timestamp: push.timestamp,
            said: Said {
                is_proven: push.tox_id.key() == ToxKey(sealed.sender),
                tox_id: push.tox_id,
                bio: push.bio,
                visibility: push.visibility,
            },
            name: push.name,
        }
    }

    /// Answers the link, and whether the record has the new password.
    async fn push_in(
        &self,
        tx: &mut Tx<'_>,
        command: &Command,
    ) -> Result<(ChainHead, bool), NameError> {
        let key = command.said.tox_id.key();
        tx.prefetch(&[
            SEEN.key(&(command.timestamp, command.seen)),
            NAMES.key(&command.name),
            TOX_KEYS.key(&key),
            TOMBSTONES.key(&command.tombstone),
            CHAIN_HEADS.key(&command.label),
        ])
        .await?;
        accept_once_in(tx, command.timestamp, command.seen).await?;
        let held = tx.get(&NAMES, &command.name).await?;
        let bound = tx.get(&TOX_KEYS, &key).await?;
        // Before the key's binding is told: whoever does not hold the key is not to learn of it.
        if held.is_none() && command.strict_possession && command.auth != key {
            return Err(NameError::Malformed(
                "a new name must be sealed by the key of its Tox ID",
            ));
        }
        let given = command.given_elsewhere(bound)?;
        let (owner, has_new_password) = match held {
            Some(held) => update_in(tx, command, held).await?,
            None => (register_in(tx, command).await?, true),
        };
        if let Some(given) = given {
            // Before the record is set: it binds the key to the new name.
            let parting = self.parting_beside(Evidence::Boxed { kid: None }, &command.stamp);
            self.part_in(tx, &parting, &given, &key).await?;
        }
        let change = Change {
            name: &command.name,
            label: command.label,
            said: &command.said,
            owner,
            evidence: Evidence::Boxed {
                kid: Some(Kid::curve25519(&command.auth.0)),
            },
            stamp: command.stamp,
        };
        Ok((set_in(tx, change).await?, has_new_password))
    }

    /// A link's salt, and when.
    pub(super) fn stamp(&self, at: crate::types::UnixMillis) -> Stamp {
        let salt = draw(self.0.ports().rng.as_ref());
        Stamp { salt, at }
    }
}

impl Command {
    /// The other name that was given to the key without its proof, if the key is asking now.
    ///
    /// # Errors
    /// `KeyBoundElsewhere` when the key has proved to hold another name, or did not seal this push.
    fn given_elsewhere(&self, bound: Option<ToxKeyRow>) -> Result<Option<Name>, NameError> {
        let Some(bound) = bound.filter(|bound| bound.name != self.name.as_str()) else {
            return Ok(None);
        };
        if !bound.unproven || self.auth != self.said.tox_id.key() {
            return Err(NameError::KeyBoundElsewhere);
        }
        let name = Name::parse(&bound.name).map_err(|_| malformed("Tox key"))?;
        Ok(Some(name))
    }
}

/// Names a sealed request for the replay guard.
pub(super) fn seen_hash(sealed: &Sealed) -> [u8; 32] {
    let mut bytes = [0_u8; 56];
    let (sender, nonce) = bytes.split_at_mut(32);
    sender.copy_from_slice(&sealed.sender);
    nonce.copy_from_slice(&sealed.nonce);
    crypto::token::sha256(&bytes)
}

/// Marks a sealed request as accepted.
///
/// # Errors
/// `Malformed` when it was accepted before.
pub(super) async fn accept_once_in(
    tx: &mut Tx<'_>,
    timestamp: u64,
    seen: [u8; 32],
) -> Result<(), NameError> {
    if tx.get(&SEEN, &(timestamp, seen)).await?.is_some() {
        return Err(NameError::Malformed(
            "this sealed request was accepted before",
        ));
    }
    tx.put(&SEEN, &(timestamp, seen), &SeenRow {});
    Ok(())
}

async fn register_in(tx: &mut Tx<'_>, command: &Command) -> Result<Owner, NameError> {
    let (tombstone, by) = (&command.tombstone, Some(&command.auth_hash));
    command.released.take_in(tx, tombstone, by).await?;
    let row = command.password.give(ToxRecordRow::default());
    Ok(Owner::New(command.identity, row))
}

/// Answers also whether the record gets the new password: one that was unproven does, even when its
/// key hands it on at once, unless the operator vouched for it, as its password then came with it.
async fn update_in(
    tx: &mut Tx<'_>,
    command: &Command,
    held: NameRow,
) -> Result<(Owner, bool), NameError> {
    // The name's row guards the record: whoever changes the record rewrites that row too.
    let old = tx
        .peek(&TOX_RECORDS, &held.identity()?)
        .await?
        .ok_or_else(|| malformed("Tox record"))?;
    if old.record()?.tox_id.key() != command.auth {
        return Err(NameError::Taken);
    }
    let was_unproven = old.unproven && !old.vouched;
    let row = if was_unproven {
        command.password.give(old)
    } else {
        old
    };
    Ok((Owner::Held(held, row), was_unproven))
}
