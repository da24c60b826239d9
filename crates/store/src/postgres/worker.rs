//! The workers: each takes a group of batches from the queue, commits it in one call, and answers.

use std::sync::Arc;
use std::time::Duration;

use engine::ports::store::{CommitError, Version};
use tokio::time::{sleep, timeout};
use tokio_postgres::Row;

use super::batch::{Call, Planned};
use super::condition::Condition;
use super::connection::{Connection, Connector};
use super::failure::{Failure, is_broken, reason};
use super::jitter;
use super::queue::{Job, Queue};
use super::reads::{Split, first_failed, versions};
use super::statements::Query;
use crate::cache::RecordCache;
use crate::clock::Stopwatch;

/// Tries of a group that the database sends back.
const TRIES: u32 = 12;
/// Longest pause between two of them.
const PAUSE_MAX: Duration = Duration::from_millis(40);
/// How often the queue is looked through while writes are paused.
const SWEEP_EVERY: Duration = Duration::from_millis(100);

/// What the workers share.
pub(crate) struct Shared {
    pub(crate) connector: Arc<Connector>,
    pub(crate) condition: Arc<Condition>,
    pub(crate) queue: Queue,
    pub(crate) cache: RecordCache,
    /// Longest wait while writes are paused.
    pub(crate) queue_wait: Duration,
    /// Longest wait for a batch, and for one call.
    pub(crate) commit_wait: Duration,
    pub(crate) syncs: Stopwatch,
}

/// Commits groups until the queue is closed and empty.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut worker = Worker {
        shared,
        connection: None,
    };
    // Taken early, so that readers cannot take the last one; without it the first batch will tell.
    worker.connection = worker.connection().await.ok();
    loop {
        worker.wait_while_paused().await;
        let Some(group) = worker.shared.queue.next().await else {
            return;
        };
        if worker.shared.condition.paused().is_some() {
            worker.shared.queue.put_back(group);
        } else {
            worker.commit(group).await;
        }
    }
}

struct Worker {
    shared: Arc<Shared>,
    connection: Option<Connection>,
}

impl Worker {
    async fn wait_while_paused(&self) {
        let shared = &self.shared;
        while let Some(why) = shared.condition.paused() {
            for job in shared.queue.take_older_than(shared.queue_wait) {
                job.answer(Err(CommitError::Unavailable(why.clone())));
            }
            if shared.queue.is_finished() {
                return;
            }
            shared.condition.until_ready(SWEEP_EVERY).await;
        }
    }

    /// Commits batches that were taken together, in as many calls as it takes.
    async fn commit(&mut self, mut group: Vec<Job>) {
        for attempt in 1.. {
            self.drop_expired(&mut group);
            if group.is_empty() {
                return;
            }
            let shared = Arc::clone(&self.shared);
            let written = group.iter().flat_map(|job| job.batch.written());
            let writing = shared.cache.writing(written);
            let start = shared.syncs.start();
            let called = self.call(&group).await;
            shared.syncs.stop(start);
            // Before anybody is answered, whatever the outcome.
            drop(writing);
            let failure = match called {
                Ok(version) => {
                    self.shared.condition.resume();
                    return self.answer(group, |_| Ok(version));
                }
                Err(failure) => failure,
            };
            match failure {
                Failure::Refused | Failure::Again(_) if attempt >= TRIES => {
                    let why = failure.into_reason();
                    return self.answer(group, |_| Err(CommitError::Unavailable(why.clone())));
                }
                Failure::Refused => match self.sort_out(&mut group).await {
                    Ok(true) => {}
                    Ok(false) => sleep(jitter(PAUSE_MAX)).await,
                    Err(why) => {
                        self.shared.condition.pause(&why);
                        return self.answer(group, |_| Err(CommitError::Unavailable(why.clone())));
                    }
                },
                Failure::Again(_) => sleep(jitter(PAUSE_MAX)).await,
                Failure::NotSent(why) => {
                    self.shared.condition.pause(&why);
                    return self.shared.queue.put_back(group);
                }
                Failure::Away(why) => {
                    self.shared.condition.pause(&why);
                    return self.answer(group, |_| Err(CommitError::Unavailable(why.clone())));
                }
            }
        }
    }

    async fn call(&mut self, group: &[Job]) -> Result<Version, Failure> {
        let wait = self.shared.commit_wait;
        let mut connection = self.connection().await?;
        if group.iter().any(|job| job.since.elapsed() >= wait) {
            // Connecting took so long that some callers have given up: theirs is not to be sent.
            self.connection = Some(connection);
            return Err(Failure::Again("it waited too long for its turn".to_owned()));
        }
        let call = Call::of(group.iter().map(|job| &job.batch));
        let parameters = call.parameters();
        let calling = connection.commit(Query::Commit, &parameters);
        let rows = match timeout(wait, calling).await {
            Ok(Ok(rows)) => rows,
            Ok(Err((failure, is_broken))) => {
                if !is_broken {
                    self.connection = Some(connection);
                }
                return Err(failure);
            }
            // Dropped with the call: what it is doing is not to be stopped, nor waited for.
            Err(_) => {
                let waited = wait.as_secs();
                return Err(Failure::Away(format!(
                    "the database did not commit within {waited} s"
                )));
            }
        };
        self.connection = Some(connection);
        version_of(&rows).ok_or_else(|| Failure::Away("kv_commit gave no version".to_owned()))
    }

    /// The worker's connection, taken out: whoever has seen it work puts it back.
    async fn connection(&mut self) -> Result<Connection, Failure> {
        if let Some(connection) = self.connection.take()
            && !connection.is_closed()
            && self.shared.connector.is_current(&connection)
        {
            return Ok(connection);
        }
        let connecting = self.shared.connector.connect();
        connecting
            .await
            .map_err(|refusal| Failure::NotSent(refusal.said))
    }

    /// Answers those whose checks do not hold, and leaves the others. Says whether there were any.
    async fn sort_out(&mut self, group: &mut Vec<Job>) -> Result<bool, String> {
        let checks = group.iter().flat_map(|job| &job.batch.checks);
        let split = Split::of(checks.map(|(key, _)| key));
        if split.is_empty() {
            return Ok(false);
        }
        let mut connection = self.connection().await.map_err(Failure::into_reason)?;
        let (query, parameters) = (Query::Versions(split.parts()), split.parameters());
        let reading = connection.query(query, &parameters);
        let found = match timeout(self.shared.commit_wait, reading).await {
            Ok(Ok(rows)) => versions(&rows).map_err(|error| reason(&error))?,
            // Nothing was committed, and a new try will tell.
            Ok(Err(error)) if !is_broken(&error) => {
                self.connection = Some(connection);
                return Ok(false);
            }
            Ok(Err(error)) => return Err(reason(&error)),
            Err(_) => return Err("the database does not answer".to_owned()),
        };
        self.connection = Some(connection);
        let mut left = Vec::with_capacity(group.len());
        let before = group.len();
        for job in group.drain(..) {
            match first_failed(&job.batch.checks, &found) {
                Some(index) => {
                    self.shared.queue.done(&job.batch.touches);
                    job.answer(Err(CommitError::Conflict(index)));
                }
                None => left.push(job),
            }
        }
        *group = left;
        Ok(group.len() < before)
    }

    fn drop_expired(&self, group: &mut Vec<Job>) {
        let wait = self.shared.commit_wait;
        if group.iter().all(|job| job.since.elapsed() < wait) {
            return;
        }
        let (expired, left) = group.drain(..).partition(|job| job.since.elapsed() >= wait);
        *group = left;
        self.answer(expired, |_| {
            Err(CommitError::Unavailable(
                "it waited too long for its turn".to_owned(),
            ))
        });
    }

    fn answer(&self, group: Vec<Job>, outcome: impl Fn(&Planned) -> Result<Version, CommitError>) {
        for job in group {
            self.shared.queue.done(&job.batch.touches);
            let outcome = outcome(&job.batch);
            job.answer(outcome);
        }
    }
}

fn version_of(rows: &[Row]) -> Option<Version> {
    let version: i64 = rows.first()?.try_get(0).ok()?;
    u64::try_from(version).ok().map(Version)
}
