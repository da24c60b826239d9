//! Batches on their way to the database, and which of them go together.
//!
//! Batches go together, or at the same time, if no key of one is touched by another, unless both
//! only check it, and alike. Among batches that share a key the first come goes first.

use std::collections::{HashMap, VecDeque};
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::ports::store::{CommitError, Expect, Key, Version};
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

use super::batch::{Planned, Touch, Write};

/// Most batches in one call.
const GROUP_BATCHES_MAX: usize = 128;
/// A call takes no more batches when it has this many keys.
const GROUP_TOUCHES_MAX: usize = 2_000;
/// A call takes no more batches when it has this many bytes.
const GROUP_BYTES_MAX: usize = 8 << 20;
/// A batch of more keys goes alone.
const ALONE_TOUCHES: usize = 1_000;
/// Batches looked at for one call: bounds the time when many wait for the same key.
const LOOK_MAX: usize = 512;

/// A batch in the queue.
pub(crate) struct Job {
    pub(crate) batch: Planned,
    pub(crate) reply: oneshot::Sender<Result<Version, CommitError>>,
    pub(crate) since: Instant,
    /// The batch's share of the queue, given back when the job is done.
    pub(crate) share: OwnedSemaphorePermit,
}

impl Job {
    /// Tells the caller, if there still is one.
    pub(crate) fn answer(self, outcome: Result<Version, CommitError>) {
        drop(self.share);
        if self.reply.send(outcome).is_err() {
            tracing::debug!("a batch was decided after its caller had left");
        }
    }
}

/// Batches that were taken together. Those that nobody has answered when it goes, as in a panic,
/// give their keys back; their callers learn that the outcome is unknown.
pub(crate) struct Group<'q> {
    queue: &'q Queue,
    jobs: Vec<Job>,
}

impl Deref for Group<'_> {
    type Target = [Job];

    fn deref(&self) -> &[Job] {
        &self.jobs
    }
}

impl Group<'_> {
    /// Answers the batches for which there is an outcome, and keeps the others.
    pub(crate) fn answer(
        &mut self,
        outcome: impl Fn(&Job) -> Option<Result<Version, CommitError>>,
    ) {
        let mut left = Vec::with_capacity(self.jobs.len());
        for job in self.jobs.drain(..) {
            match outcome(&job) {
                Some(outcome) => {
                    self.queue.done(&job.batch.touches);
                    job.answer(outcome);
                }
                None => left.push(job),
            }
        }
        self.jobs = left;
    }

    /// Answers all.
    pub(crate) fn answer_all(mut self, outcome: &Result<Version, CommitError>) {
        self.answer(|_| Some(outcome.clone()));
    }

    /// Batches that were not sent go first again.
    pub(crate) fn put_back(mut self) {
        self.queue.put_back(std::mem::take(&mut self.jobs));
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        for job in &self.jobs {
            self.queue.done(&job.batch.touches);
        }
    }
}

/// The queue; bounded by the shares its jobs hold.
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    /// Keys of the batches that are being committed.
    busy: Keys,
    closed: bool,
}

/// How keys are used.
#[derive(Default)]
struct Keys(HashMap<Key, Use>);

enum Use {
    Checked { expect: Expect, times: u32 },
    Written,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// Adds a batch; gives it back when the queue is closed.
    pub(crate) fn push(&self, job: Job) -> Result<(), Job> {
        let mut state = self.lock();
        if state.closed {
            return Err(job);
        }
        state.waiting.push_back(job);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// The next batches to commit in one call; `None` when the queue is closed and empty.
    pub(crate) async fn next(&self) -> Option<Group<'_>> {
        loop {
            let woken = self.wake.notified();
            {
                let mut state = self.lock();
                let jobs = state.take();
                if !jobs.is_empty() {
                    let more = !state.waiting.is_empty();
                    drop(state);
                    if more {
                        self.wake.notify_one();
                    }
                    return Some(Group { queue: self, jobs });
                }
                if state.closed && state.waiting.is_empty() {
                    drop(state);
                    self.wake.notify_waiters();
                    return None;
                }
            }
            woken.await;
        }
    }

    /// The keys of a batch are free again.
    fn done(&self, touches: &[Touch]) {
        self.lock().busy.free(touches);
        self.wake.notify_one();
    }

    /// Batches that were not sent go first again.
    fn put_back(&self, jobs: Vec<Job>) {
        let mut state = self.lock();
        for job in jobs.into_iter().rev() {
            state.busy.free(&job.batch.touches);
            state.waiting.push_front(job);
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Takes out the batches that have waited this long; all of them once the queue is closed.
    pub(crate) fn take_older_than(&self, age: Duration) -> Vec<Job> {
        let mut state = self.lock();
        let all = state.closed;
        let mut old = Vec::new();
        let mut young = VecDeque::with_capacity(state.waiting.len());
        for job in state.waiting.drain(..) {
            if all || job.since.elapsed() >= age {
                old.push(job);
            } else {
                young.push_back(job);
            }
        }
        state.waiting = young;
        old
    }

    /// Takes no more batches; those in it are still given out.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_waiters();
        self.wake.notify_one();
    }

    /// Whether it was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Whether it is closed and nothing waits in it.
    pub(crate) fn is_finished(&self) -> bool {
        let state = self.lock();
        state.closed && state.waiting.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> Vec<Job> {
        let (mut group, mut passed) = (Vec::new(), Keys::default());
        let (mut touches, mut bytes, mut at) = (0, 0, 0);
        for _ in 0..LOOK_MAX {
            let Some(job) = self.waiting.get(at) else {
                break;
            };
            let (of_job, bytes_of_job) = (job.batch.touches.len(), job.batch.bytes);
            let is_too_much = touches + of_job > GROUP_TOUCHES_MAX
                || bytes + bytes_of_job > GROUP_BYTES_MAX
                || of_job > ALONE_TOUCHES;
            if is_too_much && !group.is_empty() {
                break;
            }
            if !self.busy.admits(&job.batch.touches) || !passed.admits(&job.batch.touches) {
                passed.take(&job.batch.touches);
                at += 1;
                continue;
            }
            self.busy.take(&job.batch.touches);
            touches += of_job;
            bytes += bytes_of_job;
            group.extend(self.waiting.remove(at));
            if group.len() == GROUP_BATCHES_MAX || is_too_much {
                break;
            }
        }
        group
    }
}

impl Keys {
    fn admits(&self, touches: &[Touch]) -> bool {
        self.0.is_empty() || touches.iter().all(|touch| self.admits_one(touch))
    }

    fn admits_one(&self, touch: &Touch) -> bool {
        match (self.0.get(&touch.key), &touch.write) {
            (None, _) => true,
            (Some(Use::Checked { expect, .. }), Write::Nothing) => touch.expect == Some(*expect),
            (Some(_), _) => false,
        }
    }

    fn take(&mut self, touches: &[Touch]) {
        for touch in touches {
            let used = match (self.0.get_mut(&touch.key), touch.expect, &touch.write) {
                (Some(Use::Written), _, _) => continue,
                (Some(Use::Checked { expect, times }), Some(same), Write::Nothing)
                    if *expect == same =>
                {
                    *times += 1;
                    continue;
                }
                (None, Some(expect), Write::Nothing) => Use::Checked { expect, times: 1 },
                (_, _, _) => Use::Written,
            };
            self.0.insert(touch.key.clone(), used);
        }
    }

    fn free(&mut self, touches: &[Touch]) {
        for touch in touches {
            if let Some(Use::Checked { times, .. }) = self.0.get_mut(&touch.key)
                && *times > 1
            {
                *times -= 1;
                continue;
            }
            self.0.remove(&touch.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use engine::ports::store::Batch;
    use tokio::sync::Semaphore;

    use super::*;

    type Answer = oneshot::Receiver<Result<Version, CommitError>>;

    /// A batch that writes one key.
    fn job(key: &'static str) -> (Job, Answer) {
        let batch = Batch {
            puts: vec![(Key::from_static(key.as_bytes()), Bytes::new())],
            ..Batch::default()
        };
        let shares = Arc::new(Semaphore::new(1));
        let (reply, answer) = oneshot::channel();
        let job = Job {
            batch: Planned::of(batch).unwrap_or_else(|_| unreachable!("it asks for nothing")),
            reply,
            since: Instant::now(),
            share: shares.try_acquire_owned().expect("a share"),
        };
        (job, answer)
    }

    #[tokio::test]
    async fn what_a_panic_cuts_short_is_told_and_gives_its_keys_back() {
        let queue = Queue::new();
        let (first, lost) = job("a");
        assert!(queue.push(first).is_ok());
        let group = queue.next().await.expect("a group");
        let (second, answer) = job("a");
        assert!(queue.push(second).is_ok());
        assert!(queue.lock().take().is_empty(), "its key is in use");
        // As unwinding does.
        drop(group);
        assert!(lost.await.is_err(), "its caller is told");
        let group = queue.next().await.expect("the next batch of that key");
        group.answer_all(&Ok(Version(7)));
        assert!(matches!(answer.await, Ok(Ok(Version(7)))));
        assert!(queue.lock().busy.0.is_empty());
    }
}
