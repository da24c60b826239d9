//! Running jobs: one match over what there is to deliver.

use std::collections::HashMap;
use std::error::Error;
use std::mem::discriminant;

use futures_util::future::join_all;

use crate::claims::archive::archive_next;
use crate::engine::Engine;
use crate::error::Internal;
use crate::outbox::{self, Job, Leased, Outcome};
use crate::tx::in_tx;

/// Takes the jobs that are due and settles each: those of a kind and of one subject one after another,
/// all others side by side. Returns how many were taken.
///
/// # Errors
/// When the outbox itself cannot be read or written; a job that fails is postponed.
pub async fn run_due(engine: &Engine) -> Result<usize, Internal> {
    let now = engine.now();
    let taken: Vec<Leased> = in_tx!(engine, "take_jobs", |tx| outbox::take_due_in(tx, now)
        .await
        .map_err(Internal::from))?;
    let mut lines: HashMap<_, Vec<&Leased>> = HashMap::new();
    for leased in &taken {
        let line = (discriminant(&leased.job), leased.job.label());
        lines.entry(line).or_default().push(leased);
    }
    let runs = lines.into_values().map(|line| run_in_line(engine, line));
    // All run to their end; then the first failure is handed on.
    let runs = join_all(runs).await;
    runs.into_iter().collect::<Result<(), Internal>>()?;
    Ok(taken.len())
}

/// Runs jobs of one subject and settles them. Where one has to wait, those behind it would do no better.
async fn run_in_line(engine: &Engine, line: Vec<&Leased>) -> Result<(), Internal> {
    let mut outcome = Outcome::Done;
    for leased in line {
        if outcome != Outcome::Waiting {
            outcome = run_one(engine, leased).await;
        }
        let now = engine.now();
        in_tx!(engine, "settle_job", |tx| outbox::settle_in(
            tx, leased, outcome, now
        )
        .await)?;
    }
    Ok(())
}

async fn run_one(engine: &Engine, leased: &Leased) -> Outcome {
    run(engine, &leased.job).await.unwrap_or_else(|error| {
        let cause = error.source().map(tracing::field::display);
        tracing::warn!(job.attempt = leased.attempt, error = %error, cause, "a job failed");
        Outcome::Failed
    })
}

async fn run(engine: &Engine, job: &Job) -> Result<Outcome, Internal> {
    match job {
        Job::EraseLinks { label, through } => engine.chains().erase(*label, *through).await,
        Job::ArchiveLinks { label, through } => archive_next(engine, *label, *through).await,
    }
}
