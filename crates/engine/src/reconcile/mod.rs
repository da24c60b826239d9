//! Reconcilers: what keeps facts true. They take no input, are idempotent, and may run at any moment.

mod sweep;

use std::time::Duration;

use crate::engine::Engine;
use crate::error::Internal;
use crate::log::{ground, sequencer};

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
    /// Every intent becomes an entry.
    Sequence,
    /// This process publishes the newest head in the store.
    Publish,
    /// Rows that have had their time go.
    Sweep,
    /// Jobs that are due run.
    Deliver,
}

impl Reconciler {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sequence, Self::Publish, Self::Sweep, Self::Deliver];

    /// The name, for logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sequence => "sequence",
            Self::Publish => "publish",
            Self::Sweep => "sweep",
            Self::Deliver => "deliver",
        }
    }

    /// Longest pause between two ticks.
    #[must_use]
    pub fn period(self) -> Duration {
        match self {
            Self::Sequence | Self::Publish | Self::Deliver => Duration::from_secs(1),
            Self::Sweep => Duration::from_secs(60),
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
            Self::Sweep => sweep::tick(engine).await,
            Self::Deliver => match crate::jobs::run_due(engine).await? {
                0 => Ok(Progress::Idle),
                _ => Ok(Progress::MoreNow),
            },
        }
    }

    /// Waits for the next tick: until its period is over, or something hints that it is worth it.
    pub async fn wait(self, engine: &Engine) {
        let over = engine.ports().timer.sleep(self.period());
        match self {
            Self::Sequence => tokio::select! {
                () = engine.pending().woken() => {}
                () = over => engine.sequencer().look_in_store(),
            },
            Self::Deliver => tokio::select! {
                () = engine.jobs_wake().notified() => {}
                () = over => {}
            },
            Self::Publish | Self::Sweep => over.await,
        }
    }
}

/// Runs a batch at once when none was run lately, else when the merge delay since the last one's
/// start is over or a whole batch is waiting.
async fn sequence(engine: &Engine) -> Result<Progress, Internal> {
    let _turn = engine.sequencer().turn().await;
    let start = engine.sequencer().pace(engine).await;
    let done = sequencer::run(engine).await?;
    if matches!(done, sequencer::Progress::Sequenced(_)) {
        engine.sequencer().paced(start).await;
    }
    Ok(match done {
        sequencer::Progress::Sequenced(_) | sequencer::Progress::Cleared
            if engine.pending().len() > 0 =>
        {
            Progress::MoreNow
        }
        sequencer::Progress::Sequenced(_)
        | sequencer::Progress::Cleared
        | sequencer::Progress::Idle
        | sequencer::Progress::NotLeader => Progress::Idle,
    })
}
