//! What a batch stands on: the newest head and who leads, as the store has them.

use merkle::Hash;
use merkle::note::{Checkpoint, Note};

use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::{LEASE_LIFE, LEASE_RENEWED_AFTER};
use crate::marks::Marks;
use crate::ports::store::{Batch, Expect, Freshness, StoreError, Version};
use crate::processes::leases::{self, Bid, Role, take_in};
use crate::tables::{CHECKPOINTS, LEASES, LOG_HEAD, LeaseRow};
use crate::tx::in_tx;

use super::head::{Head, fork_warning};

/// Head and lease as read at the start of a batch, and the store's time then.
pub(super) struct Ground {
    pub(super) head: Head,
    head_version: Version,
    lease: Option<(Version, LeaseRow)>,
    bid: Bid,
}

impl Ground {
    fn lease(&self) -> Option<&LeaseRow> {
        self.lease.as_ref().map(|(_, row)| row)
    }

    /// Whether this process leads.
    fn is_led(&self) -> bool {
        self.lease().is_some_and(|row| self.bid.holds(row))
    }

    /// Whether the lease is so old that an idle leader renews it, or was written before the store's
    /// clock was set back.
    fn is_stale(&self) -> bool {
        let now = self.bid.at;
        let fresh = now.plus(LEASE_LIFE.saturating_sub(LEASE_RENEWED_AFTER));
        let newest = now.plus(LEASE_LIFE);
        let is_fresh = |row: &LeaseRow| row.until_ms > fresh.0 && row.until_ms <= newest.0;
        !self.lease().is_some_and(is_fresh)
    }
}

/// Reads head and lease; `None` when another process leads. One round trip: rows and time at once.
///
/// On a shared store a free lease is taken first, so that of several processes one looks for
/// intents; that costs two round trips more, once for each lead. Elsewhere the first batch takes it.
///
/// # Errors
/// Our own failures, and a head that contradicts the published one.
pub(super) async fn ground(engine: &Engine) -> Result<Option<Ground>, Internal> {
    let ground = read(engine).await?;
    if !ground.bid.may_have(ground.lease()) {
        return Ok(None);
    }
    if !engine.is_shared() || ground.is_led() {
        return Ok(Some(ground));
    }
    if !take(engine, ground.bid).await? {
        return Ok(None);
    }
    // The leader before may have left intents, and moved the head until just now.
    engine.sequencer().look_in_store();
    Ok(Some(read(engine).await?).filter(Ground::is_led))
}

/// Renews the lease of a leader without anything to sequence, when it is a second old; `false` when
/// another process has it. Does nothing on a store that is not shared.
///
/// # Errors
/// Our own failures only.
pub(super) async fn keep(engine: &Engine, ground: &Ground) -> Result<bool, Internal> {
    if engine.is_shared() && ground.is_stale() {
        return take(engine, ground.bid).await;
    }
    Ok(true)
}

async fn take(engine: &Engine, bid: Bid) -> Result<bool, Internal> {
    in_tx!(engine, "take_lead", |tx| take_in(tx, Role::Sequence, &bid)
        .await
        .map_err(Internal::from))
}

/// Reads the head in the store and publishes it: for heads that other processes committed. One
/// round trip.
///
/// # Errors
/// As [`ground`].
pub(crate) async fn publish(engine: &Engine) -> Result<(), Internal> {
    look(engine).await.map(drop)
}

async fn read(engine: &Engine) -> Result<Ground, Internal> {
    let (seen, now) = tokio::join!(look(engine), engine.ports().store.now());
    let (
        Seen {
            head,
            head_version,
            lease,
        },
        at,
    ) = (seen?, now?);
    let by = engine.process_id();
    Ok(Ground {
        head,
        head_version,
        lease,
        bid: Bid { by, at },
    })
}

/// Head and lease.
struct Seen {
    head: Head,
    head_version: Version,
    lease: Option<(Version, LeaseRow)>,
}

/// Reads the head, checks that it continues the published one, and publishes it.
async fn look(engine: &Engine) -> Result<Seen, Internal> {
    let before = engine.published().head();
    let [moved, arriving] = Marks::keys();
    let keys = [
        moved,
        arriving,
        LOG_HEAD.key(&()),
        CHECKPOINTS.key(&before.size),
        LEASES.key(&Role::Sequence.key()),
    ];
    let rows = engine.ports().store.get_many(&keys, Freshness::Now).await?;
    let mut rows = rows.into_iter();
    if let Some(mark) = Marks::take(&mut rows)?.mark() {
        // Whoever goes on from the other store signs the heads to come.
        engine.published().halt(mark.to_string());
        return Err(Internal::new("reading the head of the log", mark));
    }
    let (head, ours) = (rows.next().flatten(), rows.next().flatten());
    let lease = rows.next().flatten();
    let (head_version, head) =
        head.ok_or_else(|| StoreError::Corrupt("the log has no head".into()))?;
    let head = Head::read(&LOG_HEAD.read(&head)?)?;
    let continues = ours.is_some_and(|(_, note)| root_of(&note) == Some(before.root));
    if !continues {
        engine.published().halt(fork_warning(&before, &head));
    }
    if !continues || !engine.published().observe(&before, head.clone()) {
        let cause = "the head in the store does not continue the published one";
        return Err(Internal::new("reading the head of the log", cause));
    }
    let lease = lease.map(|(version, row)| LEASES.read(&row).map(|row| (version, row)));
    Ok(Seen {
        head,
        head_version,
        lease: lease.transpose()?,
    })
}

/// The root a signed checkpoint names.
pub(crate) fn root_of(note: &[u8]) -> Option<Hash> {
    let text = Note::parse(note).ok()?.text;
    Some(Checkpoint::parse(&text).ok()?.root)
}

/// Makes the batch depend on head and lease, and renews the lease, from the time the ground was
/// read on.
pub(super) fn fence(batch: &mut Batch, ground: &Ground) {
    let head = Expect::Is(ground.head_version);
    batch.checks.push((LOG_HEAD.key(&()), head));
    let held = ground.lease.as_ref().map(|(version, _)| *version);
    leases::fence(batch, Role::Sequence, held, &ground.bid);
}
