//! Leases: of the processes over one store, one at a time has a role.
//!
//! A lease is a row that says who holds the role until when, by the store's clock. Clocks only say
//! when a role is free; that its former holder does nothing any more is up to the version of the
//! row, which whatever is done in the role checks and changes in its own batch.

use crate::limits::LEASE_LIFE;
use crate::ports::store::{Batch, Expect, StoreError, Version};
use crate::table::Row;
use crate::tables::{LEASES, LeaseRow};
use crate::tx::Tx;
use crate::types::{ProcessId, UnixMillis};

/// What one process at a time does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Sequencing the log.
    Sequence,
    /// Removing rows that have had their time.
    Sweep,
    /// Checking claims that are due.
    Recheck,
}

impl Role {
    /// Its key in the lease table.
    pub(crate) fn key(self) -> Vec<u8> {
        let name = match self {
            Self::Sequence => "sequence",
            Self::Sweep => "sweep",
            Self::Recheck => "recheck",
        };
        name.into()
    }
}

/// A process that asks for a role, and the store's time when it does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bid {
    pub(crate) by: ProcessId,
    pub(crate) at: UnixMillis,
}

impl Bid {
    /// Whether the process has the role.
    pub(crate) fn holds(&self, row: &LeaseRow) -> bool {
        row.holder == self.by.0 && self.at.0 < row.until_ms
    }

    /// Whether the process has the role, or may take it as nobody else has.
    pub(crate) fn may_have(&self, row: Option<&LeaseRow>) -> bool {
        row.is_none_or(|row| row.holder == self.by.0 || self.is_over(row))
    }

    /// Whether a lease has ended. One that ends later than any that began now was written before
    /// the store's clock was set back, and counts as ended: what keeps a lead single is versions.
    fn is_over(&self, row: &LeaseRow) -> bool {
        let latest = self.at.plus(LEASE_LIFE).plus(LEASE_LIFE);
        row.until_ms <= self.at.0 || row.until_ms > latest.0
    }

    /// The row of a lease that begins now.
    fn row(&self) -> LeaseRow {
        LeaseRow {
            holder: self.by.0.to_vec(),
            until_ms: self.at.plus(LEASE_LIFE).0,
            rested_until_ms: 0,
        }
    }
}

/// Takes a role, or renews it, with the caller's batch; `false` when another process has it. One
/// read, one write.
///
/// # Errors
/// Our own failures only.
pub(crate) async fn take_in(tx: &mut Tx<'_>, role: Role, bid: &Bid) -> Result<bool, StoreError> {
    let key = role.key();
    if !bid.may_have(tx.get(&LEASES, &key).await?.as_ref()) {
        return Ok(false);
    }
    tx.put(&LEASES, &key, &bid.row());
    Ok(true)
}

/// Makes a batch depend on a lease as it was read, and renews it.
pub(crate) fn fence(batch: &mut Batch, role: Role, read: Option<Version>, bid: &Bid) {
    let key = LEASES.key(&role.key());
    batch
        .checks
        .push((key.clone(), read.map_or(Expect::Absent, Expect::Is)));
    batch.puts.push((key, bid.row().write()));
}

/// Gives a role back if the process has it; nobody need take it before `rested`. One read, one write.
///
/// # Errors
/// Our own failures only.
pub(crate) async fn give_back_in(
    tx: &mut Tx<'_>,
    role: Role,
    by: ProcessId,
    rested: Option<UnixMillis>,
) -> Result<(), StoreError> {
    let key = role.key();
    let row = tx.get(&LEASES, &key).await?;
    match (row.filter(|row| row.holder == by.0), rested) {
        (None, _) => {}
        (Some(_), None) => tx.delete(&LEASES, &key),
        (Some(_), Some(rested)) => {
            let row = LeaseRow {
                rested_until_ms: rested.0,
                ..LeaseRow::default()
            };
            tx.put(&LEASES, &key, &row);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Internal;
    use crate::tx::in_tx;
    use crate::tx::testing::Bench;

    const SWEEP: Role = Role::Sweep;

    fn bid(by: u8, at: u64) -> Bid {
        Bid {
            by: ProcessId([by; 16]),
            at: UnixMillis(at),
        }
    }

    async fn take(bench: &Bench, bid: Bid) -> bool {
        let taken = in_tx!(bench, "take", |tx| take_in(tx, SWEEP, &bid)
            .await
            .map_err(Internal::from));
        taken.unwrap()
    }

    async fn give_back(bench: &Bench, by: u8, rested: Option<UnixMillis>) -> Option<LeaseRow> {
        let by = ProcessId([by; 16]);
        in_tx!(bench, "give", |tx| give_back_in(tx, SWEEP, by, rested)
            .await
            .map_err(Internal::from))
        .unwrap();
        let rows = bench.rows.table(LEASES.tag());
        rows.first().map(|(_, row)| LEASES.read(row).unwrap())
    }

    #[tokio::test]
    async fn a_role_is_taken_renewed_given_back_and_falls_free() {
        let bench = Bench::new();
        assert!(take(&bench, bid(1, 1_000)).await);
        assert!(!take(&bench, bid(2, 3_999)).await, "held for 3 s");
        assert!(take(&bench, bid(1, 3_000)).await, "renewed");
        assert!(!take(&bench, bid(2, 5_999)).await);
        assert!(take(&bench, bid(2, 6_000)).await, "fell free");
        assert!(
            give_back(&bench, 1, None).await.is_some(),
            "not the first's to give"
        );
        assert_eq!(give_back(&bench, 2, None).await, None);
        assert!(take(&bench, bid(1, 6_001)).await);
        let row = give_back(&bench, 1, Some(UnixMillis(66_000)))
            .await
            .unwrap();
        assert_eq!((row.until_ms, row.rested_until_ms), (0, 66_000));
        assert!(take(&bench, bid(2, 6_002)).await, "free, though rested");
    }

    #[tokio::test]
    async fn of_two_that_take_it_at_once_one_has_it() {
        let bench = Bench::new();
        let mut batches = [Batch::default(), Batch::default()];
        for (by, batch) in (1..).zip(&mut batches) {
            fence(batch, SWEEP, None, &bid(by, 1_000));
        }
        let unit = bench.unit();
        let [first, second] = batches;
        let version = unit.store.commit(first).await.unwrap();
        assert!(unit.store.commit(second).await.is_err());
        let mut renewal = Batch::default();
        fence(&mut renewal, SWEEP, Some(version), &bid(1, 2_000));
        assert!(unit.store.commit(renewal).await.is_ok());
    }
}
