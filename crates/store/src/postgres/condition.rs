//! Whether writes are accepted, and the probe that finds out when they are again.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use engine::ports::store::Health;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::connection::Connector;
use super::statements::Query;

/// Pause between two probes.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// After this long without an answer, the probe looks whether another server has taken over.
const PROBE_WAIT: Duration = Duration::from_secs(5);

/// What the last attempt to write says about the next.
pub(crate) struct Condition(watch::Sender<Health>);

impl Condition {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Health::Ready))
    }

    pub(crate) fn health(&self) -> Health {
        self.0.borrow().clone()
    }

    /// Why writes are paused; `None` when they are not.
    pub(crate) fn paused(&self) -> Option<String> {
        match &*self.0.borrow() {
            Health::Ready => None,
            Health::WritesPaused(why) | Health::ReadOnly(why) => Some(why.clone()),
        }
    }

    /// An attempt failed.
    pub(crate) fn pause(&self, why: &str) {
        self.0.send_if_modified(|health| {
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
        self.0.send_if_modified(|health| {
            if !matches!(health, Health::WritesPaused(_)) {
                return false;
            }
            tracing::info!("the database takes writes again");
            *health = Health::Ready;
            true
        });
    }

    /// The store was closed.
    pub(crate) fn close(&self) {
        self.0
            .send_replace(Health::ReadOnly("the store is closed".to_owned()));
    }

    /// Waits until writes are not paused, at most this long.
    pub(crate) async fn until_ready(&self, wait: Duration) {
        let mut changes = self.0.subscribe();
        let ready = changes.wait_for(|health| *health == Health::Ready);
        // Whoever waits looks again either way.
        let _ready_or_not = timeout(wait, ready).await;
    }
}

/// Probes while writes are paused. Runs until the store is closed.
pub(crate) async fn watch_over(connector: Arc<Connector>, condition: Arc<Condition>) {
    let mut changes = condition.0.subscribe();
    loop {
        // What is waited for is a lock on the value: not to be held on.
        let gone = changes
            .wait_for(|health| *health != Health::Ready)
            .await
            .is_err();
        if gone || matches!(condition.health(), Health::ReadOnly(_)) {
            return;
        }
        match probe(&connector, &condition).await {
            Ok(()) => condition.resume(),
            Err(why) => {
                condition.pause(&why);
                sleep(PROBE_EVERY).await;
            }
        }
    }
}

/// Writes something as durably as a batch. A write that waits is not given up while its server is
/// the one that takes writes: each one given up would leave a process waiting in the database.
async fn probe(connector: &Connector, condition: &Condition) -> Result<(), String> {
    let mut connection = connector.connect().await.map_err(|refusal| refusal.said)?;
    let server = connection.server();
    let mut write = pin!(connection.commit(Query::Probe, &[]));
    loop {
        if let Ok(outcome) = timeout(PROBE_WAIT, &mut write).await {
            return outcome
                .map(drop)
                .map_err(|(failure, _)| failure.into_reason());
        }
        condition.pause("the database does not finish a write; does it wait for a standby?");
        let other = connector.connect().await.map_err(|refusal| refusal.said)?;
        if other.server() != server {
            return Err("another server has taken over".to_owned());
        }
    }
}
