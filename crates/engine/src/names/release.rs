//! Give a name up, and who may have it afterwards.

use std::time::Duration;

use crate::chain::append::{ChainHead, Held, Stamp, Subject, append_in, head_in};
use crate::dialects::toxme::{self, KeyOrder};
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
    /// Takes a name that nobody has. Whoever gave it up may have it again at once, others after the
    /// wait; `by` is the keyed hash of the key that asks, if one has proved to ask.
    ///
    /// # Errors
    /// `Taken` or `Internal`.
    pub(super) async fn take_in(
        self,
        tx: &mut Tx<'_>,
        tombstone: &[u8; 32],
        by: Option<&[u8; 32]>,
    ) -> Result<(), NameError> {
        // The chain's head guards the tombstone: whoever releases the name appends to its chain.
        let Some(row) = tx.peek(&TOMBSTONES, tombstone).await? else {
            return Ok(());
        };
        if !self.may_take(&row, by) {
            return Err(NameError::Taken);
        }
        tx.delete(&TOMBSTONES, tombstone);
        Ok(())
    }

    fn may_take(self, tombstone: &TombstoneRow, by: Option<&[u8; 32]>) -> bool {
        by.is_some_and(|key| crypto::token::equal(&tombstone.key_hash, key))
            || self
                .release_after
                .is_some_and(|wait| self.now >= UnixMillis(tombstone.released_at_ms).plus(wait))
    }
}

/// What giving a name up takes besides the name.
pub(super) struct Parting {
    keeps_tombstone: bool,
    job: JobId,
    evidence: Evidence,
    stamp: Stamp,
}

impl Names<'_> {
    /// Gives up the name bound to the key that sealed the request, proven or not. Record, key and
    /// password go at once; the openings of the chain's links are erased by a job; the log entries
    /// stay.
    ///
    /// On a shared store other processes' indexes learn of it by a row that holds the name for five
    /// minutes.
    ///
    /// Five reads in three round trips, nine writes (ten on a shared store), one fsync.
    ///
    /// # Errors
    /// `Malformed`, `UnknownKey` or `Internal`.
    pub async fn release(&self, sealed: Option<Sealed>) -> Result<(), NameError> {
        let order = self.open_order(sealed, toxme::Order::Delete)?;
        // The release is not erased, so it does not name the key.
        let parting = self.parting(Evidence::Boxed { kid: None }, order.at);
        in_tx!(self.0, "release_name", |tx| self
            .release_in(tx, &order, &parting)
            .await)
    }

    async fn release_in(
        &self,
        tx: &mut Tx<'_>,
        order: &OpenedOrder,
        parting: &Parting,
    ) -> Result<(), NameError> {
        let name = bound_in(tx, order).await?;
        self.part_in(tx, parting, &name, &order.key).await
    }

    /// Reads what a key orders about its own record.
    ///
    /// # Errors
    /// `Malformed` only.
    pub(super) fn open_order(
        &self,
        sealed: Option<Sealed>,
        order: toxme::Order,
    ) -> Result<OpenedOrder, NameError> {
        let sealed = sealed.ok_or(NameError::Malformed("the envelope cannot be read"))?;
        let plaintext = self.open(&sealed)?;
        let at = self.0.now();
        let order = KeyOrder::parse(&plaintext, order, at)?;
        if order.key != ToxKey(sealed.sender) {
            return Err(NameError::Malformed(
                "the request must be sealed by the key it names",
            ));
        }
        Ok(OpenedOrder {
            key: order.key,
            timestamp: order.timestamp,
            seen: seen_hash(&sealed),
            at,
        })
    }

    pub(super) fn parting(&self, evidence: Evidence, now: UnixMillis) -> Parting {
        Parting {
            keeps_tombstone: self.keeps_tombstones(),
            job: JobId(draw(self.0.ports().rng.as_ref())),
            evidence,
            stamp: self.stamp(now),
        }
    }

    /// The same, at the time of another link. What is random about it follows from that link's salt
    /// and the pepper, so that it need not be drawn for every push.
    pub(super) fn parting_beside(&self, evidence: Evidence, link: &Stamp) -> Parting {
        let pepper = &self.0.ports().pepper;
        let derived = |what: &[u8]| crypto::token::hmac_sha256(pepper, &[what, &link.salt]);
        let mut job = [0; 16];
        let bytes = derived(b"sealbook/parting-job/v1");
        job.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        Parting {
            keeps_tombstone: self.keeps_tombstones(),
            job: JobId(job),
            evidence,
            stamp: Stamp {
                salt: derived(b"sealbook/parting/v1"),
                at: link.at,
            },
        }
    }

    fn keeps_tombstones(&self) -> bool {
        self.0.settings().release_after != Some(Duration::ZERO)
    }

    /// Gives a name up whose record has this key: removes its rows, leaves a tombstone, ends its
    /// chain. Nine writes, ten on a shared store.
    ///
    /// # Errors
    /// `Internal` only.
    pub(super) async fn part_in(
        &self,
        tx: &mut Tx<'_>,
        parting: &Parting,
        name: &Name,
        key: &ToxKey,
    ) -> Result<(), NameError> {
        let held = tx
            .get(&NAMES, name)
            .await?
            .ok_or_else(|| malformed("Tox key"))?;
        tx.delete(&TOX_KEYS, key);
        tx.delete(&NAMES, name);
        tx.delete(&TOX_RECORDS, &held.identity()?);
        let released_at_ms = parting.stamp.at.0;
        if parting.keeps_tombstone {
            let key_hash = self.key_hash(key).to_vec();
            let row = TombstoneRow {
                key_hash,
                released_at_ms,
            };
            tx.put(&TOMBSTONES, &self.name_hash(name), &row);
        }
        let label = Handle::Name(name.clone()).label(&self.0.ports().label_key);
        if self.0.is_shared() {
            let name = name.as_str().into();
            let row = ReleasedRow {
                name,
                released_at_ms,
            };
            tx.put(&RELEASED, &label, &row);
        }
        let head = end_chain_in(tx, parting, label).await?;
        tx.effect(Effect::NameChanged(NameChange {
            name: name.clone(),
            seqno: head.seqno,
            state: NameState::Gone,
        }));
        Ok(())
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

/// What a key orders about its own record.
pub(super) struct OpenedOrder {
    pub(super) key: ToxKey,
    timestamp: u64,
    seen: [u8; 32],
    /// When it was read.
    pub(super) at: UnixMillis,
}

/// Accepts an order, once; answers the name bound to its key.
///
/// # Errors
/// `Malformed`, `UnknownKey` or `Internal`.
pub(super) async fn bound_in(tx: &mut Tx<'_>, order: &OpenedOrder) -> Result<Name, NameError> {
    accept_once_in(tx, order.timestamp, order.seen).await?;
    let bound = tx
        .get(&TOX_KEYS, &order.key)
        .await?
        .ok_or(NameError::UnknownKey)?;
    Ok(Name::parse(&bound.name).map_err(|_| malformed("Tox key"))?)
}

/// Appends the release and has the links before it erased.
async fn end_chain_in(
    tx: &mut Tx<'_>,
    parting: &Parting,
    label: Label,
) -> Result<ChainHead, NameError> {
    if let Some(last) = head_in(tx, label).await? {
        let job = Job::EraseLinks {
            label,
            through: last.seqno,
        };
        enqueue_in(tx, parting.job, &job, parting.stamp.at);
    }
    let statement = Statement::ReleaseHandle;
    let handle = Held::Name(None);
    let subject = Subject { label, handle };
    let evidence = parting.evidence.clone();
    Ok(append_in(tx, subject, statement, evidence, parting.stamp).await?)
}
