//! Reconcilers: what keeps facts true. They take no input, are idempotent, and may run at any moment.

mod sweep;

use std::time::Duration;

use crate::claims;
use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::{HEARTBEAT_PERIOD, PUBLISH_PERIOD, SWEEP_PERIOD};
use crate::log::{ground, sequencer};
use crate::names::{doubt, follow};
use crate::processes::leases::Role;
use crate::processes::{beat, give_back, leave};

/// What one tick did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The fact is true.
    Idle,
    /// There is more to do now.
    MoreNow,
}

/// The reconcilers, by what they keep true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconciler {
    /// Every intent becomes an entry. One process at a time.
    Sequence,
    /// This process publishes the newest head in the store.
    Publish,
    /// This process's name index has what other processes did, and what this one does not know
    /// whether it did.
    Follow,
    /// Claims are checked when they are due, or overdue and read.
    Recheck,
    /// Rows that have had their time go. One process at a time.
    Sweep,
    /// Jobs that are due run. Each by one process at a time.
    Deliver,
    /// The other processes know that this one lives, and it has their clock.
    Heartbeat,
}

impl Reconciler {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Sequence,
        Self::Publish,
        Self::Follow,
        Self::Recheck,
        Self::Sweep,
        Self::Deliver,
        Self::Heartbeat,
    ];

    /// The name, for logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sequence => "sequence",
            Self::Publish => "publish",
            Self::Follow => "follow",
            Self::Recheck => "recheck",
            Self::Sweep => "sweep",
            Self::Deliver => "deliver",
            Self::Heartbeat => "heartbeat",
        }
    }

    /// Whether it ever has something to do: some are about other processes, of which a store that is
    /// not shared has none, and claims are checked by checkers.
    #[must_use]
    pub fn is_needed(self, engine: &Engine) -> bool {
        match self {
            Self::Sequence | Self::Follow | Self::Sweep | Self::Deliver => true,
            Self::Recheck => !engine.ports().checkers.is_empty(),
            Self::Publish | Self::Heartbeat => engine.is_shared(),
        }
    }

    /// Whether a tick that has begun need not be finished when the process stops: it may wait for other
    /// servers, and what it drops is done later.
    #[must_use]
    pub fn may_be_dropped(self) -> bool {
        match self {
            Self::Recheck | Self::Deliver => true,
            Self::Sequence | Self::Publish | Self::Follow | Self::Sweep | Self::Heartbeat => false,
        }
    }

    /// Runs once.
    ///
    /// # Errors
    /// Our own failures; the next tick tries again.
    pub async fn tick(self, engine: &Engine) -> Result<Progress, Internal> {
        match self {
            Self::Sequence => sequence(engine).await,
            // Once halted there is nothing to follow: the reason was said once.
            Self::Publish if engine.published().halted().is_some() => Ok(Progress::Idle),
            Self::Publish => ground::publish(engine).await.map(|()| Progress::Idle),
            Self::Follow if engine.is_shared() => {
                let names = follow::step(engine).await?;
                let claims = claims::follow::step(engine).await?;
                Ok(more_if(names || claims))
            }
            Self::Follow => {
                doubt::look(engine).await?;
                claims::doubt::look(engine).await?;
                Ok(Progress::Idle)
            }
            Self::Recheck => claims::recheck::tick(engine).await.map(|()| Progress::Idle),
            Self::Sweep => sweep::tick(engine).await,
            Self::Deliver => crate::jobs::run_due(engine)
                .await
                .map(|jobs| more_if(jobs > 0)),
            Self::Heartbeat => beat(engine).await.map(|()| Progress::Idle),
        }
    }

    /// Waits for the next tick: until its period is over, or something hints that it is worth it.
    pub async fn wait(self, engine: &Engine) {
        let timer = engine.ports().timer.as_ref();
        let sleep = |period| timer.sleep(period);
        match self {
            Self::Sequence => engine.sequencer().rest(engine).await,
            Self::Publish => sleep(PUBLISH_PERIOD).await,
            Self::Follow if !engine.is_shared() => tokio::select! {
                () = engine.name_doubts().wait(timer) => {}
                () = engine.claim_doubts().wait(timer) => {}
            },
            Self::Follow => tokio::select! {
                () = follow::behind_log(engine) => {}
                () = sleep(Duration::from_secs(1)) => {}
            },
            Self::Recheck => engine.checks().wait(engine).await,
            Self::Sweep => sleep(SWEEP_PERIOD).await,
            Self::Deliver => tokio::select! {
                () = engine.jobs_wake().notified() => {}
                () = sleep(Duration::from_secs(1)) => {}
            },
            Self::Heartbeat => sleep(HEARTBEAT_PERIOD).await,
        }
    }

    /// Ends its work in a process that stops, after its last tick: sequences what waits, gives roles
    /// back, and has the other processes count this one no more.
    ///
    /// # Errors
    /// Our own failures; then leases and the process's row end by themselves.
    pub async fn finish(self, engine: &Engine) -> Result<(), Internal> {
        match self {
            Self::Sequence => {
                let turn = engine.sequencer().turn().await;
                // Links accepted since the last batch would wait for the next start, or leader.
                let last = sequencer::run(engine).await;
                drop(turn);
                engine.log().step_down().await?;
                last.map(drop)
            }
            Self::Sweep if engine.is_shared() => give_back(engine, Role::Sweep, None).await,
            Self::Recheck if engine.is_shared() => give_back(engine, Role::Recheck, None).await,
            Self::Heartbeat => leave(engine).await,
            Self::Publish | Self::Follow | Self::Recheck | Self::Sweep | Self::Deliver => Ok(()),
        }
    }
}

fn more_if(more: bool) -> Progress {
    if more {
        Progress::MoreNow
    } else {
        Progress::Idle
    }
}

/// Runs a batch at once when none was run lately, else when the merge delay since the last one's
/// start is over or a whole batch is waiting.
async fn sequence(engine: &Engine) -> Result<Progress, Internal> {
    let _turn = engine.sequencer().turn().await;
    let Some(start) = engine.sequencer().pace(engine).await else {
        sequencer::wait(engine).await?;
        return Ok(more_if(engine.pending().len() > 0));
    };
    let done = sequencer::run(engine).await?;
    if matches!(done, sequencer::Progress::Sequenced(_)) {
        engine.sequencer().paced(start);
    }
    Ok(match done {
        sequencer::Progress::Sequenced(_) | sequencer::Progress::Cleared => {
            more_if(engine.pending().len() > 0)
        }
        sequencer::Progress::Idle | sequencer::Progress::NotLeader => Progress::Idle,
    })
}
