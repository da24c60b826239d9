//! The queue of batches, and how many of them share a sync.

use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use engine::ports::store::{Batch, CommitError, Version};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::limits;

/// Most batches in one group, hence in one sync.
const GROUP_BATCHES_MAX: usize = 512;
/// A group is closed when it holds this many bytes.
const GROUP_BYTES_MAX: usize = 8 << 20;
/// Longest wait of a group for as many batches as the last one had. Whoever writes alone never waits;
/// where many write at once, a sync is over sooner than their next batches come, and each sync costs
/// as much as some batches do.
const GATHER: Duration = Duration::from_millis(2);
/// How often a group that waits looks for batches: senders need not wake it then.
const GATHER_STEP: Duration = Duration::from_micros(250);
/// A batch in the queue.
pub(crate) struct Job {
    pub(crate) batch: Batch,
    pub(crate) reply: oneshot::Sender<Result<Version, CommitError>>,
    /// The batch's share of the queue, given back when the job is done.
    pub(crate) share: OwnedSemaphorePermit,
}

/// What is in the queue, or will be in a moment if batches come as they did for the last group.
pub(super) fn take_group(first: Job, last_group: usize, queue: &Receiver<Job>) -> Vec<Job> {
    let mut bytes = limits::byte_count(&first.batch);
    let mut jobs = vec![first];
    let mut waited = Duration::ZERO;
    while jobs.len() < GROUP_BATCHES_MAX && bytes < GROUP_BYTES_MAX {
        match queue.try_recv() {
            Ok(job) => {
                bytes += limits::byte_count(&job.batch);
                jobs.push(job);
            }
            Err(TryRecvError::Empty) if jobs.len() < last_group && waited < GATHER => {
                std::thread::park_timeout(GATHER_STEP);
                waited += GATHER_STEP;
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
        }
    }
    jobs
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{SyncSender, sync_channel};

    use bytes::Bytes;
    use tokio::sync::Semaphore;

    use super::*;

    fn job(bytes: usize) -> Job {
        let mut batch = Batch::default();
        let key = engine::ports::store::Key::from(vec![1]);
        batch.puts.push((key, Bytes::from(vec![0; bytes])));
        let share = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let (reply, _) = oneshot::channel();
        Job {
            batch,
            reply,
            share,
        }
    }

    fn send(to: &SyncSender<Job>, jobs: usize, bytes: usize) {
        for _ in 0..jobs {
            to.try_send(job(bytes)).ok().unwrap();
        }
    }

    #[test]
    fn a_group_has_what_is_there_up_to_its_bounds() {
        let (to, queue) = sync_channel(2 * GROUP_BATCHES_MAX);
        send(&to, 3, 10);
        assert_eq!(take_group(job(10), 0, &queue).len(), 4);
        assert_eq!(take_group(job(10), 1, &queue).len(), 1);
        send(&to, GROUP_BATCHES_MAX + 5, 10);
        assert_eq!(take_group(job(10), 9, &queue).len(), GROUP_BATCHES_MAX);
        assert_eq!(take_group(job(10), 2, &queue).len(), 7);
        send(&to, 4, GROUP_BYTES_MAX / 2);
        assert_eq!(take_group(job(10), 9, &queue).len(), 3);
        assert_eq!(take_group(job(10), 3, &queue).len(), 3);
    }

    #[test]
    fn a_group_waits_for_as_many_as_there_were_but_not_for_ever() {
        let (to, queue) = sync_channel(9);
        assert_eq!(take_group(job(10), 9, &queue).len(), 1, "nobody comes");
        drop(to);
        assert_eq!(take_group(job(10), 9, &queue).len(), 1, "nobody can come");
    }
}
