//! Register a name, or change what it points to.

use crypto::password;
use crypto::secret::Secret;

use crate::chain::append::{ChainHead, Stamp, Subject, append_in};
use crate::dialects::toxme::Push;
use crate::ports::rng::draw;
use crate::tables::{
    CHAIN_HEADS, NAMES, NameRow, SEEN, SeenRow, TOMBSTONES, TOX_KEYS, TOX_RECORDS, ToxKeyRow,
    ToxRecordRow,
};
use crate::tx::{Effect, NameChange, NameState, Tx, in_tx};
use crate::types::link::{Evidence, Statement};
use crate::types::{Handle, IdentityId, Kid, Label, ToxKey};

use super::release::Released;
use super::row::{DOOR_TOXME, bio_hash, malformed};
use super::{Caller, NameError, Names, Pushed, Sealed, reserved};

/// All a push needs inside its unit of work.
struct Command {
    push: Push,
    auth: ToxKey,
    seen: [u8; 32],
    label: Label,
    tombstone: [u8; 32],
    auth_hash: [u8; 32],
    strict_possession: bool,
    identity: IdentityId,
    password: Secret<String>,
    password_salt: [u8; 16],
    password_hash: [u8; 32],
    stamp: Stamp,
    released: Released,
}

impl Names<'_> {
    /// Registers a name or updates its record, as sealed by a Tox key.
    ///
    /// Every attempt is charged to the address first, `None` (an unreadable envelope) included.
    /// Seven reads in one round trip and one more for an update; seven writes and one fsync for a
    /// new name, six for an update.
    ///
    /// # Errors
    /// See [`NameError`]; never `Unknown`, `UnknownKey`, `Page` or `Elsewhere`.
    pub async fn push(&self, caller: &Caller, sealed: Option<Sealed>) -> Result<Pushed, NameError> {
        self.0.flood().charge_push(caller.address)?;
        let sealed = sealed.ok_or(NameError::Malformed("the envelope cannot be read"))?;
        let plaintext = self.open(&sealed)?;
        let push = Push::parse(&plaintext, self.0.now())?;
        if reserved::is_reserved(&push.name) {
            return Err(NameError::Invalid);
        }
        let command = self.command(push, &sealed);
        let (head, is_new) = in_tx!(self.0, "push_name", |tx| push_in(tx, &command).await)?;
        Ok(Pushed {
            head,
            password: is_new.then_some(command.password),
        })
    }

    fn command(&self, push: Push, sealed: &Sealed) -> Command {
        let (ports, settings) = (self.0.ports(), self.0.settings());
        let rng = ports.rng.as_ref();
        let password = password::make(&draw(rng));
        let password_salt = draw(rng);
        let now = self.0.now();
        Command {
            auth: ToxKey(sealed.sender),
            seen: seen_hash(sealed),
            label: Handle::Name(push.name.clone()).label(&ports.label_key),
            tombstone: self.name_hash(&push.name),
            auth_hash: self.key_hash(&ToxKey(sealed.sender)),
            strict_possession: settings.strict_possession,
            identity: IdentityId(draw(rng)),
            password_hash: password::hash(&ports.pepper, &password_salt, password.expose()),
            password,
            password_salt,
            stamp: Stamp {
                salt: draw(rng),
                at: now,
            },
            released: Released {
                release_after: settings.release_after,
                now,
            },
            push,
        }
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

async fn push_in(tx: &mut Tx<'_>, command: &Command) -> Result<(ChainHead, bool), NameError> {
    let (push, key) = (&command.push, command.push.tox_id.key());
    tx.prefetch(&[
        SEEN.key(&(push.timestamp, command.seen)),
        NAMES.key(&push.name),
        TOX_KEYS.key(&key),
        TOMBSTONES.key(&command.tombstone),
        CHAIN_HEADS.key(&command.label),
    ])
    .await?;
    accept_once_in(tx, push.timestamp, command.seen).await?;
    let held = tx.get(&NAMES, &push.name).await?;
    let bound = tx.get(&TOX_KEYS, &key).await?;
    let is_new = held.is_none();
    // Before the key's binding is told: whoever does not hold the key is not to learn of it.
    if is_new && command.strict_possession && command.auth != key {
        return Err(NameError::Malformed(
            "a new name must be sealed by the key of its Tox ID",
        ));
    }
    if bound.is_some_and(|bound| bound.name != push.name.as_str()) {
        return Err(NameError::KeyBoundElsewhere);
    }
    match held {
        Some(held) => update_in(tx, command, &held).await?,
        None => register_in(tx, command).await?,
    }
    tx.put(
        &TOX_KEYS,
        &key,
        &ToxKeyRow {
            name: push.name.as_str().into(),
            visibility: push.visibility.number(),
        },
    );
    let statement = Statement::SetRecord {
        tox_id: push.tox_id,
        bio_hash: bio_hash(&push.bio),
        visibility: push.visibility,
    };
    let evidence = Evidence::Boxed {
        kid: Some(Kid::curve25519(&command.auth.0)),
    };
    let subject = Subject {
        label: command.label,
        name: Some(&push.name),
    };
    let head = append_in(tx, subject, statement, evidence, command.stamp).await?;
    tx.effect(Effect::NameChanged(NameChange {
        name: push.name.clone(),
        seqno: head.seqno,
        state: NameState::of(push.visibility),
    }));
    Ok((head, is_new))
}

async fn register_in(tx: &mut Tx<'_>, command: &Command) -> Result<(), NameError> {
    let push = &command.push;
    // The chain's head guards the tombstone: whoever releases the name appends to its chain.
    if let Some(tombstone) = tx.peek(&TOMBSTONES, &command.tombstone).await? {
        if !command.released.may_take(&tombstone, &command.auth_hash) {
            return Err(NameError::Taken);
        }
        tx.delete(&TOMBSTONES, &command.tombstone);
    }
    tx.put(
        &NAMES,
        &push.name,
        &NameRow {
            identity: command.identity.0.to_vec(),
            doors: DOOR_TOXME,
            visibility: push.visibility.number(),
        },
    );
    tx.create(
        &TOX_RECORDS,
        &command.identity,
        &ToxRecordRow {
            password_salt: command.password_salt.to_vec(),
            password_hash: command.password_hash.to_vec(),
            ..record_row(command)
        },
    );
    Ok(())
}

async fn update_in(tx: &mut Tx<'_>, command: &Command, held: &NameRow) -> Result<(), NameError> {
    let identity = held.identity()?;
    // The name's row guards the record: whoever changes the record rewrites that row too.
    let old = tx
        .peek(&TOX_RECORDS, &identity)
        .await?
        .ok_or_else(|| malformed("Tox record"))?;
    let old_key = old.record()?.tox_id.key();
    if old_key != command.auth {
        return Err(NameError::Taken);
    }
    if old_key != command.push.tox_id.key() {
        tx.delete(&TOX_KEYS, &old_key);
    }
    let visibility = command.push.visibility.number();
    tx.put(
        &NAMES,
        &command.push.name,
        &NameRow {
            visibility,
            ..held.clone()
        },
    );
    tx.put(
        &TOX_RECORDS,
        &identity,
        &ToxRecordRow {
            password_salt: old.password_salt,
            password_hash: old.password_hash,
            password_scheme: old.password_scheme,
            ..record_row(command)
        },
    );
    Ok(())
}

/// The record as pushed, without a password.
fn record_row(command: &Command) -> ToxRecordRow {
    let push = &command.push;
    ToxRecordRow {
        name: push.name.as_str().into(),
        tox_id: push.tox_id.as_bytes().to_vec(),
        bio: push.bio.as_str().into(),
        visibility: push.visibility.number(),
        changed_at_ms: command.stamp.at.0,
        ..ToxRecordRow::default()
    }
}
