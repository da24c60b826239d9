//! Give a name up, and who may have it afterwards.

use std::time::Duration;

use crate::chain::append::{ChainHead, Stamp, Subject, append_in, head_in};
use crate::dialects::toxme::Delete;
use crate::outbox::{Job, enqueue_in};
use crate::ports::rng::draw;
use crate::tables::{
    NAMES, RELEASED, ReleasedRow, TOMBSTONES, TOX_KEYS, TOX_RECORDS, TombstoneRow,
};
use crate::tx::{Effect, NameChange, NameState, Tx, in_tx};
use crate::types::link::{Evidence, Statement};
use crate::types::{Handle, JobId, Label, Name, ToxKey, UnixMillis};

use super::push::{accept_once_in, seen_hash};
use super::row::malformed;
use super::{NameError, Names, Sealed};

/// The rule for names that were given up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Released {
    /// How long others must wait; `None` is for ever.
    pub(super) release_after: Option<Duration>,
    pub(super) now: UnixMillis,
}

impl Released {
    /// The key that gave a name up may have it again at once, others after the wait.
    pub(super) fn may_take(&self, tombstone: &TombstoneRow, key_hash: &[u8; 32]) -> bool {
        crypto::token::equal(&tombstone.key_hash, key_hash)
            || self
                .release_after
                .is_some_and(|wait| self.now >= UnixMillis(tombstone.released_at_ms).plus(wait))
    }
}

struct Command {
    delete: Delete,
    seen: [u8; 32],
    key_hash: [u8; 32],
    keeps_tombstone: bool,
    job: JobId,
    stamp: Stamp,
}

impl Names<'_> {
    /// Gives up the name bound to the key that sealed the request. Record, key and password go at
    /// once; the openings of the chain's links are erased by a job; the log entries stay.
    ///
    /// On a shared store other processes' indexes learn of it by a row that holds the name for five
    /// minutes.
    ///
    /// Five reads in three round trips, nine writes (ten on a shared store), one fsync.
    ///
    /// # Errors
    /// `Malformed`, `UnknownKey` or `Internal`.
    pub async fn release(&self, sealed: Option<Sealed>) -> Result<(), NameError> {
        let sealed = sealed.ok_or(NameError::Malformed("the envelope cannot be read"))?;
        let plaintext = self.open(&sealed)?;
        let ports = self.0.ports();
        let now = self.0.now();
        let delete = Delete::parse(&plaintext, now)?;
        if delete.key != ToxKey(sealed.sender) {
            return Err(NameError::Malformed(
                "a delete must be sealed by the key it names",
            ));
        }
        let command = Command {
            delete,
            seen: seen_hash(&sealed),
            key_hash: self.key_hash(&delete.key),
            keeps_tombstone: self.0.settings().release_after != Some(Duration::ZERO),
            job: JobId(draw(ports.rng.as_ref())),
            stamp: Stamp {
                salt: draw(ports.rng.as_ref()),
                at: now,
            },
        };
        in_tx!(self.0, "release_name", |tx| self
            .release_in(tx, &command)
            .await)
    }

    async fn release_in(&self, tx: &mut Tx<'_>, command: &Command) -> Result<(), NameError> {
        let (delete, key) = (&command.delete, command.delete.key);
        accept_once_in(tx, delete.timestamp, command.seen).await?;
        let bound = tx
            .get(&TOX_KEYS, &key)
            .await?
            .ok_or(NameError::UnknownKey)?;
        let name = Name::parse(&bound.name).map_err(|_| malformed("Tox key"))?;
        let held = tx
            .get(&NAMES, &name)
            .await?
            .ok_or_else(|| malformed("Tox key"))?;
        tx.delete(&TOX_KEYS, &key);
        tx.delete(&NAMES, &name);
        tx.delete(&TOX_RECORDS, &held.identity()?);
        if command.keeps_tombstone {
            tx.put(
                &TOMBSTONES,
                &self.name_hash(&name),
                &TombstoneRow {
                    key_hash: command.key_hash.to_vec(),
                    released_at_ms: command.stamp.at.0,
                },
            );
        }
        let label = Handle::Name(name.clone()).label(&self.0.ports().label_key);
        if self.0.is_shared() {
            let row = ReleasedRow {
                name: name.as_str().into(),
                released_at_ms: command.stamp.at.0,
            };
            tx.put(&RELEASED, &label, &row);
        }
        let head = self.end_chain_in(tx, command, label).await?;
        tx.effect(Effect::NameChanged(NameChange {
            name,
            seqno: head.seqno,
            state: NameState::Gone,
        }));
        Ok(())
    }

    /// Appends the release and has the links before it erased.
    async fn end_chain_in(
        &self,
        tx: &mut Tx<'_>,
        command: &Command,
        label: Label,
    ) -> Result<ChainHead, NameError> {
        if let Some(last) = head_in(tx, label).await? {
            let job = Job::EraseLinks {
                label,
                through: last.seqno,
            };
            enqueue_in(tx, command.job, &job, command.stamp.at);
        }
        let statement = Statement::ReleaseHandle;
        // The release is not erased, so it does not name the key.
        let evidence = Evidence::Boxed { kid: None };
        let subject = Subject { label, name: None };
        Ok(append_in(tx, subject, statement, evidence, command.stamp).await?)
    }

    /// Keyed hash under which a released name is remembered.
    pub(super) fn name_hash(&self, name: &Name) -> [u8; 32] {
        let pepper = &self.0.ports().pepper;
        crypto::token::hmac_sha256(
            pepper,
            &[b"sealbook/tombstone/v1", name.as_str().as_bytes()],
        )
    }

    /// Keyed hash under which the key that released a name is remembered.
    pub(super) fn key_hash(&self, key: &ToxKey) -> [u8; 32] {
        let pepper = &self.0.ports().pepper;
        crypto::token::hmac_sha256(pepper, &[b"sealbook/tombstone-key/v1", &key.0])
    }
}
