//! Whether writes are accepted, and the probe that finds out when they are again.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::ports::store::Health;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::connection::{Connector, Refusal, RefusalKind};
use super::statements::Query;

/// Pause between two probes.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// After this long without an answer, the probe looks whether another server has taken over.
const PROBE_WAIT: Duration = Duration::from_secs(5);

/// What the last attempt to write says about the next.
///
/// A server that takes no more connections is no reason to pause: workers that have one write on.
/// Only when the last of them has none do batches wait, and the workers see for themselves when
/// there is a place again.
pub(crate) struct Condition {
    writes: watch::Sender<Health>,
    crowd: Mutex<Crowd>,
    workers: u32,
}

/// The workers that find no place in the database.
#[derive(Default)]
struct Crowd {
    out: u32,
    /// What the database told the last of them.
    said: String,
}

/// A worker without a place, as long as this is held.
pub(crate) struct CrowdedOut<'c>(&'c Condition);

impl Drop for CrowdedOut<'_> {
    fn drop(&mut self) {
        self.0.crowd().out -= 1;
    }
}

impl Condition {
    pub(crate) fn new(workers: u32) -> Self {
        Self {
            writes: watch::Sender::new(Health::Ready),
            crowd: Mutex::default(),
            workers,
        }
    }

    pub(crate) fn health(&self) -> Health {
        let health = self.writes.borrow().clone();
        match (health, self.crowded_out()) {
            (Health::Ready, Some(why)) => Health::WritesPaused(why),
            (health, _) => health,
        }
    }

    /// Notes that a worker finds no place.
    pub(crate) fn crowd_out(&self, said: String) -> CrowdedOut<'_> {
        let mut crowd = self.crowd();
        crowd.out += 1;
        crowd.said = said;
        CrowdedOut(self)
    }

    /// Why no worker has a place, if none has.
    pub(crate) fn crowded_out(&self) -> Option<String> {
        let crowd = self.crowd();
        (crowd.out >= self.workers).then(|| crowd.said.clone())
    }

    fn crowd(&self) -> MutexGuard<'_, Crowd> {
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why writes are paused; `None` when they are not.
    pub(crate) fn paused(&self) -> Option<String> {
        match &*self.writes.borrow() {
            Health::Ready => None,
            Health::WritesPaused(why) | Health::ReadOnly(why) => Some(why.clone()),
        }
    }

    /// An attempt failed.
    pub(crate) fn pause(&self, why: &str) {
        self.writes.send_if_modified(|health| {
            match health {
                Health::ReadOnly(_) => return false,
                Health::Ready => tracing::warn!("writes are paused: {why}"),
                Health::WritesPaused(_) => {}
            }
            *health = Health::WritesPaused(why.to_owned());
            true
        });
    }

    /// An attempt succeeded.
    pub(crate) fn resume(&self) {
        self.writes.send_if_modified(|health| {
            if !matches!(health, Health::WritesPaused(_)) {
                return false;
            }
            tracing::info!("writes are sent to the database again");
            *health = Health::Ready;
            true
        });
    }

    /// The store was closed.
    pub(crate) fn close(&self) {
        self.writes
            .send_replace(Health::ReadOnly("the store is closed".to_owned()));
    }

    /// Waits until writes are not paused, at most this long.
    pub(crate) async fn until_ready(&self, wait: Duration) {
        let mut changes = self.writes.subscribe();
        let ready = changes.wait_for(|health| *health == Health::Ready);
        // Whoever waits looks again either way.
        let _ready_or_not = timeout(wait, ready).await;
    }
}

/// Probes while writes are paused. Runs until the store is closed.
pub(crate) async fn watch_over(connector: Arc<Connector>, condition: Arc<Condition>) {
    let mut changes = condition.writes.subscribe();
    let mut resumed: Option<Instant> = None;
    loop {
        // What is waited for is a lock on the value: not to be held on.
        let gone = changes
            .wait_for(|health| *health != Health::Ready)
            .await
            .is_err();
        if gone || matches!(condition.health(), Health::ReadOnly(_)) {
            return;
        }
        // Where the probe gets through and batches do not, they are not tried all the time.
        if resumed.is_some_and(|at| at.elapsed() < PROBE_EVERY) {
            sleep(PROBE_EVERY).await;
        }
        match probe(&connector, &condition).await {
            Ok(()) => {
                condition.resume();
                resumed = Some(Instant::now());
            }
            Err(why) => {
                condition.pause(&why);
                sleep(PROBE_EVERY).await;
            }
        }
    }
}

/// Writes something as durably as a batch, if there is a connection to be had. A write that waits is
/// not given up while its server is the one that takes writes: each one given up would leave a
/// process waiting in the database.
async fn probe(connector: &Connector, condition: &Condition) -> Result<(), String> {
    let mut connection = match connector.connect().await {
        Ok(connection) => connection,
        Err(refusal) => return answers(refusal),
    };
    let server = connection.server();
    let mut write = pin!(connection.commit(Query::Probe, &[]));
    loop {
        if let Ok(outcome) = timeout(PROBE_WAIT, &mut write).await {
            return outcome
                .map(drop)
                .map_err(|(failure, _)| failure.into_reason());
        }
        condition.pause("the database does not finish a write; does it wait for a standby?");
        // A server without a place for one more is there all the same, and may be the same one.
        match connector.connect().await {
            Ok(other) if other.server() != server => {
                return Err("another server has taken over".to_owned());
            }
            Ok(_) => {}
            Err(refusal) => answers(refusal)?,
        }
    }
}

/// A server that takes no more connections answers: whoever has one sees whether it takes writes.
fn answers(refusal: Refusal) -> Result<(), String> {
    match refusal.kind {
        RefusalKind::Full => Ok(()),
        RefusalKind::Unreachable
        | RefusalKind::Tls
        | RefusalKind::Login
        | RefusalKind::NoDatabase => Err(refusal.said),
    }
}
