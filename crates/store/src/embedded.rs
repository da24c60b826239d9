//! The embedded store: fjall, one process per directory.
//!
//! A batch goes through a bounded queue to one thread, which takes up to 512 of them as a group,
//! checks each against the store and the group's own earlier writes, and makes the group durable
//! with one engine sync and one sync of the commit number. A commit is answered only then. Reads
//! go to the engine directly, those that may be stale to a record cache first.
//!
//! Why fjall, and what it was measured against: `docs/adr/0002-embedded-engine.md`. What is in the
//! directory and what happens after faults: `docs/STORAGE.md`.

mod check;
mod committer;
mod directory;
mod disk;
mod group;
mod handle;
pub(crate) mod journal;
pub(crate) mod marks;
mod queue;
mod recovery;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use engine::ports::store::{
    Batch, CommitError, Direction, Freshness, Health, Key, KeyRange, Row, Store, StoreError,
    Version,
};
use engine::types::UnixMillis;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::timeout;

use crate::cache::{Lifetime, Record, RecordCache};
use crate::clock::{Clock, Stopwatch, system_clock};
use crate::{OpenError, Options, limits};
pub use check::{Damage, Report, check};
use committer::{Committer, State};
pub(crate) use directory::exists;
use directory::{Directory, Holds};
use disk::{Disk, RealDisk};
use handle::Handle;
use queue::Job;
use recovery::Opened;

/// Number fjall gives to the keyspace `sys`, the first one made.
const SYS_KEYSPACE: u64 = 1;
/// The one row of `sys`.
const COMMIT_KEY: &[u8] = b"commit";
/// The queue's size: 64 MiB in shares of 1 KiB, of which a batch takes at least 16.
const QUEUE_SHARES: u32 = 64 << 10;
const QUEUE_SHARES_MIN: u32 = 16;
const QUEUE_BATCHES_MAX: usize = (QUEUE_SHARES / QUEUE_SHARES_MIN) as usize;
/// Reads of more keys or rows than this leave the async threads.
const INLINE_ROWS_MAX: usize = 256;
/// Longest wait for an engine that is being opened anew.
const REOPEN_WAIT: Duration = Duration::from_secs(5);
/// Reads that may wait for that at once; more are refused.
const REOPEN_WAITERS_MAX: usize = 1024;

/// What a closed store says.
const CLOSED: &str = "the store is closed";

/// A [`Store`] in a directory of this machine.
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    queue: Mutex<Option<SyncSender<Job>>>,
    shares: Arc<Semaphore>,
    /// Places for reads that wait for the engine.
    waiters: Semaphore,
    committer: Mutex<Option<JoinHandle<Directory>>>,
    clock: Clock,
    queue_wait: Duration,
    commit_wait: Duration,
}

/// What the readers have of the engine.
#[derive(Clone)]
pub(crate) enum Access {
    Open(Arc<Handle>),
    /// It is closed and about to be opened anew: worth waiting for.
    Reopening,
    /// It is closed, and why; nobody is opening it at this moment.
    Gone(String),
}

impl Access {
    fn handle(&self) -> Option<&Arc<Handle>> {
        match self {
            Self::Open(handle) => Some(handle),
            Self::Reopening | Self::Gone(_) => None,
        }
    }

    /// The answer to a read; `None` while it should wait.
    fn settled(&self) -> Option<Result<Arc<Handle>, StoreError>> {
        match self {
            Self::Open(handle) => Some(Ok(Arc::clone(handle))),
            Self::Reopening => None,
            Self::Gone(why) => Some(Err(StoreError::Unavailable(why.clone()))),
        }
    }
}

/// What the committer and the readers share.
pub(crate) struct Shared {
    access: watch::Sender<Access>,
    cache: RecordCache,
    health: RwLock<Health>,
}

impl Shared {
    fn set_health(&self, health: Health) {
        *self.health.write().unwrap_or_else(PoisonError::into_inner) = health;
    }

    fn health(&self) -> Health {
        self.health
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl EmbeddedStore {
    /// Opens the store in `path`, or makes one if the directory is absent or empty. Blocks while it
    /// reads journals: about a second at most.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        Self::open_on(path, options, Arc::new(RealDisk))
    }

    fn open_on(path: &Path, options: Options, disk: Arc<dyn Disk>) -> Result<Self, OpenError> {
        let (directory, holds) = Directory::take(path)?;
        let opened = match holds {
            Holds::Nothing => recovery::create(&directory, options.engine_cache_bytes)?,
            Holds::Store => recovery::open(&directory, options.engine_cache_bytes, None)?,
        };
        let Opened {
            handle,
            counters,
            marks,
        } = opened;
        let state = marks.map_or_else(State::Stopped, State::Writing);
        if let State::Stopped(why) = &state {
            tracing::error!("the store is read-only: {why}");
        }
        let health = match &state {
            State::Stopped(why) => Health::ReadOnly(why.clone()),
            State::Writing(_) | State::Paused { .. } => Health::Ready,
        };
        let shared = Arc::new(Shared {
            access: watch::Sender::new(Access::Open(Arc::new(handle))),
            cache: RecordCache::new(options.cache_bytes, Lifetime::Forever),
            health: RwLock::new(health),
        });
        let committer = Committer {
            directory,
            shared: Arc::clone(&shared),
            disk,
            counters,
            state,
            engine_cache_bytes: options.engine_cache_bytes,
            reserve_bytes: options.reserve_bytes,
            was_short: false,
            last_group: 0,
            syncs: Stopwatch(options.on_sync),
        };
        let (queue, jobs) = std::sync::mpsc::sync_channel(QUEUE_BATCHES_MAX);
        let thread = std::thread::Builder::new().name("store-committer".to_owned());
        let thread = thread.spawn(move || committer.run(&jobs));
        let thread = thread.map_err(directory::failed("start the committer for", path))?;
        Ok(Self {
            shared,
            queue: Mutex::new(Some(queue)),
            shares: Arc::new(Semaphore::new(QUEUE_SHARES as usize)),
            waiters: Semaphore::new(REOPEN_WAITERS_MAX),
            committer: Mutex::new(Some(thread)),
            clock: options.clock.unwrap_or_else(system_clock),
            queue_wait: options.queue_wait,
            commit_wait: options.commit_wait,
        })
    }

    /// Closes the queue; the committer, unless it is already being waited for.
    fn stop(&self) -> Option<JoinHandle<Directory>> {
        drop(
            self.queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        self.committer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// The engine. Waits for it only while it is being opened anew, at most 5 s, and with at most
    /// 1,024 others.
    async fn handle(&self) -> Result<Arc<Handle>, StoreError> {
        let settled = self.shared.access.borrow().settled();
        if let Some(settled) = settled {
            return settled;
        }
        let Ok(_place) = self.waiters.try_acquire() else {
            return Err(unavailable(
                "too many reads wait for the store to be opened anew",
            ));
        };
        let mut changes = self.shared.access.subscribe();
        let settling = changes.wait_for(|access| access.settled().is_some());
        let settled = match timeout(REOPEN_WAIT, settling).await {
            Ok(Ok(access)) => access.settled(),
            Ok(Err(_)) => Some(Err(unavailable(CLOSED))),
            Err(_) => None,
        };
        settled.unwrap_or_else(|| Err(unavailable("the store is still being opened anew")))
    }

    async fn read<T: Send + 'static>(
        &self,
        rows: usize,
        read: impl FnOnce(&Handle) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let handle = self.handle().await?;
        if rows <= INLINE_ROWS_MAX {
            return read(&handle);
        }
        let task = tokio::task::spawn_blocking(move || read(&handle));
        task.await
            .map_err(|_| StoreError::Unavailable("a read was cut short".to_owned()))?
    }

    async fn check_only(&self, batch: Batch) -> Result<Version, CommitError> {
        let keys: Vec<Key> = batch.checks.iter().map(|(key, _)| key.clone()).collect();
        let found = self
            .get_many(&keys, Freshness::Now)
            .await
            .map_err(group::unreadable)?;
        let versions = found
            .into_iter()
            .map(|record| record.map(|(version, _)| version));
        let mut newest = Version(0);
        for (index, ((_, expect), version)) in batch.checks.iter().zip(versions).enumerate() {
            if !group::holds(*expect, version) {
                return Err(CommitError::Conflict(index));
            }
            newest = newest.max(version.unwrap_or(newest));
        }
        Ok(newest)
    }

    async fn enqueue(
        &self,
        batch: Batch,
    ) -> Result<oneshot::Receiver<Result<Version, CommitError>>, CommitError> {
        let kib = u32::try_from(limits::byte_count(&batch) / 1024).unwrap_or(QUEUE_SHARES);
        let weight = kib.clamp(QUEUE_SHARES_MIN, QUEUE_SHARES);
        let share = Arc::clone(&self.shares).acquire_many_owned(weight);
        let share = match timeout(self.queue_wait, share).await {
            Ok(Ok(share)) => share,
            Ok(Err(_)) | Err(_) => {
                return Err(CommitError::Unavailable(
                    "the commit queue is full".to_owned(),
                ));
            }
        };
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else {
            return Err(CommitError::Fatal(CLOSED.to_owned()));
        };
        match queue.try_send(Job {
            batch,
            reply,
            share,
        }) {
            Ok(()) => Ok(answer),
            Err(_) => Err(CommitError::Unavailable(
                "the commit queue is full".to_owned(),
            )),
        }
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn get_many(
        &self,
        keys: &[Key],
        fresh: Freshness,
    ) -> Result<Vec<Option<(Version, Bytes)>>, StoreError> {
        let cached = match fresh {
            Freshness::Within(within) => self.shared.cache.get(keys, within),
            Freshness::Now => None,
        };
        if let Some(found) = cached {
            return Ok(found);
        }
        let moment = self.shared.cache.moment();
        let found: Vec<Record> = if keys.len() <= INLINE_ROWS_MAX {
            self.handle().await?.get(keys)?
        } else {
            let wanted = keys.to_vec();
            self.read(keys.len(), move |handle| handle.get(&wanted))
                .await?
        };
        if matches!(fresh, Freshness::Within(_)) {
            self.shared.cache.fill(moment, keys, &found);
        }
        Ok(found)
    }

    async fn scan(
        &self,
        range: KeyRange,
        direction: Direction,
        limit: u32,
        _fresh: Freshness,
    ) -> Result<Vec<Row>, StoreError> {
        let rows = usize::try_from(limit).unwrap_or(usize::MAX);
        self.read(rows, move |handle| handle.scan(&range, direction, limit))
            .await
    }

    async fn commit(&self, batch: Batch) -> Result<Version, CommitError> {
        limits::check_batch(&batch)?;
        if batch.puts.is_empty() && batch.deletes.is_empty() {
            return self.check_only(batch).await;
        }
        let answer = self.enqueue(batch).await?;
        match timeout(self.commit_wait, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(CommitError::Fatal("the committer has ended".to_owned())),
            Err(_) => {
                let waited = self.commit_wait.as_secs();
                Err(CommitError::Unavailable(format!(
                    "no answer within {waited} s"
                )))
            }
        }
    }

    async fn now(&self) -> Result<UnixMillis, StoreError> {
        Ok((self.clock)())
    }

    fn health(&self) -> Health {
        self.shared.health()
    }

    async fn close(&self) {
        let Some(committer) = self.stop() else { return };
        let shared = Arc::clone(&self.shared);
        let finishing = tokio::task::spawn_blocking(move || finish(&shared, committer));
        if finishing.await.is_err() {
            tracing::error!("closing the store was cut short");
        }
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        if let Some(committer) = self.stop() {
            finish(&self.shared, committer);
        }
    }
}

/// Waits for the queue to be worked off, then closes the engine and gives up the lock, in this
/// order, so that the next holder finds a closed engine.
fn finish(shared: &Shared, committer: JoinHandle<Directory>) {
    let directory = committer.join();
    shared.set_health(Health::ReadOnly(CLOSED.to_owned()));
    drop(shared.access.send_replace(Access::Gone(CLOSED.to_owned())));
    match directory {
        Ok(directory) => drop(directory),
        Err(_) => tracing::error!("the committer ended by a panic"),
    }
}

fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}
