//! What a batch stands on: the newest head and who leads, as the store has them.

use merkle::Hash;
use merkle::note::{Checkpoint, Note};

use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::LEASE_LIFE;
use crate::marks::Marks;
use crate::ports::store::{Batch, CommitError, Expect, Freshness, StoreError, Version};
use crate::table::Row;
use crate::tables::{CHECKPOINTS, LEASES, LOG_HEAD, LeaseRow};

use super::head::{Head, fork_warning};

/// The sequencer's row in the lease table.
const ROLE: &[u8] = b"sequence";

/// Head and lease as read at the start of a batch.
pub(super) struct Ground {
    pub(super) head: Head,
    head_version: Version,
    lease: Option<(Version, LeaseRow)>,
}

/// Reads head and lease; `None` when another process leads.
///
/// # Errors
/// Our own failures, and a head that contradicts the published one.
pub(super) async fn ground(engine: &Engine) -> Result<Option<Ground>, Internal> {
    let ground = look(engine).await?;
    if let Some((_, lease)) = &ground.lease {
        let is_ours = lease.holder == engine.process_id();
        if !is_ours && engine.ports().store.now().await?.0 < lease.until_ms {
            return Ok(None);
        }
    }
    Ok(Some(ground))
}

/// Reads the head in the store and publishes it: for heads that other processes committed. One
/// round trip.
///
/// # Errors
/// As [`ground`].
pub(crate) async fn publish(engine: &Engine) -> Result<(), Internal> {
    look(engine).await.map(drop)
}

/// Reads the head, checks that it continues the published one, and publishes it.
async fn look(engine: &Engine) -> Result<Ground, Internal> {
    let before = engine.published().head();
    let [moved, arriving] = Marks::keys();
    let keys = [
        moved,
        arriving,
        LOG_HEAD.key(&()),
        CHECKPOINTS.key(&before.size),
        LEASES.key(&ROLE.to_vec()),
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
    Ok(Ground {
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

/// Makes the batch depend on head and lease, and renews the lease.
///
/// # Errors
/// Our own failures only.
pub(super) async fn fence(
    engine: &Engine,
    batch: &mut Batch,
    ground: &Ground,
) -> Result<(), Internal> {
    let until = engine.ports().store.now().await?.plus(LEASE_LIFE);
    let lease = LEASES.key(&ROLE.to_vec());
    let row = LeaseRow {
        holder: engine.process_id().to_vec(),
        until_ms: until.0,
    };
    let head = Expect::Is(ground.head_version);
    batch.checks.push((LOG_HEAD.key(&()), head));
    let held = ground.lease.as_ref();
    let held = held.map_or(Expect::Absent, |(version, _)| Expect::Is(*version));
    batch.checks.push((lease.clone(), held));
    batch.puts.push((lease, row.write()));
    Ok(())
}

/// Gives the lease back if this process holds it. A conflict means that another process took it
/// meanwhile.
///
/// # Errors
/// Our own failures only.
pub(super) async fn step_down(engine: &Engine) -> Result<(), Internal> {
    let store = &engine.ports().store;
    let key = LEASES.key(&ROLE.to_vec());
    let rows = store
        .get_many(std::slice::from_ref(&key), Freshness::Now)
        .await?;
    let Some((version, row)) = rows.into_iter().next().flatten() else {
        return Ok(());
    };
    if LEASES.read(&row)?.holder != engine.process_id() {
        return Ok(());
    }
    let batch = Batch {
        checks: vec![(key.clone(), Expect::Is(version))],
        puts: Vec::new(),
        deletes: vec![key],
    };
    match store.commit(batch).await {
        Ok(_) | Err(CommitError::Conflict(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
