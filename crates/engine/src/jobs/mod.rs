//! Running jobs: one match over what there is to deliver.

use std::error::Error;

use crate::claims::archive::archive_next;
use crate::engine::Engine;
use crate::error::Internal;
use crate::outbox::{self, Job, Leased, Outcome};
use crate::tx::in_tx;

/// Takes the jobs that are due, runs each once and settles it. Returns how many were run.
///
/// # Errors
/// When the outbox itself cannot be read or written; a job that fails is postponed.
pub async fn run_due(engine: &Engine) -> Result<usize, Internal> {
    let now = engine.now();
    let taken: Vec<Leased> = in_tx!(engine, "take_jobs", |tx| outbox::take_due_in(tx, now)
        .await
        .map_err(Internal::from))?;
    for leased in &taken {
        let outcome = run(engine, &leased.job).await.unwrap_or_else(|error| {
            let cause = error.source().map(tracing::field::display);
            tracing::warn!(job.attempt = leased.attempt, error = %error, cause, "a job failed");
            Outcome::Failed
        });
        let now = engine.now();
        in_tx!(engine, "settle_job", |tx| outbox::settle_in(
            tx, leased, outcome, now
        )
        .await)?;
    }
    Ok(taken.len())
}

async fn run(engine: &Engine, job: &Job) -> Result<Outcome, Internal> {
    match job {
        Job::EraseLinks { label, through } => engine.chains().erase(*label, *through).await,
        Job::ArchiveLinks { label, through } => archive_next(engine, *label, *through).await,
    }
}
