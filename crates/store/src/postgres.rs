//! The PostgreSQL store: one database, any number of processes.
//!
//! Keys live in three tables, picked by their first byte. A batch goes through a bounded queue to
//! one of four workers, which puts together what waits and touches different keys, and commits it
//! with one call of the database's function `kv_commit`. A commit is answered when that call's
//! transaction is durable. Reads are one statement each, hence one moment.
//!
//! A commit is never sent twice unless the database said that it changed nothing; a connection on
//! which one timed out is dropped, and what it was doing is never cancelled.
//!
//! Tables, function, time-outs and faults: `docs/STORAGE.md`. Why so:
//! `docs/adr/0006-postgresql-engine.md`.

mod batch;
mod condition;
mod connection;
mod failure;
mod pool;
mod queue;
mod reads;
mod schema;
mod statements;
pub(crate) mod target;
mod tls;
mod worker;

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use engine::ports::store::{
    Batch, CommitError, Direction, Freshness, Health, Key, KeyRange, Row, Store, StoreError,
    Version,
};
use engine::types::UnixMillis;
use tokio::sync::{Mutex as AsyncMutex, Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::cache::{Lifetime, RecordCache};
use crate::clock::Stopwatch;
use crate::clock::{Clock, steady_clock};
use crate::{OpenError, Options, limits};
use batch::Planned;
use condition::Condition;
use connection::{Connection, Connector, Refusal, RefusalKind};
use queue::{Job, Queue};
use reads::Reader;
use target::Target;
pub(crate) use target::is_postgres;
pub use target::redacted;
use worker::Shared;

/// Workers, each with a connection of its own.
const WORKERS: u32 = 4;
/// Share of the time a caller waits after which the database gives up waiting for a row's lock.
const LOCK_SHARE: f64 = 0.9;
/// The queue's size: 64 MiB in shares of 1 KiB, of which a batch takes at least 16, hence 4,096
/// batches.
const QUEUE_SHARES: u32 = 64 << 10;
const QUEUE_SHARES_MIN: u32 = 16;

/// A [`Store`] in a PostgreSQL database.
pub struct PostgresStore {
    shared: Arc<Shared>,
    shares: Arc<Semaphore>,
    reader: Arc<Reader>,
    clock: Option<Clock>,
    /// The workers, which end with the store; whoever closes it waits for them, and for others who do.
    workers: AsyncMutex<JoinSet<()>>,
    /// What runs beside them until the store is closed: the probe, and what keeps the cache young.
    attendants: Mutex<JoinSet<()>>,
}

impl PostgresStore {
    /// Connects to the database and makes the tables if they are not there.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(url: &str, options: Options) -> Result<Self, OpenError> {
        let (connector, mut connection) = connect(url, &options).await?;
        schema::prepare(&mut connection).await?;
        Self::over(connector, options)
    }

    /// The same of a database that has the tables; `None`, and nothing made, if it has not.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open_existing(url: &str, options: Options) -> Result<Option<Self>, OpenError> {
        let (connector, mut connection) = connect(url, &options).await?;
        if !schema::is_made(&mut connection).await? {
            return Ok(None);
        }
        schema::prepare(&mut connection).await?;
        Self::over(connector, options).map(Some)
    }

    fn over(connector: Arc<Connector>, options: Options) -> Result<Self, OpenError> {
        let readers = options.connections.saturating_sub(WORKERS).max(1);
        let readers = usize::try_from(readers).unwrap_or(usize::MAX);
        let pool = pool::pool(Arc::clone(&connector), readers);
        let condition = Arc::new(Condition::new(WORKERS));
        let reader = Arc::new(Reader {
            pool: pool.map_err(|error| OpenError::Refused(error.to_string()))?,
            wait: options.commit_wait,
            condition: Arc::clone(&condition),
        });
        let shared = Arc::new(Shared {
            connector,
            condition,
            queue: Queue::new(),
            cache: RecordCache::new(options.cache_bytes, Lifetime::Shared(steady_clock())),
            queue_wait: options.queue_wait,
            commit_wait: options.commit_wait,
            syncs: Stopwatch(options.on_sync),
        });
        let (workers, attendants) = staff(&shared, &reader);
        Ok(Self {
            shared,
            shares: Arc::new(Semaphore::new(QUEUE_SHARES as usize)),
            reader,
            clock: options.clock,
            workers: AsyncMutex::new(workers),
            attendants: Mutex::new(attendants),
        })
    }

    async fn enqueue(
        &self,
        batch: Planned,
    ) -> Result<oneshot::Receiver<Result<Version, CommitError>>, CommitError> {
        let kib = u32::try_from(batch.bytes / 1024).unwrap_or(QUEUE_SHARES);
        let weight = kib.clamp(QUEUE_SHARES_MIN, QUEUE_SHARES);
        let share = Arc::clone(&self.shares).acquire_many_owned(weight);
        let Ok(Ok(share)) = timeout(self.shared.queue_wait, share).await else {
            return Err(CommitError::Unavailable(
                "the commit queue is full".to_owned(),
            ));
        };
        let (reply, answer) = oneshot::channel();
        let job = Job {
            batch,
            reply,
            since: Instant::now(),
            share,
        };
        match self.shared.queue.push(job) {
            Ok(()) => Ok(answer),
            Err(_) => Err(closed()),
        }
    }
}

/// A way to the database, and a first connection.
async fn connect(url: &str, options: &Options) -> Result<(Arc<Connector>, Connection), OpenError> {
    let mut target = Target::parse(url).map_err(|said| OpenError::BadUrl {
        url: redacted(url),
        said,
    })?;
    let own = target.ca_file.take();
    let ca_file = options.ca_file.clone().or(own);
    let tls = tls::connector(target.tls, ca_file.as_deref())?;
    // So much less than a caller waits that the database's answer comes first.
    let lock_wait = options.commit_wait.mul_f64(LOCK_SHARE);
    let connector = Connector::new(target, tls, options.password_file.clone(), lock_wait);
    let connector = Arc::new(connector);
    match connector.connect().await {
        Ok(connection) => Ok((connector, connection)),
        Err(refusal) => Err(not_open(&connector, refusal)),
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn get_many(
        &self,
        keys: &[Key],
        fresh: Freshness,
    ) -> Result<Vec<Option<(Version, Bytes)>>, StoreError> {
        let within = match fresh {
            Freshness::Within(within) if !within.is_zero() => within,
            // Others write too: nothing in memory is that fresh.
            Freshness::Within(_) | Freshness::Now => return self.reader.get(keys).await,
        };
        let cache = &self.shared.cache;
        if let Some(found) = cache.get(keys, within) {
            return Ok(found);
        }
        let moment = cache.moment();
        let found = self.reader.get(keys).await?;
        cache.fill(moment, keys, &found);
        Ok(found)
    }

    async fn scan(
        &self,
        range: KeyRange,
        direction: Direction,
        limit: u32,
        _fresh: Freshness,
    ) -> Result<Vec<Row>, StoreError> {
        self.reader.scan(&range, direction, limit).await
    }

    async fn commit(&self, batch: Batch) -> Result<Version, CommitError> {
        limits::check_batch(&batch)?;
        if self.shared.queue.is_closed() {
            return Err(closed());
        }
        if batch.puts.is_empty() && batch.deletes.is_empty() {
            return self.reader.check(&batch.checks).await;
        }
        let planned = match Planned::of(batch) {
            Ok(planned) => planned,
            Err(contradiction) => return self.reader.check(&contradiction).await,
        };
        let answer = self.enqueue(planned).await?;
        match timeout(self.shared.commit_wait, answer).await {
            Ok(Ok(outcome)) => outcome,
            // By a panic, or with the store.
            Ok(Err(_)) => Err(CommitError::Unavailable(
                "its worker ended before the answer came".to_owned(),
            )),
            Err(_) => {
                let waited = self.shared.commit_wait.as_secs();
                Err(CommitError::Unavailable(format!(
                    "no answer within {waited} s"
                )))
            }
        }
    }

    async fn now(&self) -> Result<UnixMillis, StoreError> {
        match &self.clock {
            Some(clock) => Ok(clock()),
            None => self.reader.now().await,
        }
    }

    fn health(&self) -> Health {
        self.shared.condition.health()
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn close(&self) {
        self.shared.queue.close();
        let mut workers = self.workers.lock().await;
        while let Some(ended) = workers.join_next().await {
            if ended.is_err() {
                tracing::error!("a worker of the store ended by a panic");
            }
        }
        self.shared.condition.close();
        self.attendants
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .abort_all();
        self.reader.pool.close();
    }
}

/// Starts the workers and the attendants. They end with the store.
fn staff(shared: &Arc<Shared>, reader: &Arc<Reader>) -> (JoinSet<()>, JoinSet<()>) {
    let (mut workers, mut attendants) = (JoinSet::new(), JoinSet::new());
    for _ in 0..WORKERS {
        workers.spawn(worker::run(Arc::clone(shared)));
    }
    let (connector, condition) = (Arc::clone(&shared.connector), Arc::clone(&shared.condition));
    attendants.spawn(condition::watch_over(connector, condition));
    attendants.spawn(reads::keep_confirming(
        Arc::clone(reader),
        Arc::clone(shared),
    ));
    (workers, attendants)
}

fn not_open(connector: &Connector, refusal: Refusal) -> OpenError {
    let said = refusal.said;
    match refusal.kind {
        RefusalKind::Unreachable | RefusalKind::Full => OpenError::Unreachable { said },
        RefusalKind::Tls => OpenError::NotTrusted { said },
        RefusalKind::Login => OpenError::LoginRefused { said },
        RefusalKind::NoDatabase => OpenError::NoDatabase {
            servers: connector.names(),
            said,
        },
    }
}

fn closed() -> CommitError {
    CommitError::Fatal("the store is closed".to_owned())
}

/// A random pause up to this long.
fn jitter(most: Duration) -> Duration {
    let random = RandomState::new().hash_one(0_u8);
    let share = f64::from(u32::try_from(random >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX);
    most.mul_f64(share)
}
