//! What runs beside requests: the reconcilers, the name index, the memory of the highest
//! checkpoint, the watch over the store's health.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::Engine;
use engine::ports::store::Health;
use engine::ports::timer::Timer;
use engine::reconcile::{Progress, Reconciler};
use outbound::remembered::Remembered;
use outbound::system::SystemTimer;
use prometheus::Histogram;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::failure::Failure;
use crate::wire_up::Wired;

/// Pause after a failure.
const BACK_OFF: Duration = Duration::from_secs(1);
/// Pause between two looks at the published head and at the store's health.
const LOOK: Duration = Duration::from_secs(1);

/// Starts a loop for each reconciler and each duty of this process.
pub(crate) fn start(tasks: &TaskTracker, wired: &Wired, stop: &CancellationToken) {
    start_reconcilers(tasks, wired, stop);
    let engine = &wired.engine;
    let names_loaded = wired.names_loaded.clone();
    tasks.spawn(load_names(engine.clone(), names_loaded, stop.clone()));
    tasks.spawn(load_claims(engine.clone(), stop.clone()));
    tasks.spawn(watch_health(engine.clone(), stop.clone()));
    if let Some(remembered) = wired.remembered.clone() {
        tasks.spawn(remember(engine.clone(), remembered, stop.clone()));
    }
}

/// Measures the ticks that put something into the log.
#[derive(Clone)]
struct Appends {
    seconds: Histogram,
    timer: SystemTimer,
}

impl Appends {
    /// Runs a tick, and counts its time if it published a larger log.
    async fn measure<T>(&self, engine: &Engine, tick: impl Future<Output = T>) -> T {
        let (size, start) = (engine.log().head().size, self.timer.monotonic());
        let done = tick.await;
        if engine.log().head().size > size {
            let took = self.timer.monotonic().saturating_sub(start);
            self.seconds.observe(took.as_secs_f64());
        }
        done
    }
}

/// Starts a loop for each reconciler.
pub(crate) fn start_reconcilers(tasks: &TaskTracker, wired: &Wired, stop: &CancellationToken) {
    let engine = &wired.engine;
    let appends = Appends {
        seconds: wired.metrics.appends.clone(),
        timer: wired.timer,
    };
    let needed = |reconciler: &Reconciler| reconciler.is_needed(engine);
    for reconciler in Reconciler::ALL.into_iter().filter(needed) {
        let appends = (reconciler == Reconciler::Sequence).then(|| appends.clone());
        tasks.spawn(reconcile(reconciler, engine.clone(), appends, stop.clone()));
    }
}

/// Keeps the published head outside the store, once, unless the store is behind what was kept.
///
/// # Errors
/// A sentence for the operator.
pub(crate) async fn remember_once(engine: &Engine, remembered: &Remembered) -> Result<(), Failure> {
    if matches!(engine.health(), Health::ReadOnly(_)) {
        return Ok(());
    }
    let note = engine.log().head().note.to_vec();
    let saved = remembered.save(note).await;
    saved.map_err(|error| Failure::failed(crate::failure::chain(&error)))
}

/// Warns when a duty begins to fail, and says when it works again; not at every failure between.
struct Trouble {
    duty: &'static str,
    is_failing: bool,
}

impl Trouble {
    fn of(duty: &'static str) -> Self {
        Self {
            duty,
            is_failing: false,
        }
    }

    /// Whether it went well.
    fn note<T, E: std::error::Error>(&mut self, done: Result<T, E>) -> Option<T> {
        let duty = self.duty;
        match done {
            Ok(value) => {
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!(duty, "works again");
                }
                Some(value)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_failing, true) {
                    let error = crate::failure::chain(&error);
                    tracing::warn!(duty, error, "failed; trying again every second");
                }
                None
            }
        }
    }
}

/// Runs one reconciler until `stop`. A tick that has begun is finished, unless it may be dropped.
async fn reconcile(
    reconciler: Reconciler,
    engine: Engine,
    appends: Option<Appends>,
    stop: CancellationToken,
) {
    let mut trouble = Trouble::of(reconciler.name());
    while !stop.is_cancelled() {
        let tick = reconciler.tick(&engine);
        let done = match &appends {
            Some(appends) => appends.measure(&engine, tick).await,
            None if reconciler.may_be_dropped() => tokio::select! {
                done = tick => done,
                () = stop.cancelled() => break,
            },
            None => tick.await,
        };
        let next = async {
            match trouble.note(done) {
                Some(Progress::MoreNow) => {}
                Some(Progress::Idle) => reconciler.wait(&engine).await,
                None => sleep(BACK_OFF).await,
            }
        };
        tokio::select! {
            () = next => {}
            () = stop.cancelled() => {}
        }
    }
    trouble.note(reconciler.finish(&engine).await);
}

/// Loads the name index; look-ups work meanwhile, searches are refused.
async fn load_names(engine: Engine, names_loaded: Arc<AtomicBool>, stop: CancellationToken) {
    let mut trouble = Trouble::of("load names");
    loop {
        let loaded = tokio::select! {
            loaded = engine.load_names() => loaded,
            () = stop.cancelled() => return,
        };
        if trouble.note(loaded).is_some() {
            return names_loaded.store(true, Ordering::Release);
        }
        tokio::select! {
            () = sleep(BACK_OFF) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Loads the index of claims; searches by a part of an account's name are refused meanwhile.
async fn load_claims(engine: Engine, stop: CancellationToken) {
    let mut trouble = Trouble::of("load claims");
    loop {
        let loaded = tokio::select! {
            loaded = engine.load_claims() => loaded,
            () = stop.cancelled() => return,
        };
        if trouble.note(loaded).is_some() {
            return;
        }
        tokio::select! {
            () = sleep(BACK_OFF) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Keeps the highest published head outside the store, at most one second behind.
async fn remember(engine: Engine, remembered: Remembered, stop: CancellationToken) {
    let mut trouble = Trouble::of("remember the checkpoint");
    let mut saved = None;
    loop {
        let is_last = stop.is_cancelled();
        let head = engine.log().head();
        let may_save = !matches!(engine.health(), Health::ReadOnly(_));
        if may_save && saved != Some(head.size) {
            let done = remembered.save(head.note.to_vec()).await;
            if trouble.note(done).is_some() {
                saved = Some(head.size);
            }
        }
        if is_last {
            return;
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Says in the log when writes stop and when they work again.
async fn watch_health(engine: Engine, stop: CancellationToken) {
    let mut before = Health::Ready;
    loop {
        let now = engine.health();
        if now != before {
            match &now {
                Health::Ready => tracing::info!("writes work again"),
                Health::WritesPaused(reason) => tracing::warn!("writes are paused: {reason}"),
                Health::ReadOnly(reason) => tracing::error!("writes are refused: {reason}"),
            }
            before = now;
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            () = stop.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn trouble_begins_once_and_ends_once() {
        let mut trouble = Trouble::of("duty");
        let mut is_failing_after = |done: io::Result<u8>| {
            let value = trouble.note(done);
            (value, trouble.is_failing)
        };
        assert_eq!(is_failing_after(Ok(1)), (Some(1), false));
        assert_eq!(is_failing_after(Err(io::Error::other("no"))), (None, true));
        assert_eq!(is_failing_after(Err(io::Error::other("no"))), (None, true));
        assert_eq!(is_failing_after(Ok(2)), (Some(2), false));
    }
}
