//! The outbox: work to deliver, written in the unit of work that made it necessary.
//!
//! A job's row is keyed by when it is due. Taking a job moves its row to the end of a lease, so a
//! worker that dies loses the job to the next one without anybody looking; finishing deletes the
//! row, failing moves it by a growing pause, and after the last attempt it is parked for an operator.
//! One that waits for others is never parked.
//! Delivery is at least once.

use std::time::Duration;

use merkle::Hash;

use crate::error::Internal;
use crate::limits::{JOB_ATTEMPTS_MAX, JOB_BACKOFF, JOB_LEASE, JOB_WAITS_COUNTED, JOBS_PER_ROUND};
use crate::ports::store::{Key, KeyRange, StoreError, Version};
use crate::table::{TableKey, behind};
use crate::tables::{
    ArchiveLinksMessage, EraseLinksMessage, JOBS, JobMessage, JobRow, PARKED_JOBS,
};
use crate::tx::{Effect, Tx};
use crate::types::{JobId, Label, Seqno, UnixMillis};

/// Something to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Erase the openings of a subject's links up to and including a seqno.
    EraseLinks {
        /// Whose links.
        label: Label,
        /// The last to erase.
        through: Seqno,
    },
    /// Archive an avatar's links up to and including a seqno, each after the one before it.
    ArchiveLinks {
        /// Whose links.
        label: Label,
        /// The last to archive.
        through: Seqno,
    },
}

impl Job {
    /// Whose links it is about.
    #[must_use]
    pub fn label(&self) -> Label {
        match self {
            Self::EraseLinks { label, .. } | Self::ArchiveLinks { label, .. } => *label,
        }
    }
}

/// A job under lease.
#[derive(Clone, Debug)]
pub struct Leased {
    /// The job's id; handlers may use it to recognise a second delivery.
    pub id: JobId,
    /// What to do.
    pub job: Job,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    due: UnixMillis,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Delivered.
    Done,
    /// Not yet: go on at once, as there was progress.
    More,
    /// Others are not ready: ask again after a growing pause, for as long as it takes.
    Waiting,
    /// Failed; try again after a pause.
    Failed,
}

/// Adds a job to the caller's unit of work. One write.
pub(crate) fn enqueue_in(tx: &mut Tx<'_>, id: JobId, job: &Job, due: UnixMillis) {
    tx.put(
        &JOBS,
        &(due, id),
        &JobRow {
            attempts: 0,
            job: Some(job.into()),
        },
    );
    tx.effect(Effect::JobQueued);
}

/// Takes leases on jobs that are due at `now`, oldest first, at most [`JOBS_PER_ROUND`]. Jobs of a
/// kind this version does not know are passed over and left for a newer one.
///
/// # Errors
/// As [`Tx::scan`].
pub(crate) async fn take_due_in(
    tx: &mut Tx<'_>,
    now: UnixMillis,
) -> Result<Vec<Leased>, StoreError> {
    let mut end = vec![JOBS.tag()];
    UnixMillis(now.0.saturating_add(1)).write(&mut end);
    let mut range = KeyRange {
        end: Some(Key::from(end)),
        ..JOBS.range(&[])
    };
    let mut taken = Vec::new();
    loop {
        let rows = tx.scan(&JOBS, range.clone(), JOBS_PER_ROUND).await?;
        let is_last = (rows.len() as u64) < u64::from(JOBS_PER_ROUND);
        for (key, version, row) in rows {
            if taken.len() as u64 == u64::from(JOBS_PER_ROUND) {
                return Ok(taken);
            }
            range.start = behind(&JOBS.key(&key));
            taken.extend(take_in(tx, key, version, row, now));
        }
        if is_last {
            return Ok(taken);
        }
    }
}

/// Takes a lease on a row: moves it to the lease's end. A job whose workers all died on it is parked
/// instead.
fn take_in(
    tx: &mut Tx<'_>,
    key: (UnixMillis, JobId),
    version: Version,
    row: JobRow,
    now: UnixMillis,
) -> Option<Leased> {
    let job = row.job.as_ref().and_then(Job::read)?;
    if row.attempts >= JOB_ATTEMPTS_MAX {
        tx.expect(&JOBS, &key, version);
        tx.delete(&JOBS, &key);
        tx.put(&PARKED_JOBS, &key.1, &row);
        return None;
    }
    let attempt = row.attempts.saturating_add(1);
    let leased = Leased {
        id: key.1,
        job,
        attempt,
        due: now.plus(JOB_LEASE),
    };
    tx.expect(&JOBS, &key, version);
    tx.delete(&JOBS, &key);
    tx.put(
        &JOBS,
        &(leased.due, leased.id),
        &JobRow {
            attempts: attempt,
            ..row
        },
    );
    Some(leased)
}

/// Ends an attempt: removes, postpones or parks the job. Does nothing when the lease was lost.
///
/// # Errors
/// Our own failures only.
pub(crate) async fn settle_in(
    tx: &mut Tx<'_>,
    leased: &Leased,
    outcome: Outcome,
    now: UnixMillis,
) -> Result<(), Internal> {
    let key = (leased.due, leased.id);
    let Some(row) = tx.get(&JOBS, &key).await? else {
        return Ok(());
    };
    tx.delete(&JOBS, &key);
    match outcome {
        Outcome::Done => {}
        // Progress resets the count: only attempts without any lead to parking.
        Outcome::More => tx.put(&JOBS, &(now, leased.id), &JobRow { attempts: 0, ..row }),
        Outcome::Waiting => {
            let attempts = leased.attempt.min(JOB_WAITS_COUNTED);
            let due = now.plus(backoff(attempts));
            tx.put(&JOBS, &(due, leased.id), &JobRow { attempts, ..row });
        }
        Outcome::Failed if leased.attempt >= JOB_ATTEMPTS_MAX => {
            tx.put(&PARKED_JOBS, &leased.id, &row);
        }
        Outcome::Failed => {
            tx.put(&JOBS, &(now.plus(backoff(leased.attempt)), leased.id), &row);
        }
    }
    Ok(())
}

fn backoff(attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(JOB_ATTEMPTS_MAX);
    JOB_BACKOFF.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX))
}

impl From<&Job> for JobMessage {
    fn from(job: &Job) -> Self {
        match job {
            Job::EraseLinks { label, through } => Self::EraseLinks(EraseLinksMessage {
                label: label.0.0.to_vec(),
                through: through.get(),
            }),
            Job::ArchiveLinks { label, through } => Self::ArchiveLinks(ArchiveLinksMessage {
                label: label.0.0.to_vec(),
                through: through.get(),
            }),
        }
    }
}

impl Job {
    fn read(message: &JobMessage) -> Option<Self> {
        Some(match message {
            JobMessage::EraseLinks(EraseLinksMessage { label, through }) => Self::EraseLinks {
                label: Label(Hash::from_slice(label)?),
                through: Seqno::new(*through)?,
            },
            JobMessage::ArchiveLinks(ArchiveLinksMessage { label, through }) => {
                Self::ArchiveLinks {
                    label: Label(Hash::from_slice(label)?),
                    through: Seqno::new(*through)?,
                }
            }
        })
    }
}

#[cfg(test)]
mod tests;
