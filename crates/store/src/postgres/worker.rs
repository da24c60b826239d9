//! The workers: each takes a group of batches from the queue, commits it in one call, and answers.

use std::sync::Arc;
use std::time::Duration;

use engine::ports::store::{CommitError, Version};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_postgres::Row;

use super::batch::Call;
use super::condition::Condition;
use super::connection::{Connection, Connector, RefusalKind};
use super::failure::{Failure, is_broken, reason};
use super::jitter;
use super::queue::{Group, Queue};
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
/// Pause after a panic.
const PANIC_PAUSE: Duration = Duration::from_secs(1);
/// How often a worker asks a database that takes no more connections for one.
const ASK_EVERY: Duration = Duration::from_millis(250);

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

/// Works until the queue is closed and empty; begins anew after a panic, with a new connection. What
/// a panic cut short is answered as unknown, and its keys are free again.
pub(crate) async fn run(shared: Arc<Shared>) {
    while let Err(why) = survive(work(Arc::clone(&shared))).await {
        tracing::error!("a worker of the store panicked and begins anew: {why}");
        sleep(PANIC_PAUSE).await;
    }
}

/// Runs to the end, or to a panic. Ended with this call.
async fn survive(work: impl Future<Output = ()> + Send + 'static) -> Result<(), String> {
    let mut alone = JoinSet::new();
    alone.spawn(work);
    match alone.join_next().await {
        Some(Err(error)) if error.is_panic() => Err(error.to_string()),
        Some(Ok(()) | Err(_)) | None => Ok(()),
    }
}

/// Commits groups until the queue is closed and empty.
async fn work(shared: Arc<Shared>) {
    let mut worker = Worker {
        shared: Arc::clone(&shared),
        connection: None,
        crowded_out: None,
    };
    // Taken early, so that readers cannot take the last one; without it the first batch will tell.
    worker.connection = worker.connection().await.ok();
    loop {
        worker.wait_while_paused().await;
        worker.wait_while_crowded_out().await;
        let Some(group) = shared.queue.next().await else {
            return;
        };
        if shared.condition.paused().is_some() {
            group.put_back();
        } else {
            worker.commit(group).await;
        }
    }
}

struct Worker {
    shared: Arc<Shared>,
    connection: Option<Connection>,
    /// What the database said when it had no place for this worker's connection.
    crowded_out: Option<String>,
}

impl Worker {
    async fn wait_while_paused(&self) {
        let shared = &self.shared;
        while let Some(why) = shared.condition.paused() {
            self.refuse_old(&why);
            if shared.queue.is_finished() {
                return;
            }
            shared.condition.until_ready(SWEEP_EVERY).await;
        }
    }

    /// Asks for a connection until there is a place for it, and leaves the queue to the other
    /// workers meanwhile. When they have none either, batches wait as while writes are paused.
    async fn wait_while_crowded_out(&mut self) {
        let Some(said) = self.crowded_out.take() else {
            return;
        };
        let shared = Arc::clone(&self.shared);
        let _out = shared.condition.crowd_out(said);
        while shared.condition.paused().is_none() && !shared.queue.is_finished() {
            if let Some(why) = shared.condition.crowded_out() {
                self.refuse_old(&why);
            }
            sleep(ASK_EVERY).await;
            match shared.connector.connect().await {
                Ok(connection) => {
                    self.connection = Some(connection);
                    return;
                }
                Err(refusal) if refusal.kind == RefusalKind::Full => {}
                Err(refusal) => return shared.condition.pause(&refusal.said),
            }
        }
    }

    /// Answers the batches that have waited for as long as they may before they are sent.
    fn refuse_old(&self, why: &str) {
        let shared = &self.shared;
        for job in shared.queue.take_older_than(shared.queue_wait) {
            job.answer(Err(CommitError::Unavailable(why.to_owned())));
        }
    }

    /// Commits batches that were taken together, in as many calls as it takes.
    async fn commit(&mut self, mut group: Group<'_>) {
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
            // What the database refused, or did not get, was not made durable.
            if called.is_ok() {
                shared.syncs.stop(start);
            }
            // Before anybody is answered, whatever the outcome.
            drop(writing);
            let failure = match called {
                Ok(version) => {
                    self.shared.condition.resume();
                    return group.answer_all(&Ok(version));
                }
                Err(failure) => failure,
            };
            match failure {
                Failure::Refused | Failure::Again(_) if attempt >= TRIES => {
                    let why = failure.into_reason();
                    return group.answer_all(&Err(CommitError::Unavailable(why)));
                }
                Failure::Refused => match self.sort_out(&mut group).await {
                    Ok(true) => {}
                    Ok(false) => sleep(jitter(PAUSE_MAX)).await,
                    Err(failure) => return self.give_up(group, failure),
                },
                Failure::Again(_) => sleep(jitter(PAUSE_MAX)).await,
                Failure::NotSent(_) | Failure::Locked(_) | Failure::Away(_) => {
                    return self.give_up(group, failure);
                }
            }
        }
    }

    /// Ends the tries of a group: it waits for a connection, or its callers are told.
    fn give_up(&mut self, group: Group<'_>, failure: Failure) {
        match failure {
            Failure::NotSent(refusal) => {
                if refusal.kind == RefusalKind::Full {
                    self.crowded_out = Some(refusal.said);
                } else {
                    self.shared.condition.pause(&refusal.said);
                }
                group.put_back();
            }
            // A matter of these rows: others may be written.
            Failure::Locked(why) => group.answer_all(&Err(CommitError::Unavailable(why))),
            Failure::Refused | Failure::Again(_) | Failure::Away(_) => {
                let why = failure.into_reason();
                self.shared.condition.pause(&why);
                group.answer_all(&Err(CommitError::Unavailable(why)));
            }
        }
    }

    async fn call(&mut self, group: &Group<'_>) -> Result<Version, Failure> {
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
        connecting.await.map_err(Failure::NotSent)
    }

    /// Answers those whose checks do not hold, and leaves the others. Says whether there were any.
    async fn sort_out(&mut self, group: &mut Group<'_>) -> Result<bool, Failure> {
        let checks = group.iter().flat_map(|job| &job.batch.checks);
        let split = Split::of(checks.map(|(key, _)| key));
        if split.is_empty() {
            return Ok(false);
        }
        let mut connection = self.connection().await?;
        let (query, parameters) = (Query::Versions(split.parts()), split.parameters());
        let reading = connection.query(query, &parameters);
        let found = match timeout(self.shared.commit_wait, reading).await {
            Ok(Ok(rows)) => versions(&rows).map_err(|error| Failure::Away(reason(&error)))?,
            // Nothing was committed, and a new try will tell.
            Ok(Err(error)) if !is_broken(&error) => {
                self.connection = Some(connection);
                return Ok(false);
            }
            Ok(Err(error)) => return Err(Failure::Away(reason(&error))),
            Err(_) => return Err(Failure::Away("the database does not answer".to_owned())),
        };
        self.connection = Some(connection);
        let before = group.len();
        group.answer(|job| {
            first_failed(&job.batch.checks, &found).map(|index| Err(CommitError::Conflict(index)))
        });
        Ok(group.len() < before)
    }

    fn drop_expired(&self, group: &mut Group<'_>) {
        let wait = self.shared.commit_wait;
        group.answer(|job| {
            let said = "it waited too long for its turn".to_owned();
            (job.since.elapsed() >= wait).then_some(Err(CommitError::Unavailable(said)))
        });
    }
}

fn version_of(rows: &[Row]) -> Option<Version> {
    let version: i64 = rows.first()?.try_get(0).ok()?;
    u64::try_from(version).ok().map(Version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_apart_from_an_end() {
        assert_eq!(survive(async {}).await, Ok(()));
        let why = survive(async { unreachable!("on purpose") }).await;
        assert!(why.is_err_and(|why| why.contains("panic")));
    }
}
